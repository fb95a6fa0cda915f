//! What differs between two contents, member by member, and the way from one to the other. Knows no incident.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One member that differs; `null` stands for a member that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// JSON pointer to the member.
    pub pointer: String,
    /// What stood there.
    pub before: Value,
    /// What stands there now.
    pub after: Value,
}

/// The members of an object that only make sense together: a number in one of its forms, or the reason why there is none.
const WHOLE: &[&str] = &["exact", "about", "min", "max", "unknown"];

/// What differs between two contents, in the order of their members. Lists and numbers are told as a whole.
pub fn differences(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", before, after, &mut changes);
    changes
}

fn compare(pointer: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        changes.push(Change { pointer: pointer.to_owned(), before: before.clone(), after: after.clone() });
        return;
    };
    if is_whole(old) || is_whole(new) {
        changes.push(Change { pointer: pointer.to_owned(), before: before.clone(), after: after.clone() });
        return;
    }
    let added = new.keys().filter(|name| !old.contains_key(*name));
    for name in old.keys().chain(added) {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        compare(&pointer, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), changes);
    }
}

fn is_whole(object: &Map<String, Value>) -> bool {
    WHOLE.iter().any(|name| object.contains_key(*name))
}

/// Makes of the content before the one after. A change whose place is not there is left out.
pub fn apply(content: &mut Value, changes: &[Change]) {
    for change in changes {
        let Some((parent, name)) = change.pointer.rsplit_once('/') else {
            content.clone_from(&change.after);
            continue;
        };
        let Some(Value::Object(members)) = content.pointer_mut(parent) else { continue };
        let name = name.replace("~1", "/").replace("~0", "~");
        if change.after.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, change.after.clone());
        }
    }
}
