//! What controllers decide over HTTP: decisions, waivers of single duties, reported milestones.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, answered, created, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::decision::Waiver;
use crate::service::ServiceError;

const READ: &[Scope] = &[Scope::IncidentsRead, Scope::NoticesRead];
const WRITE: &[Scope] = &[Scope::DecisionsWrite, Scope::IncidentsWrite];

/// `POST /v1/incidents/{id}/decisions`
pub(super) async fn decide(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::DecisionsWrite])?;
    Ok(created(api.service.record_decision(actor, path_id(&id)?, body.value, body.idempotency).await?))
}

/// `GET /v1/incidents/{id}/decisions`
pub(super) async fn list(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    let controller = query.parsed("controller", "the id of an organisation");
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_decisions(actor, path_id(&id)?, controller, page).await?, None))
}

/// `POST /v1/incidents/{id}/milestones`
pub(super) async fn report(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    Ok(created(api.service.report_milestone(actor, path_id(&id)?, body.value, body.idempotency).await?))
}

/// `GET /v1/incidents/{id}/milestones`
pub(super) async fn milestones(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_milestones(actor, path_id(&id)?, page).await?, None))
}

/// `GET /v1/duties/{id}`
pub(super) async fn duty(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    Ok(shown(&api.service.show_duty(actor, path_id(&id)?).await?, None))
}

/// `POST /v1/duties/{id}/waiver`
pub(super) async fn waive(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    let id = path_id(&id)?;
    let waiver = Waiver::parse(&body.value).map_err(ServiceError::Refused)?;
    Ok(answered(StatusCode::OK, api.service.waive_duty(actor, id, waiver, body.idempotency).await?))
}

/// `POST /v1/duties/{id}/reopening`
pub(super) async fn reopen(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    let id = path_id(&id)?;
    let reopening = Waiver::parse(&body.value).map_err(ServiceError::Refused)?;
    Ok(answered(StatusCode::OK, api.service.reopen_duty(actor, id, reopening, body.idempotency).await?))
}
