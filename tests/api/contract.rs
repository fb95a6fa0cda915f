//! The contract: operations and routes are the same, and every operation keeps its promises to strangers.
//! That every answer keeps to `openapi.yaml` is checked by the harness, in every test.

use std::collections::BTreeSet;

use art33::http::ROUTES;
use serde_json::{Value, json};

use crate::harness::acts::{below, decision};
use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::ladders::some_task;
use crate::harness::spec::{Operation, SPEC};
use crate::harness::world::{PROCESSOR, World, rfc3339};

#[test]
fn the_file_and_the_routes_list_the_same_operations() {
    let described: BTreeSet<_> =
        SPEC.operations.iter().map(|operation| (operation.method.as_str(), operation.path.as_str())).collect();
    let routed: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    let missing: Vec<_> = described.difference(&routed).collect();
    let undescribed: Vec<_> = routed.difference(&described).collect();
    assert!(missing.is_empty() && undescribed.is_empty(), "no route: {missing:?}\nnot described: {undescribed:?}");
}

fn guarded() -> impl Iterator<Item = &'static Operation> {
    SPEC.operations.iter().filter(|operation| operation.is_guarded())
}

/// The path with this id for its parameter.
fn path_with(operation: &Operation, id: &str) -> String {
    operation.path.replace("{id}", id)
}

/// A well-formed id of the right kind that nothing has.
fn unknown_id(operation: &Operation) -> String {
    let parameters = operation.value["parameters"].as_array().unwrap();
    let schemas = parameters.iter().map(|parameter| SPEC.resolve(parameter)).filter(|p| p["in"] == "path");
    let mut kinds = schemas.map(|parameter| SPEC.resolve(&parameter["schema"])["pattern"].as_str().unwrap());
    // The pattern of an id begins with its prefix, `^org_`, or with several of which the first will do, `^(whk|mbx)_`.
    let prefix = kinds.next().map(|pattern| &pattern.trim_start_matches(['^', '('])[..3]);
    prefix.map_or_else(String::new, |prefix| format!("{prefix}_01m809zzzzzzzzzzzzzzzzzzzz"))
}

/// Sends the body that the file gives as an example, if the operation takes one.
pub(crate) async fn send(client: &Client, operation: &'static Operation, path: &str) -> Answer {
    let request = client.request(&operation.method, path);
    let parameters = operation.value["parameters"].as_array().unwrap();
    let goes_by_version = parameters.iter().any(|parameter| SPEC.resolve(parameter)["name"] == "If-Match");
    let request = if goes_by_version { request.header("if-match", "\"1\"") } else { request };
    let content = operation.value["requestBody"]["content"].as_object();
    let Some((media_type, media)) = content.and_then(|content| content.iter().next()) else {
        return request.send().await;
    };
    let example = media["examples"].as_object().unwrap().values().next().unwrap();
    match &SPEC.resolve(example)["value"] {
        Value::String(text) => request.body(media_type, text.clone()).send().await,
        body => request.json(body).send().await,
    }
}

