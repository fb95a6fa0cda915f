//! The body of a filing after changes were merged into it, read by the same rules as a first filing. Decides nobody's notices.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::domain::fault::{Fault, Faults};
use crate::domain::filing::{Affected, Filing, Share};
use crate::domain::id::OrganisationId;

/// The members that say one thing in different forms; another form replaces the one before as a whole.
const FORMS: &[&[&str]] = &[&["unknown", "expected_by", "owner"], &["exact"], &["about"], &["min", "max"]];

/// A filing as it stands, with its whole body, in which the affected controllers are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The body.
    pub body: Value,
    /// What it says.
    pub filing: Filing,
}

/// A body in the making, with the way back from its places to those of the request.
#[derive(Debug)]
pub(super) struct Merged<'p> {
    /// The body before.
    pub(super) previous: &'p Value,
    /// The body after.
    pub(super) body: Value,
    /// For the place of a controller in the body its place in the request.
    pub(super) places: HashMap<usize, usize>,
    /// The member of the request that says how far the filing is.
    pub(super) stage_from: &'static str,
}

/// Merges `patch` into `document` (RFC 7386: objects are merged, null removes, all else replaces).
///
/// Beyond that a number or a declared unknown that is given in another form is replaced as a whole, so that nobody has to null
/// the members of the form before.
pub fn merge_patch(document: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        document.clone_from(patch);
        return;
    };
    if !document.as_object().is_some_and(|members| is_same_form(members, changes)) {
        *document = Value::Object(Map::new());
    }
    let Value::Object(members) = document else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge_patch(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

fn is_same_form(members: &Map<String, Value>, changes: &Map<String, Value>) -> bool {
    let given = || changes.iter().filter(|(_, change)| !change.is_null()).map(|(name, _)| name.as_str());
    let form = FORMS.iter().find(|form| form.iter().any(|name| members.contains_key(*name)));
    match form {
        Some(form) => given().all(|name| form.contains(&name)),
        None => !given().any(|name| name == "unknown"),
    }
}

impl Standing {
    /// Reads the body of an earlier version, filed at `filed_at` (UTC); `None` if it is no filing.
    ///
    /// Where it lists nobody, those who were told are listed, so that single ones can be changed. Every share stays what it was.
    pub fn read(body: Value, told: &[OrganisationId], filed_at: OffsetDateTime) -> Option<Self> {
        // Dates that were stated earlier and have passed since are named as faults; what was said is read all the same.
        let filing = Filing::read_all(&body, filed_at).0?;
        if matches!(filing.affected, Affected::Listed(_)) || told.is_empty() {
            return Some(Self { body, filing });
        }
        let body = listed(body, &filing, told);
        let filing = Filing::read_all(&body, filed_at).0?;
        Some(Self { body, filing })
    }
}

fn listed(mut body: Value, filing: &Filing, told: &[OrganisationId]) -> Value {
    let entry = |controller: &OrganisationId| {
        let share = Share { controller: controller.clone(), figures: crate::domain::content::Figures::default() };
        let unlisted = filing.share_for(None, told.len()).figures;
        let listed = filing.share_for(Some(&share), told.len()).figures;
        let mut entry = json!({"controller": controller});
        for (name, unlisted, listed) in [
            ("subjects", unlisted.subjects.count, listed.subjects.count),
            ("records", unlisted.records.count, listed.records.count),
        ] {
            if let Some(count) = unlisted.filter(|_| listed.is_none()) {
                entry[name] = json!({"count": count});
            }
        }
        entry
    };
    body["affected"] = told.iter().map(entry).collect();
    body
}

/// The entries of the affected controllers in a body that lists them.
pub(super) fn entries(body: &mut Value) -> &mut [Value] {
    body.get_mut("affected").and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

/// The number `subjects` or `records` that the whole incident declares unknown.
fn declared<'b>(body: &'b Value, name: &str) -> Option<&'b Value> {
    let tally = body.get(name)?;
    let count = if tally.get("unknown").is_some() { tally } else { tally.get("count")? };
    count.get("unknown").map(|_| count)
}

