//! The text of letters to mailboxes: who tells whom that something waits, and where. Never what it is.
//!
//! Pure functions over words that stand in data files, one for each language.

use std::sync::LazyLock;

use time::OffsetDateTime;

use super::labels::Labels;
use super::{Contact, Display, Language, ReportError};

/// Subject and text of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterText {
    /// In one line.
    pub subject: String,
    /// Plain text, lines of any length.
    pub text: String,
}

/// What a letter about a notice says.
#[derive(Debug, Clone)]
pub struct NoticeLetter<'a> {
    /// Whether it was told before and is not acknowledged yet.
    pub is_reminder: bool,
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
    /// When the controller's own time limit towards its authority ends, and whether it runs by now.
    pub due: Option<(OffsetDateTime, bool)>,
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
    /// Whom to ask there; its name is not written.
    pub contact: Option<&'a Contact>,
    /// Name of the controller.
    pub controller: &'a str,
    /// The page that the letter leads to.
    pub link: &'a str,
    /// How every address of this service begins.
    pub public_url: &'a str,
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
        let (subject, opening) =
            if notice.is_reminder { ("subject_reminder", "reminder") } else { ("subject_notice", "notice") };
        let due = notice.due.map(|(due, is_running)| {
            let clock = self.word(if is_running { "clock_running" } else { "clock_waiting" });
            clock.replace("{due}", &display.moment(due))
        });
        let facts = self
            .word("facts")
            .replace("{notice}", notice.notice)
            .replace("{incident}", notice.incident)
            .replace("{kind}", self.language.labels().get("notice_kind", notice.kind))
            .replace("{sequence}", &notice.sequence.to_string())
            .replace("{made_at}", &display.moment(notice.made_at))
            .replace("{content_sha256}", notice.content_sha256);
        let common = |code| Some(self.filled(code));
        let parts = [
            common(opening),
            common("link"),
            Some(facts),
            due,
            common("privacy"),
            common("verify"),
            self.contact_lines(),
            common("end"),
        ];
        let subject = self.filled(subject).replace("{reference}", &reference(notice));
        Ok(LetterText { subject, text: joined(parts) })
    }

    /// The letter that asks whether the address is right.
    pub fn of_confirmation(&self) -> LetterText {
        let common = |code| Some(self.filled(code));
        let parts = [common("confirmation"), common("confirmation_link"), self.contact_lines(), common("end")];
        LetterText { subject: self.filled("subject_confirmation"), text: joined(parts) }
    }

    fn word(&self, code: &'static str) -> &'static str {
        let labels: &'static Labels = match self.language {
            Language::German => &GERMAN,
            Language::English => &ENGLISH,
        };
        labels.get("letter", code)
    }

    fn filled(&self, code: &'static str) -> String {
        let keys = format!("{}/.well-known/jwks.json", self.public_url);
        self.word(code)
            .replace("{link}", self.link)
            .replace("{public_url}", self.public_url)
            .replace("{keys_url}", &keys)
            .replace("{controller}", self.controller)
            .replace("{processor}", self.processor)
    }

    fn contact_lines(&self) -> Option<String> {
        let contact = self.contact?;
        let role = self.language.labels().get("contact_role", &contact.role);
        let lines = [Some(role), contact.email.as_deref(), contact.phone.as_deref()];
        let lines: Vec<&str> = lines.into_iter().flatten().collect();
        Some(self.filled("contact").replace("{contact}", &lines.join("\n")))
    }
}

/// Short enough to say on the telephone: the end of the incident's id, and the number of the notice.
fn reference(notice: &NoticeLetter<'_>) -> String {
    let tail: String = notice.incident.chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{}-{}", tail.to_uppercase(), notice.sequence)
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn letter(language: Language, is_reminder: bool) -> LetterText {
        let contact = Contact {
            role: "dpo".into(),
            name: "Erika Beispiel".into(),
            email: Some("dpo@lernsysteme.example".into()),
            phone: Some("+49 711 5550199".into()),
        };
        let correspondence = Correspondence {
            language,
            zone: "Europe/Berlin",
            processor: "Muster Lernsysteme GmbH",
            contact: Some(&contact),
            controller: "Beispielwerk AG",
            link: "https://art33.example/l/dlv_1.abc",
            public_url: "https://art33.example",
        };
        let notice = NoticeLetter {
            is_reminder,
            kind: "initial",
            notice: "ntc_1",
            incident: "inc_01m809fw25eys943x3qnrzrb1s",
            sequence: 2,
            content_sha256: "c28c",
            made_at: datetime!(2026-11-22 00:40 UTC),
            due: Some((datetime!(2026-11-25 01:00 UTC), is_reminder)),
        };
        correspondence.of_notice(&notice).unwrap()
    }

    #[test]
    fn a_letter_names_parties_place_and_digest_and_leaves_no_gap() {
        for (language, subject) in [
            (Language::German, "Muster Lernsysteme GmbH: Mitteilung nach Art. 33 Abs. 2 DSGVO liegt bereit (RZRB1S-2)"),
            (Language::English, "Muster Lernsysteme GmbH: a notice under Art. 33(2) GDPR is waiting (RZRB1S-2)"),
        ] {
            let letter = letter(language, false);
            assert_eq!(letter.subject, subject);
            for word in ["https://art33.example/l/dlv_1.abc", "ntc_1", "c28c", "dpo@lernsysteme.example", "Art. 33"] {
                assert!(letter.text.contains(word), "{word} is missing:\n{}", letter.text);
            }
            assert!(!letter.text.contains(['{', '}']), "{}", letter.text);
            assert!(!letter.text.contains("Erika"), "a person is named");
        }
    }

    #[test]
    fn a_reminder_says_so_and_that_the_clock_runs() {
        let letter = letter(Language::English, true);
        assert!(letter.subject.starts_with("Reminder"));
        assert!(letter.text.contains("is running"), "{}", letter.text);
        assert!(letter.text.contains("25 November 2026, 02:00 CET"), "{}", letter.text);
    }

    #[test]
    fn both_languages_have_the_same_words() {
        let keys = |labels: &'static Labels| labels.each().map(|(_, code, _)| code).collect::<Vec<_>>();
        assert_eq!(keys(&GERMAN), keys(&ENGLISH));
        assert!(keys(&GERMAN).len() > 10);
    }
}
