//! What a filing would do: the same answer as the filing itself would give, and nothing stored.

use serde_json::{Value, json};

use crate::harness::acts::{agree, declare, four_eyes};
use crate::harness::app::TestApp;
use crate::harness::client::Answer;
use crate::harness::world::{World, merge, text};

const PATH: &str = "/v1/incidents/preview";

async fn preview(world: &World, filing: &Value) -> Answer {
    world.processor().post(PATH, filing).await
}

/// A controller without an agreement, by a name that nobody may learn.
async fn stranger(app: &TestApp) -> String {
    app.organisation("Geheimwerk AG", &["controller"]).await
}

/// What identifies a duty and its times, whatever its id.
fn times(duty: &Value) -> Vec<Value> {
    let members = [
        "controller",
        "obligation",
        "about",
        "state",
        "start_at",
        "alarm_at",
        "legal_due_at",
        "internal_target_at",
        "next_alarm_at",
        "legal_basis",
        "debtor",
        "recipient",
    ];
    members.map(|member| duty[member].clone()).to_vec()
}

fn sorted(duties: Vec<&Value>) -> Vec<String> {
    let mut all: Vec<String> = duties.into_iter().map(|duty| json!(times(duty)).to_string()).collect();
    all.sort_unstable();
    all
}

fn pointers(faults: &Value) -> Vec<(String, String)> {
    let faults = faults.as_array().unwrap_or_else(|| panic!("{faults}"));
    faults.iter().map(|fault| (text(&fault["pointer"]), text(&fault["code"]))).collect()
}

