//! Tenancy: a controller sees its own share and nothing that tells of the others; another tenant sees nothing at all.

use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::client::Client;
use crate::harness::world::{World, merge, text};

/// Numbers that occur nowhere else, for the whole and for each of three controllers; so long that no digest holds one by chance.
const WHOLE: [&str; 2] = ["9182736455461", "6455463728192"];
const OWN: [[&str; 2]; 3] =
    [["710030017100", "710070017101"], ["720030017200", "720070017201"], ["730030017300", "730070017301"]];

/// A filing in which every controller has numbers and a note of its own.
fn telling_numbers(world: &World) -> Value {
    let number = |text: &str| json!({"count": {"exact": text.parse::<u64>().unwrap()}});
    let share = |(index, [subjects, records]): (usize, &[&str; 2])| {
        json!({
            "controller": world.controllers[index].id, "subjects": number(subjects), "records": number(records),
            "note": format!("Note of number {subjects}"),
        })
    };
    let affected: Vec<Value> = OWN.iter().enumerate().map(share).collect();
    let mut filing = world.filing();
    merge(
        &mut filing,
        &json!({
            "subjects": number(WHOLE[0]), "records": {"count": {"about": WHOLE[1].parse::<u64>().unwrap()}}, "affected": affected,
        }),
    );
    filing
}

/// Everything that a controller can read about an incident, as one text.
async fn all_that(client: &Client, incident: &str) -> String {
    let mut seen = String::new();
    let notices = client.get("/v1/notices").await.expect(200).json;
    for notice in notices["items"].as_array().unwrap() {
        let path = format!("/v1/notices/{}", text(&notice["id"]));
        for path in [path.clone(), format!("{path}/content")] {
            seen += &String::from_utf8(client.get(&path).await.expect(200).body).unwrap();
        }
    }
    for path in [
        "/v1/incidents".to_owned(),
        "/v1/notices".to_owned(),
        "/v1/duties".to_owned(),
        "/v1/audit?limit=500".to_owned(),
        format!("/v1/incidents/{incident}"),
        format!("/v1/incidents/{incident}/report?format=json&lang=de"),
        format!("/v1/incidents/{incident}/report?format=json&lang=en"),
    ] {
        seen += &String::from_utf8(client.get(&path).await.expect(200).body).unwrap();
    }
    seen
}

