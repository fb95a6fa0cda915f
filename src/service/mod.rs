//! One verb per use case, and the only door through which anything changes. Knows no web and no SQL.
//!
//! Every verb takes the actor, whose organisation is the tenant scope; each change is one transaction that holds its ledger entries.

mod acknowledge;
mod agreement_checks;
mod amend_duties;
mod amend_incident;
mod answer;
mod answer_filing;
mod answer_instruction;
mod answer_task;
mod audit_delivery;
mod bootstrap;
mod carry_out;
mod change_agreement;
mod change_organisation;
mod change_webhook;
mod check_ready;
mod choose_authority;
mod claim_deliveries;
mod create_agreement;
mod create_organisation;
mod create_webhook;
mod derive;
mod dispatch;
mod dispute_notice;
mod duty_facts;
mod error;
mod escalate;
mod escalation_actions;
mod escalation_event;
mod file_incident;
mod give_instruction;
mod happen;
mod import_agreements;
mod informed;
mod join_affected;
mod keep_receiver_key;
mod keep_source;
mod letters;
mod links;
mod mail_policy;
mod mailboxes;
mod mailed;
mod network_watch;
mod next_channel;
mod next_version;
mod on_behalf;
mod part;
mod preview_incident;
mod probe_endpoints;
mod read;
mod receipts;
mod receive_acknowledgement;
mod receive_bounce;
mod receive_notice;
mod record;
mod record_attempts;
mod record_decision;
mod record_filing;
mod redeliver;
mod redeliver_failed;
mod release_incident;
mod reopen_duty;
mod report;
mod report_milestone;
mod report_outcomes;
mod rotate_webhook;
mod show_agreements;
mod show_authority;
mod show_endpoints;
mod show_escalation;
mod show_organisations;
mod show_outcomes;
mod show_tasks;
mod show_versions;
mod show_webhooks;
mod sign_deliveries;
mod succession;
mod tell_duties;
mod tell_notices;
mod telling;
mod test_webhook;
mod verify_endpoint;
mod verify_ledger;
mod waive_duty;
mod watch_clocks;

use std::sync::Arc;

use time::{Date, OffsetDateTime};
use tokio::sync::Notify;
use url::Url;

use crate::clock::Clock;
use crate::crypto::{KeyHistory, MasterKey, SigningKey, sha256_hex};
use crate::domain::catalogue::{FrozenRow, Obligation};
use crate::domain::id::Id;
use crate::domain::law::Law;
use crate::entropy::Entropy;
use crate::store::Store;

pub use crate::store::audit_of_delivery::Counted;
pub use crate::store::duties::DutyFilter;
pub use crate::store::endpoint_views::EndpointFilter;
pub use crate::store::incidents::IncidentFilter;
pub use crate::store::notices::NoticeFilter;
pub use crate::store::tasks::TaskFilter;
pub use acknowledge::Acknowledgement;
pub use answer::{Answer, Idempotency};
pub use audit_delivery::{DeliveryAudit, Finding, Queue};
pub use bootstrap::operator_id;
pub use claim_deliveries::Claims;
pub use dispatch::{Dispatch, Leases, Outgoing};
pub use error::ServiceError;
pub use import_agreements::ImportRow;
pub use links::{Linked, Opened, Visitor};
pub use mail_policy::{Compose, MailDraft, MailPolicy};
pub use mailed::MailEvidence;
pub use network_watch::NetworkWatch;
pub use preview_incident::Preview;
pub use read::{LedgerEntry, LedgerFilter};
pub use receive_acknowledgement::AcknowledgementError;
pub use receive_bounce::Reported;
pub use receive_notice::{Inbound, InboundError, Taken};
pub use record_attempts::Attempted;
pub use redeliver_failed::Redelivered;
pub use release_incident::Release;
pub use show_agreements::AgreementFilter;
pub use show_authority::Supervision;
pub use show_outcomes::DutyWithClocks;
pub use verify_ledger::{Misfit, Verification, verify_ledger};
pub use watch_clocks::Clocks;

/// Says why requests may not go to an address.
pub type CheckUrl = Arc<dyn Fn(&Url) -> Result<(), String> + Send + Sync>;

/// The rows of the catalogue, each under the digest of its words.
///
/// # Errors
/// When a row cannot be written as JSON, which no parsed row does.
pub fn freeze(law: &Law) -> Result<Arc<[Arc<FrozenRow>]>, ServiceError> {
    let frozen = law.catalogue.rows().iter().map(|row| {
        let words = serde_json::to_vec(row.as_ref())?;
        Ok(Arc::new(FrozenRow::new(sha256_hex(&words), Obligation::clone(row))))
    });
    frozen.collect()
}

/// What every verb needs; cheap to clone.
#[derive(Clone)]
pub struct Service {
    /// The database.
    pub store: Store,
    /// The one clock.
    pub clock: Clock,
    /// The one source of randomness and ids.
    pub entropy: Entropy,
    /// Signs receipts and webhooks.
    pub signing_key: SigningKey,
    /// That key and those before it.
    pub key_history: Arc<KeyHistory>,
    /// Seals secrets at rest.
    pub master_key: MasterKey,
    /// Obligations, holidays and authorities.
    pub law: Arc<Law>,
    /// The rows of the catalogue under the ids by which duties name them.
    pub rows: Arc<[Arc<FrozenRow>]>,
    /// Where this service is reached from outside; links in webhooks begin with it.
    pub public_url: Url,
    /// Judges addresses of endpoints when they are registered.
    pub check_url: CheckUrl,
    /// How e-mail is written; nothing without a relay.
    pub mail: Option<Arc<MailPolicy>>,
    /// IANA name of the zone in which letters show times.
    pub zone: Arc<str>,
    /// How long a claimed delivery is held.
    pub leases: Leases,
    /// Whether our own network works, as far as this process can tell.
    pub network: NetworkWatch,
    /// Wakes the workers after a commit that gave them work. A lost wake-up costs only delay.
    pub nudge: Arc<Notify>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Service").field("public_url", &self.public_url.as_str()).finish_non_exhaustive()
    }
}

impl Service {
    /// The rows that are law on `day`.
    pub(crate) fn rows_in_force(&self, day: Date) -> Vec<Arc<FrozenRow>> {
        self.rows.iter().filter(|row| row.is_law_on(day)).cloned().collect()
    }

    /// A fresh id.
    pub(crate) fn id<K: type_safe_id::StaticType>(&self, now: OffsetDateTime) -> Id<K> {
        Id::from_bytes(self.entropy.id_bytes(now))
    }
}
