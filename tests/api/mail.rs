//! Notices by e-mail, against a mail server of its own process: what leaves, what is kept as evidence, what comes back, and that
//! nothing of an incident stands in a mail.

use serde_json::json;
use time::Duration;

use crate::harness::app::{Backend, TestApp};
use crate::harness::mailing::{DESK, Mailing, mailing, settings};
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{PROCESSOR, filing, instant, text};

mailing! {
    async fn a_notice_goes_out_as_metadata_and_a_link(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let asked = mailing.letter().await;
        assert_eq!(asked.subject, "Muster Lernsysteme GmbH: Bitte bestätigen Sie diese Adresse für Mitteilungen");
        let filed = mailing.file().await;
        let letter = mailing.letter().await;
        assert_eq!(letter.recipient, "desk@beispielwerk.example");
        assert!(letter.text.contains("Art. 33 Abs. 2 DSGVO"), "{}", letter.text);
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
        assert_eq!((&mail["queue_reply"], &mail["may_have_been_sent"]), (&json!("Ok: queued as 4C1F0A"), &json!(false)));
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

    async fn what_is_no_report_is_evidence_and_opens_the_next_channel_unless_a_machine_replied(app, relay) {
        let by_hand = json!([{"role": "desk", "channel": "email", "address": DESK},
                             {"role": "on_call", "channel": "manual", "address": "+49 711 123456"}]);
        let mailing = Mailing::new(app, relay, DESK, &json!({"addressees": by_hand})).await;
        mailing.letter().await;
        mailing.file().await;
        let letter = mailing.letter().await;
        for (automatic, action, tasks) in [(true, "automatic_reply", 0), (false, "unreadable", 1)] {
            let request = json!({"op": "letter", "return_path": letter.return_path, "automatic": automatic});
            let message = SmtpServer::bytes(&mailing.relay.ask(&request, "letter"));
            let answer = mailing.hand_in(&letter.return_path, message.clone()).await.expect(200);
            assert_eq!(answer.json, json!({"action": action, "kept": true}));
            assert_eq!(mailing.hand_in(&letter.return_path, message).await.expect(200).json["kept"], false);
            mailing.app.step_workers().await;
            let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
            assert_eq!(staff.get("/v1/tasks").await.expect(200).json["items"].as_array().unwrap().len(), tasks, "{action}");
        }
        let delivery = mailing.delivery().await;
        assert_eq!((&delivery["state"], &mailing.notices().await[0]["state"]), (&json!("open"), &json!("pending")));
        let reports = delivery["attempts"][0]["mail"]["reports"].as_array().unwrap().clone();
        let kept: Vec<_> = reports.iter().map(|report| (text(&report["action"]), report["status"].clone())).collect();
        assert_eq!(kept, [("automatic_reply".to_owned(), json!(null)), ("unreadable".to_owned(), json!(null))]);
        mailing.hand_in(&letter.return_path, vec![b'a'; 256 * 1024 + 1]).await.expect(413);
        let path = format!("/inbound/mail?recipient={}", letter.return_path.replace('+', "%2B"));
        mailing.app.anonymous().request("POST", &path).body("text/plain", "a").send().await.expect(415);
    }

    async fn of_one_delivery_twenty_reports_are_kept(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        let letter = mailing.letter().await;
        for number in 0..22 {
            let message = format!("Subject: {number}\r\n\r\nYour message could not be delivered.\r\n");
            let answer = mailing.hand_in(&letter.return_path, message.into_bytes()).await.expect(200);
            assert_eq!(answer.json, json!({"action": "unreadable", "kept": number < 20}), "{number}");
        }
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
        let failed = json!({"since": "2026-11-22T00:00:00Z", "dry_run": true});
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        assert_eq!(staff.post("/v1/redeliveries", &failed).await.expect(200).json["deliveries"], 1, "what came back has failed");
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
        assert_eq!(attempt["mail"]["may_have_been_sent"], true);
        mailing.app.advance(Duration::minutes(14));
        mailing.app.step_workers().await;
        assert!(mailing.letters().is_empty(), "it is likely to be there");
        mailing.app.advance(Duration::MINUTE);
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
        let staff = mailing.app.as_org(&mailing.processor, PROCESSOR);
        let path = format!("/v1/notices/{}", text(&mailing.notices().await[0]["id"]));
        let ladder = staff.get(&format!("{path}/escalation")).await.expect(200).json["until_delivered"].clone();
        let first = &ladder["steps"][0];
        assert_eq!((&first["action"], &first["outcome"]), (&json!("next_channel"), &json!("withheld")));
        assert_eq!(first["fired_at"], json!("2026-11-22T00:40:00Z"), "who cannot be told at once waits for no step");
        let deliveries = staff.get(&format!("{path}/deliveries")).await.expect(200).json;
        assert_eq!(deliveries["items"], json!([]));
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
