//! A webhook receiver on loopback for one organisation: verifies what comes, drops repetitions, passes the rest on.
//!
//! Answers before anything is done about a message, as a receiver should; what is done is decided elsewhere.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use time::Duration;
use tokio::sync::SetOnce;
use tokio::sync::mpsc::UnboundedSender;

use super::DemoError;
use super::signature::{EndpointKeys, Message};
use crate::clock::Clock;

/// How far a message may be from now, measured in the world; on a faster clock that is longer.
const TOLERANCE: Duration = Duration::minutes(5);

/// What a receiver has to say.
pub(super) enum Received {
    /// A message with good signatures: the index of its receiver, and the body.
    Event(usize, Value),
    /// A message that was turned away: the index of its receiver, and why.
    Refused(usize, &'static str),
}

/// A running receiver; it ends when dropped.
pub(super) struct Receiver {
    /// Where it takes webhooks.
    pub(super) url: String,
    shared: Arc<Shared>,
    server: ServerHandle,
}

struct Shared {
    index: usize,
    clock: Clock,
    owner: SetOnce<(String, EndpointKeys)>,
    seen: Mutex<HashSet<String>>,
    outbox: UnboundedSender<Received>,
}

impl Receiver {
    /// Starts one on a free port of loopback. What comes before it has an owner waits for that.
    pub(super) fn start(index: usize, clock: Clock, outbox: UnboundedSender<Received>) -> Result<Self, DemoError> {
        let shared = Arc::new(Shared { index, clock, owner: SetOnce::new(), seen: Mutex::default(), outbox });
        let data = web::Data::from(Arc::clone(&shared));
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::clone(&data)).route("/art33", web::post().to(receive))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).map_err(DemoError::Receiver)?;
        let address =
            server.addrs().first().copied().ok_or_else(|| DemoError::Receiver(std::io::Error::other("no address")))?;
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { url: format!("http://{address}/art33"), shared, server: handle })
    }

    /// Tells whose receiver it is, and how messages for it are signed; only the first time counts.
    pub(super) fn belongs_to(&self, organisation: &str, keys: EndpointKeys) {
        drop(self.shared.owner.set((organisation.to_owned(), keys)));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The command is on its way once the future is made.
        drop(self.server.stop(false));
    }
}

async fn receive(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let message = Message {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
        body: &body,
    };
    // The service asks it to prove itself as soon as it is registered; that answer holds the keys, and may be on its way yet.
    let checked = shared.check(shared.owner.wait().await, &message);
    if let Ok(Some(event)) = &checked
        && event["type"] == "endpoint.verify"
    {
        return HttpResponse::Ok().json(json!({"challenge": event["data"]["challenge"]}));
    }
    let (said, mut answer) = match checked {
        Ok(event) => (event.map(|event| Received::Event(shared.index, event)), HttpResponse::NoContent()),
        Err(reason) => (Some(Received::Refused(shared.index, reason)), HttpResponse::Unauthorized()),
    };
    if let Some(said) = said {
        // Nobody listens once the demo ends.
        drop(shared.outbox.send(said));
    }
    answer.finish()
}

impl Shared {
    /// The event, nothing if it came before, or why it is turned away.
    fn check(
        &self,
        (organisation, keys): &(String, EndpointKeys),
        message: &Message<'_>,
    ) -> Result<Option<Value>, &'static str> {
        message.verify(keys, self.clock.now(), self.clock.passes_in(TOLERANCE))?;
        let event: Value = serde_json::from_slice(message.body).map_err(|_| "it is no JSON")?;
        if event["data"]["recipient"]["organisation"] != organisation.as_str() {
            return Err("it is meant for somebody else");
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(seen.insert(message.id.to_owned()).then_some(event))
    }
}
