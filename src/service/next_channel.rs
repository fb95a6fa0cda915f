//! A channel of a notice has died: the next one opens at once, as a step of the ladder, so that it fires once and is proven.

use time::OffsetDateTime;

use super::ServiceError;
use super::escalation_actions::Reach;
use crate::domain::ladder::{StepState, UNPLANNED, Window};
use crate::domain::terms::{Action, Ladder};
use crate::domain::vocabulary::Channel;
use crate::store::AnyConnection;
use crate::store::escalations::{self, Step};
use crate::store::watched::{self, Watched};

/// Makes the next channel of notices due at once, each with the channel of it that has died. The caller holds the notices.
///
/// The step of the agreement that opens the next channel is taken first; where there is none left, one beside the agreement's
/// own. A channel dies once: nothing happens where a channel after it has been taken, or where none is left.
pub(super) fn channels_died(
    connection: &mut AnyConnection,
    died: &[(&str, Channel)],
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    if died.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<String> = died.iter().map(|(notice, _)| (*notice).to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut watched = watched::of(connection, &ids)?;
    watched.retain(|notice| !notice.drill && notice.standing.end_of(Ladder::Delivered).is_none());
    let reach = Reach::of(connection, &watched.iter().collect::<Vec<_>>(), &[])?;
    let steps = escalations::of_notices(connection, &ids.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut changed: Vec<Step> = Vec::new();
    for notice in &watched {
        let channels = notice.agreement.terms.channels();
        let is_taken = |channel: &Channel| reach.is_open(notice, *channel);
        let of_notice = |one: &&(&str, Channel)| one.0 == notice.notice.as_str();
        let dead = died.iter().filter(of_notice).filter_map(|(_, dead)| channels.iter().position(|one| one == dead));
        // The last one that died is the furthest that the notice has come.
        let Some(dead) = dead.max() else { continue };
        let goes_on = !channels.iter().all(is_taken) && !channels[dead + 1..].iter().any(is_taken);
        let own: Vec<&Step> = steps.iter().filter(|step| step.notice == notice.notice).collect();
        changed.extend(next_step(notice, dead, &own, now).filter(|_| goes_on));
    }
    Ok(escalations::write(connection, &changed)?)
}

/// The step that opens the next channel now, if none is under way and this death has made none before.
fn next_step(notice: &Watched, dead: usize, steps: &[&Step], now: OffsetDateTime) -> Option<Step> {
    let mut of_ladder = steps.iter().filter(|step| step.ladder == Ladder::Delivered);
    let opens = |step: &&&Step| step.action == Action::NextChannel && step.state == StepState::Open;
    if let Some(open) = of_ladder.clone().find(opens) {
        return (open.due_at > now).then(|| Step { due_at: now, ..(**open).clone() });
    }
    let number = UNPLANNED + i32::try_from(dead).ok()?;
    if of_ladder.clone().any(|step| step.step == number) {
        return None;
    }
    let whole = Window { begun: notice.created_at, deadline: notice.deadline_at };
    Some(Step {
        notice: notice.notice.clone(),
        ladder: Ladder::Delivered,
        step: number,
        action: Action::NextChannel,
        due_at: now,
        state: StepState::Open,
        fired_at: None,
        late_ms: None,
        outcome: None,
        window: of_ladder.next().map_or(whole, |step| step.window),
    })
}
