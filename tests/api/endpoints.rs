//! How endpoints fare: they prove themselves, are probed every week, and are told everything that is owed once they work again.

use art33::store::{AnyConnection, StoreError, endpoints};
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::receiver::Reply;
use crate::harness::world::{PROCESSOR, World, agreement, filing, instant, merge, rfc3339, text};

fn wrong_echo() -> Reply {
    Reply::With(200, ("content-type", "application/json".to_owned()), r#"{"challenge": "something else"}"#.to_owned())
}

/// The endpoint of the first controller as the processor sees it.
async fn endpoint(world: &World) -> Value {
    world.processor().get(&path(world)).await.expect(200).json
}

fn path(world: &World) -> String {
    format!("/v1/endpoints/{}", world.controllers[0].webhook)
}

/// Moves the endpoint of the first controller to this path of the receiver.
async fn move_to(world: &World, path: &str) {
    let own = format!("/v1/webhooks/{}", world.controllers[0].webhook);
    let tag = world.processor().get(&own).await.expect(200);
    let change = json!({"url": world.receiver.url(path), "events": ["*"]});
    world.processor().put(&own, tag.header("etag"), &change).await.expect(200);
}

async fn ask(world: &World) {
    world.processor().request("POST", &format!("{}/verification", path(world))).send().await.expect(202);
}

async fn unproven(world: &World) -> Vec<(Value, Value)> {
    let listed = world.processor().get("/v1/endpoints/unproven").await.expect(200).json;
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|one| (one["organisation"]["id"].clone(), one["reason"].clone())).collect()
}

/// Files an incident; answers the notice to the first controller and its digest.
async fn file(app: &TestApp, world: &World) -> (String, Value) {
    world.file().await;
    app.step_workers().await;
    let notice = world.notice(0).await;
    (text(&notice["id"]), notice["content_sha256"].clone())
}

async fn acknowledge(world: &World, (notice, sha256): &(String, Value)) {
    let body = json!({"content_sha256": sha256, "by": {"name": "A. Muster", "role": "data protection officer"}});
    world.controller_client(0).post(&format!("/v1/notices/{notice}/acknowledgement"), &body).await.expect(200);
}

/// The notices that have arrived at the receiver and were not looked at yet, sorted.
async fn arrived(world: &World) -> Vec<String> {
    let arrived = world.receiver.taken_of("notice.initial").await;
    let mut notices: Vec<_> = arrived.iter().map(|one| text(&one.json["data"]["notice"])).collect();
    notices.sort();
    notices
}

