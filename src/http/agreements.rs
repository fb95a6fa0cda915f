//! Agreements over HTTP, one by one. Imports are in `import.rs`.

use actix_web::{HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{IfMatch, JsonBody, Query, created, path_id, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::agreement::{AgreementContent, NewAgreement};
use crate::service::{AgreementFilter, ServiceError};

/// `POST /v1/agreements`.
pub(super) async fn create(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::AgreementsWrite])?;
    let new = NewAgreement::parse(&body.value).map_err(ServiceError::from)?;
    Ok(created(api.service.create_agreement(actor, new, body.idempotency).await?))
}

/// `GET /v1/agreements`.
pub(super) async fn list(api: Shared, caller: Caller, mut query: Query) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::AgreementsRead])?;
    let text = |text: &str| Some(text.to_owned());
    let filter = AgreementFilter {
        controller: query.parsed("controller", "the id of an organisation"),
        product: query.take("product", "the name of a product", text),
        reference: query.take("reference", "a reference", text),
    };
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_agreements(actor, filter, page).await?, None))
}

/// `GET /v1/agreements/{id}`.
pub(super) async fn show(api: Shared, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::AgreementsRead])?;
    let agreement = api.service.show_agreement(actor, path_id(&id)?).await?;
    Ok(shown(&agreement, Some(agreement.version)))
}

/// `PUT /v1/agreements/{id}`.
pub(super) async fn change(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    version: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::AgreementsWrite])?;
    let id = path_id(&id)?;
    let content = AgreementContent::parse(&body.value).map_err(ServiceError::from)?;
    let agreement = api.service.change_agreement(actor, id, version.0, content).await?;
    Ok(shown(&agreement, Some(agreement.version)))
}

/// `GET /v1/agreements/{id}/versions`.
pub(super) async fn versions(
    api: Shared,
    caller: Caller,
    id: web::Path<String>,
    mut query: Query,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::AgreementsRead])?;
    let page = query.page();
    query.finish()?;
    Ok(shown(&api.service.list_agreement_versions(actor, path_id(&id)?, page).await?, None))
}
