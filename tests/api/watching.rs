//! What watches the service: the auditor, the sign of life, our own network, the measures, and the rules that alert on them.

use std::collections::BTreeSet;

use art33::domain::delivery::Lane;
use art33::domain::delivery_outcome::{FailureKind, Outcome};
use art33::service::{Attempted, DeliveryAudit, Finding, Outgoing, operator_id};
use art33::store::{AnyConnection, StoreError, endpoints};
use art33::telemetry::{Beat, Metrics};
use art33::worker::auditor::{self, Heartbeat};
use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::four_eyes;
use crate::harness::app::TestApp;
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{World, text};

async fn audit(app: &TestApp) -> DeliveryAudit {
    auditor::step(app.service()).await.unwrap()
}

/// Changes the database behind the service's back.
async fn tamper(app: &TestApp, statement: &'static str) {
    let work = move |connection: &mut AnyConnection| {
        use diesel::connection::SimpleConnection as _;
        connection.batch_execute(statement).map_err(StoreError::from)
    };
    app.service().store.write::<_, StoreError>(work).await.unwrap();
}

/// Kinds and facts of what the ledger says of the service itself.
async fn own_story(app: &TestApp) -> Vec<(String, Value)> {
    let path = format!("/v1/audit?limit=500&stream={}", operator_id());
    let entries = app.operator().get(&path).await.expect(200).json["items"].as_array().unwrap().clone();
    let own = entries.iter().filter(|one| one["kind"].as_str().unwrap().starts_with("service."));
    own.map(|one| (text(&one["kind"]), one["facts"].clone())).collect()
}

async fn measures(app: &TestApp) -> String {
    String::from_utf8(app.anonymous().get("/metrics").await.expect(200).body).unwrap()
}

