//! The rules for where requests may go: schemes, ports and addresses.
//!
//! Judges; connects to nothing and resolves nothing.

use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;
use url::{Host, Url};

use super::{OutboundSettings, addresses};
use crate::domain::delivery_outcome::FailureKind;

/// The rules for where requests may go.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Vec<IpNet>,
    allow_http: bool,
    ports: Vec<u16>,
}

/// Why a URL is refused. Fit to be shown to whoever registers it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UrlFault {
    /// Neither `https`, nor `http` where that is allowed.
    #[error("the scheme must be https")]
    Scheme,
    /// A user name or a password, which would end up in logs and evidence.
    #[error("the URL must not hold a user name or a password")]
    UserInfo,
    /// A fragment, which is never sent.
    #[error("the URL must not hold a fragment")]
    Fragment,
    /// A port outside the list.
    #[error("the port {0} is not allowed")]
    Port(u16),
    /// An address that is not public.
    #[error("the address is not a public one")]
    ForbiddenAddress,
}

impl UrlFault {
    /// The kind of failure that an attempt to use such a URL ends in.
    pub fn kind(self) -> FailureKind {
        match self {
            Self::ForbiddenAddress => FailureKind::ForbiddenAddress,
            Self::Scheme | Self::UserInfo | Self::Fragment | Self::Port(_) => FailureKind::InvalidRequest,
        }
    }
}

impl Guard {
    /// The rules of these settings.
    pub fn new(settings: &OutboundSettings) -> Self {
        Self { allow: settings.allow.clone(), allow_http: settings.allow_http, ports: settings.ports.clone() }
    }

    /// Whether a connection to `address` may be made.
    pub fn permits(&self, address: IpAddr) -> bool {
        self.is_allowed(address) || !addresses::is_forbidden(address)
    }

    /// Refuses a URL that requests may never go to. What its name resolves to is judged when connecting.
    ///
    /// The parser of [`Url`] has already turned `0x7f.1`, `2130706433` and the like into plain addresses.
    pub fn check_url(&self, url: &Url) -> Result<(), UrlFault> {
        if url.scheme() != "https" && !(self.allow_http && url.scheme() == "http") {
            return Err(UrlFault::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlFault::Fragment);
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if address.is_some_and(|address| !self.permits(address)) {
            return Err(UrlFault::ForbiddenAddress);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.ports.contains(&port) && !address.is_some_and(|address| self.is_allowed(address)) {
            return Err(UrlFault::Port(port));
        }
        Ok(())
    }

    fn is_allowed(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|net| net.contains(&address))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn strict() -> Guard {
        Guard::new(&OutboundSettings::default())
    }

    fn on_loopback() -> Guard {
        let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        Guard::new(&OutboundSettings { allow, allow_http: true, ..OutboundSettings::default() })
    }

    fn check(guard: &Guard, url: &str) -> Result<(), UrlFault> {
        guard.check_url(&url.parse().unwrap())
    }

    #[test]
    fn ordinary_addresses_pass() {
        for url in
            ["https://example.com/hook", "https://example.com:8443/?a=b", "https://1.1.1.1/", "https://bücher.example/"]
        {
            assert_eq!(check(&strict(), url), Ok(()), "{url}");
        }
    }

    #[test]
    fn every_spelling_of_an_inner_address_is_refused() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "127.0.0.1.",
            "0.0.0.0",
            "0",
            "169.254.169.254",
            "[::1]",
            "[::]",
            "[::ffff:7f00:1]",
            "[::ffff:127.0.0.1]",
            "[::7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
            "１２７.０.０.１",
        ] {
            assert_eq!(check(&strict(), &format!("https://{host}/")), Err(UrlFault::ForbiddenAddress), "{host}");
        }
    }

    #[test]
    fn what_is_not_plain_https_on_a_listed_port_is_refused() {
        for (url, fault) in [
            ("http://example.com/", UrlFault::Scheme),
            ("ftp://example.com/", UrlFault::Scheme),
            ("file:///etc/passwd", UrlFault::Scheme),
            ("https://user@example.com/", UrlFault::UserInfo),
            ("https://:password@example.com/", UrlFault::UserInfo),
            ("https://example.com/#part", UrlFault::Fragment),
            ("https://example.com:22/", UrlFault::Port(22)),
            ("https://1.1.1.1:6379/", UrlFault::Port(6379)),
        ] {
            assert_eq!(check(&strict(), url), Err(fault), "{url}");
        }
    }

    #[test]
    fn an_allowed_network_is_open_on_any_port_and_opens_nothing_else() {
        let guard = on_loopback();
        assert_eq!(check(&guard, "http://127.0.0.1:40123/hook"), Ok(()));
        assert_eq!(check(&guard, "http://[::1]:40123/hook"), Ok(()));
        assert_eq!(check(&guard, "http://10.0.0.1/"), Err(UrlFault::ForbiddenAddress));
        assert_eq!(check(&guard, "https://example.com:40123/"), Err(UrlFault::Port(40123)));
        assert!(guard.permits("127.0.0.1".parse().unwrap()));
        assert!(!strict().permits("127.0.0.1".parse().unwrap()));
    }
}
