//! What happened, applied to the clocks of one party: milestones start and fulfil duties, and those concerned are told.

use time::OffsetDateTime;

use super::{Service, ServiceError};
use crate::domain::course::{Earlier, Reached, course};
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::store::{AnyConnection, duties, origins};

impl Service {
    /// Applies what `party` reached in one incident and answers the duties that changed; the caller writes the ledger.
    ///
    /// The party is a controller, or the processor itself for what it owes once for the whole incident. Runs inside the caller's
    /// transaction.
    pub(super) fn happened(
        &self,
        connection: &mut AnyConnection,
        incident: &IncidentId,
        party: &OrganisationId,
        reached: Vec<Reached>,
        now: OffsetDateTime,
    ) -> Result<Vec<Duty>, ServiceError> {
        let duties = duties::of_parties(connection, incident, &[party.as_str()])?;
        let capped = duties.iter().any(|duty| duty.obligation.cap.is_some());
        let earlier = if capped { origins::known_since(connection, incident, party)? } else { Earlier::default() };
        let changed = course(duties, reached, earlier, &self.law.calendar);
        self.settle(connection, &changed, now)?;
        Ok(changed)
    }

    /// Stores where duties stand now and tells those concerned of what was fulfilled; answers whether anybody is told.
    pub(super) fn settle(
        &self,
        connection: &mut AnyConnection,
        changed: &[Duty],
        now: OffsetDateTime,
    ) -> Result<bool, ServiceError> {
        duties::update(connection, changed)?;
        self.tell_met(connection, changed, now)
    }
}
