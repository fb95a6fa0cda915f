//! Chains: a sub-processor's service tells ours, and ours tells the controllers; every link has its own clock.

use serde_json::{Value, json};
use time::Duration;
use time::macros::datetime;

use crate::duties::desk;
use crate::harness::acts::{agree, below, declare, sees_nothing, story};
use crate::harness::app::{Backend, TestApp};
use crate::harness::client::Answer;
use crate::harness::world::{PROCESSOR, World, agreement, filing, merge, text};
use crate::phases::amend;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NAME: &str = "Rechenwerk Hosting GmbH";

/// The sub-processor with a service of its own, where our processor is a controller.
struct Below {
    app: TestApp,
    processor: String,
    /// Our processor, as it is known there.
    controller: String,
    secret: String,
    public_key: String,
}

impl Below {
    /// Starts that service; its notices go to `url`.
    async fn start(url: &str) -> Self {
        let app = TestApp::start(Backend::Sqlite, &[]).await.unwrap();
        let processor = app.organisation(NAME, &["processor"]).await;
        let staff = app.as_org(&processor, PROCESSOR);
        let ours = json!({"name": "Muster Lernsysteme GmbH", "roles": ["controller"], "country": "DE"});
        let controller = staff.post("/v1/organisations", &ours).await.expect(201).id();
        let webhook = json!({"url": url, "events": ["notice.*"], "organisation": controller});
        let webhook = staff.post("/v1/webhooks", &webhook).await.expect(201);
        staff.post("/v1/agreements", &agreement(&controller, "AVV-sub", &webhook.id())).await.expect(201);
        let (secret, public_key) = (text(&webhook.json["secret"]), text(&webhook.json["public_key"]));
        Self { app, processor, controller, secret, public_key }
    }

    /// Files an incident that concerns us alone.
    async fn file(&self) -> Value {
        let body = filing(self.app.now(), &json!([{"controller": self.controller}]));
        self.app.as_org(&self.processor, PROCESSOR).post("/v1/incidents", &body).await.expect(201).json
    }

    async fn notice(&self) -> Value {
        self.app.as_org(&self.processor, PROCESSOR).get("/v1/notices").await.expect(200).json["items"][0].clone()
    }
}

/// Enters the sub-processor at our service; answers its id and the path that its notices go to.
async fn enter(world: &World, more: &Value) -> (String, String) {
    let mut body = json!({"name": NAME, "agreed_within": "PT12H"});
    merge(&mut body, more);
    let source = world.processor().post("/v1/sources", &body).await.expect(201).json;
    let id = text(&source["id"]);
    assert!(text(&source["inbound_url"]).ends_with(&format!("/inbound/{id}")), "{source}");
    assert_eq!((&source["secret"], &source["has_secret"]), (&Value::Null, &json!(more.get("secret").is_some())));
    (id.clone(), format!("/inbound/{id}"))
}

/// Two services, of which ours knows the keys of the other one.
async fn linked(app: &TestApp, world: &World, more: &Value) -> (Below, String) {
    let (id, path) = enter(world, more).await;
    let below = Below::start(&app.url(&path)).await;
    let mut body =
        json!({"name": NAME, "agreed_within": "PT12H", "secret": below.secret, "public_key": below.public_key});
    merge(&mut body, more);
    let staff = world.processor();
    staff.put(&format!("/v1/sources/{id}"), "\"1\"", &body).await.expect(200);
    (below, id)
}

/// All agreements ask to be told of what happens at sub-processors.
async fn all_ask(world: &World) {
    for index in 0..world.controllers.len() {
        agree(world, index, &json!({"triggers": ["personal_data_breach", "subprocessor_breach"]})).await;
    }
}

async fn incidents(world: &World) -> Vec<Value> {
    world.processor().get("/v1/incidents").await.expect(200).json["items"].as_array().unwrap().clone()
}

async fn shown(world: &World, incident: &Value) -> Value {
    world.processor().get(&format!("/v1/incidents/{}", text(&incident["id"]))).await.expect(200).json
}

/// A message as a sub-processor would sign it.
struct Message {
    id: &'static str,
    body: String,
    secret: &'static str,
    /// Seconds before now at which it was signed.
    age: i64,
    more: &'static str,
}

