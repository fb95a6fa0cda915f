//! Whom an incident concerns: which agreements and laws ask that a controller is told, with which content, and which do not.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use time::{Date, Duration, OffsetDateTime};

use super::ServiceError;
use super::file_incident::Told;
use crate::crypto::sha256_hex;
use crate::domain::catalogue::{Fact, FrozenRow};
use crate::domain::content::{Ask, ShareContent, demand_faults};
use crate::domain::fault::{Fault, Faults};
use crate::domain::filing::{Affected, Filing, Share};
use crate::domain::id::OrganisationId;
use crate::domain::organisation::Seat;
use crate::domain::owed::{self, Event, Party};
use crate::domain::span::Span;
use crate::domain::vocabulary::IncidentKind;
use crate::store::parties::{InForce, Wanted};

/// A controller that must be told.
pub(super) struct Chosen<'f> {
    /// Its place in the list of the filing, where there is one.
    pub(super) position: Option<usize>,
    /// What it declared of its own.
    pub(super) listed: Option<&'f Share>,
    pub(super) agreement: InForce,
    pub(super) event: Event,
    pub(super) rows: Vec<Arc<FrozenRow>>,
    pub(super) share: ShareContent,
}

/// A controller that need not be told, and why.
pub(super) struct Spared {
    pub(super) position: Option<usize>,
    pub(super) controller: OrganisationId,
    /// The agreement that does not ask for it; none where there is none in force.
    pub(super) agreement: Option<InForce>,
}

/// Everybody whom a filing names, sorted by whether they must be told.
pub(super) struct Concerned<'f> {
    pub(super) chosen: Vec<Chosen<'f>>,
    pub(super) spared: Vec<Spared>,
    /// How many share the incident, for deciding whose numbers are the whole.
    affected: usize,
}

/// A controller with the agreements that it has, before anything is decided.
struct Candidate<'f> {
    position: Option<usize>,
    listed: Option<&'f Share>,
    controller: OrganisationId,
    agreements: Vec<InForce>,
}

/// Sorts everybody whom `filing` names by what their `agreements` and the `rows` in force say.
pub(super) fn concerned<'f>(
    filing: &'f Filing,
    agreements: Vec<InForce>,
    processor: &Seat,
    rows: &[Arc<FrozenRow>],
) -> Concerned<'f> {
    let whole = event(filing, &filing.whole());
    let mut spared = Vec::new();
    let mut asking = Vec::new();
    for candidate in candidates(filing, agreements) {
        let Candidate { position, listed, controller, agreements } = candidate;
        let asks = |agreement: &InForce| {
            let party = Party { seat: &agreement.seat, terms: &agreement.terms };
            owed::owed_by_party(rows, &whole, processor, party).iter().any(|row| owed::is_telling(row))
        };
        let (asked, quiet): (Vec<_>, Vec<_>) = agreements.into_iter().partition(asks);
        match strictest(&whole, asked) {
            Some(agreement) => asking.push((position, listed, agreement)),
            None => spared.push(Spared { position, controller, agreement: quiet.into_iter().next() }),
        }
    }
    let affected = match &filing.affected {
        Affected::Listed(shares) => shares.len(),
        _ => asking.len(),
    };
    let mut chosen = Vec::with_capacity(asking.len());
    for (position, listed, agreement) in asking {
        let share = filing.share_for(listed, affected);
        let event = event(filing, &share);
        let party = Party { seat: &agreement.seat, terms: &agreement.terms };
        let rows: Vec<_> = owed::owed_by_party(rows, &event, processor, party).into_iter().cloned().collect();
        if rows.iter().any(|row| owed::is_telling(row)) {
            chosen.push(Chosen { position, listed, agreement, event, rows, share });
        } else {
            let controller = agreement.controller.clone();
            spared.push(Spared { position, controller, agreement: Some(agreement) });
        }
    }
    Concerned { chosen, spared, affected }
}

impl Concerned<'_> {
    /// What keeps the filing from being stored: nobody to tell without a reason, and content that agreements miss.
    pub(super) fn faults(&self, filing: &Filing) -> Faults {
        let mut faults = Faults::default();
        let kept = filing.no_duty_reason.is_some();
        for spared in &self.spared {
            let Some(position) = spared.position else { continue };
            let pointer = format!("/affected/{position}/controller");
            match &spared.agreement {
                None => faults.add(
                    pointer,
                    "no_agreement",
                    "No agreement with this controller was in force when you became aware.",
                ),
                Some(_) if kept && self.chosen.is_empty() => {}
                Some(_) => faults.add(pointer, "not_triggered", not_triggered(filing.common.kind)),
            }
        }
        if self.chosen.is_empty() && !kept && matches!(filing.affected, Affected::Product(_) | Affected::All) {
            let detail = "No agreement in force asks to be told of this. To keep the incident all the same, say why \
                          nobody is told in `no_duty_reason`.";
            faults.add("/affected", "nobody_to_tell", detail);
        }
        if kept && !self.chosen.is_empty() {
            let detail = format!("{} controllers must be told of this; there is no reason not to.", self.chosen.len());
            faults.add("/no_duty_reason", "contradiction", detail);
        }
        faults.extend_new(self.missing());
        faults
    }

    /// The content that agreements demand and the filing does not give.
    pub(super) fn missing(&self) -> Faults {
        demand_faults(self.chosen.iter().map(|chosen| self.ask(chosen)))
    }

    /// The same, for each controller by itself.
    pub(super) fn missing_by_controller(&self) -> impl Iterator<Item = Vec<Fault>> {
        self.chosen.iter().map(|chosen| demand_faults([self.ask(chosen)]).as_slice().to_vec())
    }

    /// What one controller's agreement asks of the filing.
    fn ask<'a>(&self, chosen: &'a Chosen<'_>) -> Ask<'a> {
        Ask {
            agreement: &chosen.agreement.id,
            terms: &chosen.agreement.terms,
            share: &chosen.share,
            position: chosen.position,
            alone: self.affected == 1,
        }
    }

    /// Everybody who is told, with the exact bytes.
    pub(super) fn told(self) -> Result<Vec<Told>, ServiceError> {
        self.chosen.into_iter().map(Chosen::told).collect()
    }
}