both! {
    async fn what_is_taken_up_again_and_again_is_a_finding(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        for _ in 0..3 {
            assert_eq!(audit(&app).await.findings, []);
            assert_eq!(claimed(&app).await.iter().filter(|one| one.notice.is_some()).count(), 1, "and nothing is heard of it");
            app.advance(Duration::minutes(1));
        }
        tamper(&app, "UPDATE delivery SET next_at = next_at + 3600000000 WHERE state = 'open'").await;
        let found = audit(&app).await;
        assert_eq!((found.findings, found.stuck_deliveries > 0), (vec![Finding::StuckDelivery], true));
        tamper(&app, "UPDATE attempt SET ended_at = started_at WHERE number = 2").await;
        assert_eq!(audit(&app).await.findings, []);
    }

    async fn what_is_on_its_way_is_no_finding(app: TestApp) {
        let world = app.world(2).await;
        assert_eq!(audit(&app).await.findings, []);
        world.file().await;
        let filed = audit(&app).await;
        assert_eq!((filed.findings.len(), filed.queue.first), (0, 2));
        world.receiver.reply(Reply::Status(503));
        app.step_workers().await;
        let failing = audit(&app).await;
        assert_eq!((failing.findings.len(), failing.queue.first, failing.queue.retry), (0, 0, 2));
        world.receiver.reply(Reply::Status(204));
        app.advance(Duration::minutes(1));
        app.step_workers().await;
        let done = audit(&app).await;
        assert_eq!((done.findings, done.queue), (Vec::new(), art33::service::Queue::default()));
    }

    async fn work_that_nobody_takes_is_found_after_a_minute(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        app.advance(Duration::minutes(1));
        assert_eq!(audit(&app).await.findings, []);
        app.advance(Duration::SECOND);
        let found = audit(&app).await;
        assert_eq!(found.findings, [Finding::OverdueDelivery]);
        assert_eq!(found.overdue_seconds.delivery, Duration::seconds(61));
        app.advance(Duration::hours(12));
        let found = audit(&app).await;
        assert_eq!(found.findings, [Finding::OverdueDelivery, Finding::OverdueStep, Finding::OverdueAlarm]);
        app.step_workers().await;
        let found = audit(&app).await;
        assert!(!found.findings.contains(&Finding::OverdueDelivery) && !found.findings.contains(&Finding::OverdueAlarm));
    }

    async fn a_notice_that_was_forgotten_is_found_and_named(app: TestApp) {
        let world = app.world(2).await;
        world.file().await;
        for lost in [
            "UPDATE delivery SET state = 'closed' WHERE notice_id IS NOT NULL",
            // Due in the year 9999, although it waits for no release.
            "UPDATE delivery SET state = 'open', next_at = 253402300799000000 WHERE notice_id IS NOT NULL",
        ] {
            tamper(&app, lost).await;
            assert_eq!(audit(&app).await.findings, [], "its ladders still climb");
            tamper(&app, "UPDATE escalation SET state = 'fired'").await;
            let found = audit(&app).await;
            assert_eq!((found.findings, found.without_next_step.count), (vec![Finding::WithoutNextStep], 2));
            let shown = app.operator().get("/v1/health/delivery").await.expect(200).json;
            assert_eq!(shown["findings"], json!(["without_next_step"]));
            let named: BTreeSet<_> = shown["without_next_step"]["notices"].as_array().unwrap().iter().map(text).collect();
            assert_eq!(named, BTreeSet::from([text(&world.notice(0).await["id"]), text(&world.notice(1).await["id"])]));
            tamper(&app, "UPDATE escalation SET state = 'open'").await;
        }
        tamper(&app, "UPDATE escalation SET state = 'fired'").await;
        let task = "INSERT INTO task (id, notice_id, ladder, step, processor_id, controller_id, means, role, address, state, due_at, created_at) \
                    SELECT 'tsk_' || substr(id, 5), id, 'delivered', 0, processor_id, controller_id, 'phone', 'dpo', '', 'open', 0, 0 FROM notice";
        tamper(&app, task).await;
        assert_eq!(audit(&app).await.findings, [], "a person is to call");
    }

    async fn an_arrived_notice_needs_its_ladder_until_that_is_at_its_end(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        app.step_workers().await;
        assert_eq!(audit(&app).await.findings, []);
        tamper(&app, "UPDATE escalation SET state = 'fired' WHERE ladder = 'acknowledged'").await;
        assert_eq!(audit(&app).await.findings, [Finding::WithoutNextStep], "the second step is missing");
        tamper(&app, "UPDATE escalation SET step = 3 WHERE ladder = 'acknowledged'").await;
        assert_eq!(audit(&app).await.findings, [], "that was the last step");
        tamper(&app, "UPDATE escalation SET state = 'not_needed', step = 1 WHERE ladder = 'acknowledged'").await;
        assert_eq!(audit(&app).await.findings, [], "ended on purpose");
    }

    async fn what_needs_no_next_step_is_no_finding(app: TestApp) {
        let world = app.world(2).await;
        let forget = "UPDATE delivery SET state = 'closed' WHERE notice_id IS NOT NULL; UPDATE escalation SET state = 'fired'";
        let mut drill = world.filing();
        drill["drill"] = json!(true);
        world.processor().post("/v1/incidents", &drill).await.expect(201);
        four_eyes(&world, "page").await;
        world.file().await;
        tamper(&app, forget).await;
        assert_eq!(audit(&app).await.findings, [], "a drill, and what waits for a release");

        tamper(&app, "UPDATE incident_version SET release_state = 'released'; UPDATE notice SET dispute_reason = 'not_ours'").await;
        tamper(&app, forget).await;
        assert_eq!(audit(&app).await.findings, [], "somebody said that it is not for him");
        tamper(&app, "UPDATE notice SET dispute_reason = NULL").await;
        assert_eq!(audit(&app).await.without_next_step.count, 2);
        tamper(&app, "UPDATE incident SET withdrawn_at = 1").await;
        assert_eq!(audit(&app).await.findings, [], "withdrawn");
    }

    async fn only_the_operator_is_told(app: TestApp) {
        let world = app.world(1).await;
        world.processor().get("/v1/health/delivery").await.expect(403);
        world.controller_client(0).get("/v1/health/delivery").await.expect(403);
        app.operator().get("/v1/health/delivery?verbose=1").await.expect(400);
        let shown = app.operator().get("/v1/health/delivery").await.expect(200).json;
        assert_eq!((&shown["findings"], &shown["network_outage"]), (&json!([]), &json!(false)));
    }

    async fn the_sign_of_life_is_given_only_when_all_is_well(app: TestApp) {
        let monitor = Receiver::start();
        let heartbeat = Heartbeat { url: monitor.url("/ping").parse().unwrap(), every: std::time::Duration::from_mins(1) };
        let world = app.world(1).await;
        let well = audit(&app).await;
        assert_eq!(auditor::beat(app.outbound(), &heartbeat, Some(&well)).await, Beat::Sent);
        assert_eq!(monitor.next().await.path, "/ping");
        world.file().await;
        app.advance(Duration::minutes(2));
        let ill = audit(&app).await;
        assert_eq!(auditor::beat(app.outbound(), &heartbeat, Some(&ill)).await, Beat::Withheld);
        assert_eq!(auditor::beat(app.outbound(), &heartbeat, None).await, Beat::Withheld, "no audit, no sign");
        let cut_off = DeliveryAudit { network_outage: true, ..well.clone() };
        assert_eq!(auditor::beat(app.outbound(), &heartbeat, Some(&cut_off)).await, Beat::Withheld);
        monitor.reply_once(Reply::Status(500));
        assert_eq!(auditor::beat(app.outbound(), &heartbeat, Some(&well)).await, Beat::Failed);
        assert_eq!(monitor.taken().await.len(), 1, "withheld ones did not arrive");
        let nowhere = Heartbeat { url: "https://192.168.1.1/".parse().unwrap(), ..heartbeat };
        assert_eq!(auditor::beat(app.outbound(), &nowhere, Some(&well)).await, Beat::Failed, "the guard holds here too");
    }
}

