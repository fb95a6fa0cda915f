//! Key sets fetched over HTTP from a server on loopback, through the guarded client.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use art33::crypto::SigningKey;
use art33::identity::{Algorithm, Fetch, KeySource, TokenError, Verifier};
use art33::outbound::{Outbound, OutboundSettings};
use serde_json::json;
use time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::support::*;

/// A server that publishes a key set, and counts how often it is asked.
struct Publisher {
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    url: Url,
}

impl Publisher {
    async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap()).parse().unwrap();
        let publisher = Self { answer: Arc::default(), asked: Arc::default(), url };
        publisher.publish(keys);
        let (answer, asked) = (Arc::clone(&publisher.answer), Arc::clone(&publisher.asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let answer = answer.lock().unwrap().clone();
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        publisher
    }

    fn publish(&self, keys: &[&SigningKey]) {
        let set = json!({"keys": keys.iter().map(|key| key.to_jwk()).collect::<Vec<_>>()}).to_string();
        self.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{set}", set.len()));
    }

    fn fail(&self) {
        self.say("HTTP/1.1 503 Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned());
    }

    fn say(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn verifier(&self) -> Verifier {
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        let settings = OutboundSettings { allow, allow_http: true, ..OutboundSettings::default() };
        let outbound = Outbound::new(&settings).unwrap();
        let fetch: Fetch = Arc::new(move |url| {
            let outbound = outbound.clone();
            Box::pin(async move { outbound.fetch_json(&url, 64 * 1024).await.map_err(|kind| kind.to_string()) })
        });
        verifier_with(Algorithm::EdDSA, KeySource::Jwks(self.url.clone()), &fetch)
    }
}

fn good(key: &SigningKey) -> String {
    token(key, &header(key), &payload())
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept() {
    let key = key(1);
    let publisher = Publisher::start(&[&key]).await;
    let verifier = publisher.verifier();
    for n in 0..5 {
        assert!(verifier.verify(&good(&key), NOW + Duration::minutes(n)).await.is_ok());
    }
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_at_most_once_a_minute() {
    let (old, new) = (key(1), key(2));
    let publisher = Publisher::start(&[&old]).await;
    let verifier = publisher.verifier();
    assert!(verifier.verify(&good(&old), NOW).await.is_ok());
    publisher.publish(&[&old, &new]);
    for second in [0, 1, 30, 59] {
        let refused = verifier.verify(&good(&new), NOW + Duration::seconds(second)).await;
        assert_eq!(refused, Err(TokenError::UnknownKey));
    }
    assert_eq!(publisher.asked(), 1);
    assert!(verifier.verify(&good(&new), NOW + Duration::MINUTE).await.is_ok());
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test]
async fn made_up_key_ids_do_not_flood_the_issuer() {
    let key = key(1);
    let publisher = Publisher::start(&[&key]).await;
    let verifier = publisher.verifier();
    for n in 0..50 {
        let made_up = token(&key, &with(header(&key), "kid", json!(format!("made-up-{n}"))), &payload());
        assert_eq!(verifier.verify(&made_up, NOW).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test]
async fn callers_at_the_same_instant_share_one_request() {
    let key = key(1);
    let publisher = Publisher::start(&[&key]).await;
    let verifier = publisher.verifier();
    let token = good(&key);
    let results = futures::future::join_all((0..20).map(|_| verifier.verify(&token, NOW))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test]
async fn an_outage_of_the_issuer_leaves_the_known_keys_in_use() {
    let key = key(1);
    let publisher = Publisher::start(&[&key]).await;
    let verifier = publisher.verifier();
    assert!(verifier.verify(&good(&key), NOW).await.is_ok());
    for garbage in
        ["", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    {
        publisher.say(garbage.to_owned());
        let before = publisher.asked();
        let later = NOW + Duration::minutes(11 + i64::try_from(before).unwrap());
        let made_up = token(&key, &with(header(&key), "kid", json!("other")), &payload());
        assert_eq!(verifier.verify(&made_up, later).await, Err(TokenError::UnknownKey));
        assert!(publisher.asked() > before, "the issuer was asked");
        assert!(verifier.verify(&good(&key), later).await.is_ok(), "and the known key still counts");
    }
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_asked_again_later() {
    let key = key(1);
    let publisher = Publisher::start(&[&key]).await;
    publisher.fail();
    let verifier = publisher.verifier();
    assert_eq!(verifier.verify(&good(&key), NOW).await, Err(TokenError::KeysUnavailable));
    publisher.publish(&[&key]);
    assert_eq!(verifier.verify(&good(&key), NOW).await, Err(TokenError::KeysUnavailable));
    assert!(verifier.verify(&good(&key), NOW + Duration::MINUTE).await.is_ok());
}

#[tokio::test]
async fn a_key_taken_back_is_refused_after_the_next_renewal_even_for_tokens_seen_before() {
    let (compromised, other) = (key(1), key(2));
    let publisher = Publisher::start(&[&compromised]).await;
    let verifier = publisher.verifier();
    assert!(verifier.verify(&good(&compromised), NOW).await.is_ok());
    publisher.publish(&[&other]);
    let later = NOW + Duration::minutes(10);
    // The first use after ten minutes starts the renewal behind its answer; from then on it is a matter of moments.
    let refused = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        loop {
            if let Err(refusal) = verifier.verify(&good(&compromised), later).await {
                return refusal;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(refused.await, Ok(TokenError::UnknownKey));
    assert_eq!(publisher.asked(), 2);
}
