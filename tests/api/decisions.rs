//! Decisions of controllers: a named person and a reason, every one kept, and what the newest does to the duties.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::{below, decision, told};
use crate::harness::app::TestApp;
use crate::harness::client::Client;
use crate::harness::receiver::Reply;
use crate::harness::world::{World, merge, text};

/// State and closing of a duty, as the processor's board shows it.
async fn standing(world: &World, incident: &Value, obligation: &str, index: usize) -> (String, Value, Value) {
    let duty = world.duty(incident, obligation, index).await;
    (text(&duty["state"]), duty["closed_by"].clone(), duty["closed_reason"].clone())
}

async fn state(world: &World, incident: &Value, obligation: &str, index: usize) -> String {
    standing(world, incident, obligation, index).await.0
}

async fn items(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.expect(200).json["items"].as_array().unwrap().clone()
}

/// The kinds of all entries of the ledger that somebody reads, and everything in them as text.
async fn audit(client: &Client) -> (Vec<String>, String) {
    let entries = items(client, "/v1/audit?limit=500").await;
    (entries.iter().map(|entry| text(&entry["kind"])).collect(), json!(entries).to_string())
}

fn without(body: &Value, members: &[&str]) -> Value {
    let mut body = body.clone();
    for member in members {
        merge(&mut body, &json!({*member: null}));
    }
    body
}

