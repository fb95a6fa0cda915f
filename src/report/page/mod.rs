//! The pages behind links in letters, as HTML: what waits, what it says, that it was acknowledged, what went wrong. They need no script.
//!
//! Pure functions over templates and words that stand in files. Who may see a page is not decided here.

use std::sync::LazyLock;

use askama::Template;
use time::OffsetDateTime;

use super::labels::Labels;
use super::outside::{self, Matter, OwnLimit};
use super::{Contact, Display, Language, ReportError, Section};

/// The words of the pages in one language.
#[derive(Clone, Copy)]
pub(super) struct Words(&'static Labels);

// The files are embedded, so they cannot be missing; a test reads both.
static GERMAN: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("words.de.json")));
static ENGLISH: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("words.en.json")));

impl Words {
    pub(super) fn of(language: Language) -> Self {
        Self(match language {
            Language::German => &GERMAN,
            Language::English => &ENGLISH,
        })
    }

    pub(super) fn get(self, code: &'static str) -> &'static str {
        self.0.get("page", code)
    }

    fn of_denial(self, why: Denial) -> (&'static str, &'static str) {
        (self.0.get("denial_title", why.code()), self.0.get("denial", why.code()))
    }
}

/// What every page has: its language, where its forms lead, and the nonce that lets its own style through.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// The language.
    pub language: Language,
    /// IANA name of the zone in which times are shown.
    pub zone: &'a str,
    /// The path of the page, which the paths of its forms begin with.
    pub path: &'a str,
    /// Used once, for the style.
    pub nonce: &'a str,
}

/// A notice from outside: who tells whom of what, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// BCP 47 tag of the language that was agreed.
    pub language: String,
    /// Name of the processor.
    pub processor: String,
    /// The contact point that the notice names.
    pub contact: Option<Contact>,
    /// Name of the controller.
    pub controller: String,
    /// Id of the notice.
    pub notice: String,
    /// Id of the incident.
    pub incident: String,
    /// Number within the incident and the controller.
    pub sequence: i32,
    /// What it is about, as far as that may be said before it is read.
    pub matter: Matter,
    /// Code of the kind, such as `initial`.
    pub kind: String,
    /// SHA-256 of the content.
    pub content_sha256: String,
    /// When it was made.
    pub made_at: OffsetDateTime,
    /// Where the controller's own limit stands, if it has one.
    pub limit: Option<OwnLimit>,
    /// Whether there is a newer notice on the same incident.
    pub superseded: bool,
    /// Who acknowledged it, if somebody has.
    pub acknowledged: Option<Acknowledged>,
    /// Where the controller reads it with its own access.
    pub notice_url: String,
    /// Where the public keys are.
    pub keys_url: String,
}

/// An acknowledgement and its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub name: String,
    /// In which function.
    pub role: String,
    /// Id of the receipt.
    pub receipt: String,
    /// The receipt, signed.
    pub jws: String,
}

/// What of a notice is shown beside its envelope.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// Nothing: that it waits.
    Envelope,
    /// The same after a form that was not filled in.
    Unfilled,
    /// What it says, for people and as the exact text.
    Content(&'a [Section], &'a str),
    /// Nothing any more: the link has done its work.
    Spent,
}

/// A mailbox that is to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// BCP 47 tag of the language that was agreed.
    pub language: String,
    /// Name of the processor.
    pub processor: String,
    /// Name of the controller.
    pub controller: String,
    /// The address.
    pub address: String,
    /// Whether it is confirmed by now.
    pub is_confirmed: bool,
}

/// Why somebody gets no page of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The link leads nowhere.
    Missing,
    /// The request did not come from a page of ours.
    Foreign,
    /// What was sent is no form of ours.
    Unreadable,
    /// It was asked for too often.
    Busy,
    /// It cannot be had at the moment.
    Unavailable,
    /// Something failed here.
    Failed,
}

impl Denial {
    fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Foreign => "foreign",
            Self::Unreadable => "unreadable",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }
}

