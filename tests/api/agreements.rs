//! Agreements one by one: versions, faults, tenants.

use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::world::agreement;

both! {
    async fn an_agreement_is_changed_and_keeps_its_versions(app: TestApp) {
        let world = app.world(1).await;
        let (staff, known) = (world.processor(), &world.controllers[0]);
        let path = format!("/v1/agreements/{}", known.agreement);
        let first = staff.get(&path).await.expect(200);
        assert_eq!((first.header("etag"), &first.json["valid_until"]), ("\"1\"", &json!(null)));
        assert_eq!(first.json["controller"], json!({"id": known.id, "name": "Beispielwerk 0 AG"}));
        assert_eq!(world.controller_client(0).get(&path).await.expect(200).json, first.json);

        let mut change = agreement(&known.id, "AVV-0", &known.webhook);
        change.as_object_mut().unwrap().remove("controller");
        change["products"] = json!(["azubiheft", "portal"]);
        change["terms"]["notify_within"] = json!("PT48H");
        app.advance(time::Duration::HOUR);
        let second = staff.put(&path, "\"1\"", &change).await.expect(200);
        assert_eq!((second.header("etag"), &second.json["terms"]["notify_within"]), ("\"2\"", &json!("PT48H")));
        assert_eq!(second.json["created_at"], first.json["created_at"]);
        staff.put(&path, "\"1\"", &change).await.expect(412);
        staff.request("PUT", &path).json(&change).send().await.expect(428);
        assert_eq!(staff.get(&path).await.expect(200).json, second.json);

        let versions = staff.get(&format!("{path}/versions")).await.expect(200);
        assert_eq!(versions.json["items"], json!([second.json, first.json]));
        let page = staff.get(&format!("{path}/versions?limit=1")).await.expect(200);
        let cursor = page.json["next"].as_str().unwrap();
        let rest = staff.get(&format!("{path}/versions?limit=1&cursor={cursor}")).await.expect(200);
        assert_eq!(rest.json, json!({"items": [first.json], "next": null}));
    }

    async fn lists_are_narrowed_by_controller_product_and_reference(app: TestApp) {
        let world = app.world(2).await;
        let staff = world.processor();
        let other = &world.controllers[1];
        let mut body = agreement(&other.id, "AVV-9", &other.webhook);
        body["products"] = json!(["portal"]);
        staff.post("/v1/agreements", &body).await.expect(201);
        let references = async |query: &str| -> Vec<String> {
            let answer = staff.get(&format!("/v1/agreements{query}")).await.expect(200);
            let items = answer.json["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["reference"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(references("").await, ["AVV-0", "AVV-1", "AVV-9"]);
        assert_eq!(references(&format!("?controller={}", other.id)).await, ["AVV-1", "AVV-9"]);
        assert_eq!(references("?product=portal").await, ["AVV-9"]);
        assert_eq!(references("?reference=AVV-1&product=azubiheft").await, ["AVV-1"]);
        let own = world.controller_client(0).get("/v1/agreements").await.expect(200);
        assert_eq!(own.json["items"].as_array().unwrap().len(), 1);
    }

    async fn every_fault_is_named_at_once(app: TestApp) {
        let world = app.world(2).await;
        let staff = world.processor();
        let body = json!({"controller": "agr_1", "reference": "", "products": [], "valid_from": "yesterday", "terms": {}});
        let answer = staff.post("/v1/agreements", &body).await.expect(422);
        let pointers: Vec<_> = answer.faults().into_iter().map(|(pointer, _)| pointer).collect();
        let expected =
            ["/controller", "/reference", "/products", "/valid_from", "/terms/notify_within", "/terms/triggers"];
        assert_eq!(pointers, expected);

        let misfit = agreement(&world.controllers[0].id, "AVV-1", &world.controllers[1].webhook);
        let answer = staff.post("/v1/agreements", &misfit).await.expect(422);
        let expected = [("/reference", "duplicate"), ("/terms/addressees/0/webhook", "unknown_webhook")];
        assert_eq!(answer.faults(), expected);

        let rival = app.organisation("Zweite GmbH", &["processor"]).await;
        let body = json!({"name": "Fremd AG", "roles": ["controller"], "country": "DE"});
        let stranger = app.as_org(&rival, "agreements:write").post("/v1/organisations", &body).await.expect(201).id();
        for (controller, code) in [(&stranger, "unknown_organisation"), (&world.processor, "own_organisation")] {
            let mut body = agreement(controller, "AVV-7", &world.controllers[0].webhook);
            body["terms"].as_object_mut().unwrap().remove("addressees");
            let answer = staff.post("/v1/agreements", &body).await.expect(422);
            assert_eq!(answer.faults(), [("/controller", code)]);
        }
    }

    async fn a_controller_that_the_operator_created_may_be_named_by_any_processor(app: TestApp) {
        let world = app.world(1).await;
        let common = app.organisation("Gemeinsam AG", &["controller"]).await;
        let mut body = agreement(&common, "AVV-7", &world.controllers[0].webhook);
        body["terms"].as_object_mut().unwrap().remove("addressees");
        let path = format!("/v1/organisations/{common}");
        world.processor().get(&path).await.expect(404);
        world.processor().post("/v1/agreements", &body).await.expect(201);
        world.processor().get(&path).await.expect(200);
    }

    async fn only_the_parties_see_an_agreement_and_only_the_processor_writes(app: TestApp) {
        let world = app.world(2).await;
        let known = &world.controllers[0];
        let path = format!("/v1/agreements/{}", known.agreement);
        world.controller_client(1).get(&path).await.expect(404);
        world.controller_client(1).get(&format!("{path}/versions")).await.expect(404);
        let mut change = agreement(&known.id, "AVV-0", &known.webhook);
        change.as_object_mut().unwrap().remove("controller");
        let controller = app.as_org(&known.id, "agreements:write");
        controller.put(&path, "\"1\"", &change).await.expect(403);
        controller.post("/v1/agreements", &agreement(&known.id, "AVV-8", &known.webhook)).await.expect(403);
        let other = app.organisation("Fremd GmbH", &["processor"]).await;
        app.as_org(&other, "agreements:write").put(&path, "\"1\"", &change).await.expect(404);
    }

    async fn the_same_request_creates_once_and_is_in_the_ledger_once(app: TestApp) {
        let world = app.world(1).await;
        let (staff, known) = (world.processor(), &world.controllers[0]);
        let body = agreement(&known.id, "AVV-5", &known.webhook);
        let send = async |body| {
            staff.request("POST", "/v1/agreements").header("idempotency-key", "k").json(body).send().await
        };
        let first = send(&body).await.expect(201);
        let again = send(&body).await.expect(201);
        assert_eq!((&again.json, again.header("etag")), (&first.json, "\"1\""));
        send(&agreement(&known.id, "AVV-6", &known.webhook)).await.expect(409);
        let ledger = staff.get(&format!("/v1/audit?stream={}", world.processor)).await.expect(200);
        let entries = ledger.json["items"].as_array().unwrap().clone();
        let created = entries.iter().filter(|entry| entry["object"] == first.id().as_str());
        assert_eq!(created.map(|entry| entry["kind"].clone()).collect::<Vec<_>>(), ["agreement.created"]);
    }
}