both! {
    async fn an_endpoint_that_echoes_is_proven_and_shows_only_where_it_leads(app: TestApp) {
        let world = app.world(1).await;
        let shown = endpoint(&world).await;
        let now = json!(rfc3339(app.now()));
        assert_eq!((&shown["health"], &shown["verified_at"], &shown["proven_at"]), (&json!("healthy"), &now, &now));
        assert_eq!(instant(&shown["next_probe_at"]), app.now() + Duration::WEEK);
        assert_eq!(shown["address"], world.receiver.url(""));
        assert_eq!(shown["organisation"]["id"], world.controllers[0].id);
        assert_eq!(shown["registered_by"]["id"], world.processor);
        let last = &shown["attempts"][0];
        assert_eq!((&last["type"], &last["outcome"], &last["status"]), (&json!("endpoint.verify"), &json!("delivered"), &json!(200)));
        assert!(last.get("peer").is_none() && last.get("url").is_none(), "{last}");
        assert_eq!(world.controller_client(0).get(&path(&world)).await.expect(200).json, shown);
    }

    async fn a_new_address_has_to_prove_itself_and_a_new_secret_has_not(app: TestApp) {
        let world = app.world(1).await;
        let rotate = format!("/v1/webhooks/{}/rotate", world.controllers[0].webhook);
        world.processor().request("POST", &rotate).send().await.expect(200);
        assert_eq!(endpoint(&world).await["health"], "healthy");
        world.receiver.verify_with(Some(wrong_echo()));
        move_to(&world, "/moved").await;
        let moved = endpoint(&world).await;
        assert_eq!((&moved["health"], &moved["verified_at"], &moved["proven_at"]), (&json!("unverified"), &Value::Null, &Value::Null));
        for (reply, status) in [(wrong_echo(), 200), (Reply::Status(204), 204), (Reply::Status(202), 202)] {
            world.receiver.verify_with(Some(reply));
            ask(&world).await;
            app.step_workers().await;
            let shown = endpoint(&world).await;
            assert_eq!((&shown["health"], &shown["last_failure"]), (&json!("unverified"), &json!("no_echo")));
            let last = &shown["attempts"][0];
            let class = (&last["outcome"], &last["kind"], &last["status"]);
            assert_eq!(class, (&json!("configuration"), &json!("no_echo"), &json!(status)));
        }
        world.receiver.verify_with(None);
        ask(&world).await;
        app.step_workers().await;
        let proven = endpoint(&world).await;
        assert_eq!((&proven["health"], &proven["failures"], &proven["failing_since"]), (&json!("healthy"), &json!(0), &Value::Null));
    }

    async fn the_echo_of_an_address_before_proves_nothing(app: TestApp) {
        let world = app.world(1).await;
        move_to(&world, "/moved").await;
        let (id, now) = (world.controllers[0].webhook.parse().unwrap(), app.now());
        let before = world.receiver.url("/0");
        let prove = move |connection: &mut AnyConnection| endpoints::prove(connection, &id, &before, now);
        assert_eq!(app.service().store.write::<_, StoreError>(prove).await.unwrap(), None);
        assert_eq!(endpoint(&world).await["health"], "unverified");
    }

    async fn the_weekly_probe_finds_a_dead_endpoint_before_a_breach(app: TestApp) {
        let world = app.world(1).await;
        assert_eq!(unproven(&world).await, []);
        world.receiver.verify_with(Some(Reply::Status(500)));
        app.advance(Duration::days(6) - Duration::SECOND);
        app.step_workers().await;
        assert!(world.receiver.taken().await.is_empty(), "not before its time");
        app.advance(Duration::DAY + Duration::SECOND);
        let died_at = app.now();
        for _ in 0..3 {
            app.step_workers().await;
            app.advance(Duration::minutes(2));
        }
        let shown = endpoint(&world).await;
        assert_eq!((&shown["health"], &shown["last_failure"]), (&json!("degraded"), &json!("status_5xx")));
        assert_eq!(instant(&shown["failing_since"]), died_at);
        let next = instant(&shown["next_probe_at"]) - died_at;
        assert!(next > Duration::days(6) && next <= Duration::WEEK, "{next}");
        assert_eq!(instant(&shown["proven_at"]), died_at - Duration::WEEK, "the date of the last good result");
        assert_eq!(unproven(&world).await, [(json!(world.controllers[0].id), json!("failing"))]);
        let listed = world.processor().get("/v1/endpoints?health=degraded").await.expect(200).json;
        assert_eq!(listed["items"][0]["id"], world.controllers[0].webhook);

        // A probe ends with its day; the next week brings another.
        app.advance(Duration::days(2));
        app.step_workers().await;
        world.receiver.taken().await;
        app.advance(Duration::DAY);
        app.step_workers().await;
        assert!(world.receiver.taken().await.is_empty());
        world.receiver.verify_with(None);
        app.advance(Duration::WEEK);
        app.step_workers().await;
        let again = endpoint(&world).await;
        assert_eq!((&again["health"], instant(&again["proven_at"])), (&json!("healthy"), app.now()));
        assert_eq!(unproven(&world).await, []);
    }

    async fn endpoints_are_probed_each_at_its_own_time(app: TestApp) {
        let world = app.world(4).await;
        app.advance(Duration::WEEK);
        assert_eq!(app.service().probe_endpoints().await.unwrap(), 4);
        assert_eq!(app.service().probe_endpoints().await.unwrap(), 0);
        app.step_workers().await;
        let listed = world.processor().get("/v1/endpoints").await.expect(200).json;
        let times: std::collections::BTreeSet<_> =
            listed["items"].as_array().unwrap().iter().map(|one| text(&one["next_probe_at"])).collect();
        assert_eq!(times.len(), 4, "spread, so that they never come all at once: {times:?}");
    }

    async fn controllers_without_a_proven_channel_are_listed_with_the_reason(app: TestApp) {
        let world = app.world(3).await;
        let staff = world.processor();
        let register = async |name: &str, more: Value| {
            let body = json!({"name": name, "roles": ["controller"], "country": "DE"});
            let id = staff.post("/v1/organisations", &body).await.expect(201).id();
            let mut body = agreement(&id, &format!("AVV-{name}"), "");
            body["terms"].as_object_mut().unwrap().remove("addressees");
            merge(&mut body, &more);
            staff.post("/v1/agreements", &body).await.expect(201);
            id
        };
        let bare = register("Ohne AG", json!({})).await;
        register("Vorbei AG", json!({"valid_until": "2026-11-21"})).await;
        let rival = app.organisation("Zweite GmbH", &["processor"]).await;
        // Proven, but between the controller and another processor.
        let common = app.organisation("Gemeinsam AG", &["controller"]).await;
        let mut body = agreement(&common, "AVV-common", "");
        body["terms"].as_object_mut().unwrap().remove("addressees");
        staff.post("/v1/agreements", &body).await.expect(201);
        let webhook = json!({"url": world.receiver.url("/rival"), "events": ["*"], "organisation": common});
        app.as_org(&rival, PROCESSOR).post("/v1/webhooks", &webhook).await.expect(201);
        app.step_workers().await;
        world.receiver.verify_with(Some(Reply::Status(204)));
        move_to(&world, "/moved").await;
        app.step_workers().await;
        world.receiver.reply(Reply::Status(410));
        let told = json!([{"controller": world.controllers[1].id}]);
        staff.post("/v1/incidents", &filing(app.now(), &told)).await.expect(201);
        app.step_workers().await;

        let reasons = [(&world.controllers[0].id, "never_proven"), (&world.controllers[1].id, "gone"),
                       (&bare, "no_endpoint"), (&common, "no_endpoint")];
        let expected: Vec<_> = reasons.iter().map(|(id, reason)| (json!(id), json!(reason))).collect();
        let mut found = unproven(&world).await;
        found.sort_by_key(|(id, _)| expected.iter().position(|(known, _)| known == id));
        assert_eq!(found, expected);
        let mut paged = Vec::new();
        let mut next = json!("");
        while let Some(cursor) = next.as_str() {
            let query = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
            let page = staff.get(&format!("/v1/endpoints/unproven?limit=1{query}")).await.expect(200).json;
            paged.extend(page["items"].as_array().unwrap().clone());
            next = page["next"].clone();
        }
        assert_eq!(paged.len(), 4);
        let gone = paged.iter().find(|one| one["reason"] == "gone").unwrap();
        assert_eq!((&gone["agreements"], &gone["endpoints"][0]["last_failure"]), (&json!(1), &json!("gone")));
        assert!(gone["endpoints"][0]["proven_at"].is_string());
        assert_eq!(world.controller_client(0).get("/v1/endpoints/unproven").await.status, 403);
        assert_eq!(app.as_org(&rival, PROCESSOR).get("/v1/endpoints/unproven").await.expect(200).json["items"], json!([]));
    }

    async fn lists_show_own_endpoints_only_and_are_narrowed(app: TestApp) {
        let world = app.world(2).await;
        let stranger = app.organisation("Fremd GmbH", &["processor"]).await;
        let count = async |client: crate::harness::client::Client, query: &str| {
            client.get(&format!("/v1/endpoints{query}")).await.expect(200).json["items"].as_array().unwrap().len()
        };
        assert_eq!(count(world.processor(), "").await, 2);
        assert_eq!(count(world.processor(), &format!("?organisation={}", world.controllers[0].id)).await, 1);
        assert_eq!(count(world.processor(), "?channel=webhook&health=healthy").await, 2);
        assert_eq!(count(world.processor(), "?channel=email").await, 0);
        assert_eq!(count(world.controller_client(0), "").await, 1);
        assert_eq!(count(app.as_org(&stranger, PROCESSOR), "").await, 0);
        for bad in ["?health=ill", "?channel=manual", "?organisation=x", "?more=1"] {
            world.processor().get(&format!("/v1/endpoints{bad}")).await.expect(400);
        }
    }

    async fn the_first_success_after_trouble_sends_everything_that_is_owed_once(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let owed = file(&app, &world).await;
        let seen = file(&app, &world).await;
        world.receiver.reply(Reply::Status(410));
        let gone = file(&app, &world).await;
        let gone_but_seen = file(&app, &world).await;
        assert_eq!(endpoint(&world).await["health"], "gone");
        for known in [&seen, &gone_but_seen] {
            acknowledge(&world, known).await;
        }
        arrived(&world).await;

        world.receiver.reply(Reply::Status(204));
        ask(&world).await;
        app.step_workers().await;
        let mut expected = vec![owed.0, gone.0];
        expected.sort();
        assert_eq!(arrived(&world).await, expected, "both at once and once each, without what was acknowledged");
        assert_eq!(endpoint(&world).await["health"], "healthy");
        app.advance(Duration::days(2));
        app.step_workers().await;
        assert_eq!(arrived(&world).await, [""; 0]);
    }

    async fn the_message_that_got_through_is_not_sent_again_by_the_recovery(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(503));
        let mut owed = vec![file(&app, &world).await.0];
        app.advance(Duration::SECOND * 5);
        for _ in 0..3 {
            owed.push(file(&app, &world).await.0);
        }
        owed.sort();
        arrived(&world).await;
        world.receiver.reply(Reply::Status(204));
        let first = world.processor().get(&format!("/v1/notices/{}/deliveries", owed[0])).await.expect(200).json;
        app.advance(instant(&first["items"][0]["next_at"]) - app.now());
        app.step_workers().await;
        assert_eq!(arrived(&world).await, owed, "each of them once, those too that were due later");
    }
}
