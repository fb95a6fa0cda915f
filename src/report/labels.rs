//! The words of a report per language: one data file each, embedded, read once.
//!
//! No wording stands in code. A code that has no label is shown as it is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::model::Count;

/// A language in which reports can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// German.
    German,
    /// English.
    English,
}

impl Language {
    /// Finds the language of a BCP 47 tag by its primary subtag; `None` when reports do not exist in it.
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or(tag).to_ascii_lowercase().as_str() {
            "de" => Some(Self::German),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }

    /// The labels in this language.
    pub(super) fn labels(self) -> &'static Labels {
        match self {
            Self::German => &GERMAN,
            Self::English => &ENGLISH,
        }
    }

    /// Writes a number with the thousands grouped as the language does.
    fn number(self, number: u64) -> String {
        let separator = match self {
            Self::German => '.',
            Self::English => ',',
        };
        let digits = number.to_string();
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(separator);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// Says a count in words of the language.
    pub(super) fn count(self, count: &Count) -> String {
        let text = |code| self.labels().get("count", code);
        match count {
            Count::Exact(number) => text("exact").replace("{exact}", &self.number(*number)),
            Count::About(number) => text("about").replace("{about}", &self.number(*number)),
            Count::Range { min, max } => {
                text("range").replace("{min}", &self.number(*min)).replace("{max}", &self.number(*max))
            }
            Count::Unknown(reason) => text("unknown").replace("{reason}", reason),
        }
    }
}

/// Labels by group and code.
pub(super) struct Labels(BTreeMap<String, BTreeMap<String, String>>);

// The files are embedded, so they cannot be missing; a test reads both and compares their keys.
static GERMAN: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("labels.de.json")));
static ENGLISH: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("labels.en.json")));

impl Labels {
    pub(super) fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// The label of a code, or the code itself.
    pub(super) fn get<'a>(&'a self, group: &str, code: &'a str) -> &'a str {
        self.0.get(group).and_then(|labels| labels.get(code)).map_or(code, String::as_str)
    }

