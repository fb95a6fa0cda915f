//! The programs of `docs/verify` judge like the independent libraries, and like the table of messages says.

use art33::crypto::{SignedHeaders, WebhookSecret, is_genuine};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use serde_json::json;
use standardwebhooks::Webhook;

use crate::messages::{BODY, Case, EMPTY_SECRET, FIRST, ID, PUBLIC_KEY, SECOND, SECRET, SEED, V1A};
use crate::messages::{cases, good, published, signed, signing_key};
use crate::receivers::{Foreign, Verdict, has_openssl, is_skipped, rust, rust_v1a, shell};

/// Seconds since 1970 by the machine's clock, which the Rust library reads.
#[expect(clippy::disallowed_methods, reason = "the library has no other clock")]
fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn judged_by(foreign: Foreign) {
    let now = now();
    let cases = [cases(now), published()].concat();
    let Some((verdicts, _)) = foreign.ask(&cases, &[]) else { return };
    for (case, verdict) in cases.iter().zip(verdicts) {
        let (v1, v1a) = case.is_good;
        assert_eq!(verdict, Verdict { v1, v1a, library: v1 }, "{foreign:?}: {}", case.what);
    }
}

#[test]
fn the_python_program_judges_like_its_library() {
    judged_by(Foreign::Python);
}

#[test]
fn the_node_program_judges_like_its_library() {
    judged_by(Foreign::Node);
}

#[test]
fn the_rust_program_judges_like_its_library() {
    // A few messages stand at the very edge of what is too old: all are judged within one second, or once more.
    let (table, verdicts) = loop {
        let started = now();
        let table = cases(started);
        let verdicts: Vec<_> = table.iter().map(rust).collect();
        if now() == started {
            break (table, verdicts);
        }
    };
    for (case, verdict) in table.iter().zip(verdicts) {
        let (v1, v1a) = case.is_good;
        // This library alone takes an empty secret; the program does not.
        let library = v1 || case.what == EMPTY_SECRET;
        assert_eq!(verdict, Verdict { v1, v1a, library }, "{}", case.what);
    }
}

#[test]
fn the_shell_program_judges_like_the_libraries() {
    if is_skipped("the shell program with OpenSSL 3", has_openssl()) {
        return;
    }
    for case in [cases(now()), published()].concat() {
        assert_eq!(shell(&case), case.is_good, "{}", case.what);
    }
}

#[test]
fn the_published_vectors_hold_in_rust() {
    for vector in [FIRST, SECOND] {
        let library = Webhook::new(vector.secret).unwrap();
        assert_eq!(library.sign(vector.id, vector.signed_at, vector.body.as_bytes()).unwrap(), vector.v1);
    }
    assert_eq!(signing_key().webhook_public_key(), PUBLIC_KEY);
    for case in published() {
        assert_eq!(rust_v1a(&case), case.is_good.1, "{:?}", case.signatures);
    }
}

/// What the library of each language, and an Ed25519 of its own, sign.
fn signed_elsewhere(now: i64) -> Vec<(&'static str, String)> {
    let message = json!({"secret": SECRET, "seed": SEED, "id": ID, "now": now, "body": BODY});
    let by = |foreign: Foreign| Some(foreign.ask(&[], std::slice::from_ref(&message))?.1.remove(0));
    let key = ed25519_dalek::SigningKey::from_bytes(&STANDARD.decode(SEED).unwrap().try_into().unwrap());
    let public = STANDARD.encode(key.sign(format!("{ID}.{now}.{BODY}").as_bytes()).to_bytes());
    let shared = Webhook::new(SECRET).unwrap().sign(ID, now, BODY.as_bytes()).unwrap();
    let all = [
        ("Python", by(Foreign::Python)),
        ("Node", by(Foreign::Node)),
        ("Rust", Some(format!("{shared} v1a,{public}"))),
    ];
    all.into_iter().filter_map(|(who, signatures)| Some((who, signatures?))).collect()
}

#[test]
fn what_the_libraries_sign_every_program_and_this_service_take() {
    let now = now();
    let secret = WebhookSecret::parse(SECRET).unwrap();
    let sender = art33::crypto::SenderKey::parse(PUBLIC_KEY).unwrap();
    for (who, signatures) in signed_elsewhere(now) {
        assert_eq!(signatures, signed(&[SECRET], ID, now), "{who} signs otherwise");
        let timestamp = now.to_string();
        let headers = SignedHeaders { id: ID, timestamp: &timestamp, signature: &signatures };
        assert!(is_genuine(headers, BODY.as_bytes(), &secret, Some(&sender), now), "{who}");
        let case = Case { signatures: Some(signatures), ..good(now) };
        assert_eq!(rust(&case), Verdict { v1: true, v1a: true, library: true }, "{who}");
        assert!(!has_openssl() || shell(&case) == (true, true), "{who}");
        for foreign in [Foreign::Python, Foreign::Node] {
            let Some((verdicts, _)) = foreign.ask(std::slice::from_ref(&case), &[]) else { continue };
            assert_eq!(verdicts, [Verdict { v1: true, v1a: true, library: true }], "{foreign:?} on {who}");
        }
    }
}

#[test]
fn the_published_key_signs_the_published_signature() {
    let key = ed25519_dalek::SigningKey::from_bytes(&STANDARD.decode(SEED).unwrap().try_into().unwrap());
    let message = format!("{}.{}.{}", FIRST.id, FIRST.signed_at, FIRST.body);
    assert_eq!(format!("v1a,{}", STANDARD.encode(key.sign(message.as_bytes()).to_bytes())), V1A);
}
