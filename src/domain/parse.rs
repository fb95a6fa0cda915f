//! Reads JSON documents member by member, so that one answer can name every fault. Holds no rule of any particular document.

use std::{collections::BTreeSet, str::FromStr};

use serde_json::{Map, Value};
use time::{Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

use super::fault::Faults;

/// A place in a document: the value and the JSON pointer to it.
#[derive(Debug, Clone)]
pub struct Place<'v> {
    /// The value found there.
    pub value: &'v Value,
    /// JSON pointer to it.
    pub pointer: String,
}

/// An object whose members are read one by one; whatever is left over is an unknown member.
#[derive(Debug)]
pub struct Object<'v> {
    members: &'v Map<String, Value>,
    pointer: String,
    read: Vec<&'static str>,
}

impl<'v> Place<'v> {
    /// The root of a document.
    pub fn root(value: &'v Value) -> Self {
        Self { value, pointer: String::new() }
    }

    /// This place as an object.
    pub fn object(&self, faults: &mut Faults) -> Option<Object<'v>> {
        if let Value::Object(members) = self.value {
            Some(Object { members, pointer: self.pointer.clone(), read: Vec::new() })
        } else {
            faults.add(&self.pointer, "type", "Expected an object.");
            None
        }
    }

    /// This place as an object, if it is one that has the member `name`.
    pub fn object_with(&self, name: &str) -> Option<Object<'v>> {
        let members =
            self.value.as_object().filter(|members| members.get(name).is_some_and(|value| !value.is_null()))?;
        Some(Object { members, pointer: self.pointer.clone(), read: Vec::new() })
    }

    /// This place as a list, each item read with `item`; `None` if any item is wrong.
    pub fn list<T>(
        &self,
        faults: &mut Faults,
        mut item: impl FnMut(&Place<'v>, &mut Faults) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Array(values) = self.value else {
            faults.add(&self.pointer, "type", "Expected a list.");
            return None;
        };
        let mut items = Some(Vec::with_capacity(values.len()));
        for (index, value) in values.iter().enumerate() {
            let place = Place { value, pointer: format!("{}/{index}", self.pointer) };
            match (item(&place, faults), items.as_mut()) {
                (Some(read), Some(list)) => list.push(read),
                (None, _) => items = None,
                _ => {}
            }
        }
        items
    }

    /// This place as a set: a list in which nothing stands twice.
    pub fn set<T: Ord>(
        &self,
        faults: &mut Faults,
        mut item: impl FnMut(&Place<'v>, &mut Faults) -> Option<T>,
    ) -> Option<BTreeSet<T>> {
        let mut set = BTreeSet::new();
        self.list(faults, |place, faults| {
            let fresh = set.insert(item(place, faults)?);
            if !fresh {
                faults.add(&place.pointer, "duplicate", "This stands in the list already.");
            }
            fresh.then_some(())
        })?;
        Some(set)
    }

    /// This place as a set with at least one item.
    pub fn filled_set<T: Ord>(
        &self,
        faults: &mut Faults,
        item: impl FnMut(&Place<'v>, &mut Faults) -> Option<T>,
    ) -> Option<BTreeSet<T>> {
        let set = self.set(faults, item)?;
        if set.is_empty() {
            faults.add(&self.pointer, "empty", "The list is empty.");
            return None;
        }
        Some(set)
    }

    /// This place as a word of a free vocabulary: lower snake case, at most 64 characters.
    pub fn word(&self, faults: &mut Faults) -> Option<String> {
        let text = self.text(64, faults)?;
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(lower) {
            return Some(text);
        }
        faults.add(&self.pointer, "word", "Expected a word of lower-case letters, digits and underscores.");
        None
    }

    /// This place as a calendar day, such as `2026-11-22`, from year 1970 to 9999.
    pub fn day(&self, faults: &mut Faults) -> Option<Date> {
        let text = self.text(10, faults)?;
        let read = Date::parse(&text, format_description!("[year]-[month]-[day]")).ok();
        let read = read.filter(|day| (1970..=9999).contains(&day.year()));
        if read.is_none() {
            faults.add(&self.pointer, "date", "Expected a day, such as 2026-11-22.");
        }
        read
    }

    /// This place as a text of 1 to `limit` characters, without control characters other than line breaks and tabs.
    pub fn text(&self, limit: usize, faults: &mut Faults) -> Option<String> {
        let Value::String(text) = self.value else {
            faults.add(&self.pointer, "type", "Expected a text.");
            return None;
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            faults.add(&self.pointer, "empty", "The text is empty.");
        } else if trimmed.chars().count() > limit {
            faults.add(&self.pointer, "too_long", format!("At most {limit} characters are allowed."));
        } else if trimmed.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            faults.add(&self.pointer, "control_character", "Control characters are not allowed.");
        } else {
            return Some(trimmed.to_owned());
        }
        None
    }

    /// This place as something that is written as a text, such as an id or a duration.
    pub fn parsed<T>(&self, faults: &mut Faults) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text(500, faults)?;
        text.parse().map_err(|error: T::Err| faults.add(&self.pointer, "invalid", format!("{error}."))).ok()
    }

    /// This place as one code of a fixed vocabulary.
    pub fn code<T: Copy>(&self, vocabulary: &[(&'static str, T)], faults: &mut Faults) -> Option<T> {
        let text = self.text(100, faults)?;
        let found = vocabulary.iter().find(|(code, _)| *code == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<_> = vocabulary.iter().map(|(code, _)| *code).collect();
            faults.add(&self.pointer, "unknown_code", format!("Expected one of: {}.", known.join(", ")));
        }
        found
    }

    /// This place as `true` or `false`.
    pub fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        let read = self.value.as_bool();
        if read.is_none() {
            faults.add(&self.pointer, "type", "Expected true or false.");
        }
        read
    }

    /// This place as a whole number from 0 on.
    pub fn whole_number(&self, faults: &mut Faults) -> Option<u64> {
        // Counts travel through databases whose largest integer is that of i64.
        let read = self.value.as_u64().filter(|number| i64::try_from(*number).is_ok());
        if read.is_none() {
            faults.add(&self.pointer, "type", "Expected a whole number, not negative.");
        }
        read
    }

    /// This place as an instant: RFC 3339 with offset; kept in UTC, cut to microseconds.
    pub fn instant(&self, faults: &mut Faults) -> Option<OffsetDateTime> {
        let text = self.text(64, faults)?;
        let read = parse_instant(&text);
        if read.is_none() {
            faults.add(&self.pointer, "time", "Expected a time with offset, such as 2026-11-22T00:40:00+01:00.");
        }
        read
    }
}