    /// Every label with its group and code.
    #[cfg(test)]
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.iter().flat_map(|(group, codes)| {
            codes.iter().map(move |(code, text)| (group.as_str(), code.as_str(), text.as_str()))
        })
    }

    /// The fixed words of the document, by key.
    pub(super) fn words(&self) -> BTreeMap<String, String> {
        self.0.get("words").cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(labels: &Labels) -> Vec<(&str, &str)> {
        let groups = labels.0.iter();
        groups.flat_map(|(group, codes)| codes.keys().map(move |code| (group.as_str(), code.as_str()))).collect()
    }

    /// The codes of the API, by group of labels.
    const VOCABULARY: &[(&str, &str)] = &[
        (
            "kind",
            "personal_data_breach suspected_breach disruption violation_of_law violation_of_contract \
             violation_of_instruction subprocessor_breach irregularity authority_inspection seizure_or_insolvency \
             contact_change unlawful_instruction subprocessor_change certificate_loss",
        ),
        ("stage", "initial complete"),
        ("breach_type", "confidentiality integrity availability"),
        (
            "cause",
            "misdirected_post misdirected_email open_recipient_list wrong_attachment oral_disclosure \
             unintended_publication misconfiguration software_bug lost_device stolen_device lost_paper \
             stolen_paper improper_disposal phishing credential_stuffing brute_force malware ransomware \
             sql_injection exploit_other insider_copy insider_lookup identity_fraud \
             business_email_compromise supply_chain power_or_hw_failure denial_of_service \
             data_entry_error other unknown",
        ),
        (
            "data_category",
            "identity contact birth_date id_document tax_or_social_number credentials payment \
             bank_account income employment education location behaviour_or_usage \
             communication_content communication_metadata images_or_video audio contract \
             technical_ids profile_or_scoring other",
        ),
        (
            "special_category",
            "racial_ethnic political religious_philosophical trade_union genetic biometric_id \
             health sex_life_orientation",
        ),
        (
            "subject_category",
            "employees applicants apprentices customers prospects users patients students \
             children members suppliers public_officials citizens residents third_parties other",
        ),
        (
            "consequence",
            "loss_of_control limitation_of_rights discrimination identity_theft fraud financial_loss \
             reversal_of_pseudonymisation reputation loss_of_professional_secrecy physical_harm \
             psychological blackmail other_economic_social",
        ),
        (
            "counting_rule",
            "natural_hours eu_hours eu_hours_ceil eu_days eu_months eu_working_days bgb_days \
             dora_weekend_noon eu_hours_min2wd_touch eu_hours_min2wd_full",
        ),
        ("duty_state", "not_started running met breached not_required cancelled lapsed drill"),
        ("party", "processor controller supervisory_authority competent_authority data_subjects record"),
        ("notify_persons", "undecided planned done ordered not_required exempt_a exempt_b exempt_c exempt_bdsg_29"),
        ("instruction_kind", "file_with_authority tell_persons general"),
        ("instruction_form", "text written oral"),
        ("instruction_state", "unconfirmed in_force suspended replaced"),
        ("matter", "breach suspicion event withdrawal"),
        ("matter_title", "breach suspicion event withdrawal"),
        ("notice_kind", "initial supplement correction completion withdrawal"),
        ("channel", "webhook email manual"),
        ("outcome", "delivered accepted transient configuration gone unfinished"),
        (
            "failure",
            "timeout connect reset dns tls forbidden_address invalid_request redirect throttled status_4xx \
             status_5xx body_too_slow invalid_answer mail_deferred mail_refused mail_authentication mail_bounced no_echo \
             withheld",
        ),
        (
            "member",
            "nature data_categories special_categories subject_categories subject_count record_categories record_count \
             contact consequences measures time extent how_obtained",
        ),
    ];

    #[test]
    fn both_languages_have_the_same_keys_and_no_empty_label() {
        assert!(keys(&GERMAN).len() > 200);
        assert_eq!(keys(&GERMAN), keys(&ENGLISH));
        assert!([&GERMAN, &ENGLISH].iter().flat_map(|l| l.0.values()).flat_map(|g| g.values()).all(|l| !l.is_empty()));
    }

    #[test]
    fn every_code_of_the_vocabulary_has_a_label() {
        for (group, codes) in VOCABULARY {
            for code in codes.split_whitespace() {
                for labels in [&GERMAN, &ENGLISH] {
                    assert!(labels.0[*group].contains_key(code), "{group}/{code} has no label");
                }
            }
        }
    }

    #[test]
    fn every_basis_of_the_catalogue_has_a_label() {
        let bases: Vec<_> = include_str!("../../law/obligations.toml")
            .lines()
            .filter_map(|line| line.strip_prefix("basis = \"")?.strip_suffix('"'))
            .collect();
        assert!(bases.len() > 40, "{bases:?}");
        for basis in bases {
            assert!(GERMAN.0["legal_basis"].contains_key(basis), "{basis} has no German label");
        }
    }

    #[test]
    fn the_template_uses_every_word_and_no_other() {
        let template = include_str!("templates/report.typ");
        let name_end = |text: &str| {
            text.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_').unwrap_or(text.len())
        };
        let mut used: Vec<&str> = template.split("words.").skip(1).map(|text| &text[..name_end(text)]).collect();
        used.retain(|word| !word.is_empty());
        used.sort_unstable();
        used.dedup();
        assert_eq!(used, GERMAN.0["words"].keys().collect::<Vec<_>>());
    }

    #[test]
    fn an_unknown_code_is_its_own_label() {
        assert_eq!(Language::German.labels().get("cause", "meteorite"), "meteorite");
    }

    #[test]
    fn counts_are_said_with_grouped_numbers() {
        assert_eq!(Language::German.count(&Count::Range { min: 20_000, max: 1_026_000 }), "20.000 bis 1.026.000");
        assert_eq!(Language::English.count(&Count::About(1_200)), "about 1,200");
        assert_eq!(Language::English.count(&Count::Exact(999)), "999");
        assert_eq!(Language::German.count(&Count::Unknown("läuft".into())), "noch nicht bekannt: läuft");
    }

    #[test]
    fn a_language_is_found_by_its_primary_subtag() {
        assert_eq!(Language::from_tag("de-AT"), Some(Language::German));
        assert_eq!(Language::from_tag("EN"), Some(Language::English));
        assert_eq!(Language::from_tag("fr"), None);
    }
}
