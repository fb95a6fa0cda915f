//! Receipts: each stage of a notice's way as a signed statement. Some are stored, some are signed anew whenever they are read.

use std::collections::HashSet;

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::duty_facts::all_duty_facts;
use super::{Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::incident::{Notice, NoticeSummary};
use crate::domain::ledger::NewEntry;
use crate::domain::receipt::{Receipt, ReceiptLevel, ReceiptName, Stage};
use crate::store::notices::NoticeFacts;
use crate::store::receipts::Way;
use crate::store::{AnyConnection, receipts};

/// What a receipt speaks of.
struct About<'a> {
    notice: &'a NoticeId,
    incident: &'a IncidentId,
    processor: &'a OrganisationId,
    controller: &'a OrganisationId,
    content_sha256: &'a str,
}

impl<'a> From<&'a NoticeFacts> for About<'a> {
    fn from(fact: &'a NoticeFacts) -> Self {
        Self {
            notice: &fact.id,
            incident: &fact.incident,
            processor: &fact.processor,
            controller: &fact.controller,
            content_sha256: &fact.content_sha256,
        }
    }
}

impl<'a> From<&'a NoticeSummary> for About<'a> {
    fn from(summary: &'a NoticeSummary) -> Self {
        Self {
            notice: &summary.id,
            incident: &summary.incident,
            processor: &summary.processor.id,
            controller: &summary.controller.id,
            content_sha256: &summary.content_sha256,
        }
    }
}

impl Service {
    /// A signed statement that `notice` got as far as `stage`, to be stored; `known` are the receipts that are stored by now.
    ///
    /// It names the one before it, so that none can be left out or put in between later.
    pub(super) fn receipt(&self, notice: &NoticeFacts, stage: Stage, known: &[Receipt]) -> Receipt {
        let name = ReceiptName::Stored(self.id(stage.at));
        self.stated(&About::from(notice), name, stage, newest(notice, known))
    }

    /// Stores the receipt of a stage, unless the notice has one of that level; the caller holds its lock and writes the ledger.
    /// Answers that receipt, and whether it is new.
    pub(super) fn issue_receipt(
        &self,
        connection: &mut AnyConnection,
        notice: &NoticeFacts,
        stage: Stage,
    ) -> Result<(Receipt, bool), ServiceError> {
        let known = receipts::of(connection, &[notice.id.as_str()])?;
        if let Some(given) = known.iter().find(|one| one.level == stage.level) {
            return Ok((given.clone(), false));
        }
        let receipt = self.receipt(notice, stage, &known);
        receipts::insert(connection, std::slice::from_ref(&receipt))?;
        Ok((receipt, true))
    }

    /// The receipts of a notice with those that follow from its deliveries, which are signed now; oldest first.
    pub(super) fn with_derived(
        &self,
        connection: &mut AnyConnection,
        mut notice: Notice,
    ) -> Result<Notice, ServiceError> {
        let stages = derived(notice.summary.created_at, receipts::way(connection, &notice.summary.id)?);
        let about = About::from(&notice.summary);
        let derived = stages.map(|stage| {
            let name = ReceiptName::Derived(notice.summary.id.clone(), stage.level);
            self.stated(&about, name, stage, None)
        });
        let mut all: Vec<Receipt> = derived.chain(std::mem::take(&mut notice.receipts)).collect();
        all.sort_by_key(|receipt| (receipt.at, receipt.level));
        notice.receipts = all;
        Ok(notice)
    }

    fn stated(&self, about: &About<'_>, id: ReceiptName, stage: Stage, previous_sha256: Option<String>) -> Receipt {
        let Stage { level, at, means, by, evidence_sha256, evidence } = stage;
        let statement = json!({
            "iss": self.public_url.as_str(),
            "jti": id,
            "iat": self.key_history.earliest(at).unix_timestamp(),
            "level": level,
            "at": at.format(&Rfc3339).unwrap_or_default(),
            "notice": about.notice,
            "incident": about.incident,
            "processor": about.processor,
            "controller": about.controller,
            "content_sha256": about.content_sha256,
            "by": by,
            "means": means,
            "evidence_sha256": evidence_sha256,
            "previous_sha256": previous_sha256,
        });
        let jws = self.signing_key.sign_jws("receipt+jws", &statement);
        let (notice, content_sha256) = (about.notice.clone(), about.content_sha256.to_owned());
        Receipt { id, notice, level, at, means, by, content_sha256, evidence_sha256, evidence, previous_sha256, jws }
    }
}

/// What follows from the notice itself and from its attempts.
fn derived(created_at: OffsetDateTime, way: Way) -> impl Iterator<Item = Stage> {
    let step = |level, step: Option<receipts::Step>| {
        step.map(|step| Stage::new(level, step.at).by_means(step.channel.into()).proved_by(step.evidence_sha256))
    };
    let filed = Some(Stage::new(ReceiptLevel::Filed, created_at));
    let attempted = step(ReceiptLevel::Attempted, way.attempted);
    let accepted = step(ReceiptLevel::Accepted, way.accepted);
    [filed, attempted, accepted].into_iter().flatten()
}

/// SHA-256 of the JWS of the newest stored receipt of `notice`: of several, the one that no other names as the one before it.
fn newest(notice: &NoticeFacts, known: &[Receipt]) -> Option<String> {
    let own = || known.iter().filter(|receipt| receipt.notice == notice.id);
    let named: HashSet<&str> = own().filter_map(|receipt| receipt.previous_sha256.as_deref()).collect();
    let mut digests = own().map(|receipt| sha256_hex(receipt.jws.as_bytes()));
    digests.rfind(|digest| !named.contains(digest.as_str()))
}

/// The ledger entry of a receipt that somebody brought about, in the stream of its notice.
pub(super) fn proof<'d>(
    notice: &NoticeFacts,
    actor: &Actor,
    receipt: &Receipt,
    duties: impl IntoIterator<Item = &'d Duty>,
) -> NewEntry {
    let kind = match receipt.level {
        ReceiptLevel::Filed => "notice.filed",
        ReceiptLevel::Attempted => "notice.attempted",
        ReceiptLevel::Accepted => "notice.accepted",
        ReceiptLevel::Delivered => "notice.delivered",
        ReceiptLevel::Accessed => "notice.accessed",
        ReceiptLevel::Acknowledged => "notice.acknowledged",
        ReceiptLevel::Disputed => "notice.disputed",
    };
    let facts = json!({
        "content_sha256": notice.content_sha256,
        "receipt": receipt.id,
        "receipt_sha256": sha256_hex(receipt.jws.as_bytes()),
        "means": receipt.means,
        "evidence_sha256": receipt.evidence_sha256,
        "duties": all_duty_facts(duties),
    });
    notice.sides().entry(kind, notice.id.as_str(), facts, (actor.clone(), receipt.at))
}