both! {
    async fn strangers_are_refused_before_anything_is_read(app: TestApp) {
        for operation in guarded() {
            let path = path_with(operation, &unknown_id(operation));
            let answer = app.anonymous().request(&operation.method, &path).send().await;
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{}", operation.id);
            let answer = send(&app.with_token("no.good.token"), operation, &path).await.expect(401);
            assert!(answer.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""), "{answer}");
        }
    }

    async fn a_token_without_the_scope_is_refused(app: TestApp) {
        let every = "incidents:read incidents:write agreements:read agreements:write notices:read notices:ack \
                     instructions:write decisions:write webhooks:write exports:read audit:read admin";
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor", "controller"]).await;
        for operation in guarded() {
            let enough = operation.scopes();
            assert!(!enough.is_empty(), "{} names no scope", operation.id);
            let others: Vec<_> = every.split_whitespace().filter(|scope| !enough.iter().any(|s| s == scope)).collect();
            let path = path_with(operation, &unknown_id(operation));
            let answer = send(&app.as_org(&processor, &others.join(" ")), operation, &path).await;
            assert_eq!((answer.status, answer.problem()), (403, "missing-scope"), "{}: {answer}", operation.id);
            for scope in enough {
                let answer = send(&app.as_org(&processor, &scope), operation, &path).await;
                assert_ne!(answer.problem(), "missing-scope", "{} with {scope}", operation.id);
            }
        }
    }

    async fn what_belongs_to_another_tenant_is_not_found(app: TestApp) {
        let world = app.world(1).await;
        let known = known_ids(&app, &world).await;
        let strangers = [
            app.organisation("Fremde Dienste GmbH", &["processor"]).await,
            app.organisation("Fremdwerk AG", &["controller"]).await,
        ];
        for operation in guarded().filter(|operation| operation.path.contains('{')) {
            let unknown = unknown_id(operation);
            let foreign = known.iter().find(|id| id[..4] == unknown[..4]).expect("an id of every kind");
            for stranger in &strangers {
                let scopes = format!("{PROCESSOR} notices:ack decisions:write");
                let client = app.as_org(stranger, &scopes);
                for id in [&unknown, foreign] {
                    let answer = send(&client, operation, &path_with(operation, id)).await;
                    assert_eq!((answer.status, answer.problem()), (404, "not-found"), "{} {id}: {answer}", operation.id);
                }
            }
        }
    }

    async fn every_change_leaves_a_ledger_entry(app: TestApp, settings = [
        ("ART33_MAIL_HOST", "127.0.0.1"), ("ART33_MAIL_PORT", "9"), ("ART33_MAIL_TLS", "none"),
        ("ART33_MAIL_FROM", "notices@lernsysteme.example"), ("ART33_MAIL_AREAS", "DE")
    ]) {
        let world = app.world(1).await;
        world.file().await;
        app.step_workers().await;
        let mut tried = BTreeSet::new();
        for operation in SPEC.operations.iter().filter(|operation| operation.is_mutating()) {
            let before = entries(&app).await;
            let answer = valid_request(&operation.id, &app, &world).await;
            assert!(answer.status < 300, "{}: {answer}", operation.id);
            let after = entries(&app).await;
            assert!(after > before, "{} left no ledger entry", operation.id);
            tried.insert(&operation.id);
        }
        assert!(tried.len() > 10, "{tried:?}");
    }
}

