//! Somebody who talks to the service. Every answer is checked against `openapi.yaml` before a test sees it.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::app::TestApp;
use super::spec;

/// Who talks.
#[derive(Clone)]
pub(crate) enum Speaker {
    Anonymous,
    Token(String),
    Person { organisation: String, scopes: String, person: String },
}

/// Somebody who talks to the service.
#[derive(Clone)]
pub(crate) struct Client {
    app: TestApp,
    speaker: Speaker,
}

/// A request in the making.
pub(crate) struct Request {
    method: String,
    path: String,
    builder: reqwest::RequestBuilder,
    json: Option<Value>,
}

/// What came back; it already keeps to `openapi.yaml`.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body as JSON; null where it is none.
    pub(crate) json: Value,
}

impl Client {
    pub(super) fn new(app: TestApp, speaker: Speaker) -> Self {
        Self { app, speaker }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send().await
    }

    /// Replaces the version `if_match`, such as `"1"` with its quotes.
    pub(crate) async fn put(&self, path: &str, if_match: &str, body: &Value) -> Answer {
        self.request("PUT", path).header("if-match", if_match).json(body).send().await
    }

    /// A request that can carry anything.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        let builder = self.app.http().request(method.parse().unwrap(), self.app.url(path));
        let token = match &self.speaker {
            Speaker::Anonymous => None,
            Speaker::Token(token) => Some(token.clone()),
            Speaker::Person { organisation, scopes, person } => Some(self.app.token(organisation, scopes, person)),
        };
        let builder = token.into_iter().fold(builder, reqwest::RequestBuilder::bearer_auth);
        Request { method: method.to_owned(), path: path.to_owned(), builder, json: None }
    }
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.header("content-type", "application/json").body(body.to_string());
        self.json = Some(body.clone());
        self
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("content-type", media_type).body(body);
        self
    }

    /// Sends it; fails the test if the answer is not one that `openapi.yaml` describes.
    pub(crate) async fn send(self) -> Answer {
        let response = self.builder.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        let json = serde_json::from_slice(&body).unwrap_or_default();
        let answer = Answer { status, headers, body, json };
        let faults = spec::SPEC.faults(&self.method, &self.path, self.json.as_ref(), &answer);
        let (method, path) = (self.method, self.path);
        assert!(faults.is_empty(), "{method} {path} departs from openapi.yaml:\n{}\n{answer}", faults.join("\n"));
        answer
    }
}

impl Answer {
    /// The same, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// A header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The member `id`.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("no id in {self}")).to_owned()
    }

    /// The last part of the problem type, such as `not-found`.
    pub(crate) fn problem(&self) -> &str {
        let kind = self.json["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:art33:problem:").unwrap_or_default()
    }

    /// Pointer and code of every fault, in order.
    pub(crate) fn faults(&self) -> Vec<(&str, &str)> {
        let errors = self.json["errors"].as_array().map_or(&[][..], Vec::as_slice);
        errors.iter().map(|fault| (fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap())).collect()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?}\n{}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}
