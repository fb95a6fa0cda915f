//! Acknowledgements that controllers sign with their own keys: believed for the signature alone, kept, and refused without a hint.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use time::Duration;

use crate::acknowledgement::{acknowledge, verified};
use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::world::{CONTROLLER, PROCESSOR, World, merge, text};

/// A controller's own key; made and used by an independent library.
pub(crate) struct Desk {
    key: SigningKey,
    pub(crate) id: String,
}

impl Desk {
    /// Registers a key that grows from `seed`.
    pub(crate) async fn register(client: &Client, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let created = client.post("/v1/keys", &request(&key)).await.expect(201);
        Self { id: created.id(), key }
    }

    /// A compact JWS over `payload` with these header members.
    pub(crate) fn signed(&self, header: &Value, payload: &Value) -> String {
        let signed = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).to_bytes());
        format!("{signed}.{signature}")
    }

    /// The acknowledgement of the newest notice to a controller, with `more` in its payload.
    async fn acknowledgement(&self, app: &TestApp, world: &World, index: usize, more: &Value) -> String {
        self.signed(&json!({"alg": "EdDSA", "kid": self.id}), &payload(app, world, index, more).await)
    }
}

fn request(key: &SigningKey) -> Value {
    let public_key = format!("whpk_{}", STANDARD.encode(key.verifying_key().to_bytes()));
    json!({"name": "Privacy desk", "public_key": public_key})
}

async fn payload(app: &TestApp, world: &World, index: usize, more: &Value) -> Value {
    let notice = world.notice(index).await;
    let mut payload = json!({
        "notice": notice["id"], "content_sha256": notice["content_sha256"],
        "by": {"name": "Erika Beispiel", "role": "data protection officer"}, "iat": app.now().unix_timestamp(),
    });
    merge(&mut payload, more);
    payload
}

async fn send(app: &TestApp, jws: &str) -> Answer {
    app.anonymous().post("/acknowledgements", &json!({"jws": jws})).await
}

/// The refusal that does not say why.
async fn refused(app: &TestApp, jws: &str, why: &str) -> Value {
    let answer = send(app, jws).await;
    assert_eq!((answer.status, answer.problem()), (401, "not-genuine"), "{why}: {answer}");
    let mut body = answer.json;
    body["instance"] = Value::Null;
    body
}

/// A request of each kind that is taken, for the table of the contract.
pub(crate) async fn valid_request(operation: &str, app: &TestApp, world: &World) -> Answer {
    let own = world.controller_client(0);
    match operation {
        "createReceiverKey" => own.post("/v1/keys", &request(&SigningKey::from_bytes(&[21; 32]))).await,
        "retireReceiverKey" => {
            let desk = Desk::register(&own, 22).await;
            own.request("POST", &format!("/v1/keys/{}/retirement", desk.id)).send().await
        }
        "receiveAcknowledgement" => {
            let desk = Desk::register(&own, 23).await;
            world.file().await;
            send(app, &desk.acknowledgement(app, world, 0, &json!({})).await).await
        }
        _ => {
            let by = json!({"name": "Privacy desk", "role": "data protection officer"});
            let path = format!("/v1/notices/{}/dispute", text(&world.notice(0).await["id"]));
            own.post(&path, &json!({"reason": "other", "by": by})).await
        }
    }
}

/// One controller that was told and has a key.
async fn told(app: &TestApp) -> (World, Desk) {
    let world = app.world(2).await;
    let desk = Desk::register(&world.controller_client(0), 7).await;
    world.file().await;
    app.step_workers().await;
    app.advance(Duration::minutes(10));
    (world, desk)
}

