//! Filing an incident: who must be told, what each agreement demands, and one transaction that holds everything that follows.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::{Answer, Idempotency, Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::content::{Ask, ShareContent, demand_faults};
use crate::domain::fault::Faults;
use crate::domain::filing::{Affected, Filing, Share};
use crate::domain::id::OrganisationId;
use crate::domain::span::Span;
use crate::store::parties::{self, InForce, Wanted};
use crate::store::{AnyConnection, StoreError};

/// How often a filing is prepared anew because agreements changed meanwhile.
const TRIES: usize = 8;

/// One controller that will be told.
pub(super) struct Told {
    pub(super) agreement: InForce,
    pub(super) special: bool,
    pub(super) content: String,
    pub(super) content_sha256: String,
}

/// A checked filing and everybody it concerns.
pub(super) struct Plan {
    pub(super) filing: Filing,
    /// The whole incident as JSON.
    pub(super) content: String,
    pub(super) content_sha256: String,
    pub(super) told: Vec<Told>,
    pub(super) edition: i64,
}

enum Prepared {
    Answered(Answer),
    Plan(Box<Plan>),
}

/// An agreement that asks to be told, with the place of its controller in the list of the filing.
struct Candidate<'f> {
    position: Option<usize>,
    share: Option<&'f Share>,
    agreement: InForce,
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
            if let Some(answer) = self.store.prepare_and_write(prepare, work).await? {
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
        let processor = parties::processor(connection, &actor.organisation)?;
        let processor = processor.filter(|found| found.roles.iter().any(|role| role == "processor"));
        let Some(processor) = processor else {
            return Err(ServiceError::Forbidden("Only an organisation with the role processor files incidents."));
        };
        let (filing, mut faults) = Filing::read(body, now);
        let mut plan = None;
        if let Some(filing) = filing {
            let day = legal_day(filing.common.aware_at);
            let agreements = parties::in_force(connection, &actor.organisation, &wanted(&filing.affected), &day)?;
            let told = tell(&filing, agreements, &mut faults)?;
            let content = filing.whole().to_json()?;
            let content_sha256 = sha256_hex(content.as_bytes());
            plan = Some(Box::new(Plan { filing, content, content_sha256, told, edition: processor.edition }));
        }
        Ok(Prepared::Plan(faults.capped().finish(plan)?))
    }
}

/// The date of `instant` where the agreements apply (Europe/Berlin), ISO 8601. In UTC the first hours of a year would miss it.
fn legal_day(instant: OffsetDateTime) -> String {
    let zone = tzdb::time_zone::europe::BERLIN;
    let offset = match zone.find_local_time_type(instant.unix_timestamp()) {
        Ok(kind) => Duration::seconds(i64::from(kind.ut_offset())),
        Err(_) => Duration::ZERO,
    };
    (instant + offset).date().to_string()
}

fn wanted(affected: &Affected) -> Wanted {
    match affected {
        Affected::Listed(shares) => Wanted::Controllers(shares.iter().map(|share| share.controller.clone()).collect()),
        Affected::Product(product) => Wanted::Product(product.clone()),
        Affected::All => Wanted::All,
    }
}

/// Everybody who is told, with their content; faults for those who cannot be and for content that their agreements miss.
fn tell(filing: &Filing, agreements: Vec<InForce>, faults: &mut Faults) -> Result<Vec<Told>, ServiceError> {
    let mut by_controller: BTreeMap<OrganisationId, Vec<InForce>> = BTreeMap::new();
    for agreement in agreements {
        by_controller.entry(agreement.controller.clone()).or_default().push(agreement);
    }
    let candidates = match &filing.affected {
        Affected::Listed(shares) => listed(filing, shares, &mut by_controller, faults),
        Affected::Product(_) | Affected::All => unlisted(filing, by_controller, faults),
    };
    let affected = match &filing.affected {
        Affected::Listed(shares) => shares.len(),
        _ => candidates.len(),
    };
    let shares: Vec<ShareContent> =
        candidates.iter().map(|candidate| filing.share_for(candidate.share, affected)).collect();
    let asks = candidates.iter().zip(&shares).map(|(candidate, share)| Ask {
        agreement: &candidate.agreement.id,
        terms: &candidate.agreement.terms,
        share,
        position: candidate.position,
        alone: affected == 1,
    });
    faults.extend_new(demand_faults(asks));
    if !faults.is_empty() {
        return Ok(Vec::new());
    }
    let told = candidates.into_iter().zip(shares).map(|(candidate, share)| {
        let content = share.to_json()?;
        let content_sha256 = sha256_hex(content.as_bytes());
        Ok(Told { special: share.is_special(), agreement: candidate.agreement, content, content_sha256 })
    });
    told.collect()
}

fn listed<'f>(
    filing: &Filing,
    shares: &'f [Share],
    by_controller: &mut BTreeMap<OrganisationId, Vec<InForce>>,
    faults: &mut Faults,
) -> Vec<Candidate<'f>> {
    let mut candidates = Vec::new();
    let mut seen = HashSet::new();
    for (position, share) in shares.iter().enumerate() {
        // A controller that is listed twice has been named already.
        if !seen.insert(&share.controller) {
            continue;
        }
        let pointer = format!("/affected/{position}/controller");
        let Some(agreements) = by_controller.remove(&share.controller) else {
            faults.add(
                pointer,
                "no_agreement",
                "No agreement with this controller was in force when you became aware.",
            );
            continue;
        };
        match strictest(filing, agreements) {
            Some(agreement) => candidates.push(Candidate { position: Some(position), share: Some(share), agreement }),
            None => faults.add(
                pointer,
                "not_triggered",
                format!("The agreement with this controller does not ask to be told of `{}`.", filing.common.kind),
            ),
        }
    }
    candidates
}

fn unlisted<'f>(
    filing: &Filing,
    by_controller: BTreeMap<OrganisationId, Vec<InForce>>,
    faults: &mut Faults,
) -> Vec<Candidate<'f>> {
    let agreements = by_controller.into_values().filter_map(|agreements| strictest(filing, agreements));
    let candidates: Vec<_> = agreements.map(|agreement| Candidate { position: None, share: None, agreement }).collect();
    if candidates.is_empty() {
        faults.add("/affected", "nobody_to_tell", "No agreement in force asks to be told of this.");
    }
    candidates
}

/// Of several agreements with one controller the one that leaves the least time; `None` if none asks to be told.
fn strictest(filing: &Filing, agreements: Vec<InForce>) -> Option<InForce> {
    let kind = filing.common.kind;
    let special = filing.whole().is_special();
    let limit = |agreement: &InForce| Span::length(agreement.terms.limit(kind, special));
    let triggered = agreements.into_iter().filter(|agreement| agreement.terms.is_triggered_by(kind));
    triggered.min_by_key(|agreement| (limit(agreement).is_none(), limit(agreement)))
}