#[derive(Template)]
#[template(path = "link/notice.html")]
struct NoticeTemplate<'a> {
    words: Words,
    page: &'a Page<'a>,
    title: &'static str,
    envelope: &'a Envelope,
    reference: String,
    waiting: String,
    kind: &'a str,
    made_at: String,
    limit: Option<String>,
    next: [String; 3],
    foreign: String,
    acknowledged_at: Option<String>,
    contact_role: &'a str,
    sections: &'a [Section],
    exact: Option<&'a str>,
    is_unfilled: bool,
}

#[derive(Template)]
#[template(path = "link/spent.html")]
struct SpentTemplate<'a> {
    words: Words,
    page: &'a Page<'a>,
    title: &'static str,
    envelope: &'a Envelope,
    reference: String,
    ask: String,
    contact_role: &'a str,
}

#[derive(Template)]
#[template(path = "link/mailbox.html")]
struct MailboxTemplate<'a> {
    words: Words,
    page: &'a Page<'a>,
    title: &'static str,
    mailbox: &'a Mailbox,
}

#[derive(Template)]
#[template(path = "link/message.html")]
struct MessageTemplate<'a> {
    page: &'a Page<'a>,
    title: &'static str,
    texts: [(&'static str, &'static str, &'static str); 2],
}

impl Page<'_> {
    /// The page of a notice.
    ///
    /// # Errors
    /// When the zone is not known.
    pub fn notice(&self, envelope: &Envelope, shown: Shown<'_>) -> Result<String, ReportError> {
        let (words, display) = (Words::of(self.language), Display::new(self.zone, self.language)?);
        let labels = self.language.labels();
        let reference = outside::reference(&envelope.incident, envelope.sequence);
        let with_reference = |code| words.get(code).replace("{reference}", &reference);
        let contact_role = envelope.contact.as_ref().map_or("", |contact| labels.get("contact_role", &contact.role));
        let (sections, exact) = match shown {
            Shown::Envelope | Shown::Unfilled => (&[][..], None),
            Shown::Content(sections, exact) => (sections, Some(exact)),
            Shown::Spent => {
                let (title, ask) = (words.get("spent"), with_reference("spent_ask"));
                return written(&SpentTemplate { words, page: self, title, envelope, ask, contact_role, reference });
            }
        };
        let foreign = if envelope.acknowledged.is_some() { "foreign_acknowledged" } else { "foreign_open" };
        written(&NoticeTemplate {
            title: envelope.matter.title(self.language),
            waiting: words.get("waiting").replace("{matter}", envelope.matter.phrase(self.language)),
            kind: labels.get("notice_kind", &envelope.kind),
            made_at: display.moment(envelope.made_at),
            limit: envelope.limit.map(|limit| {
                let (code, places) = limit.said(&display);
                outside::fill(words.get(code), &places.each_ref().map(|(place, value)| (*place, value.as_str())))
            }),
            next: [
                words.get("next_receipt").to_owned(),
                match envelope.limit {
                    Some(OwnLimit::Running(due)) => words.get("next_limit").replace("{due}", &display.moment(due)),
                    _ => words.get("next_assessment").to_owned(),
                },
                with_reference("next_questions"),
            ],
            foreign: with_reference(foreign),
            acknowledged_at: envelope.acknowledged.as_ref().map(|acknowledged| display.moment(acknowledged.at)),
            contact_role,
            is_unfilled: matches!(shown, Shown::Unfilled),
            page: self,
            words,
            envelope,
            reference,
            sections,
            exact,
        })
    }

    /// The page on which a mailbox is confirmed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mailbox(&self, mailbox: &Mailbox) -> Result<String, ReportError> {
        let words = Words::of(self.language);
        written(&MailboxTemplate { title: words.get("title_confirmation"), page: self, words, mailbox })
    }

    /// The page for whoever gets nothing else; in both languages, since nothing is known of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn denial(&self, why: Denial) -> Result<String, ReportError> {
        let texts = [Language::German, Language::English].map(|language| {
            let (title, text) = Words::of(language).of_denial(why);
            (language.tag(), title, text)
        });
        written(&MessageTemplate { page: self, title: texts[0].1, texts })
    }
}

fn written(template: &impl Template) -> Result<String, ReportError> {
    template.render().map_err(|error| ReportError::Page(error.to_string()))
}

#[cfg(test)]
mod tests;