impl Chosen<'_> {
    fn told(self) -> Result<Told, ServiceError> {
        let content = self.share.to_json()?;
        let demanded = self.agreement.terms.required_content(self.event.kind, self.event.is_special());
        Ok(Told {
            complete: self.share.open_items().iter().all(|item| !demanded.contains(&item.member)),
            own_items: self.listed.map(|share| share.figures.open_items()).unwrap_or_default(),
            content_sha256: sha256_hex(content.as_bytes()),
            agreement: self.agreement,
            event: self.event,
            rows: self.rows,
            content,
        })
    }
}

/// Why an agreement leaves somebody untold.
pub(super) fn not_triggered(kind: IncidentKind) -> String {
    format!("Neither the agreement with this controller nor the law asks that it be told of `{kind}`.")
}

/// Which agreements a filing has to look at.
pub(super) fn wanted(affected: &Affected) -> Wanted {
    match affected {
        Affected::Listed(shares) => Wanted::Controllers(shares.iter().map(|share| share.controller.clone()).collect()),
        Affected::Product(product) => Wanted::Product(product.clone()),
        Affected::All => Wanted::All,
    }
}

fn candidates(filing: &Filing, agreements: Vec<InForce>) -> Vec<Candidate<'_>> {
    let mut by_controller: BTreeMap<OrganisationId, Vec<InForce>> = BTreeMap::new();
    for agreement in agreements {
        by_controller.entry(agreement.controller.clone()).or_default().push(agreement);
    }
    let Affected::Listed(shares) = &filing.affected else {
        let unlisted = |(controller, agreements)| Candidate { position: None, listed: None, controller, agreements };
        return by_controller.into_iter().map(unlisted).collect();
    };
    let mut seen = HashSet::new();
    // A controller that is listed twice has been named already.
    let fresh = shares.iter().enumerate().filter(|(_, share)| seen.insert(&share.controller));
    let listed = fresh.map(|(position, share)| Candidate {
        position: Some(position),
        listed: Some(share),
        controller: share.controller.clone(),
        agreements: by_controller.remove(&share.controller).unwrap_or_default(),
    });
    listed.collect()
}

/// Of several agreements with one controller the one that leaves the least time.
fn strictest(event: &Event, agreements: Vec<InForce>) -> Option<InForce> {
    let limit = |agreement: &InForce| Span::length(agreement.terms.limit(event.kind, event.is_special()));
    agreements.into_iter().min_by_key(|agreement| (limit(agreement).is_none(), limit(agreement)))
}

/// What is known of the event as it touches whoever has this share.
pub(super) fn event(filing: &Filing, share: &ShareContent) -> Event {
    let common = &share.common;
    let special = share.has_special_categories();
    let known = [
        (Fact::SpecialCategories, special),
        (Fact::ProfessionalSecrecy, common.professional_secrecy),
        (Fact::SpecialOrSecret, special || common.professional_secrecy),
        (Fact::Suspicion, common.kind == IncidentKind::SuspectedBreach),
        (Fact::SubprocessorOrigin, filing.origin.is_some() || common.kind == IncidentKind::SubprocessorBreach),
        (Fact::OpenItems, !share.open_items().is_empty()),
    ];
    Event { kind: common.kind, facts: known.into_iter().filter(|(_, holds)| *holds).map(|(fact, _)| fact).collect() }
}

/// The date of `instant` where the agreements apply (Europe/Berlin). In UTC the first hours of a year would miss it.
pub(super) fn legal_day(instant: OffsetDateTime) -> Date {
    let zone = tzdb::time_zone::europe::BERLIN;
    let offset = match zone.find_local_time_type(instant.unix_timestamp()) {
        Ok(kind) => Duration::seconds(i64::from(kind.ut_offset())),
        Err(_) => Duration::ZERO,
    };
    // A time in the year 9999 is refused as lying in the future, but looked at before.
    instant.checked_add(offset).unwrap_or(instant).date()
}
