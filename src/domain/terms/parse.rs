//! Reads terms with all faults at once and writes out the defaults. Checks the terms against themselves only.

use std::collections::BTreeSet;

use super::{Addressee, DEFAULT_TARGET, DataLocation, Ladders, SpecialRule, Terms, TriggerRule};
use crate::domain::{
    fault::Faults,
    organisation::{email, is_country},
    parse::{Object, Place},
    span::{InvalidSpan, IsoDuration, Span},
    vocabulary::{Channel, ContentMember, CountedFrom, DeliveryOrder, FilingGate, Form, IncidentKind, InformedBy},
};

/// Areas that are no country: the Union, the Economic Area, and third countries under Art. 44 ff. GDPR.
const AREAS: &[&str] = &["EU", "EEA", "third_country_safeguards"];

fn content(place: &Place<'_>, faults: &mut Faults) -> Option<BTreeSet<ContentMember>> {
    place.set(faults, |item, faults| item.code(ContentMember::CODES, faults))
}

/// The general content; Art. 33(3) GDPR where the terms do not say.
fn required_content(object: &mut Object<'_>, faults: &mut Faults) -> Option<BTreeSet<ContentMember>> {
    let stated = object.optional("required_content", faults, content)?;
    Some(stated.unwrap_or_else(|| ContentMember::STATUTORY.iter().copied().collect()))
}

fn triggers(place: &Place<'_>, faults: &mut Faults) -> Option<BTreeSet<IncidentKind>> {
    place.filled_set(faults, |item, faults| item.code(IncidentKind::CODES, faults))
}

fn clause(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    place.text(200, faults)
}

/// A limit of an agreement: days, hours and minutes, or without undue delay. Half a month would be no internal target.
fn limit(place: &Place<'_>, faults: &mut Faults) -> Option<Span> {
    let fault = match place.text(500, faults)?.parse() {
        Ok(Span::Months(_)) | Err(InvalidSpan::Unit | InvalidSpan::Months) => InvalidSpan::Form,
        Ok(span) => return Some(span),
        Err(fault) => fault,
    };
    faults.add(&place.pointer, "invalid", format!("{fault}."));
    None
}

