//! The whole way of a mail through a server of its own process: over TLS with a password and a signature, and back as the report that
//! this server pipes into `art33 bounce`.

use serde_json::{Value, json};

use crate::harness::app::{Backend, TestApp};
use crate::harness::mailing::{DESK, Mailing, mailing, settings};
use crate::harness::pki::{Pki, dkim_key};
use crate::harness::smtp::SmtpServer;
use crate::harness::world::text;

const PASSWORD: &str = "open sesame";

/// What `art33 bounce` ends with where the service refuses the message for good.
const REFUSED: i64 = 1;

/// Lets the mail server pipe a report on the last mail to the desk into the command, as a mail server does with a pipe.
fn bounced(mailing: &Mailing, is_forged: bool) -> Value {
    let command = [env!("CARGO_BIN_EXE_art33"), "bounce", "--url", &mailing.app.url("")];
    let request = json!({"op": "bounce", "command": command, "recipient": DESK.to_lowercase(), "forged": is_forged,
                         "action": "delivered", "status": "2.0.0", "directory": mailing.app.directory()});
    mailing.relay.ask(&request, "bounced")
}

mailing! {
    async fn a_report_that_the_mail_server_pipes_into_the_command_proves_arrival(app, relay) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.letter().await;
        mailing.file().await;
        mailing.letter().await;
        let before = mailing.entries().await;
        let forged = bounced(&mailing, true);
        assert_eq!(forged["exit"], REFUSED, "{forged}");
        assert!(text(&forged["said"]).contains("no return path"), "{forged}");
        assert_eq!((mailing.entries().await, &mailing.notices().await[0]["state"]), (before, &json!("pending")));
        let genuine = bounced(&mailing, false);
        assert_eq!((&genuine["exit"], &genuine["said"]), (&json!(0), &json!("")));
        assert_eq!(mailing.notices().await[0]["state"], "delivered");
        assert!(mailing.levels().await.contains(&("delivered".into(), "mail".into())));
        let delivery = mailing.delivery().await;
        let reports = &delivery["attempts"][0]["mail"]["reports"];
        assert_eq!((&delivery["state"], &reports[0]["action"]), (&json!("delivered"), &json!("delivered")));
        assert!(mailing.app.service().verify_ledger().await.unwrap().verified);
    }
}

mod a_mail_goes_out_encrypted_authenticated_and_signed {
    use super::*;

    async fn body(app: TestApp, relay: SmtpServer, record: String) {
        let mailing = Mailing::new(app, relay, DESK, &json!({})).await;
        mailing.app.step_workers().await;
        mailing.relay.event("message");
        mailing.file().await;
        mailing.app.step_workers().await;
        let arrived = mailing.relay.event("message");
        assert_eq!((&arrived["encrypted"], &arrived["user"]), (&json!(true), &json!("art33")));
        let signed = json!({"op": "verify_dkim", "message": arrived["message"], "record": record});
        assert_eq!(mailing.relay.ask(&signed, "verified")["valid"], true);
        let raw = SmtpServer::bytes(&arrived);
        let head = String::from_utf8_lossy(&raw).into_owned();
        assert!(head.contains("d=lernsysteme.example") && head.contains("s=art33;"), "{head}");

        let attempt = mailing.delivery().await["attempts"][0].clone();
        assert_eq!((&attempt["outcome"], &attempt["mail"]["reply_code"]), (&json!("accepted"), &json!(250)));
        assert_eq!(attempt["request_sha256"], art33::crypto::sha256_hex(&raw), "what is proved is what arrived");
        assert!(text(&attempt["mail"]["tls"]).starts_with("TLSv1_3 TLS13_"), "{attempt}");
        let dialogue = text(&attempt["mail"]["dialogue"]);
        for said in ["C: STARTTLS\nS: 220 ", "C: AUTH PLAIN ***\n", "S: 250 2.0.0 Ok: queued as 4C1F0A\n"] {
            assert!(dialogue.contains(said), "{said} is not in\n{dialogue}");
        }
        assert!(!dialogue.contains(PASSWORD) && !dialogue.contains("A link was public"), "{dialogue}");
    }

    async fn run(backend: Backend) {
        let pki = Pki::vouching_for("127.0.0.1");
        let auth = json!({"user": "art33", "password": PASSWORD});
        let relay = SmtpServer::start(&pki.serving(json!({"tls": "starttls", "auth": auth, "mechanism": "PLAIN"})));
        let (key, record) = dkim_key();
        pki.keep("dkim", key.as_bytes());
        let [authority, dkim] = ["authority", "dkim"].map(|name| pki.file(name).display().to_string());
        let port = relay.port.to_string();
        let mut settings = settings(&port);
        settings.extend([
            ("ART33_MAIL_TLS", "starttls"),
            ("ART33_MAIL_USERNAME", "art33"),
            ("ART33_MAIL_PASSWORD", PASSWORD),
            ("ART33_MAIL_EXTRA_CA", &authority),
            ("ART33_MAIL_DKIM_SELECTOR", "art33"),
            ("ART33_MAIL_DKIM_KEY_FILE", &dkim),
        ]);
        crate::harness::app::run(backend, &settings, |app| body(app, relay, record)).await;
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
