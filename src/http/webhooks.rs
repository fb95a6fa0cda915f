//! Webhook endpoints over HTTP. A secret leaves through `create` and `rotate` only.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use time::Duration;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{IfMatch, JsonBody, Query, answered, created, idempotency, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::span::Span;
use crate::domain::webhook::{NewWebhook, WebhookContent};
use crate::service::ServiceError;

const SCOPE: &[Scope] = &[Scope::WebhooksWrite];

/// `POST /v1/webhooks`.
pub(super) async fn create(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let new = NewWebhook::parse(&body.value, &*api.service.check_url).map_err(ServiceError::from)?;
    Ok(created(api.service.create_webhook(actor, new, body.idempotency).await?))
}

/// `GET /v1/webhooks`.
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_webhooks(actor, page).await?, None))
}

/// `GET /v1/webhooks/{id}`.
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let webhook = api.service.show_webhook(actor, path_id(&id)?).await?;
    Ok(shown(&webhook, Some(webhook.webhook.version)))
}

/// `PUT /v1/webhooks/{id}`.
pub(super) async fn change(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    version: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let id = path_id(&id)?;
    let content = WebhookContent::parse(&body.value, &*api.service.check_url).map_err(ServiceError::from)?;
    let webhook = api.service.change_webhook(actor, id, version.0, content).await?;
    Ok(shown(&webhook, Some(webhook.webhook.version)))
}

/// `POST /v1/webhooks/{id}/rotate`.
pub(super) async fn rotate(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let overlap = query.take("overlap", "PT0S, or an ISO 8601 duration of at most seven days", overlap);
    query.finish()?;
    let key = idempotency(&request, &[])?;
    Ok(answered(StatusCode::OK, api.service.rotate_webhook(actor, path_id(&id)?, overlap, key).await?))
}

/// `POST /v1/webhooks/{id}/test`.
pub(super) async fn test(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let delivery = api.service.test_webhook(actor, path_id(&id)?).await?;
    Ok(HttpResponse::Accepted().json(json!({"delivery": delivery})))
}

/// How long secrets before a rotation may be good at all.
const LONGEST_OVERLAP: Duration = Duration::days(7);

fn overlap(text: &str) -> Option<Duration> {
    if text == "PT0S" {
        return Some(Duration::ZERO);
    }
    text.parse::<Span>().ok()?.length().filter(|overlap| *overlap <= LONGEST_OVERLAP)
}
