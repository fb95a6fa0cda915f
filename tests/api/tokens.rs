//! Bad tokens at the door: each is 401, and `WWW-Authenticate` says why (RFC 6750).
//! The faults themselves are tested without HTTP in `tests/identity`.

use art33::crypto::hmac_sha256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::app::TestApp;

const ORGANISATION: &str = "org_01m809ffhneymvgnhytpke0jv4";

/// Header and payload of a good token, to be spoilt.
fn parts(app: &TestApp) -> (Value, Value) {
    let now = app.now().unix_timestamp();
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": app.issuer().key.key_id()});
    let payload = json!({
        "iss": "art33", "aud": "art33", "sub": "tester", "org": ORGANISATION, "scope": "notices:read",
        "nbf": now, "iat": now, "exp": now + 600,
    });
    (header, payload)
}

fn input(header: &Value, payload: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload.to_string()))
}

fn signed(app: &TestApp, header: &Value, payload: &Value) -> String {
    let input = input(header, payload);
    let signature = URL_SAFE_NO_PAD.encode(app.issuer().key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

async fn refused(app: &TestApp, token: &str, reason: &str) {
    let answer = app.with_token(token).get("/v1/notices").await.expect(401);
    let expected = format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
    assert_eq!(answer.header("www-authenticate"), expected);
    assert_eq!((answer.problem(), &answer.json["detail"]), ("unauthorised", &json!(format!("{reason}."))));
}

/// One member of the header or the payload changed, or taken away by null; signed again.
async fn refused_with(app: &TestApp, part: &str, member: &str, value: Value, reason: &str) {
    let (mut header, mut payload) = parts(app);
    let members = if part == "header" { &mut header } else { &mut payload };
    members[member] = value;
    members.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    refused(app, &signed(app, &header, &payload), reason).await;
}

both! {
    async fn a_good_token_is_accepted(app: TestApp) {
        let (header, payload) = parts(&app);
        app.with_token(&signed(&app, &header, &payload)).get("/v1/notices").await.expect(200);
    }

    async fn no_token(app: TestApp) {
        assert_eq!(app.anonymous().get("/v1/notices").await.expect(401).header("www-authenticate"), "Bearer");
        for value in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer "] {
            let request = app.anonymous().request("GET", "/v1/notices").header("authorization", value);
            assert_eq!(request.send().await.expect(401).header("www-authenticate"), "Bearer");
        }
    }

    async fn algorithm_none(app: TestApp) {
        let (_, payload) = parts(&app);
        let token = input(&json!({"alg": "none", "typ": "JWT"}), &payload) + ".";
        refused(&app, &token, "the algorithm is not the one expected of this issuer").await;
    }

    async fn hmac_with_the_public_key(app: TestApp) {
        let (header, payload) = parts(&app);
        let input = input(&json!({"alg": "HS256", "typ": "JWT", "kid": header["kid"]}), &payload);
        let forged = hmac_sha256(&app.issuer().key.public_key(), input.as_bytes());
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(forged));
        refused(&app, &token, "the algorithm is not the one expected of this issuer").await;
    }

    async fn wrong_audience(app: TestApp) {
        refused_with(&app, "payload", "aud", json!("other"), "the token is for another audience").await;
    }

    async fn wrong_issuer(app: TestApp) {
        refused_with(&app, "payload", "iss", json!("https://evil.example"), "the issuer is not trusted").await;
    }

    async fn missing_expiry(app: TestApp) {
        refused_with(&app, "payload", "exp", Value::Null, "the token lacks the member `exp`").await;
    }

    async fn far_future_expiry(app: TestApp) {
        let expiry = app.now().unix_timestamp() + 367 * 86_400;
        refused_with(&app, "payload", "exp", json!(expiry), "the token lives longer than is allowed").await;
    }

    async fn passed_expiry(app: TestApp) {
        let (header, payload) = parts(&app);
        let client = app.with_token(&signed(&app, &header, &payload));
        client.get("/v1/notices").await.expect(200);
        app.advance(time::Duration::minutes(11));
        refused(&app, &signed(&app, &header, &payload), "the token has expired").await;
    }

    async fn future_not_before(app: TestApp) {
        let later = app.now().unix_timestamp() + 300;
        refused_with(&app, "payload", "nbf", json!(later), "the token is not valid yet").await;
    }

    async fn unknown_key_id(app: TestApp) {
        refused_with(&app, "header", "kid", json!("other"), "the signing key is not known").await;
    }

    async fn unknown_critical_extension(app: TestApp) {
        let reason = "the token demands an extension that is not supported";
        refused_with(&app, "header", "crit", json!(["b64"]), reason).await;
    }

    async fn oversized_token(app: TestApp) {
        refused_with(&app, "payload", "padding", json!("x".repeat(8 * 1024)), "the token is too long").await;
    }

    async fn wrong_signature(app: TestApp) {
        let (header, payload) = parts(&app);
        let other = signed(&app, &header, &json!({"iss": "art33"}));
        let token = format!("{}.{}", input(&header, &payload), other.rsplit_once('.').unwrap().1);
        refused(&app, &token, "the signature is not valid").await;
    }

    async fn text_that_is_no_token(app: TestApp) {
        refused(&app, "token", "the token is malformed").await;
    }

    async fn an_organisation_that_is_none(app: TestApp) {
        refused_with(&app, "payload", "org", json!("somebody"), "the token names no organisation").await;
    }
}

both! {
    async fn tokens_of_the_built_in_issuer_when_it_is_switched_off(
        app: TestApp, settings = [("ART33_BUILTIN_ISSUER", "false")]
    ) {
        let (header, payload) = parts(&app);
        refused(&app, &signed(&app, &header, &payload), "the issuer is not trusted").await;
    }
}
