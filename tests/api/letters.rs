//! What letters and the pages behind them say: of what class the notice is, when the own limit ends, whom to ask, and when a link is spent.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::{Backend, TestApp};
use crate::harness::client::Answer;
use crate::harness::ladders::run as on_database;
use crate::harness::mailing::{Letter, Mailing, mailing, settings};
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{PROCESSOR, filing, text};

const DESK: &str = "desk@beispielwerk.example";
const FORM: &str = "application/x-www-form-urlencoded";

impl Mailing {
    async fn file_as(&self, kind: &str) -> String {
        let mut body = filing(self.app.now(), &json!([{"controller": self.controller}]));
        body["kind"] = json!(kind);
        body["contact"]["phone"] = json!("+49 711 5550199");
        self.app.as_org(&self.processor, PROCESSOR).post("/v1/incidents", &body).await.expect(201).id()
    }

    async fn amend(&self, incident: &str, body: &Value) {
        let path = format!("/v1/incidents/{incident}/versions");
        let request = self.app.as_org(&self.processor, PROCESSOR).request("POST", &path);
        request.header("if-match", "\"1\"").json(body).send().await.expect(201);
    }

    async fn press(&self, letter: &Letter, action: &str) -> Answer {
        let request = self.app.anonymous().request("POST", &format!("{}/{action}", letter.link()));
        request.body(FORM, "name=Erika+Beispiel&role=Datenschutz").send().await
    }

    async fn opened(&self, letter: &Letter) -> Answer {
        self.app.anonymous().get(&letter.link()).await.expect(200)
    }
}

