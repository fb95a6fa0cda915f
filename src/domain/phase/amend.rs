//! The body of a later version: what changes for all, what for single controllers, and why. Reads and merges, stores nothing.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::PhaseKind;
use super::merge::{Merged, Standing, entries, merge_patch, pointing_back};
use crate::domain::fault::Faults;
use crate::domain::filing::Filing;
use crate::domain::id::OrganisationId;
use crate::domain::parse::{Object, Place};
use crate::domain::vocabulary::{IncidentKind, Stage};

/// The longest reason, in characters.
pub(super) const REASON: usize = 1_000;

/// The kinds of version that may be filed after the first.
const KINDS: &[(&str, PhaseKind)] = &[
    ("supplement", PhaseKind::Supplement),
    ("correction", PhaseKind::Correction),
    ("completion", PhaseKind::Completion),
    ("withdrawal", PhaseKind::Withdrawal),
];

/// The members of a filing that no version changes, and what does instead.
const FIXED: &[(&str, &str)] = &[
    ("affected", "Changes of single controllers stand in `affected` beside `changes`."),
    ("drill", "A drill stays a drill."),
    ("no_duty_reason", "It was told why nobody is; controllers found late are added at `affected` of the incident."),
    ("origin", "Where it came from does not change."),
    ("stage", "A version of kind `completion` makes it complete."),
];

/// The body of `POST /v1/incidents/{id}/versions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// What the version is to the one before.
    pub kind: PhaseKind,
    /// Why; always given for a correction and a withdrawal.
    pub reason: Option<String>,
    /// The members of the filing that change, as a merge patch.
    pub changes: Map<String, Value>,
    /// What changes for single controllers, each once.
    pub affected: Vec<OwnChange>,
}

/// What changes for one controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChange {
    /// The controller.
    pub controller: OrganisationId,
    /// Its own members that change, as a merge patch.
    pub changes: Map<String, Value>,
}

