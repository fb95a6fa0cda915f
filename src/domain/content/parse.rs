//! Reads the content of filings and stored notices, all faults at once. Checks single members, not how they fit together.

use serde_json::Value;
use std::sync::Arc;
use time::OffsetDateTime;

use super::{
    CommonContent, Consequences, Figures, Known, Measure, Measures, Nature, Occurred, ShareContent, Tally, Unknown,
    times::Times,
};
use crate::domain::{
    count::Count,
    fault::Faults,
    organisation::{self, Contact},
    parse::{Object, Place},
    vocabulary::{
        Cause, ConsequenceType, DataCategory, IncidentKind, NatureType, SpecialCategory, Stage, SubjectCategory,
    },
};

/// The longest running text, in characters.
const LONG_TEXT: usize = 10_000;
/// The longest reason, in characters.
const REASON: usize = 1_000;
/// The longest name of whoever sees to an open item, in characters.
const OWNER: usize = 200;

impl Unknown {
    /// Reads `{"unknown": "reason", "expected_by"?: "…", "owner"?: "…"}`.
    pub(in crate::domain) fn members(mut object: Object<'_>, faults: &mut Faults) -> Option<Self> {
        let reason = object.required("unknown", faults, |place, faults| place.text(REASON, faults));
        let owner = object.optional("owner", faults, |place, faults| place.text(OWNER, faults));
        let expected_by = object.optional("expected_by", faults, Place::instant);
        object.close(faults);
        Some(Self { reason: reason?, owner: owner?, expected_by: expected_by? })
    }
}

/// Reads a place that may hold a declaration of what is not known yet; only stage `initial` may do so (Art. 33(4) GDPR).
fn known<'v, T>(
    place: &Place<'v>,
    stage: Stage,
    faults: &mut Faults,
    read: impl FnOnce(&Place<'v>, &mut Faults) -> Option<T>,
) -> Option<Known<T>> {
    match place.object_with("unknown") {
        Some(object) => {
            refuse_when_complete(place, stage, faults);
            Unknown::members(object, faults).map(Known::Unknown)
        }
        None => read(place, faults).map(Known::Known),
    }
}

/// A member that may be absent, unknown or known; a faulty one counts as absent, so that reading goes on.
fn member<'v, T>(
    object: &mut Object<'v>,
    name: &'static str,
    stage: Stage,
    faults: &mut Faults,
    read: impl FnOnce(&Place<'v>, &mut Faults) -> Option<T>,
) -> Known<T> {
    object.get(name).and_then(|place| known(&place, stage, faults, read)).unwrap_or(Known::Absent)
}

fn refuse_when_complete(place: &Place<'_>, stage: Stage, faults: &mut Faults) {
    if stage == Stage::Complete {
        faults.add(
            &place.pointer,
            "unknown_in_complete",
            "A complete filing cannot leave this unknown; file it as initial.",
        );
    }
}

impl CommonContent {
    /// Reads the members that all affected controllers see; leaves the others in `object`.
    ///
    /// A value comes back whenever kind and stage are readable; faulty members then hold placeholders, and `faults` is not
    /// empty. `now` bounds what can have happened already; none for a document that was checked when it came in.
    pub(in crate::domain) fn members(
        object: &mut Object<'_>,
        now: Option<OffsetDateTime>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let kind = object.required("kind", faults, |place, faults| place.code(IncidentKind::CODES, faults));
        let stage = object.required("stage", faults, |place, faults| place.code(Stage::CODES, faults));
        // Under an unreadable stage nothing is refused that one of the stages would allow.
        let rules = stage.unwrap_or(Stage::Initial);
        let title = object.required("title", faults, |place, faults| place.text(200, faults));
        let detected_at = object.required("detected_at", faults, Place::instant);
        let aware_at = object.required("aware_at", faults, Place::instant);
        let awareness_reason = object.optional("awareness_reason", faults, |place, faults| place.text(REASON, faults));
        let occurred = member(object, "occurred", rules, faults, Occurred::parse);
        let nature = member(object, "nature", rules, faults, |place, faults| Nature::parse(place, rules, faults));
        let professional_secrecy = object.optional("professional_secrecy", faults, Place::boolean);
        let contact = member(object, "contact", rules, faults, Contact::parse);
        let consequences = member(object, "consequences", rules, faults, Consequences::parse);
        let measures = member(object, "measures", rules, faults, Measures::parse);
        let times = Times { detected_at, aware_at, occurred: &occurred, measures: &measures, now };
        times.check(awareness_reason == Some(None), faults);
        // Agreements are looked up by the day of awareness; where that cannot be read, today's are the likely ones.
        let placeholder = now.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut content = Self {
            kind: kind?,
            stage: stage?,
            title: title.unwrap_or_default(),
            detected_at: detected_at.unwrap_or(placeholder),
            aware_at: aware_at.unwrap_or(placeholder),
            awareness_reason: awareness_reason.flatten(),
            occurred,
            nature,
            professional_secrecy: professional_secrecy.flatten().unwrap_or(false),
            contact,
            consequences,
            measures,
            json: String::new(),
        };
        content.json = serde_json::to_string(&content)
            .map_err(|error| faults.add(object.pointer(), "invalid", format!("Cannot be written as JSON: {error}.")))
            .ok()?;
        content.json.pop();
        Some(content)
    }
}

impl Figures {
    /// The same with the word to one controller alone, which only its own part can hold.
    pub(in crate::domain) fn with_note(object: &mut Object<'_>, stage: Stage, faults: &mut Faults) -> Self {
        let note = object.optional("note", faults, |place, faults| place.text(LONG_TEXT, faults));
        Self { note: note.flatten(), ..Self::members(object, stage, faults) }
    }

