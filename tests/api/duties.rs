//! Duties and their clocks: what starts and stops them, how due times are counted, what the board shows and when alarms fire.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::Duration;
use time::macros::datetime;

use crate::harness::app::TestApp;
use crate::harness::client::Client;
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{World, instant, merge, text};

/// A receiver for the processor's own duty events.
pub(crate) async fn desk(world: &World) -> Receiver {
    let desk = Receiver::start();
    let webhook = json!({"url": desk.url("/desk"), "events": ["duty.*"]});
    world.processor().post("/v1/webhooks", &webhook).await.expect(201);
    desk
}

/// Type, step and obligation of what has arrived; repetitions of one message count once.
async fn events(receiver: &Receiver, kind: &str) -> Vec<(String, String, String)> {
    let mut seen = BTreeSet::new();
    let arrived = receiver.taken().await.into_iter().filter(|one| text(&one.json["type"]).starts_with(kind));
    let fresh: Vec<_> = arrived.filter(|one| seen.insert(one.header("webhook-id").to_owned())).collect();
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let event =
        |json: &Value| (said(&json["type"]), said(&json["data"]["step"]), said(&json["data"]["duty"]["obligation"]));
    fresh.iter().map(|one| event(&one.json)).collect()
}

fn event(kind: &str, step: &str, obligation: &str) -> Vec<(String, String, String)> {
    vec![(kind.to_owned(), step.to_owned(), obligation.to_owned())]
}

pub(crate) async fn board(client: &Client, query: &str) -> Vec<Value> {
    let page = client.get(&format!("/v1/duties?limit=500{query}")).await.expect(200).json;
    page["items"].as_array().unwrap().clone()
}

fn ids(duties: &[Value]) -> Vec<String> {
    duties.iter().map(|duty| text(&duty["id"])).collect()
}

