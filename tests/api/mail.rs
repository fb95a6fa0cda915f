//! Notices by e-mail, against a mail server of its own process: what leaves, what is kept as evidence, what comes back, and that
//! nothing of an incident stands in a mail.

use art33::domain::id::DeliveryId;
use serde_json::json;
use time::Duration;

use crate::harness::app::{Backend, TestApp};
use crate::harness::mailing::{Mailing, settings};
use crate::harness::receiver::Receiver;
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{PROCESSOR, agreement, filing, instant, text};

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
                $crate::harness::app::run(backend, &settings(&port), |app| body(app, relay)).await;
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

const DESK: &str = "Desk@Beispielwerk.example";

/// A controller that is told by e-mail first and by a webhook then.
async fn in_order(app: TestApp, relay: SmtpServer, address: &str) -> (Mailing, Receiver) {
    let addressees = json!([
        {"role": "breach_desk", "channel": "email", "address": address}, {"role": "machine", "channel": "webhook"},
    ]);
    let mailing = Mailing::new(app, relay, address, &json!({"addressees": addressees})).await;
    let receiver = Receiver::start();
    let body = json!({"url": receiver.url("/"), "events": ["*"], "organisation": mailing.controller});
    mailing.app.as_org(&mailing.processor, PROCESSOR).post("/v1/webhooks", &body).await.expect(201);
    mailing.app.step_workers().await;
    mailing.letters();
    (mailing, receiver)
}

