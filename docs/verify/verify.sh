#!/bin/sh
# Verifies one webhook with OpenSSL 3, for trying by hand. An empty SECRET or PUBLIC_KEY ('') leaves that check out.
# Usage: verify.sh SECRET PUBLIC_KEY ID TIMESTAMP SIGNATURES BODY_FILE [SECONDS], where SECONDS is how old it may be, 300 if left out.
set -euf

secret=$1 public_key=$2 id=$3 timestamp=$4 signatures=$5 body_file=$6 tolerance=${7:-300}

case $timestamp in '' | *[!0-9]*) exit 1 ;; esac
age=$(($(date +%s) - timestamp))
[ -n "$id" ] && [ "${age#-}" -le "$tolerance" ] || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{ printf '%s.%s.' "$id" "$timestamp" && cat "$body_file"; } >"$work/signed"
hmac() { openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -binary | openssl base64 -A; }

verify_v1() {
    key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
    [ "${#key}" -ge 48 ] || return 1
    # Compared under a key of the moment, so that the time it takes tells nothing about the signature.
    blind=$(openssl rand -hex 32)
    expected=$(hmac "$key" <"$work/signed" | hmac "$blind")
    [ "${#expected}" = 44 ] && [ -n "$1" ] && [ "$expected" = "$(printf %s "$1" | hmac "$blind")" ]
}

verify_v1a() {
    # The fixed head of an Ed25519 key in DER, then the 32 bytes of the key.
    printf '\060\052\060\005\006\003\053\145\160\003\041\000' >"$work/key"
    printf %s "${public_key#whpk_}" | openssl base64 -d -A >>"$work/key"
    printf %s "$1" | openssl base64 -d -A >"$work/signature"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/signed" \
        -sigfile "$work/signature" >"$work/answer" 2>&1
}

for signature in $signatures; do
    case $signature in
        v1,*) [ -n "$secret" ] && verify_v1 "${signature#v1,}" && exit 0 ;;
        v1a,*) [ -n "$public_key" ] && verify_v1a "${signature#v1a,}" && exit 0 ;;
    esac
done
exit 1
