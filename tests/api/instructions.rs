//! Instructions of controllers: given, confirmed, objected to, replaced; read by both parties and by nobody else.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::world::{World, rfc3339, text};

/// A world whose incident is filed; answers the path of its instructions.
async fn filed(app: &TestApp, controllers: usize) -> (World, String) {
    let world = app.world(controllers).await;
    let incident = text(&world.file().await["id"]);
    (world, format!("/v1/incidents/{incident}/instructions"))
}

fn instruction(app: &TestApp, form: &str) -> Value {
    json!({"kind": "file_with_authority", "scope": "The initial report.", "form": form, "given_by": "Erika Beispiel",
           "given_at": rfc3339(app.now())})
}

fn confirmation(app: &TestApp) -> Value {
    json!({"form": "text", "by": "Erika Beispiel", "at": rfc3339(app.now())})
}

fn objection() -> Value {
    json!({"by": "Max Muster", "reason": "The report would name others."})
}

fn at(instruction: &Answer, step: &str) -> String {
    format!("/v1/instructions/{}/{step}", instruction.id())
}

async fn state(client: &Client, instruction: &Answer) -> String {
    text(&client.get(&format!("/v1/instructions/{}", instruction.id())).await.expect(200).json["state"])
}

async fn listed(client: &Client, path: &str) -> Vec<String> {
    let page = client.get(path).await.expect(200).json;
    page["items"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect()
}

async fn told(client: &Client) -> Vec<String> {
    let page = client.get("/v1/audit?limit=500").await.expect(200).json;
    let kinds = page["items"].as_array().unwrap().iter().map(|entry| text(&entry["kind"]));
    kinds.filter(|kind| kind.starts_with("instruction.")).collect()
}

both! {
    async fn a_controller_instructs_and_both_parties_read_it(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let (own, staff) = (world.controller_client(0), world.processor());
        let given = own.post(&path, &instruction(&app, "text")).await.expect(201);
        assert_eq!(given.header("location"), format!("/v1/instructions/{}", given.id()));
        assert_eq!((&given.json["state"], &given.json["recorded_by"]), (&json!("in_force"), &json!(world.controllers[0].id)));
        for client in [&own, &staff] {
            assert_eq!(client.get(given.header("location")).await.expect(200).json, given.json);
            assert_eq!(listed(client, &path).await, [given.id()]);
            assert_eq!(told(client).await, ["instruction.given"]);
        }
        let entered = staff.post(&path, &instruction(&app, "written")).await.expect(201);
        assert_eq!(entered.json["recorded_by"], world.processor.as_str());
        let first = own.get(&format!("{path}?limit=1")).await.expect(200).json;
        assert_eq!(listed(&own, &format!("{path}?limit=1&cursor={}", text(&first["next"]))).await, [entered.id()]);
        let ledger = own.get("/v1/audit?limit=500").await.expect(200).json.to_string();
        assert!(!ledger.contains("The initial report") && !ledger.contains("Erika"), "no content in the ledger");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn all_faults_are_named_at_once_and_nothing_is_stored(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let later = rfc3339(app.now() + Duration::minutes(1));
        let bad = json!({"kind": "dance", "scope": "", "form": "sung", "given_at": later, "x": 1});
        let refused = world.controller_client(0).post(&path, &bad).await.expect(422);
        let expected = [
            ("/kind", "unknown_code"),
            ("/scope", "empty"),
            ("/form", "unknown_code"),
            ("/given_by", "required"),
            ("/given_at", "time_in_future"),
            ("/x", "unknown_member"),
        ];
        assert_eq!(refused.faults(), expected);
        let mut lost = instruction(&app, "text");
        lost["replaces"] = json!("ins_01m809zzzzzzzzzzzzzzzzzzzz");
        let refused = world.controller_client(0).post(&path, &lost).await.expect(422);
        assert_eq!(refused.faults(), [("/replaces", "unknown_instruction")]);
        assert_eq!(listed(&world.processor(), &path).await, Vec::<String>::new());
    }

    async fn an_oral_instruction_counts_once_confirmed(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let (own, staff) = (world.controller_client(0), world.processor());
        let given = staff.post(&path, &instruction(&app, "oral")).await.expect(201);
        assert_eq!(given.json["state"], "unconfirmed");
        let mut early = confirmation(&app);
        early["at"] = json!(rfc3339(app.now() - Duration::minutes(1)));
        assert_eq!(own.post(&at(&given, "confirmation"), &early).await.expect(422).faults(), [("/at", "time_order")]);
        let mut oral = confirmation(&app);
        oral["form"] = json!("oral");
        assert_eq!(own.post(&at(&given, "confirmation"), &oral).await.expect(422).faults(), [("/form", "unknown_code")]);
        app.advance(Duration::minutes(10));
        let confirmed = staff.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(200);
        assert_eq!((&confirmed.json["state"], &confirmed.json["confirmation"]["by"]), (&json!("in_force"), &json!("Erika Beispiel")));
        let again = own.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(409);
        assert_eq!(again.problem(), "instruction-in-force");
        assert_eq!(told(&own).await, ["instruction.given", "instruction.confirmed"]);
    }

    async fn an_objection_suspends_until_the_controller_answers(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let (own, staff) = (world.controller_client(0), world.processor());
        let given = own.post(&path, &instruction(&app, "text")).await.expect(201);
        assert_eq!(own.post(&at(&given, "objection"), &objection()).await.expect(403).problem(), "missing-scope");
        let both = app.as_org(&world.controllers[0].id, "incidents:write instructions:write");
        assert_eq!(both.post(&at(&given, "objection"), &objection()).await.expect(403).problem(), "forbidden");
        app.advance(Duration::minutes(10));
        let objected = staff.post(&at(&given, "objection"), &objection()).await.expect(200);
        assert_eq!((&objected.json["state"], &objected.json["objection"]["at"]), (&json!("suspended"), &json!(rfc3339(app.now()))));
        assert_eq!(state(&own, &given).await, "suspended");
        let twice = staff.post(&at(&given, "objection"), &objection()).await.expect(409);
        assert_eq!(twice.problem(), "instruction-suspended");
        staff.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(403);
        let mut early = confirmation(&app);
        early["at"] = json!(rfc3339(app.now() - Duration::minutes(1)));
        assert_eq!(own.post(&at(&given, "confirmation"), &early).await.expect(422).faults(), [("/at", "time_order")]);
        let upheld = own.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(200).json;
        assert_eq!((&upheld["state"], &upheld["upheld"]["by"]), (&json!("in_force"), &json!("Erika Beispiel")));
        assert_eq!(upheld["objection"]["reason"], "The report would name others.", "it stays visible");
        let third = staff.post(&at(&given, "objection"), &objection()).await.expect(409);
        assert_eq!(third.problem(), "instruction-upheld");
        assert_eq!(told(&own).await, ["instruction.given", "instruction.objected", "instruction.confirmed"]);
        assert_eq!(told(&staff).await, told(&own).await);
    }

    async fn a_new_instruction_takes_the_place_of_an_earlier_one(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let (own, staff) = (world.controller_client(0), world.processor());
        let old = own.post(&path, &instruction(&app, "text")).await.expect(201);
        staff.post(&at(&old, "objection"), &objection()).await.expect(200);
        let mut changed = instruction(&app, "text");
        changed["replaces"] = json!(old.id());
        let new = own.post(&path, &changed).await.expect(201);
        let shown = own.get(&format!("/v1/instructions/{}", old.id())).await.expect(200).json;
        assert_eq!((&shown["state"], &shown["replaced_by"]), (&json!("replaced"), &json!(new.id())));
        assert_eq!((&new.json["state"], &new.json["replaces"]), (&json!("in_force"), &json!(old.id())));
        for (path, body) in [
            (path.clone(), changed),
            (at(&old, "confirmation"), confirmation(&app)),
        ] {
            assert_eq!(own.post(&path, &body).await.expect(409).problem(), "instruction-replaced", "{path}");
        }
        assert_eq!(staff.post(&at(&old, "objection"), &objection()).await.expect(409).problem(), "instruction-replaced");
        assert_eq!(listed(&own, &path).await.len(), 2, "the refused one is not stored");
        assert_eq!(told(&own).await, ["instruction.given", "instruction.objected", "instruction.given", "instruction.replaced"]);
    }

    async fn only_those_on_the_list_of_the_agreement_instruct(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let (own, staff) = (world.controller_client(0), world.processor());
        let unlisted = own.post(&path, &instruction(&app, "oral")).await.expect(201);
        let agreement = format!("/v1/agreements/{}", world.controllers[0].agreement);
        let mut change = crate::harness::world::agreement(&world.controllers[0].id, "AVV-0", &world.controllers[0].webhook);
        change.as_object_mut().unwrap().remove("controller");
        change["terms"]["authorised_instructors"] = json!(["Personalleitung", "Petra Beispiel"]);
        staff.put(&agreement, "\"1\"", &change).await.expect(200);

        let mut given = instruction(&app, "text");
        given["replaces"] = json!("ins_01m809zzzzzzzzzzzzzzzzzzzz");
        let refused = own.post(&path, &given).await.expect(422);
        assert_eq!(refused.faults(), [("/given_by", "not_authorised"), ("/replaces", "unknown_instruction")]);
        let fault = &refused.json["errors"][0];
        assert_eq!(
            (&fault["agreement"], &fault["legal_basis"]),
            (&json!(world.controllers[0].agreement), &json!("Art. 28(3)(a) GDPR"))
        );
        let detail = text(&fault["detail"]);
        assert!(detail.contains("AVV-0") && detail.contains("Personalleitung; Petra Beispiel"), "{detail}");
        given.as_object_mut().unwrap().remove("replaces");
        for person in ["petra beispiel", "Erika Beispiel (Personalleitung)"] {
            given["given_by"] = json!(person);
            own.post(&path, &given).await.expect(201);
        }
        let path = at(&unlisted, "confirmation");
        let refused = own.post(&path, &confirmation(&app)).await.expect(422);
        assert_eq!(refused.faults(), [("/by", "not_authorised")]);
        assert_eq!(state(&own, &unlisted).await, "unconfirmed");
        let mut confirmed = confirmation(&app);
        confirmed["by"] = json!("Petra Beispiel");
        own.post(&path, &confirmed).await.expect(200);
    }

    async fn a_drill_stays_with_the_processor(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        filing["drill"] = json!(true);
        let incident = world.processor().post("/v1/incidents", &filing).await.expect(201).id();
        let (own, staff) = (world.controller_client(0), world.processor());
        let path = format!("/v1/incidents/{incident}/instructions");
        own.post(&path, &instruction(&app, "text")).await.expect(404);
        let given = staff.post(&path, &instruction(&app, "oral")).await.expect(201);
        staff.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(200);
        assert_eq!(listed(&staff, &path).await, [given.id()]);
        staff.get(&format!("/v1/incidents/{incident}/authority")).await.expect(200);
        for path in [path, format!("/v1/instructions/{}", given.id()), format!("/v1/incidents/{incident}/authority")] {
            own.get(&path).await.expect(404);
        }
        own.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(404);
        assert_eq!(told(&own).await, Vec::<String>::new());
        assert_eq!(told(&staff).await, ["instruction.given", "instruction.confirmed"]);
    }

    async fn a_repeated_request_gives_the_same_answer(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let own = world.controller_client(0);
        let send = async |path: &str, body: &Value, key: &str| {
            own.request("POST", path).header("idempotency-key", key).json(body).send().await
        };
        let body = instruction(&app, "oral");
        let given = send(&path, &body, "a").await.expect(201);
        let again = send(&path, &body, "a").await.expect(201);
        assert_eq!((again.header("idempotency-replayed"), &again.json), ("true", &given.json));
        assert_eq!(listed(&own, &path).await, [given.id()]);
        let path = at(&given, "confirmation");
        let confirmed = send(&path, &confirmation(&app), "b").await.expect(200);
        let again = send(&path, &confirmation(&app), "b").await.expect(200);
        assert_eq!((again.header("idempotency-replayed"), &again.json), ("true", &confirmed.json));
        assert_eq!(send(&path, &confirmation(&app), "a").await.expect(409).problem(), "idempotency-key-reused");
    }

    async fn of_several_controllers_each_has_its_own(app: TestApp) {
        let (world, path) = filed(&app, 2).await;
        let (first, second, staff) = (world.controller_client(0), world.controller_client(1), world.processor());
        let given = first.post(&path, &instruction(&app, "text")).await.expect(201);
        assert_eq!(listed(&second, &path).await, Vec::<String>::new());
        assert_eq!(told(&second).await, Vec::<String>::new());
        second.get(&format!("/v1/instructions/{}", given.id())).await.expect(404);
        second.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(404);
        let mut stolen = instruction(&app, "text");
        stolen["replaces"] = json!(given.id());
        assert_eq!(second.post(&path, &stolen).await.expect(422).faults(), [("/replaces", "unknown_instruction")]);
        stolen["controller"] = json!(world.controllers[0].id);
        assert_eq!(second.post(&path, &stolen).await.expect(422).faults(), [("/controller", "unknown_controller")]);

        let refused = staff.post(&path, &instruction(&app, "text")).await.expect(422);
        assert_eq!(refused.faults(), [("/controller", "required")]);
        let mut named = instruction(&app, "text");
        named["controller"] = json!(world.controllers[1].id);
        let entered = staff.post(&path, &named).await.expect(201);
        assert_eq!(listed(&second, &path).await, [entered.id()]);
        assert_eq!(listed(&staff, &path).await, [given.id(), entered.id()]);
    }

    async fn strangers_find_nothing(app: TestApp) {
        let (world, path) = filed(&app, 1).await;
        let given = world.controller_client(0).post(&path, &instruction(&app, "text")).await.expect(201);
        let other = app.world(1).await;
        for stranger in [other.processor(), other.controller_client(0)] {
            stranger.get(&path).await.expect(404);
            stranger.post(&path, &instruction(&app, "text")).await.expect(404);
            stranger.post(&path, &json!({})).await.expect(404);
            stranger.get(&format!("/v1/instructions/{}", given.id())).await.expect(404);
            stranger.post(&at(&given, "confirmation"), &confirmation(&app)).await.expect(404);
        }
        other.processor().post(&at(&given, "objection"), &objection()).await.expect(404);
        let weak = app.as_org(&world.controllers[0].id, "incidents:read incidents:write");
        assert_eq!(weak.post(&path, &instruction(&app, "text")).await.expect(403).problem(), "forbidden");
        assert_eq!(state(&world.processor(), &given).await, "in_force");
    }
}
