//! Taking due deliveries out of the outbox: leased, rendered and signed, ready to be sent. Sends nothing itself.

use std::collections::HashMap;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use url::Url;

use super::dispatch::{Dispatch, Outgoing};
use super::letters::LetterFacts;
use super::tell_duties::step_of;
use super::{Service, ServiceError, escalation_event};
use crate::domain::course::region;
use crate::domain::delivery::Lane;
use crate::domain::duty::Step;
use crate::domain::duty_record::Duty;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::milestone::Milestone;
use crate::domain::vocabulary::InformedBy;
use crate::store::deliveries::{self, Claimed, NewAttemptRow};
use crate::store::duties::{self, Part};
use crate::store::endpoints::{self, Target};
use crate::store::notices::{self, NoticeFacts};
use crate::store::parties;
use crate::store::{AnyConnection, StoreError, micros};

impl Outgoing {
    /// Number of the attempt, without those that are not charged.
    pub(super) fn charged(&self) -> i32 {
        self.number - self.uncharged
    }
}

/// Everything the bodies of a batch need, read with one statement each.
pub(super) struct Facts {
    targets: HashMap<String, Target>,
    pub(super) notices: HashMap<String, NoticeFacts>,
    /// Each controller's own clock towards its authority, by incident and controller.
    pub(super) authority: Clocks,
    duties: HashMap<String, Duty>,
    names: HashMap<String, String>,
    /// What the processor's own endpoints are told of notices, by delivery.
    escalated: HashMap<String, Value>,
    pub(super) letters: LetterFacts,
}

/// A claimed delivery with its body, before it is signed.
pub(super) struct Rendered {
    pub(super) claimed: Claimed,
    pub(super) target: Target,
    pub(super) event: EventType,
    pub(super) dispatch: Dispatch,
    pub(super) body: Vec<u8>,
    pub(super) request_sha256: Option<String>,
}

impl Rendered {
    pub(super) fn new(
        claimed: Claimed,
        target: Target,
        event: EventType,
        (dispatch, body): (Dispatch, Vec<u8>),
    ) -> Self {
        let request_sha256 = dispatch.digest(&body);
        Self { claimed, target, event, dispatch, body, request_sha256 }
    }
}

/// What was taken out of the outbox.
#[derive(Debug)]
pub struct Claims<P> {
    /// Ready to be sent, each with its pass.
    pub ready: Vec<(Outgoing, P)>,
    /// How many were put back because their endpoint or host is busy with others.
    pub busy: usize,
}

/// What a claim needs besides the clock.
struct Claim {
    lane: Lane,
    limit: i64,
    /// Whose turn is first, so that the same tenant is not served first every time.
    turn: usize,
    now: OffsetDateTime,
}

/// The most tenants that one claim serves.
const TENANTS: usize = 32;
/// How long a delivery waits whose endpoint or host is busy with others.
const BUSY: Duration = Duration::SECOND;

