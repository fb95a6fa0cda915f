//! A letter to one recipient, composed to the exact bytes that are sent: plain text in 7 bits, nothing that phones home.
//!
//! Knows the form of a message (RFC 5322, MIME), not what it says.

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use thiserror::Error;
use time::OffsetDateTime;

/// The longest subject, display name or list of references, in bytes.
const TEXT_LIMIT: usize = 1000;
/// The longest address or message id, in bytes.
const ADDRESS_LIMIT: usize = 254;

/// An address with the name shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name; may be empty.
    pub name: String,
    /// The address, in ASCII.
    pub address: String,
}

/// What a letter says, to whom, and in answer to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Who sends it.
    pub from: Mailbox,
    /// The address of the one recipient.
    pub to: String,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<String>,
    /// The subject, in one line.
    pub subject: String,
    /// Its id without angle brackets; stays the same however often it is sent.
    pub message_id: String,
    /// The id of the letter that it follows.
    pub in_reply_to: Option<String>,
    /// The ids of the letters before it, oldest first.
    pub references: Vec<String>,
    /// When it was written.
    pub date: OffsetDateTime,
    /// The text, in lines of any length.
    pub text: String,
    /// The language of the text (BCP 47), such as `de`.
    pub language: String,
}

/// Why no message can be made of a letter.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LetterFault {
    /// An address is not one, or not in ASCII.
    #[error("{0} is no e-mail address in ASCII")]
    Address(&'static str),
    /// A message id is not one.
    #[error("{0} is no message id")]
    MessageId(&'static str),
    /// A line of the header holds a control character, or is too long.
    #[error("{0} is no single line of at most 1000 bytes")]
    Line(&'static str),
    /// The language is no language tag.
    #[error("the language is no language tag")]
    Language,
}

impl Letter {
    /// The message as it is sent: headers and body in 7 bits, every line ended by CR LF.
    ///
    /// The same letter always gives the same bytes.
    pub fn compose(&self) -> Result<Vec<u8>, LetterFault> {
        self.check()?;
        let mut message = MessageBuilder::new()
            .from(Address::new_address(
                (!self.from.name.is_empty()).then_some(self.from.name.as_str()),
                self.from.address.as_str(),
            ))
            .to(Address::new_address(None::<&str>, self.to.as_str()));
        if let Some(address) = &self.reply_to {
            message = message.reply_to(Address::new_address(None::<&str>, address.as_str()));
        }
        message = message
            .subject(self.subject.as_str())
            .date(self.date.unix_timestamp())
            .message_id(self.message_id.as_str());
        if let Some(id) = &self.in_reply_to {
            message = message.in_reply_to(id.as_str());
        }
        if !self.references.is_empty() {
            message = message.references(MessageId::new_list(self.references.iter().map(String::as_str)));
        }
        message = message
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .header("Content-Language", Raw::new(self.language.as_str()))
            .body(MimePart::new("text/plain", lines(&self.text)));
        let mut bytes = Vec::new();
        message.serialize(&mut bytes);
        Ok(bytes)
    }

    fn check(&self) -> Result<(), LetterFault> {
        let addresses = [Some(("the sender", &self.from.address)), Some(("the recipient", &self.to))];
        let reply_to = self.reply_to.as_ref().map(|address| ("the address for answers", address));
        for (name, address) in addresses.into_iter().chain([reply_to]).flatten() {
            is_address(address).then_some(()).ok_or(LetterFault::Address(name))?;
        }
        is_message_id(&self.message_id).then_some(()).ok_or(LetterFault::MessageId("the id"))?;
        let before = self.in_reply_to.iter().chain(&self.references);
        before.clone().all(|id| is_message_id(id)).then_some(()).ok_or(LetterFault::MessageId("a letter before"))?;
        for (name, text) in [("the name of the sender", &self.from.name), ("the subject", &self.subject)] {
            is_line(text).then_some(()).ok_or(LetterFault::Line(name))?;
        }
        let is_tag = |text: &str| text.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'-');
        let fits = (2..=35).contains(&self.language.len()) && is_tag(&self.language);
        fits.then_some(()).ok_or(LetterFault::Language)
    }
}

/// Whether it can stand as an address in a header and on a command line without being read as anything else.
pub(super) fn is_address(text: &str) -> bool {
    is_message_id(text) && !text.contains(['"', '\\', '(', ')', '[', ']', ',', ';', ':'])
}

/// Printable ASCII without spaces and angle brackets, with one part on each side of the one `@`.
fn is_message_id(text: &str) -> bool {
    let halves = text.split_once('@');
    let has_halves = halves.is_some_and(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains('@'));
    has_halves
        && text.len() <= ADDRESS_LIMIT
        && text.bytes().all(|sign| sign.is_ascii_graphic() && !b"<>".contains(&sign))
}

fn is_line(text: &str) -> bool {
    text.len() <= TEXT_LIMIT && !text.contains(char::is_control)
}

/// The text with every line ended by CR LF.
fn lines(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = unix.trim_end_matches('\n').replace('\n', "\r\n");
    lines.push_str("\r\n");
    lines
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use mail_parser::{Message, MessageParser};
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn letter() -> Letter {
        Letter {
            from: Mailbox { name: "Müller, \"Notices\" GmbH".into(), address: "notices@example.org".into() },
            to: "desk@example.com".into(),
            reply_to: Some("dpo@example.org".into()),
            subject: "Meldung einer Verletzung – Änderung".into(),
            message_id: "n.1.2@example.org".into(),
            in_reply_to: Some("n.1.1@example.org".into()),
            references: vec!["n.1.0@example.org".into(), "n.1.1@example.org".into()],
            date: datetime!(2026-11-18 10:00:00 UTC),
            text: format!("Guten Tag,\n.\nFrom here\r\n{}\n", "wörter und mehr ".repeat(40)),
            language: "de".into(),
        }
    }

    fn parse(bytes: &[u8]) -> Message<'_> {
        MessageParser::default().parse(bytes).unwrap()
    }

    #[test]
    fn another_library_reads_what_was_written() {
        let bytes = letter().compose().unwrap();
        let message = parse(&bytes);
        let from = message.from().unwrap().first().unwrap();
        assert_eq!((from.name(), from.address()), (Some("Müller, \"Notices\" GmbH"), Some("notices@example.org")));
        assert_eq!(message.to().unwrap().first().unwrap().address(), Some("desk@example.com"));
        assert_eq!(message.reply_to().unwrap().first().unwrap().address(), Some("dpo@example.org"));
        assert_eq!(message.subject(), Some(letter().subject.as_str()));
        assert_eq!(message.message_id(), Some("n.1.2@example.org"));
        assert_eq!(message.in_reply_to().as_text(), Some("n.1.1@example.org"));
        assert_eq!(message.references().as_text_list().unwrap(), letter().references.as_slice());
        assert_eq!(message.date().unwrap().to_timestamp(), letter().date.unix_timestamp());
        assert_eq!(message.header_raw("Auto-Submitted"), Some(" auto-generated\r\n"));
        assert_eq!(message.header_raw("Content-Language"), Some(" de\r\n"));
        assert_eq!(message.body_text(0).unwrap().replace("\r\n", "\n"), letter().text.replace("\r\n", "\n"));
        assert_eq!((message.html_body_count() > 1, message.attachment_count()), (false, 0));
    }

    #[test]
    fn the_bytes_are_seven_bit_lines_and_the_same_every_time() {
        let bytes = letter().compose().unwrap();
        assert!(bytes.is_ascii() && bytes.ends_with(b"\r\n"));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])), "{text}");
        assert_eq!(text.as_bytes(), letter().compose().unwrap());
    }

    #[test]
    fn what_could_break_out_of_its_header_is_refused() {
        type Spoil = fn(&mut Letter, String);
        let evil = "a\r\nBcc: everybody@example.com";
        let spoilt: [(Spoil, LetterFault); 9] = [
            (|letter, evil| letter.subject = evil, LetterFault::Line("the subject")),
            (|letter, evil| letter.from.name = evil, LetterFault::Line("the name of the sender")),
            (|letter, evil| letter.from.address = evil, LetterFault::Address("the sender")),
            (|letter, evil| letter.to = evil, LetterFault::Address("the recipient")),
            (|letter, evil| letter.reply_to = Some(evil), LetterFault::Address("the address for answers")),
            (|letter, evil| letter.message_id = evil, LetterFault::MessageId("the id")),
            (|letter, evil| letter.in_reply_to = Some(evil), LetterFault::MessageId("a letter before")),
            (|letter, evil| letter.references.push(evil), LetterFault::MessageId("a letter before")),
            (|letter, evil| letter.language = evil, LetterFault::Language),
        ];
        for (spoil, fault) in spoilt {
            let mut letter = letter();
            spoil(&mut letter, evil.to_owned());
            assert_eq!(letter.compose(), Err(fault));
        }
    }

    #[test]
    fn only_one_plain_address_is_an_address() {
        for text in
            ["", "desk", "@example.com", "desk@", "a@b@c", "a b@c", "<a@b>", "a@b>", "ä@b.de", "a,b@c", "a@[1.2.3.4]"]
        {
            assert!(!is_address(text), "{text}");
        }
        assert!(is_address("first.last+tag@mail.example.com"));
    }

    proptest! {
        #[test]
        fn no_text_adds_a_header(subject in "\\PC{0,300}", name in "\\PC{0,300}", text in "(?s).{0,500}") {
            let from = Mailbox { name, address: "notices@example.org".into() };
            let letter = Letter { subject: subject.clone(), from, text, ..letter() };
            if let Ok(bytes) = letter.compose() {
                let names: Vec<String> = parse(&bytes).headers().iter().map(|header| header.name().to_owned()).collect();
                let plain = super::tests::letter().compose().unwrap();
                let expected: Vec<String> = parse(&plain).headers().iter().map(|header| header.name().to_owned()).collect();
                let without_encoding = |names: Vec<String>| -> Vec<String> {
                    names.into_iter().filter(|name| name != "Content-Transfer-Encoding").collect()
                };
                prop_assert_eq!(without_encoding(names), without_encoding(expected));
                prop_assert!(bytes.is_ascii() && bytes.ends_with(b"\r\n"));
            }
        }
    }
}
