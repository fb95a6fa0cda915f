//! `art33 health`: asks a running service.

use std::net::IpAddr;

use url::Url;

use super::{CliError, print, runtime};
use crate::app::AppError;
use crate::config::{self, Config};
use crate::outbound::{Outbound, OutboundSettings};

/// Fails unless the service answers that it is ready.
pub(super) fn health(config: &Config, url: Option<Url>) -> Result<(), CliError> {
    let base = url.map_or_else(|| own_address(&config.server), Ok)?;
    let ready = base.join("/readyz").map_err(|error| CliError::Refused(format!("{base} is no base: {error}")))?;
    runtime()?.block_on(async {
        let client = Outbound::new(&to_anywhere()).map_err(AppError::from)?;
        match client.fetch_json(&ready, 64 * 1024).await {
            Ok(_) => print("ready\n"),
            Err(kind) => Err(CliError::Refused(format!("{ready} is not ready ({kind})"))),
        }
    })
}

/// The operator names the address, so no network is closed.
pub(super) fn to_anywhere() -> OutboundSettings {
    let allow = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
    OutboundSettings { allow, allow_http: true, ..OutboundSettings::default() }
}

/// Where a service with this configuration is reached from the same machine.
pub(super) fn own_address(server: &config::Server) -> Result<Url, CliError> {
    let ip = server.listen.ip();
    let host = match ip {
        IpAddr::V4(_) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(_) if ip.is_unspecified() => "[::1]".to_owned(),
        IpAddr::V4(_) => ip.to_string(),
        IpAddr::V6(_) => format!("[{ip}]"),
    };
    let url = format!("http://{host}:{}", server.listen.port());
    Url::parse(&url).map_err(|error| CliError::Refused(format!("{url} is no URL: {error}")))
}
