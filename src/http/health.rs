//! How delivery fares, for the operator. Tells ids, counts and times; no content.

use actix_web::HttpResponse;

use super::api::Shared;
use super::auth::Caller;
use super::extract::{Query, shown};
use super::problem::Problem;
use crate::domain::actor::Scope;

/// `GET /v1/health/delivery`
pub(super) async fn delivery(api: Shared, caller: Caller, query: Query) -> Result<HttpResponse, Problem> {
    caller.with(&[Scope::Admin])?;
    query.finish()?;
    Ok(shown(&api.service.audit_delivery().await?, None))
}
