//! A later notice where the earlier one never arrived: it goes on by its channels and at its times, and nothing fires for both.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::{four_eyes, told_in_part};
use crate::harness::app::{START, TestApp};
use crate::harness::ladders::{SILENT_RELAY, escalation, expected, outbox, steps, tasks, three_channels};
use crate::harness::receiver::Reply;
use crate::harness::world::{PROCESSOR, World, instant, text};
use crate::phases::amend;

/// A correction that changes what everybody is told.
async fn correct(world: &World, filed: &Value, version: i32) -> Value {
    let consequences =
        json!({"types": ["loss_of_control"], "description": format!("Version {version} of what may have happened.")});
    let body = json!({"kind": "correction", "reason": "More is known.", "changes": {"consequences": consequences}});
    amend(world, filed, version, &body).await.expect(201).json
}

async fn until(app: &TestApp, after: Duration) {
    app.advance(START + after - app.now());
    app.step_workers().await;
}

/// Means and state of the tasks of a notice.
async fn means(world: &World, notice: &Value) -> Vec<(String, String)> {
    let of = tasks(world, "").await.into_iter().filter(|task| task["notice"] == notice["id"]);
    of.map(|task| (text(&task["means"]), text(&task["state"]))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, two)| ((*one).into(), (*two).into())).collect()
}

both! {
    async fn whoever_amends_every_few_hours_escalates_all_the_same(app: TestApp, settings = SILENT_RELAY) {
        let world = app.world(1).await;
        let [named, _] = three_channels(&app, &world, &json!(null)).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        // The window is 23½ hours: the telephone at 25, management at 50, the courier at 75, the last call at 90 per cent.
        let coming = [(21150, "phone"), (42300, "tell_management"), (63450, "courier"), (76140, "last_call"), (84600, "record_breach")];
        let mut before = world.notice(0).await;
        until(&app, Duration::hours(3)).await;
        for (version, (at, action)) in (1..).zip(coming) {
            until(&app, Duration::seconds(at - 3600)).await;
            correct(&world, &filed, version).await;
            let later = world.notice(0).await;
            assert_ne!(later["id"], before["id"]);
            assert!(outbox(&world, &later).await.iter().any(|(_, endpoint)| *endpoint == named), "by the channels that were open");
            let shown = escalation(&world, &later).await["until_delivered"].clone();
            assert_eq!((&shown["steps"][0]["action"], &shown["steps"][0]["state"]), (&json!(action), &json!("open")), "{shown}");
            assert_eq!(instant(&shown["deadline_at"]), START + Duration::seconds(84600));
            until(&app, Duration::seconds(at)).await;
            let step = escalation(&world, &later).await["until_delivered"]["steps"][0].clone();
            assert_eq!((&step["state"], &step["late_ms"]), (&json!("fired"), &json!(0)), "{step}");
            assert_eq!(instant(&step["fired_at"]), START + Duration::seconds(at));
            let old = escalation(&world, &before).await["until_delivered"].clone();
            assert_eq!(old["over"], "superseded");
            let twice = old["steps"].as_array().unwrap().iter().filter(|one| one["action"] == action && one["state"] == "fired");
            assert_eq!(twice.count(), 0, "{action} fires once");
            before = later;
        }
        let last = escalation(&world, &before).await["until_delivered"]["steps"][0].clone();
        assert_eq!(last["outcome"], "not_delivered");
        assert_eq!(means(&world, &before).await, pairs(&[("phone", "open"), ("courier", "open")]), "what a person was to do is still to be done");
        let open = tasks(&world, "&state=open").await;
        assert_eq!(open.len(), 2, "about the newest notice alone");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn after_an_arrival_the_later_one_begins_anew(app: TestApp) {
        let (world, filed) = told_in_part(&app).await;
        let first = world.notice(0).await;
        assert_eq!(first["state"], "delivered");
        world.receiver.reply(Reply::Status(500));
        app.advance(Duration::hours(12));
        correct(&world, &filed, 1).await;
        let shown = escalation(&world, &world.notice(0).await).await["until_delivered"].clone();
        assert_eq!((&shown["steps"][0]["action"], shown["steps"].as_array().unwrap().len()), (&json!("next_channel"), 7));
        assert!(instant(&shown["steps"][0]["due_at"]) > app.now());
    }

    async fn a_withdrawal_is_in_no_hurry_and_closes_what_was_to_be_done(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        until(&app, Duration::hours(6)).await;
        let first = world.notice(0).await;
        assert_eq!(means(&world, &first).await, pairs(&[("phone", "open")]));
        amend(&world, &filed, 1, &json!({"kind": "withdrawal", "reason": "Nobody had the link."})).await.expect(201);
        let last = world.notice(0).await;
        assert_eq!((means(&world, &first).await, means(&world, &last).await), (pairs(&[("phone", "closed")]), pairs(&[])));
        let shown = escalation(&world, &last).await["until_delivered"].clone();
        assert_eq!(instant(&shown["deadline_at"]), app.now() + Duration::DAY);
    }

    async fn what_waits_for_a_release_takes_over_when_it_leaves(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        until(&app, Duration::hours(5)).await;
        four_eyes(&world, "page").await;
        let first = world.notice(0).await;
        let held = correct(&world, &filed, 1).await;
        until(&app, Duration::hours(6)).await;
        assert_eq!(means(&world, &first).await, pairs(&[("phone", "open")]), "the ladder of the first goes on until then");
        let release = json!({"version": 2, "content_sha256": held["release"]["content_sha256"]});
        let path = format!("/v1/incidents/{}/release", text(&filed["id"]));
        app.as_person(&world.processor, PROCESSOR, "second").post(&path, &release).await.expect(200);
        let later = world.notice(0).await;
        let shown = escalation(&world, &later).await["until_delivered"].clone();
        assert_eq!(steps(&shown), expected(&[("tell_management", "open", "")]));
        assert_eq!(instant(&shown["steps"][0]["due_at"]), START + Duration::seconds(42300));
        assert_eq!((means(&world, &first).await, means(&world, &later).await), (pairs(&[("phone", "closed")]), pairs(&[("phone", "open")])));
    }

    async fn arrival_closes_what_was_to_be_done_for_it(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        until(&app, Duration::hours(6)).await;
        let notice = world.notice(0).await;
        assert_eq!(means(&world, &notice).await, pairs(&[("phone", "open")]));
        world.receiver.reply(Reply::Status(204));
        until(&app, Duration::hours(7)).await;
        assert_eq!(world.notice(0).await["state"], "delivered");
        assert_eq!(means(&world, &notice).await, pairs(&[("phone", "closed")]));
    }

    async fn a_call_that_the_other_ladder_relies_on_is_made_all_the_same(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        for hours in [6, 12, 18] {
            until(&app, Duration::hours(hours)).await;
        }
        let notice = world.notice(0).await;
        let second = escalation(&world, &notice).await["until_acknowledged"]["steps"][3].clone();
        assert_eq!((&second["action"], &second["outcome"]), (&json!("phone"), &json!("task_open")));
        world.receiver.reply(Reply::Status(204));
        until(&app, Duration::hours(19)).await;
        assert_eq!(world.notice(0).await["state"], "delivered");
        assert_eq!(means(&world, &notice).await, pairs(&[("phone", "open"), ("courier", "closed")]), "nobody has acknowledged");
    }
}
