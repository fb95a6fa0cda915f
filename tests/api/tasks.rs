//! Tasks for persons: what to say, what came of it, and what that does to clocks and ladders.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::client::Answer;
use crate::harness::ladders::{escalation, expected, some_task, steps, tasks};
use crate::harness::receiver::Reply;
use crate::harness::world::{CONTROLLER, PROCESSOR, World, rfc3339, text};

fn path(task: &Value) -> String {
    format!("/v1/tasks/{}", text(&task["id"]))
}

fn result(outcome: &str, at: &str) -> Value {
    json!({"outcome": outcome, "at": at, "by": "Max Muster", "spoke_to": "Erika Beispiel"})
}

async fn answer(world: &World, task: &Value, body: &Value) -> Answer {
    world.processor().post(&format!("{}/result", path(task)), body).await
}

/// The notice that a task is about, as its processor reads it.
async fn notice(world: &World, task: &Value) -> Value {
    world.processor().get(&format!("/v1/notices/{}", text(&task["notice"]))).await.expect(200).json
}

both! {
    async fn a_task_says_what_to_say_and_nothing_of_what_happened(app: TestApp) {
        let world = app.world(0).await;
        let task = some_task(&app, &world).await;
        assert_eq!((&task["means"], &task["address"], &task["ladder"]), (&json!("phone"), &json!("+49 711 123456"), &json!("delivered")));
        let shown = world.processor().get(&path(&task)).await.expect(200).json;
        assert_eq!((&shown["language"], &shown["results"]), (&json!("de"), &json!([])));
        let script = shown["script"].to_string();
        let incident = text(&task["incident"]);
        let reference = format!("{}-1", incident[incident.len() - 6..].to_uppercase());
        let breach = "eine Verletzung des Schutzes personenbezogener Daten (Art. 33 Abs. 2 DSGVO)";
        let notice = text(&task["notice"]);
        for said in ["Muster Lernsysteme GmbH", "Fernwerk AG", "on_call", "+49 711 123456", &notice, &reference, breach, "vorlesen", "report_url"] {
            assert!(script.contains(said), "{said}: {script}");
        }
        let url = text(&shown["report_url"]);
        let report = app.as_org(&world.processor, "exports:read").get(&url[url.find("/v1/").unwrap()..]).await.expect(200);
        assert!(report.body.starts_with(b"%PDF"), "staff prints what it reads out or hands over");
        assert!(shown["form"].to_string().contains("Der Inhalt der Mitteilung wurde vorgelesen oder übergeben"));
        for unsaid in ["Open share link", "confidentiality", "A link was public"] {
            assert!(!shown.to_string().contains(unsaid), "{unsaid}: {shown}");
        }
        assert_eq!(shown["form"]["required"], json!(["outcome", "at", "by"]));
    }

    async fn whoever_was_informed_has_the_notice(app: TestApp) {
        let world = app.world(0).await;
        let task = some_task(&app, &world).await;
        app.advance(Duration::hours(1));
        let at = rfc3339(app.now() - Duration::minutes(20));
        let done = answer(&world, &task, &result("informed", &at)).await.expect(200).json;
        assert_eq!((&done["state"], &done["results"][0]["spoke_to"]), (&json!("done"), &json!("Erika Beispiel")));
        let told = notice(&world, &task).await;
        assert_eq!((&told["state"], &told["delivered_at"]), (&json!("delivered"), &json!(at)));
        let receipt = told["receipts"].as_array().unwrap().iter().find(|one| one["level"] == "delivered").unwrap();
        assert_eq!((&receipt["at"], &receipt["by"]["name"]), (&json!(at), &json!("Max Muster")));
        let board = format!("/v1/duties?limit=500&incident={}", text(&task["incident"]));
        let duties = world.processor().get(&board).await.expect(200).json;
        let duty = |code: &str| duties["items"].as_array().unwrap().iter().find(|one| one["obligation"] == code).unwrap();
        assert_eq!(duty("gdpr_33_1")["start_at"], json!(at), "the controller's clock starts when it was told");
        assert_eq!(duty("contract_notice")["state"], "met");
        let ladders = escalation(&world, &json!({"id": task["notice"]})).await;
        let over = (&ladders["until_delivered"]["over"], &ladders["until_acknowledged"]["over"]);
        assert_eq!(over, (&json!("delivered"), &json!(null)));
        let again = answer(&world, &task, &result("informed", &at)).await.expect(409);
        assert_eq!(again.problem(), "task-closed");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn a_call_before_the_recorded_delivery_counts(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        app.advance(Duration::hours(6));
        app.step_workers().await;
        let task = tasks(&world, "").await.remove(0);
        let at = rfc3339(app.now() + Duration::minutes(10));
        app.advance(Duration::hours(1));
        world.receiver.reply(Reply::Status(204));
        app.step_workers().await;
        let machine = rfc3339(app.now());
        let authority = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&authority["start_at"], &tasks(&world, "").await[0]["state"]), (&json!(machine), &json!("closed")));
        app.advance(Duration::MINUTE);
        let late = answer(&world, &task, &result("informed", &rfc3339(app.now()))).await.expect(409);
        assert_eq!(late.problem(), "task-closed", "after it was closed nobody had to call");
        answer(&world, &task, &result("informed", &at)).await.expect(200);
        let told = notice(&world, &task).await;
        assert_eq!((&told["delivered_at"], &told["informed_at"]), (&json!(at), &json!(at)));
        let authority = world.processor().get(&format!("/v1/duties/{}", text(&authority["id"]))).await.expect(200).json;
        assert_eq!((&authority["start_at"], &authority["earlier_clocks"][0]["start_at"]), (&json!(at), &json!(machine)));
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn who_was_not_reached_is_tried_again(app: TestApp) {
        let world = app.world(0).await;
        let task = some_task(&app, &world).await;
        let at = rfc3339(app.now());
        let open = answer(&world, &task, &result("not_reached", &at)).await.expect(200).json;
        assert_eq!((&open["state"], open["results"].as_array().unwrap().len()), (&json!("open"), 1));
        let done = answer(&world, &task, &result("informed", &at)).await.expect(200).json;
        let outcomes: Vec<_> = done["results"].as_array().unwrap().iter().map(|one| text(&one["outcome"])).collect();
        assert_eq!(outcomes, ["not_reached", "informed"]);
    }

    async fn the_wrong_contact_brings_the_next_step_now(app: TestApp) {
        let world = app.world(0).await;
        let task = some_task(&app, &world).await;
        let ladder = || async { escalation(&world, &json!({"id": task["notice"]})).await["until_delivered"].clone() };
        assert_eq!(steps(&ladder().await).len(), 2);
        let closed = answer(&world, &task, &result("wrong_contact", &rfc3339(app.now()))).await.expect(200).json;
        assert_eq!(closed["state"], "closed");
        app.step_workers().await;
        let fired = [("next_channel", "fired", "task"), ("email_contacts", "fired", "nobody"), ("phone", "open", "")];
        assert_eq!(steps(&ladder().await), expected(&fired));
        assert_eq!(notice(&world, &task).await["delivered_at"], json!(null));
        let page = format!("/v1/audit?limit=500&stream={}", text(&task["notice"]));
        let entries = world.processor().get(&page).await.expect(200).json;
        let kinds: Vec<_> = entries["items"].as_array().unwrap().iter().map(|one| text(&one["kind"])).collect();
        assert_eq!(kinds, ["escalation.fired", "task.result_recorded", "escalation.fired"]);
        assert!(!entries.to_string().contains("Erika Beispiel"), "the ledger holds the digest of a result, no names");
    }

    async fn all_faults_of_a_result_come_at_once(app: TestApp) {
        let world = app.world(0).await;
        let task = some_task(&app, &world).await;
        let bad = json!({"outcome": "informed", "at": "2027-01-01T00:00:00Z", "note": ""});
        let refused = answer(&world, &task, &bad).await.expect(422);
        assert_eq!(refused.faults(), [("/at", "time_in_future"), ("/by", "required"), ("/note", "empty"), ("/spoke_to", "required")]);
        let early = answer(&world, &task, &result("informed", "2026-11-20T00:00:00Z")).await.expect(422);
        assert_eq!(early.faults(), [("/at", "time_order")]);
        assert_eq!(tasks(&world, "&state=open").await.len(), 1, "nothing was stored");
    }

    async fn a_result_that_is_sent_twice_counts_once(app: TestApp) {
        let world = app.world(0).await;
        let task = some_task(&app, &world).await;
        let body = result("not_reached", &rfc3339(app.now()));
        let send = || async {
            let request = world.processor().request("POST", &format!("{}/result", path(&task)));
            request.header("idempotency-key", "call-1").json(&body).send().await.expect(200)
        };
        let (first, second) = (send().await, send().await);
        assert_eq!((first.json, second.header("idempotency-replayed")), (second.json.clone(), "true"));
        let shown = world.processor().get(&path(&task)).await.expect(200).json;
        assert_eq!(shown["results"].as_array().unwrap().len(), 1);
    }

    async fn tasks_are_listed_by_what_is_due_and_by_nobody_else(app: TestApp) {
        let world = app.world(0).await;
        let first = some_task(&app, &world).await;
        app.advance(Duration::minutes(1));
        let second = some_task_again(&app, &world).await;
        let all = tasks(&world, "").await;
        assert_eq!(all.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&first["id"], &second["id"]]);
        let page = world.processor().get("/v1/tasks?limit=1").await.expect(200).json;
        let next = format!("/v1/tasks?limit=1&cursor={}", text(&page["next"]));
        assert_eq!(world.processor().get(&next).await.expect(200).json["items"][0]["id"], second["id"]);
        let stranger = app.organisation("Fremde Dienste GmbH", &["processor"]).await;
        let told = app.as_org(&text(&first["controller"]), CONTROLLER);
        for client in [app.as_org(&stranger, PROCESSOR), told] {
            assert_eq!(client.get("/v1/tasks").await.expect(200).json["items"], json!([]));
            assert_eq!(client.get(&path(&first)).await.expect(404).problem(), "not-found");
        }
    }
}

/// A second notice to somebody who can only be called.
async fn some_task_again(app: &TestApp, world: &World) -> Value {
    let known = tasks(world, "").await;
    let filing = crate::harness::world::filing(app.now(), &json!([{"controller": known[0]["controller"]}]));
    let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).id();
    app.step_workers().await;
    tasks(world, &format!("&incident={filed}")).await.remove(0)
}
