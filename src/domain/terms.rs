//! The terms of an agreement about telling the controller, as data. Knows no particular agreement and counts nothing.

mod parse;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    id::WebhookId,
    span::{IsoDuration, Span},
    vocabulary::{Channel, ContentMember, CountedFrom, FilingGate, Form, IncidentKind},
};

/// What a processor promised one controller about incidents.
///
/// Serialises to the shape of the contract, with every default written out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The time limit for the notice.
    pub notify_within: Span,
    /// From when the limit runs; default `awareness`.
    pub counted_from: CountedFrom,
    /// The kinds of incident that must be told; at least one.
    pub triggers: BTreeSet<IncidentKind>,
    /// What a notice must contain; default Art. 33(3) GDPR, and may be empty where the agreement lists nothing.
    pub required_content: BTreeSet<ContentMember>,
    /// The form of the notice; default `any`.
    pub form: Form,
    /// Whom to tell, in order; default the controller's registered webhooks.
    pub addressees: Vec<Addressee>,
    /// What differs for data under Art. 9 GDPR or professional secrecy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_categories: Option<SpecialRule>,
    /// What differs for some of the triggers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_trigger: Vec<TriggerRule>,
    /// Whether filings under Art. 33 and 34 GDPR for the controller need an instruction; default `instruction_required`.
    pub filing_on_behalf: FilingGate,
    /// Where the data may be processed; none where the agreement names no place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_location: Option<DataLocation>,
    /// The language of notices and reports, BCP 47; default `de`.
    pub language: String,
    /// When the processor wants to have told; default half of a fixed limit, otherwise [`DEFAULT_TARGET`]. Never a legal limit.
    pub internal_target: IsoDuration,
    /// Where in the agreement the duty stands, such as `§ 5(3)`; quoted as legal basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
}

/// The internal target where the agreement has no fixed limit and names none.
pub const DEFAULT_TARGET: &str = "PT12H";

/// One addressee of notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addressee {
    /// What the addressee is, in lower snake case, such as `breach_desk`.
    pub role: String,
    /// The way to it.
    pub channel: Channel,
    /// For `webhook`: the endpoint; none means all endpoints registered for the controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookId>,
    /// For `email` the address; for `manual` what a person needs to reach it, such as a telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// What differs once special categories (Art. 9 GDPR) or professional secrets are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecialRule {
    /// A limit beside the general one; the stricter of both holds.
    pub notify_within: Span,
    /// Demanded in addition.
    pub required_content: BTreeSet<ContentMember>,
    /// When the processor wants to have told in this case; default the general target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_target: Option<IsoDuration>,
    /// Where in the agreement it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
}

/// A limit and content of its own for some triggers, in place of the general ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriggerRule {
    /// The triggers it holds for; each also stands in the list of all triggers.
    pub triggers: BTreeSet<IncidentKind>,
    /// The limit for them.
    pub notify_within: Span,
    /// The content for them; may be empty.
    pub required_content: BTreeSet<ContentMember>,
    /// Where in the agreement it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
}

/// Where data may be processed: one or more areas; serialises as one text or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DataLocation {
    /// One area: an ISO 3166-1 code, `EU`, `EEA`, or `third_country_safeguards` (Art. 44 ff. GDPR).
    One(String),
    /// Several areas.
    Several(Vec<String>),
}

impl Terms {
    /// Whether the agreement asks to be told of incidents of this kind.
    pub fn is_triggered_by(&self, kind: IncidentKind) -> bool {
        self.triggers.contains(&kind)
    }

    /// The limit for an incident of this kind, the special rule included if `special`.
    ///
    /// The special rule only ever sharpens: "without undue delay" beside a fixed limit leaves the fixed one in force.
    pub fn limit(&self, kind: IncidentKind, special: bool) -> &Span {
        let general = self.rule_for(kind).map_or(&self.notify_within, |rule| &rule.notify_within);
        self.special_rule(special).map_or(general, |rule| general.stricter(&rule.notify_within))
    }

    /// When the processor wants to have told; an alarm, never a legal limit.
    pub fn internal_target(&self, special: bool) -> &IsoDuration {
        self.special_rule(special).and_then(|rule| rule.internal_target.as_ref()).unwrap_or(&self.internal_target)
    }

    /// What a notice of an incident of this kind must contain; the special rule adds to it.
    pub fn required_content(&self, kind: IncidentKind, special: bool) -> BTreeSet<ContentMember> {
        let general = self.rule_for(kind).map_or(&self.required_content, |rule| &rule.required_content);
        let added = self.special_rule(special).into_iter().flat_map(|rule| &rule.required_content);
        general.iter().chain(added).copied().collect()
    }

    /// The clause that the duty rests on, if the terms name it.
    pub fn clause(&self, kind: IncidentKind, special: bool) -> Option<&str> {
        self.special_rule(special)
            .and_then(|rule| rule.clause.as_deref())
            .or_else(|| self.rule_for(kind).and_then(|rule| rule.clause.as_deref()))
            .or(self.clause.as_deref())
    }

    fn rule_for(&self, kind: IncidentKind) -> Option<&TriggerRule> {
        self.per_trigger.iter().find(|rule| rule.triggers.contains(&kind))
    }

    fn special_rule(&self, special: bool) -> Option<&SpecialRule> {
        self.special_categories.as_ref().filter(|_| special)
    }
}