fn html(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// The telephone's word for a notice: the end of the incident's id, and its number.
fn reference(incident: &str, sequence: u32) -> String {
    format!("{}-{sequence}", incident[incident.len() - 6..].to_uppercase())
}

mailing! {
    async fn a_letter_says_of_what_class_its_notice_is(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let classes = [
            ("personal_data_breach", "Dringend: Verletzung des Schutzes personenbezogener Daten", "Verletzung des Schutzes personenbezogener Daten"),
            ("suspected_breach", "Dringend: Verdacht einer Datenschutzverletzung", "Verdacht einer Verletzung des Schutzes personenbezogener Daten"),
            ("disruption", "Mitteilung zur Auftragsverarbeitung", "Mitteilung nach dem Vertrag zur Auftragsverarbeitung"),
        ];
        for (kind, subject, title) in classes {
            let incident = mailing.file_as(kind).await;
            let letter = mailing.letter().await;
            let reference = reference(&incident, 1);
            assert_eq!(letter.subject, format!("{subject} – Muster Lernsysteme GmbH ({reference})"));
            assert_eq!(letter.text.contains("Art. 33 Abs. 2 DSGVO"), kind == "personal_data_breach", "{}", letter.text);
            let page = html(&mailing.opened(&letter).await);
            assert!(page.contains(&format!("<h1>{title}</h1>")) && page.contains(&reference), "{page}");
        }
        let incident = mailing.file_as("personal_data_breach").await;
        mailing.letter().await;
        mailing.amend(&incident, &json!({"kind": "withdrawal", "reason": "The downloads were our own test."})).await;
        let letter = mailing.letter().await;
        assert!(letter.subject.starts_with("Rücknahme einer früheren Mitteilung"), "{}", letter.subject);
        assert!(!letter.text.contains("Art. 33") && !letter.text.contains("Ihre eigene Frist"), "{}", letter.text);
        assert!(!format!("{} {}", letter.subject, letter.text).contains("Dringend"), "{}", letter.text);
    }

    async fn the_own_limit_is_counted_from_the_first_letter(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({"language": "en"})).await;
        mailing.letter().await;
        mailing.file_as("personal_data_breach").await;
        let letter = mailing.letter().await;
        let safe = "to be safe, assume that it ends on 25 November 2026, 01:40 CET. That is 72 hours from when we sent our first notice of it.";
        assert!(letter.text.contains(safe) && letter.text.contains("it can end earlier"), "{}", letter.text);
        mailing.app.advance(Duration::hours(3));
        assert!(html(&mailing.opened(&letter).await).contains(safe), "looking later moves nothing");
        let incident = text(&mailing.notices().await[0]["incident"]);
        mailing.amend(&incident, &json!({"kind": "supplement", "changes": {"title": "Open share link, found by a crawler"}})).await;
        assert!(mailing.letter().await.text.contains(safe), "a later notice moves nothing either");
        let page = html(&mailing.press(&letter, "acknowledgement").await.expect(200));
        assert!(page.contains("To be safe, assume that your time limit for it ends on 25 November 2026, 01:40 CET"), "{page}");
        for step in ["What comes next", "Download the receipt", "This is not for us"] {
            assert!(page.contains(step), "{step}: {page}");
        }
    }

    async fn where_the_acknowledgement_starts_the_limit_letter_and_page_say_so(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({"language": "en", "informed_by": "acknowledgement"})).await;
        mailing.letter().await;
        mailing.file_as("personal_data_breach").await;
        let letter = mailing.letter().await;
        let said = "The agreement lets it begin with your acknowledgement. If a notification is needed, it lasts 72 hours from then.";
        assert!(letter.text.contains(said) && !letter.text.contains("25 November"), "{}", letter.text);
        assert!(html(&mailing.opened(&letter).await).contains(said));
        mailing.app.advance(Duration::hours(3));
        let page = html(&mailing.press(&letter, "acknowledgement").await.expect(200));
        assert!(page.contains("ends on 25 November 2026, 04:40 CET"), "{page}");
    }

    async fn who_was_never_written_to_is_told_that_colleagues_were(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let path = format!("/v1/organisations/{}", mailing.controller);
        let contacts = json!([{"role": "dpo", "name": "Max Muster", "email": "dpo@beispielwerk.example"}]);
        let body = json!({"name": "Beispielwerk AG", "roles": ["controller"], "country": "DE", "contacts": contacts});
        mailing.app.as_org(&mailing.processor, PROCESSOR).put(&path, "\"1\"", &body).await.expect(200);
        mailing.letter().await;
        mailing.file_as("personal_data_breach").await;
        assert_eq!(mailing.letter().await.recipient, DESK);
        mailing.app.advance(Duration::hours(2));
        let letter = mailing.letter().await;
        assert_eq!(letter.recipient, "dpo@beispielwerk.example");
        assert!(letter.subject.starts_with("Dringend: "), "{}", letter.subject);
        let told = "am 22.11.2026, 01:40 Uhr (MEZ) haben wir Ihren Kolleginnen und Kollegen unter desk@beispielwerk.example";
        assert!(letter.text.contains(told) && !letter.text.contains("Max Muster"), "{}", letter.text);
        mailing.app.advance(Duration::hours(4));
        mailing.app.step_workers().await;
        let reminders: Vec<_> = mailing.letters().into_iter().filter(|one| one.subject.starts_with("Erinnerung: ")).collect();
        assert!(!reminders.is_empty() && reminders.iter().all(|one| !one.text.contains("Kollegen")), "they know by then");
    }

    async fn a_letter_names_the_contact_of_the_filing_and_no_other(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let path = format!("/v1/organisations/{}", mailing.processor);
        let contacts = json!([{"role": "dpo", "name": "Max Muster", "email": "max@lernsysteme.example", "phone": "+49 171 1234567"}]);
        let body = json!({"name": "Muster Lernsysteme GmbH", "roles": ["processor"], "country": "DE", "region": "DE-BW", "contacts": contacts});
        mailing.app.operator().put(&path, "\"1\"", &body).await.expect(200);
        mailing.file_as("personal_data_breach").await;
        let letter = mailing.letter().await;
        let page = html(&mailing.opened(&letter).await);
        for seen in [letter.text, page] {
            assert!(seen.contains("dpo@lernsysteme.example") && seen.contains("+49 711 5550199"), "{seen}");
            assert!(seen.contains("Datenschutzbeauftragte Person"), "{seen}");
            for unseen in ["Data protection office", "Max Muster", "max@lernsysteme.example", "1234567"] {
                assert!(!seen.contains(unseen), "{unseen}: {seen}");
            }
        }
    }

    async fn a_link_is_spent_thirty_days_after_the_acknowledgement(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let asked = mailing.letter().await;
        mailing.file_as("personal_data_breach").await;
        let letter = mailing.letter().await;
        mailing.app.advance(Duration::days(40));
        assert!(html(&mailing.press(&letter, "notice").await.expect(200)).contains("Open share link"), "unanswered, it stays");
        mailing.press(&letter, "acknowledgement").await.expect(200);
        mailing.app.advance(Duration::days(30) - Duration::SECOND);
        assert!(html(&mailing.press(&letter, "notice").await.expect(200)).contains("Open share link"));
        mailing.app.advance(Duration::SECOND);
        let before = mailing.entries().await;
        let notice = text(&mailing.notices().await[0]["id"]);
        let answers = [
            mailing.opened(&letter).await,
            mailing.press(&letter, "notice").await.expect(200),
            mailing.press(&letter, "acknowledgement").await.expect(200),
        ];
        for page in answers.iter().map(html) {
            assert!(page.contains("Dieser Link hat seinen Dienst getan") && page.contains(&format!("/v1/notices/{notice}")), "{page}");
            for unseen in ["Open share link", ">37<", "<form", "Erika Beispiel"] {
                assert!(!page.contains(unseen), "{unseen}: {page}");
            }
        }
        assert_eq!(mailing.entries().await, before);
        assert!(html(&mailing.press(&asked, "confirm").await.expect(200)).contains("Die Adresse ist bestätigt"));
        assert!(html(&mailing.opened(&asked).await).contains("Die Adresse ist bestätigt"), "links that confirm stay");
    }

    async fn what_is_superseded_can_be_read_until_it_is_acknowledged(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let incident = mailing.file_as("personal_data_breach").await;
        let first = mailing.letter().await;
        mailing.amend(&incident, &json!({"kind": "supplement", "changes": {"title": "Open share link, found by a crawler"}})).await;
        let second = mailing.letter().await;
        assert!(html(&mailing.press(&first, "notice").await.expect(200)).contains("Open share link on report archive"));
        let page = html(&mailing.press(&first, "acknowledgement").await.expect(200));
        assert!(page.contains("Quittung herunterladen"), "who acknowledges gets the receipt: {page}");
        let page = html(&mailing.press(&first, "notice").await.expect(200));
        assert!(page.contains("hat seinen Dienst getan") && page.contains("eine neuere Mitteilung"), "{page}");
        assert!(html(&mailing.press(&second, "notice").await.expect(200)).contains("found by a crawler"));
    }

    async fn what_fails_here_is_said_on_a_page(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        mailing.file_as("personal_data_breach").await;
        let letter = mailing.letter().await;
        on_database(&mailing.app, "UPDATE notice SET content = '{}'");
        let page = html(&mailing.app.anonymous().get(&letter.link()).await.expect(500));
        for said in ["Hier ist etwas schiefgegangen", "Something went wrong here", "at the number that stands in your agreement"] {
            assert!(page.contains(said), "{said}: {page}");
        }
        let request = mailing.app.anonymous().request("POST", &format!("{}/acknowledgement", letter.link()));
        let page = html(&request.body("application/json", "{}").send().await.expect(415));
        assert!(page.contains("Das hat nicht funktioniert"), "{page}");
        let request = mailing.app.anonymous().request("POST", &format!("{}/acknowledgement", letter.link()));
        let page = html(&request.body(FORM, "a".repeat(5000)).send().await.expect(413));
        assert!(page.contains("ist zu groß"), "{page}");
    }
}

both! {
    async fn who_asks_too_often_reads_when_to_come_back(
        app: TestApp, settings = [("ART33_RATE_LIMIT_PER_SECOND", "1"), ("ART33_RATE_LIMIT_BURST", "3")]
    ) {
        let mut refused = 0;
        for _ in 0..20 {
            let answer = app.anonymous().get("/l/dlv_1.a").await;
            if answer.status == 429 {
                assert_eq!(answer.header("retry-after"), "1");
                let page = html(&answer);
                assert!(page.contains("Warten Sie eine Minute") && page.contains("Wait a minute"), "{page}");
                refused += 1;
            }
        }
        assert!(refused > 0, "20 requests at once passed a limit of 3");
    }
}
