//! What it means for the clocks that a notice arrived or was acknowledged: which of the two informs the controller is agreed.

use time::OffsetDateTime;

use crate::domain::course::{Effect, Reached};
use crate::domain::id::NoticeId;
use crate::domain::milestone::Milestone;
use crate::domain::receipt::{Means, ReceiptLevel, Stage};
use crate::domain::vocabulary::InformedBy;
use crate::store::notices::NoticeFacts;

/// A notice that reached its controller, and what proves it.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// The notice.
    pub(super) notice: NoticeId,
    /// When, UTC.
    pub(super) at: OffsetDateTime,
    /// By what that is proved.
    pub(super) means: Means,
    /// SHA-256 of what proves it.
    pub(super) evidence_sha256: Option<String>,
}

impl Arrival {
    /// The level that was reached.
    pub(super) fn stage(&self) -> Stage {
        Stage::new(ReceiptLevel::Delivered, self.at).by_means(self.means).proved_by(self.evidence_sha256.clone())
    }
}

/// What is reached when a notice arrives at `at`. It always ends what the processor owed.
pub(super) fn by_delivery(notice: &NoticeFacts, at: OffsetDateTime) -> Vec<Reached> {
    milestones(
        notice,
        at,
        match notice.informed_by {
            InformedBy::Earlier => Effect::Whole,
            InformedBy::Acknowledgement => Effect::Ends,
        },
    )
}

/// What is reached when a notice is acknowledged at `at`; whoever acknowledges it has it.
///
/// A notice that had arrived before ended then what the processor owed; what is owed since waits for its own notice.
pub(super) fn by_acknowledgement(notice: &NoticeFacts, at: OffsetDateTime) -> Vec<Reached> {
    match (notice.delivered, notice.informed_by) {
        (false, _) => milestones(notice, at, Effect::Whole),
        (true, InformedBy::Acknowledgement) => milestones(notice, at, Effect::Starts),
        (true, InformedBy::Earlier) => Vec::new(),
    }
}

fn milestones(notice: &NoticeFacts, at: OffsetDateTime, effect: Effect) -> Vec<Reached> {
    let fully = notice.complete.then_some(Milestone::ControllerFullyInformed);
    let reached = |milestone| Reached::new(milestone, at).having(effect);
    std::iter::once(Milestone::ControllerInformed).chain(fully).map(reached).collect()
}