/// Reads an RFC 3339 time with offset from year 1970 to 9999 as UTC, cut to microseconds.
pub fn parse_instant(text: &str) -> Option<OffsetDateTime> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    let whole = instant.replace_nanosecond(instant.microsecond() * 1000).ok()?;
    (1970..=9999).contains(&whole.year()).then_some(whole)
}

impl<'v> Object<'v> {
    /// The member `name` if present and not null.
    pub fn get(&mut self, name: &'static str) -> Option<Place<'v>> {
        self.read.push(name);
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        Some(Place { value, pointer: format!("{}/{name}", self.pointer) })
    }

    /// The member `name`, read with `read`; a fault if absent.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        read: impl FnOnce(&Place<'v>, &mut Faults) -> Option<T>,
    ) -> Option<T> {
        if let Some(place) = self.get(name) {
            return read(&place, faults);
        }
        faults.add(format!("{}/{name}", self.pointer), "required", format!("The member `{name}` is required."));
        None
    }

    /// The member `name`, read with `read`: outer `None` means faulty, inner `None` absent.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        read: impl FnOnce(&Place<'v>, &mut Faults) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(name) {
            Some(place) => read(&place, faults).map(Some),
            None => Some(None),
        }
    }

    /// Whether it has no member that is not null.
    pub fn is_empty(&self) -> bool {
        self.members.values().all(Value::is_null)
    }

    /// Leaves members unread that cannot be judged because of another fault.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.read.extend_from_slice(names);
    }

    /// JSON pointer to this object.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Notes every member that nobody read.
    pub fn close(self, faults: &mut Faults) {
        for name in self.members.keys().filter(|name| !self.read.contains(&name.as_str())) {
            let pointer = format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"));
            faults.add(pointer, "unknown_member", "This member is not known here.");
        }
    }
}
