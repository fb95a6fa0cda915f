//! The shell examples of `docs/receiving.md` that need no service do what the page says.

use std::path::Path;
use std::process::Command;

use art33::crypto::SigningKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};

use crate::quotes::block;
use crate::receivers::{has_openssl, is_skipped, run};

const PAGE: &str = "docs/receiving.md";
const CONTENT: &str = "c28ce237bd6ec6a5a3e2b0ab1ea4dbb73e7a10a3d5bd37a6bc04c1b3cf1d3b6e";

/// Whether the tools of the examples are there; says so if not.
fn can_run() -> bool {
    let has_jq = Command::new("jq").arg("--version").output().is_ok_and(|output| output.status.success());
    !is_skipped("the examples with jq and OpenSSL 3", has_jq && has_openssl())
}

/// What the shell prints for `script`, run within `place`.
fn shell(place: &Path, script: &str) -> String {
    let mut command = Command::new("sh");
    run(command.args(["-eu", "-c", script]).current_dir(place), "")
}

#[test]
fn an_own_key_signs_an_acknowledgement_that_an_independent_library_verifies() {
    if !can_run() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let given = format!("key=key_1 notice=ntc_1 content_sha256={CONTENT}");
    let (make, sign) = (block(PAGE, "own key: make"), block(PAGE, "own key: sign"));
    let script = format!("{make}\n{given}\n{sign}\nprintf '\\n%s %s' \"$public_key\" \"$jws\"");
    let printed = shell(place.path(), &script);
    let (public_key, jws) = printed.rsplit_once('\n').unwrap().1.split_once(' ').unwrap();

    let public_key = STANDARD.decode(public_key.strip_prefix("whpk_").unwrap()).unwrap();
    let (signed, signature) = jws.rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    VerifyingKey::try_from(public_key.as_slice()).unwrap().verify_strict(signed.as_bytes(), &signature).unwrap();

    let part = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    assert_eq!(part(header), json!({"alg": "EdDSA", "kid": "key_1"}));
    let payload = part(payload);
    assert_eq!((&payload["notice"], &payload["content_sha256"]), (&json!("ntc_1"), &json!(CONTENT)));
    assert!(payload["iat"].is_i64() && payload["by"]["name"].is_string() && payload["by"]["role"].is_string());
}

#[test]
fn a_receipt_is_verified_with_the_published_keys_and_a_forged_one_is_not() {
    if !can_run() {
        return;
    }
    let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    let receipt = |payload: Value| key.sign_jws("art33-receipt+jws", &payload);
    let genuine = receipt(json!({"level": "acknowledged", "content_sha256": CONTENT}));
    let (signed, signature) = genuine.rsplit_once('.').unwrap();
    let another = receipt(json!({"level": "delivered"}));
    let forged = format!("{}.{signature}", another.rsplit_once('.').unwrap().0);
    assert!(signed != forged);
    for (jws, is_good) in [(&genuine, true), (&forged, false)] {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("receipt.json"), json!({"jws": jws}).to_string()).unwrap();
        let keys = json!({"keys": [other.to_jwk(), key.to_jwk()]});
        std::fs::write(place.path().join("jwks.json"), keys.to_string()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-eu", "-c", &block(PAGE, "receipt: verify")]).current_dir(place.path());
        assert_eq!(command.output().unwrap().status.success(), is_good);
    }
}

#[test]
fn the_published_key_in_the_form_of_webhooks_is_the_one_in_use() {
    if !can_run() {
        return;
    }
    let (key, retired) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("jwks.json"), json!({"keys": [key.to_jwk(), retired.to_jwk()]}).to_string())
        .unwrap();
    let script = format!("{}\nprintf %s \"$public_key\"", block(PAGE, "key of the service"));
    assert_eq!(shell(place.path(), &script), key.webhook_public_key());
}
