//! What happens in the demo, step by step: filed, delivered, accessed, acknowledged, reported, verified; then watched.
//!
//! Waits for events only. Every fact it counts was checked by the receiver or answered by the service.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::receiver::Received;
use super::screen::{Mood, Screen};
use super::summary::{Ledger, Summary};
use super::world::{Controller, World, id, text};
use super::{DemoError, scenario};
use crate::clock::Clock;
use crate::crypto::{sha256_hex, verify_jws};
use crate::domain::span::IsoDuration;
use crate::service::Service;

/// The longest that all controllers together may take to be told and to acknowledge.
const PATIENCE: Duration = Duration::from_mins(1);

/// A notice that a controller has fetched and found unchanged.
struct Fetched {
    acknowledge_url: String,
    content_sha256: String,
}

/// The notice as `notice_url` answers it, with the exact bytes of its content.
#[derive(Deserialize)]
struct NoticeBody<'b> {
    #[serde(borrow)]
    content: &'b RawValue,
}

/// The demo while it runs.
pub(super) struct Story {
    pub(super) world: World,
    pub(super) screen: Screen,
    pub(super) clock: Clock,
    pub(super) inbox: UnboundedReceiver<Received>,
}

impl Story {
    /// Files the incident and sees it through; answers what came of it.
    pub(super) async fn play(&mut self, service: &Service, reports: &Path) -> Result<Summary, DemoError> {
        let incident = self.file().await?;
        let told = tokio::time::timeout(PATIENCE, self.see_told(&incident)).await;
        told.map_err(|_| DemoError::Story(format!("not everybody was told within {} seconds", PATIENCE.as_secs())))??;
        let duties = self.show_clocks(&incident).await?;
        let reports = self.write_reports(&incident, reports).await?;
        let notices = self.world.processor.get(&format!("/v1/notices?incident={incident}")).await?;
        let with = |member: &str| items(&notices).iter().filter(|notice| notice[member].is_string()).count();
        let checked = service.verify_ledger().await.map_err(|error| DemoError::Story(error.to_string()))?;
        let (mood, word) =
            if checked.verified { (Mood::Good, "every hash fits") } else { (Mood::Bad, "does not verify") };
        let entries = format!("{} entries in {} streams: {word}", checked.entries, checked.streams);
        self.screen.step(self.clock.now(), mood, "ledger", &entries, "");
        Ok(Summary {
            agreements: self.world.controllers.len(),
            notices: items(&notices).len(),
            delivered: with("delivered_at"),
            acknowledged: with("acknowledged_at"),
            ledger: Ledger { entries: checked.entries, verified: checked.verified },
            incident,
            duties,
            reports,
            elapsed_ms: 0,
        })
    }

    async fn file(&mut self) -> Result<String, DemoError> {
        let controllers: Vec<String> = self.world.controllers.iter().map(|controller| controller.id.clone()).collect();
        let filing = scenario::filing(&controllers, self.clock.now());
        let filed = self.world.processor.post("/v1/incidents", &filing).await?;
        let (incident, now) = (id(&filed)?, self.clock.now());
        self.screen.step(now, Mood::Plain, "filed", scenario::PROCESSOR, text(&filing, "/title"));
        for controller in &self.world.controllers {
            let owed =
                |duty: &&Value| duty["obligation"] == "contract_notice" && duty["controller"] == controller.id.as_str();
            let Some(duty) = items(&filed["duties"]).iter().find(owed) else { continue };
            let due = match self.screen.moment(&duty["legal_due_at"])? {
                none if none.is_empty() => {
                    format!("without undue delay, own aim {}", self.screen.moment(&duty["internal_target_at"])?)
                }
                due => format!("due {due} ({})", text(duty, "/counting_rule")),
            };
            let clause = text(&controller.agreement, "/terms/clause");
            let terms = format!("{} {clause}", text(&controller.agreement, "/reference"));
            self.screen.step(now, Mood::Plain, "telling", controller.name, &format!("{terms:<26} {due}"));
        }
        Ok(incident)
    }

