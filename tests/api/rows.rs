//! The catalogue as data: rows that are added, changed and proposed do what they say, without a line of code.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::{below, declare};
use crate::harness::app::{Backend, TestApp};
use crate::harness::world::{World, text};

/// A row that a lawyer adds: the controllers of a sector report within half a day of being told.
const SECTOR: &str = r#"
[[obligation]]
code = "sector_report"
regime = "sector"
basis = "§ 8 MusterV"
title = { en = "Report to the authority of the sector", de = "Meldung an die Fachbehörde" }
debtor = "controller"
recipient = "competent_authority"
trigger.kinds = ["personal_data_breach"]
trigger.binds = "declared"
start = "fulfilled:contract_notice"
end = "filed"
span = "PT12H"
rule = "natural_hours"
weekends = "counted"
holidays_of = "debtor"
announce_before_miss = true
valid_from = "2026-01-01"
"#;

/// The file as it is shipped.
fn shipped() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/law/obligations.toml")).unwrap()
}

/// The shipped file with the span of one row changed.
fn with_span(code: &str, from: &str, to: &str) -> String {
    let file = shipped();
    let (before, row) = file.split_once(&format!("code = \"{code}\"\n")).unwrap();
    let changed = row.replacen(&format!("span = \"{from}\""), &format!("span = \"{to}\""), 1);
    assert_ne!(changed, row);
    format!("{before}code = \"{code}\"\n{changed}")
}

/// The service started anew on the same database, with this file.
async fn again(app: &TestApp, obligations: &str) -> TestApp {
    app.stop().await;
    let path = app.directory().join("changed.toml");
    std::fs::write(&path, obligations).unwrap();
    let settings = [
        ("ART33_DATABASE_URL", app.database_url()),
        ("ART33_DATA_DIR", app.directory().to_str().unwrap()),
        ("ART33_LAW_OBLIGATIONS", path.to_str().unwrap()),
    ];
    let started = TestApp::start(Backend::Sqlite, &settings).await.unwrap();
    // Ids are made of time and repeatable randomness.
    started.advance(app.now() - started.now() + Duration::HOUR);
    started
}

async fn duties(world: &World, incident: &Value) -> Vec<Value> {
    let path = format!("/v1/duties?limit=500&incident={}", text(&incident["id"]));
    world.processor().get(&path).await.expect(200).json["items"].as_array().unwrap().clone()
}

fn of<'d>(duties: &'d [Value], obligation: &str) -> Vec<&'d Value> {
    duties.iter().filter(|duty| duty["obligation"] == obligation).collect()
}

fn classified(at: &str) -> Value {
    json!({"milestone": "classified", "at": at, "by": "B. Beispiel"})
}

