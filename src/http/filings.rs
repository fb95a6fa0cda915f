//! Filings with authorities over HTTP, and the answers to them.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, answered, created, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;

const READ: &[Scope] = &[Scope::IncidentsRead, Scope::NoticesRead];
const WRITE: &[Scope] = &[Scope::DecisionsWrite, Scope::IncidentsWrite];

/// `POST /v1/incidents/{id}/filings`
pub(super) async fn record(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    Ok(created(api.service.record_filing(actor, path_id(&id)?, body.value, body.idempotency).await?))
}

/// `GET /v1/incidents/{id}/filings`
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
    Ok(shown(&api.service.list_filings(actor, path_id(&id)?, controller, page).await?, None))
}

/// `GET /v1/filings/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    Ok(shown(&api.service.show_filing(actor, path_id(&id)?).await?, None))
}

/// `POST /v1/filings/{id}/answer`
pub(super) async fn answer(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    let answer = api.service.answer_filing(actor, path_id(&id)?, body.value, body.idempotency).await?;
    Ok(answered(StatusCode::OK, answer))
}
