//! Reports: content of one controller's share in both languages, as JSON and as PDF, for those who may have it.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::decision;
use crate::harness::app::TestApp;
use crate::harness::receiver::Reply;
use crate::harness::world::{World, merge, text};

async fn report(world: &World, incident: &Value, query: &str) -> Value {
    let path = format!("/v1/incidents/{}/report?format=json{query}", text(&incident["id"]));
    world.processor().get(&path).await.expect(200).json
}

/// A world in which one incident was told at the second try, opened and acknowledged.
async fn told(app: &TestApp) -> (World, Value) {
    let world = app.world(1).await;
    let mut filing = world.filing();
    merge(
        &mut filing,
        &json!({
            "stage": "initial", "special_categories": ["health"],
            "measures": {"taken": null, "proposed": null, "unknown": "being decided", "expected_by": "2026-11-23T08:00:00Z"},
        }),
    );
    world.receiver.reply_once(Reply::Status(503));
    let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
    app.step_workers().await;
    app.advance(Duration::minutes(1));
    app.step_workers().await;
    app.advance(Duration::minutes(30));
    let notice = world.notice(0).await;
    let path = format!("/v1/notices/{}", text(&notice["id"]));
    world.controller_client(0).get(&path).await.expect(200);
    app.advance(Duration::minutes(5));
    let by = json!({"name": "Privacy desk", "role": "data protection officer"});
    let body = json!({"content_sha256": notice["content_sha256"], "by": by});
    world.controller_client(0).post(&format!("{path}/acknowledgement"), &body).await.expect(200);
    (world, filed)
}

/// The report without what differs from run to run: ids, and the hash over a content.
fn settled(mut report: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match name.as_str() {
                        "id" => *member = json!("[id]"),
                        "content_sha256" => *member = json!("[sha256]"),
                        _ => walk(member),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut report);
    report
}

both! {
    async fn the_content_is_complete_in_german(app: TestApp) {
        let (world, filed) = told(&app).await;
        let german = settled(report(&world, &filed, "&lang=de").await);
        insta::with_settings!({prepend_module_to_snapshot => false}, { insta::assert_json_snapshot!("report_de", german) });
    }

    async fn the_content_is_complete_in_english(app: TestApp) {
        let (world, filed) = told(&app).await;
        let english = settled(report(&world, &filed, "&lang=en").await);
        insta::with_settings!({prepend_module_to_snapshot => false}, { insta::assert_json_snapshot!("report_en", english) });
    }

    async fn the_controller_gets_the_same_as_its_processor(app: TestApp) {
        let (world, filed) = told(&app).await;
        let path = format!("/v1/incidents/{}/report?format=json&lang=en", text(&filed["id"]));
        let own = world.controller_client(0).get(&path).await.expect(200);
        assert_eq!(own.json, world.processor().get(&path).await.expect(200).json);
        let exporter = app.as_org(&world.controllers[0].id, "exports:read").get(&path).await.expect(200);
        assert_eq!(exporter.json, own.json);
        assert!(own.header("content-disposition").contains(".json"), "{own}");
    }

    async fn the_pdf_is_a_document_with_pages(app: TestApp) {
        let (world, filed) = told(&app).await;
        let path = format!("/v1/incidents/{}/report", text(&filed["id"]));
        for query in ["", "?format=pdf&lang=de", "?format=pdf&lang=en"] {
            let answer = world.processor().get(&format!("{path}{query}")).await.expect(200);
            assert_eq!(answer.header("content-type"), "application/pdf");
            assert!(answer.body.starts_with(b"%PDF-") && answer.body.trim_ascii_end().ends_with(b"%%EOF"));
            let text = String::from_utf8_lossy(&answer.body);
            let pages = text.matches("/Type /Page\n").count() + text.matches("/Type/Page/").count();
            let counted = text.contains("/Count 1") || text.contains("/Count 2") || text.contains("/Count 3");
            assert!(pages > 0 || counted, "no page in {} bytes", answer.body.len());
            assert!(answer.header("content-disposition").contains(".pdf"));
        }
    }

    async fn among_several_the_processor_names_one(app: TestApp) {
        let world = app.world(2).await;
        let filed = world.file().await;
        let path = format!("/v1/incidents/{}/report?format=json", text(&filed["id"]));
        let refused = world.processor().get(&path).await.expect(422);
        assert_eq!(refused.faults(), [("/controller", "required")]);
        for controller in &world.controllers {
            let one = report(&world, &filed, &format!("&controller={}", controller.id)).await;
            assert_eq!(one["controller"]["id"], controller.id.as_str());
        }
        let stranger = app.organisation("Fremdwerk AG", &["controller"]).await;
        let refused = world.processor().get(&format!("{path}&controller={stranger}")).await.expect(422);
        assert_eq!(refused.faults(), [("/controller", "unknown_controller")]);
        let own = world.controller_client(0).get(&path).await.expect(200).json;
        assert_eq!(own["controller"]["id"], world.controllers[0].id.as_str());
        let other = format!("{path}&controller={}", world.controllers[1].id);
        let refused = world.controller_client(0).get(&other).await.expect(422);
        assert_eq!(refused.faults(), [("/controller", "unknown_controller")]);
        for query in ["&format=doc", "&lang=fr"] {
            let path = format!("/v1/incidents/{}/report?x=1{query}", text(&filed["id"]));
            world.processor().get(&path).await.expect(400);
        }
    }

    async fn what_was_decided_and_filed_stands_in_the_report_of_its_controller_only(app: TestApp) {
        let world = app.world(2).await;
        let filed = world.file().await;
        app.step_workers().await;
        world.decide(&filed, 0, &decision(true, "exempt_a")).await.expect(201);
        app.advance(Duration::days(4));
        app.step_workers().await;
        let late = json!({"reference": "LfDI-1", "authority": "de-bw", "delay_reason": "The logs had to be read."});
        world.record(&filed, 0, "2026-11-26T00:00:00Z", &late).await.expect(201);
        let of = |index: usize| format!("&lang=en&controller={}", world.controllers[index].id);
        let own = report(&world, &filed, &of(0)).await;
        let decided = &own["decisions"][0];
        assert_eq!((&decided["notify_persons"]["code"], &decided["notify_authority"]), (&json!("exempt_a"), &json!(true)));
        let filing = &own["filings"][0];
        assert_eq!(filing["obligation"], json!({"code": "gdpr_33_1", "label": "Notify the supervisory authority"}));
        assert_eq!((&filing["late"], &filing["reference"]), (&json!(true), &json!("LfDI-1")));
        assert_eq!((&filing["delay_reason"], &filing["authority"]["id"]), (&late["delay_reason"], &json!("de-bw")));
        let duties = own["duties"].as_array().unwrap();
        let persons = duties.iter().find(|duty| duty["obligation"]["code"] == "gdpr_34").unwrap();
        assert_eq!((&persons["state"]["code"], &persons["closing"]["by"]), (&json!("not_required"), &decided["by"]));
        let other = report(&world, &filed, &of(1)).await;
        assert_eq!((&other["decisions"], &other["filings"]), (&json!([]), &json!([])));
        for (index, lang) in [(0, "de"), (0, "en"), (1, "de")] {
            let path = format!("/v1/incidents/{}/report?format=pdf&lang={lang}", text(&filed["id"]));
            let pdf = world.controller_client(index).get(&path).await.expect(200);
            assert!(pdf.body.starts_with(b"%PDF-"));
        }
    }
}
