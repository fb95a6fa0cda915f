//! What the ledger says of a duty.

use serde_json::{Value, json};

use crate::domain::duty::DutyState;
use crate::domain::duty_record::Duty;
use crate::store::micros;

/// Which duty, where it stands, and when it is due.
pub(super) fn duty_facts(duty: &Duty) -> Value {
    let due = duty.state.due();
    let late = match duty.state {
        DutyState::Met { late, .. } => late,
        _ => None,
    };
    json!({
        "id": duty.id,
        "obligation": duty.obligation.code,
        "state": duty.state.as_str(),
        "start_at": due.map(|due| micros(due.start_at)),
        "legal_due_at": due.and_then(|due| due.legal_due_at).map(micros),
        "late": late,
    })
}

/// The same of several.
pub(super) fn all_duty_facts<'d>(duties: impl IntoIterator<Item = &'d Duty>) -> Vec<Value> {
    duties.into_iter().map(duty_facts).collect()
}
