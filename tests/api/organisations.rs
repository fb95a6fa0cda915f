//! Organisations: who may create, see and change whom.

use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::world::{CONTROLLER, PROCESSOR};

/// What a processor needs to set up its controllers.
const WRITER: &str = "agreements:read agreements:write";

fn entered(name: &str, roles: &[&str]) -> Value {
    json!({"name": name, "roles": roles, "country": "DE", "region": "DE-BW",
           "contacts": [{"role": "dpo", "name": "Data protection desk", "email": "dpo@example.org"}]})
}

both! {
    async fn an_organisation_is_created_shown_and_changed(app: TestApp) {
        let operator = app.operator();
        let created = operator.post("/v1/organisations", &entered("Muster GmbH", &["processor"])).await.expect(201);
        let path = format!("/v1/organisations/{}", created.id());
        assert_eq!((created.header("location"), created.header("etag")), (path.as_str(), "\"1\""));
        let own = app.as_org(&created.id(), WRITER);
        let shown = own.get(&path).await.expect(200);
        assert_eq!(shown.json, created.json);

        let changed = own.put(&path, "\"1\"", &entered("Muster SE", &["processor"])).await.expect(200);
        assert_eq!((changed.header("etag"), &changed.json["name"]), ("\"2\"", &json!("Muster SE")));
        own.put(&path, "\"1\"", &entered("Muster AG", &["processor"])).await.expect(412);
        own.request("PUT", &path).json(&entered("Muster AG", &["processor"])).send().await.expect(428);
        own.put(&path, "\"2\"", &entered("Muster AG", &["controller"])).await.expect(403);
        assert_eq!(own.get(&path).await.expect(200).json["name"], "Muster SE");
    }

    async fn what_decides_on_supervision_is_kept_and_unset(app: TestApp) {
        let mut body = entered("Muster GmbH", &["processor"]);
        let created = app.operator().post("/v1/organisations", &body).await.expect(201);
        let said = |answer: &Value| {
            ["sector", "regimes", "main_establishment", "release_policy"].map(|member| answer[member].clone())
        };
        let nothing = [json!("private"), json!([]), Value::Null, Value::Null];
        assert_eq!(said(&created.json), nothing);
        let policy = json!({"window_share_percent": 25, "on_timeout": "page"});
        body["sector"] = json!("telecom");
        body["regimes"] = json!(["nis2", "dora"]);
        body["main_establishment"] = json!("FR-IDF");
        body["release_policy"] = policy.clone();
        let path = format!("/v1/organisations/{}", created.id());
        let own = app.as_org(&created.id(), WRITER);
        own.put(&path, "\"1\"", &body).await.expect(200);
        let shown = own.get(&path).await.expect(200).json;
        assert_eq!(said(&shown), [json!("telecom"), json!(["dora", "nis2"]), json!("FR-IDF"), policy]);
        own.put(&path, "\"2\"", &entered("Muster GmbH", &["processor"])).await.expect(200);
        assert_eq!(said(&own.get(&path).await.expect(200).json), nothing, "what is left out is unset");

        body["sector"] = json!("king");
        body["regimes"] = json!(["NIS 2"]);
        body["main_establishment"] = json!("DE-XX");
        body["release_policy"] = json!({"window_share_percent": 0, "on_timeout": "wait"});
        body["roles"] = json!(["controller"]);
        let refused = app.operator().post("/v1/organisations", &body).await.expect(422);
        let expected = [
            ("/sector", "unknown_code"),
            ("/regimes/0", "word"),
            ("/main_establishment", "country"),
            ("/release_policy/window_share_percent", "range"),
            ("/release_policy/on_timeout", "unknown_code"),
            ("/release_policy", "processors_only"),
        ];
        assert_eq!(refused.faults(), expected);
    }

    async fn every_fault_is_named_at_once(app: TestApp) {
        let bad = json!({"name": " ", "roles": ["king"], "country": "XX", "vat": "1"});
        let answer = app.operator().post("/v1/organisations", &bad).await.expect(422);
        let pointers: Vec<_> = answer.faults().into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/name", "/roles/0", "/country", "/vat"]);
    }

    async fn a_processor_creates_controllers_and_nobody_else_does(app: TestApp) {
        let processor = app.organisation("Muster GmbH", &["processor"]).await;
        let staff = app.as_org(&processor, WRITER);
        let controller = staff.post("/v1/organisations", &entered("Beispiel AG", &["controller"])).await.expect(201).id();
        staff.post("/v1/organisations", &entered("Zweite GmbH", &["processor"])).await.expect(403);
        let unentitled = app.as_org(&controller, WRITER);
        unentitled.post("/v1/organisations", &entered("Dritte GmbH", &["controller"])).await.expect(403);
        app.as_org(&processor, "agreements:read").post("/v1/organisations", &entered("X", &["controller"])).await.expect(403);

        let path = format!("/v1/organisations/{controller}");
        staff.put(&path, "\"1\"", &entered("Beispiel SE", &["controller"])).await.expect(200);
    }

    async fn tenants_see_themselves_and_those_they_deal_with(app: TestApp) {
        let world = app.world(2).await;
        let stranger = app.organisation("Fremd GmbH", &["processor"]).await;
        let names = |answer: crate::harness::client::Answer| -> Vec<String> {
            let items = answer.expect(200).json["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
        };
        let list = "/v1/organisations";
        let processor = names(world.processor().get(list).await);
        assert_eq!(processor, ["Muster Lernsysteme GmbH", "Beispielwerk 0 AG", "Beispielwerk 1 AG"]);
        let controller = names(world.controller_client(0).get(list).await);
        assert_eq!(controller, ["Muster Lernsysteme GmbH", "Beispielwerk 0 AG"]);
        assert_eq!(names(app.operator().get(list).await).len(), 5);
        assert_eq!(names(world.processor().get("/v1/organisations?role=controller&q=WERK%201").await), ["Beispielwerk 1 AG"]);

        for (organisation, scopes) in [(&stranger, PROCESSOR), (&world.controllers[1].id, CONTROLLER)] {
            let path = format!("/v1/organisations/{}", world.controllers[0].id);
            app.as_org(organisation, scopes).get(&path).await.expect(404);
        }
        let path = format!("/v1/organisations/{}", world.processor);
        world.controller_client(0).get(&path).await.expect(200);
        app.as_org(&world.controllers[0].id, WRITER).put(&path, "\"1\"", &entered("X", &["processor"])).await.expect(403);
        app.as_org(&stranger, WRITER).put(&path, "\"1\"", &entered("X", &["processor"])).await.expect(404);
    }

    async fn letters_of_any_language_are_found_in_either_case(app: TestApp) {
        app.organisation("Ärztliche Stelle 100%", &["controller"]).await;
        let count = async |text: &str| {
            let answer = app.operator().get(&format!("/v1/organisations?q={text}")).await.expect(200);
            answer.json["items"].as_array().unwrap().len()
        };
        assert_eq!(count("%C3%A4RZTLICHE").await, 1);
        assert_eq!(count("100%25").await, 1);
        assert_eq!(count("1_0").await, 0);
    }

    async fn pages_follow_each_other(app: TestApp) {
        for name in ["A", "B", "C"] {
            app.organisation(name, &["controller"]).await;
        }
        let mut path = "/v1/organisations?role=controller&limit=2".to_owned();
        let mut seen = Vec::new();
        loop {
            let page = app.operator().get(&path).await.expect(200).json;
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/organisations?role=controller&limit=2&cursor={next}");
        }
        assert_eq!(seen, ["A", "B", "C"]);
    }

    async fn the_same_request_creates_once(app: TestApp) {
        let send = async |name: &str| {
            let request = app.operator().request("POST", "/v1/organisations").header("idempotency-key", "k1");
            request.json(&entered(name, &["controller"])).send().await
        };
        let first = send("A").await.expect(201);
        let again = send("A").await.expect(201);
        assert_eq!((again.json.clone(), again.header("idempotency-replayed")), (first.json, "true"));
        assert_eq!(send("B").await.expect(409).problem(), "idempotency-key-reused");
        let all = app.operator().get("/v1/organisations?role=controller").await.expect(200);
        assert_eq!(all.json["items"].as_array().unwrap().len(), 1);
    }

    async fn there_is_one_operator_however_often_it_is_asked_for(app: TestApp) {
        let service = app.service();
        let (one, two) = tokio::join!(service.ensure_operator(), service.ensure_operator());
        assert_eq!(one.unwrap(), two.unwrap());
        let operator = app.operator();
        let path = format!("/v1/organisations/{}", art33::service::operator_id());
        let shown = operator.get(&path).await.expect(200);
        assert_eq!((&shown.json["roles"], &shown.json["version"]), (&json!([]), &json!(1)));
        operator.put(&path, "\"1\"", &entered("X", &["processor"])).await.expect(403);
    }
}
