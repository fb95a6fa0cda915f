//! When a later version takes effect: not before its release; and what it newly brings about.

use serde_json::{Value, json};
use time::Duration;

use super::phases::{amend, file_open};
use super::phases_clocks::{duties, join};
use crate::harness::acts::{below, told};
use crate::harness::app::TestApp;
use crate::harness::receiver::Reply;
use crate::harness::world::{World, agreement, instant, merge, rfc3339, text};

/// From now on a second person of the processor releases every version.
async fn four_eyes(app: &TestApp, world: &World) {
    let path = format!("/v1/organisations/{}", world.processor);
    let current = app.operator().get(&path).await.expect(200);
    let policy = json!({"name": "Muster Lernsysteme GmbH", "roles": ["processor"], "country": "DE", "region": "DE-BW",
                        "release_policy": {"window_share_percent": 50, "on_timeout": "send"}});
    app.operator().put(&path, current.header("etag"), &policy).await.expect(200);
}

/// A second person releases the version that `answer` is.
async fn release(app: &TestApp, world: &World, incident: &Value, answer: &Value) {
    let second = app.as_person(&world.processor, "incidents:read incidents:write", "a-second-person");
    let body = json!({"version": answer["version"], "content_sha256": answer["release"]["content_sha256"]});
    second.post(&below(incident, "release"), &body).await.expect(200);
}

/// The terms of one agreement change for what is filed from now on.
async fn agree(world: &World, terms: &Value) {
    let controller = &world.controllers[0];
    let path = format!("/v1/agreements/{}", controller.agreement);
    let current = world.processor().get(&path).await.expect(200);
    let mut changed = agreement(&controller.id, "AVV-0", &controller.webhook);
    changed.as_object_mut().unwrap().remove("controller");
    merge(&mut changed, &json!({"terms": terms}));
    world.processor().put(&path, current.header("etag"), &changed).await.expect(200);
}