impl Service {
    /// Leases up to `limit` due deliveries of `lane`, the same share for every tenant, and opens their attempts; answers them
    /// ready to send, each with the pass that `admit` gave for its endpoint and host.
    ///
    /// The limit is asked for when it is this claim's turn to write: by then more may be free than when it was called. What `admit`
    /// gives no pass is put back without charge. `turn` says which tenant is served first.
    pub async fn claim_deliveries<P: Send + 'static>(
        &self,
        lane: Lane,
        limit: impl FnOnce() -> i64 + Send + 'static,
        turn: usize,
        admit: impl FnMut(&EndpointId, &str) -> Option<P> + Send + 'static,
    ) -> Result<Claims<P>, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let claim = move |connection: &mut AnyConnection| {
            service.claim(connection, &Claim { lane, limit: limit(), turn, now }, admit)
        };
        let (rendered, busy) = self.store.write(claim).await?;
        let signed = rendered.into_iter().filter_map(|(rendered, pass)| {
            let id = rendered.claimed.id.clone();
            Some((sound(&id, self.signed(rendered, now))?, pass))
        });
        let ready: Vec<_> = signed.collect();
        self.network.trying(ready.iter().map(|(outgoing, _)| outgoing), now);
        Ok(Claims { ready, busy })
    }

    fn claim<P>(
        &self,
        connection: &mut AnyConnection,
        claim: &Claim,
        admit: impl FnMut(&EndpointId, &str) -> Option<P>,
    ) -> Result<(Vec<(Rendered, P)>, usize), ServiceError> {
        let claimed = self.claim_in_turn(connection, claim)?;
        if claimed.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let targets = targets(connection, &claimed)?;
        let (passed, busy) = admitted(claimed, &targets, admit);
        let again = |claimed: &Claimed| deliveries::PutBack {
            id: claimed.id.clone(),
            lease: claimed.lease,
            attempts: claimed.attempts - 1,
            next_at: micros(claim.now + BUSY * (0.5 + self.entropy.unit())),
        };
        deliveries::put_back(connection, &busy.iter().map(again).collect::<Vec<_>>())?;
        let facts = read_facts(connection, targets, &passed.iter().map(|(claimed, _)| claimed))?;
        let mut rendered = Vec::with_capacity(passed.len());
        for (claimed, pass) in passed {
            let id = claimed.id.clone();
            rendered.extend(sound(&id, self.render(claimed, &facts, claim.now)).map(|rendered| (rendered, pass)));
        }
        open_attempts(connection, &rendered, claim.now)?;
        Ok((rendered, busy.len()))
    }

    /// The same share for every tenant that has something due; what one leaves goes to those after it.
    fn claim_in_turn(&self, connection: &mut AnyConnection, claim: &Claim) -> Result<Vec<Claimed>, ServiceError> {
        let mut tenants = deliveries::tenants_due(connection, claim.lane, claim.now)?;
        if tenants.is_empty() {
            return Ok(Vec::new());
        }
        let first = claim.turn % tenants.len();
        tenants.rotate_left(first);
        tenants.truncate(TENANTS);
        let lease_end = claim.now + self.clock.passes_in(self.leases.of(claim.lane));
        let mut claimed = Vec::new();
        for (served, tenant) in tenants.iter().enumerate() {
            let left = claim.limit.saturating_sub_unsigned(claimed.len() as u64);
            let share = left.div_euclid((tenants.len() - served).try_into().unwrap_or(1)).max(1);
            if left > 0 {
                claimed.extend(deliveries::claim(connection, claim.lane, tenant, share, claim.now, lease_end)?);
            }
        }
        Ok(claimed)
    }

    fn render(&self, claimed: Claimed, facts: &Facts, now: OffsetDateTime) -> Result<Rendered, ServiceError> {
        let corrupt = |column| StoreError::Corrupt { table: "delivery", column, id: claimed.id.clone() };
        let event = deliveries::event_type(&claimed)?;
        let target = facts.targets.get(&claimed.endpoint_id).cloned().ok_or_else(|| corrupt("endpoint_id"))?;
        if let EndpointId::Mailbox(id) = target.id.clone() {
            return self.letter(claimed, (target, &id), event, facts, now);
        }
        let data = match event {
            EventType::NoticeInitial
            | EventType::NoticeSupplement
            | EventType::NoticeCorrection
            | EventType::NoticeCompletion
            | EventType::NoticeWithdrawal
            | EventType::NoticeReminder => {
                let id = claimed.notice_id.as_deref().unwrap_or_default();
                let notice = facts.notices.get(id).ok_or_else(|| corrupt("notice_id"))?;
                self.notice_data(notice, &target, facts, now)
            }
            EventType::NoticeEscalated | EventType::NoticeDisputed => {
                let mut data = facts.escalated.get(&claimed.id).cloned().ok_or_else(|| corrupt("step"))?;
                data["recipient"] = recipient(&target);
                data
            }
            EventType::DutyDueSoon | EventType::DutyOverdue | EventType::DutyMet => {
                let id = claimed.duty_id.as_deref().unwrap_or_default();
                let duty = facts.duties.get(id).ok_or_else(|| corrupt("duty_id"))?;
                let step = claimed.step.and_then(step_of).map(Step::as_str);
                json!({"duty": duty, "step": step, "recipient": recipient(&target)})
            }
            EventType::EndpointTest => json!({"recipient": recipient(&target)}),
            EventType::EndpointVerify => {
                json!({"recipient": recipient(&target), "challenge": self.challenge(&claimed.id)})
            }
        };
        let timestamp = now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let body = json!({"type": event.as_str(), "timestamp": timestamp, "data": data}).to_string().into_bytes();
        let url = Url::parse(&target.address).map_err(|_| corrupt("endpoint_id"))?;
        let dispatch = Dispatch::Post { url, headers: Vec::new() };
        Ok(Rendered::new(claimed, target, event, (dispatch, body)))
    }

    /// The thin body: who, which, the digest of the content, and where to fetch it. No content of the incident.
    fn notice_data(&self, notice: &NoticeFacts, target: &Target, facts: &Facts, now: OffsetDateTime) -> Value {
        let duty = facts.authority.get(&(notice.incident.clone(), notice.controller.clone()));
        // Until the notice has arrived the clock has not started; this very request starts it when it gets through, unless that is
        // left to the acknowledgement.
        let due = duty.and_then(|duty| {
            let region = region(&self.law.calendar, &duty.terms.region)?;
            let begins = notice.informed_by == InformedBy::Earlier;
            duty.state.due().copied().or_else(|| begins.then(|| duty.terms.due(now, region, None)))
        });
        let time = |at: Option<OffsetDateTime>| {
            at.and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        };
        let url = format!("{}/v1/notices/{}", self.public_url.as_str().trim_end_matches('/'), notice.id);
        let name = facts.names.get(notice.processor.as_str()).cloned().unwrap_or_default();
        json!({
            "notice": notice.id,
            "incident": notice.incident,
            "sequence": notice.sequence,
            "supersedes": notice.supersedes,
            "processor": {"id": notice.processor, "name": name},
            "recipient": recipient(target),
            "severity": null,
            "informed_at_rule": notice.informed_by,
            "controller_alarm_at": time(due.map(|due| due.alarm_at)),
            "controller_legal_due_at": time(due.and_then(|due| due.legal_due_at)),
            "content_sha256": notice.content_sha256,
            "notice_url": url,
            "acknowledge_url": format!("{url}/acknowledgement"),
            "ledger_head": null,
        })
    }

    /// What an endpoint has to echo to the verification that is `delivery`.
    pub(super) fn challenge(&self, delivery: &str) -> String {
        self.master_key.tag("challenge", delivery)
    }
}

