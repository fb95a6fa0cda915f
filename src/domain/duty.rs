//! A duty and its clock: states that carry their facts, due times, and the alarms on the way. Reads no clock; the time is handed in.

use time::{Duration, OffsetDateTime};

use super::calendar::Region;
use super::counting::{CountingRule, same_date};
use super::span::Span;

/// The terms that a duty was born with. Later changes of the agreement or the catalogue do not reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenTerms {
    /// How long the debtor has.
    pub span: Span,
    /// How the legal due time is counted.
    pub rule: CountingRule,
    /// Whose holidays and zone count: an ISO 3166-1 or -2 code.
    pub region: String,
    /// How long the debtor gave itself; never a legal limit. Absent where only the law speaks.
    pub internal_target: Option<Duration>,
}

/// The times that follow from a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When the clock began.
    pub start_at: OffsetDateTime,
    /// Moment to moment; drives every alarm. For "without undue delay" it is the internal target.
    pub alarm_at: OffsetDateTime,
    /// As the governing law counts; absent for "without undue delay", which has no hours.
    pub legal_due_at: Option<OffsetDateTime>,
    /// The debtor's own aim.
    pub internal_target_at: Option<OffsetDateTime>,
}

/// Where a duty stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DutyState {
    /// Its start event has not happened.
    NotStarted,
    /// The clock runs.
    Running(Due),
    /// The legal due time has passed and it is still owed.
    Breached(Due),
    /// It was fulfilled; lateness is frozen at that first time.
    Met {
        /// The times it was measured against.
        due: Due,
        /// When it was fulfilled.
        met_at: OffsetDateTime,
        /// Whether that was too late; `None` where the law gives no hours.
        late: Option<bool>,
    },
    /// A named person decided that it is not owed. The clock stays, in case that is taken back.
    NotRequired(Option<Due>, Closing),
    /// What it came from was withdrawn.
    Cancelled(Option<Due>, Closing),
    /// A right that nobody used in time.
    Lapsed(Due),
    /// It came from a drill and is owed by nobody.
    Drill(Option<Due>),
}

/// Who closed a duty without fulfilling it, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// When; UTC.
    pub at: OffsetDateTime,
    /// The person.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A step that a duty in this state cannot take.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the duty cannot take this step in its state")]
pub struct InvalidTransition;

/// A point on the clock at which somebody is told or the state turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Half of the window has passed.
    Half,
    /// Three quarters have passed.
    ThreeQuarters,
    /// Nine tenths have passed.
    NineTenths,
    /// The alarm time has passed.
    Overdue,
    /// The legal due time has passed.
    Breach,
}

/// What a clock that was looked at has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The highest step that has come; the one that is told.
    pub step: Step,
    /// Lower steps that were never told, after a time of standstill.
    pub skipped: Vec<Step>,
    /// The state from now on.
    pub state: DutyState,
    /// What comes next.
    pub next: Option<(Step, OffsetDateTime)>,
}

impl FrozenTerms {
    /// The due times of a clock that begins at `start_at`, counted in `region`; `cap` is an outer limit that holds beside it.
    ///
    /// Where the rule cannot count, since the holidays of that year are not known, the legal due time is that from moment to
    /// moment, and of months the end of the same date: no rule is shorter. A cap that had passed when the clock began does not hold.
    pub fn due(&self, start_at: OffsetDateTime, region: &Region, cap: Option<OffsetDateTime>) -> Due {
        let target = self.internal_target.map(|target| start_at + target);
        let moment = self.span.length().map(|length| start_at + length);
        let counted = self.rule.count(start_at, &self.span, region).ok().map(|counted| counted.due_at);
        let counted = counted.or(moment).or_else(|| same_date(start_at, &self.span, region));
        let cap = cap.filter(|cap| *cap > start_at);
        let legal_due_at = counted.into_iter().chain(counted.and(cap)).min();
        // Without a limit and without a target an alarm after a day is still better than none.
        let aim = target.unwrap_or(start_at + Duration::DAY);
        let alarm_at = moment.or(legal_due_at).unwrap_or(aim);
        let alarm_at = legal_due_at.map_or(alarm_at, |due| due.min(alarm_at));
        Due { start_at, alarm_at, legal_due_at, internal_target_at: target }
    }
}

impl Due {
    /// Whether an act at `at` is too late: a period ends with its last instant, so that instant itself is late.
    pub fn is_late(&self, at: OffsetDateTime) -> Option<bool> {
        self.legal_due_at.map(|due| at >= due)
    }

    /// When `step` comes; `None` where the clock has no such step.
    pub fn at(&self, step: Step) -> Option<OffsetDateTime> {
        let window = self.alarm_at - self.start_at;
        match step {
            Step::Half => Some(self.start_at + window / 2),
            Step::ThreeQuarters => Some(self.start_at + window / 4 * 3),
            Step::NineTenths => Some(self.start_at + window / 10 * 9),
            Step::Overdue => Some(self.alarm_at),
            Step::Breach => self.legal_due_at,
        }
    }

    /// The first step from `from` on that the clock has.
    pub fn next(&self, from: Option<Step>) -> Option<(Step, OffsetDateTime)> {
        Step::ALL
            .into_iter()
            .filter(|step| from.is_some_and(|from| *step >= from))
            .find_map(|step| Some((step, self.at(step)?)))
    }
}

