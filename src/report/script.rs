//! What a person says and does who has to get a notice through, and what is asked afterwards: one data file per language.
//!
//! It says how the content is conveyed and where it is printed from; no content of the incident reaches this file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::labels::Language;
use super::outside::{self, Matter};
use crate::domain::task::Means;

/// The words of one language.
#[derive(Debug, Default, Deserialize)]
struct Words {
    whom_known: String,
    whom_unknown: String,
    steps: BTreeMap<String, Vec<String>>,
    form: Value,
}

// The files are embedded, so they cannot be missing; a test reads both and compares them.
static GERMAN: LazyLock<Words> = LazyLock::new(|| Words::read(include_str!("script/script.de.json")));
static ENGLISH: LazyLock<Words> = LazyLock::new(|| Words::read(include_str!("script/script.en.json")));

impl Words {
    fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    fn of(language: Language) -> &'static Self {
        match language {
            Language::German => &GERMAN,
            Language::English => &ENGLISH,
        }
    }
}

/// Who has to reach whom about what.
#[derive(Debug, Clone, Copy)]
pub struct Cast<'a> {
    /// The name of who tells.
    pub processor: &'a str,
    /// The name of who is told.
    pub controller: &'a str,
    /// What the person to be reached is, and the way to it, where both are known.
    pub contact: Option<(&'a str, &'a str)>,
    /// What the notice is about, as far as a stranger may know.
    pub matter: Matter,
    /// The id of the notice.
    pub notice: &'a str,
    /// The id of the incident.
    pub incident: &'a str,
    /// Number of the notice within the incident and the controller.
    pub sequence: i32,
}

/// What to say and do, and what is asked afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// Sentences, in order.
    pub script: Vec<String>,
    /// The members of the result, as JSON Schema with titles.
    pub form: &'static Value,
}

/// The script for reaching somebody by `means`.
pub fn script(language: Language, means: Means, cast: &Cast<'_>) -> Script {
    let words = Words::of(language);
    let (whom, (role, address)) = match cast.contact {
        Some((role, address)) => (&words.whom_known, (language.labels().get("contact_role", role), address)),
        None => (&words.whom_unknown, ("", "")),
    };
    let reference = outside::reference(cast.incident, cast.sequence);
    let places = [
        ("{processor}", cast.processor),
        ("{controller}", cast.controller),
        ("{matter}", cast.matter.phrase(language)),
        ("{reference}", &reference),
        ("{notice}", cast.notice),
        ("{incident}", cast.incident),
        ("{role}", role),
        ("{address}", address),
    ];
    let sentences = words.steps.get(means.as_str()).into_iter().flatten();
    let sentence = |sentence: &String| outside::fill(if sentence == "{whom}" { whom } else { sentence }, &places);
    Script { script: sentences.map(sentence).collect(), form: &words.form }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAST: Cast<'_> = Cast {
        processor: "Muster Lernsysteme GmbH",
        controller: "Beispielwerk {notice} AG",
        contact: Some(("breach_desk", "+49 711 123456")),
        matter: Matter::Breach,
        notice: "ntc_1",
        incident: "inc_01m809fw25eys943x3qnrzrb1s",
        sequence: 2,
    };

    #[test]
    fn both_languages_say_the_same_for_every_means() {
        for (code, means) in Means::CODES {
            let lengths = [Language::German, Language::English].map(|language| {
                let script = script(language, *means, &CAST);
                let text = script.script.join("\n");
                for said in [
                    "Muster Lernsysteme GmbH",
                    "Beispielwerk {notice} AG",
                    "ntc_1",
                    "RZRB1S-2",
                    "+49 711 123456",
                    "report_url",
                ] {
                    assert!(text.contains(said), "{code}: {said}\n{text}");
                }
                assert!(text.contains(CAST.matter.phrase(language)) && !text.contains("breach_desk"), "{text}");
                assert!(!text.replace("Beispielwerk {notice} AG", "").contains(['{', '}']), "{text}");
                script.script.len()
            });
            assert!(lengths[0] == lengths[1] && lengths[0] >= 5, "{code}: {lengths:?}");
        }
        let keys =
            |language| Words::of(language).form["properties"].as_object().map(|form| form.keys().cloned().collect());
        let keys: [Option<Vec<String>>; 2] = [Language::German, Language::English].map(keys);
        assert!(keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
    }

    #[test]
    fn where_no_way_is_known_it_says_so() {
        let unknown = script(Language::English, Means::Courier, &Cast { contact: None, ..CAST });
        assert!(unknown.script[1].contains("No way there is on file"), "{:?}", unknown.script);
    }
}
