#!/bin/sh
# Makes a certificate authority and a server certificate signed by it.
#
#   make_certificates.sh PRIVATE_FOLDER PUBLIC_FOLDER HOST [HOST...]
#
# PRIVATE_FOLDER gets server.crt and server.key, PUBLIC_FOLDER gets ca.crt, which
# clients name as sslrootcert. The authority's own key is thrown away after it signed:
# nobody can sign another certificate. So renewing means a new authority, and that is
# what happens when the certificate is missing, near its end or for other hosts.
set -eu

private=$1
public=$2
shift 2
days=825
renew_before=$((30 * 24 * 3600))
names=$(printf 'DNS:%s,' "$@")
names=${names%,}

still_good() {
    [ -s "$private/server.key" ] && [ "$(cat "$private/names" 2>/dev/null)" = "$names" ] &&
        openssl x509 -in "$private/server.crt" -noout -checkend "$renew_before" &&
        openssl verify -CAfile "$public/ca.crt" "$private/server.crt"
}

if still_good >/dev/null 2>&1; then
    exit 0
fi

umask 077
mkdir -p "$private" "$public"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A configuration of our own: the system's adds extensions that differ by version.
cat >"$work/config" <<END
[req]
distinguished_name = subject
[subject]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $names
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" \
    -config "$work/config" -extensions authority -subj "/CN=Pingvas PostgreSQL authority" \
    -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -config "$work/config" -subj "/CN=$1" -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
openssl x509 -req -in "$work/server.csr" -days "$days" \
    -extfile "$work/config" -extensions server \
    -CA "$work/ca.crt" -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -out "$work/server.crt" 2>/dev/null

# Key before certificate: a start that was interrupted here begins anew.
rm -f "$private/names"
cp "$work/server.key" "$work/server.crt" "$private/"
cp "$work/ca.crt" "$public/ca.crt"
chmod 755 "$public"
chmod 644 "$public/ca.crt" "$private/server.crt"
printf '%s' "$names" >"$private/names"
echo "made a certificate for $names, good for $days days"
