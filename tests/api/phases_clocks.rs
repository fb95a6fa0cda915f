//! What later versions do to clocks: nothing to lateness, items given, those found late, corrected awareness, withdrawal, release.

use serde_json::{Value, json};
use time::Duration;

use super::phases::{amend, file_open};
use crate::harness::app::TestApp;
use crate::harness::client::Answer;
use crate::harness::receiver::Reply;
use crate::harness::world::{World, instant, merge, rfc3339, text};

/// All duties of one kind in an incident.
pub(crate) async fn duties(world: &World, incident: &Value, obligation: &str) -> Vec<Value> {
    let path = format!("/v1/duties?incident={}&limit=500", text(&incident["id"]));
    let page = world.processor().get(&path).await.expect(200).json;
    page["items"].as_array().unwrap().iter().filter(|duty| duty["obligation"] == obligation).cloned().collect()
}

pub(crate) async fn join(world: &World, incident: &Value, version: i32, body: &Value) -> Answer {
    let path = format!("/v1/incidents/{}/affected", text(&incident["id"]));
    world.processor().request("POST", &path).header("if-match", &format!("\"{version}\"")).json(body).send().await
}

fn title(text: &str) -> Value {
    json!({"kind": "supplement", "changes": {"title": text}})
}

both! {
    async fn no_later_version_heals_or_worsens_lateness(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let late = world.file().await;
        app.advance(Duration::hours(25));
        app.step_workers().await;
        world.receiver.reply(Reply::Status(204));
        amend(&world, &late, 1, &title("One")).await.expect(201);
        app.step_workers().await;
        let met = world.duty(&late, "contract_notice", 0).await;
        assert_eq!((&met["state"], &met["late"]), (&json!("met"), &json!(true)));

        let good = world.file().await;
        app.step_workers().await;
        let in_time = world.duty(&good, "contract_notice", 0).await;
        assert_eq!((&in_time["state"], &in_time["late"]), (&json!("met"), &json!(false)));
        app.advance(Duration::hours(30));
        for incident in [(&late, 2), (&good, 1)] {
            let correction = json!({"kind": "correction", "reason": "x", "changes": {"title": "Two"}});
            amend(&world, incident.0, incident.1, &correction).await.expect(201);
        }
        app.step_workers().await;
        assert_eq!(world.duty(&late, "contract_notice", 0).await, met);
        assert_eq!(world.duty(&good, "contract_notice", 0).await, in_time);
    }

    async fn whichever_notice_arrives_first_informs(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        world.receiver.reply(Reply::Status(204));
        amend(&world, &filed, 1, &title("One")).await.expect(201);
        app.step_workers().await;
        let met = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!(met["state"], "met");
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["state"], "running");
        let list = world.processor().get("/v1/notices").await.expect(200).json;
        let states: Vec<_> = list["items"].as_array().unwrap().iter().map(|notice| notice["state"].clone()).collect();
        assert_eq!(states, [json!("delivered"), json!("delivered")], "what is owed follows once the endpoint works again");
        assert_eq!(met["met_at"], list["items"][0]["delivered_at"]);
        assert_eq!(world.duty(&filed, "contract_notice", 0).await, met);
    }

    async fn told_in_time_and_told_completely_are_two_facts(app: TestApp) {
        let world = app.world(1).await;
        let controller = &world.controllers[0];
        let path = format!("/v1/agreements/{}", controller.agreement);
        let current = world.processor().get(&path).await.expect(200);
        let mut changed = crate::harness::world::agreement(&controller.id, "AVV-0", &controller.webhook);
        changed.as_object_mut().unwrap().remove("controller");
        merge(&mut changed, &json!({"terms": {"complete_within": "PT48H"}}));
        world.processor().put(&path, current.header("etag"), &changed).await.expect(200);
        let filed = file_open(&app, &world).await;
        app.step_workers().await;
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["late"], false);
        assert_eq!(world.duty(&filed, "contract_notice_complete", 0).await["state"], "running");
        app.advance(Duration::hours(49));
        app.step_workers().await;
        let completion = json!({"kind": "completion", "changes": {"consequences": {"types": ["fraud"]}}});
        amend(&world, &filed, 1, &completion).await.expect(201);
        app.step_workers().await;
        let complete = world.duty(&filed, "contract_notice_complete", 0).await;
        assert_eq!((&complete["state"], &complete["late"]), (&json!("met"), &json!(true)));
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["late"], false);
        let list = world.controller_client(0).get("/v1/notices").await.expect(200).json;
        let complete = |index: usize| (list["items"][index]["version"].clone(), list["items"][index]["complete"].clone());
        assert_eq!((complete(0), complete(1)), ((json!(2), json!(true)), (json!(1), json!(false))));
    }

    async fn open_items_are_duties_until_they_are_given(app: TestApp) {
        let world = app.world(2).await;
        let filed = file_open(&app, &world).await;
        let open = duties(&world, &filed, "open_item").await;
        assert_eq!(open.len(), 1, "what is open for all is owed once");
        assert_eq!((&open[0]["about"], &open[0]["owner"], &open[0]["state"]), (&json!("consequences"), &json!("Security desk"), &json!("running")));
        assert_eq!(instant(&open[0]["internal_target_at"]), app.now() + Duration::DAY);
        app.advance(Duration::hours(3));
        let unknown = json!({"unknown": "the vendor has to answer", "owner": "Vendor desk"});
        let own = json!({"controller": world.controllers[1].id, "records": {"count": unknown}});
        let supplement = json!({"kind": "supplement", "changes": {"consequences": {"types": ["fraud"]}, "measures": unknown}, "affected": [own]});
        let answer = amend(&world, &filed, 1, &supplement).await.expect(201);
        let mut changed: Vec<_> = answer.json["duties"]["items"].as_array().unwrap().iter().map(|duty| text(&duty["about"])).collect();
        changed.sort_unstable();
        assert_eq!(changed, ["consequences", "measures", "record_count"]);
        let all = duties(&world, &filed, "open_item").await;
        let about = |about: &str| all.iter().find(|duty| duty["about"] == about).unwrap();
        assert_eq!((&about("consequences")["state"], instant(&about("consequences")["met_at"])), (&json!("met"), app.now()));
        assert_eq!((&about("measures")["state"], &about("measures")["owner"]), (&json!("running"), &json!("Vendor desk")));
        assert_eq!((&about("measures")["controller"], &about("record_count")["controller"]), (&json!(null), &json!(world.controllers[1].id)));
        let given = json!({"kind": "supplement", "affected": [{"controller": world.controllers[1].id, "records": {"count": {"exact": 4}}}]});
        amend(&world, &filed, 2, &given).await.expect(201);
        let all = duties(&world, &filed, "open_item").await;
        let states: Vec<_> = all.iter().map(|duty| (text(&duty["about"]), text(&duty["state"]))).collect();
        assert!(states.contains(&("record_count".into(), "met".into())) && states.contains(&("measures".into(), "running".into())), "{states:?}");
    }

    async fn controllers_found_late_have_a_start_and_a_reason_of_their_own(app: TestApp) {
        let world = app.world(2).await;
        let mut filing = world.filing();
        filing["affected"] = json!([{"controller": world.controllers[0].id}]);
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        app.step_workers().await;
        let before = world.controller_client(0).get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200).json;
        world.receiver.taken().await;
        app.advance(Duration::hours(30));
        let known_at = app.now() - Duration::HOUR;
        let reason = "Its archive was found in an older log only.";
        let joiner = json!({"controller": world.controllers[1].id, "known_at": rfc3339(known_at), "reason": reason,
                            "records": {"count": {"exact": 12}}});
        let stranger = app.organisation("Fremdwerk AG", &["controller"]).await;
        let mut wrong = joiner.clone();
        wrong["controller"] = json!(stranger);
        wrong["colour"] = json!("red");
        let again = json!({"controller": world.controllers[0].id, "known_at": "2030-01-01T00:00:00Z", "reason": reason});
        let refused = join(&world, &filed, 1, &json!({"affected": [wrong, again]})).await.expect(422);
        let mut faults = refused.faults();
        faults.sort_unstable();
        assert_eq!(faults, [
            ("/affected/0/colour", "unknown_member"),
            ("/affected/0/controller", "no_agreement"),
            ("/affected/1/controller", "already_affected"),
            ("/affected/1/known_at", "time_in_future"),
        ]);
        let answer = join(&world, &filed, 1, &json!({"affected": [joiner]})).await.expect(201);
        assert_eq!((&answer.json["phase"], &answer.json["told_count"], &answer.json["affected_count"]), (&json!("joined"), &json!(1), &json!(2)));
        let late = world.duty(&filed, "contract_notice", 1).await;
        assert_eq!(instant(&late["start_at"]), known_at);
        assert_eq!(instant(&late["legal_due_at"]), known_at + Duration::DAY);
        app.step_workers().await;
        let sent = world.receiver.taken_of("notice.initial").await;
        assert_eq!((sent.len(), sent[0].path.as_str(), &sent[0].json["data"]["sequence"]), (1, "/1", &json!(1)));
        let met = world.duty(&filed, "contract_notice", 1).await;
        assert_eq!((&met["state"], &met["late"]), (&json!("met"), &json!(false)));

        let path = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        let seen = world.controller_client(1).get(&path).await.expect(200).json;
        assert_eq!((seen["items"].as_array().unwrap().len(), &seen["items"][0]["reason"]), (1, &json!(reason)));
        let after = world.controller_client(0).get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200).json;
        assert_eq!(after["content"], before["content"], "who was alone keeps what it was told");
        let supplement = json!({"kind": "supplement", "affected": [{"controller": world.controllers[1].id, "note": "More to come."}]});
        assert_eq!(amend(&world, &filed, 2, &supplement).await.expect(201).json["told_count"], 1);
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn corrected_awareness_moves_open_clocks_only(app: TestApp) {
        let world = app.world(1).await;
        let met = world.file().await;
        app.step_workers().await;
        world.receiver.reply(Reply::Status(500));
        let open = world.file().await;
        app.step_workers().await;
        let (fulfilled, running) = (world.duty(&met, "contract_notice", 0).await, world.duty(&open, "contract_notice", 0).await);
        app.advance(Duration::hours(20));
        let aware_at = instant(&running["start_at"]) + Duration::minutes(20);
        let changes = json!({"aware_at": rfc3339(aware_at), "awareness_reason": "The log was read only then."});
        let correction = json!({"kind": "correction", "reason": "The hour was taken from another log.", "changes": changes});
        for incident in [&met, &open] {
            amend(&world, incident, 1, &correction).await.expect(201);
        }
        assert_eq!(world.duty(&met, "contract_notice", 0).await, fulfilled, "what is met is never touched");
        let moved = world.duty(&open, "contract_notice", 0).await;
        assert_eq!((&moved["clock_version"], &running["clock_version"]), (&json!(2), &json!(1)));
        assert_eq!(instant(&moved["start_at"]), aware_at);
        assert_eq!(instant(&moved["legal_due_at"]), aware_at + Duration::DAY);
        app.advance(Duration::hours(20));
        app.step_workers().await;
        assert_eq!(world.duty(&open, "contract_notice", 0).await["state"], "breached", "alarms go by the new clock");
        let earlier = json!({"kind": "correction", "reason": "It was right.", "changes": {"aware_at": running["start_at"], "awareness_reason": null}});
        amend(&world, &open, 2, &earlier).await.expect(201);
        app.step_workers().await;
        assert_eq!(world.duty(&open, "contract_notice", 0).await["clock_version"], 3);
    }

    async fn a_withdrawal_ends_what_is_owed_and_no_version_follows(app: TestApp) {
        let world = app.world(2).await;
        let filed = file_open(&app, &world).await;
        app.step_workers().await;
        world.receiver.taken().await;
        let reason = "The downloads were those of our own scanner.";
        let withdrawn = amend(&world, &filed, 1, &json!({"kind": "withdrawal", "reason": reason})).await.expect(201);
        assert_eq!((&withdrawn.json["state"], &withdrawn.json["told_count"]), (&json!("withdrawn"), &json!(2)));
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.withdrawal").await.len(), 2);
        for index in 0..2 {
            assert_eq!(world.duty(&filed, "contract_notice", index).await["state"], "met");
            let own = world.duty(&filed, "gdpr_33_1", index).await;
            assert_eq!((&own["state"], &own["closed_reason"]), (&json!("cancelled"), &json!(reason)));
        }
        assert_eq!(duties(&world, &filed, "open_item").await[0]["state"], "cancelled");
        let path = format!("/v1/incidents/{}", text(&filed["id"]));
        for client in [world.processor(), world.controller_client(0)] {
            let shown = client.get(&path).await.expect(200).json;
            assert_eq!((&shown["state"], instant(&shown["withdrawn_at"])), (&json!("withdrawn"), app.now()));
            let list = client.get("/v1/incidents?state=withdrawn").await.expect(200).json;
            assert_eq!(list["items"].as_array().unwrap().len(), 1);
        }
        assert_eq!(amend(&world, &filed, 2, &title("x")).await.expect(409).problem(), "withdrawn");
        let joiner = json!({"controller": world.controllers[0].id, "known_at": rfc3339(app.now()), "reason": "x"});
        assert_eq!(join(&world, &filed, 2, &json!({"affected": [joiner]})).await.expect(409).problem(), "withdrawn");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn a_version_waits_for_its_release(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.step_workers().await;
        world.receiver.taken().await;
        let path = format!("/v1/organisations/{}", world.processor);
        let current = app.operator().get(&path).await.expect(200);
        let policy = json!({"name": "Muster Lernsysteme GmbH", "roles": ["processor"], "country": "DE", "region": "DE-BW",
                            "release_policy": {"window_share_percent": 50, "on_timeout": "send"}});
        app.operator().put(&path, current.header("etag"), &policy).await.expect(200);
        let answer = amend(&world, &filed, 1, &title("One")).await.expect(201);
        assert_eq!(answer.json["release"]["state"], "awaited");
        assert_eq!(instant(&answer.json["release"]["due_at"]), app.now() + Duration::hours(12), "half of 24 hours");
        app.step_workers().await;
        assert_eq!(world.receiver.taken().await.len(), 0, "nothing leaves");
        let versions = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        let shown = world.processor().get(&versions).await.expect(200).json;
        assert_eq!(shown["items"][1]["content_sha256"], answer.json["release"]["content_sha256"]);
        let seen = world.controller_client(0).get(&versions).await.expect(200).json;
        assert_eq!(seen["items"].as_array().unwrap().len(), 1, "what waits was told to nobody");
        assert_eq!(world.notice(0).await["sequence"], 1);
        let incident = format!("/v1/incidents/{}", text(&filed["id"]));
        let share = world.controller_client(0).get(&incident).await.expect(200).json;
        assert_eq!(share["content"]["title"], world.filing()["title"]);
        app.advance(Duration::hours(13));
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.supplement").await.len(), 1);
        let shown = world.processor().get(&versions).await.expect(200).json;
        assert_eq!(shown["items"][1]["release"]["state"], "sent_without");
    }
}
