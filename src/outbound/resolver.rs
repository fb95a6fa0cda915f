//! Names to addresses, through the guard: what comes out of here is what is dialled.
//!
//! A name is refused as a whole if any of its addresses is, so that no answer can mix a public with an inner one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::Guard;

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum ResolveFault {
    #[error("the name does not exist or has no address")]
    NotFound,
    #[error("the name servers do not answer")]
    Unavailable,
    #[error("the name has an address that is not public")]
    Forbidden,
}

/// A look-up of all addresses of a name.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Vec<IpAddr>, ResolveFault>> + Send + Sync>;

/// The resolver that the HTTP client uses for every host that is not written as an address.
pub(super) struct GuardedResolver {
    guard: Arc<Guard>,
    lookup: Lookup,
}

impl GuardedResolver {
    pub(super) fn new(guard: Arc<Guard>, lookup: Lookup) -> Self {
        Self { guard, lookup }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().to_owned());
        let guard = Arc::clone(&self.guard);
        async move {
            let addresses = found.await?;
            if addresses.is_empty() {
                return Err(ResolveFault::NotFound.into());
            }
            if !addresses.iter().all(|address| guard.permits(*address)) {
                return Err(ResolveFault::Forbidden.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        }
        .boxed()
    }
}

/// The name servers and the hosts file of the machine, without its search domains.
///
/// A machine without name servers reaches no names, but still reaches addresses.
pub(super) fn system_lookup() -> Lookup {
    match TokioResolver::builder_tokio().and_then(built) {
        Ok(resolver) => lookup_with(Some(resolver)),
        Err(error) => {
            tracing::warn!(%error, "no name servers found: no host can be reached by name");
            lookup_with(None)
        }
    }
}

fn lookup_with(resolver: Option<TokioResolver>) -> Lookup {
    let resolver = resolver.map(Arc::new);
    Arc::new(move |name| {
        let resolver = resolver.clone();
        async move {
            let resolver = resolver.ok_or(ResolveFault::Unavailable)?;
            // With a full stop at its end, no search domain is ever tried.
            let absolute = format!("{}.", name.trim_end_matches('.'));
            let found = resolver.lookup_ip(absolute).await.map_err(|error| fault_of(&error))?;
            Ok(found.iter().collect())
        }
        .boxed()
    })
}

fn built(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = Duration::from_secs(1);
    options.attempts = 2;
    builder.build()
}

fn fault_of(error: &NetError) -> ResolveFault {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(answer))
            if matches!(answer.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
        {
            ResolveFault::NotFound
        }
        _ => ResolveFault::Unavailable,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
#[path = "resolver_tests.rs"]
mod tests;
