// Verifies webhooks of art33. Needs: npm install standardwebhooks
//
// Either check is enough; both refuse what was signed more than five minutes ago. `headers` has names in lower case, `body` is a Buffer
// as it came. Store the `webhook-id` of what you took: the same id again is a repetition, to be answered with 200 and dropped.

import { createPublicKey, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";

/** Whether the message is signed with the secret of the endpoint. */
export function verifyV1(secret, headers, body) {
  const webhook = new Webhook(secret);
  try {
    webhook.verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

/** Whether the message is signed with the key of the service, which the library does not check. */
export function verifyV1a(publicKey, headers, body) {
  const x = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!id || !timestamp || !(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) return false;
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  return signatures.split(" ").some((signature) => {
    const [version, value = ""] = signature.split(",");
    return version === "v1a" && verify(null, signed, key, Buffer.from(value, "base64"));
  });
}