both! {
    async fn deciding_is_documenting_and_every_decision_is_kept(app: TestApp) {
        let (world, filed) = told(&app, 2).await;
        assert_eq!(state(&world, &filed, "gdpr_33_5", 0).await, "running");
        let first = world.decide(&filed, 0, &decision(true, "undecided")).await.expect(201).json;
        assert_eq!((&first["current"], &first["decided_at"]), (&json!(true), &json!("2026-11-22T00:40:00Z")));
        let documented = world.duty(&filed, "gdpr_33_5", 0).await;
        assert_eq!((&documented["state"], &documented["met_at"]), (&json!("met"), &json!("2026-11-22T00:40:00Z")));
        assert_eq!(state(&world, &filed, "gdpr_33_5", 1).await, "running", "the other controller has not decided");
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "running");
        app.advance(Duration::HOUR);
        let second = world.decide(&filed, 0, &decision(true, "planned")).await.expect(201).json;

        let path = below(&filed, "decisions");
        let own = items(&world.controller_client(0), &path).await;
        let shown: Vec<_> = own.iter().map(|one| (&one["id"], &one["current"])).collect();
        assert_eq!(shown, [(&second["id"], &json!(true)), (&first["id"], &json!(false))], "the newest first");
        assert_eq!(items(&world.processor(), &path).await, own);
        let page = world.processor().get(&format!("{path}?limit=1")).await.expect(200).json;
        let rest = items(&world.processor(), &format!("{path}?cursor={}", text(&page["next"]))).await;
        assert_eq!(rest, own[1..], "the second page goes on");
        let controllers = [&world.controllers[0].id, &world.controllers[1].id];
        assert_eq!(items(&world.processor(), &format!("{path}?controller={}", controllers[0])).await.len(), 2);
        assert_eq!(items(&world.processor(), &format!("{path}?controller={}", controllers[1])).await, [] as [Value; 0]);
        assert_eq!(items(&world.controller_client(1), &path).await, [] as [Value; 0], "a stranger's decision");
        assert_eq!(
            items(&world.controller_client(1), &format!("{path}?controller={}", controllers[0])).await,
            [] as [Value; 0]
        );
    }

    async fn both_who_are_concerned_read_it_in_the_ledger_and_nobody_else(app: TestApp) {
        let (world, filed) = told(&app, 2).await;
        let decided = world.decide(&filed, 0, &decision(false, "not_required")).await.expect(201).id();
        for client in [world.processor(), world.controller_client(0)] {
            let (kinds, entries) = audit(&client).await;
            assert!(kinds.contains(&"decision.recorded".to_owned()) && entries.contains(&decided), "{kinds:?}");
            assert!(!entries.contains("Geheimer Grund") && !entries.contains("A. Muster"), "no words, only digests");
        }
        let (kinds, entries) = audit(&world.controller_client(1)).await;
        assert!(!kinds.contains(&"decision.recorded".to_owned()) && !entries.contains(&decided), "{kinds:?}");
        assert!(!entries.contains(&world.controllers[0].id));
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn not_required_without_person_or_reason_is_refused(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let good = decision(false, "exempt_a");
        let refusals = [
            (vec!["by"], vec![("/by", "required")]),
            (vec!["reason"], vec![("/reason", "required")]),
            (vec!["reason", "by"], vec![("/reason", "required"), ("/by", "required")]),
        ];
        for (missing, faults) in refusals {
            let refused = world.decide(&filed, 0, &without(&good, &missing)).await.expect(422);
            assert_eq!(refused.faults(), faults);
            for fault in refused.json["errors"].as_array().unwrap() {
                assert_eq!(fault["legal_basis"], "Art. 33(5) GDPR; Art. 34(3) GDPR");
            }
        }
        let mut nonsense = decision(false, "perhaps");
        merge(&mut nonsense, &json!({"notify_authority": "no", "decided_at": "2026-11-23T00:00:00Z", "risk": 1}));
        let refused = world.decide(&filed, 0, &nonsense).await.expect(422);
        let expected = [
            ("/notify_authority", "type"),
            ("/notify_persons", "unknown_code"),
            ("/decided_at", "time_in_future"),
            ("/risk", "unknown_member"),
        ];
        assert_eq!(refused.faults(), expected);
        let mut early = decision(true, "undecided");
        early["decided_at"] = json!("2026-11-21T00:00:00Z");
        assert_eq!(world.decide(&filed, 0, &early).await.expect(422).faults(), [("/decided_at", "time_order")]);
        assert_eq!(items(&world.processor(), &below(&filed, "decisions")).await, [] as [Value; 0], "nothing is stored");
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "running", "and nothing has moved");
    }

    async fn what_is_not_required_closes_and_opens_again_on_its_clock(app: TestApp) {
        let (world, filed) = told(&app, 2).await;
        let before = world.duty(&filed, "gdpr_33_1", 0).await;
        world.decide(&filed, 0, &decision(false, "not_required")).await.expect(201);
        for obligation in ["gdpr_33_1", "gdpr_34"] {
            let (state, by, reason) = standing(&world, &filed, obligation, 0).await;
            assert_eq!((state.as_str(), &by), ("not_required", &json!("A. Muster, data protection officer")));
            assert_eq!(reason, "Geheimer Grund der Entscheidung");
            assert_ne!(standing(&world, &filed, obligation, 1).await.0, "not_required", "the other one decides itself");
        }
        assert!(world.duty(&filed, "gdpr_33_1", 0).await["next_alarm_at"].is_null(), "what is closed rings no more");
        app.advance(Duration::days(4));
        app.step_workers().await;
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "not_required");
        assert_eq!(state(&world, &filed, "gdpr_33_1", 1).await, "breached");

        world.decide(&filed, 0, &decision(true, "undecided")).await.expect(201);
        let after = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!(after["state"], "breached", "the clock had run on");
        for member in ["start_at", "alarm_at", "legal_due_at", "clock_version"] {
            assert_eq!(after[member], before[member], "{member}");
        }
        assert_eq!((&after["closed_by"], &after["closed_at"]), (&Value::Null, &Value::Null));
        assert_eq!(state(&world, &filed, "gdpr_34", 0).await, "not_started", "nobody has decided to tell the persons");
    }

    async fn the_persons_are_to_be_told_from_the_decision_on(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        assert_eq!(state(&world, &filed, "gdpr_34", 0).await, "not_started");
        app.advance(Duration::hours(3));
        let mut planned = decision(true, "planned");
        planned["decided_at"] = json!("2026-11-22T02:30:00+01:00");
        world.decide(&filed, 0, &planned).await.expect(201);
        let duty = world.duty(&filed, "gdpr_34", 0).await;
        assert_eq!((&duty["state"], &duty["start_at"]), (&json!("running"), &json!("2026-11-22T01:30:00Z")));
        assert!(duty["legal_due_at"].is_null(), "without undue delay has no hours");
        world.decide(&filed, 0, &decision(true, "exempt_c")).await.expect(201);
        assert_eq!(state(&world, &filed, "gdpr_34", 0).await, "not_required");
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "running");
        world.decide(&filed, 0, &decision(true, "ordered")).await.expect(201);
        let duty = world.duty(&filed, "gdpr_34", 0).await;
        assert_eq!((&duty["state"], &duty["start_at"]), (&json!("running"), &json!("2026-11-22T01:30:00Z")));
    }

    async fn a_clock_that_began_meanwhile_is_not_lost(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        world.decide(&filed, 0, &decision(false, "not_required")).await.expect(201);
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "not_required");
        world.receiver.reply(Reply::Status(204));
        app.advance(Duration::HOUR);
        app.step_workers().await;
        let delivered = text(&world.notice(0).await["delivered_at"]);
        app.advance(Duration::HOUR);
        world.decide(&filed, 0, &decision(true, "undecided")).await.expect(201);
        let duty = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&duty["state"], &duty["start_at"]), (&json!("running"), &json!(delivered)));
    }

    async fn only_an_affected_controller_decides(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let path = below(&filed, "decisions");
        let staff = app.as_org(&world.processor, "decisions:write incidents:read");
        assert_eq!(staff.post(&path, &decision(true, "undecided")).await.expect(403).problem(), "forbidden");
        let other = app.world(1).await;
        for client in [other.controller_client(0), app.as_org(&other.processor, "decisions:write incidents:read")] {
            client.post(&path, &decision(true, "undecided")).await.expect(404);
            client.get(&path).await.expect(404);
        }
        let reader = app.as_org(&world.controllers[0].id, "incidents:read notices:ack");
        assert_eq!(reader.post(&path, &decision(true, "undecided")).await.expect(403).problem(), "missing-scope");
    }

    async fn the_same_decision_sent_twice_is_one(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let send = |body: Value| {
            let request = world.controller_client(0).request("POST", &below(&filed, "decisions"));
            request.header("idempotency-key", "one").json(&body).send()
        };
        let first = send(decision(true, "undecided")).await.expect(201);
        let again = send(decision(true, "undecided")).await.expect(201);
        assert_eq!((again.json, again.headers.contains_key("idempotency-replayed")), (first.json, true));
        send(decision(false, "undecided")).await.expect(409);
        assert_eq!(items(&world.controller_client(0), &below(&filed, "decisions")).await.len(), 1);
    }

    async fn who_owes_a_duty_finds_it_not_to_be_required(app: TestApp) {
        let (world, filed) = told(&app, 2).await;
        let duty = text(&world.duty(&filed, "gdpr_33_1", 0).await["id"]);
        let path = format!("/v1/duties/{duty}/waiver");
        let waiver = json!({"by": "A. Muster", "reason": "Geheimer Grund: der Schlüssel ist sicher."});
        let own = world.controller_client(0);
        let refused = own.post(&path, &json!({"by": " "})).await.expect(422);
        assert_eq!(refused.faults(), [("/by", "empty"), ("/reason", "required")]);
        assert_eq!(refused.json["errors"][1]["legal_basis"], "Art. 33(5) GDPR");
        assert_eq!(world.processor().post(&path, &waiver).await.expect(403).problem(), "forbidden");
        world.controller_client(1).post(&path, &waiver).await.expect(404);
        world.controller_client(1).get(&format!("/v1/duties/{duty}")).await.expect(404);

        let closed = own.post(&path, &waiver).await.expect(200).json;
        assert_eq!((&closed["state"], &closed["closed_by"]), (&json!("not_required"), &json!("A. Muster")));
        assert_eq!(closed["closed_at"], "2026-11-22T00:40:00Z");
        for client in [&own, &world.processor()] {
            let shown = client.get(&format!("/v1/duties/{duty}")).await.expect(200).json;
            assert_eq!((&shown["state"], &shown["earlier_clocks"]), (&json!("not_required"), &json!([])));
            let (kinds, entries) = audit(client).await;
            assert!(kinds.contains(&"duty.waived".to_owned()) && !entries.contains("Geheimer Grund"), "{kinds:?}");
        }
        assert!(!audit(&world.controller_client(1)).await.0.contains(&"duty.waived".to_owned()));
        assert_eq!(own.post(&path, &waiver).await.expect(409).problem(), "duty-closed");
        let record = text(&world.duty(&filed, "gdpr_33_5", 0).await["id"]);
        let refused = own.post(&format!("/v1/duties/{record}/waiver"), &waiver).await.expect(409);
        assert_eq!(refused.problem(), "no-threshold");
        let notice = text(&world.duty(&filed, "contract_notice", 0).await["id"]);
        own.post(&format!("/v1/duties/{notice}/waiver"), &waiver).await.expect(403);
    }
}
