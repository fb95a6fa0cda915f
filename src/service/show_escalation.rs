//! The ladders of a notice as its processor reads them: what fired, what is open, what is planned.

use serde::Serialize;
use time::OffsetDateTime;

use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::NoticeId;
use crate::domain::ladder::{End, StepState, UNPLANNED};
use crate::domain::terms::{Action, Ladder, LadderStep};
use crate::store::escalations::{self, Step};
use crate::store::watched::{self, Watched};

/// Both ladders of a notice.
#[derive(Debug, Clone, Serialize)]
pub struct EscalationView {
    notice: NoticeId,
    until_delivered: LadderView,
    until_acknowledged: LadderView,
}

/// One ladder.
#[derive(Debug, Clone, Serialize)]
struct LadderView {
    /// Why it is over.
    over: Option<End>,
    /// Until when the notice must be there, UTC; absent while it has not left.
    #[serde(with = "time::serde::rfc3339::option")]
    deadline_at: Option<OffsetDateTime>,
    steps: Vec<StepView>,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
struct StepView {
    step: usize,
    action: Action,
    state: &'static str,
    #[serde(with = "time::serde::rfc3339::option")]
    due_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    fired_at: Option<OffsetDateTime>,
    late_ms: Option<i64>,
    outcome: Option<String>,
}

impl Service {
    /// The ladders of a notice; for its processor.
    pub async fn show_escalation(&self, actor: &Actor, id: NoticeId) -> Result<EscalationView, ServiceError> {
        let tenant = actor.organisation.clone();
        self.store
            .read(move |connection| {
                let notice = watched::of(connection, &[id.to_string()])?.pop();
                let notice = notice.filter(|known| known.processor == tenant).ok_or(ServiceError::NotFound)?;
                let steps = escalations::of_notice(connection, &id)?;
                let view = |ladder| LadderView::of(&notice, ladder, &steps);
                let (until_delivered, until_acknowledged) = (view(Ladder::Delivered), view(Ladder::Acknowledged));
                Ok(EscalationView { until_delivered, until_acknowledged, notice: id })
            })
            .await
    }
}

impl LadderView {
    fn of(notice: &Watched, ladder: Ladder, rows: &[Step]) -> Self {
        let terms = notice.agreement.terms.escalation.of(ladder);
        let rows: Vec<&Step> = rows.iter().filter(|row| row.ladder == ladder).collect();
        let window = rows.first().map(|row| row.window);
        let over = notice.standing.end_of(ladder);
        let plan = window.map(|window| window.plan(terms)).unwrap_or_default();
        // Nothing of a drill leaves, and what is over has no future.
        let has_future = over.is_none() && !notice.drill;
        let (agreed, beside): (Vec<&Step>, Vec<&Step>) = rows.into_iter().partition(|row| row.step < UNPLANNED);
        // What came before a notice that took over stands with the one before it.
        let come = agreed.last().map_or(0, |row| usize::try_from(row.step).unwrap_or(0) + 1);
        let planned = terms.iter().enumerate().skip(come).filter(|_| has_future);
        let planned = planned.map(|(index, step)| StepView::planned(index, step, plan.get(index).copied()));
        let view = |row: &Step| StepView::of(row, over);
        let steps = agreed.into_iter().map(view).chain(planned).chain(beside.into_iter().map(view)).collect();
        Self { over, deadline_at: window.map(|window| window.deadline), steps }
    }
}

impl StepView {
    fn planned(index: usize, step: &LadderStep, due_at: Option<OffsetDateTime>) -> Self {
        let (fired_at, late_ms, outcome) = (None, None, None);
        Self { step: index + 1, action: step.action, state: "planned", due_at, fired_at, late_ms, outcome }
    }

    /// A step as it is kept; one that is open while its ladder is over will not fire any more.
    fn of(row: &Step, over: Option<End>) -> Self {
        let ended = over.filter(|_| row.state == StepState::Open);
        Self {
            step: usize::try_from(row.step).unwrap_or(0) + 1,
            action: row.action,
            state: ended.map_or(row.state, |_| StepState::NotNeeded).as_str(),
            due_at: Some(row.due_at),
            fired_at: row.fired_at,
            late_ms: row.late_ms,
            outcome: row.outcome.clone().or(ended.map(|end| end.as_str().to_owned())),
        }
    }
}