impl Terms {
    /// Reads terms as the contract describes them.
    pub fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let notify_within = object.required("notify_within", faults, limit);
        let complete_within = object.optional("complete_within", faults, limit);
        let objection = object.optional("subprocessor_objection", faults, days);
        let counted_from =
            object.optional("counted_from", faults, |place, faults| place.code(CountedFrom::CODES, faults));
        let triggers = object.required("triggers", faults, triggers);
        let required_content = required_content(&mut object, faults);
        let form = object.optional("form", faults, |place, faults| place.code(Form::CODES, faults));
        let addressees = object.optional("addressees", faults, addressees);
        let order = object.optional("delivery_order", faults, |place, faults| place.code(DeliveryOrder::CODES, faults));
        let escalation = object.optional("escalation", faults, Ladders::parse);
        let informed_by = object.optional("informed_by", faults, |place, faults| place.code(InformedBy::CODES, faults));
        let special_categories = object.optional("special_categories", faults, SpecialRule::parse);
        let per_trigger = object.optional("per_trigger", faults, |place, faults| {
            place.list(faults, |item, faults| TriggerRule::parse(item, required_content.as_ref(), faults))
        });
        let gate = object.optional("filing_on_behalf", faults, |place, faults| place.code(FilingGate::CODES, faults));
        let instructors = object.optional("authorised_instructors", faults, instructors);
        let data_location = object.optional("data_location", faults, DataLocation::parse);
        let language = object.optional("language", faults, language);
        let target = object.optional("internal_target", faults, Place::parsed);
        let clause = object.optional("clause", faults, clause);
        object.close(faults);
        let notify_within = notify_within?;
        let terms = Self {
            internal_target: target?.or_else(|| default_target(&notify_within))?,
            notify_within,
            complete_within: complete_within?,
            subprocessor_objection: objection?,
            counted_from: counted_from?.unwrap_or(CountedFrom::Awareness),
            triggers: triggers?,
            required_content: required_content?,
            form: form?.unwrap_or(Form::Any),
            addressees: addressees?.unwrap_or_else(|| vec![Addressee::registered_webhooks()]),
            delivery_order: order?.unwrap_or(DeliveryOrder::InOrder),
            escalation: escalation?.unwrap_or_default(),
            informed_by: informed_by?.unwrap_or(InformedBy::Earlier),
            special_categories: special_categories?,
            per_trigger: per_trigger?.unwrap_or_default(),
            filing_on_behalf: gate?.unwrap_or(FilingGate::InstructionRequired),
            authorised_instructors: instructors?.unwrap_or_default(),
            data_location: data_location?,
            language: language?.unwrap_or_else(|| "de".to_owned()),
            clause: clause?,
        };
        terms.fits_together(&place.pointer, faults).then_some(terms)
    }

    /// Notes limits that contradict each other, and rules for triggers that are none or have two rules.
    fn fits_together(&self, pointer: &str, faults: &mut Faults) -> bool {
        let before = faults.as_slice().len();
        let complete = self.complete_within.as_ref().and_then(Span::length);
        if complete.is_some_and(|complete| self.notify_within.length().is_some_and(|notice| complete < notice)) {
            let detail = "The complete content cannot be owed before the notice itself.";
            faults.add(format!("{pointer}/complete_within"), "before_notice", detail);
        }
        if self.subprocessor_objection.is_some() && !self.is_triggered_by(IncidentKind::SubprocessorChange) {
            let detail = "Nobody can object to what need not be told: `subprocessor_change` is not among the triggers.";
            faults.add(format!("{pointer}/subprocessor_objection"), "not_a_trigger", detail);
        }
        let mut ruled = BTreeSet::new();
        for (index, rule) in self.per_trigger.iter().enumerate() {
            let pointer = format!("{pointer}/per_trigger/{index}/triggers");
            for kind in &rule.triggers {
                if !self.triggers.contains(kind) {
                    faults.add(&pointer, "not_a_trigger", format!("`{kind}` is not among the triggers."));
                }
                if !ruled.insert(*kind) {
                    faults.add(&pointer, "duplicate", format!("`{kind}` has a rule already."));
                }
            }
        }
        let limits = self.triggers.iter().filter_map(|kind| self.limit(*kind, false).length());
        if limits.min().is_some_and(|limit| self.internal_target.length() >= limit) {
            faults.add(format!("{pointer}/internal_target"), "target_after_limit", TARGET_AFTER_LIMIT);
        }
        let special = self.triggers.iter().filter_map(|kind| self.limit(*kind, true).length());
        if self.special_categories.is_some()
            && special.min().is_some_and(|limit| self.internal_target(true).length() >= limit)
        {
            let pointer = format!("{pointer}/special_categories/internal_target");
            faults.add(pointer, "target_after_limit", TARGET_AFTER_LIMIT);
        }
        faults.as_slice().len() == before
    }
}

/// What is wrong with an internal target that does not come before the limit it guards.
const TARGET_AFTER_LIMIT: &str = "The internal target must be shorter than every fixed limit it stands for.";

/// Half of a fixed limit, otherwise [`DEFAULT_TARGET`].
fn default_target(limit: &Span) -> Option<IsoDuration> {
    match limit.length() {
        Some(length) => Some(IsoDuration::of(length / 2)),
        None => DEFAULT_TARGET.parse().ok(),
    }
}

/// A period of whole days, which §§ 187 ff. BGB count; in hours it would be another period.
fn days(place: &Place<'_>, faults: &mut Faults) -> Option<IsoDuration> {
    let read: IsoDuration = place.parsed(faults)?;
    if read.as_str().contains('T') {
        faults.add(&place.pointer, "days", "Expected whole days, such as P14D.");
        return None;
    }
    Some(read)
}

fn instructors(place: &Place<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    place.list(faults, |item, faults| {
        let name = item.text(200, faults)?;
        if !seen.insert(name.clone()) {
            faults.add(&item.pointer, "duplicate", "This stands in the list already.");
            return None;
        }
        Some(name)
    })
}

