//! Every page in both languages: what it says, and that it needs nobody.
#![expect(clippy::unwrap_used, reason = "tests")]

use time::macros::datetime;

use super::*;

const TEMPLATES: [&str; 5] = [
    include_str!("../../../templates/link/base.html"),
    include_str!("../../../templates/link/notice.html"),
    include_str!("../../../templates/link/spent.html"),
    include_str!("../../../templates/link/mailbox.html"),
    include_str!("../../../templates/link/message.html"),
];

const DENIALS: [Denial; 6] =
    [Denial::Missing, Denial::Foreign, Denial::Unreadable, Denial::Busy, Denial::Unavailable, Denial::Failed];

fn envelope() -> Envelope {
    Envelope {
        language: "de".into(),
        processor: "Muster <b>Lernsysteme</b> GmbH".into(),
        contact: Some(Contact {
            role: "dpo".into(),
            name: "Erika Beispiel".into(),
            email: Some("dpo@lernsysteme.example".into()),
            phone: Some("+49 711 5550199".into()),
        }),
        controller: "Beispielwerk AG".into(),
        notice: "ntc_1".into(),
        incident: "inc_01m809fw25eys943x3qnrzrb1s".into(),
        sequence: 2,
        matter: Matter::Breach,
        kind: "initial".into(),
        content_sha256: "c28c".into(),
        made_at: datetime!(2026-11-22 00:40 UTC),
        limit: Some(OwnLimit::FromSending { due: datetime!(2026-11-25 01:00 UTC), hours: 72 }),
        superseded: false,
        acknowledged: None,
        notice_url: "https://art33.example/v1/notices/ntc_1".into(),
        keys_url: "https://art33.example/.well-known/jwks.json".into(),
    }
}

fn acknowledged() -> Envelope {
    let acknowledged = Acknowledged {
        at: datetime!(2026-11-22 02:00 UTC),
        name: "Max Muster".into(),
        role: "Datenschutz".into(),
        receipt: "rcp_1".into(),
        jws: "a.b.c".into(),
    };
    let limit = Some(OwnLimit::Running(datetime!(2026-11-25 00:50 UTC)));
    Envelope { acknowledged: Some(acknowledged), limit, superseded: true, ..envelope() }
}

fn page(language: Language) -> Page<'static> {
    Page { language, zone: "Europe/Berlin", path: "/l/token", nonce: "once" }
}

fn pages(language: Language) -> Vec<String> {
    let mailbox = Mailbox {
        language: "en".into(),
        processor: "Muster GmbH".into(),
        controller: "Beispielwerk AG".into(),
        address: "desk@beispielwerk.example".into(),
        is_confirmed: false,
    };
    let page = page(language);
    let withdrawn = Envelope { matter: Matter::Withdrawal, contact: None, limit: None, ..envelope() };
    let agreed = OwnLimit::FromAcknowledgement { hours: 72 };
    let shown = [
        page.notice(&envelope(), Shown::Envelope),
        page.notice(&Envelope { limit: Some(agreed), ..envelope() }, Shown::Unfilled),
        page.notice(&withdrawn, Shown::Content(&[], "{}")),
        page.notice(&acknowledged(), Shown::Envelope),
        page.notice(&acknowledged(), Shown::Spent),
        page.mailbox(&mailbox),
    ];
    shown.into_iter().chain(DENIALS.map(|why| page.denial(why))).map(Result::unwrap).collect()
}

/// What a reader sees of a page, a line for each element.
fn seen(html: &str) -> String {
    let body = html.split_once("<main>").unwrap().1;
    let mut text = String::new();
    for piece in body.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').unwrap();
        let is_inline = ["strong", "/strong", "small", "/small", "a ", "/a"].iter().any(|one| tag.starts_with(one));
        text.push_str(if is_inline { "" } else { "\n" });
        text.push_str(after.trim_matches('\n'));
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn all(language: Language) -> String {
    pages(language).iter().map(|html| seen(html)).collect::<Vec<_>>().join("\n\n----\n\n")
}

#[test]
fn pages_in_german() {
    insta::assert_snapshot!(all(Language::German));
}

#[test]
fn pages_in_english() {
    insta::assert_snapshot!(all(Language::English));
}

#[test]
fn what_others_have_entered_is_text_and_no_markup() {
    let html = page(Language::German).notice(&envelope(), Shown::Envelope).unwrap();
    assert!(html.contains("Muster &#60;b&#62;Lernsysteme"), "{html}");
    assert!(!html.contains("<b>"), "{html}");
}

#[test]
fn no_page_has_a_script_or_asks_others_for_anything() {
    for language in [Language::German, Language::English] {
        for html in pages(language) {
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{html}");
            assert!(!html.contains("Erika"), "a person is named unasked");
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
    let keys = |labels: &'static Labels| labels.each().map(|(group, code, _)| (group, code)).collect::<Vec<_>>();
    for labels in [&*GERMAN, &*ENGLISH] {
        let known = keys(labels);
        assert!(used.iter().all(|word| known.contains(&("page", word))), "{used:?} are not all in {known:?}");
        for why in DENIALS.map(Denial::code) {
            assert!(known.contains(&("denial", why)) && known.contains(&("denial_title", why)), "{why}");
        }
    }
    assert_eq!(keys(&GERMAN), keys(&ENGLISH));
}
