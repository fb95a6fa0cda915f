//! Imports of agreements: thousands of rows, a result for each, all or none.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::world::{World, agreement};

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";

/// A line for the first controller.
fn line(world: &World, reference: &str) -> String {
    agreement(&world.controllers[0].id, reference, &world.controllers[0].webhook).to_string()
}

async fn import(client: &Client, query: &str, media_type: &str, body: String) -> Answer {
    client.request("POST", &format!("/v1/agreements/import{query}")).body(media_type, body).send().await
}

async fn stored(client: &Client, query: &str) -> usize {
    let answer = client.get(&format!("/v1/agreements?limit=500{query}")).await.expect(200);
    answer.json["items"].as_array().unwrap().len()
}

fn codes(result: &Value) -> Vec<(&str, &str)> {
    let errors = result["errors"].as_array().unwrap();
    errors.iter().map(|fault| (fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap())).collect()
}

both! {
    async fn good_rows_are_stored_and_bad_ones_named(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let foreign = agreement("org_01m809zzzzzzzzzzzzzzzzzzzz", "I-4", &world.controllers[0].webhook).to_string();
        let lines = [line(&world, "I-1"), "{".into(), line(&world, "I-1"), foreign, line(&world, "AVV-0"), line(&world, "I-6")];
        let answer = import(&staff, "", NDJSON, lines.join("\n")).await.expect(200);
        assert_eq!((&answer.json["created"], &answer.json["refused"]), (&json!(2), &json!(4)));
        let results = answer.json["results"].as_array().unwrap();
        assert_eq!(results.iter().map(|result| result["row"].clone()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(codes(&results[1]), [("", "json")]);
        assert_eq!(codes(&results[2]), [("/reference", "duplicate")]);
        assert_eq!(codes(&results[3]), [("/controller", "unknown_organisation"), ("/terms/addressees/0/webhook", "unknown_webhook")]);
        assert_eq!(codes(&results[4]), [("/reference", "duplicate")]);
        let id = results[5]["agreement"].as_str().unwrap();
        let shown = staff.get(&format!("/v1/agreements/{id}")).await.expect(200);
        assert_eq!((&shown.json["reference"], &shown.json["version"]), (&json!("I-6"), &json!(1)));
        assert_eq!(stored(&staff, "").await, 3);
    }

    async fn thousands_of_rows_are_stored_at_once_and_covered_by_one_ledger_entry(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let mut table = String::from("controller,reference,products,valid_from,notify_within,triggers\n");
        for row in 0..5000 {
            let controller = &world.controllers[0].id;
            writeln!(table, "{controller},B-{row},azubiheft;portal,2026-01-01,PT24H,personal_data_breach").unwrap();
        }
        let answer = import(&staff, "?atomic=true", CSV, table).await.expect(200);
        assert_eq!((&answer.json["created"], &answer.json["refused"]), (&json!(5000), &json!(0)));
        assert_eq!(answer.json["results"].as_array().unwrap().len(), 5000);
        assert_eq!(stored(&staff, "&reference=B-4999&product=portal").await, 1);
        let ledger = staff.get(&format!("/v1/audit?stream={}&limit=500", world.processor)).await.expect(200);
        let entries = ledger.json["items"].as_array().unwrap().clone();
        let imports: Vec<_> = entries.iter().filter(|entry| entry["kind"] == "agreements.imported").collect();
        assert_eq!((imports.len(), &imports[0]["facts"]["created"]), (1, &json!(5000)));
    }

    async fn one_bad_row_refuses_all_if_asked(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let body = [line(&world, "I-1"), "{\"reference\":\"I-2\"}".into()].join("\n");
        let answer = import(&staff, "?atomic=true", NDJSON, body).await.expect(422);
        let results = answer.json["results"].as_array().unwrap();
        assert_eq!((results.len(), &results[0]["row"]), (1, &json!(2)));
        assert_eq!(codes(&results[0])[0], ("/controller", "required"));
        assert_eq!(stored(&staff, "").await, 1);
    }

    async fn what_is_no_table_is_refused(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        import(&staff, "", "application/json", "{}".into()).await.expect(415);
        let header = "controller,reference,products,valid_from,terms,colour\n";
        let answer = import(&staff, "", CSV, header.into()).await.expect(400);
        assert_eq!(answer.faults(), [("/colour", "unknown_member")]);
        assert_eq!(import(&staff, "", NDJSON, "\n".into()).await.expect(400).faults(), [("", "empty")]);
        let answer = import(&staff, "?atomic=perhaps", NDJSON, line(&world, "I-1")).await.expect(400);
        assert_eq!(answer.faults().len(), 1);
        let controller = app.as_org(&world.controllers[0].id, "agreements:write");
        import(&controller, "", NDJSON, line(&world, "I-1")).await.expect(403);
    }

    async fn the_same_import_happens_once(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let send = async |reference| {
            let request = staff.request("POST", "/v1/agreements/import").header("idempotency-key", "i");
            request.body(NDJSON, line(&world, reference)).send().await
        };
        let first = send("I-1").await.expect(200);
        let again = send("I-1").await.expect(200);
        assert_eq!((&again.json, again.header("idempotency-replayed")), (&first.json, "true"));
        send("I-2").await.expect(409);
        assert_eq!(stored(&staff, "").await, 2);
    }
}

both! {
    async fn a_body_over_the_limit_is_not_read(app: TestApp, settings = [("ART33_IMPORT_LIMIT", "2000")]) {
        let world = app.world(1).await;
        import(&world.processor(), "", NDJSON, "x".repeat(2001)).await.expect(413);
    }
}
