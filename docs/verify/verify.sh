#!/bin/sh
# Verifies one webhook with OpenSSL 3. Usage: verify.sh SECRET PUBLIC_KEY ID TIMESTAMP SIGNATURES BODY_FILE [TOLERANCE]
set -euf

secret=$1 public_key=$2 id=$3 timestamp=$4 signatures=$5 body_file=$6 tolerance=${7:-300}

case $timestamp in '' | *[!0-9]*) exit 1 ;; esac
age=$(($(date +%s) - timestamp))
[ "${age#-}" -le "$tolerance" ] || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{ printf '%s.%s.' "$id" "$timestamp" && cat "$body_file"; } >"$work/signed"

verify_hmac() {
    key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
    [ "${#key}" -ge 48 ] || return 1
    expected=$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary "$work/signed" | openssl base64 -A)
    [ "$expected" = "$1" ]
}

verify_ed25519() {
    # The fixed head of an Ed25519 key in DER, then the 32 bytes of the key.
    printf '\060\052\060\005\006\003\053\145\160\003\041\000' >"$work/key"
    printf %s "${public_key#whpk_}" | openssl base64 -d -A >>"$work/key"
    printf %s "$1" | openssl base64 -d -A >"$work/signature"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/signed" \
        -sigfile "$work/signature" >"$work/answer" 2>&1
}

for signature in $signatures; do
    case $signature in
        v1,*) [ -n "$secret" ] && verify_hmac "${signature#v1,}" && exit 0 ;;
        v1a,*) [ -n "$public_key" ] && verify_ed25519 "${signature#v1a,}" && exit 0 ;;
    esac
done
exit 1
