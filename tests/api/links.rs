//! The pages behind links in e-mails: looking changes nothing, forms act once, strangers see nothing.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::{Backend, TestApp};
use crate::harness::client::Answer;
use crate::harness::mailing::{Letter, Mailing, mailing, settings};
use crate::harness::smtp::SmtpServer;
use crate::harness::spec::SPEC;
use crate::harness::world::{CONTROLLER, PROCESSOR, World, instant, text};

const DESK: &str = "desk@beispielwerk.example";
const FORM: &str = "application/x-www-form-urlencoded";

async fn told(app: TestApp, relay: SmtpServer, terms: &Value) -> (Mailing, Letter, Letter) {
    let mailing = Mailing::new(app, relay, DESK, terms).await;
    let asked = mailing.letter().await;
    mailing.file().await;
    let letter = mailing.letter().await;
    (mailing, asked, letter)
}

impl Mailing {
    async fn form(&self, path: &str, form: &str) -> Answer {
        self.app.anonymous().request("POST", path).body(FORM, form.to_owned()).send().await
    }

    async fn trace(&self) -> (usize, Value) {
        let own = self.app.as_org(&self.controller, "notices:read");
        let notices = own.get("/v1/notices").await.expect(200).json["items"].clone();
        let all =
            self.app.service().store.read::<_, art33::store::StoreError>(|connection| {
                art33::store::ledger::walk(connection, ("", 0), 100_000)
            });
        (all.await.unwrap().len(), notices)
    }

    async fn receipt(&self, level: &str) -> Value {
        let staff = self.app.as_org(&self.processor, PROCESSOR);
        let id = text(&staff.get("/v1/notices").await.expect(200).json["items"][0]["id"]);
        let seen = staff.get(&format!("/v1/notices/{id}")).await.expect(200).json;
        let receipts = seen["receipts"].as_array().unwrap();
        receipts.iter().find(|receipt| receipt["level"] == level).cloned().unwrap_or_default()
    }
}

