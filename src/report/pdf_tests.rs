//! The printed report, read back: the text of the pages as they are set, and the PDF bytes.
//!
//! With `ART33_KEEP_REPORTS` set to a directory the samples are written there, for a person to look at.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use typst::layout::{Abs, Frame, FrameItem};
use typst_layout::PagedDocument;

use super::samples::{self, NOW};
use super::{Language, PdfRenderer, Report, ReportError};

static RENDERER: LazyLock<PdfRenderer> = LazyLock::new(|| PdfRenderer::new(None).unwrap());

/// Collects runs of text with the place where each ends, from the left edge of the page.
fn runs(frame: &Frame, left: Abs, found: &mut Vec<(Abs, String)>) {
    for (place, item) in frame.items() {
        match item {
            FrameItem::Group(group) => runs(&group.frame, left + place.x, found),
            FrameItem::Text(run) => found.push((left + place.x + run.width(), run.text.to_string())),
            _ => {}
        }
    }
}

fn pages_with_places(report: &Report, language: Language) -> Vec<Vec<(Abs, String)>> {
    let read = |document: &PagedDocument| {
        let page_runs = |page: &typst_layout::Page| {
            let mut found = Vec::new();
            runs(&page.frame, Abs::zero(), &mut found);
            found
        };
        document.pages().iter().map(page_runs).collect()
    };
    RENDERER.typeset(report, language, NOW, |_, document| Ok(read(document))).unwrap()
}

/// The text of every page, without the marks of soft breaks.
fn pages(report: &Report, language: Language) -> Vec<String> {
    let joined = |runs: Vec<(Abs, String)>| runs.into_iter().map(|(_, text)| text).collect::<String>();
    let plain = |text: String| text.replace(['\u{200b}', '\u{ad}'], "");
    pages_with_places(report, language).into_iter().map(joined).map(plain).collect()
}

fn rendered(name: &str, report: &Report, language: Language) -> Vec<u8> {
    let pdf = RENDERER.render(report, language, NOW).unwrap();
    if let Some(directory) = std::env::var_os("ART33_KEEP_REPORTS") {
        std::fs::write(std::path::Path::new(&directory).join(name), &pdf).unwrap();
    }
    pdf
}

fn is_archival(pdf: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pdf);
    text.contains("<pdfaid:part>2</pdfaid:part>") && text.contains("<pdfaid:conformance>A</pdfaid:conformance>")
}

#[track_caller]
fn assert_says(text: &str, phrases: &[&str]) {
    for phrase in phrases {
        assert!(text.contains(phrase), "{phrase:?} is missing in:\n{text}");
    }
}

#[test]
fn the_full_report_says_everything_in_german() {
    let report = samples::full();
    assert!(is_archival(&rendered("full.de.pdf", &report, Language::German)));
    let pages = pages(&report, Language::German);
    assert_says(
        &pages.concat(),
        &[
            "Werkstatt Nord eG",
            "AVV-2026-017",
            "Vertragsfassung 3",
            "Art der Verletzung (Art. 33 Abs. 3 lit. a DSGVO)",
            "Fehlkonfiguration",
            "Gesundheitsdaten",
            "Schleswig-Holstein",
            "Durch Aufruf des offenen Links.",
            "Auszubildende",
            "20.000 bis 26.000",
            "Ein Freigabelink auf das Archiv",
            "datenschutz@lernsysteme.example",
            "Verlust der Kontrolle über die eigenen Daten",
            "Freigabelink widerrufen.",
            "Kenntnis des Auftragsverarbeiters22.11.2026, 01:10 Uhr (MEZ)",
            "Fristende25.11.2026, 02:00 Uhr (MEZ)",
            "Warnzeit (Moment zu Moment)25.11.2026, 01:21:17 Uhr (MEZ)",
            "Stunden nach VO (EWG, Euratom) Nr. 1182/71 (eu_hours)",
            "Internes Ziel22.11.2026, 13:10 Uhr (MEZ)",
            "(intern, keine gesetzliche oder vertragliche Frist)",
            "erfüllt, rechtzeitig",
            "LfDI Baden-Württemberg",
            "Mitteilung 1: erste Mitteilung",
            "fehlgeschlagen, wird wiederholt: Fehler des Empfängersystems, HTTP 503",
            "durch Leitstelle Nord (Datenschutzkoordination)",
            "Keine. Alle geforderten Angaben liegen vor.",
            "Ort, Datum",
        ],
    );
    for (number, page) in (1..).zip(&pages) {
        assert_says(
            page,
            &[
                &format!("Seite {number} von {}", pages.len()),
                "inc_01kajm3nqge8gsr1w6t4c5b2z9",
                "ntc_01kajm41c2e4wbx5r0s8d6n7yq",
                "SHA-256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "Erstellt 23.11.2026, 09:00 Uhr (MEZ)",
            ],
        );
    }
}

