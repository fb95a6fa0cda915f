//! People and contracts to test with, made through the interface itself, and the workers' steps taken by hand.

use art33::domain::delivery::Lane;
use art33::outbound::Outbound;
use art33::service::{Service, operator_id};
use art33::worker::{delivery, duties, escalation, probes};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::app::TestApp;
use super::client::Client;
use super::receiver::Receiver;

/// All that staff of a processor may do.
pub(crate) const PROCESSOR: &str = "incidents:read incidents:write agreements:read agreements:write notices:read \
                                    webhooks:write exports:read audit:read";
/// All that a controller may do.
pub(crate) const CONTROLLER: &str = "incidents:read agreements:read notices:read notices:ack instructions:write decisions:write webhooks:write \
     exports:read audit:read";

/// One processor and its controllers, each with a webhook and an agreement.
pub(crate) struct World {
    app: TestApp,
    /// Takes the webhooks of all controllers at `/0`, `/1`, ….
    pub(crate) receiver: Receiver,
    /// The id of the processor.
    pub(crate) processor: String,
    /// In the order of their paths.
    pub(crate) controllers: Vec<Controller>,
}

/// One controller.
pub(crate) struct Controller {
    /// The id of the organisation.
    pub(crate) id: String,
    /// The id of its agreement with the processor.
    pub(crate) agreement: String,
    /// The id of its webhook.
    pub(crate) webhook: String,
    /// The secret of its webhook.
    pub(crate) secret: String,
    /// The key for `v1a` signatures.
    pub(crate) public_key: String,
}

impl TestApp {
    /// The operator, who may create organisations.
    pub(crate) fn operator(&self) -> Client {
        self.as_org(operator_id().as_str(), "admin audit:read")
    }

    /// A new organisation with these roles; answers its id.
    pub(crate) async fn organisation(&self, name: &str, roles: &[&str]) -> String {
        let body = json!({"name": name, "roles": roles, "country": "DE", "region": "DE-BW"});
        self.operator().post("/v1/organisations", &body).await.expect(201).id()
    }

    /// A processor with `controllers` controllers.
    pub(crate) async fn world(&self, controllers: usize) -> World {
        let processor = self.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let receiver = Receiver::start();
        let mut world = World { app: self.clone(), receiver, processor, controllers: Vec::new() };
        for index in 0..controllers {
            let controller = world.controller(index).await;
            world.controllers.push(controller);
        }
        self.step_workers().await;
        world
    }
}

impl World {
    /// Staff of the processor.
    pub(crate) fn processor(&self) -> Client {
        self.app.as_org(&self.processor, PROCESSOR)
    }

    /// Staff of a controller.
    pub(crate) fn controller_client(&self, index: usize) -> Client {
        self.app.as_org(&self.controllers[index].id, CONTROLLER)
    }

    /// The newest notice to a controller, as its list shows it.
    pub(crate) async fn notice(&self, index: usize) -> Value {
        self.controller_client(index).get("/v1/notices").await.expect(200).json["items"][0].clone()
    }

    /// The only delivery of the newest notice to a controller, with its attempts.
    pub(crate) async fn delivery(&self, index: usize) -> Value {
        let path = format!("/v1/notices/{}/deliveries", text(&self.notice(index).await["id"]));
        let deliveries = self.processor().get(&path).await.expect(200).json;
        assert_eq!(deliveries["items"].as_array().map(Vec::len), Some(1), "{deliveries}");
        deliveries["items"][0].clone()
    }

    /// The duty of one kind towards or of a controller in an incident.
    pub(crate) async fn duty(&self, incident: &Value, obligation: &str, index: usize) -> Value {
        let path = format!("/v1/duties?incident={}&limit=500", text(&incident["id"]));
        let duties = self.processor().get(&path).await.expect(200).json;
        let duties = duties["items"].as_array().unwrap();
        let wanted = |duty: &&Value| {
            duty["obligation"] == obligation && duty["controller"] == self.controllers[index].id.as_str()
        };
        duties.iter().find(wanted).unwrap_or_else(|| panic!("no {obligation} in {duties:?}")).clone()
    }

    /// A processor alone, as it is known at a service.
    pub(crate) fn of(app: &TestApp, processor: &str) -> Self {
        let (app, processor) = (app.clone(), processor.to_owned());
        Self { app, receiver: Receiver::start(), processor, controllers: Vec::new() }
    }

