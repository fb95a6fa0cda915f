//! Somebody who uses the service of the demo over HTTP, with a token of their own.
//!
//! Goes through the guarded client, which in the demo reaches loopback only, and hands the token to the service alone.

use serde_json::Value;
use url::Url;

use super::DemoError;
use crate::outbound::Outbound;

/// The largest answer, in bytes; reports are the largest there are.
const LIMIT: usize = 16 * 1024 * 1024;

/// One user of the service.
#[derive(Clone)]
pub(super) struct Client {
    outbound: Outbound,
    service: Url,
    token: String,
}

impl Client {
    pub(super) fn new(outbound: Outbound, service: Url, token: String) -> Self {
        Self { outbound, service, token }
    }

    /// The token that all requests carry.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The bytes at a path, or at a URL of the service.
    pub(super) async fn bytes(&self, target: &str) -> Result<Vec<u8>, DemoError> {
        self.ask(target, None).await
    }

    /// The JSON document at a path, or at a URL of the service.
    pub(super) async fn get(&self, target: &str) -> Result<Value, DemoError> {
        parse(target, &self.bytes(target).await?)
    }

    /// Posts a JSON document and answers the one that comes back.
    pub(super) async fn post(&self, target: &str, body: &Value) -> Result<Value, DemoError> {
        parse(target, &self.ask(target, Some(body.to_string().into_bytes())).await?)
    }

    async fn ask(&self, target: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>, DemoError> {
        let failed = |reason: String| DemoError::Request { target: target.to_owned(), reason };
        let url = self.service.join(target).map_err(|error| failed(error.to_string()))?;
        if url.origin() != self.service.origin() {
            return Err(failed("this is not the service, and gets no token".to_owned()));
        }
        let headers =
            [("authorization", format!("Bearer {}", self.token)), ("content-type", "application/json".into())]
                .map(|(name, value)| (name.to_owned(), value));
        let answer = self.outbound.call(&url, headers.into(), body, LIMIT).await;
        match answer.map_err(|kind| failed(format!("no answer ({kind})")))? {
            (200..=299, body) => Ok(body),
            (status, body) => Err(failed(format!("{status} {}", String::from_utf8_lossy(&body)))),
        }
    }
}

fn parse(target: &str, body: &[u8]) -> Result<Value, DemoError> {
    serde_json::from_slice(body)
        .map_err(|error| DemoError::Request { target: target.to_owned(), reason: format!("no JSON: {error}") })
}