both! {
    async fn filing_starts_one_clock_and_delivery_the_other(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        let contract = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&contract["state"], &contract["start_at"]), (&json!("running"), &json!("2026-11-22T00:10:00Z")));
        assert_eq!(contract["alarm_at"], "2026-11-23T00:10:00Z");
        assert_eq!((&contract["legal_due_at"], &contract["counting_rule"]), (&contract["alarm_at"], &json!("natural_hours")));
        let authority = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!(authority["state"], "not_started");
        for member in ["start_at", "alarm_at", "legal_due_at", "met_at", "late", "next_alarm_at"] {
            assert!(authority[member].is_null(), "{member}: {authority}");
        }

        app.advance(Duration::minutes(17));
        app.step_workers().await;
        let contract = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&contract["state"], &contract["met_at"]), (&json!("met"), &json!("2026-11-22T00:57:00Z")));
        assert_eq!((&contract["late"], &contract["next_alarm_at"]), (&json!(false), &Value::Null));
        let authority = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&authority["state"], &authority["start_at"]), (&json!("running"), &json!("2026-11-22T00:57:00Z")));
        assert_eq!(authority["alarm_at"], "2026-11-25T00:57:00Z", "moment to moment");
        assert_eq!(authority["legal_due_at"], "2026-11-25T01:00:00Z", "the hour of the event is not counted");
        assert_eq!(authority["recipient"], "supervisory_authority");
        assert_eq!(authority["debtor"], world.controllers[0].id.as_str());
    }

    async fn alarms_fire_once_each_and_the_breach_is_recorded(app: TestApp) {
        let world = app.world(1).await;
        let desk = desk(&world).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        world.receiver.taken().await;
        let steps = [
            ("duty.due_soon", "half", datetime!(2026-11-22 12:10 UTC)),
            ("duty.due_soon", "three_quarters", datetime!(2026-11-22 18:10 UTC)),
            ("duty.due_soon", "nine_tenths", datetime!(2026-11-22 21:46 UTC)),
            ("duty.overdue", "overdue", datetime!(2026-11-23 00:10 UTC)),
        ];
        for (kind, step, at) in steps {
            app.advance(at - app.now() - Duration::MICROSECOND);
            app.step_workers().await;
            assert_eq!(events(&desk, "duty.").await, [], "before {step}");
            assert_eq!(world.duty(&filed, "contract_notice", 0).await["state"], "running");
            app.advance(Duration::MICROSECOND);
            app.step_workers().await;
            app.step_workers().await;
            assert_eq!(events(&desk, "duty.").await, event(kind, step, "contract_notice"));
        }
        let told = events(&world.receiver, "duty.").await;
        assert_eq!(told, event("duty.overdue", "overdue", "contract_notice"), "the controller hears of the breach only");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["state"], "breached");
        assert_eq!(ids(&board(&world.processor(), "&state=breached").await).len(), 1);
        app.advance(Duration::days(9));
        app.step_workers().await;
        assert_eq!(events(&desk, "duty.").await, []);
    }

    async fn after_downtime_only_the_highest_step_fires(app: TestApp) {
        let world = app.world(1).await;
        let desk = desk(&world).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.advance(Duration::hours(22));
        app.step_workers().await;
        assert_eq!(events(&desk, "duty.").await, event("duty.due_soon", "nine_tenths", "contract_notice"));
        app.advance(Duration::days(2));
        app.step_workers().await;
        assert_eq!(events(&desk, "duty.").await, event("duty.overdue", "overdue", "contract_notice"));
        let stream = text(&filed["id"]);
        let audit = world.processor().get(&format!("/v1/audit?stream={stream}")).await.expect(200).json;
        let alarms: Vec<_> = audit["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "duty.alarm").collect();
        assert_eq!(alarms.len(), 2);
        assert_eq!(alarms[0]["facts"]["skipped"], json!(["half", "three_quarters"]));
        assert_eq!(alarms[1]["facts"]["late_ms"], 167_400_000, "46 hours and a half after the last step");
    }

    async fn a_late_delivery_is_late_for_ever(app: TestApp) {
        let world = app.world(1).await;
        let desk = desk(&world).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        app.advance(Duration::hours(26));
        app.step_workers().await;
        desk.taken().await;
        world.receiver.reply(Reply::Status(204));
        app.advance(Duration::hours(2));
        app.step_workers().await;
        let late = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&late["state"], &late["late"]), (&json!("met"), &json!(true)));
        assert_eq!(instant(&late["met_at"]), app.now());
        assert_eq!(events(&desk, "duty.met").await, event("duty.met", "", "contract_notice"));

        app.advance(Duration::HOUR);
        let path = format!("/v1/notices/{}/redeliver", text(&world.notice(0).await["id"]));
        world.processor().request("POST", &path).send().await.expect(202);
        app.step_workers().await;
        assert_eq!(world.delivery(0).await["state"], "delivered");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await, late, "a second delivery heals nothing");
        assert_eq!(events(&desk, "duty.").await, []);
    }

    async fn whoever_wants_one_event_about_duties_gets_that_alone(app: TestApp) {
        let world = app.world(1).await;
        let (one, none) = (Receiver::start(), Receiver::start());
        for (receiver, wanted) in [(&one, "duty.met"), (&none, "notice.*")] {
            let webhook = json!({"url": receiver.url("/desk"), "events": [wanted]});
            world.processor().post("/v1/webhooks", &webhook).await.expect(201);
        }
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.advance(Duration::hours(13));
        app.step_workers().await;
        assert_eq!(events(&one, "duty.").await, [], "half of the time is over, and nobody here wants to know");
        world.receiver.reply(Reply::Status(204));
        app.advance(Duration::hours(2));
        app.step_workers().await;
        assert_eq!(events(&one, "duty.").await, event("duty.met", "", "contract_notice"));
        assert_eq!(events(&none, "duty.").await, []);
    }

    async fn the_last_instant_is_late(app: TestApp) {
        let world = app.world(2).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.advance(datetime!(2026-11-23 00:09:59.999999 UTC) - app.now());
        world.receiver.reply(Reply::Status(204));
        acknowledge(&world, 0).await;
        app.advance(Duration::MICROSECOND);
        acknowledge(&world, 1).await;
        let late = [world.duty(&filed, "contract_notice", 0).await, world.duty(&filed, "contract_notice", 1).await];
        assert_eq!(late.map(|duty| duty["late"].clone()), [json!(false), json!(true)]);
    }

    async fn without_undue_delay_is_never_breached_nor_late(app: TestApp) {
        let world = app.world(1).await;
        let path = format!("/v1/agreements/{}", world.controllers[0].agreement);
        let known = world.processor().get(&path).await.expect(200);
        let mut change = crate::harness::world::agreement("", "AVV-0", &world.controllers[0].webhook);
        change.as_object_mut().unwrap().remove("controller");
        merge(&mut change, &json!({"terms": {"notify_within": "without_undue_delay"}}));
        world.processor().put(&path, known.header("etag"), &change).await.expect(200);
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        let duty = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&duty["legal_due_at"], &duty["internal_target_at"]), (&Value::Null, &json!("2026-11-22T12:10:00Z")));
        app.advance(Duration::days(40));
        app.step_workers().await;
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["state"], "running");
        world.receiver.reply(Reply::Status(204));
        app.advance(Duration::hours(2));
        app.step_workers().await;
        let duty = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&duty["state"], &duty["late"]), (&json!("met"), &Value::Null));
    }

    async fn the_statutory_clock_alarms_before_the_law_is_broken(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.advance(Duration::minutes(17));
        app.step_workers().await;
        world.receiver.taken().await;
        app.advance(Duration::hours(72));
        app.step_workers().await;
        let mut told = events(&world.receiver, "duty.").await;
        told.sort();
        let late = ["gdpr_33_1", "gdpr_33_5"].map(|row| event("duty.overdue", "overdue", row)).concat();
        assert_eq!(told, late, "the notification, and the record of the decision");
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["state"], "running");
        app.advance(Duration::minutes(3));
        app.step_workers().await;
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["state"], "breached");
        assert_eq!(events(&world.receiver, "duty.").await, [], "it is told once");
    }

    async fn changed_terms_leave_old_duties_alone(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        let before = world.duty(&filed, "contract_notice", 0).await;
        let path = format!("/v1/agreements/{}", world.controllers[0].agreement);
        let known = world.processor().get(&path).await.expect(200);
        let mut change = crate::harness::world::agreement("", "AVV-0", &world.controllers[0].webhook);
        change.as_object_mut().unwrap().remove("controller");
        merge(&mut change, &json!({"terms": {"notify_within": "PT2H", "internal_target": "PT1H"}}));
        world.processor().put(&path, known.header("etag"), &change).await.expect(200);
        assert_eq!(world.duty(&filed, "contract_notice", 0).await, before);
        let later = world.duty(&world.file().await, "contract_notice", 0).await;
        assert_eq!((&later["span"], &later["agreement_version"]), (&json!("PT2H"), &json!(2)));
    }

    async fn the_board_is_ordered_by_urgency_filtered_and_paged(app: TestApp) {
        let world = app.world(2).await;
        world.receiver.reply(Reply::Status(500));
        let first = world.file().await;
        app.advance(Duration::hours(2));
        let second = world.file().await;
        let all = board(&world.processor(), "").await;
        let alarms: Vec<_> = all.iter().map(|duty| duty["alarm_at"].as_str().unwrap_or("none").to_owned()).collect();
        let (early, late) = ("2026-11-23T00:10:00Z", "2026-11-23T02:10:00Z");
        assert_eq!(alarms[..4], [early, early, late, late]);
        let waiting: Vec<_> = alarms[4..].iter().filter(|alarm| *alarm == "none").collect();
        assert_eq!((alarms.len(), waiting.len()), (16, 12), "those that do not run come last");
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = world.processor().get(&format!("/v1/duties?order=due&limit=3{cursor}")).await.expect(200).json;
            paged.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(ids(&paged), ids(&all));

        let staff = world.processor();
        assert_eq!(board(&staff, "&state=not_started").await.len(), 12);
        assert_eq!(board(&staff, "&state=running").await.len(), 4);
        assert_eq!(board(&staff, "&due_before=2026-11-23T02:10:00Z").await.len(), 2);
        assert_eq!(board(&staff, &format!("&incident={}", text(&second["id"]))).await.len(), 8);
        let own = board(&world.controller_client(1), "").await;
        assert_eq!(own.len(), 8);
        assert!(own.iter().all(|duty| duty["controller"] == world.controllers[1].id.as_str()));
        staff.get("/v1/duties?state=late").await.expect(400);

        world.receiver.reply(Reply::Status(204));
        app.step_workers().await;
        assert_eq!(board(&staff, "").await.len(), 12, "what is met leaves the board");
        assert_eq!(board(&staff, "&state=met").await.len(), 4);
        assert_eq!(board(&staff, &format!("&incident={}", text(&first["id"]))).await.len(), 8, "but not its incident");
    }
}

async fn acknowledge(world: &World, index: usize) {
    let notice = world.notice(index).await;
    let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "Privacy desk", "role": "dpo"}});
    let path = format!("/v1/notices/{}/acknowledgement", text(&notice["id"]));
    world.controller_client(index).post(&path, &body).await.expect(200);
}
