"""The version before and this one on the same data, while people work.

`python -m bench.upgrade`, which `make slow` runs, writes `bench/UPGRADE.md`.
"""
