//! Messages as receivers may get them, signed by this service or by somebody else, and what a receiver must think of each.

use art33::crypto::{SigningKey, webhook_signatures};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The published vectors of Standard Webhooks: two for `v1`, one for `v1a` over the first message.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const PUBLIC_KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
pub(crate) const SEED: &str = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=";
pub(crate) const FIRST: Vector = Vector {
    secret: SECRET,
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    signed_at: 1_614_265_330,
    body: r#"{"test": 2432232314}"#,
    v1: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
pub(crate) const SECOND: Vector = Vector {
    secret: OTHER_SECRET,
    id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
    signed_at: 1_649_367_553,
    body: r#"{"email":"test@example.com","username":"test_user"}"#,
    v1: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
};
pub(crate) const V1A: &str =
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// The message that the cases below are about; it holds letters of more than one byte.
pub(crate) const ID: &str = "evt_01m809fwm9ek997jq80dmyshv2";
pub(crate) const BODY: &str =
    r#"{"type":"notice.initial","data":{"processor":{"name":"Müller & Söhne – Prüfstelle"}}}"#;

/// What the published library signs with an empty secret: who takes it can be told anything by anybody.
pub(crate) const EMPTY_SECRET: &str = "an empty secret, and signed with it";

/// A published message with its signature.
pub(crate) struct Vector {
    pub(crate) secret: &'static str,
    pub(crate) id: &'static str,
    pub(crate) signed_at: i64,
    pub(crate) body: &'static str,
    pub(crate) v1: &'static str,
}

/// One message as it arrives, and the right answers.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// The receiver's clock, in seconds since 1970.
    pub(crate) now: i64,
    pub(crate) secret: &'static str,
    pub(crate) public_key: String,
    pub(crate) id: Option<String>,
    pub(crate) timestamp: Option<String>,
    pub(crate) signatures: Option<String>,
    pub(crate) body: &'static str,
    /// Whether the secret proves it, and whether the public key does.
    pub(crate) is_good: (bool, bool),
}

impl Case {
    /// The headers that are there.
    pub(crate) fn headers(&self) -> Vec<(&'static str, &str)> {
        let named = [("webhook-id", &self.id), ("webhook-timestamp", &self.timestamp)];
        let all = named.into_iter().chain([("webhook-signature", &self.signatures)]);
        all.filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// The case as the judges of other languages read it.
    pub(crate) fn to_json(&self) -> Value {
        let headers: serde_json::Map<_, _> =
            self.headers().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({"now": self.now, "secret": self.secret, "public_key": self.public_key, "headers": headers, "body": self.body})
    }
}

/// The key of the service, from the published vector.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_seed(STANDARD.decode(SEED).unwrap().try_into().unwrap())
}

/// What this service signs with all of `secrets`, as `id`, at `timestamp`.
pub(crate) fn signed(secrets: &[&str], id: &str, timestamp: i64) -> String {
    let decoded = |secret: &&str| STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let secrets: Vec<_> = secrets.iter().map(decoded).collect();
    let secrets: Vec<_> = secrets.iter().map(Vec::as_slice).collect();
    webhook_signatures(&secrets, &[&signing_key()], id, timestamp, BODY.as_bytes())
}

/// A good message of this service.
pub(crate) fn good(now: i64) -> Case {
    Case {
        what: "a good message",
        now,
        secret: SECRET,
        public_key: signing_key().webhook_public_key(),
        id: Some(ID.to_owned()),
        timestamp: Some(now.to_string()),
        signatures: Some(signed(&[SECRET], ID, now)),
        body: BODY,
        is_good: (true, true),
    }
}

/// The published vectors, at the time that they were signed.
pub(crate) fn published() -> Vec<Case> {
    let case = |vector: &Vector, signatures: String, is_good| Case {
        what: "a published vector",
        secret: vector.secret,
        id: Some(vector.id.to_owned()),
        timestamp: Some(vector.signed_at.to_string()),
        signatures: Some(signatures),
        body: vector.body,
        is_good,
        ..good(vector.signed_at)
    };
    vec![
        case(&FIRST, FIRST.v1.to_owned(), (true, false)),
        case(&SECOND, SECOND.v1.to_owned(), (true, false)),
        case(&FIRST, V1A.to_owned(), (false, true)),
        case(&FIRST, format!("{} {V1A}", FIRST.v1), (true, true)),
    ]
}

