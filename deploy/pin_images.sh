#!/bin/sh
# Asks the registries which digests the images' tags have now and writes tag and digest
# into .env, where docker compose finds them. A second run moves on to newer ones.
#
#   sh deploy/pin_images.sh
set -eu
cd "$(dirname "$0")/.."

umask 077
draft=$(mktemp .env.XXXXXX)
trap 'rm -f "$draft"' EXIT
grep -v '^[A-Z]*_IMAGE=' .env >"$draft" || true

grep -o '${[A-Z]*_IMAGE:-[^}]*}' docker-compose.yml | sort -u | tr -d '${}' |
    while IFS= read -r default; do
        name=${default%%:-*}
        tag=${default#*:-}
        tag=${tag%@*}
        digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$tag")
        case $digest in
            sha256:*) printf '%s=%s@%s\n' "$name" "$tag" "$digest" >>"$draft" ;;
            *)
                echo "no digest of $tag: $digest" >&2
                exit 1
                ;;
        esac
    done
grep '^[A-Z]*_IMAGE=' "$draft"
mv "$draft" .env
