//! Mailboxes come with what names them, stand where the agreement says, and are retired once nothing names them any more.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::{Backend, TestApp};
use crate::harness::mailing::{Mailing, mailing, settings};
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{PROCESSOR, agreement, instant, text};

const OLD: &str = "old@beispielwerk.example";
const NEW: &str = "new@beispielwerk.example";

/// Address, place and whether it is retired, of every mailbox.
async fn shown(mailing: &Mailing) -> Vec<(String, Value, bool)> {
    let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
    let items = staff.get("/v1/endpoints?channel=email").await.expect(200).json["items"].clone();
    let view = |one: &Value| (text(&one["address"]), one["location"].clone(), one["retired_at"].is_string());
    items.as_array().unwrap().iter().map(view).collect()
}

/// The agreement names these mailboxes from now on.
async fn name(mailing: &Mailing, addressees: Value) {
    let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
    let known = staff.get("/v1/agreements").await.expect(200).json["items"][0].clone();
    let mut body = agreement("", "AVV-1", "");
    body.as_object_mut().unwrap().remove("controller");
    body["terms"]["addressees"] = addressees;
    let version = format!("\"{}\"", known["version"]);
    staff.put(&format!("/v1/agreements/{}", text(&known["id"])), &version, &body).await.expect(200);
}

/// How often the ledger of the processor has an entry of this kind.
async fn entries(mailing: &Mailing, kind: &str) -> usize {
    let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
    let page = staff.get("/v1/audit?limit=500").await.expect(200).json;
    page["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).count()
}

fn desk(address: &str) -> Value {
    json!([{"role": "desk", "channel": "email", "address": address}])
}

mailing! {
    async fn what_nothing_names_any_more_is_not_written_to_until_it_is_named_again(app, relay) {
        let mailing = Mailing::new(app, relay, OLD, &json!({})).await;
        mailing.letter().await;
        mailing.file().await;
        mailing.letter().await;
        name(&mailing, desk(NEW)).await;
        assert_eq!(shown(&mailing).await, [(OLD.into(), json!(null), true), (NEW.into(), json!(null), false)]);
        assert_eq!(entries(&mailing, "mailboxes.retired").await, 1);
        assert_eq!(mailing.letter().await.recipient, NEW, "the new one is asked, the old one hears nothing");
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let old = staff.get("/v1/endpoints?channel=email").await.expect(200).json["items"][0].clone();
        assert_eq!((instant(&old["retired_at"]), &old["next_probe_at"]), (mailing.app.now(), &json!(null)));
        let path = format!("/v1/notices/{}/deliveries", text(&mailing.notices().await[0]["id"]));
        assert_eq!(staff.get(&path).await.expect(200).json["items"][0]["state"], "closed", "what was owed to it is closed");
        mailing.app.advance(Duration::WEEK);
        mailing.app.step_workers().await;
        mailing.file().await;
        mailing.app.step_workers().await;
        assert!(mailing.letters().iter().all(|letter| letter.recipient == NEW));
        let verify = format!("/v1/endpoints/{}/verification", text(&old["id"]));
        staff.request("POST", &verify).send().await.expect(404);

        name(&mailing, json!([desk(OLD)[0], desk(NEW)[0]])).await;
        assert!(shown(&mailing).await.iter().all(|(_, _, is_retired)| !is_retired));
        assert_eq!(mailing.letter().await.recipient, OLD, "named again, it is asked again");
        assert_eq!((entries(&mailing, "mailboxes.registered").await, entries(&mailing, "mailboxes.retired").await), (3, 1));
        assert!(mailing.app.service().verify_ledger().await.unwrap().verified);
    }

    async fn a_contact_and_another_agreement_keep_a_mailbox(app, relay) {
        let mailing = Mailing::new(app, relay, OLD, &json!({})).await;
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let mut second = agreement(&mailing.controller, "AVV-2", "");
        second["products"] = json!(["another"]);
        second["terms"]["addressees"] = desk(OLD);
        let second = staff.post("/v1/agreements", &second).await.expect(201).id();
        let contact = |address: &str| {
            let contacts = json!([{"role": "dpo", "name": "Erika Beispiel", "email": address}]);
            json!({"name": "Beispielwerk AG", "roles": ["controller"], "country": "DE", "contacts": contacts})
        };
        let path = format!("/v1/organisations/{}", mailing.controller);
        staff.put(&path, "\"1\"", &contact(&OLD.to_uppercase())).await.expect(200);
        for (id, reference) in [(None, "AVV-1"), (Some(second), "AVV-2")] {
            let all = staff.get("/v1/agreements").await.expect(200).json["items"].clone();
            let wanted = |one: &&Value| id.as_ref().map_or(one["reference"] == reference, |id| one["id"] == id.as_str());
            let known = all.as_array().unwrap().iter().find(wanted).unwrap().clone();
            let mut body = agreement("", reference, "");
            body.as_object_mut().unwrap().remove("controller");
            body["products"] = known["products"].clone();
            body["terms"]["addressees"] = desk(NEW);
            staff.put(&format!("/v1/agreements/{}", text(&known["id"])), "\"1\"", &body).await.expect(200);
            assert!(shown(&mailing).await.contains(&(OLD.into(), json!(null), false)), "{reference}");
        }
        staff.put(&path, "\"2\"", &contact(NEW)).await.expect(200);
        assert_eq!(shown(&mailing).await, [(OLD.into(), json!(null), true), (NEW.into(), json!(null), false)]);
    }

    async fn the_agreement_says_where_a_mailbox_stands(app, relay) {
        let mailing = Mailing::new(app, relay, OLD, &json!({})).await;
        mailing.letter().await;
        for place in [json!("US"), json!("DE"), json!(null)] {
            let mut named = desk(OLD);
            if place.is_string() {
                named[0]["location"] = place.clone();
            }
            name(&mailing, named).await;
            assert_eq!(shown(&mailing).await, [(OLD.into(), place, false)]);
        }
        mailing.app.step_workers().await;
        assert!(mailing.letters().is_empty(), "to move is no reason to be asked again");
    }

    async fn a_place_that_is_none_is_refused(app, relay) {
        let mailing = Mailing::new(app, relay, OLD, &json!({})).await;
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let mut body = agreement(&mailing.controller, "AVV-3", "");
        body["products"] = json!(["third"]);
        body["terms"]["addressees"] = json!([
            {"role": "desk", "channel": "email", "address": OLD, "location": "Mars"},
            {"role": "desk", "channel": "manual", "address": "+49 711 123456", "location": "DE"},
        ]);
        let refused = staff.post("/v1/agreements", &body).await.expect(422);
        let faults = refused.faults();
        assert_eq!(faults[0], ("/terms/addressees/0/location", "location"), "{faults:?}");
        assert!(faults.iter().any(|(pointer, _)| *pointer == "/terms/addressees/1/location"), "{faults:?}");
    }
}
