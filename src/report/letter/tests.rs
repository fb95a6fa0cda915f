//! Every letter in both languages, as it is read.
#![expect(clippy::unwrap_used, reason = "tests")]

use time::macros::datetime;

use super::*;

const MATTERS: [Matter; 4] = [Matter::Breach, Matter::Suspicion, Matter::Event, Matter::Withdrawal];
const LIMITS: [Option<OwnLimit>; 4] = [
    Some(OwnLimit::FromSending { due: datetime!(2026-11-25 00:40 UTC), hours: 72 }),
    Some(OwnLimit::Running(datetime!(2026-11-25 00:50 UTC))),
    Some(OwnLimit::FromAcknowledgement { hours: 72 }),
    None,
];

fn occasions() -> [Occasion<'static>; 3] {
    let sent_at = datetime!(2026-11-22 00:40 UTC);
    [Occasion::Telling, Occasion::Reminder, Occasion::Colleagues { sent_to: "desk@beispielwerk.example", sent_at }]
}

fn correspondence(language: Language) -> Correspondence<'static> {
    Correspondence {
        language,
        zone: "Europe/Berlin",
        processor: "Muster Lernsysteme GmbH",
        controller: "Beispielwerk {link} AG",
        link: "https://art33.example/l/dlv_1.abc",
    }
}

fn letter(language: Language, occasion: Occasion<'_>, matter: Matter, limit: Option<OwnLimit>) -> LetterText {
    let contact = Contact {
        role: "dpo".into(),
        name: "Erika Beispiel".into(),
        email: Some("dpo@lernsysteme.example".into()),
        phone: Some("+49 711 5550199".into()),
    };
    let notice = NoticeLetter {
        occasion,
        matter,
        kind: "initial",
        notice: "ntc_1",
        incident: "inc_01m809fw25eys943x3qnrzrb1s",
        sequence: 2,
        content_sha256: "c28c",
        made_at: datetime!(2026-11-22 00:40 UTC),
        limit,
        contact: limit.is_some().then_some(&contact),
    };
    correspondence(language).of_notice(&notice).unwrap()
}

/// One letter whole for each occasion, and of the others what differs.
fn all(language: Language) -> String {
    let whole = occasions().map(|occasion| letter(language, occasion, Matter::Breach, LIMITS[0]));
    let openings = MATTERS.iter().flat_map(|matter| {
        occasions().map(|occasion| {
            let letter = letter(language, occasion, *matter, None);
            let opening = letter.text.lines().nth(3).unwrap_or_default().to_owned();
            format!("{}\n{opening}", letter.subject)
        })
    });
    let limits = LIMITS.iter().map(|limit| {
        let text = letter(language, Occasion::Telling, Matter::Breach, *limit).text;
        text.lines().nth(7).unwrap_or_default().to_owned()
    });
    let asked = correspondence(language).of_confirmation();
    let whole = whole.into_iter().chain([asked]).map(|letter| format!("{}\n\n{}", letter.subject, letter.text));
    whole.chain(openings).chain(limits).collect::<Vec<_>>().join("\n\n----\n\n")
}

#[test]
fn letters_in_german() {
    insta::assert_snapshot!(all(Language::German));
}

#[test]
fn letters_in_english() {
    insta::assert_snapshot!(all(Language::English));
}

#[test]
fn no_letter_names_a_person_or_leaves_a_gap_and_every_subject_fits() {
    let name = "Gesellschaft für überbetriebliche Lernsysteme und Prüfungswesen mbH & Co. KG";
    for language in [Language::German, Language::English] {
        for matter in MATTERS {
            for occasion in occasions() {
                let letter = letter(language, occasion, matter, LIMITS[1]);
                let text = letter.text.replace("Beispielwerk {link} AG", "");
                assert!(!text.contains(['{', '}']) && !letter.subject.contains(['{', '}']), "{text}");
                assert!(!text.contains("Erika"), "a person is named");
                assert_eq!(text.contains("Art. 33"), matter == Matter::Breach, "{text}");
                let long = letter.subject.replace("Muster Lernsysteme GmbH", &shortened(name));
                assert!(long.chars().count() <= 110, "{long}");
            }
        }
    }
}

#[test]
fn both_languages_have_the_same_words() {
    let keys = |labels: &'static Labels| labels.each().map(|(group, code, _)| (group, code)).collect::<Vec<_>>();
    assert_eq!(keys(&GERMAN), keys(&ENGLISH));
    assert!(keys(&GERMAN).len() > 20);
}
