//! Supervisory authorities: who is competent for whom, why, and that a person may decide otherwise with a reason.

use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::client::Client;
use crate::harness::world::{World, text};

/// Lets a controller say where it sits.
async fn seated(world: &World, index: usize, seat: &Value) {
    let path = format!("/v1/organisations/{}", world.controllers[index].id);
    let staff = world.processor();
    let current = staff.get(&path).await.expect(200);
    let mut body = json!({"name": current.json["name"], "roles": ["controller"]});
    crate::harness::world::merge(&mut body, seat);
    staff.put(&path, current.header("etag"), &body).await.expect(200);
}

/// Files for all controllers; answers the path of the authority.
async fn filed(world: &World) -> String {
    format!("/v1/incidents/{}/authority", text(&world.file().await["id"]))
}

async fn put(client: &Client, path: &str, body: &Value) -> crate::harness::client::Answer {
    client.request("PUT", path).json(body).send().await
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|authority| text(&authority["id"])).collect()
}

async fn kinds(client: &Client, kind: &str) -> Vec<Value> {
    let page = client.get("/v1/audit?limit=500").await.expect(200).json;
    page["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).cloned().collect()
}

both! {
    async fn all_known_authorities_are_listed(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let list = async |query: &str| ids(&staff.get(&format!("/v1/authorities{query}")).await.expect(200).json["items"]);
        let all = list("?limit=500").await;
        assert!(all.is_sorted() && all.len() > 60, "{all:?}");
        let first = staff.get("/v1/authorities?limit=2").await.expect(200).json;
        let next = list(&format!("?limit=2&cursor={}", text(&first["next"]))).await;
        assert_eq!([ids(&first["items"]), next].concat(), all[..4]);
        assert_eq!(list("?country=FR").await, ["fr-cnil"]);
        assert_eq!(list("?country=DE&sector=telecom").await, ["de-bund"]);
        assert_eq!(list("?country=DE&sector=church_protestant").await, ["de-ekd"]);
        staff.get("/v1/authorities?country=XX&sector=king").await.expect(400);
    }

    async fn seat_and_sector_decide_and_the_basis_says_why(app: TestApp) {
        let world = app.world(1).await;
        let path = filed(&world).await;
        let own = world.controller_client(0);
        let unknown = own.get(&path).await.expect(200).json;
        assert_eq!((&unknown["competent"], &unknown["chosen"]), (&Value::Null, &Value::Null));
        assert!(text(&unknown["basis"][0]).contains("names no region"), "{unknown}");
        for (seat, expected, basis) in [
            (json!({"country": "DE", "region": "DE-BW"}), "de-bw", "§ 40(1) and (2) BDSG: seat in DE-BW"),
            (json!({"country": "DE", "region": "DE-BY", "sector": "public"}), "de-by-lfd", "Art. 55(1) GDPR"),
            (json!({"country": "DE", "sector": "telecom"}), "de-bund", "§ 9(1) BDSG and § 29 TDDDG"),
            (json!({"country": "AT"}), "at-dsb", "Art. 55(1) GDPR: seat in AT"),
        ] {
            seated(&world, 0, &seat).await;
            let found = own.get(&path).await.expect(200).json;
            assert_eq!(found["competent"]["id"], expected, "{seat}");
            assert!(text(&found["basis"][0]).starts_with(basis), "{found}");
            assert_eq!((&found["lead"], &found["cross_border"]), (&Value::Null, &json!(false)));
            assert_eq!(found, world.processor().get(&path).await.expect(200).json, "both parties read the same");
        }
    }

    async fn persons_in_other_states_make_it_cross_border(app: TestApp) {
        let world = app.world(2).await;
        seated(&world, 0, &json!({"country": "DE", "region": "DE-NW", "main_establishment": "IE"})).await;
        seated(&world, 1, &json!({"country": "US"})).await;
        let mut filing = world.filing();
        filing["countries"] = json!(["DE", "FR"]);
        filing["affected"][1]["countries"] = json!(["PL"]);
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201);
        let path = format!("/v1/incidents/{}/authority", filed.id());
        let first = world.controller_client(0).get(&path).await.expect(200).json;
        assert_eq!((&first["lead"]["id"], &first["cross_border"]), (&json!("ie-dpc"), &json!(true)));
        assert_eq!(ids(&first["concerned"]), ["de-bund", "fr-cnil"], "the countries of the whole incident");
        let second = world.controller_client(1).get(&path).await.expect(200).json;
        assert_eq!((&second["competent"], &second["lead"]), (&Value::Null, &Value::Null));
        assert_eq!(ids(&second["concerned"]), ["pl-uodo"], "its own countries");
        assert!(second["basis"].to_string().contains("no one-stop shop"), "{second}");

        filing["countries"] = json!(["DE", "XX"]);
        filing["affected"][1]["countries"] = json!([]);
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/countries/1", "country"), ("/affected/1/countries", "empty")]);
        let notice = text(&world.notice(1).await["id"]);
        let content = world.controller_client(1).get(&format!("/v1/notices/{notice}/content")).await.expect(200);
        assert_eq!(content.json["countries"], json!(["PL"]));
    }

    async fn another_authority_is_chosen_with_a_reason(app: TestApp) {
        let world = app.world(2).await;
        seated(&world, 0, &json!({"country": "DE", "region": "DE-BW"})).await;
        let path = filed(&world).await;
        let (own, staff) = (world.controller_client(0), world.processor());
        let choice = json!({"authority": "de-he", "reason": "The main office moved there.", "by": "Erika Beispiel"});
        let chosen = put(&own, &path, &choice).await.expect(200).json;
        assert_eq!((&chosen["chosen"]["authority"], &chosen["competent"]["id"]), (&json!("de-he"), &json!("de-bw")));
        assert_eq!((&chosen["chosen"]["by"], &chosen["chosen"]["reason"]), (&choice["by"], &choice["reason"]));

        let refused = put(&own, &path, &json!({"authority": "de-atlantis", "by": "Erika Beispiel"})).await.expect(422);
        assert_eq!(refused.faults(), [("/authority", "unknown_authority"), ("/reason", "required")]);
        assert_eq!(own.get(&path).await.expect(200).json, chosen, "nothing of it was stored");

        let nobody = put(&staff, &path, &choice).await.expect(422);
        assert_eq!(nobody.faults(), [("/controller", "required")]);
        let mut named = choice.clone();
        named["controller"] = json!(world.controllers[0].id);
        named["authority"] = json!("de-bw");
        put(&staff, &path, &named).await.expect(200);
        let query = format!("{path}?controller={}", world.controllers[0].id);
        assert_eq!(staff.get(&query).await.expect(200).json["chosen"]["authority"], "de-bw");
        staff.get(&path).await.expect(422);

        let entries = kinds(&own, "authority.chosen").await;
        assert_eq!(entries, kinds(&staff, "authority.chosen").await, "both read the ledger");
        let facts: Vec<_> = entries.iter().map(|entry| entry["facts"]["authority"].clone()).collect();
        assert_eq!(facts, [json!("de-he"), json!("de-bw")]);
        assert!(!entries[0].to_string().contains("moved there"), "no content in the ledger");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn nobody_sees_or_chooses_for_another_controller(app: TestApp) {
        let (world, other) = (app.world(2).await, app.world(1).await);
        let path = filed(&world).await;
        let choice = json!({"authority": "de-he", "reason": "Because.", "by": "Erika Beispiel"});
        put(&world.controller_client(0), &path, &choice).await.expect(200);
        let second = world.controller_client(1);
        assert_eq!(second.get(&path).await.expect(200).json["chosen"], Value::Null);
        assert_eq!(kinds(&second, "authority.chosen").await, Vec::<Value>::new());
        let foreign = format!("{path}?controller={}", world.controllers[0].id);
        assert_eq!(second.get(&foreign).await.expect(422).faults(), [("/controller", "unknown_controller")]);
        let mut named = choice.clone();
        named["controller"] = json!(world.controllers[0].id);
        put(&second, &path, &named).await.expect(422);
        for stranger in [other.processor(), other.controller_client(0)] {
            stranger.get(&path).await.expect(404);
            let scopes = "incidents:write decisions:write";
            put(&app.as_org(&other.processor, scopes), &path, &choice).await.expect(404);
        }
        let weak = app.as_org(&world.controllers[0].id, "incidents:write");
        assert_eq!(put(&weak, &path, &choice).await.expect(403).problem(), "forbidden");
    }
}
