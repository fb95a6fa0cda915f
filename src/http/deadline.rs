//! How a period is counted, over HTTP. Reads no tenant's data.

use actix_web::HttpResponse;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{Query, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::counting::Asked;
use crate::report::Language;
use crate::report::deadline::explain;

/// `GET /v1/deadline`
pub(super) async fn show(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    caller.with(&[Scope::IncidentsRead, Scope::AgreementsRead])?;
    let mut text = |name| query.take(name, "a text", |text| Some(text.to_owned()));
    let (rule, span, region) = (text("rule"), text("span"), text("region"));
    // A plus sign that nobody encoded arrives as a space, and no time has a space where its offset begins.
    let from = text("from").map(|text| text.replace(' ', "+"));
    let asked = Asked { rule, span, from, region };
    let language = query.take("lang", "de or en", |text| match text {
        "de" => Some(Language::German),
        "en" => Some(Language::English),
        _ => None,
    });
    let explained = explain(&asked, &api.service.law.calendar, language.unwrap_or(Language::English));
    query.finish_with(explained).map(|explained| shown(&explained, None))
}
