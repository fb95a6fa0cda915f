//! Organisations over HTTP.

use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{IfMatch, JsonBody, Query, created, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::organisation::NewOrganisation;
use crate::domain::vocabulary::OrganisationRole;
use crate::service::ServiceError;

const READ: &[Scope] = &[Scope::Admin, Scope::AgreementsRead];
const WRITE: &[Scope] = &[Scope::Admin, Scope::AgreementsWrite];

/// `POST /v1/organisations`.
pub(super) async fn create(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    let new = NewOrganisation::parse(&body.value).map_err(ServiceError::from)?;
    Ok(created(api.service.create_organisation(actor, new, body.idempotency).await?))
}

/// `GET /v1/organisations`.
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    let role = query.take("role", "processor or controller", OrganisationRole::from_code);
    let name = query.take("q", "at most 200 characters", |text| (text.chars().count() <= 200).then(|| text.to_owned()));
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_organisations(actor, role, name, page).await?, None))
}

/// `GET /v1/organisations/{id}`.
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(READ)?;
    let organisation = api.service.show_organisation(actor, path_id(&id)?).await?;
    Ok(shown(&organisation, Some(organisation.version)))
}

/// `PUT /v1/organisations/{id}`.
pub(super) async fn change(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    version: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(WRITE)?;
    let id = path_id(&id)?;
    let new = NewOrganisation::parse(&body.value).map_err(ServiceError::from)?;
    let organisation = api.service.change_organisation(actor, id, version.0, new).await?;
    Ok(shown(&organisation, Some(organisation.version)))
}
