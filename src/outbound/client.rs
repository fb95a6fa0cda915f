//! The one HTTP client: every request goes through here, bounded in time and in bytes.
//!
//! Follows no redirect, uses no proxy, decompresses nothing, and never tries twice.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONNECTION, HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, RequestBuilder, Response};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::answer::{BodyEnd, kind_of_error, outcome_of, outcome_of_error};
use super::keep_alive::RecentHosts;
use super::resolver::{GuardedResolver, Lookup, system_lookup};
use super::{Guard, OutboundError, OutboundSettings, Relay, UrlFault};
use crate::crypto::sha256_hex;
use crate::domain::delivery_outcome::{FailureKind, Outcome};

/// As much of an answer's body as is ever read from a webhook, in bytes.
const READ_LIMIT: usize = 16 * 1024;
/// As much of it as is kept as evidence, in bytes.
const KEPT: usize = 1024;
/// The largest header of an answer, in bytes.
const HEADER_LIMIT: usize = 32 * 1024;
/// Kept connections per host, and how long they are kept.
const IDLE_PER_HOST: usize = 8;
const IDLE_FOR: Duration = Duration::from_secs(15);

/// Makes requests to the outside world; clones share their connections.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>, Option<Relay>);

struct Inner {
    client: Client,
    guard: Arc<Guard>,
    total_timeout: Duration,
    recent: RecentHosts,
}

/// What came of one request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What it means.
    pub outcome: Outcome,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The address and port that was reached.
    pub peer: Option<String>,
    /// The header `Retry-After` as it came.
    pub retry_after: Option<String>,
    /// The first 1024 bytes of the body.
    pub body_prefix: Vec<u8>,
    /// SHA-256, in hexadecimal digits, of as much of the body as was read: at most 16 KiB.
    pub body_sha256: Option<String>,
    /// How long it took, on the machine's monotonic clock.
    pub duration: Duration,
}

/// An answer as far as it was read.
struct Answer {
    status: u16,
    headers: HeaderMap,
    peer: Option<String>,
    body: Vec<u8>,
    end: BodyEnd,
}

impl Outbound {
    /// A client with these settings and the machine's name servers.
    pub fn new(settings: &OutboundSettings) -> Result<Self, OutboundError> {
        Self::with_lookup(settings, system_lookup())
    }

    /// The same with another way to look up names.
    pub(super) fn with_lookup(settings: &OutboundSettings, lookup: Lookup) -> Result<Self, OutboundError> {
        if settings.allow_http || !settings.allow.is_empty() {
            tracing::warn!(http = settings.allow_http, networks = ?settings.allow, "outbound guard opened");
        }
        let guard = Arc::new(Guard::new(settings));
        let resolver = Arc::new(GuardedResolver::new(Arc::clone(&guard), lookup));
        let client = match extra_authorities(settings)? {
            Some(authorities) => {
                let with_more = builder(settings, resolver).tls_certs_merge(authorities);
                with_more
                    .build()
                    .map_err(|_| OutboundError("the additional certificate authorities cannot be used".into()))?
            }
            None => client_of_machine(settings, &resolver)?,
        };
        let recent = RecentHosts::default();
        Ok(Self(Arc::new(Inner { client, guard, total_timeout: settings.total_timeout, recent }), None))
    }

    /// The same client with a relay for e-mail.
    #[must_use]
    pub fn with_relay(self, relay: Option<Relay>) -> Self {
        Self(self.0, relay)
    }

    /// The relay for e-mail, if there is one.
    pub fn relay(&self) -> Option<&Relay> {
        self.1.as_ref()
    }

    /// Refuses a URL that requests may never go to; for those that register one.
    pub fn check_url(&self, url: &Url) -> Result<(), UrlFault> {
        self.0.guard.check_url(url)
    }

    /// Posts `body` to `url` and reads at most 16 KiB of what comes back.
    ///
    /// Takes no longer than the total timeout, whatever the receiver does.
    pub async fn post(&self, url: &Url, headers: Vec<(String, String)>, body: Vec<u8>) -> Exchange {
        let begun = Instant::now();
        let mut request = self.0.client.post(url.clone()).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if !self.0.recent.note(&url[..url::Position::BeforePath]) {
            request = request.header(CONNECTION, "close");
        }
        let answer = self.ask(url, request, READ_LIMIT).await;
        Exchange::new(answer, begun.elapsed())
    }

    /// Fetches the JSON document at `url`, of at most `limit` bytes.
    pub async fn fetch_json(&self, url: &Url, limit: usize) -> Result<Vec<u8>, FailureKind> {
        let accept = vec![("accept".to_owned(), "application/json".to_owned())];
        let (status, body) = self.call(url, accept, None, limit).await?;
        match outcome_of(status, BodyEnd::Enough) {
            Outcome::Delivered => Ok(body),
            outcome => Err(outcome.kind().unwrap_or(FailureKind::InvalidAnswer)),
        }
    }

