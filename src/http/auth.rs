//! Who calls: the checked token as an argument type. A handler that takes a `Caller` cannot be reached without one.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures::future::LocalBoxFuture;

use super::api::Api;
use super::problem::Problem;
use crate::domain::actor::{Actor, Scope};

/// The organisation and person that a good token names.
#[derive(Debug, Clone)]
pub(crate) struct Caller(Actor);

impl Caller {
    /// The caller as an actor, if its token holds one of `scopes`; otherwise 403.
    pub(crate) fn with(self, scopes: &[Scope]) -> Result<Actor, Problem> {
        if scopes.iter().any(|scope| self.0.may(*scope)) {
            return Ok(self.0);
        }
        let wanted: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        Err(Problem::missing_scope(&wanted.join(" ")))
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let api = request.app_data::<web::Data<Api>>().cloned();
        let token = bearer(request);
        Box::pin(async move {
            let api = api.ok_or_else(Problem::unavailable)?;
            let token = token.ok_or_else(|| Problem::unauthorised(None))?;
            let checked = api.verifier.verify(&token, api.service.clock.now()).await;
            let claims = checked.map_err(|error| Problem::unauthorised(Some(&error)))?;
            let organisation = claims.organisation.parse();
            let organisation =
                organisation.map_err(|_| Problem::unauthorised(Some(&"the token names no organisation")))?;
            if let Some(wait) = api.must_wait(&format!("{} {}", claims.issuer, claims.subject)) {
                return Err(Problem::too_many_requests(wait));
            }
            let known = |name: &String| Scope::CODES.iter().find(|(code, _)| code == name).map(|(_, scope)| *scope);
            let scopes = claims.scopes.iter().filter_map(known).collect();
            Ok(Self(Actor { organisation, subject: claims.subject, scopes }))
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim().to_owned())
}
