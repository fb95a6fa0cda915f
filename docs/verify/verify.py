"""Verifies webhooks of art33. Needs: pip install standardwebhooks cryptography

Either check is enough; both refuse what was signed more than five minutes ago. `headers` is a dict with names in lower case, `body` the
bytes as they came. Store the `webhook-id` of what you took: the same id again is a repetition, to be answered with 200 and dropped.
"""

import base64
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verify_v1(secret, headers, body):
    """Whether the message is signed with the secret of the endpoint."""
    webhook = Webhook(secret)
    try:
        webhook.verify(body, headers)
        return True
    except (WebhookVerificationError, ValueError):
        return False


def verify_v1a(public_key, headers, body):
    """Whether the message is signed with the key of the service, which the library does not check."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdecimal() or abs(time.time() - float(timestamp)) > 300:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    return any(fits(key, signature, signed) for signature in headers.get("webhook-signature", "").split(" "))


def fits(key, signature, signed):
    version, _, value = signature.partition(",")
    try:
        key.verify(base64.b64decode(value, validate=True), signed)
        return version == "v1a"
    except (InvalidSignature, ValueError):
        return False
