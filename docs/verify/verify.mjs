#!/usr/bin/env node
// Verifies one webhook. Usage: verify.mjs SECRET PUBLIC_KEY ID TIMESTAMP SIGNATURES BODY_FILE [TOLERANCE]

import { createHmac, createPublicKey, timingSafeEqual, verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";

/** True if one signature is valid and the message is not older or newer than `tolerance` seconds. */
function verify(secret, publicKey, id, timestamp, signatures, body, tolerance = 300) {
  if (!/^[0-9]+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > tolerance) return false;
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  return signatures.split(" ").some((signature) => {
    const [version, value = ""] = signature.split(",");
    if (version === "v1" && secret) return verifyHmac(secret, value, signed);
    if (version === "v1a" && publicKey) return verifyEd25519(publicKey, value, signed);
    return false;
  });
}

function verifyHmac(secret, value, signed) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(signed).digest();
  const given = Buffer.from(value, "base64");
  return key.length >= 24 && given.length === expected.length && timingSafeEqual(given, expected);
}

function verifyEd25519(publicKey, value, signed) {
  const x = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return verifySignature(null, signed, key, Buffer.from(value, "base64"));
}

const [secret, publicKey, id, timestamp, signatures, bodyFile, tolerance] = argv.slice(2);
const body = readFileSync(bodyFile);
exit(verify(secret, publicKey, id, timestamp, signatures, body, tolerance && Number(tolerance)) ? 0 : 1);