fn html(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

mailing! {
    async fn scanners_may_look_as_often_as_they_like(app, relay) {
        let (mailing, asked, letter) = told(app, relay, &json!({})).await;
        let before = mailing.trace().await;
        for link in [asked.link(), letter.link()] {
            for method in ["GET", "HEAD", "GET"] {
                let request = mailing.app.anonymous().request(method, &link).header("user-agent", "LinkScanner/1.0");
                request.send().await.expect(200);
            }
            for method in ["PUT", "DELETE", "OPTIONS"] {
                mailing.app.anonymous().request(method, &link).send().await.expect(405);
            }
            for form in ["notice", "acknowledgement", "confirm"] {
                mailing.app.anonymous().get(&format!("{link}/{form}")).await.expect(405);
            }
        }
        assert_eq!(mailing.trace().await, before);
        let shown = html(&mailing.app.anonymous().get(&letter.link()).await.expect(200));
        assert!(shown.contains("Muster Lernsysteme GmbH") && shown.contains("Beispielwerk AG"), "{shown}");
        assert!(!shown.contains("Open share link") && !shown.contains("A link was public"), "content is shown unasked");
    }

    async fn whoever_reads_is_recorded_once(app, relay) {
        let (mailing, _, letter) = told(app, relay, &json!({})).await;
        let page = html(&mailing.form(&format!("{}/notice", letter.link()), "").await.expect(200));
        for word in ["Open share link on report archive", "A link was public.", ">37<", "Data protection office",
                     "The link was revoked.", "Reports may have been read by strangers.", "Fehlkonfiguration"] {
            assert!(page.contains(word), "{word} is missing:\n{page}");
        }
        for level in ["delivered", "accessed"] {
            let receipt = mailing.receipt(level).await;
            assert_eq!(receipt["means"], "link", "{level}");
            assert!(receipt["evidence_sha256"].is_string(), "{receipt}");
        }
        let notice = mailing.trace().await.1[0].clone();
        assert_eq!((&notice["state"], &notice["informed_at"]), (&json!("delivered"), &notice["delivered_at"]));
        assert_eq!(mailing.delivery().await["state"], "closed", "who has read it is not written to again");
        let before = mailing.trace().await;
        mailing.form(&format!("{}/notice", letter.link()), "").await.expect(200);
        assert_eq!(mailing.trace().await, before);
    }

    async fn an_acknowledgement_counts_once_and_is_receipted(app, relay) {
        let (mailing, _, letter) = told(app, relay, &json!({})).await;
        let path = format!("{}/acknowledgement", letter.link());
        for form in ["", "name=Erika", "name=+&role=desk", "role=desk", &format!("name={}&role=desk", "x".repeat(201))] {
            let page = html(&mailing.form(&path, form).await.expect(422));
            assert!(page.contains("Bitte geben Sie Ihren Namen"), "{page}");
        }
        assert_eq!(mailing.trace().await.1[0]["state"], "pending");
        let page = html(&mailing.form(&path, "name=Erika+Beispiel&role=Datenschutz").await.expect(200));
        let receipt = mailing.receipt("acknowledged").await;
        assert!(page.contains(&text(&receipt["jws"])) && page.contains("Erika Beispiel (Datenschutz)"), "{page}");
        assert_eq!((&receipt["means"], &receipt["by"]["name"]), (&json!("link"), &json!("Erika Beispiel")));
        let visit = text(&receipt["evidence"]);
        assert_eq!(receipt["evidence_sha256"], art33::crypto::sha256_hex(visit.as_bytes()));
        assert!(visit.contains("127.0.0.1"), "{visit}");
        assert_eq!(mailing.trace().await.1[0]["state"], "acknowledged");
        let before = mailing.trace().await;
        let again = html(&mailing.form(&path, "name=Somebody+Else&role=x").await.expect(200));
        assert!(again.contains("Erika Beispiel") && !again.contains("Somebody"), "{again}");
        assert_eq!(mailing.trace().await, before);
        assert_eq!(mailing.delivery().await["state"], "closed");
        let own = mailing.app.as_org(&mailing.controller, CONTROLLER);
        let seen = own.get("/v1/notices").await.expect(200).json["items"][0]["acknowledged_at"].clone();
        assert!(seen.is_string());
    }

    async fn a_mailbox_is_asked_every_week_until_somebody_confirms_it(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        mailing.letter().await;
        mailing.app.advance(Duration::WEEK);
        let again = mailing.letter().await;
        let unproven = staff.get("/v1/endpoints/unproven").await.expect(200).json;
        assert_eq!(unproven["items"][0]["reason"], "never_proven");
        mailing.form(&format!("{}/confirm", again.link()), "").await.expect(200);
        let shown = || async { staff.get("/v1/endpoints?channel=email").await.expect(200).json["items"][0].clone() };
        assert_eq!((&shown().await["health"], &shown().await["address"]), (&json!("healthy"), &json!(DESK.to_lowercase())));
        assert_eq!(instant(&shown().await["next_probe_at"]), mailing.app.now() + Duration::days(180));
        mailing.app.advance(Duration::days(180) - Duration::SECOND);
        mailing.app.step_workers().await;
        assert_eq!(mailing.letters().len(), 0);
        mailing.app.advance(Duration::SECOND);
        mailing.letter().await;
        assert!(instant(&shown().await["next_probe_at"]) - mailing.app.now() > Duration::days(178));
        assert_eq!(staff.get("/v1/endpoints/unproven").await.expect(200).json["items"], json!([]));
    }

    async fn a_mailbox_is_confirmed_by_its_form_alone(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let asked = mailing.letter().await;
        let page = html(&mailing.app.anonymous().get(&asked.link()).await.expect(200));
        assert!(page.contains(DESK) && page.contains("/confirm"), "{page}");
        for wrong in ["notice", "acknowledgement"] {
            mailing.form(&format!("{}/{wrong}", asked.link()), "name=a&role=b").await.expect(404);
        }
        let confirmed = mailing.form(&format!("{}/confirm", asked.link()), "").await.expect(200);
        assert!(html(&confirmed).contains("Die Adresse ist bestätigt"), "{confirmed}");
        let before = mailing.trace().await;
        mailing.form(&format!("{}/confirm", asked.link()), "").await.expect(200);
        assert_eq!(mailing.trace().await.0, before.0);
    }

    async fn a_mailbox_that_came_back_is_confirmed_anew_and_gets_what_is_owed(app, relay) {
        let (mailing, asked, letter) = told(app, relay, &json!({})).await;
        let confirm = format!("{}/confirm", asked.link());
        mailing.form(&confirm, "").await.expect(200);
        mailing.letters();
        let report = mailing.report(&letter, "failed", "5.1.1");
        mailing.hand_in(&letter.return_path, report).await.expect(200);
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let shown = || async { staff.get("/v1/endpoints?channel=email").await.expect(200).json["items"][0].clone() };
        assert_eq!(shown().await["health"], "gone");
        assert_eq!(instant(&shown().await["next_probe_at"]), mailing.app.now() + Duration::WEEK, "asked again like a new one");
        let before = mailing.entries().await;
        mailing.form(&confirm, "").await.expect(200);
        assert_eq!((mailing.entries().await, &shown().await["health"]), (before + 1, &json!("healthy")));
        assert_eq!(mailing.letter().await.header("Message-ID"), letter.header("Message-ID"), "what is owed goes out at once");
        mailing.form(&confirm, "").await.expect(200);
        assert_eq!(mailing.entries().await, before + 2, "the attempt, and nothing of a second confirmation");
    }

    async fn an_altered_link_and_a_foreign_form_lead_nowhere(app, relay) {
        let (mailing, asked, letter) = told(app, relay, &json!({})).await;
        let link = letter.link();
        let tag = asked.link().split_once('.').unwrap().1.to_owned();
        let foreign = format!("{}.{tag}", link.split_once('.').unwrap().0);
        let altered = [link[..link.len() - 1].to_owned(), format!("{link}a"), foreign, "/l/x".to_owned(), "/l/dlv_1.a".to_owned()];
        for path in altered {
            let page = mailing.app.anonymous().get(&path).await.expect(404);
            assert!(html(&page).contains("Diese Seite gibt es nicht"), "{page}");
            mailing.form(&format!("{path}/notice"), "").await.expect(404);
            mailing.app.anonymous().request("HEAD", &path).send().await.expect(404);
        }
        let before = mailing.trace().await;
        for (name, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")] {
            for action in ["notice", "acknowledgement", "confirm"] {
                let request = mailing.app.anonymous().request("POST", &format!("{link}/{action}")).header(name, value);
                request.body(FORM, "name=a&role=b").send().await.expect(403);
            }
        }
        assert_eq!(mailing.trace().await, before);
        let request = mailing.app.anonymous().request("POST", &format!("{link}/notice"));
        let request = request.header("sec-fetch-site", "same-origin").header("origin", "null");
        request.body(FORM, "").send().await.expect(200);
    }

    async fn what_waits_for_a_release_is_not_behind_a_link(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let operator = mailing.app.operator();
        let path = format!("/v1/organisations/{}", mailing.processor);
        let body = json!({"name": "Muster Lernsysteme GmbH", "roles": ["processor"], "country": "DE", "region": "DE-BW",
                          "release_policy": {"window_share_percent": 25, "on_timeout": "page"}});
        operator.put(&path, "\"1\"", &body).await.expect(200);
        mailing.file().await;
        mailing.app.step_workers().await;
        assert!(mailing.letters().is_empty());
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let id = text(&staff.get("/v1/notices").await.expect(200).json["items"][0]["id"]);
        let held = staff.get(&format!("/v1/notices/{id}/deliveries")).await.expect(200).json["items"][0]["id"].clone();
        let url = mailing.app.service().link(&text(&held).parse().unwrap());
        let link = &url[url.find("/l/").unwrap()..];
        mailing.app.anonymous().get(link).await.expect(404);
        mailing.form(&format!("{link}/notice"), "").await.expect(404);
        mailing.form(&format!("{link}/acknowledgement"), "name=a&role=b").await.expect(404);
    }
}

/// A request for each operation of whoever got an e-mail, and of the mail server that reports on it.
pub(crate) async fn valid_request(operation: &str, app: &TestApp, world: &World) -> Answer {
    let staff = world.processor();
    let mut agreement = crate::harness::world::agreement(&world.controllers[0].id, operation, "");
    let address = format!("{operation}@beispielwerk.example");
    agreement["terms"]["addressees"] = json!([{"role": "desk", "channel": "email", "address": address}]);
    agreement["products"] = json!([operation.to_lowercase()]);
    staff.post("/v1/agreements", &agreement).await.expect(201);
    if operation == "confirmByLink" {
        let id = mails(app, "endpoint.verify", &address).await;
        return form(app, &id, "confirm").await;
    }
    let mut filing = world.filing();
    filing["affected"] = json!({"product": operation.to_lowercase()});
    staff.post("/v1/incidents", &filing).await.expect(201);
    app.step_workers().await;
    let id = mails(app, "notice.initial", &address).await;
    match operation {
        "readByLink" => form(app, &id, "notice").await,
        "acknowledgeByLink" => form(app, &id, "acknowledgement").await,
        _ => {
            let paths = &app.service().mail.as_ref().unwrap().return_paths;
            let recipient = paths.address(&id.parse().unwrap(), 1).replace('+', "%2B");
            let request = app.anonymous().request("POST", &format!("/inbound/mail?recipient={recipient}"));
            let report = SPEC.document()["components"]["examples"]["MailReport"]["value"].as_str().unwrap();
            request.body("message/rfc822", report.to_owned()).send().await
        }
    }
}

async fn form(app: &TestApp, delivery: &str, action: &str) -> Answer {
    let url = app.service().link(&delivery.parse().unwrap());
    let path = format!("{}/{action}", &url[url.find("/l/").unwrap()..]);
    let request = app.anonymous().request("POST", &path);
    request.body("application/x-www-form-urlencoded", "name=Erika+Beispiel&role=desk").send().await
}

/// The delivery of this type to this address.
async fn mails(app: &TestApp, event: &'static str, address: &str) -> String {
    use diesel::RunQueryDsl as _;

    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        id: String,
    }
    let sql = format!(
        "SELECT delivery.id AS id FROM delivery JOIN endpoint ON endpoint.id = endpoint_id \
         WHERE type = '{event}' AND address = lower('{address}')"
    );
    let found = app
        .service()
        .store
        .read::<_, art33::store::StoreError>(move |connection| Ok(diesel::sql_query(sql).load::<Row>(connection)?));
    found.await.unwrap().pop().unwrap().id
}
