// Judges messages with `verify.mjs` beside it and with the library alone, and signs messages. JSON in, JSON out.
// The clock stands at each message's `now`, so that what was published years ago can be judged too.

import { createPrivateKey, sign as signEd25519 } from "node:crypto";
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";
import { verifyV1, verifyV1a } from "./verify.mjs";

function judge({ now, headers, secret, public_key: publicKey, ...message }) {
  Date.now = () => now * 1000;
  const body = Buffer.from(message.body);
  return {
    v1: holds(() => verifyV1(secret, headers, body)),
    v1a: holds(() => verifyV1a(publicKey, headers, body)),
    library: holds(() => new Webhook(secret).verify(body, headers) !== undefined),
  };
}

/** Whatever is thrown at the receiver, the message is not taken. */
function holds(check) {
  try {
    return check();
  } catch {
    return false;
  }
}

function sign({ secret, seed, id, now, body }) {
  const shared = new Webhook(secret).sign(id, new Date(now * 1000), body);
  // The fixed head of an Ed25519 key in PKCS#8, then its 32 bytes.
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(seed, "base64")]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return `${shared} v1a,${signEd25519(null, Buffer.from(`${id}.${now}.${body}`), key).toString("base64")}`;
}

const asked = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify({ verdicts: asked.judge.map(judge), signed: asked.sign.map(sign) }));
