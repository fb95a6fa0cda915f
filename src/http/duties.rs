//! The board of duties and the ledger over HTTP.

use actix_web::HttpResponse;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{Query, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::parse::parse_instant;
use crate::service::{DutyFilter, LedgerFilter};

const TIME: &str = "a time with offset, such as 2026-11-22T00:40:00+01:00";

/// `GET /v1/duties`
pub(super) async fn board(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead, Scope::NoticesRead])?;
    let states = "not_started, running, breached or met";
    let filter = DutyFilter {
        state: query.take("state", states, |text| {
            ["not_started", "running", "breached", "met"].contains(&text).then(|| text.to_owned())
        }),
        due_before: query.take("due_before", TIME, parse_instant),
        incident: query.parsed("incident", "the id of an incident"),
    };
    query.take("order", "due", |text| (text == "due").then_some(()));
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_duties(&actor, filter, page).await?, None))
}

/// `GET /v1/audit`
pub(super) async fn audit(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::AuditRead])?;
    let filter = LedgerFilter {
        stream: query.take("stream", "the id of an incident, a notice or an organisation", |text| {
            (text.len() <= 100).then(|| text.to_owned())
        }),
        since: query.take("since", TIME, parse_instant),
    };
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_ledger(&actor, filter, page).await?, None))
}
