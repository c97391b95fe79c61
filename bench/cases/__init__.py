"""The measurements. Imported once Django is set up; `bench.command` sees to that."""