both! {
    async fn a_signature_is_enough_and_is_kept(app: TestApp) {
        let (world, desk) = told(&app).await;
        let jws = desk.acknowledgement(&app, &world, 0, &json!({})).await;
        let receipt = send(&app, &jws).await.expect(200).json;
        assert_eq!((&receipt["level"], &receipt["means"]), (&json!("acknowledged"), &json!("signature")));
        assert_eq!((&receipt["evidence"], &receipt["by"]["name"]), (&json!(jws), &json!("Erika Beispiel")));
        assert_eq!(receipt["evidence_sha256"], art33::crypto::sha256_hex(jws.as_bytes()));
        let (_, payload) = verified(&app, &receipt["jws"]).await;
        assert_eq!(payload["evidence_sha256"], receipt["evidence_sha256"], "we sign what they signed");

        app.advance(Duration::days(1));
        assert_eq!(send(&app, &jws).await.expect(200).json, receipt, "the same again");
        let notice = world.notice(0).await;
        assert_eq!(acknowledge(&world, 0, &notice["content_sha256"]).await.expect(200).json, receipt);
        assert_eq!(world.notice(0).await["state"], "acknowledged");
        let path = format!("/v1/notices/{}", text(&notice["id"]));
        for client in [world.processor(), world.controller_client(0)] {
            let receipts = client.get(&path).await.expect(200).json["receipts"].clone();
            assert!(receipts.as_array().unwrap().contains(&receipt), "both have the proof");
        }
        let stream = format!("/v1/audit?stream={}", text(&notice["id"]));
        let entries = world.processor().get(&stream).await.expect(200).json["items"].clone();
        let entry = entries.as_array().unwrap().iter().find(|one| one["kind"] == "notice.acknowledged").unwrap().clone();
        assert_eq!((&entry["subject"], &entry["organisation"]), (&json!(desk.id), &json!(world.controllers[0].id)));
        assert_eq!(entry["facts"]["evidence_sha256"], receipt["evidence_sha256"]);
    }

    async fn whatever_is_wrong_is_refused_alike(app: TestApp) {
        let (world, desk) = told(&app).await;
        let other = Desk::register(&world.controller_client(1), 8).await;
        let unregistered = Desk { key: SigningKey::from_bytes(&[9; 32]), id: desk.id.clone() };
        let of = |more: Value| { let (desk, app, world) = (&desk, &app, &world); async move { desk.acknowledgement(app, world, 0, &more).await } };
        let good = of(json!({})).await;
        let payload = payload(&app, &world, 0, &json!({})).await;
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (head, _) = signed.split_once('.').unwrap();
        let now = app.now().unix_timestamp();
        let moved = |index: usize| desk.signed(&json!({"alg": "EdDSA", "kid": (&[&other.id, "rky_01m809zzzzzzzzzzzzzzzzzzzz", "1"])[index]}), &payload);
        let cases = [
            ("another key of nobody", unregistered.acknowledgement(&app, &world, 0, &json!({})).await),
            ("a key of another controller", other.acknowledgement(&app, &world, 0, &json!({})).await),
            ("the name of another's key", moved(0)),
            ("an unknown key", moved(1)),
            ("no name of a key", moved(2)),
            ("no key", desk.signed(&json!({"alg": "EdDSA"}), &payload)),
            ("no algorithm", desk.signed(&json!({"alg": "none", "kid": desk.id}), &payload)),
            ("another algorithm", desk.signed(&json!({"alg": "HS256", "kid": desk.id}), &payload)),
            ("a critical extension", desk.signed(&json!({"alg": "EdDSA", "kid": desk.id, "crit": ["b64"]}), &payload)),
            ("no signature", format!("{signed}.")),
            ("a payload that was changed", format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode("{}"))),
            ("no JWS", "a.b".to_owned()),
            ("a notice that there is not", of(json!({"notice": "ntc_01m809zzzzzzzzzzzzzzzzzzzz"})).await),
            ("a notice to another", of(json!({"notice": world.notice(1).await["id"]})).await),
            ("a time ahead", of(json!({"iat": now + 301})).await),
            ("a time before the notice", of(json!({"iat": now - 601})).await),
        ];
        let mut answers = Vec::new();
        for (why, jws) in &cases {
            answers.push(refused(&app, jws, why).await);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(world.notice(0).await["state"], "delivered");
        send(&app, &of(json!({"iat": now + 299})).await).await.expect(200);
    }

    async fn the_right_key_hears_what_is_wrong(app: TestApp) {
        let (world, desk) = told(&app).await;
        let other = desk.acknowledgement(&app, &world, 0, &json!({"content_sha256": "0".repeat(64)})).await;
        assert_eq!(send(&app, &other).await.expect(409).problem(), "content-mismatch");
        let faulty = desk.acknowledgement(&app, &world, 0, &json!({"by": null, "iat": "now", "more": 1})).await;
        assert_eq!(send(&app, &faulty).await.expect(422).faults(), [("/iat", "type"), ("/by", "required"), ("/more", "unknown_member")]);
        let none = app.anonymous().post("/acknowledgements", &json!({})).await.expect(422);
        assert_eq!(none.faults(), [("/jws", "required")]);
        app.anonymous().request("POST", "/acknowledgements").body("application/json", "{").send().await.expect(400);
        app.anonymous().request("POST", "/acknowledgements").body("text/plain", "x").send().await.expect(415);
        let large = json!({"jws": "x".repeat(20_000)}).to_string();
        app.anonymous().request("POST", "/acknowledgements").body("application/json", large).send().await.expect(413);
        assert_eq!(world.notice(0).await["state"], "delivered");
    }

    async fn a_retired_key_speaks_of_the_past_only_and_for_five_minutes(app: TestApp) {
        let (world, desk) = told(&app).await;
        let before = desk.acknowledgement(&app, &world, 0, &json!({})).await;
        let by = json!({"by": {"name": "Another", "role": "clerk"}});
        let other = desk.acknowledgement(&app, &world, 0, &by).await;
        app.advance(Duration::minutes(1));
        let path = format!("/v1/keys/{}/retirement", desk.id);
        let retire = || world.controller_client(0).request("POST", &path).send();
        let retired = retire().await.expect(200);
        let after = desk.acknowledgement(&app, &world, 0, &json!({})).await;
        refused(&app, &after, "signed when it was retired").await;
        app.advance(Duration::minutes(4));
        let receipt = send(&app, &before).await.expect(200).json;
        app.advance(Duration::minutes(2));
        refused(&app, &other, "dated back, for all that anybody knows").await;
        app.advance(Duration::days(3));
        assert_eq!(send(&app, &before).await.expect(200).json, receipt, "what was given stays");
        assert_eq!(retire().await.expect(200).json, retired.json, "the first time counts");
    }

    async fn keys_belong_to_those_who_register_them(app: TestApp) {
        let world = app.world(2).await;
        let (own, other) = (world.controller_client(0), world.controller_client(1));
        let body = request(&SigningKey::from_bytes(&[7; 32]));
        let created = own.post("/v1/keys", &body).await.expect(201);
        assert_eq!(created.header("location"), format!("/v1/keys/{}", created.id()));
        assert_eq!((&created.json["public_key"], &created.json["retired_at"]), (&body["public_key"], &Value::Null));
        assert_eq!(own.get(created.header("location")).await.expect(200).json, created.json);
        assert_eq!(own.post("/v1/keys", &body).await.expect(409).problem(), "key-known");
        assert_ne!(other.post("/v1/keys", &body).await.expect(201).id(), created.id());
        let more = request(&SigningKey::from_bytes(&[8; 32]));
        let second = own.post("/v1/keys", &more).await.expect(201);
        let page = own.get("/v1/keys?limit=1").await.expect(200).json;
        assert_eq!(page["items"], json!([created.json]));
        let next = format!("/v1/keys?limit=1&cursor={}", text(&page["next"]));
        assert_eq!(own.get(&next).await.expect(200).json["items"], json!([second.json]));

        for path in [format!("/v1/keys/{}", created.id()), format!("/v1/keys/{}/retirement", created.id())] {
            let method = if path.ends_with("retirement") { "POST" } else { "GET" };
            assert_eq!(other.request(method, &path).send().await.expect(404).problem(), "not-found");
        }
        let mut foreign = more.clone();
        foreign["organisation"] = json!(world.controllers[0].id);
        let processor = app.as_org(&world.processor, &format!("{PROCESSOR} notices:ack"));
        assert_eq!(processor.post("/v1/keys", &foreign).await.expect(422).faults(), [("/organisation", "unknown_member")]);
        let reader = app.as_org(&world.controllers[0].id, &CONTROLLER.replace("notices:ack", ""));
        assert_eq!(reader.get("/v1/keys").await.expect(403).problem(), "missing-scope");
        own.request("POST", &format!("/v1/keys/{}/retirement", created.id())).send().await.expect(200);
        let stream = format!("/v1/audit?stream={}", world.controllers[0].id);
        let entries = own.get(&stream).await.expect(200).json["items"].clone();
        let kinds: Vec<_> = entries.as_array().unwrap().iter().map(|one| text(&one["kind"])).collect();
        assert_eq!(kinds[kinds.len() - 3..], ["receiver_key.created", "receiver_key.created", "receiver_key.retired"]);
    }

    async fn keys_that_prove_nothing_are_refused(app: TestApp) {
        let world = app.world(1).await;
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(VerifyingKey::from_bytes(&identity).unwrap().is_weak());
        for key in [[0; 32], [0xff; 32], identity] {
            let body = json!({"name": "x", "public_key": format!("whpk_{}", STANDARD.encode(key))});
            let refused = world.controller_client(0).post("/v1/keys", &body).await.expect(422);
            assert_eq!(refused.faults(), [("/public_key", "key")]);
        }
    }
}

both! {
    async fn a_stranger_who_asks_too_often_has_to_wait(app: TestApp, settings = [("ART33_RATE_LIMIT_PER_SECOND", "1"), ("ART33_RATE_LIMIT_BURST", "5")]) {
        let desk = Desk { key: SigningKey::from_bytes(&[7; 32]), id: "rky_01m809zzzzzzzzzzzzzzzzzzzz".to_owned() };
        let jws = desk.signed(&json!({"alg": "EdDSA", "kid": desk.id}), &json!({}));
        let mut statuses = Vec::new();
        for _ in 0..7 {
            statuses.push(send(&app, &jws).await.status);
        }
        assert!(statuses.starts_with(&[401; 5]) && statuses.contains(&429), "{statuses:?}");
    }
}
