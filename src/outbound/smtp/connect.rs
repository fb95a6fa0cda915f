//! From the name of the relay to an encrypted stream that its certificate vouches for.
//!
//! The relay is named by whoever runs the service, so inner addresses are let through.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::evidence::Shared;
use super::verdict::Failure;
use super::{Inner, RelayError, RelayTls};
use crate::domain::delivery_outcome::FailureKind;
use crate::outbound::resolver::ResolveFault;

/// A connector that trusts the machine's authorities and those in `extra_ca`.
pub(super) fn connector(extra_ca: Option<&[u8]>) -> Result<TlsConnector, RelayError> {
    let config = trusting(extra_ca).map_err(|error| RelayError::Trust(error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}

fn trusting(extra_ca: Option<&[u8]>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let extra: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(extra_ca.unwrap_or_default())
        .collect::<Result<_, _>>()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

impl Inner {
    /// A TCP connection to the first address of the relay that answers.
    pub(super) async fn connect(&self, shared: &Shared) -> Result<TcpStream, Failure> {
        let connecting = async {
            let mut result = Err(Failure::configuration(FailureKind::Dns));
            for address in self.addresses().await? {
                if self.settings.tls == RelayTls::None && !address.is_loopback() {
                    return Err(Failure::configuration(FailureKind::ForbiddenAddress));
                }
                let peer = SocketAddr::new(address, self.settings.port);
                result = TcpStream::connect(peer).await.map_err(|_| Failure::transient(FailureKind::Connect));
                if result.is_ok() {
                    shared.lock().unwrap_or_else(PoisonError::into_inner).peer = Some(peer);
                    break;
                }
            }
            result
        };
        let limit = self.settings.connect_timeout;
        timeout(limit, connecting).await.unwrap_or(Err(Failure::transient(FailureKind::Connect)))
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, Failure> {
        if let Some(address) = self.settings.address() {
            return Ok(vec![address]);
        }
        (self.lookup)(self.settings.host.clone()).await.map_err(|fault| match fault {
            ResolveFault::Unavailable => Failure::transient(FailureKind::Dns),
            ResolveFault::NotFound | ResolveFault::Forbidden => Failure::configuration(FailureKind::Dns),
        })
    }

    /// The connection encrypted, if the relay proves to be who it should be.
    pub(super) async fn encrypt(&self, stream: TcpStream, shared: &Shared) -> Result<TlsStream<TcpStream>, Failure> {
        let untrusted = || Failure::configuration(FailureKind::Tls);
        let connector = self.tls.as_ref().ok_or_else(untrusted)?;
        let name = match self.settings.address() {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(self.settings.host.clone()).map_err(|_| untrusted())?,
        };
        let handshake = timeout(self.settings.connect_timeout, connector.connect(name, stream)).await;
        let stream = handshake.map_err(|_| Failure::transient(FailureKind::Connect))?.map_err(|error| {
            shared.lock().unwrap_or_else(PoisonError::into_inner).note(&format!("[TLS: {error}]"));
            of_handshake(&error)
        })?;
        shared.lock().unwrap_or_else(PoisonError::into_inner).tls = Some(facts(&stream));
        Ok(stream)
    }
}

/// A connection that breaks may hold next time; a certificate that is not trusted will not be.
fn of_handshake(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            Failure::transient(FailureKind::Reset)
        }
        _ => Failure::configuration(FailureKind::Tls),
    }
}

/// The version and the cipher suite, such as `TLSv1_3 TLS13_AES_256_GCM_SHA384`.
fn facts(stream: &TlsStream<TcpStream>) -> String {
    let (_, connection) = stream.get_ref();
    let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or_default();
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    format!("{version} {suite}")
}
