//! The duties that an incident brings about, made from the rows that are owed.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::Service;
use super::file_incident::{Plan, Told};
use crate::domain::catalogue::{Debtor, FrozenRow, Obligation, Party, Recipient};
use crate::domain::content::OpenItem;
use crate::domain::course::region;
use crate::domain::duty::{DutyState, FrozenTerms, Step};
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::milestone::Milestone;
use crate::domain::organisation::Seat;
use crate::domain::owed;
use crate::domain::span::Span;

/// Under which incident duties are born, and what they share.
#[derive(Clone, Copy)]
pub(super) struct Birth<'a> {
    pub(super) incident: &'a IncidentId,
    pub(super) processor: &'a OrganisationId,
    pub(super) plan: &'a Plan,
    pub(super) now: OffsetDateTime,
}

/// What every duty of an incident needs, whatever brings it about.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) incident: &'a IncidentId,
    pub(super) processor: &'a OrganisationId,
    /// Where the processor sits.
    pub(super) seat: &'a Seat,
    pub(super) drill: bool,
    pub(super) now: OffsetDateTime,
}

impl<'a> Birth<'a> {
    fn ground(&self) -> Ground<'a> {
        Ground {
            incident: self.incident,
            processor: self.processor,
            seat: &self.plan.seat,
            drill: self.plan.filing.drill,
            now: self.now,
        }
    }
}

impl Service {
    /// What is owed between the processor and one controller, and by that controller.
    pub(super) fn duties_of_party(&self, birth: Birth<'_>, told: &Told) -> Vec<Duty> {
        told.rows.iter().map(|row| self.duty_of_party(birth, told, row)).collect()
    }

    fn duty_of_party(&self, birth: Birth<'_>, told: &Told, row: &Arc<FrozenRow>) -> Duty {
        let agreement = &told.agreement;
        let (kind, special) = (told.event.kind, told.event.is_special());
        let target = owed::is_telling(row).then(|| agreement.terms.internal_target(special).length());
        let terms = FrozenTerms {
            span: owed::span(row, kind, special, &agreement.terms),
            rule: row.rule,
            region: place(row, &birth.plan.seat, &agreement.seat),
            internal_target: target,
        };
        let from_agreement = row.trigger.agreement.is_some();
        let filing = &birth.plan.filing;
        let start_at = if from_agreement { filing.start(agreement.terms.counted_from) } else { filing.aware_at() };
        // Each term stands in a clause of its own: what rests on one of them is not quoted from the clause of the notice.
        let promise = row.trigger.agreement.and_then(|term| agreement.terms.promise(term, kind, special));
        let clause = promise.map(|promise| {
            let clause = promise.clause.map(|clause| format!(", {clause}")).unwrap_or_default();
            format!("{}{clause}", agreement.reference)
        });
        Duty {
            agreement: Some((agreement.id.clone(), agreement.version)),
            recipient: recipient(row, birth.processor, Some(&agreement.controller)),
            legal_basis: [Some(row.basis.clone()), clause].into_iter().flatten().collect::<Vec<_>>().join("; "),
            debtor: if row.debtor == Debtor::Processor { birth.processor } else { &agreement.controller }.clone(),
            ..self.duty(birth.ground(), row, &agreement.controller, terms, start_at)
        }
    }

    /// What the processor owes once for the whole incident.
    pub(super) fn duties_of_processor(&self, birth: Birth<'_>) -> Vec<Duty> {
        let own = birth.plan.own.iter().map(|row| {
            let terms = FrozenTerms {
                span: fixed(row),
                rule: row.rule,
                region: place(row, &birth.plan.seat, &birth.plan.seat),
                internal_target: None,
            };
            self.duty(birth.ground(), row, birth.processor, terms, birth.plan.filing.aware_at())
        });
        own.collect()
    }

    /// One duty for each open item of the filing.
    pub(super) fn open_item_duties(&self, birth: Birth<'_>, party: &OrganisationId, items: &[OpenItem]) -> Vec<Duty> {
        self.item_duties(birth.ground(), &birth.plan.rows, party, items)
    }

