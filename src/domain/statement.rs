//! What statements of people have in common: a named person, a reason that the law asks for, a time that is not in the future.

use time::{Duration, OffsetDateTime};

use super::fault::{Fault, Faults};
use super::parse::{Object, Place};

/// How far apart the clocks of two parties may be before a time counts as wrong.
pub const SKEW: Duration = Duration::minutes(5);

/// Reads the member `name` that `basis` (article or clause) asks for; every fault in it names that basis.
pub(super) fn founded<'v, T>(
    object: &mut Object<'v>,
    name: &'static str,
    basis: &str,
    faults: &mut Faults,
    read: impl FnOnce(&Place<'v>, &mut Faults) -> Option<T>,
) -> Option<T> {
    let mut found = Faults::default();
    let value = object.required(name, &mut found, read);
    for fault in found.as_slice() {
        faults.push(Fault { legal_basis: Some(basis.to_owned()), ..fault.clone() });
    }
    value
}

/// Reads the name of a person.
pub(super) fn person(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    place.text(200, faults)
}

/// Reads a reason or another text of some length.
pub(super) fn reason(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    place.text(4000, faults)
}

/// Reads a time that does not lie in the future; `now` is the server's time, UTC.
pub(super) fn past(place: &Place<'_>, now: OffsetDateTime, faults: &mut Faults) -> Option<OffsetDateTime> {
    let at = place.instant(faults)?;
    if at > now + SKEW {
        faults.add(&place.pointer, "time_in_future", "This time lies in the future.");
        return None;
    }
    // A clock that runs ahead must not make anything happen after it was recorded.
    Some(at.min(now))
}
