//! Certificates and keys that are made for one test.

use std::path::PathBuf;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

/// A certificate authority, and the files of a server that it vouches for under one name.
pub(crate) struct Pki {
    pub(crate) authority: Vec<u8>,
    files: tempfile::TempDir,
}

impl Pki {
    pub(crate) fn vouching_for(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem().into_bytes();
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = server.signed_by(&server_key, &Issuer::new(params, key)).unwrap();
        let pki = Self { authority, files: tempfile::tempdir().unwrap() };
        pki.keep("authority", &pki.authority);
        pki.keep("certificate", certificate.pem().as_bytes());
        pki.keep("key", server_key.serialize_pem().as_bytes());
        pki
    }

    /// The file of this name.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Writes a file that lives as long as this.
    pub(crate) fn keep(&self, name: &str, content: &[u8]) {
        std::fs::write(self.file(name), content).unwrap();
    }

    /// The options of a mail server, with the certificate and its key.
    pub(crate) fn serving(&self, mut options: Value) -> Value {
        options["certificate"] = json!(self.file("certificate"));
        options["key"] = json!(self.file("key"));
        options
    }
}

/// A key that signs mail, as PEM, and the DNS record that others check it with.
pub(crate) fn dkim_key() -> (String, String) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let body = STANDARD.encode(private.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    (pem, format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public.as_ref())))
}
