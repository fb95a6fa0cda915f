//! The text of letters to mailboxes: who tells whom that something waits, of what class, and where. Never what it says.
//!
//! Pure functions over words that stand in data files, one for each language.

use std::borrow::Cow;
use std::sync::LazyLock;

use time::OffsetDateTime;

use super::labels::Labels;
use super::outside::{self, Matter, OwnLimit};
use super::{Contact, Display, Language, ReportError};

/// The longest name in a subject, in characters; what is over it would push the reference out of sight.
const NAME_IN_SUBJECT: usize = 36;

/// Subject and text of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterText {
    /// In one line.
    pub subject: String,
    /// Plain text, lines of any length.
    pub text: String,
}

/// Why somebody is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion<'a> {
    /// To be told.
    Telling,
    /// Told before, and not acknowledged yet.
    Reminder,
    /// Somebody else there was told before, and has not acknowledged it.
    Colleagues {
        /// Where that was sent.
        sent_to: &'a str,
        /// When.
        sent_at: OffsetDateTime,
    },
}

/// What a letter about a notice says.
#[derive(Debug, Clone)]
pub struct NoticeLetter<'a> {
    /// Why it is written.
    pub occasion: Occasion<'a>,
    /// What it is about, as far as an e-mail may say that.
    pub matter: Matter,
    /// Code of the kind of notice, such as `initial`.
    pub kind: &'a str,
    /// Id of the notice.
    pub notice: &'a str,
    /// Id of the incident.
    pub incident: &'a str,
    /// Number of the notice within the incident and the controller.
    pub sequence: i32,
    /// SHA-256 of its content.
    pub content_sha256: &'a str,
    /// When it was made.
    pub made_at: OffsetDateTime,
    /// Where the controller's own limit stands, if it has one.
    pub limit: Option<OwnLimit>,
    /// The contact point that the notice names; its name is not written.
    pub contact: Option<&'a Contact>,
}

/// Who writes to whom, and how: what all letters have in common.
#[derive(Debug, Clone)]
pub struct Correspondence<'a> {
    /// The language.
    pub language: Language,
    /// IANA name of the zone in which times are shown.
    pub zone: &'a str,
    /// Name of the processor.
    pub processor: &'a str,
    /// Name of the controller.
    pub controller: &'a str,
    /// The page that the letter leads to.
    pub link: &'a str,
}

// The files are embedded, so they cannot be missing; a test reads both.
static GERMAN: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("words.de.json")));
static ENGLISH: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("words.en.json")));

impl Correspondence<'_> {
    /// The letter that says that a notice waits.
    ///
    /// # Errors
    /// When the zone is not known.
    pub fn of_notice(&self, notice: &NoticeLetter<'_>) -> Result<LetterText, ReportError> {
        let display = Display::new(self.zone, self.language)?;
        let (sent_to, sent_at) = match notice.occasion {
            Occasion::Colleagues { sent_to, sent_at } => (sent_to, display.moment(sent_at)),
            Occasion::Telling | Occasion::Reminder => ("", String::new()),
        };
        let (reference, made_at) =
            (outside::reference(notice.incident, notice.sequence), display.moment(notice.made_at));
        let (sequence, contact) = (notice.sequence.to_string(), notice.contact.map(|contact| self.lines(contact)));
        let limit = notice.limit.map(|limit| limit.said(&display));
        let mut places = vec![
            ("{matter}", notice.matter.phrase(self.language)),
            ("{sent_to}", sent_to),
            ("{sent_at}", &sent_at),
            ("{reference}", &reference),
            ("{notice}", notice.notice),
            ("{incident}", notice.incident),
            ("{kind}", self.language.labels().get("notice_kind", notice.kind)),
            ("{sequence}", &sequence),
            ("{made_at}", &made_at),
            ("{content_sha256}", notice.content_sha256),
            ("{contact}", contact.as_deref().unwrap_or_default()),
        ];
        places.extend(limit.iter().flat_map(|(_, filled)| filled).map(|(place, value)| (*place, value.as_str())));
        let group = notice.matter.code();
        let (subject, opening) = match notice.occasion {
            Occasion::Telling => ("subject", (group, "telling")),
            Occasion::Reminder => ("subject_reminder", ("letter", "reminder")),
            Occasion::Colleagues { .. } => ("subject", ("letter", "colleagues")),
        };
        let common = |code| Some(("letter", code));
        let parts = [
            common("head"),
            Some(opening),
            common("place"),
            limit.as_ref().and_then(|(code, _)| common(code)),
            common("link"),
            common("facts"),
            common("privacy"),
            common("verify"),
            common(if contact.is_some() { "contact" } else { "contact_agreed" }),
            common("end"),
        ];
        Ok(LetterText { subject: self.subject((group, subject), &places), text: self.text(&parts, &places) })
    }

    /// The letter that asks whether the address is right.
    pub fn of_confirmation(&self) -> LetterText {
        let parts = ["head", "confirmation", "place", "confirmation_link", "end"].map(|code| Some(("letter", code)));
        LetterText { subject: self.subject(("letter", "subject_confirmation"), &[]), text: self.text(&parts, &[]) }
    }

    fn subject(&self, word: (&'static str, &'static str), places: &[(&str, &str)]) -> String {
        let name = shortened(self.processor);
        self.filled(word, &name, places)
    }

    fn text(&self, parts: &[Option<(&'static str, &'static str)>], places: &[(&str, &str)]) -> String {
        let written = parts.iter().flatten().map(|word| self.filled(*word, self.processor, places));
        written.collect::<Vec<_>>().join("\n")
    }

    fn filled(&self, (group, code): (&'static str, &'static str), processor: &str, places: &[(&str, &str)]) -> String {
        let words = match self.language {
            Language::German => &*GERMAN,
            Language::English => &*ENGLISH,
        };
        let own = [("{processor}", processor), ("{controller}", self.controller), ("{link}", self.link)];
        outside::fill(words.get(group, code), &[own.as_slice(), places].concat())
    }

    fn lines(&self, contact: &Contact) -> String {
        let role = self.language.labels().get("contact_role", &contact.role);
        let lines = [Some(role), contact.email.as_deref(), contact.phone.as_deref()];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}

/// A name that fits into a subject.
fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(NAME_IN_SUBJECT) {
        None => Cow::Borrowed(name),
        Some(_) => Cow::Owned(name.chars().take(NAME_IN_SUBJECT - 1).chain(['…']).collect()),
    }
}

#[cfg(test)]
mod tests;
