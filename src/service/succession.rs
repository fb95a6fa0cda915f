//! What a later notice takes over from the one that it replaces, where that one never arrived: its time, its channels, its open tasks.
//!
//! Whoever adds to a notice every day would otherwise begin anew every day, and nobody would ever be called.

use std::collections::HashMap;

use serde_json::json;
use time::OffsetDateTime;

use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::NoticeId;
use crate::domain::ladder::StepState;
use crate::domain::ledger::NewEntry;
use crate::domain::task::Task;
use crate::domain::terms::Ladder;
use crate::domain::vocabulary::Channel;
use crate::store::escalations::{self, Rest, Step};
use crate::store::tasks::{self, NewTask};
use crate::store::watched::{self, Watched};
use crate::store::{AnyConnection, ledger, mail_evidence, notices, outbox};

/// What a notice leaves that never arrived.
pub(super) struct Estate {
    notice: Watched,
    /// What is left of its ladder until delivery; none where that never began.
    pub(super) rest: Option<Rest>,
    /// The channels that it took.
    pub(super) channels: Vec<Channel>,
}

/// What those of the notices `replaced` leave that never arrived, by notice. All of them are held until the transaction ends, so that
/// no step fires for both the one before and the later one.
pub(super) fn estates(
    connection: &mut AnyConnection,
    replaced: &[&str],
) -> Result<HashMap<String, Estate>, ServiceError> {
    if replaced.is_empty() {
        return Ok(HashMap::new());
    }
    let facts = notices::facts(connection, replaced)?;
    let left: Vec<String> = facts.iter().filter(|one| !one.delivered).map(|one| one.id.to_string()).collect();
    let steps = escalations::of_notices(connection, &left.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut channels: HashMap<String, Vec<Channel>> = HashMap::new();
    for (notice, endpoint) in outbox::tried(connection, &left)? {
        channels.entry(notice).or_default().push(endpoint.channel());
    }
    let estate = |notice: Watched| {
        let id = notice.notice.to_string();
        let rest = rest(&notice, &steps);
        (id.clone(), Estate { notice, rest, channels: channels.remove(&id).unwrap_or_default() })
    };
    let open = watched::of(connection, &left)?.into_iter().filter(|notice| !notice.standing.is_answered());
    Ok(open.map(estate).collect())
}

/// The window of the ladder until delivery, and its first step that has not come.
fn rest(notice: &Watched, steps: &[Step]) -> Option<Rest> {
    let agreed = notice.agreement.terms.escalation.of(Ladder::Delivered).len();
    let of_ladder = steps.iter().filter(|step| step.notice == notice.notice && step.ladder == Ladder::Delivered);
    let mut come = of_ladder.filter_map(|step| Some((usize::try_from(step.step).ok()?, step)));
    let (number, last) = come.by_ref().filter(|(number, _)| *number < agreed).max_by_key(|(number, _)| *number)?;
    let step = if last.state == StepState::Open { number } else { number + 1 };
    Some(Rest { window: last.window, step })
}

impl Service {
    /// Ends what notices leave that are replaced, given with what replaces each: they are not mailed again once a relay has taken them,
    /// and their ladders with their tasks are over. What a person was still to do for one that never arrived is a task about the
    /// later one now.
    pub(super) fn hand_over(
        &self,
        connection: &mut AnyConnection,
        replaced: &[(&str, &NoticeId)],
        estates: &HashMap<String, Estate>,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let ids: Vec<&str> = replaced.iter().map(|(before, _)| *before).collect();
        // Held first, as whoever records an attempt does it.
        notices::facts(connection, &ids)?;
        mail_evidence::close_taken(connection, &ids)?;
        let later: HashMap<&str, &NoticeId> = replaced.iter().copied().collect();
        let open = tasks::open_of(connection, &ids)?;
        tasks::close(connection, &ids, &[Ladder::Delivered, Ladder::Acknowledged], now)?;
        let (mut made, mut entries) = (Vec::new(), Vec::new());
        for task in open.iter().filter(|task| task.ladder == Ladder::Delivered) {
            let before = task.notice.as_str();
            let (Some(later), Some(step)) = (later.get(before), task.step) else { continue };
            let Some(Estate { notice, .. }) = estates.get(before) else { continue };
            let new = NewTask {
                id: self.id(now),
                notice: (*later).clone(),
                ladder: task.ladder,
                step: Some(step - 1),
                processor: notice.processor.clone(),
                controller: task.controller.clone(),
                means: task.means,
                role: task.role.clone().unwrap_or_default(),
                address: task.address.clone().unwrap_or_default(),
                due_at: task.due_at,
            };
            entries.push(entry(task, &new, now));
            made.push(new);
        }
        tasks::insert(connection, &made, now)?;
        Ok(ledger::append(connection, &entries)?)
    }
}

fn entry(before: &Task, new: &NewTask, now: OffsetDateTime) -> NewEntry {
    let facts = json!({"means": new.means, "task_before": before.id, "notice_before": before.notice});
    let deed = (Actor::service(new.processor.clone()), now);
    new.sides().entry("task.taken_over", new.id.as_str(), facts, deed)
}
