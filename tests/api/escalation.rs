//! The steps of ladders at their times: each once, few after a standstill, told to whom the agreement says.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::agree;
use crate::harness::app::{START, TestApp};
use crate::harness::ladders::{SILENT_RELAY, escalation, expected, mailbox, outbox, steps, tasks, three_channels};
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{World, instant, rfc3339, text};

/// The processor's own endpoint for what gets no further; answers it with its secret and key.
async fn management(app: &TestApp, world: &World) -> (Receiver, String, String) {
    let desk = Receiver::start();
    let webhook = json!({"url": desk.url("/desk"), "events": ["notice.escalated"]});
    let webhook = world.processor().post("/v1/webhooks", &webhook).await.expect(201).json;
    app.step_workers().await;
    (desk, text(&webhook["secret"]), text(&webhook["public_key"]))
}

/// Files an incident whose webhook never answers well; answers the notice.
async fn unheard(app: &TestApp, world: &World) -> Value {
    world.receiver.reply(Reply::Status(500));
    world.file().await;
    app.step_workers().await;
    world.notice(0).await
}

/// Waits until so much of the time since the filing has passed.
async fn until(app: &TestApp, after: Duration) {
    app.advance(START + after - app.now());
    app.step_workers().await;
}

/// Facts of the entries of one kind in the stream of a notice.
async fn entries(world: &World, notice: &Value, kind: &str) -> Vec<Value> {
    let path = format!("/v1/audit?limit=500&stream={}", text(&notice["id"]));
    let page = world.processor().get(&path).await.expect(200).json;
    let of_kind = page["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind);
    of_kind.map(|entry| entry["facts"].clone()).collect()
}

both! {
    async fn every_default_step_comes_at_its_time(app: TestApp, settings = SILENT_RELAY) {
        let world = app.world(1).await;
        let [named, other] = three_channels(&app, &world, &json!(null)).await;
        let (desk, secret, key) = management(&app, &world).await;
        let notice = unheard(&app, &world).await;
        // The window is the 23½ hours that are left of the 24 since awareness.
        let first = [
            (Duration::minutes(5), "next_channel", "told"),
            (Duration::hours(2), "email_contacts", "told"),
            (Duration::seconds(21150), "phone", "task"),
            (Duration::seconds(42300), "tell_management", "told"),
            (Duration::seconds(63450), "courier", "task"),
            (Duration::seconds(76140), "last_call", "told"),
            (Duration::seconds(84600), "record_breach", "not_delivered"),
        ];
        for (number, (after, action, outcome)) in first.iter().enumerate() {
            until(&app, *after - Duration::SECOND).await;
            let before = steps(&escalation(&world, &notice).await["until_delivered"]);
            assert_eq!((before.len(), before[number].1.as_str()), (number + 1, "open"), "{before:?}");
            until(&app, *after).await;
            let ladder = escalation(&world, &notice).await["until_delivered"].clone();
            let step = &ladder["steps"][number];
            assert_eq!((&step["action"], &step["outcome"], &step["late_ms"]), (&json!(action), &json!(outcome), &json!(0)));
            assert_eq!((instant(&step["due_at"]), &step["fired_at"]), (START + *after, &step["due_at"]));
            assert_eq!(ladder["steps"].as_array().unwrap().len(), 7, "what is to come is shown too");
        }
        let second = escalation(&world, &notice).await["until_acknowledged"].clone();
        let fired = [("email_contacts", "fired", "nobody"), ("remind", "fired", "told"), ("tell_management", "fired", "told"),
                     ("phone", "fired", "task_open")];
        assert_eq!(steps(&second), expected(&fired));
        let webhook = world.controllers[0].webhook.clone();
        let told = |kind: &str, ids: &[&String]| -> Vec<(String, String)> {
            ids.iter().map(|id| (kind.to_owned(), (*id).clone())).collect()
        };
        let sent = outbox(&world, &notice).await;
        let mut reminders = told("notice.reminder", &[&named, &other, &other, &webhook]);
        reminders.sort_unstable();
        let of = |kind: &str| sent.iter().filter(|(known, _)| known == kind).cloned().collect::<Vec<_>>();
        let mut initial = told("notice.initial", &[&named, &webhook]);
        initial.sort_unstable();
        assert_eq!((of("notice.initial"), of("notice.reminder")), (initial, reminders));

        let heard = desk.taken().await;
        for one in &heard {
            one.verify(&secret, &key);
        }
        let said: Vec<_> = heard.iter().map(|one| (one.json["data"]["ladder"].clone(), one.json["data"]["action"].clone())).collect();
        assert_eq!(said.len(), 3);
        for wanted in [("delivered", "tell_management"), ("acknowledged", "tell_management"), ("delivered", "last_call")] {
            assert!(said.contains(&(json!(wanted.0), json!(wanted.1))), "{said:?}");
        }
        let data = &heard[2].json["data"];
        assert_eq!((&data["step"], &data["delivered_at"]), (&json!(6), &json!(null)));
        assert_eq!(data["deadline_at"], json!(rfc3339(START + Duration::seconds(84600))));
        let summary = world.processor().get(&format!("/v1/notices/{}", text(&notice["id"]))).await.expect(200).json;
        assert_eq!(summary["delivered_at"], json!(null), "what the processor hears itself is no delivery");
        let means: Vec<_> = tasks(&world, "").await.iter().map(|task| text(&task["means"])).collect();
        assert_eq!(means, ["phone", "courier"]);
        assert_eq!(entries(&world, &notice, "escalation.fired").await.len(), 10);
        assert_eq!(entries(&world, &notice, "escalation.breach_recorded").await.len(), 1);
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn after_six_hours_of_standstill_channels_open_and_the_highest_step_fires_once(app: TestApp, settings = SILENT_RELAY) {
        let world = app.world(1).await;
        let [named, _] = three_channels(&app, &world, &json!(null)).await;
        let notice = unheard(&app, &world).await;
        until(&app, Duration::hours(6)).await;
        let ladders = escalation(&world, &notice).await;
        let passed = [("next_channel", "fired", "told"), ("email_contacts", "coalesced", ""), ("phone", "fired", "task"),
                      ("tell_management", "open", "")];
        assert_eq!(steps(&ladders["until_delivered"]), expected(&passed));
        let passed = [("email_contacts", "coalesced", ""), ("remind", "fired", "told"), ("tell_management", "open", "")];
        assert_eq!(steps(&ladders["until_acknowledged"]), expected(&passed));
        // 25 per cent of 23½ hours are 21150 seconds.
        assert_eq!(ladders["until_delivered"]["steps"][2]["late_ms"], json!((21600 - 21150) * 1000));
        let facts = entries(&world, &notice, "escalation.fired").await;
        let fired: Vec<_> = facts.iter().map(|one| (&one["ladder"], &one["step"], &one["coalesced"])).collect();
        let (first, second) = (json!("delivered"), json!("acknowledged"));
        let expected = [(&first, &json!(1), &json!([2])), (&first, &json!(3), &json!([2])), (&second, &json!(2), &json!([1]))];
        assert_eq!(fired, expected);
        assert!(outbox(&world, &notice).await.contains(&("notice.initial".to_owned(), named)), "the controller is told by mail as well");
        app.step_workers().await;
        assert_eq!(escalation(&world, &notice).await, ladders, "nothing fires twice");
        assert_eq!(tasks(&world, "").await.len(), 1);
    }

    async fn two_replicas_fire_a_step_once(app: TestApp) {
        let world = app.world(8).await;
        management(&app, &world).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        // An embedded database has one process; its requests race all the same.
        let is_alone = app.database_url().starts_with("sqlite");
        let other = if is_alone { app.clone() } else { app.beside(&[]).await };
        // 5 minutes, 2, 6, 12, 18, 22 and 24 hours: every step of both ladders comes in a round of its own.
        for at in [300, 7200, 21150, 42300, 63450, 76140, 84600] {
            let step = START + Duration::seconds(at) - app.now();
            app.advance(step);
            if !is_alone {
                other.advance(step);
            }
            let fire = |app: &TestApp| { let service = app.service().clone(); tokio::spawn(async move { service.fire_escalations().await }) };
            let racing: Vec<_> = (0..4).flat_map(|_| [fire(&app), fire(&other)]).collect();
            for one in racing {
                one.await.unwrap().unwrap();
            }
        }
        for index in 0..8 {
            let notice = world.notice(index).await;
            let mut fired: Vec<_> = Vec::new();
            for kind in ["escalation.fired", "escalation.breach_recorded"] {
                let facts = entries(&world, &notice, kind).await;
                fired.extend(facts.iter().map(|one| (text(&one["ladder"]), one["step"].as_i64().unwrap(), one["coalesced"].clone())));
            }
            fired.sort_by_key(|(ladder, step, _)| (ladder.clone(), *step));
            let once = |ladder: &str, steps| (1..=steps).map(|step| (ladder.to_owned(), step, json!([]))).collect::<Vec<_>>();
            assert_eq!(fired, [once("acknowledged", 4), once("delivered", 7)].concat(), "each step once, none passed");
            let told = |kind: &str, sent: &[(String, String)]| sent.iter().filter(|(known, _)| known == kind).count();
            let sent = outbox(&world, &notice).await;
            assert_eq!((told("notice.reminder", &sent), told("notice.escalated", &sent)), (1, 3));
        }
        let mut means: Vec<_> = tasks(&world, "").await.iter().map(|task| text(&task["means"])).collect();
        means.sort_unstable();
        assert_eq!(means, [vec!["courier"; 8], vec!["phone"; 8]].concat());
        assert!(app.service().verify_ledger().await.unwrap().verified);
        if !is_alone {
            other.stop().await;
        }
    }

    async fn before_a_limit_has_passed_no_breach_is_recorded(app: TestApp) {
        let world = app.world(3).await;
        let own = json!([{"after": "PT24H", "action": "record_breach"}]);
        agree(&world, 0, &json!({"notify_within": "PT72H", "internal_target": "PT12H"})).await;
        agree(&world, 1, &json!({"notify_within": "without_undue_delay", "internal_target": "PT12H"})).await;
        agree(&world, 2, &json!({"notify_within": "PT72H", "internal_target": "PT12H", "escalation": {"until_delivered": own}})).await;
        unheard(&app, &world).await;
        let last = |ladder: &Value| ladder["steps"].as_array().unwrap().last().unwrap().clone();
        until(&app, Duration::hours(24)).await;
        let shown = |index| { let world = &world; async move {
            let notice = world.notice(index).await;
            (last(&escalation(world, &notice).await["until_delivered"]), notice)
        } };
        let (far, _) = shown(0).await;
        assert_eq!((&far["state"], instant(&far["due_at"])), (&json!("planned"), START + Duration::minutes(71 * 60 + 30)));
        for index in [1, 2] {
            let (own_aim, notice) = shown(index).await;
            assert_eq!((&own_aim["action"], &own_aim["outcome"]), (&json!("record_breach"), &json!("target_missed")), "{index}");
            assert_eq!(entries(&world, &notice, "escalation.target_missed").await.len(), 1);
            assert_eq!(entries(&world, &notice, "escalation.breach_recorded").await.len(), 0);
        }
        until(&app, Duration::minutes(71 * 60 + 30)).await;
        let (broken, notice) = shown(0).await;
        assert_eq!(broken["outcome"], "not_delivered");
        assert_eq!(entries(&world, &notice, "escalation.breach_recorded").await.len(), 1);
    }

    async fn an_agreement_has_steps_of_its_own(app: TestApp) {
        let world = app.world(1).await;
        let own = json!({"until_delivered": [{"after": "PT1H", "action": "courier"}, {"after": "PT1H", "action": "registered_letter"}],
                         "until_acknowledged": []});
        agree(&world, 0, &json!({"escalation": own})).await;
        let notice = unheard(&app, &world).await;
        until(&app, Duration::minutes(59)).await;
        assert_eq!(tasks(&world, "").await.len(), 0);
        until(&app, Duration::hours(1)).await;
        let ladders = escalation(&world, &notice).await;
        let both = [("courier", "fired", "task"), ("registered_letter", "fired", "task")];
        assert_eq!(steps(&ladders["until_delivered"]), expected(&both), "what comes at one time comes together");
        assert_eq!(ladders["until_acknowledged"]["steps"], json!([]));
    }

    async fn a_short_limit_shortens_the_ladders(app: TestApp) {
        let world = app.world(1).await;
        agree(&world, 0, &json!({"notify_within": "PT2H30M", "internal_target": "PT1H"})).await;
        let notice = unheard(&app, &world).await;
        let ladder = escalation(&world, &notice).await["until_delivered"].clone();
        let due = ladder["steps"].as_array().unwrap().iter().map(|step| (instant(&step["due_at"]) - START).whole_seconds());
        assert_eq!(due.collect::<Vec<_>>(), [144, 648, 1800, 3600, 5400, 6480, 7200], "two hours are left");
    }

    async fn channels_open_in_order_or_at_once(app: TestApp, settings = SILENT_RELAY) {
        for (order, at_once, later) in [("in_order", 1, "told"), ("parallel", 2, "task")] {
            let world = app.world(1).await;
            let number = if order == "parallel" { 7 } else { 8 };
            three_channels_of(&app, &world, number, order).await;
            let notice = unheard(&app, &world).await;
            assert_eq!(outbox(&world, &notice).await.len(), at_once, "{order}");
            app.advance(Duration::minutes(5));
            app.step_workers().await;
            let ladder = escalation(&world, &notice).await["until_delivered"].clone();
            assert_eq!(steps(&ladder)[0], expected(&[("next_channel", "fired", later)])[0], "{order}");
        }
    }

    async fn without_a_relay_the_ladder_passes_over_mail(app: TestApp) {
        let world = app.world(1).await;
        three_channels(&app, &world, &json!(null)).await;
        let notice = unheard(&app, &world).await;
        until(&app, Duration::minutes(5)).await;
        let first = steps(&escalation(&world, &notice).await["until_delivered"]);
        assert_eq!(first[0], expected(&[("next_channel", "fired", "task")])[0], "a person is asked instead");
        until(&app, Duration::hours(2)).await;
        let second = steps(&escalation(&world, &notice).await["until_delivered"]);
        assert_eq!(second[1], expected(&[("email_contacts", "fired", "nobody")])[0]);
        app.advance(Duration::minutes(2));
        app.step_workers().await;
        let audit = art33::worker::auditor::step(app.service()).await.unwrap();
        assert_eq!((audit.findings, audit.queue.mail), (vec![], 0), "nothing waits that nobody will send");
    }

    async fn what_stands_elsewhere_is_not_written_to(app: TestApp, settings = SILENT_RELAY) {
        let world = app.world(1).await;
        let addressees = json!([{"role": "desk", "channel": "webhook", "webhook": world.controllers[0].webhook},
                                {"role": "desk", "channel": "email", "address": "breach@elsewhere.example", "location": "US"}]);
        agree(&world, 0, &json!({"addressees": addressees})).await;
        let shown = world.processor().get("/v1/endpoints?channel=email").await.expect(200).json["items"].clone();
        assert_eq!(shown[0]["location"], "US");
        let notice = unheard(&app, &world).await;
        until(&app, Duration::hours(2)).await;
        let ladder = escalation(&world, &notice).await["until_delivered"].clone();
        let withheld = [("next_channel", "fired", "withheld"), ("email_contacts", "fired", "withheld"), ("phone", "open", "")];
        assert_eq!(steps(&ladder), expected(&withheld));
        assert_eq!(outbox(&world, &notice).await.len(), 1);
    }

    async fn a_channel_that_is_shut_opens_the_next_one_now(app: TestApp, settings = SILENT_RELAY) {
        let world = app.world(1).await;
        let [named, _] = three_channels(&app, &world, &json!(null)).await;
        world.receiver.reply(Reply::Status(410));
        world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        assert!(outbox(&world, &notice).await.contains(&("notice.initial".to_owned(), named)), "no time has passed");
    }

    async fn a_mistake_of_the_receiver_opens_the_next_channel_when_it_is_repeated(app: TestApp, settings = SILENT_RELAY) {
        let world = app.world(1).await;
        let [named, _] = three_channels(&app, &world, &json!(null)).await;
        world.receiver.reply(Reply::Status(404));
        world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        assert_eq!(outbox(&world, &notice).await.len(), 1, "once may be a slip");
        app.advance(Duration::seconds(15));
        app.step_workers().await;
        assert!(outbox(&world, &notice).await.contains(&("notice.initial".to_owned(), named)));
    }
}

/// The same as [`three_channels`] with ids of its own, for the second of two worlds on one database.
async fn three_channels_of(app: &TestApp, world: &World, number: u8, order: &str) {
    let address = format!("breach-{number}@beispielwerk.example");
    let addressees = json!([
        {"role": "breach_desk", "channel": "webhook", "webhook": world.controllers[0].webhook},
        {"role": "breach_desk", "channel": "email", "address": address},
        {"role": "on_call", "channel": "manual", "address": "+49 711 123456"},
    ]);
    agree(world, 0, &json!({"addressees": addressees, "delivery_order": order})).await;
    mailbox(app, world, 0, number, &address, "DE");
}
