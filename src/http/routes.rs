//! Every route in one list. `openapi.yaml` describes the same list; a test compares them both ways.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use super::problem::Problem;
use super::{
    agreements, authorities, bounces, deadline, decisions, duties, endpoints, filings, health, import, incidents,
    instructions, links, notices, obligations, organisations, phases, receiver_keys, redeliveries, sources, system,
    tasks, webhooks,
};

/// One operation of the interface.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Method, in upper case.
    pub method: &'static str,
    /// Path with its parameters in braces.
    pub path: &'static str,
    bind: fn() -> actix_web::Route,
}

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path;)*) => {
        /// Every operation.
        pub const ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            bind: || web::method(Method::$method).to($handler),
        }),*];
    };
}

routes! {
    POST "/v1/incidents" => incidents::file;
    POST "/v1/incidents/preview" => incidents::preview;
    GET "/v1/incidents" => incidents::list;
    GET "/v1/incidents/{id}" => incidents::show;
    POST "/v1/incidents/{id}/versions" => phases::amend;
    GET "/v1/incidents/{id}/versions" => phases::list;
    POST "/v1/incidents/{id}/affected" => phases::join;
    POST "/v1/incidents/{id}/release" => incidents::release;
    GET "/v1/incidents/{id}/report" => incidents::report;
    POST "/v1/incidents/{id}/decisions" => decisions::decide;
    GET "/v1/incidents/{id}/decisions" => decisions::list;
    POST "/v1/incidents/{id}/filings" => filings::record;
    GET "/v1/incidents/{id}/filings" => filings::list;
    POST "/v1/incidents/{id}/milestones" => decisions::report;
    GET "/v1/incidents/{id}/milestones" => decisions::milestones;
    GET "/v1/filings/{id}" => filings::show;
    POST "/v1/filings/{id}/answer" => filings::answer;
    GET "/v1/incidents/{id}/authority" => authorities::show;
    PUT "/v1/incidents/{id}/authority" => authorities::choose;
    POST "/v1/incidents/{id}/instructions" => instructions::give;
    GET "/v1/incidents/{id}/instructions" => instructions::list;
    GET "/v1/instructions/{id}" => instructions::show;
    POST "/v1/instructions/{id}/confirmation" => instructions::confirm;
    POST "/v1/instructions/{id}/objection" => instructions::object;
    GET "/v1/authorities" => authorities::list;
    GET "/v1/notices" => notices::list;
    GET "/v1/notices/{id}" => notices::show;
    GET "/v1/notices/{id}/content" => notices::content;
    POST "/v1/notices/{id}/acknowledgement" => notices::acknowledge;
    POST "/v1/notices/{id}/dispute" => notices::dispute;
    GET "/v1/notices/{id}/deliveries" => notices::deliveries;
    GET "/v1/notices/{id}/history" => notices::history;
    POST "/v1/notices/{id}/redeliver" => notices::redeliver;
    GET "/v1/notices/{id}/escalation" => notices::escalation;
    GET "/v1/tasks" => tasks::list;
    GET "/v1/tasks/{id}" => tasks::show;
    POST "/v1/tasks/{id}/result" => tasks::answer;
    POST "/v1/redeliveries" => redeliveries::request;
    GET "/v1/duties" => duties::board;
    GET "/v1/duties/{id}" => decisions::duty;
    POST "/v1/duties/{id}/waiver" => decisions::waive;
    POST "/v1/duties/{id}/reopening" => decisions::reopen;
    GET "/v1/deadline" => deadline::show;
    GET "/v1/obligations" => obligations::list;
    GET "/v1/audit" => duties::audit;
    POST "/v1/organisations" => organisations::create;
    GET "/v1/organisations" => organisations::list;
    GET "/v1/organisations/{id}" => organisations::show;
    PUT "/v1/organisations/{id}" => organisations::change;
    POST "/v1/agreements" => agreements::create;
    GET "/v1/agreements" => agreements::list;
    POST "/v1/agreements/import" => import::import;
    GET "/v1/agreements/{id}" => agreements::show;
    PUT "/v1/agreements/{id}" => agreements::change;
    GET "/v1/agreements/{id}/versions" => agreements::versions;
    POST "/v1/webhooks" => webhooks::create;
    GET "/v1/webhooks" => webhooks::list;
    GET "/v1/webhooks/{id}" => webhooks::show;
    PUT "/v1/webhooks/{id}" => webhooks::change;
    POST "/v1/webhooks/{id}/rotate" => webhooks::rotate;
    POST "/v1/webhooks/{id}/test" => webhooks::test;
    GET "/v1/endpoints" => endpoints::list;
    GET "/v1/endpoints/unproven" => endpoints::unproven;
    GET "/v1/endpoints/{id}" => endpoints::show;
    POST "/v1/endpoints/{id}/verification" => endpoints::verify;
    POST "/v1/sources" => sources::create;
    GET "/v1/sources" => sources::list;
    GET "/v1/sources/{id}" => sources::show;
    PUT "/v1/sources/{id}" => sources::change;
    POST "/v1/keys" => receiver_keys::create;
    GET "/v1/keys" => receiver_keys::list;
    GET "/v1/keys/{id}" => receiver_keys::show;
    POST "/v1/keys/{id}/retirement" => receiver_keys::retire;
    POST "/acknowledgements" => receiver_keys::acknowledge;
    POST "/inbound/mail" => bounces::receive;
    POST "/inbound/{id}" => sources::receive;
    GET "/v1/health/delivery" => health::delivery;
    GET "/l/{token}" => links::show;
    HEAD "/l/{token}" => links::show;
    POST "/l/{token}/notice" => links::open;
    POST "/l/{token}/acknowledgement" => links::acknowledge;
    POST "/l/{token}/confirm" => links::confirm;
    GET "/healthz" => system::healthz;
    GET "/readyz" => system::readyz;
    GET "/metrics" => system::metrics;
    GET "/openapi.yaml" => system::openapi;
    GET "/.well-known/jwks.json" => system::jwks;
}

/// Binds every route; a known path with another method answers 405, an unknown path 404, both as problems.
pub fn configure(config: &mut ServiceConfig) {
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        let routes = ROUTES.iter().filter(|route| route.path == path);
        let resource = routes.fold(web::resource(path), |resource, route| resource.route((route.bind)()));
        config.service(resource.default_service(web::to(|| async { Err::<String, _>(Problem::method_not_allowed()) })));
    }
    config.default_service(web::to(|| async { Err::<String, _>(Problem::not_found()) }));
}