    /// Until every controller has acknowledged and the processor knows that all were told.
    async fn see_told(&mut self, incident: &str) -> Result<(), DemoError> {
        let key_set = self.world.operator.get("/.well-known/jwks.json").await?;
        let all = self.world.controllers.len();
        let mut fetched: BTreeMap<usize, Fetched> = BTreeMap::new();
        let (mut acknowledged, mut on_record) = (0, 0);
        while acknowledged < all || on_record < all {
            let (index, event) = self.next().await?;
            match (text(&event, "/type"), self.world.controllers.get(index)) {
                ("notice.initial", Some(controller)) if event["data"]["incident"] == incident => {
                    let signed = "both signatures hold";
                    self.screen.step(self.clock.now(), Mood::Good, "delivered", controller.name, signed);
                    let notice = fetch(controller, &event["data"]).await?;
                    let hash =
                        format!("SHA-256 {}… fits", &notice.content_sha256[..16.min(notice.content_sha256.len())]);
                    self.screen.step(self.clock.now(), Mood::Good, "accessed", controller.name, &hash);
                    fetched.insert(index, notice);
                }
                // Acknowledged once the delivery is on record, so that the order of events is the same in every run.
                ("duty.met", Some(controller)) => {
                    let Some(notice) = fetched.remove(&index) else { continue };
                    acknowledge(controller, &notice, &key_set).await?;
                    let receipt = "receipt countersigned, holds under the published key";
                    self.screen.step(self.clock.now(), Mood::Good, "acknowledged", controller.name, receipt);
                    acknowledged += 1;
                }
                ("duty.met", None) => on_record += 1,
                _ => {}
            }
        }
        let all_met = format!("told that its {all} contract duties are met");
        self.screen.step(self.clock.now(), Mood::Good, "duty.met", scenario::PROCESSOR, &all_met);
        Ok(())
    }

    /// What runs now: the controllers' own 72 hours among others, which began when they were told.
    async fn show_clocks(&mut self, incident: &str) -> Result<Vec<Value>, DemoError> {
        let board = self.world.processor.get(&format!("/v1/duties?order=due&incident={incident}")).await?;
        for duty in items(&board).iter().filter(|duty| duty["state"] == "running") {
            let basis = text(duty, "/legal_basis");
            let more = if duty["legal_due_at"].is_null() {
                let aim = self.screen.moment(&duty["alarm_at"])?;
                format!("{basis:<26} without undue delay, alarm {aim}")
            } else {
                let due = self.screen.moment(&duty["legal_due_at"])?;
                let hours = text(duty, "/span").parse().map_or(0, |span: IsoDuration| span.length().whole_hours());
                format!("{:<26} due {due} ({})", format!("{basis}, {hours} hours"), text(duty, "/counting_rule"))
            };
            self.screen.step(self.clock.now(), Mood::Plain, "clock runs", self.world.name_of(duty), &more);
        }
        Ok(items(&board).to_vec())
    }

    async fn write_reports(&mut self, incident: &str, directory: &Path) -> Result<Vec<String>, DemoError> {
        let mut written = Vec::new();
        for controller in &self.world.controllers {
            let language = text(&controller.agreement, "/terms/language");
            let target = format!("/v1/incidents/{incident}/report?format=pdf&lang={language}");
            let pdf = controller.client.bytes(&target).await?;
            let file = directory.join(format!("{}.pdf", text(&controller.agreement, "/reference")));
            let cannot = |error| DemoError::Place(format!("cannot write {}: {error}", file.display()));
            tokio::fs::write(&file, pdf).await.map_err(cannot)?;
            let file = file.display().to_string();
            self.screen.step(self.clock.now(), Mood::Good, "report", controller.name, &file);
            written.push(file);
        }
        Ok(written)
    }