/// One real id of every kind that stands in a path.
async fn known_ids(app: &TestApp, world: &World) -> Vec<String> {
    let filed = world.file().await;
    let notices = world.processor().get("/v1/notices").await.expect(200);
    let controller = &world.controllers[0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (incident, notice) = (text(&filed["id"]), text(&notices.json["items"][0]["id"]));
    let instruction = instructed(world, &incident, "text").await.expect(201).id();
    // Reading is no arrival, acknowledging is: it starts the clock of the duty that is filed for.
    acknowledge(world).await.expect(200);
    let duty = world.duty(&filed, "gdpr_33_1", 0).await;
    let kept = world.record(&filed, 0, &text(&duty["start_at"]), &json!({})).await.expect(201).id();
    let source =
        world.processor().post("/v1/sources", &json!({"name": "Rechenwerk Hosting GmbH"})).await.expect(201).id();
    let task = text(&some_task(app, world).await["id"]);
    let key = crate::signed_acknowledgement::Desk::register(&world.controller_client(0), 1).await.id;
    let more = [text(&duty["id"]), kept, source, key, task];
    let first = vec![
        controller.id.clone(),
        controller.agreement.clone(),
        controller.webhook.clone(),
        incident,
        notice,
        instruction,
    ];
    [first, more.to_vec()].concat()
}

/// How many entries the ledger has, counted where nobody's view is narrowed.
async fn entries(app: &TestApp) -> usize {
    let all = app
        .service()
        .store
        .read::<_, art33::store::StoreError>(|connection| art33::store::ledger::walk(connection, ("", 0), 100_000));
    all.await.unwrap().len()
}

/// The table of one request per operation that changes something. An operation that is missing here fails the test.
async fn valid_request(operation: &str, app: &TestApp, world: &World) -> Answer {
    let (staff, controller) = (world.processor(), &world.controllers[0]);
    let organisation = json!({"name": "Neuwerk AG", "roles": ["controller"], "country": "DE", "region": "DE-BW"});
    let agreement = crate::harness::world::agreement(&controller.id, "AVV-0", &controller.webhook);
    let another = crate::harness::world::agreement(&controller.id, "AVV-0-b", &controller.webhook);
    let imported = crate::harness::world::agreement(&controller.id, "AVV-0-c", &controller.webhook);
    let webhook = json!({"url": world.receiver.url("/new"), "events": ["notice.*"]});
    let at = |kind: &str, id: &str| format!("/v1/{kind}/{id}");
    match operation {
        "createOrganisation" => app.operator().post("/v1/organisations", &organisation).await,
        "replaceOrganisation" => replace(&staff, &at("organisations", &controller.id), &organisation).await,
        "createAgreement" => staff.post("/v1/agreements", &another).await,
        "importAgreements" => {
            let request = staff.request("POST", "/v1/agreements/import");
            request.body("application/x-ndjson", imported.to_string()).send().await
        }
        "replaceAgreement" => {
            let mut change = agreement;
            change.as_object_mut().unwrap().remove("controller");
            replace(&staff, &at("agreements", &controller.agreement), &change).await
        }
        "createWebhook" => staff.post("/v1/webhooks", &webhook).await,
        "replaceWebhook" => replace(&staff, &at("webhooks", &controller.webhook), &webhook).await,
        "rotateWebhookSecret" => post(&staff, &(at("webhooks", &controller.webhook) + "/rotate")).await,
        "verifyEndpoint" => post(&staff, &(at("endpoints", &controller.webhook) + "/verification")).await,
        "testWebhook" => post(&staff, &(at("webhooks", &controller.webhook) + "/test")).await,
        "fileIncident" => staff.post("/v1/incidents", &world.filing()).await,
        "acknowledgeNotice" => acknowledge(world).await,
        "fileIncidentVersion" => crate::phases::some_version(world).await,
        "addAffectedControllers" => crate::phases::some_late_controller(world).await,
        "redeliverNotice" => {
            let notice = first_notice(world).await;
            post(&staff, &(at("notices", notice["id"].as_str().unwrap()) + "/redeliver")).await
        }
        "redeliverFailed" => staff.post("/v1/redeliveries", &json!({"since": rfc3339(app.now())})).await,
        "chooseIncidentAuthority" => {
            let path = at("incidents", &first_incident(world).await) + "/authority";
            let choice = json!({"authority": "de-bw", "reason": "It has the file already.", "by": "Erika Beispiel"});
            world.controller_client(0).request("PUT", &path).json(&choice).send().await
        }
        "giveInstruction" => instructed(world, &first_incident(world).await, "text").await,
        "confirmInstruction" => {
            let given = instructed(world, &first_incident(world).await, "oral").await.expect(201);
            let body = json!({"form": "text", "by": "Erika Beispiel", "at": given.json["given_at"]});
            world.controller_client(0).post(&(at("instructions", &given.id()) + "/confirmation"), &body).await
        }
        "objectToInstruction" => {
            let given = instructed(world, &first_incident(world).await, "text").await.expect(201);
            let body = json!({"by": "Max Muster", "reason": "It would name others."});
            staff.post(&(at("instructions", &given.id()) + "/objection"), &body).await
        }
        other => further_request(other, app, world).await,
    }
}

/// The rest of the table.
async fn further_request(operation: &str, app: &TestApp, world: &World) -> Answer {
    match operation {
        "recordDecision" | "recordFiling" | "answerFiling" | "reportMilestone" | "waiveDuty" | "reopenDuty" => {
            outcome(operation, app, world).await
        }
        "recordTaskResult" => tried(app, world).await,
        "releaseIncident" => release(app, world).await,
        "createSource" | "replaceSource" | "receiveNotice" => chain(operation, app, world).await,
        "readByLink" | "acknowledgeByLink" | "confirmByLink" | "receiveMail" => {
            crate::links::valid_request(operation, app, world).await
        }
        "createReceiverKey" | "retireReceiverKey" | "receiveAcknowledgement" | "disputeNotice" => {
            crate::signed_acknowledgement::valid_request(operation, app, world).await
        }
        unknown => panic!("the table has no request for {unknown}: add one"),
    }
}

/// Somebody was called and not reached.
async fn tried(app: &TestApp, world: &World) -> Answer {
    let path = format!("/v1/tasks/{}/result", some_task(app, world).await["id"].as_str().unwrap());
    let body = json!({"outcome": "not_reached", "at": rfc3339(app.now()), "by": "Max Muster"});
    world.processor().post(&path, &body).await
}

/// A second person releases what the first one filed, once the processor asks for that.
async fn release(app: &TestApp, world: &World) -> Answer {
    let staff = world.processor();
    let own = format!("/v1/organisations/{}", world.processor);
    let mut asking = staff.get(&own).await.expect(200).json;
    for member in ["id", "version", "created_at", "changed_at"] {
        asking.as_object_mut().unwrap().remove(member);
    }
    asking["release_policy"] = json!({"window_share_percent": 25, "on_timeout": "page"});
    replace(&staff, &own, &asking).await.expect(200);
    let filed = staff.post("/v1/incidents", &world.filing()).await.expect(201);
    let body = json!({"version": 1, "content_sha256": filed.json["release"]["content_sha256"]});
    let second = app.as_person(&world.processor, PROCESSOR, "a-second-person");
    let answer = second.post(&format!("/v1/incidents/{}/release", filed.id()), &body).await;
    asking["release_policy"] = json!(null);
    replace(&staff, &own, &asking).await.expect(200);
    answer
}

/// Requests about a sub-processor whose notices are received.
async fn chain(operation: &str, app: &TestApp, world: &World) -> Answer {
    let staff = world.processor();
    let source = json!({"name": "Rechenwerk Hosting GmbH", "secret": SECRET});
    if operation == "createSource" {
        return staff.post("/v1/sources", &source).await;
    }
    let id = staff.post("/v1/sources", &source).await.expect(201).id();
    if operation == "replaceSource" {
        return replace(&staff, &format!("/v1/sources/{id}"), &source).await;
    }
    let body = json!({"type": "notice.initial", "data": {"incident": "inc_1", "notice": "ntc_1"}}).to_string();
    let signed_at = app.now().unix_timestamp();
    let key = standardwebhooks::Webhook::new(SECRET).unwrap();
    let signature = key.sign("dlv_1", signed_at, body.as_bytes()).unwrap();
    let request = app.anonymous().request("POST", &format!("/inbound/{id}"));
    let request = request.header("webhook-id", "dlv_1").header("webhook-timestamp", &signed_at.to_string());
    request.header("webhook-signature", &signature).body("application/json", body).send().await
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn first_incident(world: &World) -> String {
    first_notice(world).await["incident"].as_str().unwrap().to_owned()
}

/// An instruction of the first controller in this form.
async fn instructed(world: &World, incident: &str, form: &str) -> Answer {
    let body = json!({"kind": "file_with_authority", "scope": "The initial report.", "form": form,
                      "given_by": "Erika Beispiel", "given_at": "2026-11-22T00:20:00Z"});
    world.controller_client(0).post(&format!("/v1/incidents/{incident}/instructions"), &body).await
}

async fn post(client: &Client, path: &str) -> Answer {
    client.request("POST", path).send().await
}

/// Reads, and replaces what was read.
async fn replace(client: &Client, path: &str, body: &Value) -> Answer {
    let current = client.get(path).await.expect(200);
    client.put(path, current.header("etag"), body).await
}

async fn first_notice(world: &World) -> Value {
    world.controller_client(0).get("/v1/notices").await.expect(200).json["items"][0].clone()
}

/// What the controller does about an incident of its own that it was told of.
async fn outcome(operation: &str, app: &TestApp, world: &World) -> Answer {
    let filed = world.file().await;
    app.step_workers().await;
    let (own, now) = (world.controller_client(0), rfc3339(app.now()));
    match operation {
        "recordDecision" => world.decide(&filed, 0, &decision(false, "exempt_a")).await,
        "recordFiling" => world.record(&filed, 0, &now, &json!({"stage": "complete"})).await,
        "answerFiling" => {
            let kept = world.record(&filed, 0, &now, &json!({})).await.expect(201).id();
            let answer = json!({"answered_at": now, "text": "The file is closed.", "by": "A. Muster"});
            own.post(&format!("/v1/filings/{kept}/answer"), &answer).await
        }
        "reportMilestone" => {
            let body = json!({"milestone": "classified", "at": now, "by": "B. Beispiel"});
            own.post(&below(&filed, "milestones"), &body).await
        }
        _ => {
            let duty = world.duty(&filed, "gdpr_33_1", 0).await;
            let waiver = json!({"by": "A. Muster", "reason": "The key is safe."});
            let path = format!("/v1/duties/{}", duty["id"].as_str().unwrap());
            let answer = own.post(&format!("{path}/waiver"), &waiver).await;
            match operation {
                "waiveDuty" => answer,
                _ => own.post(&format!("{path}/reopening"), &waiver).await,
            }
        }
    }
}

async fn acknowledge(world: &World) -> Answer {
    let notice = first_notice(world).await;
    let by = json!({"name": "Privacy desk", "role": "data protection officer"});
    let path = format!("/v1/notices/{}/acknowledgement", notice["id"].as_str().unwrap());
    world.controller_client(0).post(&path, &json!({"content_sha256": notice["content_sha256"], "by": by})).await
}
