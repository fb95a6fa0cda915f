//! What the processor's own endpoints are told of a step of a ladder, and of a dispute. No content of the incident.

use std::collections::HashMap;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ServiceError;
use crate::domain::event::EventType;
use crate::domain::ladder::Rung;
use crate::store::deliveries::Claimed;
use crate::store::escalations::{self, Step};
use crate::store::watched::{self, Watched};
use crate::store::{AnyConnection, parties};

/// The bodies of those of `claimed` that tell the processor of a notice, by delivery, still without their recipient.
pub(super) fn of_claimed<'c>(
    connection: &mut AnyConnection,
    claimed: &(impl Iterator<Item = &'c Claimed> + Clone),
) -> Result<HashMap<String, Value>, ServiceError> {
    let is_told = |one: &&Claimed| EventType::OF_NOTICES.iter().any(|event| one.kind == event.as_str());
    let telling = || claimed.clone().filter(is_told);
    let mut notices: Vec<String> = telling().filter_map(|one| one.notice_id.clone()).collect();
    if notices.is_empty() {
        return Ok(HashMap::new());
    }
    notices.sort_unstable();
    notices.dedup();
    let watched = watched::of(connection, &notices)?;
    let controllers: Vec<String> = watched.iter().map(|one| one.agreement.controller.to_string()).collect();
    let names = parties::names(connection, &controllers)?;
    let steps = escalations::of_notices(connection, &notices.iter().map(String::as_str).collect::<Vec<_>>())?;
    let body = |one: &Claimed| {
        let notice = watched.iter().find(|known| Some(known.notice.as_str()) == one.notice_id.as_deref())?;
        if one.kind == EventType::NoticeDisputed.as_str() {
            return Some((one.id.clone(), disputed(notice, &names)?));
        }
        let rung = Rung::from_code(one.step?)?;
        let is_it =
            |step: &&Step| step.notice == notice.notice && (Rung { ladder: step.ladder, step: step.step }) == rung;
        let step = steps.iter().find(is_it)?;
        Some((one.id.clone(), told(notice, step, &names)))
    };
    Ok(telling().filter_map(body).collect())
}

fn time(at: OffsetDateTime) -> Option<String> {
    at.format(&Rfc3339).ok()
}

fn controller(notice: &Watched, names: &HashMap<String, String>) -> Value {
    let id = &notice.agreement.controller;
    json!({"id": id, "name": names.get(id.as_str()).cloned().unwrap_or_default()})
}

/// None of a notice that nobody has disputed. What the controller says of it in words stands in the receipt.
fn disputed(notice: &Watched, names: &HashMap<String, String>) -> Option<Value> {
    let (at, reason) = notice.dispute?;
    Some(json!({
        "notice": notice.notice,
        "incident": notice.incident,
        "controller": controller(notice, names),
        "reason": reason,
        "disputed_at": time(at),
    }))
}

fn told(notice: &Watched, step: &Step, names: &HashMap<String, String>) -> Value {
    json!({
        "notice": notice.notice,
        "incident": notice.incident,
        "controller": controller(notice, names),
        "ladder": step.ladder,
        "step": step.step + 1,
        "action": step.action,
        "due_at": time(step.due_at),
        "deadline_at": time(step.window.deadline),
        "delivered_at": notice.delivered_at.and_then(time),
    })
}
