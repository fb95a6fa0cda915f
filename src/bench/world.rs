//! One processor with its controllers and agreements, made through the interface, and the filings about them.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::{Client, Load, Request, load};
use super::server::Server;
use super::{BenchError, Bounds};
use crate::clock::Clock;

/// Connections of the load.
pub(super) const CLIENTS: usize = 32;
/// Controllers that filings of one controller each are about.
const SINGLE: usize = 300;
const SCOPES: &str = "agreements:write incidents:read incidents:write notices:read exports:read webhooks:write";
/// Long enough for all that is made before the figures are taken.
const PATIENCE: Duration = Duration::from_mins(5);

/// What the filings need to know.
pub(super) struct World {
    address: SocketAddr,
    token: String,
    controllers: Vec<String>,
    singles: Vec<Request>,
    all: Request,
}

impl World {
    /// Makes the organisations and one agreement per controller; `name` tells several worlds of one database apart.
    pub(super) async fn make(server: &Server, name: &str, controllers: usize) -> Result<Self, BenchError> {
        let now = Clock::system().now();
        let operator = server.token(None, "admin")?;
        let mut client = Client::connect(server.address).await?;
        let processor = json!({"name": "Muster Lernsysteme GmbH", "roles": ["processor"], "country": "DE"});
        let processor = post("/v1/organisations", &operator, &processor).with_key(name);
        let processor = client.send(&processor).await?.id()?;
        let token = server.token(Some(&processor), SCOPES)?;
        let controllers = make_controllers(server, &token, controllers).await?;
        let agreements: String = controllers.iter().enumerate().map(agreement).collect();
        let import =
            Request::new("POST", "/v1/agreements/import?atomic=true", &token, "application/x-ndjson", &agreements);
        client.send(&import.with_key("agreements")).await?;
        let single = |id: &String| post("/v1/incidents", &token, &filing(now, &json!([{"controller": id}])));
        let singles = controllers.iter().take(SINGLE).map(single).collect();
        let all = post("/v1/incidents", &token, &filing(now, &json!("all")));
        Ok(Self { address: server.address, token, controllers, singles, all })
    }

    /// How many controllers there are.
    pub(super) fn size(&self) -> usize {
        self.controllers.len()
    }

    /// Registers an endpoint for the notices of each controller; `url` says where that of the n-th is.
    pub(super) async fn register(&self, url: &dyn Fn(usize) -> String) -> Result<(), BenchError> {
        let request = |number: usize| {
            let body = json!({"organisation": self.controllers[number], "url": url(number), "events": ["notice.*"]});
            post("/v1/webhooks", &self.token, &body).with_key(&format!("webhook-{number}"))
        };
        let made = load(self.address, CLIENTS, self.size(), PATIENCE, &request, &|_, _| Ok(())).await?;
        if made.latencies.len() == self.size() {
            return Ok(());
        }
        Err(BenchError::Unusable(format!(
            "only {} endpoints were registered within {PATIENCE:?}",
            made.latencies.len()
        )))
    }

    /// Files one incident that affects every controller under `key`; answers when it was answered.
    pub(super) async fn file_all(&self, key: &str) -> Result<OffsetDateTime, BenchError> {
        let mut client = Client::connect(self.address).await?;
        client.send(&self.all.with_key(key)).await?;
        Ok(Clock::system().now())
    }

    /// Files incidents of one controller each over all connections at once.
    pub(super) async fn file_singles(&self, run: &str, bounds: Bounds) -> Result<Load, BenchError> {
        let request = |number: usize| self.singles[number % self.singles.len()].with_key(&format!("{run}-{number:08}"));
        load(self.address, CLIENTS, bounds.filings, bounds.time, &request, &|_, _| Ok(())).await
    }

    /// Files one incident of one controller under `key` and answers its id.
    pub(super) async fn file_single(&self, key: &str) -> Result<String, BenchError> {
        Client::connect(self.address).await?.send(&self.singles[0].with_key(key)).await?.id()
    }

    /// Files `count` incidents that affect every controller, one after the other.
    pub(super) async fn file_for_all(&self, count: usize) -> Result<Load, BenchError> {
        let request = |number: usize| self.all.with_key(&format!("all-{number}"));
        load(self.address, 1, count, PATIENCE, &request, &|_, _| Ok(())).await
    }

    /// Has the report about one incident laid out `count` times.
    pub(super) async fn reports(&self, incident: &str, count: usize) -> Result<Load, BenchError> {
        let path = format!("/v1/incidents/{incident}/report");
        let request = Request::new("GET", &path, &self.token, "application/json", "").with_key("report");
        load(self.address, 1, count, PATIENCE, &|_| request.clone(), &|_, _| Ok(())).await
    }
}

async fn make_controllers(server: &Server, token: &str, count: usize) -> Result<Vec<String>, BenchError> {
    let ids = RefCell::new(vec![String::new(); count]);
    let request = |number: usize| {
        let body = json!({"name": format!("Beispielwerk {number} AG"), "roles": ["controller"], "country": "DE"});
        post("/v1/organisations", token, &body).with_key(&format!("controller-{number}"))
    };
    load(server.address, CLIENTS, count, PATIENCE, &request, &|number, response| {
        ids.borrow_mut()[number] = response.id()?;
        Ok(())
    })
    .await?;
    Ok(ids.into_inner())
}

fn post(path: &str, token: &str, body: &Value) -> Request {
    Request::new("POST", path, token, "application/json", &body.to_string())
}

fn agreement((number, controller): (usize, &String)) -> String {
    let body = json!({
        "controller": controller, "reference": format!("AVV-{number}"), "products": ["azubiheft"],
        "valid_from": "2020-01-01",
        "terms": {
            "notify_within": "PT24H", "counted_from": "awareness", "triggers": ["personal_data_breach"],
            "required_content": ["nature", "contact", "consequences", "measures"], "form": "text",
            "filing_on_behalf": "instruction_required", "data_location": "DE", "language": "de",
            "internal_target": "PT12H",
        },
    });
    format!("{body}\n")
}

fn filing(now: OffsetDateTime, affected: &Value) -> Value {
    let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let noticed = text(now - time::Duration::minutes(30));
    json!({
        "kind": "personal_data_breach", "stage": "complete", "title": "Open share link on report archive",
        "detected_at": noticed, "aware_at": noticed,
        "nature": {"types": ["confidentiality"], "cause": "misconfiguration",
                   "description": "A share link to the archive of weekly reports could be opened without a login."},
        "data_categories": ["identity", "contact"], "special_categories": [], "professional_secrecy": false,
        "subjects": {"categories": ["apprentices"], "count": {"exact": 37}},
        "records": {"categories": ["weekly_reports"], "count": {"about": 800}},
        "contact": {"role": "dpo", "name": "Data protection office", "email": "dpo@lernsysteme.example"},
        "consequences": {"types": ["loss_of_control"], "description": "Reports may have been read by strangers."},
        "measures": {"taken": [{"description": "The link was revoked.", "at": text(now)}], "proposed": []},
        "affected": affected,
    })
}