impl Amendment {
    /// Reads as far as can be understood, with all faults of the body's own form; what the changes say is judged by
    /// [`Amendment::merge`]. With any fault it holds placeholders: good for finding more faults, never for storing.
    pub fn read(body: &Value) -> (Option<Self>, Faults) {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|object| Self::members(object, &mut faults));
        (read, faults)
    }

    fn members(mut object: Object<'_>, faults: &mut Faults) -> Option<Self> {
        let kind = object.required("kind", faults, |place, faults| place.code(KINDS, faults));
        let text = |place: &Place<'_>, faults: &mut Faults| place.text(REASON, faults);
        let reason = if kind.is_some_and(PhaseKind::needs_reason) {
            object.required("reason", faults, text).map(Some)
        } else {
            object.optional("reason", faults, text)
        };
        let changes = object.optional("changes", faults, changes);
        let affected = object.optional("affected", faults, own_changes);
        let withdrawn = kind == Some(PhaseKind::Withdrawal);
        for (name, given) in [
            ("changes", matches!(&changes, Some(Some(changes)) if !changes.is_empty())),
            ("affected", matches!(&affected, Some(Some(affected)) if !affected.is_empty())),
        ] {
            if withdrawn && given {
                let detail = "A withdrawal changes nothing else; correct first what has to be corrected.";
                faults.add(format!("/{name}"), "not_in_withdrawal", detail);
            }
        }
        object.close(faults);
        let (changes, affected) = (changes.flatten().unwrap_or_default(), affected.flatten().unwrap_or_default());
        Some(Self { kind: kind?, reason: reason.flatten(), changes, affected })
    }

    /// The filing `before`, changed; all faults at once, with pointers into the amendment. `now` is the server's time, UTC.
    pub fn merge(&self, before: &Standing, now: OffsetDateTime) -> (Option<Standing>, Faults) {
        if self.kind == PhaseKind::Withdrawal {
            return (Some(before.clone()), Faults::default());
        }
        let mut faults = Faults::default();
        let mut merged =
            Merged { previous: &before.body, body: before.body.clone(), places: HashMap::new(), stage_from: "/kind" };
        merge_patch(&mut merged.body, &Value::Object(self.changes.clone()));
        if self.kind == PhaseKind::Completion {
            if before.filing.common.stage == Stage::Complete {
                faults.add("/kind", "already_complete", "It is complete already; file a supplement or a correction.");
            }
            merged.body["stage"] = json!(Stage::Complete);
        }
        self.merge_own(&mut merged, &mut faults);
        merged.carry();
        let (amended, found) = merged.read(now);
        faults.extend_new(found);
        if let Some(amended) = &amended {
            self.check_clock(&before.filing, &amended.filing, &mut faults);
        }
        self.check_kind(&before.filing, &mut faults);
        (amended, faults)
    }

    fn merge_own(&self, merged: &mut Merged<'_>, faults: &mut Faults) {
        let affected = entries(&mut merged.body);
        let known: HashMap<String, usize> = affected
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| Some((entry["controller"].as_str()?.to_owned(), place)))
            .collect();
        for (index, own) in self.affected.iter().enumerate() {
            let Some(place) = known.get(own.controller.as_str()).copied() else {
                let detail = "This controller is not affected yet; controllers found late are added at `affected` of the incident.";
                faults.add(format!("/affected/{index}/controller"), "not_affected", detail);
                continue;
            };
            merge_patch(&mut affected[place], &Value::Object(own.changes.clone()));
            merged.places.insert(place, index);
        }
    }

    /// A suspicion may prove true; nothing else becomes another kind of event.
    fn check_kind(&self, previous: &Filing, faults: &mut Faults) {
        let Some(kind) = self.changes.get("kind") else { return };
        let may = matches!(self.kind, PhaseKind::Supplement | PhaseKind::Correction)
            && previous.common.kind == IncidentKind::SuspectedBreach
            && *kind == json!(IncidentKind::PersonalDataBreach);
        if !may {
            let detail = "What kind of event it is cannot change; withdraw it and file anew. Only a supplement or a correction \
                          may confirm a `suspected_breach` as `personal_data_breach`.";
            let mut found = Faults::default();
            found.add("/changes/kind", "not_changeable", detail);
            faults.extend_new(found);
        }
    }

    /// Clocks hang on these two times: only a correction moves them, and says why.
    fn check_clock(&self, previous: &Filing, amended: &Filing, faults: &mut Faults) {
        let (old, new) = (&previous.common, &amended.common);
        for (name, moved) in
            [("detected_at", old.detected_at != new.detected_at), ("aware_at", old.aware_at != new.aware_at)]
        {
            if moved && self.kind != PhaseKind::Correction {
                let detail = "Clocks run from this time; only a correction can change it.";
                faults.add(format!("/changes/{name}"), "correction_needed", detail);
            }
        }
        let unexplained = self.changes.get("awareness_reason").is_none_or(Value::is_null);
        if old.aware_at != new.aware_at && new.aware_at != new.detected_at && unexplained {
            let detail = "Another time of awareness needs its own reason.";
            let mut missing = Faults::default();
            missing.add("/changes/awareness_reason", "required", detail);
            faults.extend_new(missing);
        }
    }

    /// Faults that agreements found in the whole body, pointing into this amendment.
    pub fn pointing_back(&self, faults: Faults, amended: &Filing) -> Faults {
        pointing_back(faults, "/kind", amended, self.affected.iter().map(|own| &own.controller))
    }
}

/// The members of a filing that change; whether they are known and make sense is judged after merging.
fn changes(place: &Place<'_>, faults: &mut Faults) -> Option<Map<String, Value>> {
    place.object(faults)?;
    let mut members = place.value.as_object()?.clone();
    for (name, detail) in FIXED {
        if members.remove(*name).is_some() {
            faults.add(format!("{}/{name}", place.pointer), "not_changeable", *detail);
        }
    }
    Some(members)
}

fn own_changes(place: &Place<'_>, faults: &mut Faults) -> Option<Vec<OwnChange>> {
    let mut seen = std::collections::HashSet::new();
    place.list(faults, |item, faults| {
        let mut object = item.object(faults)?;
        let controller: OrganisationId = object.required("controller", faults, Place::parsed)?;
        if !seen.insert(controller.clone()) {
            faults.add(format!("{}/controller", item.pointer), "duplicate", "This controller is listed twice.");
        }
        Some(OwnChange { controller, changes: own_members(item.value, &["controller"]) })
    })
}

/// The members of an entry without those that are read here.
pub(super) fn own_members(entry: &Value, read: &[&str]) -> Map<String, Value> {
    let members = entry.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| !read.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
