#!/bin/sh
# Entry point of the PostgreSQL container: a certificate first, then the image's own.
set -eu

sh "$(dirname "$0")/make_certificates.sh" /etc/pingvas-tls /run/pingvas-ca postgres localhost
chown -R postgres:postgres /etc/pingvas-tls
exec docker-entrypoint.sh "$@"