    /// Shows what is told about duties from now on; ends only when no more can come.
    pub(super) async fn watch(&mut self) -> Result<(), DemoError> {
        loop {
            let (index, event) = self.next().await?;
            let kind = text(&event, "/type");
            let to = self.world.controllers.get(index).map_or(scenario::PROCESSOR, |controller| controller.name);
            let duty = &event["data"]["duty"];
            let (mood, more) = match kind {
                "duty.due_soon" | "duty.overdue" => {
                    let passed = match text(&event, "/data/step") {
                        "half" => "50 % of the time has passed",
                        "three_quarters" => "75 % of the time has passed",
                        "nine_tenths" => "90 % of the time has passed",
                        _ => "the alarm time is reached",
                    };
                    let mood = if kind == "duty.overdue" { Mood::Bad } else { Mood::Warning };
                    let due = self.screen.moment(&duty["legal_due_at"])?;
                    (mood, format!("{}: {passed}, due {due}", text(duty, "/legal_basis")))
                }
                "duty.met" => (Mood::Good, text(duty, "/legal_basis").to_owned()),
                _ => (Mood::Plain, String::new()),
            };
            self.screen.step(self.clock.now(), mood, kind, to, &more);
        }
    }

    /// The next message with good signatures; one without ends the demo.
    async fn next(&mut self) -> Result<(usize, Value), DemoError> {
        match self.inbox.recv().await {
            Some(Received::Event(index, event)) => Ok((index, event)),
            Some(Received::Refused(index, reason)) => {
                let to = self.world.controllers.get(index).map_or(scenario::PROCESSOR, |controller| controller.name);
                Err(DemoError::Story(format!("the receiver of {to} turned a message away: {reason}")))
            }
            None => Err(DemoError::Story("the receivers are gone".to_owned())),
        }
    }
}

impl World {
    /// The name of the controller whose duty it is, or of the processor for what is owed once for all.
    fn name_of(&self, duty: &Value) -> &'static str {
        let found = self.controllers.iter().find(|controller| duty["controller"] == controller.id.as_str());
        found.map_or(scenario::PROCESSOR, |controller| controller.name)
    }
}

/// Fetches the notice with the controller's own token and compares its digest with the one in the webhook.
async fn fetch(controller: &Controller, data: &Value) -> Result<Fetched, DemoError> {
    let body = controller.client.bytes(text(data, "/notice_url")).await?;
    let notice: NoticeBody<'_> =
        serde_json::from_slice(&body).map_err(|error| DemoError::Story(format!("a notice is unreadable: {error}")))?;
    let content_sha256 = sha256_hex(notice.content.get().as_bytes());
    if content_sha256 != text(data, "/content_sha256") {
        return Err(DemoError::Story(format!("the notice for {} is not the one that was announced", controller.name)));
    }
    Ok(Fetched { acknowledge_url: text(data, "/acknowledge_url").to_owned(), content_sha256 })
}

/// Acknowledges the notice; the receipt must be signed by the service and speak of this very content.
async fn acknowledge(controller: &Controller, notice: &Fetched, key_set: &Value) -> Result<(), DemoError> {
    let by = json!({"name": "Meldestelle Datenschutz", "role": "Empfangsstelle"});
    let body = json!({"content_sha256": notice.content_sha256, "by": by});
    let receipt = controller.client.post(&notice.acknowledge_url, &body).await?;
    let statement = verify_jws(key_set, "receipt+jws", text(&receipt, "/jws"))
        .map_err(|error| DemoError::Story(format!("the receipt for {}: {error}", controller.name)))?;
    let fits = statement["level"] == "acknowledged" && statement["content_sha256"] == notice.content_sha256.as_str();
    let other = || DemoError::Story(format!("the receipt for {} speaks of something else", controller.name));
    fits.then_some(()).ok_or_else(other)
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().map_or(&[], Vec::as_slice)
}
