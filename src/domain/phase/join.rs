//! Controllers that are found late: each with the time when it became known, and why only then. Reads and merges, stores nothing.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::amend::{REASON, own_members};
use super::merge::{Merged, Standing, entries, merge_patch, pointing_back};
use crate::domain::fault::Faults;
use crate::domain::filing::Filing;
use crate::domain::id::OrganisationId;
use crate::domain::parse::Place;

/// How far a filer's clock may run ahead of the server's before a time counts as lying in the future.
const SKEW: Duration = Duration::seconds(5);

/// The body of `POST /v1/incidents/{id}/affected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// Who joins; at least one, each once.
    pub controllers: Vec<Joiner>,
    /// New numbers of the whole incident, where those of the joining ones do not fit into the old.
    pub changes: Map<String, Value>,
}

/// One controller that was found late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joiner {
    /// The controller.
    pub controller: OrganisationId,
    /// When it became known that it is affected; its clocks start then. UTC.
    pub known_at: OffsetDateTime,
    /// Why only then.
    pub reason: String,
    /// Its own members.
    pub own: Map<String, Value>,
}

impl Joining {
    /// Reads as far as can be understood, with all faults of the body's own form. `now` is the server's time, UTC.
    pub fn read(body: &Value, now: OffsetDateTime) -> (Option<Self>, Faults) {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let mut seen = HashSet::new();
            let controllers = object.required("affected", &mut faults, |place, faults| {
                let read = place.list(faults, |item, faults| Joiner::parse(item, now, &mut seen, faults))?;
                if read.is_empty() {
                    faults.add(&place.pointer, "empty", "At least one controller must join.");
                }
                Some(read)
            });
            let changes = object.optional("changes", &mut faults, numbers);
            object.close(&mut faults);
            Some(Self { controllers: controllers?, changes: changes.flatten().unwrap_or_default() })
        });
        (read, faults)
    }

    /// The filing `standing` and those who join behind the others; all faults at once, with pointers into the request.
    ///
    /// Whoever was affected alone until now keeps the numbers of the whole incident as its own.
    pub fn merge(&self, standing: &Standing, now: OffsetDateTime) -> (Option<Standing>, Faults) {
        let mut faults = Faults::default();
        let mut before = standing.body.clone();
        if !before["affected"].is_array() {
            before["affected"] = json!([]);
        }
        // Whoever joins is told, so the reason why nobody was is none any longer.
        before.as_object_mut().and_then(|members| members.remove("no_duty_reason"));
        if entries(&mut before).len() == 1 {
            let whole = before.clone();
            for entry in entries(&mut before) {
                keep_numbers(entry, &whole);
            }
        }
        let mut merged =
            Merged { previous: &before, body: before.clone(), places: HashMap::new(), stage_from: "/affected" };
        merge_patch(&mut merged.body, &Value::Object(self.changes.clone()));
        let known: HashSet<String> = entries(&mut merged.body)
            .iter()
            .filter_map(|entry| Some(entry["controller"].as_str()?.to_owned()))
            .collect();
        for (index, joiner) in self.controllers.iter().enumerate() {
            if known.contains(joiner.controller.as_str()) {
                let detail = "This controller is affected already; file a version of the incident for it.";
                faults.add(format!("/affected/{index}/controller"), "already_affected", detail);
                continue;
            }
            if joiner.known_at < standing.filing.common.detected_at {
                let detail = "Nobody can be known to be affected before anything was detected.";
                faults.add(format!("/affected/{index}/known_at"), "time_order", detail);
            }
            let mut entry = Value::Object(joiner.own.clone());
            entry["controller"] = json!(joiner.controller);
            let Some(list) = merged.body["affected"].as_array_mut() else { continue };
            merged.places.insert(list.len(), index);
            list.push(entry);
        }
        let (joined, found) = merged.read(now);
        faults.extend_new(found);
        (joined, faults)
    }

    /// Faults that agreements found in the whole body, pointing into this request.
    pub fn pointing_back(&self, faults: Faults, joined: &Filing) -> Faults {
        pointing_back(faults, "/affected", joined, self.controllers.iter().map(|own| &own.controller))
    }
}

impl Joiner {
    fn parse(
        place: &Place<'_>,
        now: OffsetDateTime,
        seen: &mut HashSet<OrganisationId>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let mut object = place.object(faults)?;
        let controller: Option<OrganisationId> = object.required("controller", faults, Place::parsed);
        if controller.as_ref().is_some_and(|controller| !seen.insert(controller.clone())) {
            faults.add(format!("{}/controller", place.pointer), "duplicate", "This controller is listed twice.");
        }
        let known_at = object.required("known_at", faults, Place::instant);
        if known_at.is_some_and(|known_at| known_at > now + SKEW) {
            faults.add(format!("{}/known_at", place.pointer), "time_in_future", "This time lies in the future.");
        }
        let reason = object.required("reason", faults, |place, faults| place.text(REASON, faults));
        let own = own_members(place.value, &["controller", "known_at", "reason"]);
        Some(Self { controller: controller?, known_at: known_at?, reason: reason?, own })
    }

    /// The entry as it is kept with the version.
    pub fn as_filed(&self) -> Value {
        let mut entry = Value::Object(self.own.clone());
        entry["controller"] = json!(self.controller);
        entry["known_at"] = json!(self.known_at.format(&Rfc3339).unwrap_or_default());
        entry["reason"] = json!(self.reason);
        entry
    }
}

/// The numbers of the whole incident, which no controller among several sees.
fn numbers(place: &Place<'_>, faults: &mut Faults) -> Option<Map<String, Value>> {
    let mut object = place.object(faults)?;
    for name in ["subjects", "records"] {
        if let Some(tally) = object.get(name) {
            let mut tally = tally.object(faults)?;
            tally.get("count");
            tally.close(faults);
        }
    }
    object.close(faults);
    place.value.as_object().cloned()
}

fn keep_numbers(entry: &mut Value, whole: &Value) {
    for name in ["subjects", "records"] {
        let unknown = Some(&whole[name]).filter(|tally| tally.get("unknown").is_some());
        let count = unknown.or_else(|| whole[name].get("count"));
        let own = &entry[name];
        if let Some(count) = count.filter(|_| own.get("unknown").is_none() && own.get("count").is_none()) {
            merge_patch(entry, &json!({name: {"count": count}}));
        }
    }
}
