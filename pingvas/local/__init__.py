"""Everything `make run` and `make test` need on a machine with Python alone.

Starts PostgreSQL and Redis from their wheels under `.pingvas/` and keeps the
programs of the studio running. Knows neither Django nor any app.
"""