mailing! {
    async fn a_notice_goes_out_as_metadata_and_a_link(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let asked = mailing.letter().await;
        assert_eq!(asked.subject, "Muster Lernsysteme GmbH: Bitte bestätigen Sie diese Adresse für Mitteilungen");
        let filed = mailing.file().await;
        let letter = mailing.letter().await;
        assert_eq!(letter.recipient, "desk@beispielwerk.example");
        assert!(letter.subject.contains("Art. 33 Abs. 2 DSGVO"), "{}", letter.subject);
        let notice = mailing.notices().await[0].clone();
        for named in ["id", "content_sha256", "incident"].map(|member| text(&notice[member])) {
            assert!(letter.text.contains(&named), "{named} is missing:\n{}", letter.text);
        }
        let whole = format!("{}{}", String::from_utf8_lossy(&letter.raw), letter.text);
        let filing = filing(mailing.app.now(), &json!([]));
        let content = [&filing["title"], &filing["nature"]["description"], &filing["measures"]["taken"][0]["description"]];
        for word in content.map(text).iter().map(String::as_str).chain(["37", "800", "misconfiguration", "tester"]) {
            let digits = word.parse::<u32>().is_ok();
            let stands = if digits { letter.text.split_whitespace().any(|part| part == word) } else { whole.contains(word) };
            assert!(!stands, "{word} stands in the mail:\n{whole}");
        }
        assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
        assert_eq!(letter.header("Content-Language"), "de");
        let open = mailing.app.service().mail.as_ref().unwrap().return_paths.open(&letter.return_path);
        let delivery = mailing.delivery().await;
        assert_eq!(open.map(|(id, number)| (id.to_string(), number)), Some((text(&delivery["id"]), 1)));
        assert!(text(&filed["id"]).starts_with("inc_"));
    }

    async fn the_dialogue_is_evidence_and_a_taken_mail_is_not_sent_again_soon(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        mailing.file().await;
        let letter = mailing.letter().await;
        let delivery = mailing.delivery().await;
        let attempt = &delivery["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["kind"]), (&json!("accepted"), &json!(null)));
        assert_eq!(attempt["url"], "mailto:desk@beispielwerk.example");
        assert_eq!(attempt["request_sha256"], art33::crypto::sha256_hex(&letter.raw));
        let mail = &attempt["mail"];
        assert_eq!((&mail["reply_code"], &mail["dsn_requested"]), (&json!(250), &json!(true)));
        assert_eq!(mail["queue_reply"], "Ok: queued as 4C1F0A");
        assert_eq!(letter.header("Message-ID"), format!("<{}>", text(&mail["message_id"])));
        assert!(text(&mail["dialogue"]).contains("RCPT TO:<desk@beispielwerk.example>"), "{mail}");
        assert_eq!(mailing.notices().await[0]["state"], "pending", "a relay delivers nothing");
        assert_eq!(delivery["state"], "open");
        assert!(instant(&delivery["next_at"]) - mailing.app.now() >= Duration::hours(6), "{delivery}");
        mailing.app.advance(Duration::HOUR);
        mailing.app.step_workers().await;
        assert!(mailing.letters().is_empty());
        let levels = mailing.levels().await;
        assert!(levels.contains(&("accepted".into(), "mail".into())), "{levels:?}");
    }

    async fn a_report_of_delivery_proves_that_it_arrived(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        mailing.file().await;
        let letter = mailing.letter().await;
        let report = mailing.report(&letter, "delivered", "2.0.0");
        let before = mailing.entries().await;
        let forged = [
            letter.return_path.replace("bounce+", "bounce+0"),
            letter.return_path.replace("-1-", "-2-"),
            letter.return_path.replace("lernsysteme", "elsewhere"),
            "desk@beispielwerk.example".to_owned(),
            String::new(),
        ];
        for address in forged {
            assert_eq!(mailing.hand_in(&address, report.clone()).await.expect(404).problem(), "not-found");
        }
        assert_eq!((mailing.entries().await, &mailing.notices().await[0]["state"]), (before, &json!("pending")));
        for harmless in ["relayed", "expanded"] {
            let report = mailing.report(&letter, harmless, "2.0.0");
            let answer = mailing.hand_in(&letter.return_path, report).await.expect(200);
            assert_eq!(answer.json, json!({"action": harmless, "kept": true}));
        }
        assert_eq!(mailing.notices().await[0]["state"], "pending", "passed on is not delivered");
        let answer = mailing.hand_in(&letter.return_path.to_uppercase(), report.clone()).await.expect(200);
        assert_eq!(answer.json, json!({"action": "delivered", "kept": true}));
        assert_eq!(mailing.notices().await[0]["state"], "delivered");
        let delivery = mailing.delivery().await;
        assert_eq!((&delivery["state"], &delivery["attempts"][0]["outcome"]), (&json!("delivered"), &json!("accepted")));
        let reports = delivery["attempts"][0]["mail"]["reports"].as_array().unwrap();
        let actions: Vec<_> = reports.iter().map(|report| text(&report["action"])).collect();
        assert_eq!(actions.len(), 3, "{reports:?}");
        let levels = mailing.levels().await;
        assert!(levels.contains(&("delivered".into(), "mail".into())), "{levels:?}");
        let after = mailing.entries().await;
        assert_eq!(mailing.hand_in(&letter.return_path, report).await.expect(200).json["kept"], false);
        assert_eq!(mailing.entries().await, after, "the same report again changes nothing");
    }

    async fn what_is_no_report_is_not_kept(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let letter = mailing.letter().await;
        let before = mailing.entries().await;
        for automatic in [true, false] {
            let request = json!({"op": "letter", "return_path": letter.return_path, "automatic": automatic});
            let message = SmtpServer::bytes(&mailing.relay.ask(&request, "letter"));
            let answer = mailing.hand_in(&letter.return_path, message).await.expect(200);
            assert_eq!(answer.json, json!({"action": null, "kept": false}));
        }
        mailing.hand_in(&letter.return_path, vec![b'a'; 256 * 1024 + 1]).await.expect(413);
        let path = format!("/inbound/mail?recipient={}", letter.return_path.replace('+', "%2B"));
        mailing.app.anonymous().request("POST", &path).body("text/plain", "a").send().await.expect(415);
        assert_eq!(mailing.entries().await, before);
    }

    async fn a_bounce_closes_the_mailbox_until_it_proves_itself(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let asked = mailing.letter().await;
        mailing.file().await;
        let letter = mailing.letter().await;
        let report = mailing.report(&letter, "failed", "5.1.1");
        assert_eq!(mailing.hand_in(&letter.return_path, report).await.expect(200).json["action"], "failed");
        let delivery = mailing.delivery().await;
        assert_eq!((&delivery["state"], &delivery["next_at"]), (&json!("gone"), &json!(null)));
        assert_eq!(mailing.notices().await[0]["state"], "pending");
        mailing.app.anonymous().request("POST", &format!("{}/confirm", asked.link())).send().await.expect(200);
        let again = mailing.letter().await;
        assert_eq!(again.header("Message-ID"), letter.header("Message-ID"), "what was owed goes out once it is proved");
    }

    async fn a_full_mailbox_is_asked_again_after_an_hour(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        mailing.file().await;
        let letter = mailing.letter().await;
        let report = mailing.report(&letter, "failed", "5.2.2");
        mailing.hand_in(&letter.return_path, report).await.expect(200);
        let delivery = mailing.delivery().await;
        assert_eq!(delivery["state"], "open");
        assert_eq!(instant(&delivery["next_at"]) - mailing.app.now(), Duration::HOUR);
        mailing.app.advance(Duration::HOUR);
        assert_eq!(mailing.letter().await.header("Message-ID"), letter.header("Message-ID"));
    }

    async fn a_grey_list_is_waited_for(app, relay) {
        let mailing = Mailing::new(app, relay, "greylist-desk@beispielwerk.example", &json!({})).await;
        mailing.app.step_workers().await;
        assert!(mailing.letters().is_empty());
        mailing.app.advance(Duration::seconds(15));
        let letter = mailing.letter().await;
        assert_eq!(letter.recipient, "greylist-desk@beispielwerk.example");
    }

    async fn who_is_unknown_is_left_alone_for_an_hour(app, relay) {
        let mailing = Mailing::new(app, relay, "unknown-desk@beispielwerk.example", &json!({})).await;
        mailing.app.step_workers().await;
        mailing.file().await;
        mailing.app.step_workers().await;
        let delivery = mailing.delivery().await;
        let attempt = &delivery["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["kind"]), (&json!("configuration"), &json!("mail_refused")));
        assert_eq!((&attempt["mail"]["reply_code"], &attempt["mail"]["enhanced_code"]), (&json!(550), &json!("5.1.1")));
        assert_eq!(instant(&delivery["next_at"]) - mailing.app.now(), Duration::HOUR);
    }

    async fn a_mail_that_was_perhaps_taken_goes_out_again_under_the_same_id(app, relay) {
        let mailing = Mailing::new(app, relay, "dropped-desk@beispielwerk.example", &json!({})).await;
        mailing.letter().await;
        mailing.app.advance(Duration::days(2));
        mailing.app.step_workers().await;
        mailing.letters();
        mailing.file().await;
        let first = mailing.letter().await;
        let attempt = mailing.delivery().await["attempts"][0].clone();
        assert_eq!((&attempt["outcome"], &attempt["mail"]["reply_code"]), (&json!("transient"), &json!(null)));
        mailing.app.advance(Duration::seconds(15));
        let second = mailing.letter().await;
        assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
        assert_ne!(first.return_path, second.return_path, "each attempt has a return path of its own");
    }

    async fn a_relay_where_the_agreement_does_not_allow_it_gets_nothing(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({"data_location": "FR"})).await;
        mailing.letter().await;
        mailing.file().await;
        mailing.app.step_workers().await;
        assert!(mailing.letters().is_empty());
        let delivery = mailing.delivery().await;
        let attempt = &delivery["attempts"][0];
        assert_eq!((&delivery["state"], &attempt["outcome"], &attempt["kind"]), (&json!("closed"), &json!("configuration"), &json!("withheld")));
        assert_eq!(attempt["request_sha256"], json!(null));
        assert!(text(&attempt["mail"]["dialogue"]).contains("DE"), "{attempt}");
        let levels = mailing.levels().await;
        assert!(levels.iter().all(|(level, _)| level == "filed"), "{levels:?}");
    }

    async fn later_notices_belong_to_the_thread_of_the_first(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({"language": "en"})).await;
        mailing.letter().await;
        let filed = mailing.file().await;
        let first = mailing.letter().await;
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let path = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        for number in [1, 2] {
            let body = json!({"kind": "supplement", "changes": {"title": format!("Title {number}")}});
            let request = staff.request("POST", &path).header("if-match", &format!("\"{number}\"")).json(&body);
            request.send().await.expect(201);
            let later = mailing.letter().await;
            assert_eq!(later.header("In-Reply-To"), first.header("Message-ID"));
            assert_eq!(later.header("References"), first.header("Message-ID"));
            assert_ne!(later.header("Message-ID"), first.header("Message-ID"));
            assert_eq!(later.header("Content-Language"), "en");
        }
        assert_eq!((first.header("In-Reply-To"), first.header("References")), ("", ""));
    }

    async fn a_refusal_opens_the_next_channel_at_once(app, relay) {
        let (mailing, receiver) = in_order(app, relay, "unknown-desk@beispielwerk.example").await;
        mailing.file().await;
        mailing.app.step_workers().await;
        assert_eq!(receiver.taken_of("notice.initial").await.len(), 1);
        assert_eq!(mailing.notices().await[0]["state"], "delivered");
    }

    async fn a_bounce_opens_the_next_channel_at_once(app, relay) {
        let (mailing, receiver) = in_order(app, relay, DESK).await;
        mailing.file().await;
        mailing.app.step_workers().await;
        assert!(receiver.taken_of("notice.initial").await.is_empty(), "e-mail comes first");
        let letter = mailing.letters().pop().unwrap();
        let report = mailing.report(&letter, "failed", "5.2.2");
        mailing.hand_in(&letter.return_path, report).await.expect(200);
        mailing.app.step_workers().await;
        assert_eq!(receiver.taken_of("notice.initial").await.len(), 1);
    }

    async fn all_channels_at_once_where_that_is_agreed(app, relay) {
        let (mailing, receiver) = in_order(app, relay, DESK).await;
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let found = staff.get("/v1/agreements").await.expect(200).json["items"][0].clone();
        let mut body = agreement(&mailing.controller, "AVV-1", "");
        body.as_object_mut().unwrap().remove("controller");
        body["terms"] = found["terms"].clone();
        body["terms"]["delivery_order"] = json!("parallel");
        staff.put(&format!("/v1/agreements/{}", text(&found["id"])), "\"1\"", &body).await.expect(200);
        mailing.file().await;
        mailing.app.step_workers().await;
        assert_eq!((mailing.letters().len(), receiver.taken_of("notice.initial").await.len()), (1, 1));
    }

    async fn contacts_are_asked_too_and_nobody_twice(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let path = format!("/v1/organisations/{}", mailing.controller);
        let contacts = json!([
            {"role": "dpo", "name": "Erika Beispiel", "email": "dpo@beispielwerk.example"},
            {"role": "breach_desk", "name": "Desk", "email": "DESK@beispielwerk.example"},
        ]);
        let body = json!({"name": "Beispielwerk AG", "roles": ["controller"], "country": "DE", "contacts": contacts});
        staff.put(&path, "\"1\"", &body).await.expect(200);
        assert_eq!(mailing.letter().await.recipient, "dpo@beispielwerk.example");
        staff.put(&path, "\"2\"", &body).await.expect(200);
        mailing.app.step_workers().await;
        assert!(mailing.letters().is_empty());
    }
}

