//! The catalogue of obligations over HTTP.

use actix_web::HttpResponse;
use time::Date;
use time::macros::format_description;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{Query, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::catalogue::{Selection, Status};

/// `GET /v1/obligations`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    caller.with(&[Scope::IncidentsRead, Scope::AgreementsRead])?;
    let wanted = Selection {
        status: query.take("status", "law or proposal", Status::from_code),
        regime: query.take("regime", "a regime, such as gdpr", |text| (text.len() <= 64).then(|| text.to_owned())),
        on: query.take("on", "a day, such as 2026-11-22", |text| {
            Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
        }),
    };
    query.finish()?;
    Ok(shown(&api.service.law.catalogue.select(&wanted), None))
}
