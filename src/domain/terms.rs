//! The terms of an agreement about telling the controller, as data. Knows no particular agreement and counts nothing.

mod escalation;
mod parse;

use std::collections::BTreeSet;

pub use escalation::{Action, Ladder, LadderStep, Ladders};
pub use parse::place_on_earth;

use serde::Serialize;

use super::{
    catalogue::AgreementTerm,
    id::WebhookId,
    organisation::{is_in_eea, is_in_eu},
    span::{IsoDuration, Span},
    vocabulary::{Channel, ContentMember, CountedFrom, DeliveryOrder, FilingGate, Form, IncidentKind, InformedBy},
};

/// What a processor promised one controller about incidents.
///
/// Serialises to the shape of the contract, with every default written out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The time limit for the notice.
    pub notify_within: Span,
    /// The limit for the complete content; none where the agreement does not ask for it. Never shorter than `notify_within`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_within: Option<Span>,
    /// How long the controller may object to a new sub-processor, in days; none where the agreement names no such time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subprocessor_objection: Option<IsoDuration>,
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
    /// Whether the channels of the addressees open one after the other or all at once; default `in_order`.
    pub delivery_order: DeliveryOrder,
    /// What happens, and when, until a notice is delivered and until it is acknowledged; default [`Ladders::default`].
    pub escalation: Ladders,
    /// What starts the clocks that begin when the controller is informed; default `earlier`.
    pub informed_by: InformedBy,
    /// What differs for data under Art. 9 GDPR or professional secrecy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_categories: Option<SpecialRule>,
    /// What differs for some of the triggers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_trigger: Vec<TriggerRule>,
    /// Whether filings under Art. 33 and 34 GDPR for the controller need an instruction; default `instruction_required`.
    pub filing_on_behalf: FilingGate,
    /// Names or functions of those who may instruct for the controller, in order; empty means anyone.
    pub authorised_instructors: Vec<String>,
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
    /// For `email` the address; for `manual` what a person needs to reach it, such as a telephone number; none for `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// For `email`: in which country or area the mailbox stands, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// What the terms say on one of their time limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise<'t> {
    /// How long.
    pub span: Span,
    /// Where in the agreement it stands, if the terms name it.
    pub clause: Option<&'t str>,
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
    /// The content for them, which may be empty; default the general one.
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

impl DataLocation {
    /// Whether a notice may stand or pass where `place` says: a country, `EU` or `EEA`.
    pub fn allows(&self, place: &str) -> bool {
        let areas = match self {
            Self::One(area) => std::slice::from_ref(area),
            Self::Several(areas) => areas,
        };
        areas.iter().any(|area| match area.as_str() {
            "third_country_safeguards" => true,
            "EEA" => place == "EEA" || place == "EU" || is_in_eea(place),
            "EU" => place == "EU" || is_in_eu(place),
            country => country == place,
        })
    }
}

impl Terms {
    /// Whether a notice may stand or pass at `place`; a place that nobody has named is not held against it.
    pub fn allows_place(&self, place: Option<&str>) -> bool {
        match (&self.data_location, place) {
            (Some(location), Some(place)) => location.allows(place),
            _ => true,
        }
    }

    /// The channels of the addressees in the order in which they are named first.
    pub fn channels(&self) -> Vec<Channel> {
        let mut channels = Vec::new();
        for addressee in &self.addressees {
            if !channels.contains(&addressee.channel) {
                channels.push(addressee.channel);
            }
        }
        channels
    }

    /// The channels that open at once.
    pub fn first_channels(&self) -> Vec<Channel> {
        let mut channels = self.channels();
        if self.delivery_order == DeliveryOrder::InOrder {
            channels.truncate(1);
        }
        channels
    }

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

    /// What the terms say on `term` for an incident of this kind; `None` where they do not have it for that kind.
    ///
    /// A rule for single triggers stands in place of the general one, so the general limit for the complete content does not
    /// reach them. The special rule for special categories is none of its own unless `special`.
    pub fn promise(&self, term: AgreementTerm, kind: IncidentKind, special: bool) -> Option<Promise<'_>> {
        if !self.is_triggered_by(kind) {
            return None;
        }
        let clause = self.general_clause(kind);
        match term {
            AgreementTerm::NotifyWithin => {
                Some(Promise { span: self.limit(kind, special).clone(), clause: self.clause(kind, special) })
            }
            AgreementTerm::CompleteWithin if self.rule_for(kind).is_some() => None,
            AgreementTerm::CompleteWithin => self.complete_within.clone().map(|span| Promise { span, clause }),
            AgreementTerm::SubprocessorObjection if kind != IncidentKind::SubprocessorChange => None,
            AgreementTerm::SubprocessorObjection => {
                self.subprocessor_objection.clone().map(|days| Promise { span: Span::Within(days), clause })
            }
            AgreementTerm::SpecialCategories => self
                .special_rule(special)
                .map(|rule| Promise { span: rule.notify_within.clone(), clause: rule.clause.as_deref().or(clause) }),
        }
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

    /// The clause that the limit for such an incident rests on, if the terms name it.
    pub fn clause(&self, kind: IncidentKind, special: bool) -> Option<&str> {
        let governs = |rule: &&SpecialRule| std::ptr::eq(self.limit(kind, special), &raw const rule.notify_within);
        match self.special_rule(special).filter(governs) {
            Some(rule) => rule.clause.as_deref(),
            None => self.general_clause(kind),
        }
    }

    /// The clause that demands a member of the content, if the terms name it.
    pub fn content_clause(&self, kind: IncidentKind, special: bool, member: ContentMember) -> Option<&str> {
        match self.special_rule(special) {
            Some(rule) if !self.required_content(kind, false).contains(&member) => rule.clause.as_deref(),
            _ => self.general_clause(kind),
        }
    }

    fn general_clause(&self, kind: IncidentKind) -> Option<&str> {
        self.rule_for(kind).and_then(|rule| rule.clause.as_deref()).or(self.clause.as_deref())
    }

    fn rule_for(&self, kind: IncidentKind) -> Option<&TriggerRule> {
        self.per_trigger.iter().find(|rule| rule.triggers.contains(&kind))
    }

    fn special_rule(&self, special: bool) -> Option<&SpecialRule> {
        self.special_categories.as_ref().filter(|_| special)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
