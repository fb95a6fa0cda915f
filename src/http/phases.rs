//! Later versions of incidents over HTTP: filing them, adding controllers that were found late, listing.

use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{IfMatch, JsonBody, Query, created, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;

/// `POST /v1/incidents/{id}/versions`
pub(super) async fn amend(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    version: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    let id = path_id(&id)?;
    Ok(created(api.service.amend_incident(&actor, body.idempotency, id, version.0, body.value).await?))
}

/// `GET /v1/incidents/{id}/versions`
pub(super) async fn list(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead])?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_incident_versions(&actor, path_id(&id)?, page).await?, None))
}

/// `POST /v1/incidents/{id}/affected`
pub(super) async fn join(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    version: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    let id = path_id(&id)?;
    Ok(created(api.service.join_affected(&actor, body.idempotency, id, version.0, body.value).await?))
}
