//! How endpoints fare, and which controllers no proven channel leads to. Shows no secret.

use serde::Serialize;

use super::telling::legal_day;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::endpoint::EndpointId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::vocabulary::OrganisationRole;
use crate::store::endpoint_views::{self, EndpointAttempt, EndpointFilter, EndpointView};
use crate::store::unproven::{self, UnprovenController};
use crate::store::{AnyConnection, parties};

/// How many attempts are shown with an endpoint.
const ATTEMPTS: i64 = 20;

/// An endpoint with what was tried last.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointWithAttempts {
    #[serde(flatten)]
    endpoint: EndpointView,
    attempts: Vec<EndpointAttempt>,
}

impl Service {
    /// One page of the endpoints of every channel that the caller owns or registered, oldest first.
    pub async fn list_endpoints(
        &self,
        actor: Actor,
        filter: EndpointFilter,
        page: PageRequest,
    ) -> Result<Page<EndpointView>, ServiceError> {
        let read = move |connection: &mut AnyConnection| {
            Ok(endpoint_views::list(connection, &actor.organisation, &filter, &page)?)
        };
        self.store.read(read).await
    }

    /// One endpoint with its last attempts.
    pub async fn show_endpoint(&self, actor: Actor, id: EndpointId) -> Result<EndpointWithAttempts, ServiceError> {
        let read = move |connection: &mut AnyConnection| {
            let endpoint = endpoint_views::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
            let attempts = endpoint_views::last_attempts(connection, &id, ATTEMPTS)?;
            Ok(EndpointWithAttempts { endpoint, attempts })
        };
        self.store.read(read).await
    }

    /// One page of the controllers of the caller, a processor, that no proven channel leads to.
    pub async fn list_unproven(
        &self,
        actor: Actor,
        page: PageRequest,
    ) -> Result<Page<UnprovenController>, ServiceError> {
        let today = legal_day(self.clock.now()).to_string();
        let read = move |connection: &mut AnyConnection| {
            let known = parties::processor(connection, &actor.organisation)?;
            let is = |held: &String| held == OrganisationRole::Processor.as_str();
            if !known.is_some_and(|known| known.roles.iter().any(is)) {
                return Err(ServiceError::Forbidden(
                    "Only a processor has controllers whose channels can be unproven.",
                ));
            }
            Ok(unproven::list(connection, &actor.organisation, &today, &page)?)
        };
        self.store.read(read).await
    }
}
