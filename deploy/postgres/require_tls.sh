#!/bin/sh
# Runs once, when the data folder is made: from other machines only TLS is accepted.
set -eu

sed -i 's/^host\([[:space:]]\+all[[:space:]]\+all[[:space:]]\+all[[:space:]]\)/hostssl\1/' \
    "$PGDATA/pg_hba.conf"
grep -q '^hostssl' "$PGDATA/pg_hba.conf"
