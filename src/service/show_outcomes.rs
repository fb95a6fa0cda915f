//! What became of an incident on the controllers' side: decisions, filings, milestones, and single duties with their earlier clocks.

use serde::Serialize;

use super::part::standing_of;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::authority_filing::AuthorityFiling;
use crate::domain::decision::Decision;
use crate::domain::duty_record::{Duty, EarlierClock};
use crate::domain::id::{DutyId, FilingId, IncidentId, OrganisationId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::reported::ReportedMilestone;
use crate::store::{authority_filings, decisions, duties, milestones};

/// A duty together with the clocks that it had before.
#[derive(Debug, Clone, Serialize)]
pub struct DutyWithClocks {
    /// The duty.
    #[serde(flatten)]
    pub duty: Duty,
    /// The clocks before the present one, oldest first.
    pub earlier_clocks: Vec<EarlierClock>,
}

impl Service {
    /// One page of the decisions about an incident, newest first: all for its processor, its own for a controller.
    pub async fn list_decisions(
        &self,
        actor: Actor,
        incident: IncidentId,
        controller: Option<OrganisationId>,
        page: PageRequest,
    ) -> Result<Page<Decision>, ServiceError> {
        self.store
            .read(move |connection| {
                standing_of(connection, &actor, &incident)?;
                Ok(decisions::list(connection, &actor.organisation, &incident, controller.as_ref(), &page)?)
            })
            .await
    }

    /// One page of the filings about an incident, oldest first: all for its processor, its own for a controller.
    pub async fn list_filings(
        &self,
        actor: Actor,
        incident: IncidentId,
        controller: Option<OrganisationId>,
        page: PageRequest,
    ) -> Result<Page<AuthorityFiling>, ServiceError> {
        self.store
            .read(move |connection| {
                standing_of(connection, &actor, &incident)?;
                Ok(authority_filings::list(connection, &actor.organisation, &incident, controller.as_ref(), &page)?)
            })
            .await
    }

    /// One filing, for its party and the processor of the incident.
    pub async fn show_filing(&self, actor: Actor, id: FilingId) -> Result<AuthorityFiling, ServiceError> {
        let found = self
            .store
            .read(move |connection| {
                Ok::<_, ServiceError>(authority_filings::find(connection, &actor.organisation, &id)?)
            })
            .await?;
        found.map(|kept| kept.filing).ok_or(ServiceError::NotFound)
    }

    /// One page of the milestones reported for an incident: all for its processor, its own for a controller.
    pub async fn list_milestones(
        &self,
        actor: Actor,
        incident: IncidentId,
        page: PageRequest,
    ) -> Result<Page<ReportedMilestone>, ServiceError> {
        self.store
            .read(move |connection| {
                let standing = standing_of(connection, &actor, &incident)?;
                let party = (!standing.is_processor).then_some(&actor.organisation);
                Ok(milestones::list(connection, &incident, party, &page)?)
            })
            .await
    }

    /// One duty with its earlier clocks, for the processor of the incident and the party that it concerns.
    pub async fn show_duty(&self, actor: Actor, id: DutyId) -> Result<DutyWithClocks, ServiceError> {
        self.store
            .read(move |connection| {
                let duty = duties::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
                Ok(DutyWithClocks { duty, earlier_clocks: duties::clocks(connection, &id)? })
            })
            .await
    }
}