/// Claims everything that is due, as a worker does.
async fn claimed(app: &TestApp) -> Vec<Outgoing> {
    let mut claimed = Vec::new();
    for lane in Lane::ALL {
        let taken = app.service().claim_deliveries(lane, || 256, 0, |_, _| Some(())).await.unwrap().ready;
        claimed.extend(taken.into_iter().map(|(outgoing, ())| outgoing));
    }
    claimed
}

/// Hands in that all of these ended like that.
async fn ended(app: &TestApp, sent: Vec<Outgoing>, outcome: Outcome) {
    let attempted = |sent| Attempted {
        sent,
        outcome,
        status: (outcome == Outcome::Delivered).then_some(204),
        peer: None,
        retry_after: None,
        answer: Vec::new(),
        response_sha256: None,
        mail: None,
        duration: std::time::Duration::from_millis(3),
        ended_at: app.now(),
    };
    app.service().record_attempts(sent.into_iter().map(attempted).collect()).await.unwrap();
}

/// A world in which each controller has a host of its own.
async fn hosts(app: &TestApp, count: usize) -> World {
    let world = app.world(count).await;
    for (index, known) in world.controllers.iter().enumerate() {
        let path = format!("/v1/webhooks/{}", known.webhook);
        let current = world.processor().get(&path).await.expect(200);
        let change = json!({"url": format!("https://host-{index}.example.org/hook"), "events": ["notice.*"]});
        world.processor().put(&path, current.header("etag"), &change).await.expect(200);
    }
    // Nobody is there to prove anything to.
    claimed(app).await;
    tamper(app, "UPDATE endpoint SET health = 'healthy', verified_at = 1").await;
    world
}

/// How often the endpoint of a controller failed in a row.
async fn failures(app: &TestApp, world: &World, index: usize) -> i32 {
    let (processor, webhook) = (world.processor.parse().unwrap(), world.controllers[index].webhook.parse().unwrap());
    let find = move |connection: &mut AnyConnection| endpoints::find(connection, &processor, &webhook);
    app.service().store.read::<_, StoreError>(find).await.unwrap().unwrap().failures
}

const CONNECT: Outcome = Outcome::Transient(FailureKind::Connect);

