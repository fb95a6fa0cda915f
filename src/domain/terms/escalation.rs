//! Two ladders for each notice: what happens until it is delivered, and until it is acknowledged. Fires nothing.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::domain::{fault::Faults, parse::Place, span::IsoDuration, vocabulary::code_list};

code_list! {
    /// What a ladder leads to; its steps end once the notice is there.
    Ladder {
        Delivered "delivered",
        Acknowledged "acknowledged",
    }
}

code_list! {
    /// What happens at a step.
    Action {
        NextChannel "next_channel",
        EmailContacts "email_contacts",
        Remind "remind",
        Phone "phone",
        Courier "courier",
        RegisteredLetter "registered_letter",
        TellManagement "tell_management",
        LastCall "last_call",
        RecordBreach "record_breach",
    }
}

impl Action {
    /// Whether it is a task for a person, who tells the controller.
    pub fn asks_a_person(self) -> bool {
        matches!(self, Self::Phone | Self::Courier | Self::RegisteredLetter)
    }
}

/// One step: it comes after an absolute time or a share of the window, whichever is earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LadderStep {
    /// How long after the notice was made, if the step names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<IsoDuration>,
    /// The share of the window, in percent, if the step names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_percent: Option<u8>,
    /// What happens.
    pub action: Action,
}

/// Both ladders of an agreement; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ladders {
    /// Until the notice is delivered.
    pub until_delivered: Vec<LadderStep>,
    /// Until the notice is acknowledged.
    pub until_acknowledged: Vec<LadderStep>,
}

/// The most steps of one ladder.
const MOST: usize = 20;

impl Default for Ladders {
    /// Made for a window of 24 hours; in a shorter one the shares come first. The last call and the record have no time of their own:
    /// before the end of a longer window nothing is late.
    fn default() -> Self {
        let steps = |steps: &[(&str, u8, Action)]| {
            let step = |(after, share, action): &(&str, u8, Action)| LadderStep {
                after: after.parse().ok(),
                share_percent: Some(*share),
                action: *action,
            };
            steps.iter().map(step).collect()
        };
        Self {
            until_delivered: steps(&[
                ("PT5M", 2, Action::NextChannel),
                ("PT2H", 9, Action::EmailContacts),
                ("PT6H", 25, Action::Phone),
                ("PT12H", 50, Action::TellManagement),
                ("PT18H", 75, Action::Courier),
                ("", 90, Action::LastCall),
                ("", 100, Action::RecordBreach),
            ]),
            until_acknowledged: steps(&[
                ("PT2H", 9, Action::EmailContacts),
                ("PT6H", 25, Action::Remind),
                ("PT12H", 50, Action::TellManagement),
                ("PT18H", 75, Action::Phone),
            ]),
        }
    }
}

impl LadderStep {
    /// When the step comes, UTC, for a notice that was made at `made` and must be there by `deadline`.
    pub fn due_at(&self, made: OffsetDateTime, deadline: OffsetDateTime) -> OffsetDateTime {
        let window = (deadline - made).max(Duration::ZERO);
        let absolute = self.after.as_ref().map(IsoDuration::length);
        let share = self.share_percent.map(|percent| window * i32::from(percent) / 100);
        made + absolute.into_iter().chain(share).min().unwrap_or(window)
    }

    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let after = object.optional("after", faults, Place::parsed);
        let share = object.optional("share_percent", faults, |place, faults| {
            let number = place.whole_number(faults)?;
            let share = u8::try_from(number).ok().filter(|share| (1..=100).contains(share));
            if share.is_none() {
                faults.add(&place.pointer, "range", "Expected a whole number from 1 to 100.");
            }
            share
        });
        let action = object.required("action", faults, |place, faults| place.code(Action::CODES, faults));
        object.close(faults);
        let (after, share_percent) = (after?, share?);
        if after.is_none() && share_percent.is_none() {
            faults.add(&place.pointer, "required", "A step needs `after`, `share_percent` or both.");
            return None;
        }
        Some(Self { after, share_percent, action: action? })
    }
}

