//! Sets up the demo's world through the interface itself: organisations, receivers, agreements, and tokens for all.

use serde_json::{Value, json};
use time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use url::Url;

use super::client::Client;
use super::receiver::{Received, Receiver};
use super::signature::EndpointKeys;
use super::{DemoError, scenario};
use crate::app::App;
use crate::clock::Clock;
use crate::identity::{BuiltinIssuer, Grant};
use crate::outbound::Outbound;
use crate::service::operator_id;

const OPERATOR: &str = "admin audit:read";
const PROCESSOR: &str = "incidents:read incidents:write agreements:read agreements:write notices:read webhooks:write \
                         exports:read audit:read";
const CONTROLLER: &str =
    "incidents:read agreements:read notices:read notices:ack webhooks:write exports:read audit:read";
/// How long tokens are good, measured in the world, and the most that the service accepts on its own clock.
const TOKEN_LIFE: Duration = Duration::hours(12);
const LONGEST_TOKEN_LIFE: Duration = Duration::days(366);

/// One of the controllers.
pub(super) struct Controller {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) client: Client,
    /// As the service answered it.
    pub(super) agreement: Value,
}

/// Everybody, ready to act.
pub(super) struct World {
    pub(super) operator: Client,
    pub(super) processor: Client,
    /// In the order of the scenario; so are the first receivers. The last receiver is the processor's.
    pub(super) controllers: Vec<Controller>,
    _receivers: Vec<Receiver>,
}

/// The door of the service.
pub(super) struct Door {
    pub(super) url: Url,
    outbound: Outbound,
    issuer: BuiltinIssuer,
    clock: Clock,
}

impl Door {
    pub(super) fn of(app: &App) -> Self {
        let service = app.service();
        Self {
            url: service.public_url.clone(),
            outbound: app.outbound().clone(),
            issuer: app.issuer().clone(),
            clock: service.clock.clone(),
        }
    }

    fn client(&self, organisation: &str, scopes: &str) -> Client {
        let grant = Grant {
            subject: "demo".to_owned(),
            organisation: organisation.to_owned(),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            name: None,
            token_id: None,
        };
        let life = self.clock.passes_in(TOKEN_LIFE).min(LONGEST_TOKEN_LIFE);
        Client::new(self.outbound.clone(), self.url.clone(), self.issuer.issue(&grant, self.clock.now(), life))
    }

    /// Creates everybody; what the receivers get goes to `inbox`.
    pub(super) async fn populate(&self, inbox: &UnboundedSender<Received>) -> Result<World, DemoError> {
        let operator = self.client(operator_id().as_str(), OPERATOR);
        let processor_id = id(&operator.post("/v1/organisations", &scenario::processor()).await?)?;
        let processor = self.client(&processor_id, PROCESSOR);
        let mut receivers = Vec::new();
        let mut controllers = Vec::new();
        for (index, part) in scenario::PARTS.iter().enumerate() {
            let id = id(&processor.post("/v1/organisations", &part.controller()).await?)?;
            receivers.push(self.receiver(index, &processor, &id, "*", inbox).await?);
            let agreement = processor.post("/v1/agreements", &part.agreement(&id, self.clock.now())?).await?;
            let client = self.client(&id, CONTROLLER);
            controllers.push(Controller { id, name: part.name, client, agreement });
        }
        receivers.push(self.receiver(controllers.len(), &processor, &processor_id, "duty.*", inbox).await?);
        Ok(World { operator, processor, controllers, _receivers: receivers })
    }

    /// A receiver for an organisation, registered by the processor.
    async fn receiver(
        &self,
        index: usize,
        processor: &Client,
        organisation: &str,
        events: &str,
        inbox: &UnboundedSender<Received>,
    ) -> Result<Receiver, DemoError> {
        let receiver = Receiver::start(index, self.clock.clone(), inbox.clone())?;
        let body = json!({"url": receiver.url, "events": [events], "organisation": organisation});
        let webhook = processor.post("/v1/webhooks", &body).await?;
        let keys = EndpointKeys {
            secret: text(&webhook, "/secret").to_owned(),
            public_key: text(&webhook, "/public_key").to_owned(),
        };
        receiver.belongs_to(organisation, keys);
        Ok(receiver)
    }
}

/// The member `id` of an answer.
pub(super) fn id(answer: &Value) -> Result<String, DemoError> {
    match text(answer, "/id") {
        "" => Err(DemoError::Story(format!("an answer without an id: {answer}"))),
        id => Ok(id.to_owned()),
    }
}

/// The text at a JSON pointer; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
