//! DKIM signatures (RFC 6376): rsa-sha256 over relaxed headers and body. Own code, because the crates that sign either
//! stand on `rsa` (RUSTSEC-2023-0071) or bind another version of aws-lc; the cryptography itself is `crypto`'s.
//! Signs only; verifies nothing.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use time::OffsetDateTime;

use crate::crypto::{RsaKey, sha256};

/// The headers that are signed where they stand, and may then not be added by others either.
const SIGNED: [&str; 13] = [
    "from",
    "to",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-language",
    "auto-submitted",
];
/// The length of one line of the signature in base64.
const LINE: usize = 72;

/// Whose name mail is signed in, and with which key.
#[derive(Clone)]
pub struct DkimSettings {
    /// The signing domain.
    pub domain: String,
    /// The selector, below which the public key stands in the DNS.
    pub selector: String,
    /// The private RSA key, as PEM.
    pub private_key_pem: String,
}

impl fmt::Debug for DkimSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("DkimSettings").field(&self.domain).field(&self.selector).finish()
    }
}

/// Why mail cannot be signed with these settings.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DkimError {
    /// The domain or the selector is no name.
    #[error("the domain or the selector for DKIM is no name")]
    Name,
    /// The key is no RSA key in PEM.
    #[error("the key for DKIM is no RSA key of at least 2048 bits in PEM")]
    Key,
}

/// Signs messages in the name of one domain.
#[derive(Clone, Debug)]
pub struct Dkim {
    domain: String,
    selector: String,
    key: RsaKey,
}

impl Dkim {
    /// A signer with these settings.
    pub fn new(settings: &DkimSettings) -> Result<Self, DkimError> {
        if !is_name(&settings.domain) || !is_name(&settings.selector) {
            return Err(DkimError::Name);
        }
        let der = PrivateKeyDer::from_pem_slice(settings.private_key_pem.as_bytes()).map_err(|_| DkimError::Key)?;
        let key = RsaKey::from_der(der.secret_der()).map_err(|_| DkimError::Key)?;
        Ok(Self { domain: settings.domain.clone(), selector: settings.selector.clone(), key })
    }

    /// The message with its signature in front; `message` is complete, with CR LF at the end of every line.
    pub fn sign(&self, message: &[u8], now: OffsetDateTime) -> Vec<u8> {
        let (headers, body) = split(message);
        let fields = fields(headers);
        let signed: Vec<&(String, String)> =
            SIGNED.iter().flat_map(|name| fields.iter().rev().filter(move |(known, _)| known == name)).collect();
        // Named once more than it stands there, a header cannot be added without breaking the signature.
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).chain(SIGNED).collect();
        let unsigned = format!(
            "v=1; a=rsa-sha256; c=relaxed/relaxed; d={};\r\n s={}; t={};\r\n h={};\r\n bh={};\r\n b=",
            self.domain,
            self.selector,
            now.unix_timestamp(),
            names.join(":\r\n "),
            STANDARD.encode(sha256(&relaxed_body(body))),
        );
        let mut input = String::new();
        for (name, value) in signed {
            let _ = write!(input, "{name}:{value}\r\n");
        }
        let _ = write!(input, "dkim-signature:{}", relaxed_value(&unsigned));
        let signature = folded(&STANDARD.encode(self.key.sign(input.as_bytes())));
        [format!("DKIM-Signature: {unsigned}{signature}\r\n").as_bytes(), message].concat()
    }
}

fn is_name(text: &str) -> bool {
    let is_sign = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'-' | b'.' | b'_');
    (1..=253).contains(&text.len()) && text.bytes().all(is_sign)
}

/// The headers with their last CR LF, and the body behind the empty line.
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    match message.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => (&message[..at + 2], &message[at + 4..]),
        None => (message, &[]),
    }
}

/// The headers in order, each with its name and its value in relaxed form (RFC 6376, 3.4.2).
fn fields(headers: &[u8]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in String::from_utf8_lossy(headers).split("\r\n").filter(|line| !line.is_empty()) {
        match (fields.last_mut(), line.split_once(':')) {
            (Some((_, value)), _) if line.starts_with([' ', '\t']) => value.push_str(line),
            (_, Some((name, value))) => fields.push((name.trim_end().to_ascii_lowercase(), value.to_owned())),
            _ => {}
        }
    }
    fields.into_iter().map(|(name, value)| (name, relaxed_value(&value))).collect()
}

/// Unfolded, with one space for every run of white space, and none at either end.
fn relaxed_value(value: &str) -> String {
    let words = value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// One space for every run of white space, none at the end of a line, no empty line at the end (RFC 6376, 3.4.4).
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut relaxed = Vec::with_capacity(body.len() + 2);
    let mut empty_lines = 0;
    for line in body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        let line = relaxed_line(line);
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        relaxed.extend(b"\r\n".repeat(std::mem::take(&mut empty_lines)));
        relaxed.extend(line);
        relaxed.extend(b"\r\n");
    }
    relaxed
}

fn relaxed_line(line: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut relaxed: Vec<u8> = Vec::with_capacity(line.len());
    for byte in line {
        match (is_space(byte), relaxed.last()) {
            (true, Some(b' ')) => {}
            (true, _) => relaxed.push(b' '),
            (false, _) => relaxed.push(*byte),
        }
    }
    let end = relaxed.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    relaxed.truncate(end);
    relaxed
}

fn folded(text: &str) -> String {
    let lines: Vec<&str> = (0..text.len()).step_by(LINE).map(|at| &text[at..text.len().min(at + LINE)]).collect();
    lines.join("\r\n ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_relaxed_as_there() {
        let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let (headers, body) = split(message);
        assert_eq!(fields(headers), [("a".into(), "X".into()), ("b".into(), "Y Z".into())]);
        assert_eq!(relaxed_body(body), b" C\r\nD E\r\n");
    }

    #[test]
    fn an_empty_body_is_nothing_and_empty_lines_within_stay() {
        assert_eq!(relaxed_body(b""), b"");
        assert_eq!(relaxed_body(b"\r\n \t\r\n"), b"");
        assert_eq!(relaxed_body(b"a\r\n\r\n\r\nb"), b"a\r\n\r\n\r\nb\r\n");
        assert_eq!(split(b"A: b\r\n"), (&b"A: b\r\n"[..], &b""[..]));
    }

    #[test]
    fn what_cannot_sign_is_refused() {
        let settings = |domain: &str, pem: &str| DkimSettings {
            domain: domain.into(),
            selector: "mail".into(),
            private_key_pem: pem.into(),
        };
        assert_eq!(Dkim::new(&settings("a;b", "")).unwrap_err(), DkimError::Name);
        assert_eq!(Dkim::new(&settings("example.org", "no key")).unwrap_err(), DkimError::Key);
        assert_eq!(format!("{:?}", settings("example.org", "secret")), "DkimSettings(\"example.org\", \"mail\")");
    }

    #[test]
    fn a_long_signature_is_folded() {
        assert_eq!(folded(&"a".repeat(73)), format!("{}\r\n a", "a".repeat(72)));
        assert!(
            Dkim::new(&DkimSettings { domain: String::new(), selector: "s".into(), private_key_pem: String::new() })
                .is_err()
        );
    }
}