impl DutyState {
    /// The stable code.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Running(_) => "running",
            Self::Breached(_) => "breached",
            Self::Met { .. } => "met",
            Self::NotRequired(..) => "not_required",
            Self::Cancelled(..) => "cancelled",
            Self::Lapsed(_) => "lapsed",
            Self::Drill(_) => "drill",
        }
    }

    /// Whether it is or may still become owed.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::NotStarted | Self::Running(_) | Self::Breached(_))
    }

    /// The due times, once the clock has begun.
    pub fn due(&self) -> Option<&Due> {
        match self {
            Self::NotStarted => None,
            Self::Running(due) | Self::Breached(due) | Self::Met { due, .. } | Self::Lapsed(due) => Some(due),
            Self::NotRequired(due, _) | Self::Cancelled(due, _) | Self::Drill(due) => due.as_ref(),
        }
    }

    /// Who closed it without fulfilment, when and why.
    pub fn closing(&self) -> Option<&Closing> {
        match self {
            Self::NotRequired(_, closing) | Self::Cancelled(_, closing) => Some(closing),
            _ => None,
        }
    }

    /// Whether it was fulfilled or closed too late. `None` while that is open, where the law gives no hours, and for what was closed
    /// in time without fulfilment.
    pub fn late(&self) -> Option<bool> {
        match self {
            Self::Met { late, .. } => *late,
            Self::NotRequired(Some(due), closing) | Self::Cancelled(Some(due), closing) => {
                due.is_late(closing.at).filter(|late| *late)
            }
            _ => None,
        }
    }

    /// The start event happened; `due` are the times that follow. Happening again changes nothing, so it is refused.
    pub fn start(self, due: Due) -> Result<Self, InvalidTransition> {
        match self {
            Self::NotStarted => Ok(Self::Running(due)),
            _ => Err(InvalidTransition),
        }
    }

    /// The debtor did at `at` what it owed. The first time counts; a later one changes nothing and is refused. A right that lapsed
    /// was used all the same if that was in time and only became known later.
    pub fn meet(self, at: OffsetDateTime) -> Result<Self, InvalidTransition> {
        match self {
            Self::Running(due) | Self::Breached(due) => Ok(Self::Met { due, met_at: at, late: due.is_late(at) }),
            Self::Lapsed(due) if due.is_late(at) == Some(false) => Ok(Self::Met { due, met_at: at, late: Some(false) }),
            _ => Err(InvalidTransition),
        }
    }

    /// A named person decided that it is not owed; only where the row leaves room for that, which the caller has checked.
    pub fn waive(self, closing: Closing) -> Result<Self, InvalidTransition> {
        match self {
            Self::NotStarted => Ok(Self::NotRequired(None, closing)),
            Self::Running(due) | Self::Breached(due) => Ok(Self::NotRequired(Some(due), closing)),
            _ => Err(InvalidTransition),
        }
    }

    /// The decision that it is not owed was taken back at `now`; the clock is the one it had, as if it had run on.
    pub fn reopen(self, now: OffsetDateTime) -> Result<Self, InvalidTransition> {
        match self {
            Self::NotRequired(None, _) => Ok(Self::NotStarted),
            Self::NotRequired(Some(due), _) => Ok(Self::owed(due, now)),
            _ => Err(InvalidTransition),
        }
    }

    /// What it came from was withdrawn. What was fulfilled stays fulfilled.
    pub fn cancel(self, closing: Closing) -> Result<Self, InvalidTransition> {
        match self {
            Self::NotStarted => Ok(Self::Cancelled(None, closing)),
            Self::Running(due) | Self::Breached(due) => Ok(Self::Cancelled(Some(due), closing)),
            _ => Err(InvalidTransition),
        }
    }

    /// The start event proved to have been at another time; `due` are the times that follow. What is closed is never touched.
    pub fn reclock(self, due: Due, now: OffsetDateTime) -> Result<Self, InvalidTransition> {
        match self {
            Self::Running(_) | Self::Breached(_) => Ok(Self::owed(due, now)),
            _ => Err(InvalidTransition),
        }
    }

    fn owed(due: Due, now: OffsetDateTime) -> Self {
        if due.is_late(now) == Some(true) { Self::Breached(due) } else { Self::Running(due) }
    }

    /// Looks at the clock: what has come between the step `from` and `now`. `None` if nothing has.
    ///
    /// At the legal due time a duty is breached; of a right that `lapses` nothing is left then.
    pub fn look(&self, from: Step, now: OffsetDateTime, lapses: bool) -> Option<Fired> {
        let (Self::Running(due) | Self::Breached(due)) = self else { return None };
        let come: Vec<Step> =
            Step::ALL.into_iter().filter(|step| *step >= from && due.at(*step).is_some_and(|at| at <= now)).collect();
        let (step, skipped) = come.split_last()?;
        let state = match (step, lapses) {
            (Step::Breach, true) => Self::Lapsed(*due),
            (Step::Breach, false) => Self::Breached(*due),
            _ => self.clone(),
        };
        Some(Fired { step: *step, skipped: skipped.to_vec(), state, next: due.next(step.following()) })
    }
}

impl Step {
    /// Every step in the order in which they come.
    pub const ALL: [Self; 5] = [Self::Half, Self::ThreeQuarters, Self::NineTenths, Self::Overdue, Self::Breach];

    /// The stable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Half => "half",
            Self::ThreeQuarters => "three_quarters",
            Self::NineTenths => "nine_tenths",
            Self::Overdue => "overdue",
            Self::Breach => "breach",
        }
    }

    /// The place in the order, from 0; this is what the database keeps.
    pub fn index(self) -> i32 {
        match self {
            Self::Half => 0,
            Self::ThreeQuarters => 1,
            Self::NineTenths => 2,
            Self::Overdue => 3,
            Self::Breach => 4,
        }
    }

    /// The step of a place in the order.
    pub fn from_index(index: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.index() == index)
    }

    fn following(self) -> Option<Self> {
        Self::from_index(self.index() + 1)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
