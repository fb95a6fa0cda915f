//! The pages behind links in letters, as HTML: what waits, what it says, that it was acknowledged. They need no script.
//!
//! Pure functions over templates and words that stand in files. Who may see a page is not decided here.

use std::sync::LazyLock;

use askama::Template;
use time::OffsetDateTime;

use super::labels::Labels;
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
    /// Whom to ask there.
    pub contact: Option<Contact>,
    /// Name of the controller.
    pub controller: String,
    /// Id of the notice.
    pub notice: String,
    /// Id of the incident.
    pub incident: String,
    /// Number within the incident and the controller.
    pub sequence: i32,
    /// Code of the kind, such as `initial`.
    pub kind: String,
    /// SHA-256 of the content.
    pub content_sha256: String,
    /// When it was made.
    pub made_at: OffsetDateTime,
    /// When the controller's own limit ends, and whether it runs by now.
    pub due: Option<(OffsetDateTime, bool)>,
    /// Whether there is a newer notice on the same incident.
    pub superseded: bool,
    /// Who acknowledged it, if somebody has.
    pub acknowledged: Option<Acknowledged>,
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
}

#[derive(Template)]
#[template(path = "link/notice.html")]
struct NoticeTemplate<'a> {
    words: Words,
    page: &'a Page<'a>,
    title: &'static str,
    envelope: &'a Envelope,
    kind: &'a str,
    made_at: String,
    due: Option<(&'static str, String)>,
    acknowledged_at: Option<String>,
    contact_role: String,
    sections: &'a [Section],
    exact: Option<&'a str>,
    is_unfilled: bool,
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
    texts: [&'static str; 2],
}

impl Page<'_> {
    /// The page of a notice.
    ///
    /// # Errors
    /// When the zone is not known.
    pub fn notice(&self, envelope: &Envelope, shown: Shown<'_>) -> Result<String, ReportError> {
        let (words, display) = (Words::of(self.language), Display::new(self.zone, self.language)?);
        let labels = self.language.labels();
        let (sections, exact) = match shown {
            Shown::Envelope | Shown::Unfilled => (&[][..], None),
            Shown::Content(sections, exact) => (sections, Some(exact)),
        };
        let due = envelope.due.map(|(due, is_running)| {
            (words.get(if is_running { "due_running" } else { "due_waiting" }), display.moment(due))
        });
        let role = envelope.contact.as_ref().map(|contact| labels.get("contact_role", &contact.role).to_owned());
        let kind = labels.get("notice_kind", &envelope.kind);
        written(&NoticeTemplate {
            title: words.get("title"),
            kind,
            made_at: display.moment(envelope.made_at),
            due,
            acknowledged_at: envelope.acknowledged.as_ref().map(|acknowledged| display.moment(acknowledged.at)),
            contact_role: role.unwrap_or_default(),
            is_unfilled: matches!(shown, Shown::Unfilled),
            page: self,
            words,
            envelope,
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
        let (title, text) = match why {
            Denial::Missing => ("title_missing", "missing"),
            Denial::Foreign => ("title_refused", "refused"),
        };
        let texts = [Language::German, Language::English].map(|language| Words::of(language).get(text));
        written(&MessageTemplate { page: self, title: Words::of(self.language).get(title), texts })
    }
}

fn written(template: &impl Template) -> Result<String, ReportError> {
    template.render().map_err(|error| ReportError::Page(error.to_string()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use time::macros::datetime;

    use super::*;

    const TEMPLATES: [&str; 4] = [
        include_str!("../../../templates/link/base.html"),
        include_str!("../../../templates/link/notice.html"),
        include_str!("../../../templates/link/mailbox.html"),
        include_str!("../../../templates/link/message.html"),
    ];

    fn envelope() -> Envelope {
        Envelope {
            language: "de".into(),
            processor: "Muster <b>Lernsysteme</b> GmbH".into(),
            contact: None,
            controller: "Beispielwerk AG".into(),
            notice: "ntc_1".into(),
            incident: "inc_1".into(),
            sequence: 1,
            kind: "initial".into(),
            content_sha256: "c28c".into(),
            made_at: datetime!(2026-11-22 00:40 UTC),
            due: Some((datetime!(2026-11-25 01:00 UTC), false)),
            superseded: false,
            acknowledged: None,
            keys_url: "https://art33.example/.well-known/jwks.json".into(),
        }
    }

    fn page(language: Language) -> Page<'static> {
        Page { language, zone: "Europe/Berlin", path: "/l/token", nonce: "once" }
    }

    #[test]
    fn what_others_have_entered_is_text_and_no_markup() {
        let html = page(Language::German).notice(&envelope(), Shown::Envelope).unwrap();
        assert!(html.contains("Muster &#60;b&#62;Lernsysteme"), "{html}");
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn no_page_has_a_script_or_asks_others_for_anything() {
        let mailbox = Mailbox {
            language: "en".into(),
            processor: "Muster GmbH".into(),
            controller: "Beispielwerk AG".into(),
            address: "desk@beispielwerk.example".into(),
            is_confirmed: false,
        };
        for language in [Language::German, Language::English] {
            let page = page(language);
            let pages = [
                page.notice(&envelope(), Shown::Content(&[], "{}")).unwrap(),
                page.mailbox(&mailbox).unwrap(),
                page.denial(Denial::Missing).unwrap(),
                page.denial(Denial::Foreign).unwrap(),
            ];
            for html in pages {
                assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{html}");
                for foreign in ["<script", "<img", "<link", "src=", "@import", "url("] {
                    assert!(!html.contains(foreign), "{foreign} stands in {html}");
                }
            }
        }
    }

    #[test]
    fn every_word_of_the_templates_stands_in_both_files() {
        let all = TEMPLATES.concat();
        let used: Vec<&str> =
            all.split("words.get(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(word, _)| word).collect();
        assert!(used.len() > 20, "{used:?}");
        for labels in [&*GERMAN, &*ENGLISH] {
            let known: Vec<&str> = labels.each().map(|(_, code, _)| code).collect();
            assert!(used.iter().all(|word| known.contains(word)), "{used:?} are not all in {known:?}");
        }
        let keys = |labels: &'static Labels| labels.each().map(|(_, code, _)| code).collect::<Vec<_>>();
        assert_eq!(keys(&GERMAN), keys(&ENGLISH));
    }
}
