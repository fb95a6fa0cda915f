//! A webhook receiver on loopback: keeps what it gets, checks it against `openapi.yaml`, answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::spec::SPEC;

/// How to answer one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With this status and nothing else.
    Status(u16),
    /// With this status, one header and a body.
    With(u16, (&'static str, String), String),
    /// Once there is a permit, with this status and nothing else.
    Held(Arc<Semaphore>, u16),
    /// Never.
    Hang,
}

/// One request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) json: Value,
}

/// A server that takes webhooks on any path.
pub(crate) struct Receiver {
    address: SocketAddr,
    script: Arc<Script>,
    incoming: tokio::sync::Mutex<UnboundedReceiver<Delivery>>,
    server: actix_web::dev::ServerHandle,
}

struct Script {
    next: Mutex<VecDeque<Reply>>,
    otherwise: Mutex<Reply>,
    /// How verifications are answered, where not with their echo.
    verifications: Mutex<Option<Reply>>,
    outgoing: UnboundedSender<Delivery>,
}

impl Receiver {
    /// Starts one on a free port; it answers 204 until told otherwise.
    pub(crate) fn start() -> Self {
        let (outgoing, incoming) = unbounded_channel();
        let otherwise = Mutex::new(Reply::Status(204));
        let script = Arc::new(Script { next: Mutex::default(), otherwise, verifications: Mutex::default(), outgoing });
        let shared = web::Data::from(Arc::clone(&script));
        let server =
            HttpServer::new(move || App::new().app_data(web::Data::clone(&shared)).default_service(web::to(receive)));
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, script, incoming: tokio::sync::Mutex::new(incoming), server: handle }
    }

    /// The address of `path`, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next request so; may be called several times.
    pub(crate) fn reply_once(&self, reply: Reply) {
        self.script.next.lock().unwrap().push_back(reply);
    }

    /// Answers all further requests so.
    pub(crate) fn reply(&self, reply: Reply) {
        *self.script.otherwise.lock().unwrap() = reply;
    }

    /// Answers all further verifications so, and keeps them like other requests; with nothing, echoes what they ask for again.
    pub(crate) fn verify_with(&self, reply: Option<Reply>) {
        *self.script.verifications.lock().unwrap() = reply;
    }

    /// The next request, in order of arrival; fails the test when none comes.
    pub(crate) async fn next(&self) -> Delivery {
        let mut incoming = self.incoming.lock().await;
        let waited = tokio::time::timeout(Duration::from_secs(20), incoming.recv()).await;
        waited.expect("a webhook arrives").expect("the receiver runs")
    }

    /// The next request of this type; others before it are passed over.
    pub(crate) async fn next_of(&self, event: &str) -> Delivery {
        loop {
            let delivery = self.next().await;
            if delivery.json["type"] == event {
                return delivery;
            }
        }
    }

    /// What has arrived of this type until now and was not taken yet; all else is passed over.
    pub(crate) async fn taken_of(&self, event: &str) -> Vec<Delivery> {
        self.taken().await.into_iter().filter(|delivery| delivery.json["type"] == event).collect()
    }

    /// What has arrived until now and was not taken yet.
    pub(crate) async fn taken(&self) -> Vec<Delivery> {
        let mut incoming = self.incoming.lock().await;
        std::iter::from_fn(|| incoming.try_recv().ok()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The command is on its way once the future is made.
        drop(self.server.stop(false));
    }
}

impl Delivery {
    /// A header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Both signatures hold, and headers and body keep to `openapi.yaml`.
    ///
    /// `secret` is `whsec_…`, `public_key` is `whpk_…`.
    pub(crate) fn verify(&self, secret: &str, public_key: &str) {
        let faults = self.faults();
        assert!(faults.is_empty(), "a webhook departs from openapi.yaml:\n{}\n{self:?}", faults.join("\n"));
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signatures: Vec<&str> = self.header("webhook-signature").split(' ').collect();
        // The library's own check compares with the machine's clock, so its signature is compared instead.
        let webhook = standardwebhooks::Webhook::new(secret).unwrap();
        let expected = webhook.sign(id, timestamp.parse().unwrap(), &self.body).unwrap();
        assert!(signatures.contains(&expected.as_str()), "no signature under the secret: {signatures:?}");
        let signed = [format!("{id}.{timestamp}.").as_bytes(), &self.body].concat();
        let key = STANDARD.decode(public_key.strip_prefix("whpk_").unwrap()).unwrap();
        let key = ed25519_dalek::VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
        let public = signatures.iter().find_map(|signature| signature.strip_prefix("v1a,")).expect("a v1a signature");
        let public = ed25519_dalek::Signature::from_slice(&STANDARD.decode(public).unwrap()).unwrap();
        assert!(key.verify_strict(&signed, &public).is_ok(), "the v1a signature does not hold");
    }

    fn faults(&self) -> Vec<String> {
        let kind = self.json["type"].as_str().unwrap_or_default();
        let described = &SPEC.document()["webhooks"][kind]["post"];
        if described.is_null() {
            return vec![format!("no webhook of type `{kind}` is described")];
        }
        let schema = &described["requestBody"]["content"]["application/json"]["schema"];
        let mut faults = SPEC.schema_faults(schema, &self.json);
        for parameter in described["parameters"].as_array().unwrap() {
            let parameter = SPEC.resolve(parameter);
            let name = parameter["name"].as_str().unwrap();
            let found = SPEC.schema_faults(&parameter["schema"], &json!(self.header(name)));
            faults.extend(found.into_iter().map(|fault| format!("header {name}: {fault}")));
        }
        for (header, expected) in [("ce-id", self.header("webhook-id")), ("ce-type", kind)] {
            if self.header(header) != expected {
                faults.push(format!("header {header} is not {expected}"));
            }
        }
        faults
    }
}

async fn receive(request: HttpRequest, body: web::Bytes, script: web::Data<Script>) -> HttpResponse {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    let delivery = Delivery {
        path: request.path().to_owned(),
        headers: headers.collect(),
        json: serde_json::from_slice(&body).unwrap_or_default(),
        body: body.to_vec(),
    };
    let reply = if delivery.json["type"] == "endpoint.verify" {
        let told = script.verifications.lock().unwrap().clone();
        let Some(reply) = told else {
            return HttpResponse::Ok().json(json!({"challenge": delivery.json["data"]["challenge"]}));
        };
        reply
    } else {
        let next = script.next.lock().unwrap().pop_front();
        next.unwrap_or_else(|| script.otherwise.lock().unwrap().clone())
    };
    drop(script.outgoing.send(delivery));
    let status = |code| HttpResponse::build(actix_web::http::StatusCode::from_u16(code).unwrap());
    match reply {
        Reply::Status(code) => status(code).finish(),
        Reply::With(code, header, body) => status(code).insert_header(header).body(body),
        Reply::Held(word, code) => {
            drop(word.acquire().await);
            status(code).finish()
        }
        Reply::Hang => std::future::pending().await,
    }
}
