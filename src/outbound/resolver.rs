//! Names to addresses, through the guard: what comes out of here is what is dialled.
//!
//! A name is refused as a whole if any of its addresses is, so that no answer can mix a public with an inner one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
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
    guard: Guard,
    lookup: Lookup,
}

impl GuardedResolver {
    pub(super) fn new(guard: Guard, lookup: Lookup) -> Self {
        Self { guard, lookup }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().to_owned());
        let guard = self.guard.clone();
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
    let resolver = match system_resolver() {
        Ok(resolver) => Some(Arc::new(resolver)),
        Err(error) => {
            tracing::warn!(%error, "no name servers found: no host can be reached by name");
            None
        }
    };
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

fn system_resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
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
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::outbound::OutboundSettings;

    /// A resolver whose name server gives these answers one after the other, and the last one ever after.
    fn resolver(answers: &'static [&'static [&'static str]]) -> GuardedResolver {
        let asked = AtomicUsize::new(0);
        let lookup: Lookup = Arc::new(move |_| {
            let answer = answers[asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
            let addresses = answer.iter().map(|address| address.parse().unwrap()).collect();
            futures::future::ready(Ok(addresses)).boxed()
        });
        GuardedResolver::new(Guard::new(&OutboundSettings::default()), lookup)
    }

    async fn resolve(resolver: &GuardedResolver) -> Result<Vec<String>, ResolveFault> {
        let found = resolver.resolve("example.com".parse().unwrap()).await;
        found
            .map(|addresses| addresses.map(|address| address.ip().to_string()).collect())
            .map_err(|error| *error.downcast::<ResolveFault>().unwrap())
    }

    #[tokio::test]
    async fn exactly_the_addresses_that_were_judged_are_dialled() {
        let public = resolver(&[&["1.1.1.1", "2a00:1450:4001::1"]]);
        assert_eq!(resolve(&public).await.unwrap(), ["1.1.1.1", "2a00:1450:4001::1"]);
    }

    #[tokio::test]
    async fn one_inner_address_among_public_ones_refuses_the_name() {
        assert_eq!(resolve(&resolver(&[&["1.1.1.1", "10.0.0.1"]])).await, Err(ResolveFault::Forbidden));
        assert_eq!(resolve(&resolver(&[&["1.1.1.1", "::ffff:127.0.0.1"]])).await, Err(ResolveFault::Forbidden));
    }

    #[tokio::test]
    async fn a_name_that_turns_inwards_between_two_requests_is_judged_anew() {
        let rebinding = resolver(&[&["1.1.1.1"], &["169.254.169.254"]]);
        assert!(resolve(&rebinding).await.is_ok());
        assert_eq!(resolve(&rebinding).await, Err(ResolveFault::Forbidden));
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_not_found() {
        assert_eq!(resolve(&resolver(&[&[]])).await, Err(ResolveFault::NotFound));
    }
}