    /// Posts `body` to `url`, or fetches it where there is none; answers the status, whatever it is, and the whole body.
    ///
    /// A body of more than `limit` bytes, or one that breaks off, is an invalid answer.
    pub async fn call(
        &self,
        url: &Url,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<(u16, Vec<u8>), FailureKind> {
        let mut request = match body {
            Some(body) => self.0.client.post(url.clone()).body(body),
            None => self.0.client.get(url.clone()),
        };
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // One byte more shows that it is too large.
        let answer = self.ask(url, request, limit.saturating_add(1)).await;
        let answer = answer.map_err(|outcome| outcome.kind().unwrap_or(FailureKind::InvalidAnswer))?;
        match answer.end {
            BodyEnd::Enough if answer.body.len() <= limit => Ok((answer.status, answer.body)),
            BodyEnd::Enough => Err(FailureKind::InvalidAnswer),
            BodyEnd::TooSlow => Err(FailureKind::BodyTooSlow),
            BodyEnd::Broken(kind) => Err(kind),
        }
    }

    async fn ask(&self, url: &Url, request: RequestBuilder, read: usize) -> Result<Answer, Outcome> {
        self.check_url(url).map_err(|fault| Outcome::Configuration(fault.kind()))?;
        let deadline = Instant::now() + self.0.total_timeout;
        let response = timeout_at(deadline, request.send())
            .await
            .map_err(|_| Outcome::Transient(FailureKind::Timeout))?
            .map_err(|error| outcome_of_error(&error))?;
        let peer = response.remote_addr();
        if peer.is_some_and(|peer| !self.0.guard.permits(peer.ip())) {
            return Err(Outcome::Configuration(FailureKind::ForbiddenAddress));
        }
        if response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
            > HEADER_LIMIT
        {
            return Err(Outcome::Transient(FailureKind::InvalidAnswer));
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (body, end) = read_body(response, read, deadline).await;
        Ok(Answer { status, headers, peer: peer.map(|peer| peer.to_string()), body, end })
    }
}

impl Exchange {
    fn new(answer: Result<Answer, Outcome>, duration: Duration) -> Self {
        match answer {
            Err(outcome) => Self {
                outcome,
                status: None,
                peer: None,
                retry_after: None,
                body_prefix: Vec::new(),
                body_sha256: None,
                duration,
            },
            Ok(answer) => Self {
                outcome: outcome_of(answer.status, answer.end),
                status: Some(answer.status),
                peer: answer.peer,
                retry_after: answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned),
                body_sha256: Some(sha256_hex(&answer.body)),
                body_prefix: answer.body.into_iter().take(KEPT).collect(),
                duration,
            },
        }
    }
}

/// Reads up to `limit` bytes. What lies beyond is never read: dropping the response closes the connection.
async fn read_body(mut response: Response, limit: usize, deadline: Instant) -> (Vec<u8>, BodyEnd) {
    let mut body = Vec::new();
    while body.len() < limit {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return (body, BodyEnd::Broken(kind_of_error(&error))),
            Err(_) => return (body, BodyEnd::TooSlow),
        }
    }
    (body, BodyEnd::Enough)
}

/// The certificate authorities that are configured; a text that holds none is a mistake and must not pass for some.
fn extra_authorities(settings: &OutboundSettings) -> Result<Option<Vec<Certificate>>, OutboundError> {
    let Some(pem) = &settings.extra_ca else { return Ok(None) };
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(authorities) if !authorities.is_empty() => Ok(Some(authorities)),
        _ => Err(OutboundError("there is no certificate among the additional certificate authorities".into())),
    }
}

/// A client that trusts whom the machine trusts; a machine that trusts nobody still reaches what needs no TLS.
fn client_of_machine(settings: &OutboundSettings, resolver: &Arc<GuardedResolver>) -> Result<Client, OutboundError> {
    builder(settings, Arc::clone(resolver)).build().or_else(|error| {
        tracing::warn!(?error, "no certificate authorities found: no https address can be reached");
        let trusting_nobody = builder(settings, Arc::clone(resolver)).tls_certs_only([]);
        trusting_nobody.build().map_err(|error| OutboundError(error.to_string()))
    })
}

#[expect(clippy::disallowed_methods, reason = "the one client of the service is built here")]
fn builder(settings: &OutboundSettings, resolver: Arc<GuardedResolver>) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(&settings.user_agent)
        .dns_resolver(resolver)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout(IDLE_FOR)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
}