both! {
    async fn a_withdrawal_that_waits_ends_nothing_before_its_release(app: TestApp) {
        let world = app.world(1).await;
        let filed = file_open(&app, &world).await;
        app.step_workers().await;
        four_eyes(&app, &world).await;
        let withdrawal = json!({"kind": "withdrawal", "reason": "It was our own scanner."});
        let held = amend(&world, &filed, 1, &withdrawal).await.expect(201).json;
        assert_eq!(held["release"]["state"], "awaited");
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["state"], "running");
        assert_eq!(duties(&world, &filed, "open_item").await[0]["state"], "running");
        let path = format!("/v1/incidents/{}", text(&filed["id"]));
        for client in [world.processor(), world.controller_client(0)] {
            let shown = client.get(&path).await.expect(200).json;
            assert!(shown["withdrawn_at"].is_null() && shown["state"] != "withdrawn", "{shown}");
        }
        let title = json!({"kind": "supplement", "changes": {"title": "x"}});
        assert_eq!(amend(&world, &filed, 2, &title).await.expect(409).problem(), "awaiting-release");
        let joiner = json!({"controller": world.controllers[0].id, "known_at": rfc3339(app.now()), "reason": "x"});
        let refused = join(&world, &filed, 2, &json!({"affected": [joiner]})).await.expect(409);
        assert_eq!(refused.problem(), "awaiting-release");

        app.advance(Duration::HOUR);
        release(&app, &world, &filed, &held).await;
        let ended = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&ended["state"], instant(&ended["closed_at"])), (&json!("cancelled"), app.now()));
        assert_eq!(ended["closed_reason"], "It was our own scanner.");
        assert_eq!(duties(&world, &filed, "open_item").await[0]["state"], "cancelled");
        assert_eq!(duties(&world, &filed, "release").await[0]["state"], "met");
        let shown = world.processor().get(&path).await.expect(200).json;
        assert_eq!((&shown["state"], instant(&shown["withdrawn_at"])), (&json!("withdrawn"), app.now()));
        assert_eq!(amend(&world, &filed, 2, &title).await.expect(409).problem(), "withdrawn");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn a_correction_that_waits_moves_clocks_when_it_leaves(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        let running = world.duty(&filed, "contract_notice", 0).await;
        four_eyes(&app, &world).await;
        let aware_at = instant(&running["start_at"]) + Duration::minutes(20);
        let changes = json!({"aware_at": rfc3339(aware_at), "awareness_reason": "The log was read only then."});
        let correction = json!({"kind": "correction", "reason": "Another log.", "changes": changes});
        let held = amend(&world, &filed, 1, &correction).await.expect(201).json;
        assert_eq!(held["release"]["state"], "awaited");
        let waiting = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&waiting["start_at"], &waiting["clock_version"]), (&running["start_at"], &json!(1)));
        // Nobody releases it: the processor lets it go when half of the time has passed.
        app.advance(Duration::hours(13));
        app.step_workers().await;
        let moved = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((instant(&moved["start_at"]), &moved["clock_version"]), (aware_at, &json!(2)));
        assert_eq!(instant(&moved["legal_due_at"]), aware_at + Duration::DAY);
    }

    async fn what_is_learnt_later_is_owed_from_awareness(app: TestApp) {
        let world = app.world(1).await;
        agree(&world, &json!({"special_categories": {"notify_within": "PT36H"}})).await;
        let filed = world.file().await;
        app.step_workers().await;
        assert_eq!(duties(&world, &filed, "contract_special_disclosure").await.len(), 0);
        let start = world.duty(&filed, "contract_notice", 0).await;
        app.advance(Duration::HOUR);
        let health = json!({"kind": "supplement", "changes": {"special_categories": ["health"]}});
        let answer = amend(&world, &filed, 1, &health).await.expect(201).json;
        let told: Vec<_> = answer["duties"]["items"].as_array().unwrap().iter().map(|duty| text(&duty["obligation"])).collect();
        assert_eq!(told, ["contract_special_disclosure"]);
        let born = world.duty(&filed, "contract_special_disclosure", 0).await;
        assert_eq!((&born["state"], &born["start_at"], &born["agreement_version"]), (&json!("running"), &start["start_at"], &json!(2)));
        app.step_workers().await;
        assert_eq!(world.duty(&filed, "contract_special_disclosure", 0).await["state"], "met", "the new notice says it");
        let title = json!({"kind": "supplement", "changes": {"title": "Another title"}});
        amend(&world, &filed, 2, &title).await.expect(201);
        assert_eq!(duties(&world, &filed, "contract_special_disclosure").await.len(), 1, "nothing is owed twice");
    }

    async fn a_suspicion_that_proves_true_joins_what_a_breach_brings_about(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        filing["kind"] = json!("suspected_breach");
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        app.step_workers().await;
        let first = world.duty(&filed, "contract_notice", 0).await;
        let before = world.duty(&filed, "gdpr_33_1", 0).await;
        let confirmed = json!({"kind": "supplement", "changes": {"kind": "personal_data_breach"}});
        let answer = amend(&world, &filed, 1, &confirmed).await.expect(201).json;
        assert_eq!(answer["told_count"], 1);
        let shown = world.processor().get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200).json;
        assert_eq!(shown["kind"], "personal_data_breach");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await, first, "the first clock stays");
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await, before);
        assert_eq!(duties(&world, &filed, "gdpr_33_1").await.len(), 1);
        let back = json!({"kind": "correction", "reason": "x", "changes": {"kind": "suspected_breach"}});
        assert_eq!(amend(&world, &filed, 2, &back).await.expect(422).faults(), [("/changes/kind", "not_changeable")]);
    }

    async fn an_item_that_is_promised_anew_has_a_clock_and_an_owner_of_its_own(app: TestApp) {
        let world = app.world(1).await;
        let filed = file_open(&app, &world).await;
        app.advance(Duration::hours(3));
        let expected = app.now() + Duration::days(3);
        let unknown = json!({"unknown": "being assessed", "owner": "Vendor desk", "expected_by": rfc3339(expected)});
        amend(&world, &filed, 1, &json!({"kind": "supplement", "changes": {"consequences": unknown}})).await.expect(201);
        let all = duties(&world, &filed, "open_item").await;
        assert_eq!((all.len(), &all[0]["owner"], &all[0]["clock_version"]), (1, &json!("Vendor desk"), &json!(2)));
        assert_eq!(instant(&all[0]["internal_target_at"]), expected);
    }

    async fn what_is_cancelled_after_its_due_time_was_late(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        app.advance(Duration::days(4));
        app.step_workers().await;
        amend(&world, &filed, 1, &json!({"kind": "withdrawal", "reason": "It was our own scanner."})).await.expect(201);
        let ended = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&ended["state"], &ended["late"]), (&json!("cancelled"), &json!(true)));
        assert!(world.duty(&filed, "gdpr_34", 0).await["late"].is_null(), "without hours nothing is late");
    }

    async fn a_waiver_by_mistake_is_taken_back_and_what_was_missed_is_told(app: TestApp) {
        let (world, filed) = told(&app, 1).await;
        let own = world.controller_client(0);
        let before = world.duty(&filed, "gdpr_33_1", 0).await;
        let path = format!("/v1/duties/{}", text(&before["id"]));
        let body = json!({"by": "A. Muster", "reason": "Geheimer Grund: falscher Vorfall."});
        let refused = own.post(&format!("{path}/reopening"), &body).await.expect(409);
        assert_eq!(refused.problem(), "duty-not-waived");
        own.post(&format!("{path}/waiver"), &body).await.expect(200);
        app.advance(Duration::hours(72) + Duration::minutes(5));
        app.step_workers().await;
        world.receiver.taken().await;
        assert_eq!(own.post(&format!("{path}/reopening"), &json!({})).await.expect(422).faults(), [("/by", "required"), ("/reason", "required")]);
        world.processor().post(&format!("{path}/reopening"), &body).await.expect(403);
        let open = own.post(&format!("{path}/reopening"), &body).await.expect(200).json;
        assert_eq!((&open["state"], &open["alarm_at"], &open["closed_by"]), (&json!("running"), &before["alarm_at"], &Value::Null));
        assert_eq!(instant(&open["next_alarm_at"]), app.now(), "what was overdue meanwhile is told now");
        app.step_workers().await;
        let next = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!(next["next_alarm_at"], next["legal_due_at"], "and once only");
        let entries = own.get("/v1/audit?limit=500").await.expect(200).json.to_string();
        assert!(entries.contains("duty.reopened") && !entries.contains("Geheimer Grund"));
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }
}
