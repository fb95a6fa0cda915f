//! What comes back to the return path of a message: reports on its delivery (RFC 3464), and everything else.
//!
//! Reads hostile bytes. Whether the return path is genuine is not judged here.

use mail_parser::{Message, MessageParser, MimeHeaders};

/// The largest message that is read, in bytes; a report that quotes more than the headers is larger than it has to be.
const SIZE_LIMIT: usize = 256 * 1024;
/// As much of a text of the report as is kept, in bytes.
const TEXT_LIMIT: usize = 1024;

/// What the reporting mail server says became of the message.
///
/// In the order of what it proves: the first is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BounceAction {
    /// It will not be delivered.
    Failed,
    /// It has not been delivered yet; the server goes on trying.
    Delayed,
    /// It went to a server that reports nothing: no proof of delivery.
    Relayed,
    /// It went on to several recipients: no proof of delivery to any of them.
    Expanded,
    /// It lies in the recipient's mailbox.
    Delivered,
}

impl BounceAction {
    /// The word for it, as reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Delivered => "delivered",
        }
    }

    fn read(value: &str) -> Option<Self> {
        let word = value.split_whitespace().next()?;
        let all = [Self::Failed, Self::Delayed, Self::Relayed, Self::Expanded, Self::Delivered];
        all.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether the class of a status, its first digit, can go with it.
    fn fits(self, class: u8) -> bool {
        match self {
            Self::Failed => class == b'4' || class == b'5',
            Self::Delayed => class == b'4',
            Self::Relayed | Self::Expanded | Self::Delivered => class == b'2',
        }
    }
}

/// A report on the delivery of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BounceReport {
    /// What became of it; where the report names several recipients, what proves least.
    pub action: BounceAction,
    /// The enhanced status code (RFC 3463), such as 5.1.1.
    pub status: String,
    /// What the receiving server said, in its first 1024 bytes.
    pub diagnostic: Option<String>,
    /// The envelope id that the message was sent with.
    pub original_envelope_id: Option<String>,
    /// The address that the report speaks of.
    pub final_recipient: Option<String>,
}

/// Why a message is no report on a delivery.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoReport {
    /// It has more than 256 KiB.
    #[error("the message is too large")]
    TooLarge,
    /// It is no message with headers.
    #[error("the message cannot be read")]
    Unreadable,
    /// It was written by a machine, such as a notice of absence.
    #[error("the message is an automatic reply")]
    AutomaticReply,
    /// It reports on something else, such as that a message was displayed.
    #[error("the message reports on something other than delivery")]
    OtherReport,
    /// It is a letter, as far as can be told.
    #[error("the message is no report")]
    Letter,
    /// It says to be a report on a delivery, but lacks what such a report says, or contradicts itself.
    #[error("the report is incomplete or contradicts itself")]
    Malformed,
}

impl NoReport {
    /// The word under which such a message is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge | Self::Unreadable | Self::Letter | Self::Malformed => "unreadable",
            Self::AutomaticReply => "automatic_reply",
            Self::OtherReport => "other_report",
        }
    }

    /// Whether it may say that our mail did not arrive. Whoever answers by a machine, or says that it was displayed, has it.
    pub fn may_be_a_failure(self) -> bool {
        !matches!(self, Self::AutomaticReply | Self::OtherReport)
    }
}

impl BounceReport {
    /// Reads a message as it came, headers and body.
    pub fn parse(message: &[u8]) -> Result<Self, NoReport> {
        if message.len() > SIZE_LIMIT {
            return Err(NoReport::TooLarge);
        }
        let message = MessageParser::default().parse(message).ok_or(NoReport::Unreadable)?;
        match report_type(&message).as_deref() {
            Some("delivery-status") => {}
            Some(_) => return Err(NoReport::OtherReport),
            None if is_automatic(&message) => return Err(NoReport::AutomaticReply),
            None => return Err(NoReport::Letter),
        }
        let status = message.parts.iter().find(|part| {
            let is_status = |subtype: &str| {
                subtype.eq_ignore_ascii_case("delivery-status")
                    || subtype.eq_ignore_ascii_case("global-delivery-status")
            };
            part.content_type().is_some_and(|kind| {
                kind.ctype().eq_ignore_ascii_case("message") && kind.subtype().is_some_and(is_status)
            })
        });
        Self::read(&String::from_utf8_lossy(status.ok_or(NoReport::Malformed)?.contents())).ok_or(NoReport::Malformed)
    }

    /// Reads the machine's part: a group of fields on the message, and one for each recipient.
    fn read(text: &str) -> Option<Self> {
        let mut groups = groups(text).into_iter();
        let of_message = groups.next()?;
        let recipients: Option<Vec<_>> = groups.map(|fields| Self::of_recipient(&fields)).collect();
        let least = recipients?.into_iter().min_by_key(|report| report.action)?;
        Some(Self { original_envelope_id: value_of(&of_message, "original-envelope-id").map(short), ..least })
    }

    fn of_recipient(fields: &Fields) -> Option<Self> {
        let action = BounceAction::read(value_of(fields, "action")?)?;
        let status = status(value_of(fields, "status")?)?;
        action.fits(status.as_bytes()[0]).then(|| Self {
            action,
            status,
            diagnostic: value_of(fields, "diagnostic-code").map(without_type),
            original_envelope_id: None,
            final_recipient: value_of(fields, "final-recipient").map(without_type),
        })
    }
}

/// Fields of one group, their names in lower case.
type Fields = Vec<(String, String)>;

/// The groups of fields, which empty lines set apart; a line that begins with a space goes on with the one before.
fn groups(text: &str) -> Vec<Fields> {
    let mut groups = vec![Fields::new()];
    for line in text.lines() {
        let group = match groups.last_mut() {
            Some(group) if line.trim().is_empty() && !group.is_empty() => {
                groups.push(Fields::new());
                continue;
            }
            Some(group) => group,
            None => continue,
        };
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            group.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn value_of<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    let (_, value) = fields.iter().find(|(known, _)| known == name)?;
    (!value.is_empty()).then_some(value.as_str())
}

/// Three numbers with full stops between them, the first 2, 4 or 5; a comment may follow.
fn status(value: &str) -> Option<String> {
    let code = value.split(|sign: char| sign.is_whitespace() || sign == '(').next()?;
    let parts: Vec<&str> = code.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
    (parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(is_number)).then(|| code.to_owned())
}

/// The text behind the type that stands before it, as in `rfc822; desk@example.org`.
fn without_type(value: &str) -> String {
    short(value.split_once(';').map_or(value, |(_, text)| text.trim()))
}

/// The text without control characters, cut to what is kept.
fn short(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    text[..text.floor_char_boundary(TEXT_LIMIT)].to_owned()
}

/// What the message reports on, if it is a report.
fn report_type(message: &Message<'_>) -> Option<String> {
    let kind = message.root_part().content_type()?;
    let is_report = kind.ctype().eq_ignore_ascii_case("multipart") && kind.subtype()?.eq_ignore_ascii_case("report");
    is_report.then(|| kind.attribute("report-type").unwrap_or_default().to_ascii_lowercase())
}

/// Whether a machine wrote it in answer to our mail (RFC 3834), such as a notice of absence.
fn is_automatic(message: &Message<'_>) -> bool {
    let submitted = message.header_raw("Auto-Submitted").map(|value| value.trim().to_ascii_lowercase());
    submitted.is_some_and(|value| value.starts_with("auto-replied"))
        || message.header_raw("X-Autoreply").is_some()
        || message.header_raw("X-Autorespond").is_some()
}

#[cfg(test)]
mod tests;
