//! Whether the numbers and promises of a filing fit together. Looks at one filing only.

use time::OffsetDateTime;

use super::{Affected, Filing, Share};
use crate::domain::{
    content::{Figures, OpenItem},
    count::Count,
    fault::Faults,
};

/// Notes where a part's number is above that of the whole incident.
pub(super) fn part_of(part: &Figures, total: &Figures, pointer: &str, faults: &mut Faults) {
    for (name, part, whole) in [
        ("subjects", &part.subjects.count, &total.subjects.count),
        ("records", &part.records.count, &total.records.count),
    ] {
        if let (Some(part), Some(whole)) = (part, whole)
            && part.contradicts(whole)
        {
            let detail = format!("One controller's {name} cannot be more than all {name} of the incident.");
            faults.add(format!("{pointer}/{name}/count"), "contradiction", detail);
        }
    }
}

/// Notes where the parts' records cannot add up to those of the incident.
///
/// Records belong to one controller each; persons may be known to several, so their numbers need not add up.
pub(super) fn records_add_up(shares: &[Share], total: &Figures, faults: &mut Faults) {
    let Some(whole) = &total.records.count else { return };
    let counts: Vec<_> = shares.iter().filter_map(|share| share.figures.records.count.as_ref()).collect();
    let sum = counts.iter().filter_map(|count| count.lower()).fold(0, u64::saturating_add);
    let above = whole.upper().is_some_and(|upper| sum > upper);
    let exact = counts.len() == shares.len() && counts.iter().all(|count| matches!(count, Count::Exact(_)));
    let differs = exact && matches!(whole, Count::Exact(whole) if *whole != sum);
    // A single part above the whole has been named at its own place.
    let named = counts.iter().any(|count| count.contradicts(whole));
    if (above || differs) && !named {
        let detail = format!("The controllers' records add up to {sum}, which does not fit this number.");
        faults.add("/records/count", "contradiction", detail);
    }
}

/// Notes every `expected_by` that has passed already.
pub(super) fn expectations(filing: &Filing, now: OffsetDateTime, faults: &mut Faults) {
    passed(&filing.whole().open_items(), "", now, faults);
    let Affected::Listed(shares) = &filing.affected else { return };
    for (index, share) in shares.iter().enumerate() {
        let own = share.figures.open_items();
        passed(&own, &format!("/affected/{index}"), now, faults);
    }
}

fn passed(items: &[OpenItem], prefix: &str, now: OffsetDateTime, faults: &mut Faults) {
    for item in items.iter().filter(|item| item.unknown.expected_by.is_some_and(|expected| expected <= now)) {
        let pointer = format!("{prefix}{}", item.member.pointer());
        faults.add(pointer, "time_in_past", "`expected_by` has passed already.");
    }
}
