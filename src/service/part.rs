//! One party's part of an incident: who acts on it, for whom, and where that stands in the ledger.

use serde_json::Value;
use time::OffsetDateTime;

use super::ServiceError;
use super::acknowledge::unknown_controller;
use super::error::refused;
use crate::domain::actor::{Actor, Scope};
use crate::domain::id::{AgreementId, IncidentId, OrganisationId};
use crate::domain::ledger::{NewEntry, Stream};
use crate::store::standing::{self, Standing};
use crate::store::{AnyConnection, incidents, notices};

/// The part of `party` in an incident.
pub(super) struct Part {
    pub(super) incident: IncidentId,
    pub(super) standing: Standing,
    pub(super) party: OrganisationId,
}

/// The newest notice of a part.
pub(super) struct Newest {
    /// The agreement under which the controller was told.
    pub(super) agreement: AgreementId,
    /// What it says.
    pub(super) content: String,
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

    /// The part that the actor means: a controller its own, the processor that of the controller that it names or of the only one;
    /// not found for strangers.
    pub(super) fn meant(
        connection: &mut AnyConnection,
        actor: &Actor,
        incident: &IncidentId,
        named: Option<&OrganisationId>,
    ) -> Result<Self, ServiceError> {
        let standing = standing_of(connection, actor, incident)?;
        let party = whose(connection, &actor.organisation, incident, standing.is_processor, named)?;
        Ok(Self { incident: incident.clone(), standing, party })
    }

    /// The newest notice of this part that the actor may see.
    pub(super) fn newest(&self, connection: &mut AnyConnection, actor: &Actor) -> Result<Newest, ServiceError> {
        let newest = notices::of_party(connection, &actor.organisation, &self.incident, &self.party)?.pop();
        let (_, content, agreement, _) = newest.ok_or_else(unknown_controller)?;
        let no_agreement = |_| ServiceError::Internal(format!("a notice of {} names no agreement", self.incident));
        Ok(Newest { content, agreement: agreement.parse().map_err(no_agreement)? })
    }

    /// Refuses an actor whose token lacks what its side needs: `of_party` for the party itself, `incidents:write` for the processor.
    pub(super) fn may_write(&self, actor: &Actor, of_party: Scope) -> Result<(), ServiceError> {
        may_write(actor, self.standing.is_processor, of_party)
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

/// Refuses an actor whose token lacks what its side of an incident needs.
pub(super) fn may_write(actor: &Actor, is_processor: bool, of_party: Scope) -> Result<(), ServiceError> {
    if actor.may(if is_processor { Scope::IncidentsWrite } else { of_party }) {
        return Ok(());
    }
    Err(ServiceError::Forbidden(match (is_processor, of_party) {
        (true, _) => "A processor needs the scope incidents:write for this.",
        (false, Scope::InstructionsWrite) => "A controller needs the scope instructions:write for this.",
        (false, _) => "A controller needs the scope decisions:write for this.",
    }))
}

/// How the actor stands to the incident; not found for strangers.
pub(super) fn standing_of(
    connection: &mut AnyConnection,
    actor: &Actor,
    incident: &IncidentId,
) -> Result<Standing, ServiceError> {
    standing::of(connection, &actor.organisation, incident)?.ok_or(ServiceError::NotFound)
}

/// Whose part is meant: a controller's own; for the processor that of the one that it names, or of the only one.
pub(super) fn whose(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    incident: &IncidentId,
    is_processor: bool,
    named: Option<&OrganisationId>,
) -> Result<OrganisationId, ServiceError> {
    match named {
        _ if is_processor => controller_meant(connection, incident, named),
        Some(other) if other != tenant => Err(unknown_controller()),
        _ => Ok(tenant.clone()),
    }
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
