//! One party's part of an incident: who acts on it, for whom, and where that stands in the ledger.

use serde_json::Value;
use time::OffsetDateTime;

use super::ServiceError;
use super::acknowledge::unknown_controller;
use super::error::refused;
use crate::domain::actor::Actor;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::ledger::{NewEntry, Stream};
use crate::store::standing::{self, Standing};
use crate::store::{AnyConnection, incidents};

/// The part of `party` in an incident.
pub(super) struct Part {
    pub(super) incident: IncidentId,
    pub(super) standing: Standing,
    pub(super) party: OrganisationId,
}

impl Part {
    /// The part of `party`, as the actor stands to the incident; not found for strangers.
    pub(super) fn of(
        connection: &mut AnyConnection,
        actor: &Actor,
        incident: &IncidentId,
        party: OrganisationId,
    ) -> Result<Self, ServiceError> {
        Ok(Self { incident: incident.clone(), standing: standing_of(connection, actor, incident)?, party })
    }

    /// Whether the processor acts for a controller here.
    pub(super) fn is_on_behalf(&self) -> bool {
        self.standing.is_processor && self.party != self.standing.processor
    }

    /// An entry that both who are concerned read, and no other controller: in the stream of the notice that ties the two. Until a
    /// notice has left the house the processor reads it alone.
    pub(super) fn entry(
        &self,
        connection: &mut AnyConnection,
        (actor, at): (&Actor, OffsetDateTime),
        (kind, object): (&'static str, &str),
        facts: Value,
    ) -> Result<NewEntry, ServiceError> {
        let tie = standing::tie(connection, &self.incident, &self.party)?;
        let is_out = tie.as_ref().is_some_and(|tie| tie.is_out);
        Ok(NewEntry {
            stream: tie.map_or_else(|| Stream::Incident(self.incident.clone()), |tie| Stream::Notice(tie.notice)),
            tenant: self.standing.processor.clone(),
            counterpart: is_out.then(|| self.party.clone()),
            kind,
            object: object.to_owned(),
            facts,
            actor: actor.clone(),
            at,
        })
    }
}

/// How the actor stands to the incident; not found for strangers.
pub(super) fn standing_of(
    connection: &mut AnyConnection,
    actor: &Actor,
    incident: &IncidentId,
) -> Result<Standing, ServiceError> {
    standing::of(connection, &actor.organisation, incident)?.ok_or(ServiceError::NotFound)
}

/// The controller whose part the processor means: the one it names, else the only one there is.
pub(super) fn controller_meant(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    named: Option<&OrganisationId>,
) -> Result<OrganisationId, ServiceError> {
    if let Some(named) = named {
        let tie = standing::tie(connection, incident, named)?;
        return tie.map(|_| named.clone()).ok_or_else(unknown_controller);
    }
    match incidents::some_controllers(connection, incident)?.as_slice() {
        [only] => only.parse().map_err(|_| ServiceError::Internal("an affected controller has no id".into())),
        _ => Err(refused(
            "/controller",
            "required",
            "The incident affects several controllers; name the one that is meant.",
        )),
    }
}