impl Merged<'_> {
    /// Keeps the number of each controller an open item where that of the whole incident is known now but not its part.
    pub(super) fn carry(&mut self) {
        if self.body["stage"] != "initial" || entries(&mut self.body).len() < 2 {
            return;
        }
        for name in ["subjects", "records"] {
            let Some(declaration) = declared(self.previous, name).cloned() else { continue };
            let whole = &self.body[name]["count"];
            if whole.is_null() || whole.get("unknown").is_some() {
                continue;
            }
            for entry in entries(&mut self.body) {
                let tally = &entry[name];
                if tally.get("unknown").is_none() && tally.get("count").is_none() {
                    merge_patch(entry, &json!({name: {"count": declaration}}));
                }
            }
        }
    }

    /// Reads the body by the rules of a first filing; faults point into the request.
    ///
    /// A date that was stated before and has passed since is no fault of this version.
    pub(super) fn read(self, now: OffsetDateTime) -> (Option<Standing>, Faults) {
        let (filing, found) = Filing::read_all(&self.body, now);
        let mut faults = Faults::default();
        for fault in found.into_faults() {
            if !self.is_stale(&fault) {
                faults.push(self.pointing_back(fault));
            }
        }
        let body = self.body;
        (filing.map(|filing| Standing { body, filing }), faults)
    }

    /// Whether the fault is about a date that was stated before and has passed since.
    fn is_stale(&self, fault: &Fault) -> bool {
        let (stated, before) = (stated(&self.body, &fault.pointer), stated(self.previous, &fault.pointer));
        let carried = || {
            let name = fault.pointer.strip_prefix("/affected/")?.split('/').nth(1)?;
            declared(self.previous, name)
        };
        fault.code == "time_in_past" && stated.is_some() && (stated == before || stated == carried())
    }

    fn pointing_back(&self, fault: Fault) -> Fault {
        point_back(fault, self.stage_from, |place| match self.places.get(&place) {
            Some(place) => Ok(*place),
            None => Err(self.body["affected"][place]["controller"].as_str().unwrap_or_default().to_owned()),
        })
    }
}

/// What a body says at `pointer`; of a member that is unknown as a whole also its parts are.
fn stated<'b>(body: &'b Value, pointer: &str) -> Option<&'b Value> {
    let whole = || body.pointer(pointer.rsplit_once('/')?.0).filter(|whole| whole.get("unknown").is_some());
    body.pointer(pointer).or_else(whole)
}

/// Faults about a whole filing, pointing into the request that names `controllers` in this order.
pub(super) fn pointing_back<'c>(
    faults: Faults,
    stage_from: &'static str,
    filing: &'c Filing,
    controllers: impl Iterator<Item = &'c OrganisationId>,
) -> Faults {
    let listed = match &filing.affected {
        Affected::Listed(shares) => shares.as_slice(),
        _ => &[],
    };
    let places: HashMap<&OrganisationId, usize> =
        controllers.enumerate().map(|(place, controller)| (controller, place)).collect();
    let mut pointing = Faults::default();
    for fault in faults.into_faults() {
        pointing.push(point_back(fault, stage_from, |place| {
            let Some(share) = listed.get(place) else { return Err(String::new()) };
            places.get(&share.controller).copied().ok_or_else(|| share.controller.to_string())
        }));
    }
    pointing
}

/// The fault with a pointer into the request in place of one into the whole body.
///
/// `place` answers where a controller of the body stands in the request, or its id where it does not stand there.
fn point_back(fault: Fault, stage_from: &'static str, place: impl Fn(usize) -> Result<usize, String>) -> Fault {
    let Some(rest) = fault.pointer.strip_prefix("/affected") else {
        let pointer = match fault.pointer.as_str() {
            "/stage" => stage_from.to_owned(),
            other => format!("/changes{other}"),
        };
        return Fault { pointer, ..fault };
    };
    let (number, rest) = rest.strip_prefix('/').map_or(("", ""), |rest| rest.split_once('/').unwrap_or((rest, "")));
    match number.parse().map(place) {
        Ok(Ok(place)) => {
            let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
            Fault { pointer: format!("/affected/{place}{rest}"), ..fault }
        }
        Ok(Err(controller)) => {
            let detail = format!("For {controller} at `/{rest}`: {}", fault.detail);
            Fault { pointer: "/affected".to_owned(), detail, ..fault }
        }
        Err(_) => fault,
    }
}
