//! What every handler can reach. Built once by the composition root.

use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::web;
use governor::clock::Clock as _;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::identity::Verifier;
use crate::report::PdfRenderer;
use crate::service::Service;
use crate::telemetry::Metrics;

/// Shared by all worker threads.
pub struct Api {
    /// The use cases.
    pub service: Service,
    /// Checks tokens.
    pub verifier: Verifier,
    /// Shown at `/metrics`.
    pub metrics: Metrics,
    /// Lays out reports.
    pub renderer: PdfRenderer,
    /// IANA name of the zone in which reports show times.
    pub report_zone: String,
    /// What requests may ask for.
    pub limits: Limits,
    rate: Option<DefaultKeyedRateLimiter<String>>,
}

/// What requests may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body in bytes.
    pub body: usize,
    /// Largest import in bytes.
    pub import: usize,
    /// Sustained requests per second of one token subject, and at once after a quiet time; nothing for no limit.
    pub rate: Option<(NonZeroU32, NonZeroU32)>,
}

/// The handle that handlers take.
pub(crate) type Shared = web::Data<Api>;

impl Api {
    /// Puts the parts together.
    pub fn new(
        service: Service,
        verifier: Verifier,
        metrics: Metrics,
        renderer: PdfRenderer,
        report_zone: String,
        limits: Limits,
    ) -> Self {
        let quota = limits.rate.map(|(per_second, burst)| Quota::per_second(per_second).allow_burst(burst));
        let rate = quota.map(RateLimiter::keyed);
        Self { service, verifier, metrics, renderer, report_zone, limits, rate }
    }

    /// How long `subject` has to wait before it may ask again; `None` if it may now.
    pub(crate) fn must_wait(&self, subject: &str) -> Option<Duration> {
        let limiter = self.rate.as_ref()?;
        if limiter.len() > 50_000 {
            limiter.retain_recent();
        }
        let refused = limiter.check_key(&subject.to_owned()).err()?;
        Some(refused.wait_time_from(governor::clock::DefaultClock::default().now()))
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Api").field("limits", &self.limits).finish_non_exhaustive()
    }
}
