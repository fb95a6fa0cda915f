//! Sending again what failed, over HTTP.

use actix_web::HttpResponse;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{JsonBody, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::redelivery::Redelivery;
use crate::service::ServiceError;

/// `POST /v1/redeliveries`
pub(super) async fn request(api: Shared, caller: Caller, body: JsonBody) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::IncidentsWrite])?;
    let wanted = Redelivery::parse(&body.value).map_err(ServiceError::from)?;
    let dry_run = wanted.dry_run;
    let done = api.service.redeliver_failed(actor, wanted).await?;
    Ok(if dry_run { shown(&done, None) } else { HttpResponse::Accepted().json(done) })
}
