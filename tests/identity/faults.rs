//! One test per fault of a token.

use art33::crypto::{SigningKey, hmac_sha256};
use art33::identity::{Algorithm, Claims, KeySource, TokenError};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::Duration;

use crate::support::*;

async fn with_payload(payload: &Value) -> Result<Claims, TokenError> {
    let key = key(1);
    verify(&key, &token(&key, &header(&key), payload)).await
}

async fn with_header(change: impl Fn(&SigningKey) -> Value) -> Result<Claims, TokenError> {
    let key = key(1);
    verify(&key, &token(&key, &change(&key), &payload())).await
}

#[tokio::test]
async fn a_good_token_says_who_is_calling() {
    let claims = with_payload(&payload()).await.unwrap();
    assert_eq!(
        claims,
        Claims {
            subject: "user-1".to_owned(),
            organisation: "org_1".to_owned(),
            scopes: vec!["incidents:read".to_owned(), "notices:ack".to_owned()],
            name: Some("Breach desk".to_owned()),
            issuer: ISSUER.to_owned(),
            token_id: Some("t-1".to_owned()),
        }
    );
}

#[tokio::test]
async fn algorithm_none() {
    let key = key(1);
    let header = json!({"alg": "none", "kid": key.key_id()});
    assert_eq!(verify(&key, &token(&key, &header, &payload())).await, Err(TokenError::WrongAlgorithm));
    let unsigned = format!("{}.", signed_input(&header.to_string(), &payload().to_string()));
    assert_eq!(verify(&key, &unsigned).await, Err(TokenError::WrongAlgorithm));
}

#[tokio::test]
async fn hmac_with_the_public_key_as_secret() {
    let key = key(1);
    let der =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &key.public_key()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
    let verifier = verifier_for(Algorithm::EdDSA, KeySource::Pem(pem.clone()));
    let good = token(&key, &header(&key), &payload());
    assert!(verifier.verify(&good, NOW).await.is_ok(), "the key itself is accepted");
    for alg in ["HS256", "EdDSA"] {
        for secret in [pem.as_bytes(), &key.public_key()[..]] {
            let signed = signed_input(&with(header(&key), "alg", json!(alg)).to_string(), &payload().to_string());
            let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(secret, signed.as_bytes())));
            let expected = if alg == "HS256" { TokenError::WrongAlgorithm } else { TokenError::WrongSignature };
            assert_eq!(verifier.verify(&forged, NOW).await, Err(expected));
        }
    }
}

#[tokio::test]
async fn another_algorithm_than_configured() {
    for alg in ["ES256", "RS256", "Ed25519", "eddsa", ""] {
        let refused = with_header(|key| with(header(key), "alg", json!(alg))).await;
        assert_eq!(refused, Err(TokenError::WrongAlgorithm), "{alg}");
    }
}

#[tokio::test]
async fn wrong_audience() {
    for aud in [json!("other"), json!(["other", "another"]), json!([]), json!(""), Value::Null] {
        let refused = with_payload(&with(payload(), "aud", aud.clone())).await;
        assert_eq!(refused, Err(TokenError::WrongAudience), "{aud}");
    }
    assert!(with_payload(&with(payload(), "aud", json!(["other", AUDIENCE]))).await.is_ok());
}

#[tokio::test]
async fn wrong_issuer() {
    for iss in [json!("https://evil.example"), json!(format!("{ISSUER}/")), json!(""), Value::Null] {
        let refused = with_payload(&with(payload(), "iss", iss.clone())).await;
        assert_eq!(refused, Err(TokenError::UnknownIssuer), "{iss}");
    }
}

#[tokio::test]
async fn missing_expiry() {
    assert_eq!(with_payload(&with(payload(), "exp", Value::Null)).await, Err(TokenError::Missing("exp")));
}

#[tokio::test]
async fn far_future_expiry() {
    for exp in [json!(seconds(25 * 3600)), json!(u64::MAX), json!(1e18), json!(253_402_300_800_i64)] {
        let refused = with_payload(&with(payload(), "exp", exp.clone())).await;
        assert_eq!(refused, Err(TokenError::TooLongLived), "{exp}");
    }
    assert!(with_payload(&with(payload(), "exp", json!(seconds(24 * 3600)))).await.is_ok());
}

#[tokio::test]
async fn passed_expiry() {
    for exp in [json!(seconds(0)), json!(seconds(-1)), json!(0), json!(-1)] {
        assert_eq!(with_payload(&with(payload(), "exp", exp.clone())).await, Err(TokenError::Expired), "{exp}");
    }
}

#[tokio::test]
async fn expiry_that_is_no_number() {
    let key = key(1);
    for exp in ["\"3000000000\"", "1e309", "true", "NaN"] {
        let text = payload().to_string().replace(&format!("\"exp\":{}", seconds(3600)), &format!("\"exp\":{exp}"));
        assert!(text.contains(exp));
        let refused = verify(&key, &token_of_texts(&key, &header(&key).to_string(), &text)).await;
        assert_eq!(refused, Err(TokenError::Malformed), "{exp}");
    }
}

