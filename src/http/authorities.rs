//! Supervisory authorities over HTTP: all that are known, and those of one controller's part of an incident.

use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, Query, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::organisation::{Sector, is_country};

/// `GET /v1/authorities`
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    caller.with(&[Scope::IncidentsRead, Scope::AgreementsRead])?;
    let country = query
        .take("country", "an ISO 3166-1 alpha-2 code, such as DE", |code| is_country(code).then(|| code.to_owned()));
    let sector = query.take("sector", "a sector of an organisation, such as private", Sector::from_code);
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_authorities(country.as_deref(), sector, &page), None))
}

/// `GET /v1/incidents/{id}/authority`
pub(super) async fn show(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsRead])?;
    let controller = query.parsed("controller", "the id of an organisation");
    query.finish()?;
    Ok(shown(&api.service.show_authority(&actor, path_id(&id)?, controller).await?, None))
}

/// `PUT /v1/incidents/{id}/authority`
pub(super) async fn choose(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::DecisionsWrite, Scope::IncidentsWrite])?;
    Ok(shown(&api.service.choose_authority(actor, path_id(&id)?, body.value).await?, None))
}
