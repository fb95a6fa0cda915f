//! What was filed with authorities: the first filing fulfils the duty, late ones need a reason, and nobody files for another unasked.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::{below, decision, declare, recorded, told, told_in_part};
use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::world::{World, merge, rfc3339, text};

const AT: &str = "2026-11-22T00:40:00Z";

async fn state(world: &World, incident: &Value, obligation: &str, index: usize) -> String {
    text(&world.duty(incident, obligation, index).await["state"])
}

async fn items(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.expect(200).json["items"].as_array().unwrap().clone()
}

/// The processor records a filing on a controller's behalf.
async fn on_behalf(world: &World, incident: &Value, index: usize, more: &Value) -> Answer {
    let mut body = recorded(AT, more);
    merge(&mut body, &json!({"controller": world.controllers[index].id}));
    world.processor().post(&below(incident, "filings"), &body).await
}

both! {
    async fn the_first_filing_fulfils_the_duty_and_later_ones_supplement_it(app: TestApp) {
        let (world, filed) = told_in_part(&app).await;
        app.advance(Duration::hours(3));
        let reference = json!({"reference": "LfDI-1", "authority": "de-bw"});
        let first = world.record(&filed, 0, "2026-11-22T04:00:00+01:00", &reference).await.expect(201);
        assert_eq!(first.header("location"), format!("/v1/filings/{}", first.id()));
        let shown = [("stage", json!("initial")), ("late", json!(false)), ("supplements", Value::Null),
                     ("filed_at", json!("2026-11-22T03:00:00Z")), ("authority", json!("de-bw")), ("reference", json!("LfDI-1"))];
        for (member, value) in shown {
            assert_eq!(first.json[member], value, "{member}");
        }
        let duty = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&duty["state"], &duty["late"], &duty["met_at"]), (&json!("met"), &json!(false), &json!("2026-11-22T03:00:00Z")));
        let complement = world.duty(&filed, "gdpr_33_4", 0).await;
        assert_eq!((&complement["state"], &complement["start_at"]), (&json!("running"), &json!("2026-11-22T03:00:00Z")));

        app.advance(Duration::days(9));
        let more = json!({"stage": "complete", "authority": "de-bw"});
        let second = world.record(&filed, 0, &rfc3339(app.now()), &more).await.expect(201).json;
        assert_eq!((&second["supplements"], &second["late"]), (&first.json["id"], &Value::Null), "no reason is asked");
        let after = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&after["late"], &after["met_at"]), (&duty["late"], &duty["met_at"]), "frozen");
        assert_eq!(state(&world, &filed, "gdpr_33_4", 0).await, "met", "complete");

        let own = items(&world.controller_client(0), &below(&filed, "filings")).await;
        assert_eq!(own, [first.json.clone(), second], "oldest first");
        let page = world.processor().get(&(below(&filed, "filings") + "?limit=1")).await.expect(200).json;
        assert_eq!(page["items"], json!([first.json]));
        let next = format!("?cursor={}", text(&page["next"]));
        assert_eq!(items(&world.processor(), &(below(&filed, "filings") + &next)).await, own[1..]);
        let path = first.header("location").to_owned();
        assert_eq!(world.processor().get(&path).await.expect(200).json, own[0]);
    }

    async fn a_complete_first_filing_leaves_nothing_to_follow(app: TestApp) {
        let (world, filed) = told_in_part(&app).await;
        world.record(&filed, 0, AT, &json!({"stage": "complete"})).await.expect(201);
        for obligation in ["gdpr_33_1", "gdpr_33_4"] {
            let duty = world.duty(&filed, obligation, 0).await;
            assert_eq!((&duty["state"], &duty["met_at"]), (&json!("met"), &json!(AT)), "{obligation}");
        }
    }

    async fn a_late_filing_without_reasons_is_refused(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let due = text(&world.duty(&filed, "gdpr_33_1", 0).await["legal_due_at"]);
        app.advance(Duration::days(4));
        app.step_workers().await;
        let refused = world.record(&filed, 0, &due, &json!({})).await.expect(422);
        assert_eq!(refused.faults(), [("/delay_reason", "required")], "at the due time it is late");
        assert_eq!(refused.json["errors"][0]["legal_basis"], "Art. 33(1) sentence 2 GDPR");
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "breached");
        assert_eq!(items(&world.processor(), &below(&filed, "filings")).await, [] as [Value; 0]);
        let reason = json!({"delay_reason": "Geheim: die Spurensuche dauerte"});
        let kept = world.record(&filed, 0, &due, &reason).await.expect(201).json;
        assert_eq!((&kept["late"], &kept["delay_reason"]), (&json!(true), &reason["delay_reason"]));
        let duty = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&duty["state"], &duty["late"]), (&json!("met"), &json!(true)));
        let audit = world.processor().get("/v1/audit?limit=500").await.expect(200).json.to_string();
        assert!(audit.contains("filing.recorded") && !audit.contains("Spurensuche"), "digests only");
    }

    async fn what_cannot_have_been_filed_is_refused(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        app.advance(Duration::days(4));
        let refusals = [
            (json!({"filed_at": "2026-11-27T00:00:00Z", "by": " "}), vec![("/filed_at", "time_in_future"), ("/by", "empty")]),
            (json!({"obligation": "nis2_final"}), vec![("/obligation", "not_owed")]),
            (json!({"obligation": "gdpr_33_5"}), vec![("/obligation", "not_owed")]),
            (json!({"obligation": "gdpr_34"}), vec![("/obligation", "not_started")]),
            (json!({"filed_at": "2026-11-22T00:34:59Z"}), vec![("/filed_at", "before_start")]),
            (json!({"filed_at": "2026-11-26T00:00:00Z", "authority": "de-xx"}),
             vec![("/delay_reason", "required"), ("/authority", "unknown_authority")]),
            (json!({"controller": world.processor}), vec![("/controller", "unknown_controller")]),
            (json!({"instruction": "ins_01m809zzzzzzzzzzzzzzzzzzzz"}), vec![("/instruction", "not_on_behalf")]),
        ];
        for (change, faults) in refusals {
            let refused = world.record(&filed, 0, AT, &change).await.expect(422);
            assert_eq!(refused.faults(), faults, "{change}");
        }
        let detail = world.record(&filed, 0, AT, &json!({"obligation": "gdpr_33_2"})).await.expect(422);
        let detail = text(&detail.json["errors"][0]["detail"]);
        assert!(detail.contains("gdpr_33_1") && detail.contains("gdpr_34") && !detail.contains("gdpr_33_5"), "{detail}");
        world.record(&filed, 0, "2026-11-22T00:35:00Z", &json!({})).await.expect(201);

        world.decide(&filed, 0, &decision(true, "exempt_a")).await.expect(201);
        let closed = world.record(&filed, 0, AT, &json!({"obligation": "gdpr_34"})).await.expect(409);
        assert_eq!(closed.problem(), "not-required");
    }

    async fn telling_the_persons_is_recorded_like_a_filing(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        app.advance(Duration::days(2));
        let mut done = decision(true, "done");
        done["decided_at"] = json!("2026-11-22T09:00:00Z");
        world.decide(&filed, 0, &done).await.expect(201);
        assert_eq!(state(&world, &filed, "gdpr_34", 0).await, "running", "that it was done is still to be recorded");
        let told = world.record(&filed, 0, "2026-11-22T12:00:00Z", &json!({"obligation": "gdpr_34"})).await.expect(201).json;
        assert_eq!((&told["authority"], &told["late"]), (&Value::Null, &Value::Null));
        let duty = world.duty(&filed, "gdpr_34", 0).await;
        assert_eq!((&duty["state"], &duty["met_at"]), (&json!("met"), &json!("2026-11-22T12:00:00Z")));
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "running", "that is another duty");
    }

    async fn two_controllers_of_one_incident_know_nothing_of_each_other(app: TestApp) {
        let (world, filed) = told(&app, 2).await;
        let kept = world.record(&filed, 0, AT, &json!({"reference": "LfDI-secret"})).await.expect(201);
        let path = format!("/v1/filings/{}", kept.id());
        assert_eq!(state(&world, &filed, "gdpr_33_1", 1).await, "running", "everybody files for itself");
        let other = world.controller_client(1);
        other.get(&path).await.expect(404);
        let answer = json!({"answered_at": AT, "text": "Received.", "by": "A. Muster"});
        other.post(&format!("{path}/answer"), &answer).await.expect(404);
        assert_eq!(items(&other, &below(&filed, "filings")).await, [] as [Value; 0]);
        let of_first = format!("{}?controller={}", below(&filed, "filings"), world.controllers[0].id);
        assert_eq!(items(&other, &of_first).await, [] as [Value; 0]);
        assert_eq!(items(&world.processor(), &of_first).await.len(), 1);
        let refused = world.record(&filed, 1, AT, &json!({"controller": world.controllers[0].id})).await.expect(422);
        assert_eq!(refused.faults(), [("/controller", "unknown_controller")]);
        for client in [world.controller_client(0), world.processor()] {
            assert!(client.get("/v1/audit?limit=500").await.expect(200).json.to_string().contains(&kept.id()));
        }
        let seen = other.get("/v1/audit?limit=500").await.expect(200).json.to_string();
        assert!(!seen.contains(&kept.id()) && !seen.contains("filing.recorded"));
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn an_authority_answers_once(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let kept = world.record(&filed, 0, AT, &json!({})).await.expect(201);
        let path = format!("/v1/filings/{}/answer", kept.id());
        let own = world.controller_client(0);
        app.advance(Duration::DAY);
        let answer = json!({"answered_at": "2026-11-22T12:00:00Z", "reference": "LfDI-7", "text": "Geheim: eingestellt", "by": "A. Muster"});
        let refused = own.post(&path, &json!({"answered_at": "2026-11-22T00:39:59Z", "text": "x", "by": "A. Muster"})).await.expect(422);
        assert_eq!(refused.faults(), [("/answered_at", "time_order")]);
        let refused = own.post(&path, &json!({"answered_at": "2026-12-24T00:00:00Z", "note": 1})).await.expect(422);
        assert_eq!(refused.faults(), [("/answered_at", "time_in_future"), ("/text", "required"), ("/by", "required"), ("/note", "unknown_member")]);
        assert_eq!(world.processor().post(&path, &answer).await.expect(403).problem(), "forbidden");
        let answered = own.post(&path, &answer).await.expect(200).json;
        assert_eq!(answered["answer"], answer);
        assert_eq!(own.post(&path, &answer).await.expect(409).problem(), "already-answered");
        assert_eq!(items(&world.processor(), &below(&filed, "filings")).await, [answered]);
        let audit = own.get("/v1/audit?limit=500").await.expect(200).json.to_string();
        assert!(audit.contains("filing.answered") && !audit.contains("eingestellt"), "digests only");
    }

    async fn nobody_files_on_behalf_without_an_instruction(app: TestApp) {
        let (world, filed) = told(&app, 2).await;
        let refused = on_behalf(&world, &filed, 0, &json!({})).await.expect(409);
        assert_eq!(refused.problem(), "instruction-required");
        let detail = text(&refused.json["detail"]);
        assert!(detail.contains("instruction_required"), "{detail}");
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "running");
        let unnamed = world.processor().post(&below(&filed, "filings"), &recorded(AT, &json!({}))).await.expect(422);
        assert_eq!(unnamed.faults(), [("/controller", "required")]);

        let given = instruct(&world, &filed, 0, "text", AT).await;
        assert_eq!(on_behalf(&world, &filed, 1, &json!({})).await.expect(409).problem(), "instruction-required", "of another");
        let unknown = json!({"instruction": "ins_01m809zzzzzzzzzzzzzzzzzzzz"});
        let refused = on_behalf(&world, &filed, 0, &unknown).await.expect(422);
        assert_eq!(refused.faults(), [("/instruction", "unknown_instruction")]);
        let kept = on_behalf(&world, &filed, 0, &json!({"instruction": given, "reference": "LfDI-9"})).await.expect(201);
        assert_eq!((&kept.json["instruction"], &kept.json["recorded_by"]), (&json!(given), &json!(world.processor)));
        assert_eq!(kept.json["party"], world.controllers[0].id.as_str());
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "met");
        let own = items(&world.controller_client(0), &below(&filed, "filings")).await;
        assert_eq!(own, std::slice::from_ref(&kept.json));
        let answer = json!({"answered_at": AT, "text": "Received.", "by": "B. Beispiel"});
        world.processor().post(&format!("/v1/filings/{}/answer", kept.id()), &answer).await.expect(200);
    }

    async fn an_instruction_that_does_not_hold_covers_nothing(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let refused = |answer: Answer, why: &str| {
            let detail = text(&answer.expect(409).json["detail"]);
            assert!(detail.contains(why), "{detail}");
        };
        let oral = instruct(&world, &filed, 0, "oral", AT).await;
        refused(on_behalf(&world, &filed, 0, &json!({})).await, "oral");
        refused(on_behalf(&world, &filed, 0, &json!({"instruction": oral})).await, "oral");
        let written = instruct(&world, &filed, 0, "text", AT).await;
        let objection = json!({"by": "C. Recht", "reason": "It names the wrong persons."});
        let path = format!("/v1/instructions/{written}/objection");
        assert!(world.processor().post(&path, &objection).await.status < 300);
        refused(on_behalf(&world, &filed, 0, &json!({})).await, "suspended");
        app.advance(Duration::MINUTE);
        let confirmation = json!({"by": "A. Muster", "form": "text", "at": rfc3339(app.now())});
        let path = format!("/v1/instructions/{oral}/confirmation");
        assert!(controller_with_word(&app, &world, 0).post(&path, &confirmation).await.status < 300);
        refused(on_behalf(&world, &filed, 0, &json!({})).await, "confirmed later");
        let kept = on_behalf(&world, &filed, 0, &json!({"filed_at": rfc3339(app.now())})).await.expect(201).json;
        assert_eq!(kept["instruction"], oral.as_str());
    }

    async fn a_filing_sent_twice_is_one(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let send = |more: Value| {
            let request = world.controller_client(0).request("POST", &below(&filed, "filings"));
            request.header("idempotency-key", "one").json(&recorded(AT, &more)).send()
        };
        let first = send(json!({})).await.expect(201);
        assert_eq!(send(json!({})).await.expect(201).json, first.json);
        send(json!({"stage": "complete"})).await.expect(409);
        assert_eq!(items(&world.controller_client(0), &below(&filed, "filings")).await.len(), 1);
    }

    async fn a_chain_of_stages_goes_on_from_filing_to_filing(app: TestApp) {
        let world = app.world(1).await;
        declare(&world.processor(), &world.controllers[0].id, "nis2").await;
        let filed = world.file().await;
        app.step_workers().await;
        let due = |duty: &Value| text(&duty["legal_due_at"]);
        let warning = world.duty(&filed, "bsig_32_early_warning", 0).await;
        assert_eq!((&warning["state"], due(&warning).as_str()), (&json!("running"), "2026-11-23T00:40:00Z"));
        let notification = world.duty(&filed, "bsig_32_notification", 0).await;
        assert_eq!((&notification["state"], due(&notification).as_str()), (&json!("running"), "2026-11-25T00:40:00Z"));
        assert_eq!(state(&world, &filed, "bsig_32_final", 0).await, "not_started");

        app.advance(Duration::hours(20));
        let stage = |code: &str| json!({"obligation": code});
        let kept = world.record(&filed, 0, "2026-11-22T20:40:00Z", &stage("bsig_32_early_warning")).await.expect(201).json;
        assert_eq!((&kept["late"], &kept["authority"]), (&json!(false), &Value::Null), "no data protection authority");
        assert_eq!(state(&world, &filed, "bsig_32_early_warning", 0).await, "met");
        assert_eq!(state(&world, &filed, "bsig_32_notification", 0).await, "running");
        assert_eq!(state(&world, &filed, "gdpr_33_1", 0).await, "running");
        app.advance(Duration::hours(60));
        let kept = world.record(&filed, 0, "2026-11-25T08:40:00Z", &stage("bsig_32_notification")).await.expect(201).json;
        assert_eq!(kept["late"], true, "and this law asks for no reason");
        let last = world.duty(&filed, "bsig_32_final", 0).await;
        assert_eq!((&last["state"], &last["start_at"]), (&json!("running"), &json!("2026-11-25T08:40:00Z")));
        assert_eq!(due(&last), "2026-12-28T23:00:00Z", "a month after the notification, moved on over the weekend");
        app.advance(Duration::days(30));
        world.record(&filed, 0, &rfc3339(app.now()), &stage("bsig_32_final")).await.expect(201);
        let last = world.duty(&filed, "bsig_32_final", 0).await;
        assert_eq!((&last["state"], &last["late"]), (&json!("met"), &json!(false)));
    }

    async fn a_processor_files_what_it_owes_itself(app: TestApp) {
        let world = app.world(2).await;
        declare(&app.operator(), &world.processor, "nis2").await;
        let filed = world.file().await;
        app.step_workers().await;
        let own = |more: Value| recorded(AT, &more);
        let path = below(&filed, "filings");
        let body = own(json!({"obligation": "bsig_32_early_warning"}));
        let kept = world.processor().post(&path, &body).await.expect(201).json;
        assert_eq!((&kept["party"], &kept["instruction"]), (&json!(world.processor), &Value::Null));
        for index in [0, 1] {
            assert_eq!(items(&world.controller_client(index), &path).await, [] as [Value; 0]);
            let seen = world.controller_client(index).get("/v1/audit?limit=500").await.expect(200).json.to_string();
            assert!(!seen.contains("filing.recorded"), "its own affair");
        }
        assert_eq!(items(&world.processor(), &path).await, [kept]);
        let body = own(json!({"obligation": "gdpr_33_1", "controller": world.processor}));
        assert_eq!(world.processor().post(&path, &body).await.expect(422).faults(), [("/obligation", "not_owed")]);
    }
}

/// A controller whose token lets it instruct as well.
fn controller_with_word(app: &TestApp, world: &World, index: usize) -> Client {
    app.as_org(&world.controllers[index].id, "incidents:read instructions:write")
}

/// The controller instructs to file on its behalf; answers the id of the instruction.
async fn instruct(world: &World, incident: &Value, index: usize, form: &str, at: &str) -> String {
    let body = json!({
        "kind": "file_with_authority", "scope": "The report of Art. 33", "form": form, "given_by": "A. Muster", "given_at": at,
        "controller": world.controllers[index].id,
    });
    world.processor().post(&below(incident, "instructions"), &body).await.expect(201).id()
}
