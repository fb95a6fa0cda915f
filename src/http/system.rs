//! What needs no token: health, readiness, metrics, the contract and the public keys. Tells nothing of any tenant.

use actix_web::HttpResponse;
use serde_json::json;

use super::api::Shared;
use super::problem::Problem;

/// The contract, as it stands at the top of the repository.
const OPENAPI: &str = include_str!("../../openapi.yaml");

/// The process answers.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The database answers too.
pub(super) async fn readyz(api: Shared) -> Result<HttpResponse, Problem> {
    api.service.check_ready().await?;
    Ok(HttpResponse::Ok().json(json!({"status": "ok"})))
}

/// Metrics for Prometheus.
pub(super) async fn metrics(api: Shared) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(api.metrics.render())
}

/// The contract.
pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/yaml").body(OPENAPI)
}

/// The keys with which receipts and webhooks are and were signed, each with its time.
pub(super) async fn jwks(api: Shared) -> HttpResponse {
    HttpResponse::Ok().json(api.service.key_history.to_jwk_set())
}