both! {
    async fn a_row_that_is_added_is_owed_starts_and_is_met(app: TestApp) {
        let proposal = SECTOR.replace("sector_report", "sector_draft") + "status = \"proposal\"\n";
        let file = shipped() + SECTOR + &proposal;
        let app = again(&app, &file).await;
        let world = app.world(2).await;
        declare(&world.processor(), &world.controllers[0].id, "sector").await;
        let filed = world.file().await;
        let waiting = world.duty(&filed, "sector_report", 0).await;
        assert_eq!((&waiting["state"], &waiting["start_event"]), (&json!("not_started"), &json!("fulfilled:contract_notice")));
        app.step_workers().await;
        let all = duties(&world, &filed).await;
        assert_eq!((of(&all, "sector_report").len(), of(&all, "sector_draft").len()), (1, 0), "who declared it, and no proposals");
        let running = world.duty(&filed, "sector_report", 0).await;
        assert_eq!((&running["state"], &running["start_at"]), (&json!("running"), &json!("2026-11-22T01:40:00Z")));
        assert_eq!((&running["legal_due_at"], &running["announce_before_miss"]), (&json!("2026-11-22T13:40:00Z"), &json!(true)));
        assert_eq!((&running["legal_basis"], &running["regime"]), (&json!("§ 8 MusterV"), &json!("sector")));
        assert_eq!(running["title"]["de"], "Meldung an die Fachbehörde");
        app.advance(Duration::hours(2));
        let filing = world.record(&filed, 0, "2026-11-22T03:00:00Z", &json!({"obligation": "sector_report"})).await.expect(201);
        assert_eq!((&filing.json["obligation"], &filing.json["late"]), (&json!("sector_report"), &json!(false)));
        assert_eq!(world.duty(&filed, "sector_report", 0).await["state"], "met");
        let refused = world.record(&filed, 1, "2026-11-22T03:00:00Z", &json!({"obligation": "sector_report"})).await.expect(422);
        assert_eq!(refused.faults(), [("/obligation", "not_owed")]);
        app.stop().await;
    }

    async fn a_change_of_law_reaches_new_incidents_only(app: TestApp) {
        let world = app.world(1).await;
        let old = world.file().await;
        let before = world.duty(&old, "gdpr_33_1", 0).await;
        let app = again(&app, &with_span("gdpr_33_1", "PT72H", "PT48H")).await;
        let world = world.at(&app);
        assert_eq!(world.duty(&old, "gdpr_33_1", 0).await, before);
        let new = world.file().await;
        app.step_workers().await;
        let (kept, changed) = (world.duty(&old, "gdpr_33_1", 0).await, world.duty(&new, "gdpr_33_1", 0).await);
        assert_eq!((&kept["span"], &kept["alarm_at"]), (&json!("PT72H"), &json!("2026-11-25T01:40:00Z")));
        assert_eq!((&changed["span"], &changed["alarm_at"]), (&json!("PT48H"), &json!("2026-11-24T01:40:00Z")));
        let both = [&kept, &changed].map(|duty| (duty["start_at"].clone(), duty["state"].clone()));
        assert_eq!(both[0], both[1], "both began with the delivery");
        assert!(app.service().verify_ledger().await.unwrap().verified);
        app.stop().await;
    }

    async fn a_row_that_is_gone_is_still_owed_where_it_was(app: TestApp) {
        let file = shipped() + SECTOR;
        let first = again(&app, &file).await;
        let world = first.world(1).await;
        declare(&world.processor(), &world.controllers[0].id, "sector").await;
        let old = world.file().await;
        let app = again_on(&app, &first, &shipped()).await;
        let world = world.at(&app);
        app.step_workers().await;
        assert_eq!(world.duty(&old, "sector_report", 0).await["state"], "running");
        let new = world.file().await;
        assert_eq!(of(&duties(&world, &new).await, "sector_report").len(), 0);
        app.stop().await;
    }

    async fn a_processor_under_nis2_owes_once_for_all(app: TestApp) {
        let world = app.world(2).await;
        declare(&world.processor(), &world.processor, "nis2").await;
        let filed = world.file().await;
        app.step_workers().await;
        let all = duties(&world, &filed).await;
        for (code, due) in [("bsig_32_early_warning", "2026-11-23T00:10:00Z"), ("bsig_32_notification", "2026-11-25T00:10:00Z")] {
            let owed = of(&all, code);
            assert_eq!(owed.len(), 1, "{code}");
            assert_eq!((&owed[0]["controller"], &owed[0]["debtor"]), (&Value::Null, &json!(world.processor)));
            assert_eq!((&owed[0]["legal_due_at"], &owed[0]["recipient"]), (&json!(due), &json!("competent_authority")));
        }
        assert_eq!(of(&all, "nis2_early_warning").len(), 0, "the German rows go before");
        assert_eq!(of(&all, "bsig_32_final")[0]["state"], "not_started");
        let filing = json!({"obligation": "bsig_32_notification", "filed_at": "2026-11-22T00:40:00Z", "by": "A. Muster"});
        world.processor().post(&below(&filed, "filings"), &filing).await.expect(201);
        let last = of(&duties(&world, &filed).await, "bsig_32_final")[0].clone();
        assert_eq!((&last["state"], &last["start_at"]), (&json!("running"), &json!("2026-11-22T00:40:00Z")));
        assert_eq!(last["legal_due_at"], "2026-12-22T23:00:00Z", "a month later, at the end of that day in Berlin");
        let own = world.controller_client(0).get("/v1/duties?limit=500").await.expect(200).json.to_string();
        assert!(!own.contains("bsig_32"), "no controller's business");
    }

    async fn both_a_processor_and_a_controller_may_owe_the_same_kind(app: TestApp) {
        let world = app.world(2).await;
        declare(&world.processor(), &world.processor, "nis2").await;
        declare(&world.processor(), &world.controllers[1].id, "nis2").await;
        let filed = world.file().await;
        let all = duties(&world, &filed).await;
        let owed = of(&all, "bsig_32_early_warning");
        assert_eq!(owed.len(), 2);
        let states: Vec<_> = owed.iter().map(|duty| (duty["controller"].clone(), duty["state"].clone())).collect();
        assert!(states.contains(&(Value::Null, json!("running"))), "{states:?}");
        assert!(states.contains(&(json!(world.controllers[1].id), json!("not_started"))), "{states:?}");
        app.step_workers().await;
        assert_eq!(world.duty(&filed, "bsig_32_early_warning", 1).await["start_at"], "2026-11-22T00:40:00Z", "once it was told");
    }

    async fn the_four_hours_of_dora_and_their_cap(app: TestApp) {
        let world = app.world(1).await;
        declare(&world.processor(), &world.processor, "dora_systemic").await;
        let (early, middle, late) = (world.file().await, world.file().await, world.file().await);
        let waiting = of(&duties(&world, &early).await, "dora_systemic_initial")[0].clone();
        assert_eq!((&waiting["state"], &waiting["announce_before_miss"]), (&json!("not_started"), &json!(true)));
        for (incident, hours, at, due) in [
            (&early, 2, "2026-11-22T02:40:00Z", "2026-11-22T06:40:00Z"),
            (&middle, 20, "2026-11-22T22:40:00Z", "2026-11-23T00:10:00Z"),
            (&late, 10, "2026-11-23T08:40:00Z", "2026-11-23T12:40:00Z"),
        ] {
            app.advance(Duration::hours(hours));
            world.processor().post(&below(incident, "milestones"), &classified(at)).await.expect(201);
            let duty = of(&duties(&world, incident).await, "dora_systemic_initial")[0].clone();
            assert_eq!((&duty["start_at"], &duty["legal_due_at"]), (&json!(at), &json!(due)));
            assert_eq!(duty["controller"], Value::Null, "once per incident");
        }
        let filing = json!({"obligation": "dora_systemic_initial", "filed_at": "2026-11-23T08:40:00Z", "by": "A. Muster"});
        world.processor().post(&below(&late, "filings"), &filing).await.expect(201);
        let next = of(&duties(&world, &late).await, "dora_systemic_intermediate")[0].clone();
        assert_eq!((&next["state"], &next["legal_due_at"]), (&json!("running"), &json!("2026-11-26T08:40:00Z")));
    }
}

/// The same once more, after another service has run there.
async fn again_on(first: &TestApp, last: &TestApp, obligations: &str) -> TestApp {
    last.stop().await;
    let started = again(first, obligations).await;
    started.advance(last.now() - started.now() + Duration::HOUR);
    started
}