both! {
    async fn while_the_relay_is_down_nothing_is_held_against_the_mailbox(app: TestApp, settings = [
        ("ART33_MAIL_HOST", "127.0.0.1"), ("ART33_MAIL_PORT", "9"), ("ART33_MAIL_TLS", "none"),
        ("ART33_MAIL_FROM", "notices@lernsysteme.example"), ("ART33_MAIL_AREAS", "DE")
    ]) {
        let mailing = Mailing::new(app, SmtpServer::start(&json!({})), DESK, &json!({})).await;
        mailing.file().await;
        mailing.app.step_workers().await;
        let delivery = mailing.delivery().await;
        let attempt = &delivery["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["kind"]), (&json!("transient"), &json!("connect")));
        assert!(instant(&delivery["next_at"]) - mailing.app.now() < Duration::MINUTE, "{delivery}");
        let id: DeliveryId = text(&delivery["id"]).parse().unwrap();
        let owner = mailing.controller.parse().unwrap();
        let endpoint = text(&delivery["endpoint"]).parse().unwrap();
        let found = mailing.app.service().store.read::<_, art33::store::StoreError>(move |connection| {
            art33::store::endpoints::find(connection, &owner, &endpoint)
        });
        let found = found.await.unwrap().unwrap();
        assert_eq!((found.failures, found.health.as_str()), (0, "unverified"), "{id}");
    }

    async fn without_a_relay_mailboxes_are_known_and_nothing_waits(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let mut body = agreement(&world.controllers[0].id, "AVV-9", "");
        body["terms"]["addressees"] = json!([{"role": "desk", "channel": "email", "address": DESK}]);
        staff.post("/v1/agreements", &body).await.expect(201);
        let registered = staff.get("/v1/audit").await.expect(200).json;
        let kinds: Vec<_> = registered["items"].as_array().unwrap().iter().map(|item| text(&item["kind"])).collect();
        assert!(kinds.contains(&"mailboxes.registered".to_owned()), "{kinds:?}");
        let waiting = |connection: &mut art33::store::AnyConnection| {
            art33::store::deliveries::next_due(connection, art33::domain::delivery::Lane::Mail)
        };
        assert_eq!(app.service().store.read::<_, art33::store::StoreError>(waiting).await.unwrap(), None);
    }
}