/// A delivery that cannot be made ready must not hold up the others: it is logged, and looked at again when its lease ends.
fn sound<T>(delivery: &str, made: Result<T, ServiceError>) -> Option<T> {
    made.inspect_err(|error| tracing::error!(%error, delivery.id = delivery, "a delivery cannot be made ready")).ok()
}

fn recipient(target: &Target) -> Value {
    json!({"organisation": target.organisation_id, "webhook": target.id})
}

/// Where claimed deliveries go, by the id of the endpoint.
fn targets(connection: &mut AnyConnection, claimed: &[Claimed]) -> Result<HashMap<String, Target>, ServiceError> {
    let mut ids: Vec<String> = claimed.iter().map(|claimed| claimed.endpoint_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(endpoints::targets(connection, &ids)?.into_iter().map(|target| (target.id.to_string(), target)).collect())
}

/// The deliveries that may go now, and those whose endpoint or host is busy with others.
fn admitted<P>(
    claimed: Vec<Claimed>,
    targets: &HashMap<String, Target>,
    mut admit: impl FnMut(&EndpointId, &str) -> Option<P>,
) -> (Vec<(Claimed, P)>, Vec<Claimed>) {
    let (mut passed, mut busy) = (Vec::with_capacity(claimed.len()), Vec::new());
    for claimed in claimed {
        let pass = targets.get(&claimed.endpoint_id).and_then(|target| admit(&target.id, &host(target)));
        match pass {
            Some(pass) => passed.push((claimed, pass)),
            None => busy.push(claimed),
        }
    }
    (passed, busy)
}

/// What the limit of a host counts: host and port of a webhook, the domain of a mailbox.
fn host(target: &Target) -> String {
    let of_url = |url: Url| url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
    match target.id {
        EndpointId::Webhook(_) => Url::parse(&target.address).map(of_url).unwrap_or_default(),
        EndpointId::Mailbox(_) => target.address.rsplit('@').next().unwrap_or_default().to_ascii_lowercase(),
    }
}

fn open_attempts<P>(
    connection: &mut AnyConnection,
    rendered: &[(Rendered, P)],
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    let urls: Vec<_> = rendered.iter().map(|(one, _)| one.dispatch.url()).collect();
    let attempts = rendered.iter().zip(&urls).map(|((rendered, _), url)| NewAttemptRow {
        delivery_id: &rendered.claimed.id,
        number: rendered.claimed.attempts,
        started_at: micros(now),
        url,
        request_sha256: rendered.request_sha256.as_deref(),
    });
    Ok(deliveries::open_attempts(connection, &attempts.collect::<Vec<_>>())?)
}

/// Each controller's own clock towards its authority, by incident and controller.
type Clocks = HashMap<(IncidentId, OrganisationId), Duty>;

/// The clocks towards authorities that begin when the controllers of `parts` are informed.
pub(super) fn own_clocks(connection: &mut AnyConnection, parts: &[Part<'_>]) -> Result<Clocks, ServiceError> {
    let once_informed = |duty: &Duty| duty.obligation.start == Milestone::ControllerInformed;
    let clocks = duties::to_authorities(connection, parts)?.into_iter().filter(once_informed);
    Ok(clocks.map(|duty| ((duty.incident.clone(), duty.party.clone()), duty)).collect())
}

fn read_facts<'c>(
    connection: &mut AnyConnection,
    targets: HashMap<String, Target>,
    claimed: &(impl Iterator<Item = &'c Claimed> + Clone),
) -> Result<Facts, ServiceError> {
    let notice_ids: Vec<&str> = claimed.clone().filter_map(|claimed| claimed.notice_id.as_deref()).collect();
    let duty_ids: Vec<&str> = claimed.clone().filter_map(|claimed| claimed.duty_id.as_deref()).collect();
    let notices = notices::facts_unlocked(connection, &notice_ids)?;
    let mut processors: Vec<String> = notices.iter().map(|notice| notice.processor.to_string()).collect();
    processors.sort_unstable();
    processors.dedup();
    let letters = LetterFacts::read(connection, &targets, &notices)?;
    let parts: Vec<_> = notices.iter().map(NoticeFacts::part).collect();
    let authority = own_clocks(connection, &parts)?;
    Ok(Facts {
        targets,
        names: parties::names(connection, &processors)?,
        escalated: escalation_event::of_claimed(connection, claimed)?,
        notices: notices.into_iter().map(|notice| (notice.id.to_string(), notice)).collect(),
        authority,
        letters,
        duties: duties::by_ids(connection, &duty_ids)?.into_iter().map(|duty| (duty.id.to_string(), duty)).collect(),
    })
}