both! {
    async fn it_stores_nothing_and_sends_nothing(app: TestApp) {
        let world = app.world(2).await;
        let audit = world.processor().get("/v1/audit?limit=500").await.expect(200).json;
        let shown = preview(&world, &world.filing()).await.expect(200).json;
        assert_eq!((&shown["would_tell_count"], &shown["would_be_stored"]), (&json!(2), &json!(true)));
        app.step_workers().await;
        assert_eq!(world.receiver.taken().await.len(), 0);
        for path in ["/v1/incidents", "/v1/notices", "/v1/duties"] {
            assert_eq!(world.processor().get(path).await.expect(200).json["items"], json!([]), "{path}");
        }
        assert_eq!(world.processor().get("/v1/audit?limit=500").await.expect(200).json, audit);
        world.controller_client(0).post(PATH, &world.filing()).await.expect(403);
        assert!(!shown.to_string().contains("\"id\":\"dut_"), "{shown}");
    }

    async fn it_says_whom_through_which_endpoint_and_by_when(app: TestApp) {
        let world = app.world(2).await;
        let more = json!({"url": world.receiver.url("/more"), "events": ["notice.*"]});
        world.controller_client(1).post("/v1/webhooks", &more).await.expect(201);
        let deaf = json!({"url": world.receiver.url("/deaf"), "events": ["duty.*"], "organisation": world.controllers[0].id});
        world.processor().post("/v1/webhooks", &deaf).await.expect(201);
        let shown = preview(&world, &world.filing()).await.expect(200).json;
        let told = shown["would_tell"].as_array().unwrap();
        for (index, known) in world.controllers.iter().enumerate() {
            let one = told.iter().find(|one| one["controller"]["id"] == known.id.as_str()).unwrap();
            assert_eq!(one["controller"]["name"], format!("Beispielwerk {index} AG"));
            let agreement = json!({"id": known.agreement, "version": 1, "reference": format!("AVV-{index}")});
            assert_eq!(one["agreement"], agreement);
            assert_eq!(one["channels"], json!([{"channel": "webhook", "endpoint": known.webhook}]), "as the agreement names it");
            assert_eq!(one["missing"], json!([]));
            let duties = one["duties"].as_array().unwrap();
            let notice = duties.iter().find(|duty| duty["obligation"] == "contract_notice").unwrap();
            assert_eq!((&notice["state"], &notice["legal_due_at"]), (&json!("running"), &json!("2026-11-23T00:10:00Z")));
            let authority = duties.iter().find(|duty| duty["obligation"] == "gdpr_33_1").unwrap();
            assert_eq!((&authority["state"], &authority["legal_due_at"]), (&json!("not_started"), &Value::Null));
        }
        agree(&world, 1, &json!({"addressees": null})).await;
        let shown = preview(&world, &world.filing()).await.expect(200).json;
        let one = shown["would_tell"].as_array().unwrap().iter().find(|one| one["controller"]["id"] == world.controllers[1].id.as_str());
        assert_eq!(one.unwrap()["channels"].as_array().unwrap().len(), 2, "all that want notices, where the agreement names none");
    }

    async fn its_due_times_are_those_of_the_filing(app: TestApp) {
        let world = app.world(3).await;
        declare(&world.processor(), &world.processor, "nis2").await;
        declare(&world.processor(), &world.controllers[1].id, "dora").await;
        agree(&world, 2, &json!({"notify_within": "without_undue_delay", "counted_from": "suspicion"})).await;
        let mut filing = world.filing();
        filing["consequences"] = json!({"unknown": "being assessed", "expected_by": "2026-11-23T08:00:00Z"});
        merge(&mut filing, &json!({"stage": "initial"}));
        let shown = preview(&world, &filing).await.expect(200).json;
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        let told = shown["would_tell"].as_array().unwrap().iter().flat_map(|one| one["duties"].as_array().unwrap());
        let own = shown["own_duties"].as_array().unwrap();
        assert!(own.iter().any(|duty| duty["obligation"] == "bsig_32_early_warning"), "{own:?}");
        assert!(own.iter().any(|duty| duty["obligation"] == "open_item"), "{own:?}");
        let born = filed["duties"]["items"].as_array().unwrap().iter().collect();
        assert_eq!(sorted(told.chain(own).collect()), sorted(born));
        assert_eq!(filed["duties"]["next"], Value::Null, "all of them are on the first page");
    }

    async fn it_names_what_is_missing_for_each_agreement(app: TestApp) {
        let world = app.world(2).await;
        agree(&world, 1, &json!({"required_content": ["nature", "time", "how_obtained"]})).await;
        let mut filing = world.filing();
        merge(&mut filing, &json!({"consequences": null}));
        let shown = preview(&world, &filing).await.expect(200).json;
        assert_eq!((&shown["would_tell_count"], &shown["would_be_stored"]), (&json!(2), &json!(false)));
        let missing = |index: usize| {
            let told = shown["would_tell"].as_array().unwrap();
            let one = told.iter().find(|one| one["controller"]["id"] == world.controllers[index].id.as_str()).unwrap();
            let agreements = one["missing"].as_array().unwrap().iter().map(|fault| fault["agreement"].clone());
            assert!(agreements.clone().all(|agreement| agreement == world.controllers[index].agreement.as_str()));
            pointers(&one["missing"])
        };
        assert_eq!(missing(0), [("/consequences".into(), "required".into())]);
        let other: Vec<_> = missing(1).into_iter().map(|(pointer, _)| pointer).collect();
        assert!(!other.contains(&"/consequences".to_owned()) && !other.is_empty(), "{other:?}");
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        let named: Vec<_> = refused.faults().into_iter().map(|(at, code)| (at.to_owned(), code.to_owned())).collect();
        assert_eq!(pointers(&shown["faults"]), named, "the filing is refused for the same");
    }

    async fn it_says_whom_not_and_why_and_tells_no_names(app: TestApp) {
        let world = app.world(2).await;
        agree(&world, 1, &json!({"triggers": ["personal_data_breach"]})).await;
        let outside = stranger(&app).await;
        let mut filing = world.filing();
        filing["affected"].as_array_mut().unwrap().push(json!({"controller": outside}));
        merge(&mut filing, &json!({"kind": "disruption"}));
        let shown = preview(&world, &filing).await.expect(200).json;
        assert_eq!((&shown["would_tell_count"], &shown["not_triggered_count"]), (&json!(1), &json!(2)));
        let spared = shown["not_triggered"].as_array().unwrap();
        let of = |id: &str| spared.iter().find(|one| one["controller"]["id"] == id).unwrap();
        let quiet = of(&world.controllers[1].id);
        assert_eq!((&quiet["controller"]["name"], &quiet["agreement"]["reference"]), (&json!("Beispielwerk 1 AG"), &json!("AVV-1")));
        assert!(text(&quiet["reason"]).contains("`disruption`"), "{quiet}");
        let unknown = of(&outside);
        assert_eq!((&unknown["controller"]["name"], &unknown["agreement"]), (&json!(""), &Value::Null));
        assert!(text(&unknown["reason"]).starts_with("No agreement"), "{unknown}");
        assert!(!shown.to_string().contains("Geheimwerk"));
        let faults = pointers(&shown["faults"]);
        assert_eq!(faults, [
            ("/affected/1/controller".into(), "not_triggered".into()),
            ("/affected/2/controller".into(), "no_agreement".into()),
        ]);

        merge(&mut filing, &json!({"affected": "all"}));
        let shown = preview(&world, &filing).await.expect(200).json;
        assert_eq!((&shown["would_tell_count"], &shown["not_triggered_count"]), (&json!(1), &json!(1)));
        assert_eq!((&shown["would_be_stored"], &shown["faults"]), (&json!(true), &json!([])));
        merge(&mut filing, &json!({"kind": "contact_change"}));
        let shown = preview(&world, &filing).await.expect(200).json;
        assert_eq!((&shown["would_tell_count"], &shown["would_be_stored"]), (&json!(0), &json!(false)));
        assert_eq!(pointers(&shown["faults"]), [("/affected".into(), "nobody_to_tell".into())]);
    }

    async fn faults_of_the_body_are_refused_as_in_a_filing(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        merge(&mut filing, &json!({"title": null, "colour": "red", "aware_at": "2026-11-23T00:00:00Z", "records": {"count": {"exact": -1}}}));
        let shown = preview(&world, &filing).await.expect(422);
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(shown.faults(), refused.faults());
        assert!(shown.faults().len() >= 4, "{shown}");
        preview(&world, &json!([])).await.expect(422);
    }

    async fn with_four_eyes_it_says_how_long_the_release_would_take(app: TestApp) {
        let world = app.world(1).await;
        assert_eq!(preview(&world, &world.filing()).await.expect(200).json["release"], Value::Null);
        four_eyes(&world, "send").await;
        let shown = preview(&world, &world.filing()).await.expect(200).json;
        assert_eq!(shown["release"], json!({"due_at": "2026-11-22T12:25:00Z", "on_timeout": "send"}));
        let filed = world.file().await;
        assert_eq!(filed["release"]["due_at"], shown["release"]["due_at"]);
        let mut drill = world.filing();
        drill["drill"] = json!(true);
        let shown = preview(&world, &drill).await.expect(200).json;
        assert_eq!((&shown["release"], &shown["would_tell_count"]), (&Value::Null, &json!(1)), "nothing of a drill leaves");
    }
}
