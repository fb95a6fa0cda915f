//! Tasks for persons over HTTP: the list, one with its script, and what came of it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, answered, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::task::TaskState;
use crate::service::TaskFilter;

/// `GET /v1/tasks`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    let filter = TaskFilter {
        state: query.take("state", "open, done or closed", TaskState::from_code),
        incident: query.parsed("incident", "the id of an incident"),
    };
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_tasks(&actor, filter, page).await?, None))
}

/// `GET /v1/tasks/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::NoticesRead])?;
    Ok(shown(&api.service.show_task(&actor, path_id(&id)?).await?, None))
}

/// `POST /v1/tasks/{id}/result`
pub(super) async fn answer(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    let answer = api.service.record_task_result(actor, path_id(&id)?, body.value, body.idempotency).await?;
    Ok(answered(StatusCode::OK, answer))
}
