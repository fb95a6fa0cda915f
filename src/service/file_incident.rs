//! Filing an incident: who must be told, what each agreement demands, and one transaction that holds everything that follows.

use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;

use super::telling::{concerned, event, legal_day, wanted};
use super::{Answer, Idempotency, Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::catalogue::{FrozenRow, RowSpan};
use crate::domain::content::OpenItem;
use crate::domain::filing::Filing;
use crate::domain::organisation::Seat;
use crate::domain::owed::{Event, owed_by_processor};
use crate::store::parties::{self, InForce, Processor};
use crate::store::{AnyConnection, StoreError};

/// How often a filing is prepared anew because agreements changed meanwhile.
const TRIES: usize = 8;
/// A filing for more controllers than this has a transaction of its own.
const MANY: usize = 64;

/// One controller that will be told.
pub(super) struct Told {
    pub(super) agreement: InForce,
    /// The event as it touches this controller.
    pub(super) event: Event,
    /// The rows that are owed to it and by it.
    pub(super) rows: Vec<Arc<FrozenRow>>,
    /// What this controller itself declared unknown.
    pub(super) own_items: Vec<OpenItem>,
    pub(super) content: String,
    pub(super) content_sha256: String,
    /// Whether nothing is open of what the agreement demands.
    pub(super) complete: bool,
}

/// A checked filing and everybody it concerns.
pub(super) struct Plan {
    pub(super) filing: Filing,
    /// The filing as it came, from which every share can be derived again.
    pub(super) body: String,
    /// The whole incident as JSON.
    pub(super) content: String,
    pub(super) content_sha256: String,
    /// Where the processor sits.
    pub(super) seat: Seat,
    /// The rows that are law when the processor became aware.
    pub(super) rows: Vec<Arc<FrozenRow>>,
    /// Those that the processor owes once for the whole incident.
    pub(super) own: Vec<Arc<FrozenRow>>,
    /// The row of the release by a second person, should the processor ask for that.
    pub(super) release: Option<Arc<FrozenRow>>,
    /// What is open for all alike.
    pub(super) open_items: Vec<OpenItem>,
    pub(super) told: Vec<Told>,
    pub(super) edition: i64,
}

enum Prepared {
    Answered(Answer),
    Plan(Box<Plan>),
}

impl Prepared {
    /// Whether so many are affected that the filing is not to stand in the transaction of others.
    fn is_large(&self) -> bool {
        matches!(self, Self::Plan(plan) if plan.told.len() > MANY)
    }
}

impl Service {
    /// Files the incident that `body` describes and tells every affected controller; answers with the duties that follow.
    ///
    /// All faults of the body and all content that agreements miss are named in one refusal; nothing is stored then. Reading and
    /// checking happen before the write; if an agreement of the processor changed in between, they are done again.
    pub async fn file_incident(
        &self,
        actor: &Actor,
        idempotency: Option<Idempotency>,
        body: Value,
    ) -> Result<Answer, ServiceError> {
        let request = Arc::new((actor.clone(), idempotency, body));
        for _ in 0..TRIES {
            let now = self.clock.now();
            let (service, shared) = (self.clone(), Arc::clone(&request));
            let prepare = move |connection: &mut AnyConnection| {
                service.prepare(connection, &shared.0, shared.1.as_ref(), &shared.2, now)
            };
            let (service, shared) = (self.clone(), Arc::clone(&request));
            let work = move |connection: &mut AnyConnection, prepared| {
                service.carry_out_once(connection, &shared.0, shared.1.as_ref(), prepared, now)
            };
            if let Some(answer) = self.store.prepare_and_write(prepare, Prepared::is_large, work).await? {
                // A nudge costs the one writer a look; alarms of new duties are hours away and need none.
                if answer.has_deliveries {
                    self.nudge.notify_waiters();
                }
                return Ok(answer);
            }
        }
        Err(StoreError::Unavailable("agreements keep changing while the incident is filed".into()).into())
    }

    /// Carries out what was prepared, unless agreements changed meanwhile.
    fn carry_out_once(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
        prepared: Prepared,
        now: OffsetDateTime,
    ) -> Result<Option<Answer>, ServiceError> {
        let plan = match prepared {
            Prepared::Answered(answer) => return Ok(Some(answer)),
            Prepared::Plan(plan) => plan,
        };
        if parties::edition(connection, &actor.organisation)? != plan.edition {
            return Ok(None);
        }
        let carry_out = |connection: &mut AnyConnection| self.carry_out(connection, actor, &plan, now);
        self.once(connection, actor, idempotency, now, carry_out).map(Some)
    }

    fn prepare(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
        body: &Value,
        now: OffsetDateTime,
    ) -> Result<Prepared, ServiceError> {
        if let Some(answer) = self.earlier_answer(connection, actor, idempotency)? {
            return Ok(Prepared::Answered(answer));
        }
        let processor = filing_processor(connection, actor)?;
        let (filing, mut faults) = Filing::read(body, now);
        let mut plan = None;
        if let Some(filing) = filing {
            let day = legal_day(filing.aware_at());
            let iso = day.to_string();
            let agreements = parties::in_force(connection, &actor.organisation, &wanted(&filing.affected), &iso)?;
            let rows = self.rows_in_force(day);
            let concerned = concerned(&filing, agreements, &processor.seat, &rows);
            faults.extend_new(concerned.faults(&filing));
            let told = if faults.is_empty() { concerned.told()? } else { Vec::new() };
            plan = Some(Box::new(planned(filing, body, processor, rows, told)?));
        }
        Ok(Prepared::Plan(faults.capped().finish(plan)?))
    }
}

/// The caller as a processor that files; forbidden to others.
pub(super) fn filing_processor(connection: &mut AnyConnection, actor: &Actor) -> Result<Processor, ServiceError> {
    let found = parties::processor(connection, &actor.organisation)?;
    let processor = found.filter(|found| found.roles.iter().any(|role| role == "processor"));
    processor.ok_or(ServiceError::Forbidden("Only an organisation with the role processor files incidents."))
}

pub(super) fn planned(
    filing: Filing,
    body: &Value,
    processor: Processor,
    rows: Vec<Arc<FrozenRow>>,
    told: Vec<Told>,
) -> Result<Plan, ServiceError> {
    let whole = filing.whole();
    let content = whole.to_json()?;
    let event = event(&filing, &whole);
    Ok(Plan {
        body: body.to_string(),
        content_sha256: sha256_hex(content.as_bytes()),
        own: owed_by_processor(&rows, &event, &processor.seat).into_iter().cloned().collect(),
        release: rows.iter().find(|row| row.span == RowSpan::ReleaseWindow).cloned(),
        open_items: whole.open_items(),
        seat: processor.seat,
        edition: processor.edition,
        content,
        rows,
        told,
        filing,
    })
}
