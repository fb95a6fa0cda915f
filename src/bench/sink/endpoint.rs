//! One connection: takes requests, counts them, and answers in the manner of the endpoint that they are for.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::tally::{Manner, Tally};
use crate::bench::message::{Frame, header};

/// The type of the message by which the service asks whether an endpoint agrees to be told.
const VERIFY: &str = "endpoint.verify";
/// How often an endpoint that drips sends one byte.
const DRIP: Duration = Duration::from_secs(1);

/// What a request says of itself.
struct Request<'r> {
    endpoint: usize,
    message: &'r str,
    is_last: bool,
    body: &'r [u8],
}

/// Answers request after request until the other side has enough.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, tally: &Tally) -> io::Result<()> {
    let mut received = Vec::with_capacity(4096);
    loop {
        let frame = loop {
            if let Some(frame) = Frame::find(&received) {
                break frame;
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        };
        let request = Request::read(frame, &received);
        let manner = match request.challenge() {
            Some(challenge) => {
                tally.verified();
                Manner::Answer(json!({"challenge": challenge}).to_string())
            }
            None => tally.received(request.endpoint, request.message),
        };
        let is_last = request.is_last;
        match manner {
            Manner::Answer(body) => stream.write_all(answer(&body, is_last).as_bytes()).await?,
            Manner::Hang => return hang(stream).await,
            Manner::Drip => return drip(stream).await,
        }
        if is_last {
            return stream.shutdown().await;
        }
        received.drain(..frame.end);
    }
}

impl<'r> Request<'r> {
    fn read(frame: Frame, received: &'r [u8]) -> Self {
        let head = frame.head(received);
        let path = head.split(' ').nth(1).unwrap_or_default();
        Self {
            endpoint: path.trim_start_matches('/').parse().unwrap_or(usize::MAX),
            message: header(head, "webhook-id").unwrap_or_default(),
            is_last: header(head, "connection").is_some_and(|wish| wish.eq_ignore_ascii_case("close")),
            body: frame.body(received),
        }
    }

    /// What an endpoint has to give back to be taken for one.
    fn challenge(&self) -> Option<Value> {
        if !self.body.windows(VERIFY.len()).any(|window| window == VERIFY.as_bytes()) {
            return None;
        }
        let body: Value = serde_json::from_slice(self.body).ok()?;
        (body["type"] == VERIFY).then(|| body["data"]["challenge"].clone())
    }
}

fn answer(body: &str, is_last: bool) -> String {
    let close = if is_last { "connection: close\r\n" } else { "" };
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{close}content-length: {}\r\n\r\n{body}", body.len())
}

/// Never answers; waits until the other side goes away.
async fn hang<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<()> {
    let mut rest = [0; 64];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Answers well and then never comes to the end of its body.
async fn drip<S: AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await?;
    loop {
        stream.write_all(b".").await?;
        stream.flush().await?;
        tokio::time::sleep(DRIP).await;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn posted(path: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nwebhook-id: dlv_1\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    }

    async fn answered(tally: &Tally, sent: &[u8]) -> String {
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        ours.write_all(sent).await.unwrap();
        ours.shutdown().await.unwrap();
        drop(converse(theirs, tally).await);
        let mut text = String::new();
        ours.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_challenge_is_given_back_even_where_nothing_else_is_answered() {
        let tally = Tally::default();
        tally.obey("begin 100").unwrap();
        let verify = posted("/7", r#"{"type":"endpoint.verify","data":{"challenge":"abc"}}"#);
        assert!(answered(&tally, &verify).await.ends_with(r#"{"challenge":"abc"}"#));
        assert_eq!(answered(&tally, &posted("/7", r#"{"type":"notice.initial"}"#)).await, "");
    }

    #[tokio::test]
    async fn every_request_of_a_kept_connection_is_answered() {
        let tally = Tally::default();
        let two = [posted("/1", "{}"), posted("/2", "{}")].concat();
        assert_eq!(answered(&tally, &two).await.matches("HTTP/1.1 200 OK").count(), 2);
    }
}