impl Ladders {
    /// The steps of one ladder.
    pub fn of(&self, ladder: Ladder) -> &[LadderStep] {
        match ladder {
            Ladder::Delivered => &self.until_delivered,
            Ladder::Acknowledged => &self.until_acknowledged,
        }
    }

    /// Reads both ladders; one that is left out is the default one.
    pub(super) fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let delivered = object.optional("until_delivered", faults, steps);
        let acknowledged = object.optional("until_acknowledged", faults, steps);
        object.close(faults);
        let default = Self::default();
        Some(Self {
            until_delivered: delivered?.unwrap_or(default.until_delivered),
            until_acknowledged: acknowledged?.unwrap_or(default.until_acknowledged),
        })
    }
}

/// Reads the steps of one ladder, each not before the one before it in a window of a day.
fn steps(place: &Place<'_>, faults: &mut Faults) -> Option<Vec<LadderStep>> {
    let steps = place.list(faults, LadderStep::parse)?;
    if steps.len() > MOST {
        faults.add(&place.pointer, "too_many", format!("A ladder has at most {MOST} steps."));
        return None;
    }
    let day = |step: &LadderStep| step.due_at(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH + Duration::DAY);
    for (index, pair) in steps.windows(2).enumerate() {
        if let [earlier, later] = pair
            && day(later) < day(earlier)
        {
            let pointer = format!("{}/{}", place.pointer, index + 1);
            faults.add(pointer, "order", "This step would come before the one that stands before it.");
            return None;
        }
    }
    Some(steps)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const MADE: OffsetDateTime = datetime!(2026-11-22 00:00 UTC);

    fn parse(value: &Value) -> Result<Ladders, Faults> {
        let mut faults = Faults::default();
        let read = Ladders::parse(&Place::root(value), &mut faults);
        faults.finish(read)
    }

    #[test]
    fn the_default_is_written_out_and_read_back() {
        let written = serde_json::to_value(Ladders::default()).unwrap();
        assert_eq!(parse(&written).unwrap(), Ladders::default());
        assert_eq!(parse(&json!({})).unwrap(), Ladders::default());
        assert_eq!(parse(&json!({"until_acknowledged": []})).unwrap().until_acknowledged, []);
    }

    #[test]
    fn the_earlier_of_time_and_share_decides() {
        let ladder = Ladders::default().until_delivered;
        let due = |hours: i64| -> Vec<i64> {
            let deadline = MADE + Duration::hours(hours);
            ladder.iter().map(|step| (step.due_at(MADE, deadline) - MADE).whole_minutes()).collect()
        };
        assert_eq!(due(24), [5, 120, 360, 720, 1080, 1296, 1440]);
        assert_eq!(due(2), [2, 10, 30, 60, 90, 108, 120]);
        assert_eq!(due(72), [5, 120, 360, 720, 1080, 3888, 4320], "nothing is late before the end");
    }

    #[test]
    fn nonsense_is_named_where_it_stands() {
        for (value, pointer, code) in [
            (json!({"until_delivered": [{"action": "phone"}]}), "/until_delivered/0", "required"),
            (
                json!({"until_delivered": [{"after": "PT1H", "action": "fax"}]}),
                "/until_delivered/0/action",
                "unknown_code",
            ),
            (
                json!({"until_delivered": [{"share_percent": 0, "action": "phone"}]}),
                "/until_delivered/0/share_percent",
                "range",
            ),
            (
                json!({"until_acknowledged": [{"after": "PT2H", "action": "phone"}, {"after": "PT1H", "action": "remind"}]}),
                "/until_acknowledged/1",
                "order",
            ),
        ] {
            let faults = parse(&value).unwrap_err();
            let found: Vec<_> = faults.as_slice().iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
            assert_eq!(found, [(pointer, code)], "{value}");
        }
    }
}
