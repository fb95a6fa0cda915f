//! What a dispute does: to the ladders of its notice, to tasks, and who of the processor hears of it.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::ladders::{escalation, tasks};
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{World, rfc3339, text};

/// A notice that has not arrived after six hours, so that somebody has to call, and the processor's own endpoint.
async fn unheard(app: &TestApp) -> (World, Value, Receiver) {
    let world = app.world(1).await;
    let desk = Receiver::start();
    let webhook = json!({"url": desk.url("/desk"), "events": ["notice.*"]});
    world.processor().post("/v1/webhooks", &webhook).await.expect(201);
    world.receiver.reply(Reply::Status(500));
    world.file().await;
    app.step_workers().await;
    app.advance(Duration::hours(6));
    app.step_workers().await;
    let notice = world.notice(0).await;
    (world, notice, desk)
}

async fn dispute(world: &World, notice: &Value, reason: &str) {
    let body = json!({"reason": reason, "by": {"name": "Privacy desk", "role": "dpo"}, "note": "Nicht unser Produkt."});
    let path = format!("/v1/notices/{}/dispute", text(&notice["id"]));
    world.controller_client(0).post(&path, &body).await.expect(200);
}

/// Means and state of all tasks.
async fn means(world: &World) -> Vec<(String, String)> {
    let mut found: Vec<_> =
        tasks(world, "").await.iter().map(|one| (text(&one["means"]), text(&one["state"]))).collect();
    found.sort_unstable();
    found
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, two)| ((*one).into(), (*two).into())).collect()
}

both! {
    async fn whoever_is_not_concerned_is_asked_for_nothing_more(app: TestApp) {
        let (world, notice, desk) = unheard(&app).await;
        assert_eq!(means(&world).await, pairs(&[("phone", "open")]));
        dispute(&world, &notice, "not_ours").await;
        let ladders = escalation(&world, &notice).await;
        assert_eq!((&ladders["until_delivered"]["over"], &ladders["until_acknowledged"]["over"]), (&json!("disputed"), &json!("disputed")));
        assert_eq!(means(&world).await, pairs(&[("clarify", "open"), ("phone", "closed")]));
        app.step_workers().await;
        let told = desk.taken().await;
        let told: Vec<_> = told.iter().filter(|one| one.json["type"] == "notice.disputed").collect();
        let [only] = told[..] else { panic!("{}", told.len()) };
        let data = &only.json["data"];
        assert_eq!((&data["notice"], &data["reason"], &data["disputed_at"]), (&notice["id"], &json!("not_ours"), &json!(rfc3339(app.now()))));
        assert_eq!(data["controller"]["id"], json!(world.controllers[0].id));
        assert!(!only.json.to_string().contains("Produkt"), "what the controller says in words stays in the receipt");
        app.advance(Duration::days(2));
        app.step_workers().await;
        assert_eq!(escalation(&world, &notice).await, ladders, "no step fires any more");
        let summary = world.processor().get(&format!("/v1/notices/{}", text(&notice["id"]))).await.expect(200).json;
        assert_eq!(summary["delivered_at"], Value::Null, "what the processor hears itself is no delivery");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn whoever_says_that_it_is_wrong_has_still_to_get_it(app: TestApp) {
        let (world, notice, desk) = unheard(&app).await;
        for reason in ["wrong_content", "other"] {
            dispute(&world, &notice, reason).await;
        }
        let ladders = escalation(&world, &notice).await;
        assert_eq!((&ladders["until_delivered"]["over"], &ladders["until_acknowledged"]["over"]), (&Value::Null, &Value::Null));
        assert_eq!(means(&world).await, pairs(&[("clarify", "open"), ("phone", "open")]), "one task, however often it is said");
        app.advance(Duration::hours(12));
        app.step_workers().await;
        let fired = &escalation(&world, &notice).await["until_delivered"]["steps"][4];
        assert_eq!((&fired["action"], &fired["outcome"]), (&json!("courier"), &json!("task")));
        assert_eq!(desk.taken_of("notice.disputed").await.len(), 1);
    }

    async fn talking_it_over_ends_the_task_alone(app: TestApp) {
        let (world, notice, _desk) = unheard(&app).await;
        dispute(&world, &notice, "wrong_content").await;
        let task = tasks(&world, "&state=open").await.into_iter().find(|one| one["means"] == "clarify").unwrap();
        assert_eq!((&task["step"], &task["due_at"]), (&Value::Null, &json!(rfc3339(app.now() + Duration::DAY))));
        let shown = world.processor().get(&format!("/v1/tasks/{}", text(&task["id"]))).await.expect(200).json;
        assert!(shown["script"].to_string().contains("bestreitet"), "{shown}");
        let ladders = escalation(&world, &notice).await;
        let result = json!({"outcome": "wrong_contact", "at": rfc3339(app.now()), "by": "Max Muster"});
        let done = world.processor().post(&format!("/v1/tasks/{}/result", text(&task["id"])), &result).await.expect(200).json;
        app.step_workers().await;
        assert_eq!((&done["state"], escalation(&world, &notice).await), (&json!("closed"), ladders), "it belongs to no step");
        let acknowledged = json!({"content_sha256": notice["content_sha256"], "by": {"name": "Privacy desk", "role": "dpo"}});
        let path = format!("/v1/notices/{}/acknowledgement", text(&notice["id"]));
        world.controller_client(0).post(&path, &acknowledged).await.expect(200);
        assert_eq!(means(&world).await, pairs(&[("clarify", "closed"), ("phone", "closed")]));
    }
}
