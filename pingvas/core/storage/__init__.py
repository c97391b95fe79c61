"""The object store, for every app: `stores.object_store()`; keys are made in `keys`."""
