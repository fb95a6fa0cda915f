//! The three algorithms with keys made on the spot and tokens signed by an independent library; the built-in issuer.

use std::sync::Arc;

use art33::identity::{Algorithm, BuiltinIssuer, Fetch, Grant, Issuer, IssuerError, KeySource, TokenError, Verifier};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use time::Duration;

use crate::support::*;

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn signed(algorithm: jsonwebtoken::Algorithm, key: &EncodingKey) -> String {
    let header = Header { kid: Some("k1".to_owned()), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &payload(), key).unwrap()
}

fn rsa(size: KeySize) -> (String, EncodingKey) {
    let pair = RsaKeyPair::generate(size).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let signing = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).unwrap();
    (pem("PUBLIC KEY", public.as_ref()), signing)
}

fn ec() -> (Value, EncodingKey) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let private = pair.to_pkcs8v1().unwrap();
    (json!({"kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y}), EncodingKey::from_ec_der(private.as_ref()))
}

#[tokio::test]
async fn rs256_with_a_key_in_pem() {
    let (public, private) = rsa(KeySize::Rsa2048);
    let verifier = verifier_for(Algorithm::RS256, KeySource::Pem(public));
    let good = signed(jsonwebtoken::Algorithm::RS256, &private);
    assert_eq!(verifier.verify(&good, NOW).await.unwrap().subject, "user-1");
    let (_, other) = rsa(KeySize::Rsa2048);
    let forged = signed(jsonwebtoken::Algorithm::RS256, &other);
    assert_eq!(verifier.verify(&forged, NOW).await, Err(TokenError::WrongSignature));
    let family = signed(jsonwebtoken::Algorithm::RS512, &private);
    assert_eq!(verifier.verify(&family, NOW).await, Err(TokenError::WrongAlgorithm));
}

#[tokio::test]
async fn es256_with_a_jwk() {
    let (jwk, private) = ec();
    let verifier = verifier_for(Algorithm::ES256, KeySource::Builtin(jwk));
    let good = signed(jsonwebtoken::Algorithm::ES256, &private);
    assert_eq!(verifier.verify(&good, NOW).await.unwrap().organisation, "org_1");
    let forged = signed(jsonwebtoken::Algorithm::ES256, &ec().1);
    assert_eq!(verifier.verify(&forged, NOW).await, Err(TokenError::WrongSignature));
}

#[tokio::test]
async fn a_public_key_of_one_algorithm_is_no_secret_of_another() {
    let (public, _) = rsa(KeySize::Rsa2048);
    let verifier = verifier_for(Algorithm::RS256, KeySource::Pem(public.clone()));
    let forged = signed(jsonwebtoken::Algorithm::HS256, &EncodingKey::from_secret(public.as_bytes()));
    assert_eq!(verifier.verify(&forged, NOW).await, Err(TokenError::WrongAlgorithm));
}

#[test]
fn a_key_that_does_not_fit_its_algorithm_is_refused_at_the_start() {
    let fetch: Fetch = Arc::new(|_| Box::pin(async { Err(String::new()) }));
    let (public, _) = rsa(KeySize::Rsa2048);
    let issuer = |algorithm, keys| Issuer { issuer: ISSUER.to_owned(), algorithm, keys };
    for wrong in [
        issuer(Algorithm::EdDSA, KeySource::Pem(public.clone())),
        issuer(Algorithm::ES256, KeySource::Pem(public.clone())),
        issuer(Algorithm::RS256, KeySource::Pem("no key".to_owned())),
        issuer(Algorithm::RS256, KeySource::Builtin(key(1).to_jwk())),
    ] {
        let refused = Verifier::new(vec![wrong], AUDIENCE, Duration::DAY, &fetch).err();
        assert_eq!(refused, Some(IssuerError::WrongKey(ISSUER.to_owned())));
    }
    let good = issuer(Algorithm::RS256, KeySource::Pem(public));
    let refused = Verifier::new(vec![good.clone(), good], AUDIENCE, Duration::DAY, &fetch).err();
    assert_eq!(refused, Some(IssuerError::Twice(ISSUER.to_owned())));
}

#[tokio::test]
async fn the_built_in_issuer_is_trusted_like_any_other() {
    let fetch: Fetch = Arc::new(|_| Box::pin(async { Err(String::new()) }));
    let issuer = BuiltinIssuer { key: key(1), issuer: "art33".to_owned(), audience: AUDIENCE.to_owned() };
    let verifier = Verifier::new(vec![issuer.trusted()], AUDIENCE, Duration::DAY, &fetch).unwrap();
    let grant = Grant {
        subject: "desk".to_owned(),
        organisation: "org_1".to_owned(),
        scopes: vec!["admin".to_owned()],
        name: None,
        token_id: Some("t-1".to_owned()),
    };
    let token = issuer.issue(&grant, NOW, Duration::HOUR);
    let claims = verifier.verify(&token, NOW).await.unwrap();
    assert_eq!((claims.subject, claims.scopes, claims.name), (grant.subject.clone(), grant.scopes.clone(), None));
    assert_eq!(verifier.verify(&token, NOW + Duration::HOUR).await, Err(TokenError::Expired));
    let long = issuer.issue(&grant, NOW, Duration::WEEK);
    assert_eq!(verifier.verify(&long, NOW).await, Err(TokenError::TooLongLived));
}
