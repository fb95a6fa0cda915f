//! People who write to each other by e-mail, with a mail server of its own process between them.

use mail_parser::MessageParser;
use serde_json::{Value, json};

use super::app::TestApp;
use super::client::Answer;
use super::smtp::SmtpServer;
use super::world::{CONTROLLER, PROCESSOR, agreement, filing, merge, text};

/// The mailbox of the controller, as people write it.
pub(crate) const DESK: &str = "Desk@Beispielwerk.example";

/// One processor and one controller that is told by e-mail.
pub(crate) struct Mailing {
    pub(crate) app: TestApp,
    pub(crate) relay: SmtpServer,
    pub(crate) processor: String,
    pub(crate) controller: String,
}

/// A mail as it arrived at the relay.
pub(crate) struct Letter {
    pub(crate) return_path: String,
    pub(crate) recipient: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) raw: Vec<u8>,
}

impl Letter {
    fn read(event: &Value) -> Self {
        let raw = SmtpServer::bytes(event);
        let message = MessageParser::default().parse(&raw).unwrap();
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.trim().to_owned());
        Self {
            return_path: text(&event["sender"]),
            recipient: text(&event["recipients"][0]),
            headers: message.headers_raw().map(header).collect(),
            subject: message.subject().unwrap().to_owned(),
            text: message.body_text(0).unwrap().replace("\r\n", "\n"),
            raw: raw.clone(),
        }
    }

    /// Every mail that the relay took so far and nobody has looked at.
    pub(crate) fn all(relay: &SmtpServer) -> Vec<Self> {
        let events = relay.events_so_far();
        events.iter().filter(|event| event["event"] == "message").map(Self::read).collect()
    }

    pub(crate) fn header(&self, wanted: &str) -> &str {
        self.headers.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value)
    }

    /// The path of the link in the text.
    pub(crate) fn link(&self) -> String {
        let url = self.text.lines().find(|line| line.contains("/l/dlv_")).unwrap_or_else(|| panic!("{}", self.text));
        url[url.find("/l/").unwrap()..].to_owned()
    }
}

impl Mailing {
    /// With a mailbox that was asked to confirm itself, but has not done so; its letter is taken off the relay.
    pub(crate) async fn new(app: TestApp, relay: SmtpServer, address: &str, terms: &Value) -> Self {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let staff = app.as_org(&processor, PROCESSOR);
        let body = json!({"name": "Beispielwerk AG", "roles": ["controller"], "country": "DE"});
        let controller = staff.post("/v1/organisations", &body).await.expect(201).id();
        let mut body = agreement(&controller, "AVV-1", "");
        body["terms"]["addressees"] = json!([{"role": "breach_desk", "channel": "email", "address": address}]);
        merge(&mut body["terms"], terms);
        staff.post("/v1/agreements", &body).await.expect(201);
        Self { app, relay, processor, controller }
    }

    pub(crate) async fn file(&self) -> Value {
        let affected = json!([{"controller": self.controller}]);
        let staff = self.app.as_org(&self.processor, PROCESSOR);
        staff.post("/v1/incidents", &filing(self.app.now(), &affected)).await.expect(201).json
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        Letter::all(&self.relay)
    }

    /// Lets the workers send, and answers the only letter that came of it.
    pub(crate) async fn letter(&self) -> Letter {
        self.app.step_workers().await;
        let mut letters = self.letters();
        let subjects: Vec<&str> = letters.iter().map(|letter| letter.subject.as_str()).collect();
        assert_eq!(letters.len(), 1, "{subjects:?}");
        letters.remove(0)
    }

    pub(crate) async fn notices(&self) -> Vec<Value> {
        let own = self.app.as_org(&self.controller, CONTROLLER);
        own.get("/v1/notices").await.expect(200).json["items"].as_array().unwrap().clone()
    }

    pub(crate) async fn delivery(&self) -> Value {
        let path = format!("/v1/notices/{}/deliveries", text(&self.notices().await[0]["id"]));
        let staff = self.app.as_org(&self.processor, PROCESSOR);
        let items = staff.get(&path).await.expect(200).json["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["channel"] == "email").expect("a delivery by e-mail")
    }

    /// The levels that are proved of the newest notice, each with its means.
    pub(crate) async fn levels(&self) -> Vec<(String, String)> {
        let path = format!("/v1/notices/{}", text(&self.notices().await[0]["id"]));
        let seen = self.app.as_org(&self.processor, PROCESSOR).get(&path).await.expect(200).json;
        let receipts = seen["receipts"].as_array().unwrap();
        let means = |one: &Value| one["means"].as_str().unwrap_or_default().to_owned();
        receipts.iter().map(|one| (text(&one["level"]), means(one))).collect()
    }

    pub(crate) fn report(&self, letter: &Letter, action: &str, status: &str) -> Vec<u8> {
        report(&self.relay, letter, action, status)
    }

    pub(crate) async fn hand_in(&self, recipient: &str, message: Vec<u8>) -> Answer {
        let recipient: String = url::form_urlencoded::byte_serialize(recipient.as_bytes()).collect();
        let request = self.app.anonymous().request("POST", &format!("/inbound/mail?recipient={recipient}"));
        request.body("message/rfc822", message).send().await
    }

    pub(crate) async fn entries(&self) -> usize {
        let walk =
            |connection: &mut art33::store::AnyConnection| art33::store::ledger::walk(connection, ("", 0), 100_000);
        self.app.service().store.read::<_, art33::store::StoreError>(walk).await.unwrap().len()
    }
}

/// A report of the mail server on what became of a mail.
pub(crate) fn report(relay: &SmtpServer, letter: &Letter, action: &str, status: &str) -> Vec<u8> {
    let request = json!({"op": "report", "action": action, "status": status, "return_path": letter.return_path,
                         "envelope_id": "x", "recipient": letter.recipient, "diagnostic": "550 no"});
    SmtpServer::bytes(&relay.ask(&request, "report"))
}

/// Settings for a relay at this port.
pub(crate) fn settings(port: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("ART33_MAIL_HOST", "127.0.0.1"),
        ("ART33_MAIL_PORT", port),
        ("ART33_MAIL_TLS", "none"),
        ("ART33_MAIL_FROM", "notices@lernsysteme.example"),
        ("ART33_MAIL_FROM_NAME", "Muster Lernsysteme"),
        ("ART33_MAIL_RETURN_DOMAIN", "bounces.lernsysteme.example"),
        ("ART33_MAIL_AREAS", "DE"),
    ]
}

/// Makes one test per database out of one body, each with a relay of its own.
macro_rules! mailing {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident, $relay:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn body($app: TestApp, $relay: SmtpServer) $body

            async fn run(backend: Backend) {
                let relay = SmtpServer::start(&json!({}));
                let port = relay.port.to_string();
                crate::harness::app::run(backend, &settings(&port), |app| body(app, relay)).await;
            }

            #[tokio::test]
            async fn sqlite() {
                run(Backend::Sqlite).await;
            }

            #[cfg(feature = "postgres")]
            #[tokio::test]
            async fn postgres() {
                run(Backend::Postgres).await;
            }
        }
    )+};
}
pub(crate) use mailing;
