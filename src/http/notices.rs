//! Notices over HTTP: inbox and outbox, the exact bytes, acknowledgement, deliveries.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::incident::NoticeState;
use crate::domain::receipt::Dispute;
use crate::service::{Acknowledgement, NoticeFilter, ServiceError};

/// `GET /v1/notices`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    let filter = NoticeFilter {
        incident: query.parsed("incident", "the id of an incident"),
        state: query.take("state", "pending, delivered or acknowledged", NoticeState::from_code),
    };
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_notices(&actor, filter, page).await?, None))
}

/// `GET /v1/notices/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    Ok(shown(&api.service.show_notice(&actor, path_id(&id)?).await?, None))
}

/// `GET /v1/notices/{id}/content`
pub(super) async fn content(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    let notice = api.service.show_notice(&actor, path_id(&id)?).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::ETAG, format!("\"{}\"", notice.summary.content_sha256)))
        .body(notice.content.get().to_owned()))
}

/// `POST /v1/notices/{id}/acknowledgement`
pub(super) async fn acknowledge(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesAck])?;
    let id = path_id(&id)?;
    let acknowledgement = Acknowledgement::parse(&body.value).map_err(ServiceError::Refused)?;
    Ok(shown(&api.service.acknowledge(&actor, id, acknowledgement).await?, None))
}

/// `POST /v1/notices/{id}/dispute`
pub(super) async fn dispute(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesAck])?;
    let id = path_id(&id)?;
    let dispute = Dispute::parse(&body.value).map_err(ServiceError::Refused)?;
    Ok(shown(&api.service.dispute_notice(&actor, id, dispute).await?, None))
}

/// `GET /v1/notices/{id}/deliveries`
pub(super) async fn deliveries(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_deliveries(&actor, path_id(&id)?, page).await?, None))
}

/// `GET /v1/notices/{id}/escalation`
pub(super) async fn escalation(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    Ok(shown(&api.service.show_escalation(&actor, path_id(&id)?).await?, None))
}

/// `GET /v1/notices/{id}/history`
pub(super) async fn history(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.show_history(&actor, path_id(&id)?, page).await?, None))
}

/// `POST /v1/notices/{id}/redeliver`
pub(super) async fn redeliver(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    let deliveries = api.service.redeliver(&actor, path_id(&id)?).await?;
    Ok(HttpResponse::Accepted().json(json!({"deliveries": deliveries})))
}
