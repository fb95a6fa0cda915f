//! What requests carry besides the token: bodies, keys for safe repetition, versions, ids and queries. All faults become problems.

use std::collections::BTreeMap;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use serde_json::Value;

use super::api::Api;
use super::problem::Problem;
use crate::domain::fault::Faults;
use crate::service::{Answer, Idempotency};

/// A JSON body, read up to the limit, and the key that makes it safe to repeat.
#[derive(Debug)]
pub(crate) struct JsonBody {
    /// The document.
    pub(crate) value: Value,
    /// The key, if one was sent.
    pub(crate) idempotency: Option<Idempotency>,
}

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if media_type(&request) != "application/json" {
                return Err(Problem::unsupported_media_type("application/json"));
            }
            let limit = request.app_data::<web::Data<Api>>().map_or(0, |api| api.limits.body);
            let bytes = read(payload, limit).await?;
            let value = serde_json::from_slice(&bytes).map_err(|error| {
                let mut faults = Faults::default();
                faults.add("", "json", format!("Not valid JSON at line {}, column {}.", error.line(), error.column()));
                Problem::bad_request(&faults)
            })?;
            Ok(Self { value, idempotency: idempotency(&request, &bytes)? })
        })
    }
}

/// The media type of the body, in lower case, without parameters.
pub(crate) fn media_type(request: &HttpRequest) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(mut payload: Payload, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| {
            let mut faults = Faults::default();
            faults.add("", "body", "The body did not arrive whole.");
            Problem::bad_request(&faults)
        })?;
        if bytes.len() + chunk.len() > limit {
            return Err(Problem::too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The idempotency key, bound to method, path and body.
pub(crate) fn idempotency(request: &HttpRequest, body: &[u8]) -> Result<Option<Idempotency>, Problem> {
    let Some(header) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().ok().filter(|key| (1..=200).contains(&key.len()));
    let Some(key) = key.filter(|key| key.bytes().all(|byte| (0x20..0x7f).contains(&byte))) else {
        let mut faults = Faults::default();
        faults.add("", "idempotency_key", "Idempotency-Key takes 1 to 200 printable ASCII characters.");
        return Err(Problem::bad_request(&faults));
    };
    let uri = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let covered = [request.method().as_str().as_bytes(), b" ", uri.as_bytes(), b"\n", body].concat();
    Ok(Some(Idempotency::new(key, &covered)))
}

/// The version that `If-Match` names: 428 without one; a tag that no version can have is 412.
pub(crate) struct IfMatch(pub(crate) i32);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let tag = request.headers().get(header::IF_MATCH).and_then(|value| value.to_str().ok());
        std::future::ready(match tag {
            None => Err(Problem::precondition_required()),
            Some(tag) => Ok(Self(tag.trim().trim_matches('"').parse().unwrap_or(0))),
        })
    }
}

/// An id in the path; anything that is no id of the kind is simply not found.
pub(crate) fn path_id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

/// The query of a request; every parameter must be taken, what is left over is a fault.
#[derive(Debug)]
pub(crate) struct Query {
    given: BTreeMap<String, String>,
    faults: Faults,
}

impl FromRequest for Query {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        let mut query = Self { given: BTreeMap::new(), faults: Faults::default() };
        for (name, value) in pairs {
            if query.given.insert(name.to_string(), value.to_string()).is_some() {
                query.faults.add(format!("/{name}"), "duplicate", "This parameter is given twice.");
            }
        }
        std::future::ready(Ok(query))
    }
}

impl Query {
    /// Takes the parameter `name`, read with `read`; a fault saying `expected` where that fails.
    pub(crate) fn take<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.given.remove(name).filter(|text| !text.is_empty())?;
        // No parameter has a use for control characters, and PostgreSQL refuses the first of them.
        let taken = if text.chars().any(char::is_control) { None } else { read(&text) };
        if taken.is_none() {
            self.faults.add(format!("/{name}"), "invalid", format!("Expected {expected}."));
        }
        taken
    }

    /// Takes a parameter that is written like `T`.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        self.take(name, expected, |text| text.parse().ok())
    }

    /// What was read from the parameters taken, or 400 with its faults and all others.
    pub(crate) fn finish_with<T>(mut self, read: Result<T, Faults>) -> Result<T, Problem> {
        match read {
            Ok(read) => self.finish().map(|()| read),
            Err(faults) => {
                self.faults.extend_new(faults);
                self.finish()?;
                Err(Problem::bad_request(&Faults::default()))
            }
        }
    }

    /// 400 with all faults, unknown parameters included, if there are any.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for name in self.given.keys() {
            self.faults.add(format!("/{name}"), "unknown_parameter", "This parameter is not known here.");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::bad_request(&self.faults)) }
    }
}

/// 201 with the body, place and version of what was created.
pub(crate) fn created(answer: Answer) -> HttpResponse {
    answered(StatusCode::CREATED, answer)
}

/// The answer of a verb, given now or before.
pub(crate) fn answered(status: StatusCode, answer: Answer) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.content_type("application/json");
    if let Some(location) = answer.location {
        response.insert_header((header::LOCATION, location));
    }
    if let Some(version) = answer.version {
        response.insert_header((header::ETAG, format!("\"{version}\"")));
    }
    if answer.replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.body(answer.body)
}

/// 200 with `value` and, if given, its version.
pub(crate) fn shown(value: &impl serde::Serialize, version: Option<i32>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(version) = version {
        response.insert_header((header::ETAG, format!("\"{version}\"")));
    }
    response.json(value)
}
