//! When mails of a notice stop: once it is over, whatever a relay has taken of it is not sent again.

use serde_json::json;
use time::Duration;

use crate::harness::app::{Backend, TestApp};
use crate::harness::ladders::{escalation, tasks};
use crate::harness::mailing::{DESK, Letter, Mailing, mailing, settings};
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{CONTROLLER, PROCESSOR, World, rfc3339, text};

/// Told by one mail that the relay has taken.
async fn told(app: TestApp, relay: SmtpServer) -> Mailing {
    let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
    mailing.letter().await;
    mailing.file().await;
    mailing.letter().await;
    assert_eq!(mailing.delivery().await["state"], "open", "it may be lost behind the relay");
    mailing
}

/// Whether nothing of a notice is mailed in the days to come but reminders.
async fn is_silent(mailing: &Mailing) -> bool {
    for _ in 0..3 {
        mailing.app.advance(Duration::DAY);
        mailing.app.step_workers().await;
    }
    let tells = |letter: &Letter| letter.header("Message-ID").starts_with("<n.");
    !mailing.letters().iter().any(tells)
}

mailing! {
    async fn whoever_fetches_the_notice_has_it(app, relay) {
        let mailing = told(app, relay).await;
        let own = mailing.app.as_org(&mailing.controller, CONTROLLER);
        let path = format!("/v1/notices/{}", text(&mailing.notices().await[0]["id"]));
        let seen = own.get(&path).await.expect(200).json;
        assert_eq!((&seen["state"], &seen["informed_at"]), (&json!("delivered"), &json!(rfc3339(mailing.app.now()))));
        let levels = mailing.levels().await;
        for level in ["delivered", "accessed"] {
            assert!(levels.contains(&(level.into(), "token".into())), "{levels:?}");
        }
        let before = mailing.entries().await;
        own.get(&path).await.expect(200);
        assert_eq!(mailing.entries().await, before, "the second time counts for nothing");
        let world = World::of(&mailing.app, &mailing.processor);
        assert_eq!(escalation(&world, &seen).await["until_delivered"]["over"], "delivered");
        let clocks = own.get("/v1/duties?state=running").await.expect(200).json["items"].clone();
        assert_eq!(clocks[0]["start_at"], json!(rfc3339(mailing.app.now())), "{clocks}");
        assert_eq!(mailing.delivery().await["state"], "closed");
        assert!(is_silent(&mailing).await);
        assert!(mailing.app.service().verify_ledger().await.unwrap().verified);
    }

    async fn whoever_disputes_it_is_not_written_to_again(app, relay) {
        let mailing = told(app, relay).await;
        let own = mailing.app.as_org(&mailing.controller, CONTROLLER);
        let path = format!("/v1/notices/{}/dispute", text(&mailing.notices().await[0]["id"]));
        let body = json!({"reason": "not_ours", "by": {"name": "Privacy desk", "role": "dpo"}});
        own.post(&path, &body).await.expect(200);
        assert_eq!(mailing.delivery().await["state"], "closed");
        assert!(is_silent(&mailing).await);
    }

    async fn whoever_was_called_is_not_written_to_again(app, relay) {
        let mailing = told(app, relay).await;
        mailing.app.advance(Duration::hours(6));
        mailing.app.step_workers().await;
        let world = World::of(&mailing.app, &mailing.processor);
        let task = tasks(&world, "&state=open").await.remove(0);
        let at = rfc3339(mailing.app.now());
        let body = json!({"outcome": "informed", "at": at, "by": "B. Muster", "spoke_to": "Erika Beispiel"});
        world.processor().post(&format!("/v1/tasks/{}/result", text(&task["id"])), &body).await.expect(200);
        assert_eq!(mailing.delivery().await["state"], "closed");
        mailing.letters();
        assert!(is_silent(&mailing).await);
    }

    async fn a_later_notice_takes_the_place_of_the_earlier_mail(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let filed = mailing.file().await;
        let first = mailing.letter().await;
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let body = json!({"kind": "supplement", "changes": {"title": "More is known"}});
        let request = staff.request("POST", &format!("/v1/incidents/{}/versions", text(&filed["id"])));
        request.header("if-match", "\"1\"").json(&body).send().await.expect(201);
        let second = mailing.letter().await;
        let notices = mailing.notices().await;
        let state = |index: usize| {
            let (staff, path) = (&staff, format!("/v1/notices/{}/deliveries", text(&notices[index]["id"])));
            async move { staff.get(&path).await.expect(200).json["items"][0]["state"].clone() }
        };
        assert_eq!((state(0).await, state(1).await), (json!("open"), json!("closed")));
        mailing.app.advance(Duration::DAY);
        mailing.app.step_workers().await;
        let again: Vec<_> = mailing.letters().iter().map(|letter| letter.header("Message-ID").to_owned()).collect();
        assert!(again.contains(&second.header("Message-ID").to_owned()), "{again:?}");
        assert!(!again.contains(&first.header("Message-ID").to_owned()), "{again:?}");
    }

    async fn a_webhook_that_is_owed_stays_owed_and_what_is_asked_for_is_sent(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let receiver = Receiver::start();
        receiver.reply(Reply::Status(500));
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let webhook = json!({"url": receiver.url("/w"), "events": ["*"], "organisation": mailing.controller});
        let webhook = staff.post("/v1/webhooks", &webhook).await.expect(201).id();
        let agreements = staff.get("/v1/agreements").await.expect(200).json;
        let path = format!("/v1/agreements/{}", text(&agreements["items"][0]["id"]));
        let mut body = crate::harness::world::agreement("", "AVV-1", "");
        body.as_object_mut().unwrap().remove("controller");
        body["terms"]["delivery_order"] = json!("parallel");
        body["terms"]["addressees"] = json!([{"role": "desk", "channel": "email", "address": DESK},
                                             {"role": "desk", "channel": "webhook", "webhook": webhook}]);
        staff.put(&path, "\"1\"", &body).await.expect(200);
        mailing.file().await;
        let letter = mailing.letter().await;
        let report = mailing.report(&letter, "delivered", "2.0.0");
        mailing.hand_in(&letter.return_path, report).await.expect(200);
        let notice = format!("/v1/notices/{}", text(&mailing.notices().await[0]["id"]));
        let items = staff.get(&format!("{notice}/deliveries")).await.expect(200).json["items"].clone();
        let owed = items.as_array().unwrap().iter().find(|one| one["channel"] == "webhook").unwrap();
        assert_eq!(owed["state"], "open", "{items}");
        staff.request("POST", &format!("{notice}/redeliver")).send().await.expect(202);
        assert_eq!(mailing.letter().await.header("Message-ID"), letter.header("Message-ID"));
        assert_eq!(mailing.delivery().await["state"], "closed", "once, not daily");
    }
}
