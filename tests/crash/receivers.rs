//! Endpoints of controllers in this process: they note what comes in, fail now and then, and can be held back.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

/// One request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The place of the controller in the world.
    pub(crate) controller: usize,
    /// The header `webhook-id`.
    pub(crate) id: String,
    /// The body.
    pub(crate) body: Value,
    /// How it was answered.
    pub(crate) status: u16,
}

/// All endpoints, at `/0`, `/1`, ….
pub(crate) struct Receivers {
    address: std::net::SocketAddr,
    held: watch::Sender<Range<usize>>,
    shared: Arc<Shared>,
    server: actix_web::dev::ServerHandle,
}

struct Shared {
    seen: Mutex<HashSet<String>>,
    fail_every: usize,
    /// Messages that have come in.
    arrived: AtomicUsize,
    /// How the next ones are answered, before anything else counts.
    answers: Mutex<VecDeque<u16>>,
    /// Which arrivals wait for their answer.
    held: watch::Receiver<Range<usize>>,
    note: Box<dyn Fn(Received) + Send + Sync>,
}

impl Receivers {
    /// Starts them; each `fail_every`-th message is answered with 500 the first time it comes.
    pub(crate) fn start<E: From<Received> + Send + 'static>(fail_every: usize, events: UnboundedSender<E>) -> Self {
        let (held, is_held) = watch::channel(0..0);
        let note = Box::new(move |received: Received| drop(events.send(received.into())));
        let (seen, answers, arrived) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
        let shared = Arc::new(Shared { seen, fail_every, arrived, answers, held: is_held, note });
        let data = web::Data::from(Arc::clone(&shared));
        let server =
            HttpServer::new(move || App::new().app_data(web::Data::clone(&data)).default_service(web::to(receive)));
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, held, shared, server: handle }
    }

    /// The endpoint of a controller.
    pub(crate) fn url(&self, controller: usize) -> String {
        format!("http://{}/{controller}", self.address)
    }

    /// Lets requests in but answers none until [`Receivers::release`].
    pub(crate) fn hold(&self) {
        self.held.send_replace(0..usize::MAX);
    }

    /// Lets the next request in but does not answer it until [`Receivers::release`]; answers all others.
    pub(crate) fn hold_next(&self) {
        let next = self.shared.arrived.load(Ordering::SeqCst);
        self.held.send_replace(next..next + 1);
    }

    /// Answers the next request with this status; may be called several times.
    pub(crate) fn answer_next(&self, status: u16) {
        self.shared.answers.lock().unwrap().push_back(status);
    }

    /// Where all of them listen.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Answers all that wait.
    pub(crate) fn release(&self) {
        self.held.send_replace(0..0);
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        // The command is on its way once the future is made.
        drop(self.server.stop(false));
    }
}

async fn receive(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let message: Value = serde_json::from_slice(&body).unwrap();
    if message["type"] == "endpoint.verify" {
        return HttpResponse::Ok().json(serde_json::json!({"challenge": message["data"]["challenge"]}));
    }
    let id = request.headers().get("webhook-id").unwrap().to_str().unwrap().to_owned();
    let fails = {
        let mut seen = shared.seen.lock().unwrap();
        seen.insert(id.clone()) && seen.len().is_multiple_of(shared.fail_every)
    };
    let answer = shared.answers.lock().unwrap().pop_front();
    let status = answer.unwrap_or(if fails { 500 } else { 200 });
    let number = shared.arrived.fetch_add(1, Ordering::SeqCst);
    let controller = request.path().trim_start_matches('/').parse().unwrap();
    (shared.note)(Received { controller, id, body: message, status });
    // The sender is gone only when the test is over.
    drop(shared.held.clone().wait_for(|held| !held.contains(&number)).await);
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish()
}
