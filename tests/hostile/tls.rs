//! Receivers whose TLS cannot be trusted, or is none.

use std::sync::Arc;
use std::time::Duration;

use art33::domain::delivery_outcome::{FailureKind, Outcome};
use art33::outbound::{Outbound, OutboundSettings};
use futures::future::join_all;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, crypto};

use super::cases::bare;
use super::client::{HASTY, PATIENT, post, settings};
use super::receiver::{Act, Receiver, Script};

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate, what stands behind it, and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority of the test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate, for those who trust it.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    fn signs(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity { chain: vec![params.signed_by(&key, &self.0).unwrap().der().clone()], key }
    }
}

fn for_name(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

fn loopback() -> CertificateParams {
    for_name("127.0.0.1")
}

impl Identity {
    fn with(mut self, certificate: &CertificateDer<'static>, times: usize) -> Self {
        self.chain.extend(std::iter::repeat_n(certificate.clone(), times));
        self
    }

    /// The last byte belongs to the signature.
    fn forged(mut self) -> Self {
        let mut bytes = self.chain[0].to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        self.chain[0] = bytes.into();
        self
    }

    fn serves(self) -> ServerConfig {
        self.serves_with(&[&TLS12, &TLS13], None)
    }

    /// Serves those alone who show a certificate of `clients`.
    fn serves_with(self, versions: &[&'static SupportedProtocolVersion], clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_protocol_versions(versions).unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        config.with_single_cert(self.chain, key).unwrap()
    }
}

/// A receiver behind https, and what must come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) receiver: Receiver,
    pub(crate) outcome: Outcome,
    pub(crate) endless: bool,
}

const REFUSED: Outcome = Outcome::Configuration(FailureKind::Tls);

/// All of them, for a client that trusts `authority`.
pub(crate) fn all(authority: &Authority) -> Vec<Case> {
    let mut cases = vec![Case {
        name: "a certificate of an authority that is trusted",
        receiver: within(authority.signs(&loopback()).serves(), true),
        outcome: Outcome::Delivered,
        endless: false,
    }];
    let refused = untrusted(authority).into_iter().chain(demanding(authority));
    cases.extend(refused.map(|(name, config)| Case {
        name,
        receiver: within(config, false),
        outcome: REFUSED,
        endless: false,
    }));
    cases.extend(without_tls());
    cases
}

fn within(config: ServerConfig, honest: bool) -> Receiver {
    Receiver::start_tls(Script { acts: bare("200 OK"), honest }, config.into())
}

fn untrusted(authority: &Authority) -> Vec<(&'static str, ServerConfig)> {
    let (mut expired, mut early) = (loopback(), loopback());
    expired.not_after = date_time_ymd(2020, 1, 1);
    early.not_before = date_time_ymd(4000, 1, 1);
    let key = KeyPair::generate().unwrap();
    let self_signed = Identity { chain: vec![loopback().self_signed(&key).unwrap().der().clone()], key };
    let leaf = CertifiedIssuer::signed_by(loopback(), KeyPair::generate().unwrap(), &authority.0).unwrap();
    let key = KeyPair::generate().unwrap();
    let below = Identity { chain: vec![loopback().signed_by(&key, &leaf).unwrap().der().clone()], key };
    vec![
        ("expired", authority.signs(&expired).serves()),
        ("not yet valid", authority.signs(&early).serves()),
        ("for another host", authority.signs(&for_name("receiver.example")).serves()),
        ("for another address", authority.signs(&for_name("127.0.0.2")).serves()),
        ("signed by itself", self_signed.serves()),
        ("of an unknown authority", Authority::new().signs(&loopback()).serves()),
        ("signed by one who is no authority", below.with(leaf.der(), 1).serves()),
        ("with a forged signature", authority.signs(&loopback()).forged().serves()),
        ("a chain of a thousand", authority.signs(&loopback()).with(authority.0.der(), 1000).serves()),
    ]
}

fn demanding(authority: &Authority) -> Vec<(&'static str, ServerConfig)> {
    let mut other_protocol = authority.signs(&loopback()).serves();
    other_protocol.alpn_protocols = vec![b"h2".to_vec()];
    vec![
        ("a certificate of ours under TLS 1.2", authority.signs(&loopback()).serves_with(&[&TLS12], Some(authority))),
        ("a certificate of ours under TLS 1.3", authority.signs(&loopback()).serves_with(&[&TLS13], Some(authority))),
        ("HTTP/2 and nothing else", other_protocol),
    ]
}

/// The answer to a handshake in a version of TLS that is too old.
fn old_hello(minor: u8) -> Vec<u8> {
    let hello = [&[2, 0, 0, 38, 3, minor][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
    [&[22, 3, minor, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat()
}

fn without_tls() -> Vec<Case> {
    let case = |name, acts, outcome, endless| {
        let receiver = Receiver::start_addressed_by_https(Script { acts, honest: false });
        Case { name, receiver, outcome, endless }
    };
    let refused = |name, bytes: &[u8]| case(name, vec![Act::Write(bytes.to_vec()), Act::Hold], REFUSED, false);
    let too_slow = Outcome::Transient(FailureKind::Connect);
    // A record that announces more than ever comes.
    let drops = Act::Drip([&[22, 3, 3, 0x40, 0][..], &[0; 2000]].concat(), Duration::from_millis(100));
    vec![
        refused("TLS 1.0", &old_hello(1)),
        refused("TLS 1.1", &old_hello(2)),
        refused("SSL 3", &old_hello(0)),
        refused("no TLS at all", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        refused("an alarm", &[21, 3, 3, 0, 2, 2, 40]),
        case("hangs up in the handshake", vec![], REFUSED, false),
        case("records without end", vec![Act::Repeat([22, 3, 3, 0x40, 0].repeat(100), usize::MAX)], REFUSED, false),
        case("never greets back", vec![Act::Hold], too_slow, true),
        case("greets drop by drop", vec![drops], too_slow, true),
    ]
}

#[tokio::test]
async fn every_handshake_has_its_outcome() {
    let authority = Authority::new();
    let trusting = |connect| {
        let extra_ca = Some(authority.pem());
        Outbound::new(&OutboundSettings { connect_timeout: connect, extra_ca, ..settings(PATIENT) }).unwrap()
    };
    let (patient, hasty) = (&trusting(PATIENT), &trusting(HASTY));
    let wrong = join_all(all(&authority).into_iter().map(|case| async move {
        let exchange = post(if case.endless { hasty } else { patient }, &case.receiver.url).await;
        let left_alone = tokio::time::timeout(PATIENT, case.receiver.is_left_alone()).await.is_ok();
        let little = case.receiver.written() < 4 * 1024 * 1024;
        let right = exchange.outcome == case.outcome && left_alone && little;
        (!right).then(|| format!("{}: {exchange:?}, {} bytes", case.name, case.receiver.written()))
    }))
    .await;
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_authority_is_trusted_only_by_who_was_told_to() {
    let authority = Authority::new();
    let receiver = within(authority.signs(&loopback()).serves(), false);
    let exchange = post(&super::client::client(PATIENT), &receiver.url).await;
    assert_eq!((exchange.outcome, receiver.requests()), (REFUSED, 0));
}

#[tokio::test]
async fn authorities_that_are_none_stop_the_start() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    for extra_ca in [String::new(), "no PEM".to_owned(), key, broken] {
        let settings = OutboundSettings { extra_ca: Some(extra_ca.clone()), ..settings(PATIENT) };
        assert!(Outbound::new(&settings).is_err(), "{extra_ca}");
    }
}
