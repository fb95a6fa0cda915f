//! Another authority than the one that follows from the data is chosen, with a reason.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::part::{Part, standing_of};
use super::record::digest;
use super::show_authority::Supervision;
use super::{Service, ServiceError};
use crate::domain::actor::{Actor, Scope};
use crate::domain::authority::{Authorities, NewChoice};
use crate::domain::fault::Faults;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::parse::Place;
use crate::store::{AnyConnection, authorities, ledger};

impl Service {
    /// Chooses the authority for one controller's part of an incident; an earlier choice is replaced and stays in the ledger.
    pub async fn choose_authority(
        &self,
        actor: Actor,
        incident: IncidentId,
        body: Value,
    ) -> Result<Supervision, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        self.store.write(move |connection| service.choose_in(connection, &actor, &incident, &body, now)).await
    }

    fn choose_in(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        incident: &IncidentId,
        body: &Value,
        now: OffsetDateTime,
    ) -> Result<Supervision, ServiceError> {
        // Who may not see the incident learns nothing about the body either.
        standing_of(connection, actor, incident)?;
        let (choice, controller) = parse(body, &self.law.authorities)?;
        let part = Part::meant(connection, actor, incident, controller.as_ref())?;
        part.may_write(actor, Scope::DecisionsWrite)?;
        authorities::choose(connection, incident, &part.party, &choice, &actor.organisation, now)?;
        let newest = part.newest(connection, actor)?;
        let found = self.supervision(connection, incident, &part.party, &newest.content, now)?;
        let facts = json!({
            "incident": incident,
            "controller": part.party,
            "authority": choice.authority,
            "competent": found.jurisdiction.competent.as_ref().map(|authority| &authority.id),
            "by_sha256": digest(&choice.by)?,
            "reason_sha256": digest(&choice.reason)?,
        });
        let entry = part.entry(connection, (actor, now), ("authority.chosen", incident.as_str()), facts)?;
        ledger::append(connection, &[entry])?;
        Ok(found)
    }
}

fn parse(body: &Value, known: &Authorities) -> Result<(NewChoice, Option<OrganisationId>), Faults> {
    let mut faults = Faults::default();
    let read = Place::root(body).object(&mut faults).and_then(|mut object| {
        let choice = NewChoice::members(&mut object, known, &mut faults);
        let controller = object.optional("controller", &mut faults, Place::parsed);
        object.close(&mut faults);
        Some((choice?, controller?))
    });
    faults.finish(read)
}
