"""Judges messages with `docs/verify/verify.py` and with the library alone, and signs messages. JSON in, JSON out.

The clock stands at each message's `now`, so that what was published years ago can be judged too. Usage: judge.py PATH_OF_VERIFY_PY
"""

import base64
import datetime
import importlib.util
import json
import sys
import time

import standardwebhooks.webhooks as library
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def main():
    spec = importlib.util.spec_from_file_location("verify", sys.argv[1])
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    asked = json.load(sys.stdin)
    verdicts = [judge(program, message) for message in asked["judge"]]
    json.dump({"verdicts": verdicts, "signed": [sign(message) for message in asked["sign"]]}, sys.stdout)


def judge(program, message):
    stop_the_clock(message["now"])
    headers, body = message["headers"], message["body"].encode()
    return {
        "v1": holds(lambda: program.verify_v1(message["secret"], headers, body)),
        "v1a": holds(lambda: program.verify_v1a(message["public_key"], headers, body)),
        "library": holds(lambda: library.Webhook(message["secret"]).verify(body, headers) is not None),
    }


def stop_the_clock(now):
    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(now, tz)

    library.datetime = Stopped
    time.time = lambda: now


def holds(check):
    try:
        return check()
    except Exception:  # Whatever is thrown at the receiver, the message is not taken.
        return False


def sign(message):
    moment = datetime.datetime.fromtimestamp(message["now"], datetime.timezone.utc)
    shared = library.Webhook(message["secret"]).sign(message["id"], moment, message["body"])
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(message["seed"]))
    signed = f"{message['id']}.{message['now']}.{message['body']}".encode()
    return f"{shared} v1a,{base64.b64encode(key.sign(signed)).decode()}"


main()
