//! Versions of an incident: what a supplement, a correction, a completion or a withdrawal changes, and whom it concerns. Stores nothing.

mod amend;
mod concern;
mod difference;
mod join;
mod merge;
mod notice;
mod open;
mod shown;

use super::event::EventType;
use super::vocabulary::code_list;

pub use amend::{Amendment, OwnChange};
pub use concern::{Concern, Shares, concern};
pub use difference::{Change, apply, differences};
pub use join::{Joiner, Joining};
pub use merge::{Standing, merge_patch};
pub use notice::{LEADING, LaterNotice};
pub use open::{Items, came_up, given, items, moved};
pub use shown::{IncidentVersion, Release};

code_list! {
    /// What a version of an incident is to the one before, Art. 33(4) GDPR.
    ///
    /// `initial` is the filing itself; `joined` says that controllers were found late.
    PhaseKind {
        Initial "initial",
        Supplement "supplement",
        Correction "correction",
        Completion "completion",
        Withdrawal "withdrawal",
        Joined "joined",
    }
}

impl PhaseKind {
    /// The event that tells a controller of such a version.
    pub fn event(self) -> EventType {
        match self {
            Self::Initial | Self::Joined => EventType::NoticeInitial,
            Self::Supplement => EventType::NoticeSupplement,
            Self::Correction => EventType::NoticeCorrection,
            Self::Completion => EventType::NoticeCompletion,
            Self::Withdrawal => EventType::NoticeWithdrawal,
        }
    }

    /// Whether everybody who was told is told of it, changed or not.
    pub fn concerns_all(self) -> bool {
        matches!(self, Self::Completion | Self::Withdrawal)
    }

    /// Whether it cannot be filed without a reason.
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Correction | Self::Withdrawal)
    }
}

#[cfg(test)]
mod tests;
