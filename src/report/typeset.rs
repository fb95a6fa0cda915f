//! The data a template sees: the machine shape with times made readable, unprintable characters made visible, and
//! the fixed words of the language added.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::moment::Display;
use super::{Language, Report, ReportError, to_json};

/// Builds the content of `data.json` for a template.
///
/// `printable` says which characters the fonts can show. Errors for an unknown display zone.
pub(super) fn template_data(
    report: &Report,
    language: Language,
    now: OffsetDateTime,
    printable: &dyn Fn(char) -> bool,
) -> Result<Value, ReportError> {
    let display = Display::new(&report.display_zone, language)?;
    let mut data = to_json(report, language)?;
    make_readable(&mut data, "", &display, printable);
    data["words"] = json!(language.labels().words());
    data["generated_at"] = display.moment(now).into();
    Ok(data)
}

fn make_readable(value: &mut Value, name: &str, display: &Display<'_>, printable: &dyn Fn(char) -> bool) {
    match value {
        Value::String(text) => match is_time(name).then(|| OffsetDateTime::parse(text, &Rfc3339)) {
            Some(Ok(instant)) => *text = display.moment(instant),
            _ => *text = show(text, printable),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| make_readable(item, name, display, printable)),
        Value::Object(members) => {
            for (name, member) in members {
                make_readable(member, name, display, printable);
            }
        }
        _ => {}
    }
}

/// Whether a member of the model holds an instant; texts of the filer never stand under these names.
fn is_time(name: &str) -> bool {
    name.ends_with("_at") || matches!(name, "at" | "from" | "until" | "expected_by")
}

/// Replaces what no font can show by its code point, so that nothing vanishes from a legal document unseen.
fn show(text: &str, printable: &dyn Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push('\n'),
            '\t' => shown.push(' '),
            '\r' => {}
            ' '..='~' => shown.push(character),
            _ if !hides(character) && printable(character) => shown.push(character),
            _ => shown.extend([format!("[U+{:04X}]", u32::from(character))]),
        }
    }
    shown
}

/// Whether a character shows nothing, turns the reading direction round, or means what only its font knows.
fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::report::samples;

    #[test]
    fn every_instant_is_made_readable() {
        let now = datetime!(2026-11-23 08:00 UTC);
        let data = template_data(&samples::full(), Language::German, now, &|_| true).unwrap();
        assert_eq!(data["aware_at"], "22.11.2026, 01:10 Uhr (MEZ)");
        assert_eq!(data["generated_at"], "23.11.2026, 09:00 Uhr (MEZ)");
        assert!(!data.to_string().contains("00Z\""), "an instant is left in machine form");
    }

    #[test]
    fn unprintable_characters_become_visible() {
        let latin = |character: char| character.is_alphanumeric() && u32::from(character) < 0x250;
        assert_eq!(show("Müller\u{0}\u{202e}你\r\n\tb", &latin), "Müller[U+0000][U+202E][U+4F60]\n b");
    }
}
