//! A processor and its controllers, made through the interface, and the plain requests that tests send.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::process::{PATIENCE, Setup};
use super::receivers::Receivers;

/// All that staff of the processor does here.
const STAFF: &str =
    "incidents:read incidents:write agreements:read agreements:write notices:read webhooks:write audit:read";

/// As many controllers as are made at the same time.
const AT_ONCE: usize = 16;
/// Between two looks at what the service itself does not tell.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A processor with controllers, each with an agreement and an endpoint.
pub(crate) struct World {
    http: reqwest::Client,
    staff: String,
    filed_at: String,
    /// Ids, in the order of their endpoints.
    pub(crate) controllers: Vec<String>,
}

/// Status, body and whether it was given before.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
    pub(crate) replayed: bool,
}

impl World {
    /// Makes everything at the service at `base`.
    pub(crate) async fn build(setup: &Setup, base: &str, receivers: &Receivers, controllers: usize) -> Self {
        Self::build_at(setup, base, controllers, &|index| receivers.url(index)).await
    }

    /// The same where the endpoint of each controller is at the address that `url` names.
    pub(crate) async fn build_at(setup: &Setup, base: &str, controllers: usize, url: &dyn Fn(usize) -> String) -> Self {
        let now = art33::clock::Clock::system().now();
        let filed_at = now.format(&time::format_description::well_known::Rfc3339).unwrap();
        let operator = setup.token(&["--operator"]);
        let mut world = Self { http: client(), staff: operator, filed_at, controllers: Vec::new() };
        let body = json!({"name": "Muster Lernsysteme GmbH", "roles": ["processor"], "country": "DE"});
        let processor = world.create(&format!("{base}/v1/organisations"), &body).await;
        world.staff = setup.token(&["--org", &processor, "--scope", STAFF]);
        let made = futures::stream::iter((0..controllers).map(|index| world.controller(base, index, url(index))));
        world.controllers = made.buffered(AT_ONCE).collect().await;
        world
    }

    async fn controller(&self, base: &str, index: usize, url: String) -> String {
        let body = json!({"name": format!("Beispielwerk {index} AG"), "roles": ["controller"], "country": "DE"});
        let id = self.create(&format!("{base}/v1/organisations"), &body).await;
        let body = json!({"url": url, "events": ["notice.*"], "organisation": id});
        let webhook = self.create(&format!("{base}/v1/webhooks"), &body).await;
        self.create(&format!("{base}/v1/agreements"), &agreement(&id, index, &webhook)).await;
        id
    }

    /// Waits until every endpoint has proved itself: the word of one that has not is no proof of arrival.
    pub(crate) async fn all_proven(&self, base: &str) {
        let proven = async {
            let is_proof = |entry: &&Value| entry["kind"] == "endpoint.verified";
            while self.list(&format!("{base}/v1/audit")).await.iter().filter(is_proof).count() < self.controllers.len()
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, proven).await.expect("all endpoints prove themselves");
    }

    /// Waits until all notices have arrived and that is recorded; answers them.
    pub(crate) async fn all_delivered(&self, base: &str) -> Vec<Value> {
        let delivered = async {
            loop {
                let notices = self.list(&format!("{base}/v1/notices")).await;
                if notices.iter().all(|notice| notice["state"] == "delivered") {
                    return notices;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, delivered).await.expect("all notices are delivered")
    }

    /// Waits until the only delivery of a notice is as `wanted`; answers it with its attempts.
    pub(crate) async fn delivery(&self, base: &str, notice: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let url = format!("{base}/v1/notices/{}/deliveries", notice["id"].as_str().unwrap());
        let found = async {
            loop {
                let delivery = self.get(&url).await["items"][0].clone();
                if wanted(&delivery) {
                    return delivery;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, found).await.expect("the delivery gets there")
    }

    async fn create(&self, url: &str, body: &Value) -> String {
        let answer = self.post(url, None, body).await.unwrap();
        assert_eq!(answer.status, 201, "{url}: {}", answer.json);
        answer.json["id"].as_str().unwrap().to_owned()
    }

    /// Sends a request that creates; an error means that no answer came.
    pub(crate) async fn post(&self, url: &str, key: Option<&str>, body: &Value) -> reqwest::Result<Answer> {
        let request = self.http.post(url).bearer_auth(&self.staff).header("content-type", "application/json");
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        let response = request.body(body.to_string()).send().await?;
        let (status, replayed) = (response.status().as_u16(), response.headers().contains_key("idempotency-replayed"));
        let bytes = response.bytes().await?;
        Ok(Answer { status, json: serde_json::from_slice(&bytes).unwrap_or_default(), replayed })
    }

    /// Reads what must be there.
    pub(crate) async fn get(&self, url: &str) -> Value {
        let response = self.http.get(url).bearer_auth(&self.staff).send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        assert_eq!(status, 200, "{url}: {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Reads all pages of a list.
    pub(crate) async fn list(&self, url: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = format!("{url}?limit=500");
        loop {
            let page = self.get(&next).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["next"].as_str() else { return items };
            next = format!("{url}?limit=500&cursor={cursor}");
        }
    }

    /// The controllers whom the filing with this number affects: one, two or three.
    pub(crate) fn affected(&self, number: usize) -> Vec<usize> {
        (0..=number % 3).map(|step| (number + step) % self.controllers.len()).collect()
    }

    /// The body of the filing with this number; the title says which.
    pub(crate) fn filing(&self, number: usize) -> Value {
        let affected = self.affected(number).into_iter().map(|index| json!({"controller": self.controllers[index]}));
        json!({
            "kind": "personal_data_breach", "stage": "complete", "title": title(number),
            "detected_at": self.filed_at, "aware_at": self.filed_at,
            "nature": {"types": ["confidentiality"], "cause": "misconfiguration", "description": "A link was public."},
            "data_categories": ["identity"], "special_categories": [], "professional_secrecy": false,
            "subjects": {"categories": ["apprentices"], "count": {"exact": 37}},
            "records": {"categories": ["weekly_reports"], "count": {"about": 800}},
            "contact": {"role": "dpo", "name": "Data protection office", "email": "dpo@lernsysteme.example"},
            "consequences": {"types": ["loss_of_control"], "description": "Reports may have been read by strangers."},
            "measures": {"taken": [{"description": "The link was revoked.", "at": self.filed_at}], "proposed": []},
            "affected": affected.collect::<Vec<_>>(),
        })
    }
}

/// The title of the filing with this number.
pub(crate) fn title(number: usize) -> String {
    format!("Open share link {number}")
}

fn agreement(controller: &str, index: usize, webhook: &str) -> Value {
    json!({
        "controller": controller, "reference": format!("AVV-{index}"), "products": ["azubiheft"],
        "valid_from": "2026-01-01",
        "terms": {
            "notify_within": "PT24H", "counted_from": "awareness", "triggers": ["personal_data_breach"],
            "required_content": ["nature", "contact", "consequences", "measures"], "form": "text",
            "addressees": [{"role": "breach_desk", "channel": "webhook", "webhook": webhook}],
            "filing_on_behalf": "instruction_required", "data_location": "DE", "language": "de",
        },
    })
}

#[expect(clippy::disallowed_methods, reason = "tests talk to the service from outside")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}
