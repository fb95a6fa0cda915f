//! Incidents over HTTP: filing, listing, showing, reporting.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, answered, created, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::incident::IncidentState;
use crate::report::Language;
use crate::service::{IncidentFilter, Release, ServiceError};

/// `POST /v1/incidents`
pub(super) async fn file(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    Ok(created(api.service.file_incident(&actor, body.idempotency, body.value).await?))
}

/// `POST /v1/incidents/preview`
pub(super) async fn preview(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    Ok(shown(&api.service.preview_incident(&actor, body.value).await?, None))
}

/// `GET /v1/incidents`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead])?;
    let filter = IncidentFilter {
        state: query.take("state", "telling, told, acknowledged, kept or withdrawn", IncidentState::from_code),
        text: query.take("q", "at most 200 characters", |text| (text.len() <= 200).then(|| text.to_owned())),
        controller: query.parsed("controller", "the id of an organisation"),
    };
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_incidents(&actor, filter, page).await?, None))
}

/// `GET /v1/incidents/{id}`
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead])?;
    let incident = api.service.show_incident(&actor, path_id(&id)?).await?;
    Ok(shown(&incident, Some(incident.summary.version)))
}

/// `GET /v1/incidents/{id}/report`
pub(super) async fn report(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead, Scope::ExportsRead])?;
    let id = path_id(&id)?;
    let pdf = query.take("format", "pdf or json", |text| match text {
        "pdf" => Some(true),
        "json" => Some(false),
        _ => None,
    });
    let language = query.take("lang", "de or en", |text| match text {
        "de" => Some(Language::German),
        "en" => Some(Language::English),
        _ => None,
    });
    let controller = query.parsed("controller", "the id of an organisation");
    query.finish()?;
    let (pdf, language) = (pdf.unwrap_or(true), language.unwrap_or(Language::German));
    let report = api.service.report(&actor, id, controller, api.report_zone.clone()).await?;
    let name = format!("{}-{}.{}", report.incident.id, language.tag(), if pdf { "pdf" } else { "json" });
    let now = api.service.clock.now();
    // Laying out a document takes milliseconds of a whole core; it must not hold up other requests.
    let made = web::block(move || {
        if pdf {
            return api.renderer.render(&report, language, now);
        }
        Ok(crate::report::to_json(&report, language)?.to_string().into_bytes())
    });
    let bytes = made
        .await
        .map_err(|_| Problem::unavailable())?
        .map_err(|error| Problem::from(ServiceError::Internal(format!("report: {error}"))))?;
    Ok(HttpResponse::Ok()
        .content_type(if pdf { "application/pdf" } else { "application/json" })
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(bytes))
}

/// `POST /v1/incidents/{id}/release`
pub(super) async fn release(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    let id = path_id(&id)?;
    let release = Release::parse(&body.value).map_err(ServiceError::Refused)?;
    let answer = api.service.release_incident(&actor, body.idempotency, id, release).await?;
    Ok(answered(StatusCode::OK, answer))
}
