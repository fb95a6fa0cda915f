//! A certificate authority that lives as long as the sink, and the one certificate that it has issued.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use crate::bench::BenchError;

/// All hosts of the sink lie here: names that every resolver turns into loopback. A wildcard needs two labels behind it.
pub(super) const DOMAIN: &str = "sink.localhost";

/// What TLS takes: the settings of the listening side, and the certificate of the authority in PEM.
pub(super) fn issue() -> Result<(Arc<ServerConfig>, String), BenchError> {
    let mut authority = CertificateParams::new(Vec::new()).map_err(unusable)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(unusable)?).map_err(unusable)?;
    let key = KeyPair::generate().map_err(unusable)?;
    let names = CertificateParams::new(vec![format!("*.{DOMAIN}")]).map_err(unusable)?;
    let certificate = names.signed_by(&key, &authority).map_err(unusable)?;
    let settings = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .map_err(unusable)?;
    Ok((Arc::new(settings), authority.as_ref().pem()))
}

fn unusable(error: impl std::fmt::Display) -> BenchError {
    BenchError::Unusable(format!("no certificate can be made: {error}"))
}