    /// The same people at another service on the same database.
    pub(crate) fn at(self, app: &TestApp) -> Self {
        Self { app: app.clone(), ..self }
    }

    async fn controller(&self, index: usize) -> Controller {
        let staff = self.processor();
        let body = json!({"name": format!("Beispielwerk {index} AG"), "roles": ["controller"], "country": "DE"});
        let id = staff.post("/v1/organisations", &body).await.expect(201).id();
        let url = self.receiver.url(&format!("/{index}"));
        let body = json!({"url": url, "events": ["*"], "organisation": id});
        let webhook = staff.post("/v1/webhooks", &body).await.expect(201);
        let text = |member: &str| webhook.json[member].as_str().unwrap().to_owned();
        let body = agreement(&id, &format!("AVV-{index}"), &webhook.id());
        let agreement = staff.post("/v1/agreements", &body).await.expect(201).id();
        Controller { id, agreement, webhook: webhook.id(), secret: text("secret"), public_key: text("public_key") }
    }

    /// Files an incident for all controllers; answers the answer to the filing.
    pub(crate) async fn file(&self) -> Value {
        self.processor().post("/v1/incidents", &self.filing()).await.expect(201).json
    }

    /// A filing that is complete enough for [`agreement`] and affects every controller.
    pub(crate) fn filing(&self) -> Value {
        let affected: Vec<Value> = self.controllers.iter().map(|known| json!({"controller": known.id})).collect();
        filing(self.app.now(), &json!(affected))
    }
}

/// A member that is a text.
#[track_caller]
pub(crate) fn text(member: &Value) -> String {
    member.as_str().unwrap_or_else(|| panic!("{member} is no text")).to_owned()
}

/// A time as the contract writes it.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

/// A time out of an answer.
#[track_caller]
pub(crate) fn instant(member: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(&text(member), &Rfc3339).unwrap()
}

/// Changes a document as RFC 7396 says: objects are merged, null removes, all else replaces.
pub(crate) fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else { return *document = patch.clone() };
    if !document.is_object() {
        *document = json!({});
    }
    let members = document.as_object_mut().unwrap();
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

/// The body of an agreement with 24 hours from awareness, told by one webhook.
pub(crate) fn agreement(controller: &str, reference: &str, webhook: &str) -> Value {
    json!({
        "controller": controller, "reference": reference, "products": ["azubiheft"], "valid_from": "2026-01-01",
        "terms": {
            "notify_within": "PT24H", "counted_from": "awareness",
            "triggers": ["personal_data_breach", "suspected_breach", "disruption"],
            "required_content": ["nature", "contact", "consequences", "measures"], "form": "text",
            "addressees": [{"role": "breach_desk", "channel": "webhook", "webhook": webhook}],
            "filing_on_behalf": "instruction_required", "data_location": "DE", "language": "de",
            "internal_target": "PT12H",
        },
    })
}

/// The body of a filing about something noticed half an hour before `now`.
pub(crate) fn filing(now: OffsetDateTime, affected: &Value) -> Value {
    let seen = rfc3339(now - Duration::minutes(30));
    json!({
        "kind": "personal_data_breach", "stage": "complete", "title": "Open share link on report archive",
        "detected_at": seen, "aware_at": seen,
        "nature": {"types": ["confidentiality"], "cause": "misconfiguration", "description": "A link was public."},
        "data_categories": ["identity", "contact"], "special_categories": [], "professional_secrecy": false,
        "subjects": {"categories": ["apprentices"], "count": {"exact": 37}},
        "records": {"categories": ["weekly_reports"], "count": {"about": 800}},
        "contact": {"role": "dpo", "name": "Data protection office", "email": "dpo@lernsysteme.example"},
        "consequences": {"types": ["loss_of_control"], "description": "Reports may have been read by strangers."},
        "measures": {"taken": [{"description": "The link was revoked.", "at": rfc3339(now)}], "proposed": []},
        "affected": affected,
    })
}

/// Lets every worker take steps until nothing is left to do.
pub(super) async fn step(service: &Service, outbound: &Outbound) {
    loop {
        let mut done = duties::step(service).await.unwrap();
        done += escalation::step(service).await.unwrap();
        done += probes::step(service).await.unwrap();
        // Verifications first, so that what follows them finds endpoints that have proved themselves.
        for lane in [Lane::Replay, Lane::First, Lane::Retry, Lane::Mail] {
            done += delivery::step(service, outbound, lane, 256).await.unwrap();
        }
        if done == 0 {
            return;
        }
    }
}
