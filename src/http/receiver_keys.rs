//! The public keys of receivers over HTTP, and the address at which what they signed comes in. That address takes no token.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, created, media_type, path_id, read, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::fault::Faults;
use crate::domain::parse::Place;
use crate::service::{AcknowledgementError, Service, ServiceError};

const SCOPE: &[Scope] = &[Scope::NoticesAck];
/// The largest signed acknowledgement, in bytes.
const LARGEST: usize = 20_000;

/// `POST /v1/keys`
pub(super) async fn create(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let new = Service::parse_receiver_key(&body.value).map_err(ServiceError::from)?;
    Ok(created(api.service.create_receiver_key(actor, new, body.idempotency).await?))
}

/// `GET /v1/keys`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_receiver_keys(actor, page).await?, None))
}

/// `GET /v1/keys/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    Ok(shown(&api.service.show_receiver_key(actor, path_id(&id)?).await?, None))
}

/// `POST /v1/keys/{id}/retirement`
pub(super) async fn retire(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(SCOPE)?;
    Ok(shown(&api.service.retire_receiver_key(actor, path_id(&id)?).await?, None))
}

/// `POST /acknowledgements`
pub(super) async fn acknowledge(
    api: Shared,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    if media_type(&request) != "application/json" {
        return Err(Problem::unsupported_media_type("application/json"));
    }
    let jws = jws(&read(payload.into_inner(), LARGEST).await?)?;
    // Strangers choose what they claim: they share one allowance, and keep nobody from his own.
    let signer = api.service.signer(&jws).await?;
    let subject =
        signer.as_ref().map_or_else(|| "acknowledgements".to_owned(), |key| format!("acknowledgements {key}"));
    if let Some(wait) = api.must_wait(&subject) {
        return Err(Problem::too_many_requests(wait));
    }
    if signer.is_none() {
        return Err(Problem::not_genuine_acknowledgement());
    }
    let receipt = api.service.receive_acknowledgement(jws).await.map_err(|error| match error {
        AcknowledgementError::NotGenuine => Problem::not_genuine_acknowledgement(),
        AcknowledgementError::Service(error) => Problem::from(error),
    })?;
    Ok(shown(&receipt, None))
}

/// The only member of the body.
fn jws(body: &[u8]) -> Result<String, Problem> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let mut faults = Faults::default();
        faults.add("", "json", format!("Not valid JSON at line {}, column {}.", error.line(), error.column()));
        Problem::bad_request(&faults)
    })?;
    let mut faults = Faults::default();
    let read = Place::root(&value).object(&mut faults).and_then(|mut object| {
        let jws = object.required("jws", &mut faults, |place, faults| place.text(LARGEST, faults));
        object.close(&mut faults);
        jws
    });
    Ok(faults.finish(read).map_err(ServiceError::Refused)?)
}