    /// Reads the members that differ between controllers; leaves the others in `object`.
    pub(in crate::domain) fn members(object: &mut Object<'_>, stage: Stage, faults: &mut Faults) -> Self {
        Self {
            data_categories: member(object, "data_categories", stage, faults, |place, faults| {
                place.filled_set(faults, |item, faults| item.code(DataCategory::CODES, faults))
            }),
            special_categories: member(object, "special_categories", stage, faults, |place, faults| {
                place.set(faults, |item, faults| item.code(SpecialCategory::CODES, faults))
            }),
            subjects: tally(object, "subjects", stage, faults, |item, faults| {
                item.code(SubjectCategory::CODES, faults)
            }),
            records: tally(object, "records", stage, faults, Place::word),
            countries: object
                .optional("countries", faults, |place, faults| place.filled_set(faults, organisation::country))
                .flatten(),
            note: None,
        }
    }
}

/// Reads categories and number; one reason in place of the whole object stands for both.
fn tally<'v, C: Ord>(
    object: &mut Object<'v>,
    name: &'static str,
    stage: Stage,
    faults: &mut Faults,
    item: impl FnMut(&Place<'v>, &mut Faults) -> Option<C>,
) -> Tally<C> {
    let read = member(object, name, stage, faults, |place, faults| {
        let mut object = place.object(faults)?;
        let categories =
            member(&mut object, "categories", stage, faults, |place, faults| place.filled_set(faults, item));
        let count = object.optional("count", faults, |place, faults| {
            let count = Count::parse(place, faults)?;
            if matches!(count, Count::Unknown(_)) {
                refuse_when_complete(place, stage, faults);
            }
            Some(count)
        });
        if object.is_empty() {
            faults.add(&place.pointer, "empty", "At least categories or a count is needed.");
        }
        object.close(faults);
        Some(Tally { categories, count: count.flatten() })
    });
    match read {
        Known::Known(tally) => tally,
        Known::Unknown(unknown) => {
            Tally { categories: Known::Unknown(unknown.clone()), count: Some(Count::Unknown(unknown)) }
        }
        Known::Absent => Tally::default(),
    }
}

impl Occurred {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let from = object.required("from", faults, Place::instant);
        let until = object.optional("until", faults, Place::instant);
        let ongoing = object.optional("ongoing", faults, Place::boolean);
        object.close(faults);
        Some(Self { from: from?, until: until?, ongoing: ongoing?.unwrap_or(false) })
    }
}

impl Nature {
    fn parse(place: &Place<'_>, stage: Stage, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let types = object.required("types", faults, |place, faults| {
            place.filled_set(faults, |item, faults| item.code(NatureType::CODES, faults))
        });
        let cause = object.optional("cause", faults, |place, faults| place.code(Cause::CODES, faults));
        let description = object.required("description", faults, |place, faults| place.text(LONG_TEXT, faults));
        let how_obtained =
            member(&mut object, "how_obtained", stage, faults, |place, faults| place.text(LONG_TEXT, faults));
        object.close(faults);
        Some(Self { types: types?, cause: cause?.unwrap_or(Cause::Unknown), description: description?, how_obtained })
    }
}

impl Consequences {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let types = object.optional("types", faults, |place, faults| {
            place.set(faults, |item, faults| item.code(ConsequenceType::CODES, faults))
        });
        let description = object.optional("description", faults, |place, faults| place.text(LONG_TEXT, faults));
        object.close(faults);
        let read = Self { types: types?.unwrap_or_default(), description: description? };
        if read.types.is_empty() && read.description.is_none() {
            faults.add(&place.pointer, "empty", "At least a type or a description is needed.");
            return None;
        }
        Some(read)
    }
}

impl Measures {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let mut list = |name| {
            object
                .optional(name, faults, |place, faults| place.list(faults, |item, faults| Measure::parse(item, faults)))
        };
        let (taken, proposed) = (list("taken"), list("proposed"));
        object.close(faults);
        let read = Self { taken: taken?.unwrap_or_default(), proposed: proposed?.unwrap_or_default() };
        if read.taken.is_empty() && read.proposed.is_empty() {
            faults.add(&place.pointer, "empty", "At least one measure is needed, taken or proposed.");
            return None;
        }
        Some(read)
    }
}

impl Measure {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let description = object.required("description", faults, |place, faults| place.text(LONG_TEXT, faults));
        let at: Option<Option<OffsetDateTime>> = object.optional("at", faults, Place::instant);
        object.close(faults);
        Some(Self { description: description?, at: at? })
    }
}

impl ShareContent {
    /// Reads what [`ShareContent::to_json`] wrote, or the content of a later notice; faults mean that the stored text was altered.
    pub fn from_stored(json: &str) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = serde_json::from_str::<Value>(json)
            .map_err(|error| faults.add("", "json", format!("Not JSON: {error}.")))
            .ok()
            .and_then(|value| Self::parse(&Place::root(&value), &mut faults));
        faults.finish(read)
    }

    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let common = CommonContent::members(&mut object, None, faults);
        let stage = common.as_ref().map_or(Stage::Initial, |common| common.stage);
        let figures = Figures::with_note(&mut object, stage, faults);
        // A later notice says first what is new.
        object.ignore(crate::domain::phase::LEADING);
        object.close(faults);
        Some(Self { common: Arc::new(common?), figures })
    }
}
