//! What ends ladders and what begins them: arrival, acknowledgement, later notices, withdrawal, release; drills have none.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::{four_eyes, told_in_part};
use crate::harness::app::TestApp;
use crate::harness::ladders::{SILENT_RELAY, escalation, expected, outbox, steps, tasks, three_channels};
use crate::harness::receiver::Reply;
use crate::harness::world::{PROCESSOR, World, instant, text};
use crate::phases::amend;

async fn acknowledge(world: &World, notice: &Value) {
    let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "Privacy desk", "role": "dpo"}});
    let path = format!("/v1/notices/{}/acknowledgement", text(&notice["id"]));
    world.controller_client(0).post(&path, &body).await.expect(200);
}

both! {
    async fn arrival_ends_the_first_ladder_and_not_the_second(app: TestApp, settings = SILENT_RELAY) {
        let world = app.world(1).await;
        three_channels(&app, &world, &json!(null)).await;
        world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        let ladders = escalation(&world, &notice).await;
        assert_eq!((&ladders["until_delivered"]["over"], &ladders["until_acknowledged"]["over"]), (&json!("delivered"), &json!(null)));
        app.advance(Duration::hours(2));
        app.step_workers().await;
        let ladders = escalation(&world, &notice).await;
        assert_eq!(steps(&ladders["until_delivered"]), expected(&[("next_channel", "not_needed", "delivered")]));
        let second = [("email_contacts", "fired", "told"), ("remind", "open", "")];
        assert_eq!(steps(&ladders["until_acknowledged"]), expected(&second));
        app.advance(Duration::days(2));
        app.step_workers().await;
        assert_eq!(steps(&escalation(&world, &notice).await["until_delivered"]).len(), 1, "it is over for good");
    }

    async fn an_acknowledgement_ends_both_and_closes_the_tasks(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        app.advance(Duration::hours(6));
        app.step_workers().await;
        let notice = world.notice(0).await;
        assert_eq!(tasks(&world, "&state=open").await.len(), 1);
        acknowledge(&world, &notice).await;
        let ladders = escalation(&world, &notice).await;
        for ladder in ["until_delivered", "until_acknowledged"] {
            assert_eq!(ladders[ladder]["over"], json!("acknowledged"));
            let steps = steps(&ladders[ladder]);
            assert_eq!(steps.last(), expected(&[("tell_management", "not_needed", "acknowledged")]).first());
        }
        let closed = tasks(&world, "&state=closed").await;
        assert_eq!((closed.len(), closed[0]["closed_at"].is_string()), (1, true));
        app.advance(Duration::days(2));
        app.step_workers().await;
        assert_eq!(escalation(&world, &notice).await, ladders);
    }

    async fn a_later_notice_takes_over(app: TestApp) {
        let (world, filed) = told_in_part(&app).await;
        let first = world.notice(0).await;
        let consequences = json!({"types": ["loss_of_control"], "description": "Reports may have been read."});
        let supplement = json!({"kind": "completion", "changes": {"consequences": consequences}});
        amend(&world, &filed, 1, &supplement).await.expect(201);
        let second = world.notice(0).await;
        assert_ne!(first["id"], second["id"]);
        app.advance(Duration::hours(7));
        app.step_workers().await;
        let old = escalation(&world, &first).await["until_acknowledged"].clone();
        assert_eq!((&old["over"], steps(&old)), (&json!("superseded"), expected(&[("email_contacts", "not_needed", "superseded")])));
        let new = escalation(&world, &second).await["until_acknowledged"].clone();
        let passed = [("email_contacts", "coalesced", ""), ("remind", "fired", "told"), ("tell_management", "open", "")];
        assert_eq!((&new["over"], steps(&new)), (&json!(null), expected(&passed)));

        let withdrawal = json!({"kind": "withdrawal", "reason": "Nobody had the link."});
        amend(&world, &filed, 2, &withdrawal).await.expect(201);
        let third = world.notice(0).await;
        let (before, last) = (escalation(&world, &second).await, escalation(&world, &third).await);
        assert_eq!(before["until_acknowledged"]["over"], json!("superseded"));
        assert_eq!(last["until_acknowledged"]["over"], json!(null), "that it was none has to arrive as well");
        acknowledge(&world, &third).await;
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn what_waits_for_a_release_has_no_ladder_before_it(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "page").await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.advance(Duration::hours(3));
        app.step_workers().await;
        let notices = world.processor().get("/v1/notices").await.expect(200).json;
        let notice = notices["items"][0].clone();
        let held = escalation(&world, &notice).await["until_delivered"].clone();
        assert_eq!((steps(&held).len(), &held["deadline_at"], &held["steps"][0]["due_at"]), (0, &json!(null), &json!(null)));

        let release = json!({"version": 1, "content_sha256": filed["release"]["content_sha256"]});
        let path = format!("/v1/incidents/{}/release", text(&filed["id"]));
        app.as_person(&world.processor, PROCESSOR, "second").post(&path, &release).await.expect(200);
        app.step_workers().await;
        let begun = escalation(&world, &notice).await["until_delivered"].clone();
        assert_eq!(begun["deadline_at"], json!("2026-11-23T00:10:00Z"), "the law does not wait");
        assert_eq!(instant(&begun["steps"][0]["due_at"]), app.now() + Duration::minutes(5));
        app.advance(Duration::minutes(5));
        app.step_workers().await;
        let first = steps(&escalation(&world, &notice).await["until_delivered"]);
        assert_eq!(first[0], expected(&[("next_channel", "fired", "no_channel")])[0]);
    }

    async fn a_drill_has_none(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        filing["drill"] = json!(true);
        world.processor().post("/v1/incidents", &filing).await.expect(201);
        app.advance(Duration::days(2));
        app.step_workers().await;
        let notices = world.processor().get("/v1/notices").await.expect(200).json;
        let ladders = escalation(&world, &notices["items"][0]).await;
        assert_eq!((&ladders["until_delivered"]["steps"], &ladders["until_acknowledged"]["steps"]), (&json!([]), &json!([])));
        assert_eq!((tasks(&world, "").await.len(), outbox(&world, &notices["items"][0]).await.len()), (0, 0));
    }

    async fn only_the_processor_sees_the_ladders(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        app.step_workers().await;
        let path = format!("/v1/notices/{}/escalation", text(&world.notice(0).await["id"]));
        assert_eq!(world.controller_client(0).get(&path).await.expect(404).problem(), "not-found");
        let stranger = app.organisation("Fremde Dienste GmbH", &["processor"]).await;
        app.as_org(&stranger, PROCESSOR).get(&path).await.expect(404);
    }
}
