//! Every request gets an id that its answer carries and its problem names; also counts and times requests.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tracing::Instrument as _;

use super::api::Api;
use crate::telemetry;

tokio::task_local! {
    static REQUEST_ID: String;
}

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request that is being answered; empty outside of one.
pub(crate) fn current() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// Middleware: names the request, logs its end without any content, and counts it.
pub async fn track(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api = request.app_data::<web::Data<Api>>();
    let id = api.map_or_else(String::new, |api| api.service.entropy.uuid_text(api.service.clock.now()));
    let begun = Instant::now();
    let method = request.method().as_str().to_owned();
    let span = tracing::info_span!("request", request.id = %id, http.method = %method);
    let result = REQUEST_ID.scope(id.clone(), next.call(request).instrument(span.clone())).await;
    let mut response = result?;
    let route = response.request().match_pattern();
    let status = response.status().as_u16();
    telemetry::http_request(&method, route.as_deref(), status, begun.elapsed());
    span.in_scope(|| {
        tracing::debug!(http.route = route.as_deref().unwrap_or("unmatched"), http.status = status, "answered");
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    Ok(response)
}
