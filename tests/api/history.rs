//! The whole history of a notice, in order of time, as its two sides may see it.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::four_eyes;
use crate::harness::app::TestApp;
use crate::harness::client::Client;
use crate::harness::receiver::Reply;
use crate::harness::world::{PROCESSOR, instant, text};

async fn items(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.expect(200).json["items"].as_array().unwrap().clone()
}

fn told(items: &[Value]) -> Vec<(String, Value, Value)> {
    items.iter().map(|one| (text(&one["kind"]), one["what"].clone(), one["result"].clone())).collect()
}

fn event(kind: &str, what: Value, result: Value) -> (String, Value, Value) {
    (kind.to_owned(), what, result)
}

both! {
    async fn everything_stands_in_the_order_in_which_it_happened(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "page").await;
        let filed = world.processor().post("/v1/incidents", &world.filing()).await.expect(201);
        world.receiver.reply_once(Reply::Status(500));
        app.advance(Duration::MINUTE);
        let body = json!({"version": 1, "content_sha256": filed.json["release"]["content_sha256"]});
        let second = app.as_person(&world.processor, PROCESSOR, "a-second-person");
        second.post(&format!("/v1/incidents/{}/release", filed.id()), &body).await.expect(200);
        app.advance(Duration::MINUTE);
        app.step_workers().await;
        app.advance(instant(&world.delivery(0).await["next_at"]) - app.now());
        app.step_workers().await;
        app.advance(Duration::MINUTE);
        let notice = world.notice(0).await;
        let path = format!("/v1/notices/{}", text(&notice["id"]));
        let own = world.controller_client(0);
        own.get(&path).await.expect(200);
        app.advance(Duration::MINUTE);
        let by = json!({"name": "A. Muster", "role": "data protection officer"});
        let body = json!({"content_sha256": notice["content_sha256"], "by": by});
        own.post(&format!("{path}/acknowledgement"), &body).await.expect(200);
        app.advance(Duration::MINUTE);
        world.processor().request("POST", &format!("{path}/redeliver")).send().await.expect(202);
        app.step_workers().await;

        let history = format!("{path}/history");
        let seen = items(&world.processor(), &history).await;
        let initial = || json!("notice.initial");
        let expected = [
            event("made", initial(), Value::Null),
            event("released", Value::Null, json!("released")),
            event("attempted", initial(), json!("transient")),
            event("attempted", initial(), json!("delivered")),
            event("receipt", json!("delivered"), Value::Null),
            event("receipt", json!("accessed"), Value::Null),
            event("receipt", json!("acknowledged"), Value::Null),
            event("redelivery_requested", Value::Null, Value::Null),
            event("attempted", initial(), json!("delivered")),
        ];
        assert_eq!(told(&seen), expected);
        assert!(seen.is_sorted_by_key(|one| instant(&one["at"])));
        assert_eq!((&seen[1]["by"], &seen[6]["by"]), (&json!("a-second-person"), &json!("A. Muster")));
        let refused = &seen[2];
        let class = (&refused["number"], &refused["channel"], &refused["reason"], &refused["status"]);
        assert_eq!(class, (&json!(1), &json!("webhook"), &json!("status_5xx"), &json!(500)));
        assert_eq!(refused["endpoint"], world.controllers[0].webhook);

        let concerns: Vec<_> = expected.iter().filter(|one| one.0 != "released").cloned().collect();
        assert_eq!(told(&items(&own, &history).await), concerns, "four eyes are the processor's own business");

        let mut paged = Vec::new();
        let mut next = json!("");
        while let Some(cursor) = next.as_str() {
            let query = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
            let page = world.processor().get(&format!("{history}?limit=2{query}")).await.expect(200).json;
            paged.extend(page["items"].as_array().unwrap().clone());
            next = page["next"].clone();
        }
        assert_eq!(paged, seen);
    }

    async fn a_step_that_fired_stands_in_the_history_of_the_processor_alone(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        app.advance(Duration::hours(3));
        app.step_workers().await;
        let path = format!("/v1/notices/{}/history", text(&world.notice(0).await["id"]));
        let steps: Vec<_> =
            items(&world.processor(), &path).await.into_iter().filter(|one| one["kind"] == "escalated").collect();
        assert!(!steps.is_empty() && steps.iter().all(|one| instant(&one["at"]) <= app.now()), "{steps:?}");
        let own = items(&world.controller_client(0), &path).await;
        assert!(own.iter().all(|one| one["kind"] == "made" || one["kind"] == "attempted"), "{own:?}");
    }

    async fn nobody_sees_the_history_of_what_it_may_not_see(app: TestApp) {
        let world = app.world(2).await;
        four_eyes(&world, "page").await;
        world.processor().post("/v1/incidents", &world.filing()).await.expect(201);
        for notice in items(&world.processor(), "/v1/notices").await {
            let path = format!("/v1/notices/{}/history", text(&notice["id"]));
            assert_eq!(told(&items(&world.processor(), &path).await).len(), 1);
            for index in 0..2 {
                world.controller_client(index).get(&path).await.expect(404);
            }
        }
    }
}
