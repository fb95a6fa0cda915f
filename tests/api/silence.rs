//! What logs and metrics say of an incident's content: nothing, at the most talkative level, through a whole filing.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{CONTROLLER, PROCESSOR, agreement, filing, merge, text};

/// A word that occurs nowhere by chance; every free text of the test holds it.
const WORD: &str = "Zitronenfalter";

/// The real binary on the database of a test.
struct Process {
    child: Child,
    address: String,
    said: Option<JoinHandle<String>>,
}

fn command(app: &TestApp, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_art33"));
    command.args(arguments).env_clear().current_dir(app.directory()).envs([
        ("ART33_DATA_DIR", app.directory().to_str().unwrap()),
        ("ART33_DATABASE_URL", app.database_url()),
        ("ART33_LISTEN", "127.0.0.1:0"),
        ("ART33_LOG", "trace"),
        ("ART33_OUTBOUND_ALLOW", "127.0.0.0/8"),
        ("ART33_OUTBOUND_ALLOW_HTTP", "true"),
    ]);
    command
}

impl Process {
    fn start(app: &TestApp) -> Self {
        let mut child = command(app, &["serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, address) = mpsc::channel();
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once(" serves at ") {
                    drop(sender.send(address.trim().trim_end_matches('/').to_owned()));
                }
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        let Ok(address) = address.recv() else { panic!("it did not start: {}", said.join().unwrap()) };
        Self { child, address, said: Some(said) }
    }

    /// Stops it and answers all that it said.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.said.take().unwrap().join().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends one request; answers status and JSON.
async fn call(app: &TestApp, process: &Process, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request = app.http().request(method.parse().unwrap(), format!("{}{path}", process.address)).bearer_auth(token);
    let request = request.header("content-type", "application/json").body(body.to_owned());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

fn token(app: &TestApp, arguments: &[&str]) -> String {
    let output = command(app, &[&["token"], arguments].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A filing that holds the word in every free text.
fn talkative(now: time::OffsetDateTime, controller: &str) -> Value {
    let share = json!([{"controller": controller, "note": format!("{WORD} 1"), "records": {"count": {"exact": 3}}}]);
    let mut filing = filing(now, &share);
    let word = |number: u32| format!("{WORD} {number}");
    let aware = crate::harness::world::rfc3339(now - time::Duration::minutes(29));
    merge(
        &mut filing,
        &json!({
            "stage": "initial", "title": word(2), "awareness_reason": word(3), "aware_at": aware,
            "nature": {"description": word(5), "how_obtained": word(6)},
            "contact": {"name": word(7), "email": "zitronenfalter@lernsysteme.example", "phone": "+49 555 7331"},
            "consequences": {"description": word(8)},
            "measures": {"taken": [{"description": word(9)}], "proposed": [{"description": word(10)}]},
            "subjects": {"count": {"exact": null, "unknown": word(11)}},
        }),
    );
    filing
}

both! {
    async fn logs_and_metrics_hold_no_content(app: TestApp) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        // A file is served by one process only.
        app.stop().await;
        let process = Process::start(&app);
        let receiver = Receiver::start();
        receiver.reply_once(Reply::With(500, ("x-reason", WORD.to_owned()), WORD.to_owned()));
        let operator = token(&app, &["--operator"]);
        let staff = token(&app, &["--org", &processor, "--scope", PROCESSOR]);
        let body = json!({"name": "Beispielwerk AG", "roles": ["controller"], "country": "DE"});
        let (status, controller) = call(&app, &process, &staff, "POST", "/v1/organisations", &body.to_string()).await;
        assert_eq!(status, 201, "{controller}");
        let controller = text(&controller["id"]);
        let desk = token(&app, &["--org", &controller, "--scope", CONTROLLER]);
        let body = json!({"url": receiver.url("/0"), "events": ["*"]});
        let (status, webhook) = call(&app, &process, &desk, "POST", "/v1/webhooks", &body.to_string()).await;
        assert_eq!(status, 201, "{webhook}");
        let body = agreement(&controller, "AVV-1", webhook["id"].as_str().unwrap());
        let (status, refusal) = call(&app, &process, &staff, "POST", "/v1/agreements", &body.to_string()).await;
        assert_eq!(status, 201, "{refusal}");

        let good = talkative(art33::clock::Clock::system().now(), &controller);
        let (status, filed) = call(&app, &process, &staff, "POST", "/v1/incidents", &good.to_string()).await;
        assert_eq!(status, 201, "{filed}");
        let mut refused = good.clone();
        merge(&mut refused, &json!({"kind": WORD, WORD: WORD, "stage": "complete"}));
        assert_eq!(call(&app, &process, &staff, "POST", "/v1/incidents", &refused.to_string()).await.0, 422);
        let broken = good.to_string().replace("}]", "}");
        assert_eq!(call(&app, &process, &staff, "POST", "/v1/incidents", &broken).await.0, 400);
        assert_eq!(call(&app, &process, &staff, "GET", &format!("/v1/incidents?q={WORD}"), "").await.0, 200);

        receiver.next().await;
        let (_, notices) = call(&app, &process, &desk, "GET", "/v1/notices", "").await;
        let notice = &notices["items"][0];
        let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": WORD, "role": WORD}});
        let path = format!("/v1/notices/{}", text(&notice["id"]));
        let acknowledged = format!("{path}/acknowledgement");
        assert_eq!(call(&app, &process, &desk, "POST", &acknowledged, &body.to_string()).await.0, 200);
        for path in [path.clone(), format!("{path}/content"), format!("/v1/incidents/{}/report", text(&filed["id"]))] {
            assert_eq!(call(&app, &process, &desk, "GET", &path, "").await.0, 200, "{path}");
        }
        let metrics = app.http().get(format!("{}/metrics", process.address)).send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("art33_filings_total"), "{metrics}");
        let said = process.stop();
        assert!(said.lines().count() > 5, "the process says something: {said}");
        for (name, text) in [("metrics", metrics), ("log", said)] {
            let found: Vec<_> = text.lines().filter(|line| line.to_lowercase().contains("zitronenfalter")).collect();
            assert!(found.is_empty(), "{name}: {found:#?}");
            for secret in [&operator, &staff, &desk, &webhook["secret"].as_str().unwrap().to_owned(), &"555 7331".to_owned()] {
                assert!(!text.contains(secret.as_str()), "{name} holds {secret}");
            }
        }
    }
}