    /// One duty for each item, owed by the processor until the time that was stated for it.
    pub(super) fn item_duties(
        &self,
        ground: Ground<'_>,
        rows: &[Arc<FrozenRow>],
        party: &OrganisationId,
        items: &[OpenItem],
    ) -> Vec<Duty> {
        let rows = rows.iter().filter(|row| owed::is_per_item(row));
        let duties = rows.flat_map(|row| {
            items.iter().map(|item| {
                let terms = FrozenTerms {
                    span: Span::WithoutUndueDelay,
                    rule: row.rule,
                    region: place(row, ground.seat, ground.seat),
                    internal_target: item.unknown.expected_by.map(|expected| expected - ground.now),
                };
                let controller = (party != ground.processor).then_some(party);
                Duty {
                    recipient: recipient(row, ground.processor, controller),
                    about: Some(item.member.to_string()),
                    owner: item.unknown.owner.clone(),
                    ..self.duty(ground, row, party, terms, ground.now)
                }
            })
        });
        duties.collect()
    }

    /// A duty of the processor without agreement; its clock runs from `start_at` if it starts with the processor's knowledge.
    fn duty(
        &self,
        ground: Ground<'_>,
        row: &Arc<FrozenRow>,
        party: &OrganisationId,
        terms: FrozenTerms,
        start_at: OffsetDateTime,
    ) -> Duty {
        let by_processor = row.debtor == Debtor::Processor || party == ground.processor;
        let runs = match row.start {
            Milestone::ProcessorAware => true,
            Milestone::DebtorAware => by_processor,
            _ => false,
        };
        let due =
            region(&self.law.calendar, &terms.region).filter(|_| runs).map(|region| terms.due(start_at, region, None));
        let state = match (due, ground.drill) {
            (due, true) => DutyState::Drill(due),
            (Some(due), false) => DutyState::Running(due),
            (None, false) => DutyState::NotStarted,
        };
        let next = due.filter(|_| state.is_open()).and_then(|due| due.next(Some(Step::Half)));
        Duty {
            id: self.id(ground.now),
            incident: ground.incident.clone(),
            processor: ground.processor.clone(),
            party: party.clone(),
            agreement: None,
            obligation: Arc::clone(row),
            debtor: ground.processor.clone(),
            recipient: recipient(row, ground.processor, None),
            legal_basis: row.basis.clone(),
            terms,
            about: None,
            owner: None,
            state,
            clock_version: 1,
            next,
        }
    }

    /// The duty to have a version released by a second person before `window` has passed.
    pub(super) fn release_duty(&self, birth: Birth<'_>, version: i32, window: Duration) -> Option<Duty> {
        let row = birth.plan.release.as_ref()?;
        let terms = FrozenTerms {
            span: Span::WithoutUndueDelay,
            rule: row.rule,
            region: place(row, &birth.plan.seat, &birth.plan.seat),
            internal_target: Some(window),
        };
        let about = Some(version.to_string());
        Some(Duty { about, ..self.duty(birth.ground(), row, birth.processor, terms, birth.now) })
    }
}

/// A span that the row itself sets.
fn fixed(row: &Obligation) -> Span {
    match &row.span {
        crate::domain::catalogue::RowSpan::Fixed(span) => span.clone(),
        _ => Span::WithoutUndueDelay,
    }
}

/// Whose holidays count, as an ISO 3166 code.
fn place(row: &Obligation, processor: &Seat, controller: &Seat) -> String {
    let seat = match (row.holidays_of, row.debtor) {
        (Party::Processor, _) | (Party::Debtor, Debtor::Processor) => processor,
        _ => controller,
    };
    seat.region.clone().unwrap_or_else(|| seat.country.clone())
}

fn recipient(row: &Obligation, processor: &OrganisationId, controller: Option<&OrganisationId>) -> String {
    match (row.recipient, controller) {
        (Recipient::Processor, _) => processor.to_string(),
        (Recipient::Controller, Some(controller)) => controller.to_string(),
        (other, _) => other.to_string(),
    }
}