/// Everything that a receiver may meet at `now`.
pub(crate) fn cases(now: i64) -> Vec<Case> {
    [of_time(now), of_headers(now), of_signatures(now), of_keys(now)].concat()
}

fn of_time(now: i64) -> Vec<Case> {
    let signed_at = |what, at: i64, is_good| Case {
        what,
        timestamp: Some(at.to_string()),
        signatures: Some(signed(&[SECRET], ID, at)),
        is_good,
        ..good(now)
    };
    let moved =
        Case { what: "another time", timestamp: Some((now + 1).to_string()), is_good: (false, false), ..good(now) };
    let in_words = Case { what: "a time in words", timestamp: Some("soon".to_owned()), ..moved.clone() };
    vec![
        good(now),
        signed_at("300 seconds old", now - 300, (true, true)),
        signed_at("300 seconds ahead", now + 300, (true, true)),
        signed_at("301 seconds old", now - 301, (false, false)),
        signed_at("301 seconds ahead", now + 301, (false, false)),
        moved,
        in_words,
    ]
}

fn of_headers(now: i64) -> Vec<Case> {
    let bad = Case { is_good: (false, false), ..good(now) };
    let nameless = Some(signed(&[SECRET], "", now));
    vec![
        Case { what: "without webhook-id", id: None, signatures: nameless, ..bad.clone() },
        Case { what: "without webhook-timestamp", timestamp: None, ..bad.clone() },
        Case { what: "without webhook-signature", signatures: None, ..bad.clone() },
        Case { what: "with an empty webhook-signature", signatures: Some(String::new()), ..bad.clone() },
        Case { what: "another id", id: Some("evt_01m809fwm9ek997jq80dmyshv3".to_owned()), ..bad.clone() },
        Case { what: "another body", body: r#"{"type":"notice.initial","data":{}}"#, ..bad },
    ]
}

fn of_signatures(now: i64) -> Vec<Case> {
    let header = signed(&[SECRET], ID, now);
    let (v1, v1a) = header.split_once(' ').unwrap();
    let wrong = signed(&[OTHER_SECRET], "evt_other", now);
    let (wrong_v1, wrong_v1a) = wrong.split_once(' ').unwrap();
    let swapped = format!("{} {}", v1.replace("v1,", "v1a,"), v1a.replace("v1a,", "v1,"));
    let unknown = format!("{} {}", v1.replace("v1,", "v2,"), v1a.replace("v1a,", "v2a,"));
    let case =
        |what, signatures: &str, is_good| Case { what, signatures: Some(signatures.to_owned()), is_good, ..good(now) };
    vec![
        case("the secret's signature alone", v1, (true, false)),
        case("the key's signature alone", v1a, (false, true)),
        case("several signatures, the last ones good", &format!("{wrong_v1} {wrong_v1a} {v1a} {v1}"), (true, true)),
        case("several signatures, none good", &format!("{wrong_v1} {wrong_v1a} {wrong_v1}"), (false, false)),
        case("signatures of another message", &wrong, (false, false)),
        case("versions without a signature", "v1, v1a,", (false, false)),
        case("only v1,", "v1,", (false, false)),
        case("only v1", "v1", (false, false)),
        case("a truncated v1", &v1[..v1.len() / 2], (false, false)),
        case("a truncated v1a", &v1a[..v1a.len() / 2], (false, false)),
        case("a v1 that lacks its last byte", &v1[..v1.len() - 4], (false, false)),
        case("unknown versions", &unknown, (false, false)),
        case("versions swapped", &swapped, (false, false)),
        case("no version", v1.trim_start_matches("v1,"), (false, false)),
    ]
}

fn of_keys(now: i64) -> Vec<Case> {
    let while_changed = Some(signed(&[OTHER_SECRET, SECRET], ID, now));
    let other_key = SigningKey::from_seed([7; 32]).webhook_public_key();
    let empty = Case { secret: "whsec_", is_good: (false, true), ..good(now) };
    vec![
        Case { what: "two secrets, ours the older", signatures: while_changed.clone(), ..good(now) },
        Case { what: "two secrets, ours the newer", signatures: while_changed, secret: OTHER_SECRET, ..good(now) },
        Case { what: "another secret", secret: OTHER_SECRET, is_good: (false, true), ..good(now) },
        Case { what: "another key", public_key: other_key, is_good: (true, false), ..good(now) },
        Case { what: "an empty secret", ..empty.clone() },
        Case { what: EMPTY_SECRET, signatures: Some(signed(&["whsec_"], ID, now)), ..empty },
    ]
}