fn addressees(place: &Place<'_>, faults: &mut Faults) -> Option<Vec<Addressee>> {
    let mut seen: Vec<Addressee> = Vec::new();
    place.list(faults, |item, faults| {
        let addressee = Addressee::parse(item, faults)?;
        if seen.contains(&addressee) {
            faults.add(&item.pointer, "duplicate", "This addressee is listed twice.");
            return None;
        }
        seen.push(addressee);
        Some(())
    })?;
    if seen.is_empty() {
        faults.add(&place.pointer, "empty", "At least one addressee is needed; leave the member out for the default.");
        return None;
    }
    Some(seen)
}

impl Addressee {
    /// All webhooks that are registered for the controller.
    fn registered_webhooks() -> Self {
        Self { role: "controller".to_owned(), channel: Channel::Webhook, webhook: None, address: None, location: None }
    }

    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let role = object.required("role", faults, Place::word);
        let channel = object.required("channel", faults, |place, faults| place.code(Channel::CODES, faults));
        let is_mailbox = channel == Some(Channel::Email);
        let location = if is_mailbox { object.optional("location", faults, place_on_earth) } else { Some(None) };
        let (webhook, address) = match channel {
            None => {
                object.ignore(&["webhook", "address", "location"]);
                (Some(None), Some(None))
            }
            Some(Channel::Webhook) => (object.optional("webhook", faults, Place::parsed), Some(None)),
            Some(Channel::Email) => (Some(None), object.required("address", faults, email).map(Some)),
            Some(Channel::Manual) => {
                (Some(None), object.required("address", faults, |place, faults| place.text(500, faults)).map(Some))
            }
        };
        object.close(faults);
        Some(Self { role: role?, channel: channel?, webhook: webhook?, address: address?, location: location? })
    }
}

impl SpecialRule {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let notify_within = object.required("notify_within", faults, limit);
        let required_content = object.optional("required_content", faults, content);
        let internal_target = object.optional("internal_target", faults, Place::parsed);
        let clause = object.optional("clause", faults, clause);
        object.close(faults);
        Some(Self {
            notify_within: notify_within?,
            required_content: required_content?.unwrap_or_default(),
            internal_target: internal_target?,
            clause: clause?,
        })
    }
}

impl TriggerRule {
    /// Reads a rule; content that it does not name is the `general` one.
    fn parse(place: &Place<'_>, general: Option<&BTreeSet<ContentMember>>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let triggers = object.required("triggers", faults, triggers);
        let notify_within = object.required("notify_within", faults, limit);
        let required_content = object.optional("required_content", faults, content);
        let clause = object.optional("clause", faults, clause);
        object.close(faults);
        Some(Self {
            triggers: triggers?,
            notify_within: notify_within?,
            required_content: required_content?.or_else(|| general.cloned())?,
            clause: clause?,
        })
    }
}

impl DataLocation {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        if place.value.is_array() {
            return place.filled_set(faults, area).map(|areas| Self::Several(areas.into_iter().collect()));
        }
        area(place, faults).map(Self::One)
    }
}

fn area(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(64, faults)?;
    if is_country(&text) || AREAS.contains(&text.as_str()) {
        return Some(text);
    }
    let detail = format!("Expected an ISO 3166-1 country code or one of: {}.", AREAS.join(", "));
    faults.add(&place.pointer, "location", detail);
    None
}

/// Reads where something stands: an ISO 3166-1 country code, `EU` or `EEA`.
pub fn place_on_earth(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(64, faults)?;
    if is_country(&text) || matches!(text.as_str(), "EU" | "EEA") {
        return Some(text);
    }
    faults.add(&place.pointer, "location", "Expected an ISO 3166-1 country code, EU or EEA.");
    None
}

/// Reads the shape of a BCP 47 tag: a language of two or three letters, then subtags.
fn language(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(35, faults)?;
    let mut parts = text.split('-');
    let primary =
        parts.next().is_some_and(|part| matches!(part.len(), 2 | 3) && part.bytes().all(|b| b.is_ascii_lowercase()));
    let subtags = parts.all(|part| matches!(part.len(), 2..=8) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if primary && subtags {
        return Some(text);
    }
    faults.add(&place.pointer, "language", "Expected a BCP 47 language tag, such as de or en-GB.");
    None
}
