#!/usr/bin/env python3
"""Verifies one webhook. Usage: verify.py SECRET PUBLIC_KEY ID TIMESTAMP SIGNATURES BODY_FILE [TOLERANCE]"""

import base64
import hashlib
import hmac
import sys
import time


def verify(secret, public_key, message_id, timestamp, signatures, body, tolerance=300):
    """True if one signature is valid and the message is not older or newer than `tolerance` seconds."""
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > tolerance:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    for signature in signatures.split(" "):
        version, _, value = signature.partition(",")
        if version == "v1" and secret and verify_hmac(secret, value, signed):
            return True
        if version == "v1a" and public_key and verify_ed25519(public_key, value, signed):
            return True
    return False


def verify_hmac(secret, value, signed):
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    return len(key) >= 24 and hmac.compare_digest(expected, value.encode())


def verify_ed25519(public_key, value, signed):
    # pip install cryptography
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_"), validate=True))
    try:
        key.verify(base64.b64decode(value, validate=True), signed)
        return True
    except (InvalidSignature, ValueError):
        return False


if __name__ == "__main__":
    secret, public_key, message_id, timestamp, signatures, body_file, *tolerance = sys.argv[1:]
    with open(body_file, "rb") as file:
        valid = verify(secret, public_key, message_id, timestamp, signatures, file.read(), *map(int, tolerance))
    sys.exit(0 if valid else 1)
