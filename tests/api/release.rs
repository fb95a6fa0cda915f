//! Four eyes: nothing of a version leaves before a second person has released exactly that version, or the time for that is over.

use serde_json::{Value, json};
use time::Duration;
use time::macros::datetime;

use crate::duties::desk;
use crate::harness::acts::{four_eyes, sees_nothing, story};
use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::receiver::Receiver;
use crate::harness::world::{CONTROLLER, PROCESSOR, World, text};
use crate::phases::amend;

/// A person at the processor who filed nothing.
fn second(app: &TestApp, world: &World) -> Client {
    app.as_person(&world.processor, PROCESSOR, "second")
}

fn path(incident: &Value) -> String {
    format!("/v1/incidents/{}/release", text(&incident["id"]))
}

/// The release of the version that an answer speaks of.
fn of(answer: &Value) -> Value {
    json!({"version": answer["version"], "content_sha256": answer["release"]["content_sha256"]})
}

async fn release(app: &TestApp, world: &World, incident: &Value) -> Answer {
    second(app, world).post(&path(incident), &of(incident)).await
}

/// The duty to release one version.
async fn duty(world: &World, incident: &Value, version: &str) -> Value {
    let path = format!("/v1/duties?limit=500&incident={}", text(&incident["id"]));
    let duties = world.processor().get(&path).await.expect(200).json;
    let found = duties["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["obligation"] == "release" && one["about"] == version);
    found.unwrap_or_else(|| panic!("no release of {version} in {duties}")).clone()
}

/// Type and step of what the desk heard of releases.
async fn alarms(desk: &Receiver) -> Vec<(String, String)> {
    let heard = desk.taken().await;
    let releases = heard.iter().filter(|one| one.json["data"]["duty"]["obligation"] == "release");
    releases
        .map(|one| (text(&one.json["type"]), one.json["data"]["step"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn alarm(kind: &str, step: &str) -> Vec<(String, String)> {
    vec![(kind.to_owned(), step.to_owned())]
}

/// Path and type of the notices that have arrived.
async fn arrived(world: &World) -> Vec<(String, String)> {
    let all = world.receiver.taken().await;
    let notices = all.iter().map(|one| (one.path.clone(), text(&one.json["type"])));
    notices.filter(|(_, kind)| kind.starts_with("notice.")).collect()
}

/// The release as the list of versions shows it.
async fn shown(world: &World, incident: &Value, index: usize) -> Value {
    let path = format!("/v1/incidents/{}/versions", text(&incident["id"]));
    world.processor().get(&path).await.expect(200).json["items"][index]["release"].clone()
}

both! {
    async fn nothing_leaves_before_the_release_and_all_of_it_then(app: TestApp) {
        let world = app.world(2).await;
        four_eyes(&world, "page").await;
        let filed = world.file().await;
        let due = json!("2026-11-22T12:25:00Z");
        assert_eq!((&filed["release"]["state"], &filed["release"]["due_at"]), (&json!("awaited"), &due), "half of 23 hours and a half");
        let waiting = duty(&world, &filed, "1").await;
        assert_eq!((&waiting["state"], &waiting["alarm_at"]), (&json!("running"), &due));
        assert_eq!((&waiting["legal_due_at"], &waiting["debtor"]), (&Value::Null, &json!(world.processor)));
        app.advance(Duration::HOUR);
        app.step_workers().await;
        assert_eq!(arrived(&world).await, []);
        for index in [0, 1] {
            sees_nothing(&world.controller_client(index), &filed).await;
        }
        let staff = world.processor();
        let outbox = staff.get("/v1/notices").await.expect(200).json;
        assert_eq!(outbox["items"].as_array().unwrap().len(), 2, "the processor sees what waits");
        let again = format!("/v1/notices/{}/redeliver", text(&outbox["items"][0]["id"]));
        assert_eq!(staff.request("POST", &again).send().await.expect(409).problem(), "awaiting-release");
        for notice in outbox["items"].as_array().unwrap() {
            let client = app.as_org(&text(&notice["controller"]["id"]), CONTROLLER);
            let path = format!("/v1/notices/{}", text(&notice["id"]));
            client.get(&path).await.expect(404);
            let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "A", "role": "dpo"}});
            client.post(&format!("{path}/acknowledgement"), &body).await.expect(404);
        }

        let released = release(&app, &world, &filed).await.expect(200).json;
        let expected = json!({"incident": filed["id"], "version": 1, "state": "released", "deliveries": 2});
        assert_eq!(released, expected);
        app.step_workers().await;
        let mut sent = arrived(&world).await;
        sent.sort_unstable();
        assert_eq!(sent, [("/0".into(), "notice.initial".into()), ("/1".into(), "notice.initial".into())]);
        let met = duty(&world, &filed, "1").await;
        assert_eq!((&met["state"], &met["met_at"]), (&json!("met"), &json!("2026-11-22T01:40:00Z")));
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["met_at"], "2026-11-22T01:40:00Z");
        assert_eq!(world.notice(0).await["state"], "delivered");
        let entries = story(&world, &filed).await;
        let entry = entries.iter().find(|(kind, ..)| kind == "incident.released").unwrap();
        assert_eq!((entry.1.as_str(), &entry.2["version"], &entry.2["deliveries"]), ("second", &json!(1), &json!(2)));
        let shown = shown(&world, &filed, 0).await;
        assert_eq!((&shown["state"], &shown["released_by"]), (&json!("released"), &json!("second")));
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn only_another_person_releases_exactly_that_version_and_once(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "page").await;
        let filed = world.file().await;
        let (path, second) = (path(&filed), second(&app, &world));
        let itself = world.processor().post(&path, &of(&filed)).await.expect(403);
        assert_eq!(itself.problem(), "forbidden");
        let mut other = of(&filed);
        other["content_sha256"] = json!("0".repeat(64));
        assert_eq!(second.post(&path, &other).await.expect(409).problem(), "content-mismatch");
        other["version"] = json!(2);
        second.post(&path, &other).await.expect(404);
        let nonsense = json!({"version": "1", "content_sha256": 1, "force": true});
        let refused = second.post(&path, &nonsense).await.expect(422);
        assert_eq!(refused.faults(), [("/version", "type"), ("/content_sha256", "type"), ("/force", "unknown_member")]);
        let stranger = app.world(1).await;
        app.as_person(&stranger.processor, PROCESSOR, "second").post(&path, &of(&filed)).await.expect(404);
        app.as_org(&world.controllers[0].id, "incidents:write").post(&path, &of(&filed)).await.expect(404);
        app.step_workers().await;
        assert_eq!(arrived(&world).await, []);
        assert_eq!(duty(&world, &filed, "1").await["state"], "running", "none of that was a release");

        let keyed = || second.request("POST", &path).header("idempotency-key", "one").json(&of(&filed)).send();
        let first = keyed().await.expect(200);
        let again = keyed().await.expect(200);
        assert_eq!((&again.json, again.header("idempotency-replayed")), (&first.json, "true"));
        assert_eq!(second.post(&path, &of(&filed)).await.expect(409).problem(), "not-awaited");
        app.step_workers().await;
        assert_eq!(arrived(&world).await.len(), 1);
        let entries = story(&world, &filed).await;
        assert_eq!(entries.iter().filter(|(kind, ..)| kind == "incident.released").count(), 1);
    }

    async fn where_nobody_asks_for_a_release_there_is_none(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        assert_eq!(filed["release"], Value::Null);
        assert_eq!(shown(&world, &filed, 0).await["state"], "not_needed");
        let path = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        let version = world.processor().get(&path).await.expect(200).json["items"][0].clone();
        let body = json!({"version": 1, "content_sha256": version["content_sha256"]});
        let refused = second(&app, &world).post(&crate::release::path(&filed), &body).await.expect(409);
        assert_eq!(refused.problem(), "not-awaited");
    }

    async fn the_waiting_alarms_its_own_people_and_pages_at_the_end(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "page").await;
        let desk = desk(&world).await;
        let filed = world.file().await;
        let steps = [
            ("duty.due_soon", "half", datetime!(2026-11-22 06:32:30 UTC)),
            ("duty.due_soon", "three_quarters", datetime!(2026-11-22 09:28:45 UTC)),
            ("duty.due_soon", "nine_tenths", datetime!(2026-11-22 11:14:30 UTC)),
            ("duty.overdue", "overdue", datetime!(2026-11-22 12:25 UTC)),
        ];
        for (kind, step, at) in steps {
            app.advance(at - app.now() - Duration::MICROSECOND);
            app.step_workers().await;
            assert_eq!(alarms(&desk).await, [], "before {step}");
            app.advance(Duration::MICROSECOND);
            app.step_workers().await;
            assert_eq!(alarms(&desk).await, alarm(kind, step));
        }
        app.advance(Duration::days(2));
        app.step_workers().await;
        assert_eq!(world.receiver.taken().await.len(), 0, "it still waits, and nobody outside hears that somebody is late");
        sees_nothing(&world.controller_client(0), &filed).await;
        assert_eq!(duty(&world, &filed, "1").await["state"], "running", "no law is broken by that");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["state"], "breached", "but by this");
        assert_eq!(shown(&world, &filed, 0).await["state"], "awaited");

        release(&app, &world, &filed).await.expect(200);
        app.step_workers().await;
        assert!(arrived(&world).await.contains(&("/0".into(), "notice.initial".into())));
        let late = duty(&world, &filed, "1").await;
        assert_eq!((&late["state"], &late["late"]), (&json!("met"), &Value::Null));
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["late"], true);
    }

    async fn at_the_end_it_leaves_without_release_where_that_is_wanted(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "send").await;
        let filed = world.file().await;
        assert_eq!(filed["release"]["on_timeout"], "send");
        app.advance(datetime!(2026-11-22 12:25 UTC) - app.now() - Duration::MICROSECOND);
        app.step_workers().await;
        assert_eq!(arrived(&world).await, []);
        app.advance(Duration::MICROSECOND);
        app.step_workers().await;
        assert_eq!(arrived(&world).await, [("/0".into(), "notice.initial".into())]);
        let entries = story(&world, &filed).await;
        let entry = entries.iter().find(|(kind, ..)| kind == "incident.sent_without_release").unwrap();
        assert_eq!((&entry.2["version"], &entry.2["deliveries"]), (&json!(1), &json!(1)));
        assert_ne!(entry.1, "tester", "nobody did it");
        let shown = shown(&world, &filed, 0).await;
        assert_eq!((&shown["state"], &shown["released_by"]), (&json!("sent_without"), &Value::Null));
        assert_eq!(duty(&world, &filed, "1").await["state"], "met");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["met_at"], "2026-11-22T12:25:00Z");
        assert_eq!(release(&app, &world, &filed).await.expect(409).problem(), "not-awaited");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn versions_wait_and_are_released_one_by_one(app: TestApp) {
        let world = app.world(2).await;
        four_eyes(&world, "page").await;
        let filed = world.file().await;
        let one = json!({"controller": world.controllers[1].id, "records": {"count": {"exact": 300}}});
        let body = json!({"kind": "supplement", "changes": {"title": "Secret second title"}, "affected": [one]});
        let refused = amend(&world, &filed, 1, &body).await.expect(409);
        assert_eq!(refused.problem(), "awaiting-release", "nothing follows what has not left");
        release(&app, &world, &filed).await.expect(200);
        app.step_workers().await;
        assert_eq!(arrived(&world).await.len(), 2);
        let second = amend(&world, &filed, 1, &body).await.expect(201).json;
        assert_eq!(second["release"]["state"], "awaited");
        assert_ne!(second["release"]["content_sha256"], filed["release"]["content_sha256"]);
        app.step_workers().await;
        assert_eq!(arrived(&world).await, []);
        let mut crossed = of(&second);
        crossed["version"] = json!(1);
        let person = crate::release::second(&app, &world);
        assert_eq!(person.post(&path(&filed), &crossed).await.expect(409).problem(), "content-mismatch");

        let states = [duty(&world, &filed, "1").await, duty(&world, &filed, "2").await].map(|duty| text(&duty["state"]));
        assert_eq!(states, ["met", "running"]);
        let own = world.controller_client(1);
        let seen = own.get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200);
        assert_eq!((&seen.json["title"], &seen.json["version"]), (&filing_title(&world), &json!(1)));
        assert_eq!((&seen.json["state"], &seen.json["notices"]["pending"]), (&json!("told"), &json!(0)));
        let listed = own.get("/v1/incidents?state=told").await.expect(200).json;
        assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["title"]), (1, &filing_title(&world)));
        let versions = own.get(&format!("/v1/incidents/{}/versions", text(&filed["id"]))).await.expect(200).json;
        assert_eq!(versions["items"].as_array().unwrap().len(), 1);
        for path in ["/v1/notices", "/v1/incidents", "/v1/audit?limit=500"] {
            let seen = own.get(path).await.expect(200).json.to_string();
            assert!(!seen.contains("Secret second title"), "{path}");
        }

        release(&app, &world, &second).await.expect(200);
        app.step_workers().await;
        let sent = arrived(&world).await;
        assert!(sent.len() == 2 && sent.iter().all(|(_, kind)| kind == "notice.supplement"), "{sent:?}");
        let seen = own.get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200);
        assert_eq!((&seen.json["title"], &seen.json["version"]), (&json!("Secret second title"), &json!(2)));
    }

    async fn a_withdrawal_that_waits_is_no_news_yet(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.step_workers().await;
        world.receiver.taken().await;
        four_eyes(&world, "page").await;
        let body = json!({"kind": "withdrawal", "reason": "The link was never used."});
        let withdrawn = amend(&world, &filed, 1, &body).await.expect(201).json;
        assert_eq!(withdrawn["release"]["state"], "awaited");
        app.step_workers().await;
        assert_eq!(arrived(&world).await, []);
        let own = world.controller_client(0);
        let incident = format!("/v1/incidents/{}", text(&filed["id"]));
        let seen = own.get(&incident).await.expect(200).json;
        assert_eq!((&seen["state"], &seen["withdrawn_at"]), (&json!("told"), &Value::Null));
        assert_eq!(own.get("/v1/incidents?state=withdrawn").await.expect(200).json["items"], json!([]));
        assert_eq!(own.get("/v1/incidents?state=told").await.expect(200).json["items"].as_array().unwrap().len(), 1);
        let staff = world.processor().get("/v1/incidents?state=withdrawn").await.expect(200).json;
        assert_eq!(staff["items"], json!([]), "it takes effect when it leaves");
        release(&app, &world, &withdrawn).await.expect(200);
        app.step_workers().await;
        assert_eq!(arrived(&world).await, [("/0".into(), "notice.withdrawal".into())]);
        let seen = own.get(&incident).await.expect(200).json;
        assert_eq!((&seen["state"], &seen["withdrawn_at"]), (&json!("withdrawn"), &json!("2026-11-22T00:40:00Z")));
        assert_eq!(own.get("/v1/incidents?state=told").await.expect(200).json["items"], json!([]));
    }

    async fn an_endpoint_that_comes_meanwhile_hears_it_after_the_release(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "page").await;
        let filed = world.file().await;
        let webhook = json!({"url": world.receiver.url("/late"), "events": ["notice.*"]});
        world.controller_client(0).post("/v1/webhooks", &webhook).await.expect(201);
        app.advance(Duration::HOUR);
        app.step_workers().await;
        assert_eq!(arrived(&world).await, []);
        assert_eq!(release(&app, &world, &filed).await.expect(200).json["deliveries"], 2);
        app.step_workers().await;
        let mut sent: Vec<_> = arrived(&world).await.into_iter().map(|(path, _)| path).collect();
        sent.sort_unstable();
        assert_eq!(sent, ["/0", "/late"]);
    }
}

fn filing_title(world: &World) -> Value {
    world.filing()["title"].clone()
}
