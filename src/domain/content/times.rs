//! Whether the times of an incident can be true together. Reads no clock: the present is handed in.

use time::{Duration, OffsetDateTime};

use super::{Known, Measures, Occurred};
use crate::domain::fault::Faults;

/// How far a filer's clock may run ahead of the server's before a time counts as lying in the future.
const SKEW: Duration = Duration::seconds(5);

/// The times of one incident, as far as they could be read; all UTC.
pub(super) struct Times<'c> {
    pub(super) detected_at: Option<OffsetDateTime>,
    pub(super) aware_at: Option<OffsetDateTime>,
    pub(super) occurred: &'c Known<Occurred>,
    pub(super) measures: &'c Known<Measures>,
    pub(super) now: Option<OffsetDateTime>,
}

impl Times<'_> {
    /// Notes what cannot be: occurred after detected, detected after aware, or any of them in the future.
    pub(super) fn check(&self, without_reason: bool, faults: &mut Faults) {
        self.check_awareness(without_reason, faults);
        if let Known::Known(occurred) = self.occurred {
            self.check_occurred(occurred, faults);
        }
        self.past(self.detected_at, "/detected_at", faults);
        self.past(self.aware_at, "/aware_at", faults);
        if let Known::Known(measures) = self.measures {
            for (index, measure) in measures.taken.iter().enumerate() {
                self.past(measure.at, &format!("/measures/taken/{index}/at"), faults);
            }
        }
    }

    fn check_awareness(&self, without_reason: bool, faults: &mut Faults) {
        let (Some(detected), Some(aware)) = (self.detected_at, self.aware_at) else { return };
        if aware < detected {
            faults.add("/aware_at", "time_order", "Nobody can be aware before anything was detected.");
        } else if aware != detected && without_reason {
            faults.add("/awareness_reason", "required", "Awareness later than detection needs a reason.");
        }
    }

    fn check_occurred(&self, occurred: &Occurred, faults: &mut Faults) {
        if self.detected_at.is_some_and(|detected| occurred.from > detected) {
            faults.add("/occurred/from", "time_order", "It cannot have been detected before it began.");
        }
        if occurred.until.is_some_and(|until| until < occurred.from) {
            faults.add("/occurred/until", "time_order", "The end lies before the beginning.");
        }
        if occurred.until.is_some() && occurred.ongoing {
            faults.add("/occurred/ongoing", "contradiction", "What has an end is not ongoing.");
        }
        self.past(Some(occurred.from), "/occurred/from", faults);
        self.past(occurred.until, "/occurred/until", faults);
    }

    fn past(&self, time: Option<OffsetDateTime>, pointer: &str, faults: &mut Faults) {
        if let (Some(time), Some(now)) = (time, self.now)
            && time > now + SKEW
        {
            faults.add(pointer, "time_in_future", "This time lies in the future.");
        }
    }
}