#[tokio::test]
async fn expiry_of_a_token_that_was_good_before() {
    let key = key(1);
    let verifier = verifier_for(Algorithm::EdDSA, KeySource::Builtin(key.to_jwk()));
    let token = token(&key, &header(&key), &payload());
    assert!(verifier.verify(&token, NOW).await.is_ok());
    assert!(verifier.verify(&token, NOW + Duration::seconds(3599)).await.is_ok());
    assert_eq!(verifier.verify(&token, NOW + Duration::seconds(3600)).await, Err(TokenError::Expired));
    assert_eq!(verifier.verify(&token, NOW - Duration::DAY).await, Err(TokenError::TooLongLived));
}

#[tokio::test]
async fn future_not_before() {
    assert_eq!(with_payload(&with(payload(), "nbf", json!(seconds(31)))).await, Err(TokenError::NotYetValid));
    assert!(with_payload(&with(payload(), "nbf", json!(seconds(30)))).await.is_ok());
}

#[tokio::test]
async fn future_issue_time() {
    assert_eq!(with_payload(&with(payload(), "iat", json!(seconds(31)))).await, Err(TokenError::NotYetValid));
}

#[tokio::test]
async fn unknown_key_id() {
    for kid in [json!("other"), json!(""), Value::Null] {
        let refused = with_header(|key| with(header(key), "kid", kid.clone())).await;
        assert_eq!(refused, Err(TokenError::UnknownKey), "{kid}");
    }
}

#[tokio::test]
async fn unknown_critical_extension() {
    for crit in ["[\"b64\"]", "[]", "null", "\"exp\""] {
        let key = key(1);
        let header = header(&key).to_string().replacen('{', &format!("{{\"crit\":{crit},"), 1);
        let refused = verify(&key, &token_of_texts(&key, &header, &payload().to_string())).await;
        assert_eq!(refused, Err(TokenError::UnknownCritical), "{crit}");
    }
}

#[tokio::test]
async fn oversized_token() {
    let refused = with_payload(&with(payload(), "padding", json!("x".repeat(8 * 1024)))).await;
    assert_eq!(refused, Err(TokenError::TooLong));
}

#[tokio::test]
async fn wrong_signature() {
    let (trusted, other) = (key(1), key(2));
    let forged = token(&other, &header(&trusted), &payload());
    assert_eq!(verify(&trusted, &forged).await, Err(TokenError::WrongSignature));
    let good = token(&trusted, &header(&trusted), &payload());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for bad in [String::new(), signature[..20].to_owned(), format!("{signature}AA"), "***".to_owned()] {
        assert_eq!(verify(&trusted, &format!("{signed}.{bad}")).await, Err(TokenError::WrongSignature), "{bad}");
    }
}

#[tokio::test]
async fn changed_payload() {
    let key = key(1);
    let good = token(&key, &header(&key), &payload());
    let signature = good.rsplit_once('.').unwrap().1;
    let changed = with(payload(), "org", json!("org_2")).to_string();
    let forged = format!("{}.{signature}", signed_input(&header(&key).to_string(), &changed));
    assert_eq!(verify(&key, &forged).await, Err(TokenError::WrongSignature));
}

#[tokio::test]
async fn missing_subject_organisation_or_scope() {
    for member in ["sub", "org", "scope"] {
        for value in [Value::Null, json!(""), json!("  ")] {
            let refused = with_payload(&with(payload(), member, value)).await;
            assert_eq!(refused, Err(TokenError::Missing(member)));
        }
        assert_eq!(with_payload(&with(payload(), member, json!(7))).await, Err(TokenError::Malformed));
    }
    assert_eq!(with_payload(&with(payload(), "sub", json!("x".repeat(256)))).await, Err(TokenError::Malformed));
}

#[tokio::test]
async fn member_named_twice() {
    let key = key(1);
    let twice = payload().to_string().replacen('{', "{\"org\":\"org_2\",", 1);
    let refused = verify(&key, &token_of_texts(&key, &header(&key).to_string(), &twice)).await;
    assert_eq!(refused, Err(TokenError::Malformed));
    let twice = header(&key).to_string().replacen('{', "{\"alg\":\"none\",", 1);
    let refused = verify(&key, &token_of_texts(&key, &twice, &payload().to_string())).await;
    assert_eq!(refused, Err(TokenError::Malformed));
}

#[tokio::test]
async fn another_kind_of_signed_statement() {
    for typ in ["art33-receipt+jws", "id+jwt", ""] {
        let refused = with_header(|key| with(header(key), "typ", json!(typ))).await;
        assert_eq!(refused, Err(TokenError::WrongType), "{typ}");
    }
    for typ in [json!("at+jwt"), json!("application/AT+JWT"), Value::Null] {
        assert!(with_header(|key| with(header(key), "typ", typ.clone())).await.is_ok(), "{typ}");
    }
}

#[tokio::test]
async fn text_that_is_no_token() {
    let key = key(1);
    let good = token(&key, &header(&key), &payload());
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "token",
        "é.é.é",
        &good.replace('.', ""),
        &format!("{good}."),
        &format!("x{good}"),
    ] {
        assert_eq!(verify(&key, text).await, Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn every_refusal_may_stand_in_a_header() {
    for refusal in [TokenError::Malformed, TokenError::Missing("sub"), TokenError::KeysUnavailable, TokenError::Expired]
    {
        let text = refusal.to_string();
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'), "{text}");
    }
}
