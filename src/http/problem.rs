//! The one place where refusals and failures become `application/problem+json` (RFC 9457). Logs failures once; never shows their cause.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use super::request_id;
use crate::domain::fault::Faults;
use crate::service::ServiceError;

/// An answer other than success.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), members: Vec::new(), headers: Vec::new() }
    }

    /// 400: the request cannot be understood; the faults name each member or parameter.
    pub(crate) fn bad_request(faults: &Faults) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be understood", counted(faults))
            .with("errors", json!(faults))
    }

    /// 401, with the reason in `WWW-Authenticate`; `None` where no token came at all (RFC 6750, section 3).
    pub(crate) fn unauthorised(reason: Option<&dyn fmt::Display>) -> Self {
        let (detail, challenge) = match reason {
            Some(reason) => {
                (format!("{reason}."), format!("Bearer error=\"invalid_token\", error_description=\"{reason}\""))
            }
            None => ("A bearer token is required.".to_owned(), "Bearer".to_owned()),
        };
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", "No valid token", detail)
            .header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403: the token lacks a permission.
    pub(crate) fn missing_scope(wanted: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "missing-scope",
            "The token lacks a permission",
            format!("This needs one of these scopes: {wanted}."),
        )
        .header(header::WWW_AUTHENTICATE, format!("Bearer error=\"insufficient_scope\", scope=\"{wanted}\""))
    }

    /// 401: a message that came in is not signed as it must be.
    pub(crate) fn not_genuine() -> Self {
        let detail = "The signature is missing, wrong, or older than five minutes.";
        Self::new(StatusCode::UNAUTHORIZED, "not-genuine", "The message is not genuine", detail)
    }

    /// 401: an acknowledgement that no key of the controller who was told has signed; the same for whatever is wrong with it.
    pub(crate) fn not_genuine_acknowledgement() -> Self {
        let detail = "No key of the controller who was told has signed this as of a possible time.";
        Self::new(StatusCode::UNAUTHORIZED, "not-genuine", "The message is not genuine", detail)
    }

    pub(crate) fn not_found() -> Self {
        let detail = "There is no such thing, or not for your organisation.";
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "This path does not know the method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("At most {limit} bytes are read.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    pub(crate) fn unsupported_media_type(expected: &str) -> Self {
        let detail = format!("Expected {expected}.");
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body has another media type than expected",
            detail,
        )
    }

    pub(crate) fn too_many_requests(wait: Duration) -> Self {
        let seconds = wait.as_secs().max(1);
        let detail = format!("Try again in {seconds} s.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", detail)
            .header(header::RETRY_AFTER, seconds.to_string())
    }

    pub(crate) fn precondition_required() -> Self {
        let detail = "Send If-Match with the ETag of what you read.";
        Self::new(StatusCode::PRECONDITION_REQUIRED, "precondition-required", "If-Match is required", detail)
    }

    pub(crate) fn unavailable() -> Self {
        let detail = "Nothing was changed; try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available at the moment", detail)
            .header(header::RETRY_AFTER, "2".to_owned())
    }

    fn internal() -> Self {
        let detail = "The failure is logged under the id in `instance`.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something failed here", detail)
    }

    /// The same with one more member.
    pub(crate) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

fn counted(faults: &Faults) -> String {
    match faults.as_slice().len() {
        1 => "One thing is wrong; `errors` names it.".to_owned(),
        count => format!("{count} things are wrong; `errors` names each."),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.title)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "type": format!("urn:art33:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "instance": format!("urn:uuid:{}", request_id::current()),
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        let mut response = HttpResponse::build(self.status);
        response.content_type("application/problem+json");
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.insert_header((name.clone(), value));
            }
        }
        response.body(body.to_string())
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Refused(faults) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "content",
                "The content is refused; nothing was stored",
                counted(&faults),
            )
            .with("errors", json!(faults)),
            ServiceError::RowsRefused { rows, results } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "content",
                "The content is refused; nothing was stored",
                format!("Rows with faults: {} of {rows}.", results.len()),
            )
            .with("results", json!(results)),
            ServiceError::NotFound => Self::not_found(),
            ServiceError::Forbidden(detail) => Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail),
            ServiceError::Conflict { code, detail } => {
                Self::new(StatusCode::CONFLICT, code, "It contradicts what is there already", detail)
            }
            ServiceError::VersionMismatch => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "version-mismatch",
                "It was changed in the meantime",
                "Read it again and send the new ETag.",
            ),
            ServiceError::Store(store) if store.is_unavailable() => {
                tracing::warn!(error = %store, "database not available");
                Self::unavailable()
            }
            ServiceError::Store(_) | ServiceError::Secret(_) | ServiceError::Internal(_) => {
                tracing::error!(%error, "request failed");
                Self::internal()
            }
        }
    }
}