#[test]
fn the_provisional_report_marks_what_is_open() {
    let report = samples::open();
    assert!(is_archival(&rendered("open.en.pdf", &report, Language::English)));
    let text = pages(&report, Language::English).concat();
    assert_says(
        &text,
        &[
            "Provisional report. Open items: 3, see section 12.",
            "Likely consequences (Art. 33(3)(c) GDPR)Open see section 12",
            "Contact point (Art. 33(3)(b) GDPR)Open see section 12",
            "not yet known: logs are being analysedOpen see section 12",
            "Depends on the analysis of the logs.24 November 2026, 12:00 CETArt. 33(3)(c) GDPR",
            "The desk is being set up.no date given",
            "exceeded and open",
            "RemarkThe mail relay was down.",
            "Startnot yet started",
            "Deliverednot yet",
            "No delivery attempt yet.",
            "Breach endedongoing",
        ],
    );
    assert_eq!(text.matches("Open see section 12").count(), 3);
}

#[test]
fn a_long_report_breaks_over_pages_and_stays_within_the_margins() {
    let report = samples::long();
    assert!(is_archival(&rendered("long.de.pdf", &report, Language::German)));
    let pages = pages(&report, Language::German);
    let attempts = pages.iter().filter(|page| page.contains("keine Verbindung"));
    assert!(attempts.clone().count() > 3);
    for page in attempts {
        assert_says(page, &["Nr.ZeitWegZielErgebnis"]);
    }
    assert_says(&pages.concat(), &["20022.11.2026, 04:39:02 Uhr (MEZ)", "naïve Ελλάδα Київ [U+4F60]"]);
    // A4 less the right margin of 22 mm, and a hair for a hyphen that hangs over.
    let edge = Abs::mm(210.0 - 22.0) + Abs::pt(0.5);
    for (end, text) in pages_with_places(&report, Language::German).into_iter().flatten() {
        assert!(end <= edge, "{text:?} ends at {end:?}");
    }
}

#[test]
fn text_that_looks_like_markup_stays_text() {
    let text = pages(&samples::long(), Language::German).concat();
    assert_says(&text, &[r#"#panic("x") *bold* _it_ $x$ <a> @b `c` \ //"#]);
}

#[test]
fn no_character_breaks_the_report_or_its_conformance() {
    let letters = (0..0x250).chain(0x300..0x370).chain((0x370..0x11_0000).step_by(1009));
    let punctuation = (0x2000..0x2040).chain(0x2066..0x2070);
    let special = [0xAD, 0x200B, 0xE000, 0xFEFF, 0xFFFE, 0xFFFD];
    let mut report = samples::full();
    let characters = letters.chain(punctuation).chain(special).filter_map(char::from_u32);
    report.note = Some(characters.flat_map(|character| ['a', character, 'b', ' ']).collect());
    assert!(is_archival(&rendered("characters.de.pdf", &report, Language::German)));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let report = samples::full();
    let first = rendered("full.en.pdf", &report, Language::English);
    assert!(first.starts_with(b"%PDF-1.7"));
    assert_eq!(first, rendered("full.en.pdf", &report, Language::English));
}

#[test]
fn a_report_without_notices_and_words_is_still_a_report() {
    let mut report = samples::open();
    report.notices.clear();
    report.duties.clear();
    report.nature = None;
    report.measures.taken.clear();
    report.measures.proposed.clear();
    report.processor.contacts.clear();
    let text = pages(&report, Language::English).concat();
    assert_says(&text, &["No notice has been sent yet.", "Causenot stated", "Measures takennone reported"]);
}

#[test]
fn a_duty_that_fell_away_waits_for_nothing() {
    let mut report = samples::open();
    report.duties = vec![report.duties.remove(1)];
    report.duties[0].state = "not_required".into();
    report.duties[0].remark = Some("No risk; decided by the head of privacy.".into());
    let text = pages(&report, Language::English).concat();
    assert_says(&text, &["Statenot required", "RemarkNo risk; decided by the head of privacy."]);
    assert!(!text.contains("Metnot yet") && !text.contains("Startnot yet"));
}

#[test]
fn a_zone_nobody_knows_is_refused() {
    let report = Report { display_zone: "Europe/Atlantis".into(), ..samples::full() };
    let refused = RENDERER.render(&report, Language::German, NOW);
    assert_eq!(refused, Err(ReportError::UnknownZone("Europe/Atlantis".into())));
}

fn with_template(template: &str) -> Result<Vec<u8>, ReportError> {
    PdfRenderer::new(Some(template.to_owned()))?.render(&samples::full(), Language::German, NOW)
}

#[test]
fn a_faulty_template_is_named_by_line_and_message() {
    let syntax = with_template("Good\n\n#let x = (").unwrap_err();
    assert_eq!(syntax.to_string(), "report template, line 3: unclosed delimiter");
    let run = with_template("#let data = json(\"data.json\")\n#data.nothing").unwrap_err();
    assert!(run.to_string().starts_with("report template, line 2: dictionary does not contain key"), "{run}");
}

#[test]
fn a_template_reaches_nothing_but_its_data() {
    for reach in
        ["#read(\"/etc/passwd\")", "#include \"other.typ\"", "#import \"@preview/x:1.0.0\": y", "#datetime.today()"]
    {
        assert!(matches!(with_template(reach), Err(ReportError::Template { line: Some(1), .. })), "{reach}");
    }
}

#[test]
fn a_template_beyond_the_archival_standard_still_prints() {
    let pdf = with_template("#set document(title: [T])\n你").unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7") && !is_archival(&pdf));
    assert!(is_archival(&with_template("#set document(title: [T])\nyou").unwrap()));
}