fn message() -> Message {
    let body = json!({"type": "notice.initial", "data": {"incident": "inc_far", "notice": "ntc_far"}}).to_string();
    Message { id: "dlv_1", body, secret: SECRET, age: 0, more: "" }
}

async fn send(app: &TestApp, path: &str, message: &Message) -> Answer {
    let signed_at = app.now().unix_timestamp() - message.age;
    let key = standardwebhooks::Webhook::new(message.secret).unwrap();
    let signature = key.sign(message.id, signed_at, message.body.as_bytes()).unwrap();
    let request = app.anonymous().request("POST", path);
    let request = request.header("webhook-id", message.id).header("webhook-timestamp", &signed_at.to_string());
    let request = request.header("webhook-signature", &(signature + message.more));
    request.body("application/json", message.body.clone()).send().await
}

both! {
    async fn what_a_sub_processor_tells_is_told_on_at_once(app: TestApp) {
        let world = app.world(2).await;
        all_ask(&world).await;
        let (sub, source) = linked(&app, &world, &json!({"product": "azubiheft"})).await;
        sub.file().await;
        let told = sub.notice().await;
        for service in [&app, &sub.app] {
            service.advance(Duration::minutes(10));
        }
        sub.app.step_workers().await;
        assert_eq!(sub.notice().await["state"], "delivered", "taking it is receiving it");

        let listed = incidents(&world).await;
        assert_eq!((listed.len(), &listed[0]["kind"], &listed[0]["state"]), (1, &json!("subprocessor_breach"), &json!("telling")));
        let incident = shown(&world, &listed[0]).await;
        let received = json!("2026-11-22T00:50:00Z");
        let origin = &incident["origin"];
        let expected = json!({"subprocessor": NAME, "received_at": received, "agreed_within": "PT12H", "reference": told["id"],
                              "content_sha256": told["content_sha256"], "source": source, "notice_url": origin["notice_url"]});
        assert_eq!(origin, &expected);
        assert!(text(&origin["notice_url"]).ends_with(&text(&told["id"])), "{origin}");
        assert_eq!((&incident["aware_at"], &incident["detected_at"]), (&received, &received));
        for index in [0, 1] {
            let duty = world.duty(&incident, "contract_notice", index).await;
            assert_eq!((&duty["start_at"], &duty["legal_due_at"]), (&received, &json!("2026-11-23T00:50:00Z")));
        }

        app.advance(Duration::minutes(5));
        app.step_workers().await;
        let sent = world.receiver.taken_of("notice.initial").await;
        assert_eq!(sent.len(), 2);
        let own = json!({"party": "Muster Lernsysteme GmbH", "aware_at": received, "told_at": "2026-11-22T00:55:00Z",
                         "due_at": "2026-11-23T00:50:00Z", "late": false});
        let first = json!({"party": NAME, "aware_at": null, "told_at": received, "due_at": null, "late": null});
        assert_eq!(shown(&world, &incident).await["chain"], json!([first, own]));
        assert_eq!(world.duty(&incident, "contract_notice", 0).await["met_at"], "2026-11-22T00:55:00Z");

        let client = world.controller_client(0);
        let path = format!("/v1/incidents/{}", text(&incident["id"]));
        let seen = client.get(&path).await.expect(200).json;
        assert_eq!((&seen["origin"], &seen["chain"]), (&Value::Null, &json!([])));
        for path in [path, "/v1/audit?limit=500".into(), format!("/v1/notices/{}", text(&world.notice(0).await["id"]))] {
            let seen = client.get(&path).await.expect(200).json.to_string();
            assert!(!seen.contains("Rechenwerk") && !seen.contains(&source), "{path}: {seen}");
        }
        assert!(sent.iter().all(|one| !one.json.to_string().contains("Rechenwerk")));
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn without_a_product_it_is_kept_until_staff_says_whom_it_concerns(app: TestApp) {
        let world = app.world(1).await;
        all_ask(&world).await;
        let desk = desk(&world).await;
        let (sub, _) = linked(&app, &world, &json!({})).await;
        sub.file().await;
        sub.app.step_workers().await;
        let listed = incidents(&world).await;
        assert_eq!((listed.len(), &listed[0]["state"], &listed[0]["affected_count"]), (1, &json!("kept"), &json!(0)));
        sees_nothing(&world.controller_client(0), &listed[0]).await;
        let open = world.processor().get("/v1/duties?state=running").await.expect(200).json;
        let open = open["items"].as_array().unwrap().clone();
        assert!(open.iter().all(|duty| duty["obligation"] == "open_item" && duty["alarm_at"] == "2026-11-22T04:40:00Z"), "{open:?}");
        assert!(open.iter().any(|duty| duty["about"] == "nature"), "{open:?}");
        app.advance(Duration::hours(4));
        app.step_workers().await;
        assert_eq!(desk.taken_of("duty.overdue").await.len(), open.len(), "somebody has to read it");
        assert_eq!(world.receiver.taken().await.len(), 0);

        let nature = json!({"types": ["confidentiality"], "cause": "malware", "description": "A copy of the disks was taken."});
        let read = json!({"kind": "supplement", "changes": {"nature": nature}});
        let told = amend(&world, &listed[0], 1, &read).await.expect(201).json;
        assert_eq!((&told["told_count"], &told["state"]), (&json!(0), &json!("kept")));
        let given = world.processor().get("/v1/duties?state=met").await.expect(200).json;
        assert_eq!((given["items"].as_array().unwrap().len(), &given["items"][0]["about"]), (1, &json!("nature")));
        assert_eq!(amend(&world, &listed[0], 2, &read).await.expect(422).faults(), [("", "nothing_changed")]);
        let late = json!({"controller": world.controllers[0].id, "known_at": "2026-11-22T04:40:00Z", "reason": "Read just now."});
        let path = below(&listed[0], "affected");
        let request = world.processor().request("POST", &path).header("if-match", "\"2\"");
        let joined = request.json(&json!({"affected": [late]})).send().await.expect(201).json;
        assert_eq!((&joined["told_count"], &joined["affected_count"]), (&json!(1), &json!(1)));
        assert_eq!(world.duty(&listed[0], "contract_notice", 0).await["start_at"], "2026-11-22T04:40:00Z");
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 1);
        let incident = shown(&world, &listed[0]).await;
        assert_eq!((&incident["state"], &incident["no_duty_reason"]), (&json!("told"), &Value::Null));
        assert_eq!(incident["chain"][1]["told_at"], "2026-11-22T04:40:00Z");
    }

    async fn where_nobody_can_be_told_by_product_it_is_not_lost(app: TestApp) {
        let world = app.world(1).await;
        let (_, path) = enter(&world, &json!({"secret": SECRET, "product": "unheard_of"})).await;
        send(&app, &path, &message()).await.expect(200);
        let listed = incidents(&world).await;
        assert_eq!((listed.len(), &listed[0]["state"]), (1, &json!("kept")));
    }

    async fn what_follows_is_kept_with_the_same_incident(app: TestApp) {
        let world = app.world(1).await;
        let (sub, source) = linked(&app, &world, &json!({"product": "azubiheft"})).await;
        let filed = sub.file().await;
        sub.app.step_workers().await;
        app.step_workers().await;
        world.receiver.taken().await;
        let there = app_world(&sub);
        let supplement = json!({"kind": "supplement", "changes": {"title": "Two archives"}});
        amend(&there, &filed, 1, &supplement).await.expect(201);
        for service in [&app, &sub.app] {
            service.advance(Duration::HOUR);
        }
        sub.app.step_workers().await;
        app.step_workers().await;
        let listed = incidents(&world).await;
        assert_eq!((listed.len(), &listed[0]["version"]), (1, &json!(1)), "staff decides what to tell on");
        assert_eq!(world.receiver.taken().await.len(), 0);
        let kept: Vec<_> = story(&world, &listed[0]).await.into_iter().filter(|(kind, ..)| kind == "notice.received").collect();
        let kinds: Vec<_> = kept.iter().map(|(_, _, facts)| facts["type"].clone()).collect();
        assert_eq!(kinds, ["notice.initial", "notice.supplement"]);
        assert!(kept.iter().all(|(_, _, facts)| facts["source"] == source.as_str() && facts["body_sha256"].is_string()));
        let path = format!("/v1/duties?state=running&incident={}", text(&listed[0]["id"]));
        let open = world.processor().get(&path).await.expect(200).json["items"].as_array().unwrap().clone();
        let update = open.iter().find(|duty| duty["obligation"] == "open_item" && duty["start_at"] == "2026-11-22T01:40:00Z");
        assert_eq!(update.unwrap()["alarm_at"], "2026-11-22T05:40:00Z", "somebody has to read it");
        sub.file().await;
        sub.app.step_workers().await;
        assert_eq!(incidents(&world).await.len(), 2, "another incident there is another one here");
    }

    async fn the_same_message_again_changes_nothing(app: TestApp) {
        let world = app.world(1).await;
        let (_, path) = enter(&world, &json!({"secret": SECRET, "product": "azubiheft"})).await;
        let first = send(&app, &path, &message()).await.expect(200).json;
        app.advance(Duration::minutes(1));
        let again = send(&app, &path, &message()).await.expect(200).json;
        assert_eq!(again, first);
        let listed = incidents(&world).await;
        assert_eq!((listed.len(), &listed[0]["id"]), (1, &first["incident"]));
        let received = story(&world, &listed[0]).await.into_iter().filter(|(kind, ..)| kind == "notice.received");
        assert_eq!(received.count(), 1);
        let (one, other) = (Message { id: "dlv_2", ..message() }, Message { id: "dlv_3", ..message() });
        let (one, other) = futures::join!(send(&app, &path, &one), send(&app, &path, &other));
        assert_eq!((one.expect(200).json, other.expect(200).json), (first.clone(), first));
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 1);
    }

    async fn two_messages_of_one_incident_at_once_make_one(app: TestApp) {
        let world = app.world(1).await;
        let (_, path) = enter(&world, &json!({"secret": SECRET, "product": "azubiheft"})).await;
        let (one, other) = (message(), Message { id: "dlv_2", ..message() });
        let (one, other) = futures::join!(send(&app, &path, &one), send(&app, &path, &other));
        assert_eq!(one.expect(200).json, other.expect(200).json);
        assert_eq!(incidents(&world).await.len(), 1);
    }

    async fn only_what_is_signed_as_it_must_be_is_taken(app: TestApp) {
        let world = app.world(1).await;
        let (_, silent) = enter(&world, &json!({})).await;
        assert_eq!(send(&app, &silent, &message()).await.expect(409).problem(), "no-secret");
        let (_, path) = enter(&world, &json!({"secret": SECRET})).await;
        let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        for wrong in [
            Message { secret: other, ..message() },
            Message { age: 301, ..message() },
            Message { age: -301, ..message() },
        ] {
            let refused = send(&app, &path, &wrong).await.expect(401);
            assert_eq!(refused.header("www-authenticate"), "", "no token would help");
        }
        let signed_at = app.now().unix_timestamp();
        let good = standardwebhooks::Webhook::new(SECRET).unwrap().sign("dlv_1", signed_at, message().body.as_bytes()).unwrap();
        let headers =
            [("webhook-id", "dlv_1".to_owned()), ("webhook-timestamp", signed_at.to_string()), ("webhook-signature", good)];
        let with = |left_out: &str, body: String| {
            let request = app.anonymous().request("POST", &path);
            let given = headers.iter().filter(|(name, _)| *name != left_out);
            given.fold(request, |request, (name, value)| request.header(name, value)).body("application/json", body).send()
        };
        for (name, _) in &headers {
            with(name, message().body).await.expect(401);
        }
        with("", message().body.replace("inc_far", "inc_fat")).await.expect(401);
        let unknown = "/inbound/src_01m809zzzzzzzzzzzzzzzzzzzz";
        assert_eq!(send(&app, unknown, &message()).await.expect(404).problem(), "not-found");
        assert_eq!(incidents(&world).await.len(), 0);

        let no_notice = Message { body: json!({"type": "endpoint.test", "data": {}}).to_string(), ..message() };
        assert_eq!(send(&app, &path, &no_notice).await.expect(200).json, json!({"incident": null}));
        for body in ["{", "[]", "{\"type\": \"notice.initial\"}", "{\"type\": \"notice.initial\", \"data\": {\"incident\": \"a\"}}"] {
            let nonsense = Message { body: body.to_owned(), ..message() };
            assert_eq!(send(&app, &path, &nonsense).await.expect(422).faults(), [("", "not_understood")], "{body}");
        }
        assert_eq!(incidents(&world).await.len(), 0);
        with("", message().body).await.expect(200);
        send(&app, &path, &Message { age: 300, id: "dlv_2", ..message() }).await.expect(200);
        assert_eq!(incidents(&world).await.len(), 1);
    }

    async fn where_its_key_is_known_the_sender_signs_itself(app: TestApp) {
        let world = app.world(1).await;
        let key = &world.controllers[0].public_key;
        let (_, path) = enter(&world, &json!({"secret": SECRET, "public_key": key})).await;
        let forged = " v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        for more in ["", forged, " v1a,AAAA", " v1a,"] {
            send(&app, &path, &Message { more, ..message() }).await.expect(401);
        }
        assert_eq!(incidents(&world).await.len(), 0);
        let body = json!({"name": NAME, "secret": "whsec_x", "public_key": "whpk_x", "product": "", "colour": 1});
        let refused = world.processor().post("/v1/sources", &body).await.expect(422);
        let pointers: Vec<_> = refused.faults().into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/secret", "/public_key", "/product", "/colour"]);
        let controller = app.as_org(&world.controllers[0].id, "webhooks:write");
        assert_eq!(controller.post("/v1/sources", &json!({"name": NAME})).await.expect(403).problem(), "forbidden");
    }

    async fn what_came_by_post_counts_from_when_it_came(app: TestApp) {
        let world = app.world(1).await;
        declare(&world.processor(), &world.processor, "dora_systemic").await;
        let mut filing = world.filing();
        filing["origin"] = json!({"subprocessor": NAME, "received_at": "2026-11-21T23:50:00Z", "aware_at": "2026-11-21T10:00:00Z",
                                  "agreed_within": "PT12H", "reference": "Letter of Saturday"});
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        let duty = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&duty["start_at"], &duty["legal_due_at"]), (&json!("2026-11-21T23:50:00Z"), &json!("2026-11-22T23:50:00Z")));
        app.step_workers().await;
        let first = json!({"party": NAME, "aware_at": "2026-11-21T10:00:00Z", "told_at": "2026-11-21T23:50:00Z",
                           "due_at": "2026-11-21T22:00:00Z", "late": true});
        let own = json!({"party": "Muster Lernsysteme GmbH", "aware_at": "2026-11-21T23:50:00Z", "told_at": "2026-11-22T00:40:00Z",
                         "due_at": "2026-11-22T23:50:00Z", "late": false});
        let incident = shown(&world, &filed).await;
        assert_eq!((&incident["chain"], &incident["origin"]), (&json!([first, own]), &filing["origin"]));
        assert_eq!(world.controller_client(0).get(&below(&filed, "")).await.status, 404, "no such path");
        let seen = world.controller_client(0).get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200).json;
        assert!(!seen.to_string().contains("Rechenwerk"), "{seen}");

        app.advance(datetime!(2026-11-22 22:40 UTC) - app.now());
        let classified = json!({"milestone": "classified", "at": "2026-11-22T22:40:00Z", "by": "B. Beispiel"});
        world.processor().post(&below(&filed, "milestones"), &classified).await.expect(201);
        let path = format!("/v1/duties?limit=500&incident={}", text(&filed["id"]));
        let duties = world.processor().get(&path).await.expect(200).json;
        let capped = duties["items"].as_array().unwrap().iter().find(|duty| duty["obligation"] == "dora_systemic_initial").unwrap();
        assert_eq!(capped["legal_due_at"], "2026-11-22T23:50:00Z", "24 hours from the letter hold before the four hours");
    }

    async fn an_origin_that_cannot_be_is_refused(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        filing["origin"] = json!({"subprocessor": "", "received_at": "2026-11-21T23:50:00Z", "aware_at": "2026-11-21T23:50:01Z",
                                  "agreed_within": "soon", "colour": 1});
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        let mut faults = refused.faults();
        faults.sort_unstable();
        let pointers: Vec<_> = faults.iter().map(|(pointer, _)| *pointer).collect();
        assert_eq!(pointers, ["/origin/agreed_within", "/origin/aware_at", "/origin/colour", "/origin/subprocessor"]);
        assert!(faults.contains(&("/origin/aware_at", "time_order")), "{faults:?}");
        filing["origin"] = json!({"subprocessor": NAME, "received_at": "2026-11-22T00:41:00Z"});
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/origin/received_at", "time_in_future")]);
        assert_eq!(incidents(&world).await.len(), 0);
    }
}

/// The sub-processor's side as a world of its own, for filing there.
fn app_world(sub: &Below) -> World {
    World::of(&sub.app, &sub.processor)
}
