//! What a change of the catalogue means: which rows differ, and what future incidents would owe differently. Recomputes nothing
//! that exists.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use time::Date;

use super::cases::{Case, Cases, Conditions};
use super::{Catalogue, Obligation};

/// Two catalogues held against each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The version of the first.
    pub before: String,
    /// The version of the second.
    pub after: String,
    /// Every row that differs.
    pub rows: Vec<RowChange>,
    /// What future incidents would owe differently.
    pub effects: Vec<Effect>,
}

/// Whether something comes, goes or becomes something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, with differences.
    Changed,
}

/// One member that differs; lists are joined by commas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// The member, with a dot before what lies inside it.
    pub field: String,
    /// As it is; none where it does not stand there.
    pub before: Option<String>,
    /// As it would be.
    pub after: Option<String>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowChange {
    /// Its code.
    pub code: String,
    /// What became of it.
    pub change: Change,
    /// The members that differ; every member of a row that was added or removed.
    pub fields: Vec<FieldChange>,
}

/// A duty that some future incidents would bring about, no longer bring about, or bring about with other terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The row.
    pub code: String,
    /// Whether the duty appears, vanishes or changes.
    pub change: Change,
    /// The first day of it.
    #[serde(with = "day")]
    pub from: Date,
    /// The last day of it; none while open-ended.
    #[serde(skip_serializing_if = "Option::is_none", with = "day::option")]
    pub until: Option<Date>,
    /// The incidents concerned.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// Span, rule, basis and whatever else of the duty's terms differs; all of them where it appears or vanishes.
    pub fields: Vec<FieldChange>,
}

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

impl Comparison {
    /// Holds `after` against `before`; effects are those from `day` on.
    pub fn of(before: &Catalogue, after: &Catalogue, day: Date) -> Self {
        let rows = row_changes(before, after);
        let effects = if rows.is_empty() { Vec::new() } else { effects(before, after, day) };
        Self { before: before.version().to_owned(), after: after.version().to_owned(), rows, effects }
    }

    /// Whether no row differs.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn row_changes(before: &Catalogue, after: &Catalogue) -> Vec<RowChange> {
    let mut changes = Vec::new();
    let mut left: Vec<&Obligation> = after.rows().iter().map(AsRef::as_ref).collect();
    for row in before.rows() {
        // The same code may stand for several periods: the one that begins on the same day is the same row, or else the next.
        let alike = |other: &&Obligation| other.code == row.code;
        let same = left.iter().position(|other| alike(other) && other.valid_from == row.valid_from);
        let other = same.or_else(|| left.iter().position(alike)).map(|place| left.remove(place));
        let fields = differences(Some(row), other, |_| true);
        let change = if other.is_some() { Change::Changed } else { Change::Removed };
        if !fields.is_empty() {
            changes.push(RowChange { code: row.code.clone(), change, fields });
        }
    }
    let added = |row: &&Obligation| RowChange {
        code: row.code.clone(),
        change: Change::Added,
        fields: differences(None, Some(row), |_| true),
    };
    changes.extend(left.iter().map(added));
    changes
}

/// What a duty is born with; conditions, validity and words are no part of it.
fn is_term(field: &str) -> bool {
    let part_of = |names: &[&str]| names.iter().any(|name| field == *name || field.starts_with(&format!("{name}.")));
    !part_of(&["code", "regime", "title", "trigger", "valid_from", "valid_to", "status"])
}

/// The members in which two rows differ, those of most interest first.
fn differences(
    before: Option<&Obligation>,
    after: Option<&Obligation>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<FieldChange> {
    let (before, after) = (members(before), members(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| wanted(name) && before.get(*name) != after.get(*name));
    let mut fields: Vec<_> = differing
        .map(|name| FieldChange {
            field: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect();
    let first = ["span", "rule", "basis"];
    fields.sort_by_key(|field| first.iter().position(|name| *name == field.field).unwrap_or(first.len()));
    fields
}

fn members(row: Option<&Obligation>) -> BTreeMap<String, String> {
    let mut members = BTreeMap::new();
    if let Some(Ok(value)) = row.map(serde_json::to_value) {
        flatten("", &value, &mut members);
    }
    members
}

fn flatten(path: &str, value: &Value, members: &mut BTreeMap<String, String>) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, inner, members);
            }
        }
        Value::Array(items) => {
            members.insert(path.to_owned(), items.iter().map(text).collect::<Vec<_>>().join(", "));
        }
        single => {
            members.insert(path.to_owned(), text(single));
        }
    }
}

/// The effects from `day` on: what is owed changes only on days on which some row begins or ends.
fn effects(before: &Catalogue, after: &Catalogue, day: Date) -> Vec<Effect> {
    let cases = Cases::that_matter(before, after);
    let turns = before.rows().iter().chain(after.rows()).flat_map(|row| {
        let end = row.valid_to.and_then(Date::next_day);
        [Some(row.valid_from), end]
    });
    let days: BTreeSet<Date> = turns.flatten().filter(|turn| *turn > day).chain([day]).collect();
    let mut effects: Vec<Effect> = Vec::new();
    for from in days {
        let today = effects_on(before, after, &cases, from);
        let yesterday = from.previous_day();
        for old in effects.iter_mut().filter(|old| old.until.is_none()) {
            if !today.iter().any(|new| continues(old, new)) {
                old.until = yesterday;
            }
        }
        let running: Vec<_> = effects.iter().filter(|old| old.until.is_none()).cloned().collect();
        effects.extend(today.into_iter().filter(|new| !running.iter().any(|old| continues(old, new))));
    }
    effects
}

fn continues(old: &Effect, new: &Effect) -> bool {
    old.code == new.code && old.change == new.change && old.conditions == new.conditions && old.fields == new.fields
}

/// A difference in some case: the code, what becomes of it, and the places of its row in both laws.
type Difference = (String, Change, Option<usize>, Option<usize>);

/// What each catalogue would bring about on `day`, case by case, with like differences gathered.
fn effects_on(before: &Catalogue, after: &Catalogue, cases: &Cases, day: Date) -> Vec<Effect> {
    let (old_law, new_law): (Vec<_>, Vec<_>) = (before.in_force(day).collect(), after.in_force(day).collect());
    // Rows are told apart by their places: comparing their members for every case would be slow.
    let mut found: BTreeMap<Difference, Vec<Case<'_>>> = BTreeMap::new();
    for case in cases.iter() {
        let (old, new) = (case.owed(&old_law), case.owed(&new_law));
        let codes: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        for code in codes {
            let (old, new) = (old.get(code).copied(), new.get(code).copied());
            let change = match (old, new) {
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
                _ => Change::Changed,
            };
            found.entry((code.to_owned(), change, old, new)).or_default().push(case);
        }
    }
    let effect = |((code, change, old, new), cases_found): (Difference, Vec<_>)| {
        let (old, new) = (old.and_then(|place| old_law.get(place)), new.and_then(|place| new_law.get(place)));
        let fields = differences(old.map(AsRef::as_ref), new.map(AsRef::as_ref), is_term);
        let conditions = cases.conditions(&cases_found);
        (!fields.is_empty()).then_some(Effect { code, change, from: day, until: None, conditions, fields })
    };
    found.into_iter().filter_map(effect).collect()
}