/// Ids in an answer's list.
async fn listed(client: &Client, path: &str) -> Vec<String> {
    let page = client.get(path).await.expect(200).json;
    page["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect()
}

both! {
    async fn a_controller_never_sees_another_share_nor_the_totals(app: TestApp) {
        let world = app.world(3).await;
        let filed = world.processor().post("/v1/incidents", &telling_numbers(&world)).await.expect(201);
        let incident = filed.id();
        app.step_workers().await;
        for (index, own) in OWN.iter().enumerate() {
            let client = world.controller_client(index);
            let seen = all_that(&client, &incident).await;
            for number in own {
                assert!(seen.contains(number), "{number} is its own");
            }
            let others = OWN.iter().enumerate().filter(|(other, _)| *other != index).flat_map(|(_, numbers)| numbers);
            for number in others.chain(&WHOLE) {
                assert!(!seen.contains(number), "{number} is not for controller {index}:\n{seen}");
            }
            let others = world.controllers.iter().enumerate().filter(|(other, _)| *other != index);
            for (_, other) in others {
                for secret in [&other.id, &other.agreement, &other.webhook] {
                    assert!(!seen.contains(secret.as_str()), "{secret} is not for controller {index}");
                }
            }
            let shown = client.get(&format!("/v1/incidents/{incident}")).await.expect(200).json;
            assert_eq!((&shown["affected_count"], &shown["notices"]["delivered"]), (&Value::Null, &json!(1)));
        }
        let whole = world.processor().get(&format!("/v1/incidents/{incident}")).await.expect(200);
        assert!(WHOLE.iter().all(|number| String::from_utf8_lossy(&whole.body).contains(number)));
        for delivery in world.receiver.taken().await {
            let body = String::from_utf8(delivery.body.clone()).unwrap();
            let numbers = OWN.iter().flatten().chain(&WHOLE);
            assert!(numbers.clone().all(|number| !body.contains(number)), "a webhook is thin: {body}");
            let index: usize = delivery.path[1..].parse().unwrap();
            let others = world.controllers.iter().enumerate().filter(|(other, _)| *other != index);
            assert!(others.clone().all(|(_, other)| !body.contains(&other.id)), "{body}");
        }
    }

    async fn what_happens_to_others_cannot_be_told_from_filters(app: TestApp) {
        let world = app.world(2).await;
        let incident = text(&world.file().await["id"]);
        let (own, other) = (world.controller_client(0), &world.controllers[1].id);
        let path = format!("/v1/notices/{}/acknowledgement", text(&world.notice(0).await["id"]));
        let hash = world.notice(0).await["content_sha256"].clone();
        let body = json!({"content_sha256": hash, "by": {"name": "Privacy desk", "role": "dpo"}});
        own.post(&path, &body).await.expect(200);
        let shown = own.get(&format!("/v1/incidents/{incident}")).await.expect(200).json;
        assert_eq!(shown["state"], "acknowledged", "its own notice is");
        assert_eq!(listed(&own, "/v1/incidents?state=acknowledged").await, std::slice::from_ref(&incident));
        assert_eq!(listed(&own, "/v1/incidents?state=telling").await, Vec::<String>::new());
        assert_eq!(listed(&own, &format!("/v1/incidents?controller={other}")).await, Vec::<String>::new());
        let staff = world.processor();
        assert_eq!(listed(&staff, "/v1/incidents?state=telling").await, std::slice::from_ref(&incident));
        assert_eq!(listed(&staff, &format!("/v1/incidents?controller={other}")).await, [incident]);
    }

    async fn another_tenant_sees_nothing(app: TestApp) {
        let (world, other) = (app.world(1).await, app.world(1).await);
        let incident = text(&world.file().await["id"]);
        app.step_workers().await;
        let notice = text(&world.notice(0).await["id"]);
        for stranger in [other.processor(), other.controller_client(0)] {
            for path in ["/v1/incidents", "/v1/notices", "/v1/duties"] {
                assert_eq!(listed(&stranger, path).await, Vec::<String>::new(), "{path}");
            }
            assert_eq!(listed(&stranger, &format!("/v1/duties?incident={incident}")).await, Vec::<String>::new());
            assert_eq!(listed(&stranger, &format!("/v1/notices?incident={incident}")).await, Vec::<String>::new());
            for path in [
                format!("/v1/incidents/{incident}"),
                format!("/v1/incidents/{incident}/report?format=json"),
                format!("/v1/incidents/{incident}/report?format=pdf&controller={}", world.controllers[0].id),
                format!("/v1/notices/{notice}"),
                format!("/v1/notices/{notice}/content"),
                format!("/v1/notices/{notice}/deliveries"),
            ] {
                assert_eq!(stranger.get(&path).await.expect(404).problem(), "not-found", "{path}");
            }
            for stream in [&incident, &notice, &world.processor, &world.controllers[0].id] {
                let entries = stranger.get(&format!("/v1/audit?stream={stream}")).await.expect(200).json;
                assert_eq!(entries["items"], json!([]), "{stream}");
            }
        }
        let path = format!("/v1/notices/{notice}");
        let receipts = world.processor().get(&path).await.expect(200).json["receipts"].clone();
        let levels: Vec<_> = receipts.as_array().unwrap().iter().map(|receipt| receipt["level"].clone()).collect();
        assert!(levels.contains(&json!("delivered")) && !levels.contains(&json!("accessed")), "a stranger's look: {receipts}");
    }

    async fn a_stranger_cannot_be_affected(app: TestApp) {
        let (world, other) = (app.world(1).await, app.world(1).await);
        let mut filing = world.filing();
        filing["affected"] = json!([{"controller": other.controllers[0].id}]);
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/affected/0/controller", "no_agreement")]);
    }
}
