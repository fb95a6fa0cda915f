//! Endpoints of every channel over HTTP: how they fare, and asking them to prove themselves.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{Query, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::endpoint::Health;
use crate::domain::vocabulary::Channel;
use crate::service::EndpointFilter;

const READ: &[Scope] = &[Scope::NoticesRead, Scope::WebhooksWrite];

/// `GET /v1/endpoints`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    let filter = EndpointFilter {
        organisation: query.parsed("organisation", "the id of an organisation"),
        health: query.take("health", "unverified, healthy, degraded or gone", Health::from_code),
        channel: query.take("channel", "webhook or email", |text| match Channel::from_code(text) {
            Some(Channel::Manual) | None => None,
            channel => channel,
        }),
    };
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_endpoints(actor, filter, page).await?, None))
}

/// `GET /v1/endpoints/unproven`
pub(super) async fn unproven(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_unproven(actor, page).await?, None))
}

/// `GET /v1/endpoints/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    Ok(shown(&api.service.show_endpoint(actor, path_id(&id)?).await?, None))
}

/// `POST /v1/endpoints/{id}/verification`
pub(super) async fn verify(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::WebhooksWrite])?;
    let delivery = api.service.ask_verification(actor, path_id(&id)?).await?;
    Ok(HttpResponse::Accepted().json(json!({"delivery": delivery})))
}
