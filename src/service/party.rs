//! One controller's part of an incident, for verbs that either party may call. Here it is decided who is meant and who may.

use super::ServiceError;
use super::acknowledge::unknown_controller;
use super::report::whose;
use crate::domain::actor::{Actor, Scope};
use crate::domain::id::{AgreementId, IncidentId, NoticeId, OrganisationId};
use crate::domain::ledger::{NewEntry, Stream};
use crate::store::{AnyConnection, incidents, notices};

/// One controller's part of an incident.
pub(super) struct Party {
    pub(super) incident: IncidentId,
    pub(super) processor: OrganisationId,
    pub(super) controller: OrganisationId,
    /// The newest notice; what both parties do goes into its stream of the ledger, which both of them read.
    pub(super) notice: NoticeId,
    /// The agreement under which the controller was told.
    pub(super) agreement: AgreementId,
    /// What the newest notice says.
    pub(super) content: String,
    /// Whether the incident is a drill, of which the controller learns nothing.
    drill: bool,
}

impl Party {
    /// The part of `controller`, as `tenant` may see it: a controller its own, the processor that of the controller that it names or
    /// of the only one. A foreign incident is not found.
    pub(super) fn find(
        connection: &mut AnyConnection,
        tenant: &OrganisationId,
        incident: &IncidentId,
        controller: Option<OrganisationId>,
    ) -> Result<Self, ServiceError> {
        let found = incidents::find(connection, tenant, incident)?.ok_or(ServiceError::NotFound)?;
        let controller = whose(connection, tenant, &found, controller)?;
        let newest = notices::of_party(connection, tenant, incident, &controller)?.pop();
        let (notice, content, agreement, _) = newest.ok_or_else(unknown_controller)?;
        let agreement = agreement.parse();
        Ok(Self {
            incident: incident.clone(),
            drill: found.summary.drill,
            processor: found.processor.id,
            controller,
            notice: notice.id,
            agreement: agreement.map_err(|_| ServiceError::Internal(format!("{incident} names no agreement")))?,
            content,
        })
    }

    /// Whether the caller is the controller itself.
    pub(super) fn is_controller(&self, actor: &Actor) -> bool {
        actor.organisation == self.controller
    }

    /// Refuses a caller whose token lacks what its side needs: `of_controller` for the controller, else `incidents:write`.
    pub(super) fn may_write(&self, actor: &Actor, of_controller: Scope) -> Result<(), ServiceError> {
        let enough = match (self.is_controller(actor), of_controller) {
            (false, _) => actor.may(Scope::IncidentsWrite),
            (true, scope) => actor.may(scope),
        };
        if enough {
            return Ok(());
        }
        Err(ServiceError::Forbidden(match (self.is_controller(actor), of_controller) {
            (true, Scope::InstructionsWrite) => "A controller needs the scope instructions:write for this.",
            (true, _) => "A controller needs the scope decisions:write for this.",
            (false, _) => "A processor needs the scope incidents:write for this.",
        }))
    }

    /// An entry about `object` that both parties may read; that of a drill only the processor.
    pub(super) fn entry(
        &self,
        actor: &Actor,
        kind: &'static str,
        object: &str,
        facts: serde_json::Value,
        at: time::OffsetDateTime,
    ) -> NewEntry {
        NewEntry {
            stream: Stream::Notice(self.notice.clone()),
            tenant: self.processor.clone(),
            counterpart: Some(self.controller.clone()).filter(|_| !self.drill),
            kind,
            object: object.to_owned(),
            facts,
            actor: actor.clone(),
            at,
        }
    }
}
