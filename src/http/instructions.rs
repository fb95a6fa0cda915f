//! Instructions over HTTP: given, confirmed, objected to, read by both parties.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, answered, created, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;

const WRITE: &[Scope] = &[Scope::InstructionsWrite, Scope::IncidentsWrite];

/// `POST /v1/incidents/{id}/instructions`
pub(super) async fn give(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    Ok(created(api.service.give_instruction(actor, path_id(&id)?, body.value, body.idempotency).await?))
}

/// `GET /v1/incidents/{id}/instructions`
pub(super) async fn list(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead])?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_instructions(&actor, path_id(&id)?, page).await?, None))
}

/// `GET /v1/instructions/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead])?;
    Ok(shown(&api.service.show_instruction(&actor, path_id(&id)?).await?, None))
}

/// `POST /v1/instructions/{id}/confirmation`
pub(super) async fn confirm(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    let answer = api.service.confirm_instruction(actor, path_id(&id)?, body.value, body.idempotency).await?;
    Ok(answered(StatusCode::OK, answer))
}

/// `POST /v1/instructions/{id}/objection`
pub(super) async fn object(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    let answer = api.service.object_to_instruction(actor, path_id(&id)?, body.value, body.idempotency).await?;
    Ok(answered(StatusCode::OK, answer))
}
