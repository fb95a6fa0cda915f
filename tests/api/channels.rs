//! A channel that dies opens the next one at once, again and again, each time once and proven, until none is left.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::agree;
use crate::harness::app::{Backend, TestApp};
use crate::harness::ladders::{escalation, expected, outbox, steps, tasks};
use crate::harness::mailing::{Letter, mailing, report, settings};
use crate::harness::receiver::Reply;
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{World, text};

/// One controller that is told by webhook, then at this mailbox, then by telephone; its webhook is no more.
async fn shut(app: &TestApp, mailbox: &str, terms: &Value) -> World {
    let world = app.world(1).await;
    let addressees = json!({"addressees": [
        {"role": "breach_desk", "channel": "webhook", "webhook": world.controllers[0].webhook},
        {"role": "breach_desk", "channel": "email", "address": mailbox},
        {"role": "on_call", "channel": "manual", "address": "+49 711 123456"},
    ]});
    let mut changes = addressees;
    crate::harness::world::merge(&mut changes, terms);
    agree(&world, 0, &changes).await;
    world.receiver.reply(Reply::Status(410));
    world
}

/// The steps of the first ladder that are no plan, and how often the ledger says that a step fired.
async fn ladder(world: &World, notice: &Value) -> (Vec<(String, String, String)>, usize) {
    let path = format!("/v1/audit?limit=500&stream={}", text(&notice["id"]));
    let page = world.processor().get(&path).await.expect(200).json;
    let fired = page["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "escalation.fired");
    (steps(&escalation(world, notice).await["until_delivered"]), fired.count())
}

mailing! {
    async fn a_refused_mail_opens_the_third_channel_without_any_wait(app, relay) {
        let world = shut(&app, "unknown-desk@beispielwerk.example", &json!({})).await;
        world.file().await;
        app.step_workers().await;
        assert!(relay.events_so_far().iter().all(|event| event["event"] != "message"));
        let notice = world.notice(0).await;
        let told = [("next_channel", "fired", "told"), ("email_contacts", "open", ""), ("next_channel", "fired", "task")];
        assert_eq!(ladder(&world, &notice).await, (expected(&told), 2));
        let shown = escalation(&world, &notice).await["until_delivered"]["steps"].clone();
        let numbers: Vec<_> = shown.as_array().unwrap().iter().map(|step| step["step"].as_i64().unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 22], "the agreement's own steps stay what they were");
        let asked = tasks(&world, "&state=open").await;
        assert_eq!((asked.len(), &asked[0]["means"]), (1, &json!("phone")));
        app.advance(Duration::minutes(90));
        app.step_workers().await;
        assert_eq!(ladder(&world, &notice).await, (expected(&told), 2), "refused again, it opens nothing again");
        app.advance(Duration::minutes(2));
        app.step_workers().await;
        let audit = art33::worker::auditor::step(app.service()).await.unwrap();
        assert_eq!(audit.without_next_step.count, 0);
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn a_bounce_opens_the_third_channel_once(app, relay) {
        let world = shut(&app, "desk@beispielwerk.example", &json!({})).await;
        world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        let is_telling = |letter: &Letter| letter.header("Message-ID").starts_with("<n.");
        let letter = Letter::all(&relay).into_iter().find(is_telling).unwrap();
        assert_eq!(ladder(&world, &notice).await.1, 1);
        for status in ["5.2.2", "5.1.1"] {
            let path = format!("/inbound/mail?recipient={}", letter.return_path.replace('+', "%2B"));
            let request = app.anonymous().request("POST", &path);
            request.body("message/rfc822", report(&relay, &letter, "failed", status)).send().await.expect(200);
            app.step_workers().await;
            let told = [("next_channel", "fired", "told"), ("email_contacts", "open", ""), ("next_channel", "fired", "task")];
            assert_eq!(ladder(&world, &notice).await, (expected(&told), 2), "{status}");
        }
        assert_eq!(tasks(&world, "&state=open").await.len(), 1);
    }

    async fn a_relay_that_must_not_carry_it_is_passed_over(app, relay) {
        let world = shut(&app, "desk@beispielwerk.example", &json!({"data_location": "FR"})).await;
        world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        let told = [("next_channel", "fired", "task"), ("email_contacts", "open", "")];
        assert_eq!(ladder(&world, &notice).await, (expected(&told), 1), "nobody is told by a way that is not allowed");
        assert_eq!(outbox(&world, &notice).await.len(), 1, "the webhook alone");
        app.advance(Duration::hours(2));
        app.step_workers().await;
        let steps = steps(&escalation(&world, &notice).await["until_delivered"]);
        assert_eq!(steps[1], expected(&[("email_contacts", "fired", "withheld")])[0]);
        assert_eq!(Letter::all(&relay).iter().filter(|letter| letter.header("Message-ID").starts_with("<n.")).count(), 0);
    }
}
