//! Sub-processors over HTTP: who they are, and the address at which their services tell us. That address takes no token: what
//! comes in is trusted by its signature.

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{IfMatch, JsonBody, Query, created, media_type, path_id, read, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::fault::Faults;
use crate::domain::id::SourceId;
use crate::service::{Inbound, InboundError, Service, ServiceError};

const SCOPE: &[Scope] = &[Scope::WebhooksWrite];
/// The largest message, in bytes; notices of services like this one are a tenth of it.
const LARGEST: usize = 20_000;

/// `POST /v1/sources`
pub(super) async fn create(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let new = Service::parse_source(&body.value).map_err(ServiceError::from)?;
    Ok(created(api.service.create_source(actor, new, body.idempotency).await?))
}

/// `GET /v1/sources`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_sources(actor, page).await?, None))
}

/// `GET /v1/sources/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let (source, version) = api.service.show_source(actor, path_id(&id)?).await?;
    Ok(shown(&source, Some(version)))
}

/// `PUT /v1/sources/{id}`
pub(super) async fn change(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    version: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let id = path_id(&id)?;
    let new = Service::parse_source(&body.value).map_err(ServiceError::from)?;
    let (source, version) = api.service.change_source(actor, id, version.0, new).await?;
    Ok(shown(&source, Some(version)))
}

/// `POST /inbound/{id}`
pub(super) async fn receive(
    api: Shared,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let id: SourceId = path_id(&id)?;
    if let Some(wait) = api.must_wait(&format!("inbound {id}")) {
        return Err(Problem::too_many_requests(wait));
    }
    if media_type(&request) != "application/json" {
        return Err(Problem::unsupported_media_type("application/json"));
    }
    let body = read(payload.into_inner(), LARGEST).await?;
    let headers = request.headers();
    let inbound = Inbound {
        id: header(headers, "webhook-id")?,
        timestamp: header(headers, "webhook-timestamp")?,
        signature: header(headers, "webhook-signature")?,
        body,
    };
    let taken = api.service.receive_notice(id, inbound).await.map_err(problem)?;
    Ok(HttpResponse::Ok().json(taken))
}

fn header(headers: &HeaderMap, name: &str) -> Result<String, Problem> {
    let value =
        headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| (1..=2000).contains(&value.len()));
    value.map(str::to_owned).ok_or_else(|| problem(InboundError::NotGenuine))
}

fn problem(error: InboundError) -> Problem {
    match error {
        InboundError::NotGenuine => Problem::not_genuine(),
        InboundError::NoSecret => {
            Problem::from(ServiceError::Conflict { code: "no-secret", detail: InboundError::NoSecret.to_string() })
        }
        InboundError::NotUnderstood => {
            let mut faults = Faults::default();
            faults.add("", "not_understood", "Expected a message of a service like this one, in JSON.");
            Problem::from(ServiceError::Refused(faults))
        }
        InboundError::Service(error) => Problem::from(error),
    }
}
