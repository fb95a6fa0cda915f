//! Milestones that somebody reports, such as the classification of an incident: words of the catalogue that start or end a clock.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::catalogue::Obligation;
use super::fault::Faults;
use super::id::{IncidentId, OrganisationId};
use super::milestone::Milestone;
use super::parse::Place;
use super::statement::{past, person, reason};

/// A milestone as it is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewReport {
    /// The word, such as `classified`.
    pub milestone: String,
    /// When it happened, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The person who reports it.
    pub by: String,
    /// Why, or what it rests on.
    pub reason: Option<String>,
}

/// A milestone as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedMilestone {
    /// The incident.
    pub incident: IncidentId,
    /// Whose milestone it is: a controller, or the processor for what it owes itself.
    pub party: OrganisationId,
    /// What was reported.
    #[serde(flatten)]
    pub content: NewReport,
    /// The organisation that recorded it.
    pub recorded_by: OrganisationId,
    /// When it was recorded, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
}

impl NewReport {
    /// Reads the body of `POST /v1/incidents/{id}/milestones` and for whom it is reported, if the body says so.
    ///
    /// Answers all faults at once; a word that is not among `known` is one. `now` is the server's time, UTC.
    pub fn parse(
        body: &Value,
        known: &BTreeSet<&str>,
        now: OffsetDateTime,
    ) -> Result<(Self, Option<OrganisationId>), Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let milestone = object.required("milestone", &mut faults, |place, faults| {
                let word = place.text(64, faults)?;
                if known.contains(word.as_str()) {
                    return Some(word);
                }
                let known: Vec<_> = known.iter().copied().collect();
                faults.add(&place.pointer, "unknown_code", format!("Expected one of: {}.", known.join(", ")));
                None
            });
            let at = object.required("at", &mut faults, |place, faults| past(place, now, faults));
            let by = object.required("by", &mut faults, person);
            let reason = object.optional("reason", &mut faults, reason);
            let controller = object.optional("controller", &mut faults, Place::parsed);
            object.close(&mut faults);
            Some((Self { milestone: milestone?, at: at?, by: by?, reason: reason? }, controller?))
        });
        faults.finish(read)
    }
}

/// The words that can be reported: whatever starts, ends or caps one of `rows` and is no milestone of the service itself.
pub fn words<'r>(rows: impl IntoIterator<Item = &'r Obligation>) -> BTreeSet<&'r str> {
    let milestones =
        |row: &'r Obligation| [&row.start, &row.end].into_iter().chain(row.cap.as_ref().map(|cap| &cap.start));
    let word = |milestone: &'r Milestone| match milestone {
        Milestone::Reported(word) => Some(word.as_str()),
        _ => None,
    };
    rows.into_iter().flat_map(milestones).filter_map(word).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 00:40 UTC);

    #[test]
    fn only_words_of_the_catalogue_can_be_reported() {
        let known = BTreeSet::from(["classified", "objection"]);
        let good = json!({"milestone": "classified", "at": "2026-11-22T00:30:00Z", "by": "A. Muster"});
        let (report, party) = NewReport::parse(&good, &known, NOW).unwrap();
        assert_eq!((report.milestone.as_str(), party), ("classified", None));
        let bad = json!({"milestone": "forgotten", "at": "2026-11-22T09:00:00Z", "controller": "x"});
        let faults = NewReport::parse(&bad, &known, NOW).unwrap_err();
        let found: Vec<_> = faults.as_slice().iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        let expected = [
            ("/milestone", "unknown_code"),
            ("/at", "time_in_future"),
            ("/by", "required"),
            ("/controller", "invalid"),
        ];
        assert_eq!(found, expected);
        assert_eq!(faults.as_slice()[0].detail, "Expected one of: classified, objection.");
    }
}