both! {
    async fn an_outage_of_our_own_is_charged_to_nobody(app: TestApp) {
        let world = hosts(&app, 21).await;
        world.file().await;
        for round in 1..=12 {
            let sent = claimed(&app).await;
            let notices: Vec<_> = sent.into_iter().filter(|one| one.notice.is_some()).collect();
            assert_eq!(notices.len(), 21, "round {round}");
            assert!(notices.iter().all(|one| one.number == round && one.lane == Lane::First), "still a first attempt");
            ended(&app, notices, CONNECT).await;
            app.advance(Duration::seconds(36));
        }
        assert_eq!(own_story(&app).await, [("service.network_down".to_owned(), json!({}))], "once");
        assert_eq!(app.operator().get("/v1/health/delivery").await.expect(200).json["network_outage"], true);
        assert_eq!(failures(&app, &world, 0).await, 0, "nobody is degraded");
        let delivery = world.delivery(0).await;
        let attempts = delivery["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 12, "every attempt stands as evidence");
        assert!(attempts.iter().all(|one| one["kind"] == "connect" && one["ended_at"].is_string()));

        let sent = claimed(&app).await.into_iter().filter(|one| one.notice.is_some()).collect();
        ended(&app, sent, Outcome::Delivered).await;
        let expected = ["service.network_down", "service.network_up"].map(|kind| (kind.to_owned(), json!({})));
        assert_eq!(own_story(&app).await, expected);
        assert_eq!(world.delivery(0).await["state"], "delivered");
        assert_eq!(app.operator().get("/v1/health/delivery").await.expect(200).json["network_outage"], false);
    }

    async fn the_trouble_of_few_is_their_own(app: TestApp) {
        let world = hosts(&app, 21).await;
        world.file().await;
        let mut notices: Vec<_> = claimed(&app).await.into_iter().filter(|one| one.notice.is_some()).collect();
        let rest = notices.split_off(6);
        let dead = notices.remove(0);
        ended(&app, rest, Outcome::Delivered).await;
        ended(&app, notices, CONNECT).await;
        ended(&app, vec![dead.clone()], CONNECT).await;
        assert_eq!(own_story(&app).await, []);
        let index = world.controllers.iter().position(|one| one.webhook == dead.endpoint.to_string()).unwrap();
        assert_eq!(failures(&app, &world, index).await, 1);
    }

    async fn a_step_that_reaches_nobody_is_counted(app: TestApp) {
        let counted = || async {
            let name = r#"art33_ladder_steps_total{action="tell_management",outcome="nobody"} "#;
            let text = measures(&app).await;
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
            line.parse::<u64>().unwrap()
        };
        let before = counted().await;
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        app.advance(Duration::hours(12));
        app.step_workers().await;
        assert!(counted().await >= before + 2, "both ladders tell the management, which has registered nothing");
    }

    async fn every_measure_is_fed(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "send").await;
        world.receiver.reply_once(Reply::Status(500));
        world.file().await;
        app.advance(Duration::hours(20));
        app.step_workers().await;
        audit(&app).await;
        let heartbeat = Heartbeat { url: world.receiver.url("/").parse().unwrap(), every: std::time::Duration::ZERO };
        auditor::beat(app.outbound(), &heartbeat, None).await;
        let text = measures(&app).await;
        let is_embedded = app.database_url().starts_with("sqlite");
        let fed = |name: &str| {
            text.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ', '_'])))
        };
        let unfed: Vec<_> =
            Metrics::names().filter(|name| !fed(name) && (is_embedded || !name.contains("store_write"))).collect();
        assert!(unfed.is_empty(), "described but never set: {unfed:?}\n{text}");
        for line in [
            r#"art33_delivery_attempts_total{class="transient",channel="webhook"}"#,
            r#"art33_lateness_seconds_bucket{kind="delivery","#,
            r#"art33_lateness_seconds_bucket{kind="alarm","#,
            r#"art33_lateness_seconds_bucket{kind="step","#,
            r#"art33_endpoints{channel="email",health="gone"} 0"#,
            r#"art33_queue_depth{lane="retry"}"#,
            r#"art33_duties{state="breached"}"#,
            r#"art33_oldest_overdue_seconds{kind="step"}"#,
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
    }
}

/// The names of metrics in an expression.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    let of_histogram = |word: &str| {
        let bare = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
        bare.unwrap_or(word).to_owned()
    };
    words.filter(|word| word.starts_with("art33_")).map(of_histogram).collect()
}

#[test]
fn the_alert_rules_watch_measures_that_exist() {
    let rules: Value = serde_saphyr::from_str(include_str!("../../docs/prometheus/art33.rules.yml")).unwrap();
    let known: BTreeSet<&str> = Metrics::names().collect();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for rule in rules {
        let alert = text(&rule["alert"]);
        assert!(names.insert(alert.clone()) && alert.starts_with("Art33"), "{alert}");
        let watched = named(&text(&rule["expr"]));
        assert!(!watched.is_empty(), "{alert} watches nothing");
        let unknown: Vec<_> = watched.iter().filter(|name| !known.contains(name.as_str())).collect();
        assert!(unknown.is_empty(), "{alert} watches {unknown:?}");
        assert!(["page", "warn"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{alert}");
        for annotation in ["summary", "description"] {
            assert!(!text(&rule["annotations"][annotation]).is_empty(), "{alert} has no {annotation}");
        }
    }
    assert!(rules.len() >= 9, "{names:?}");
    assert_eq!(
        named("sum(art33_lateness_seconds_bucket{a=\"b\"}) / art33_x"),
        ["art33_lateness_seconds", "art33_x"].map(str::to_owned).into()
    );
}
