//! The pages behind links in letters, for people without an account. Looking changes nothing: scanners of mail follow links too.
//! Only the forms act, and only if the page itself sent them.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};

use super::api::{Api, Shared};
use super::extract::{media_type, read};
use super::problem::Problem;
use crate::domain::receipt::Acknowledger;
use crate::report::{Denial, Language, Page, ReportError, Shown, readable};
use crate::service::{Linked, ServiceError, Visitor};

/// The largest form, in bytes.
const LARGEST: usize = 4096;
/// What a form is sent as.
const FORM: &str = "application/x-www-form-urlencoded";

/// `GET` and `HEAD /l/{token}`
pub(super) async fn show(api: Shared, token: web::Path<String>) -> Result<HttpResponse, Problem> {
    let desk = Desk::of(&api, &token)?;
    match api.service.show_link(&token).await {
        Ok(Linked::Notice(envelope)) => {
            desk.answer(StatusCode::OK, &envelope.language, |page| page.notice(&envelope, Shown::Envelope))
        }
        Ok(Linked::Mailbox(mailbox)) => desk.answer(StatusCode::OK, &mailbox.language, |page| page.mailbox(&mailbox)),
        Err(error) => desk.failed(error),
    }
}

/// `POST /l/{token}/notice`
pub(super) async fn open(api: Shared, request: HttpRequest, token: web::Path<String>) -> Result<HttpResponse, Problem> {
    let desk = Desk::of(&api, &token)?;
    if !is_own(&request, &api) {
        return desk.refused();
    }
    match api.service.read_by_link(&token, visitor(&request)).await {
        Ok(opened) => desk.answer(StatusCode::OK, &opened.envelope.language, |page| {
            let sections = readable(&opened.content, page.language, page.zone)?;
            page.notice(&opened.envelope, Shown::Content(&sections, &opened.exact))
        }),
        Err(error) => desk.failed(error),
    }
}

/// `POST /l/{token}/acknowledgement`
pub(super) async fn acknowledge(
    api: Shared,
    request: HttpRequest,
    token: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let desk = Desk::of(&api, &token)?;
    if !is_own(&request, &api) {
        return desk.refused();
    }
    if media_type(&request) != FORM {
        return Err(Problem::unsupported_media_type(FORM));
    }
    let Some(by) = person(&read(payload.into_inner(), LARGEST).await?) else {
        return match api.service.show_link(&token).await {
            Ok(Linked::Notice(envelope)) => desk.answer(StatusCode::UNPROCESSABLE_ENTITY, &envelope.language, |page| {
                page.notice(&envelope, Shown::Unfilled)
            }),
            Ok(Linked::Mailbox(_)) => desk.failed(ServiceError::NotFound),
            Err(error) => desk.failed(error),
        };
    };
    match api.service.acknowledge_by_link(&token, by, visitor(&request)).await {
        Ok(envelope) => desk.answer(StatusCode::OK, &envelope.language, |page| page.notice(&envelope, Shown::Envelope)),
        Err(error) => desk.failed(error),
    }
}

/// `POST /l/{token}/confirm`
pub(super) async fn confirm(
    api: Shared,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let desk = Desk::of(&api, &token)?;
    if !is_own(&request, &api) {
        return desk.refused();
    }
    match api.service.confirm_by_link(&token, visitor(&request)).await {
        Ok(mailbox) => desk.answer(StatusCode::OK, &mailbox.language, |page| page.mailbox(&mailbox)),
        Err(error) => desk.failed(error),
    }
}

/// Where pages for one link are handed out.
struct Desk<'a> {
    api: &'a Api,
    path: String,
}

impl<'a> Desk<'a> {
    /// Refuses whoever asks for the same link too often.
    fn of(api: &'a Api, token: &str) -> Result<Self, Problem> {
        let link: String = token.chars().take(64).collect();
        if let Some(wait) = api.must_wait(&format!("link {link}")) {
            return Err(Problem::too_many_requests(wait));
        }
        let base = api.service.public_url.path().trim_end_matches('/');
        Ok(Self { api, path: format!("{base}/l/{token}") })
    }

    /// A page in the language `tag`, which asks nobody for anything and is kept nowhere.
    fn answer(
        &self,
        status: StatusCode,
        tag: &str,
        write: impl FnOnce(&Page<'_>) -> Result<String, ReportError>,
    ) -> Result<HttpResponse, Problem> {
        let nonce = self.api.service.entropy.uuid_text(self.api.service.clock.now());
        let language = Language::from_tag(tag).unwrap_or(Language::English);
        let page = Page { language, zone: &self.api.report_zone, path: &self.path, nonce: &nonce };
        let html = write(&page).map_err(|error| Problem::from(ServiceError::Internal(error.to_string())))?;
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        Ok(HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, policy))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::X_FRAME_OPTIONS, "DENY"))
            .insert_header(("X-Robots-Tag", "noindex, nofollow"))
            .body(html))
    }

    fn refused(&self) -> Result<HttpResponse, Problem> {
        self.answer(StatusCode::FORBIDDEN, "de", |page| page.denial(Denial::Foreign))
    }

    fn failed(&self, error: ServiceError) -> Result<HttpResponse, Problem> {
        match error {
            ServiceError::NotFound => self.answer(StatusCode::NOT_FOUND, "de", |page| page.denial(Denial::Missing)),
            error => Err(error.into()),
        }
    }
}

/// Whether the page itself sent the form. Browsers say so; what says nothing holds the link, which nobody else has.
fn is_own(request: &HttpRequest, api: &Api) -> bool {
    let headers = request.headers();
    match (text(headers, "sec-fetch-site"), text(headers, "origin")) {
        ("", "" | "null") => true,
        ("", origin) => origin == api.service.public_url.origin().ascii_serialization(),
        (site, _) => site == "same-origin",
    }
}

fn visitor(request: &HttpRequest) -> Visitor {
    let headers = request.headers();
    let peer = request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
    let address = format!("{peer} {}", text(headers, "x-forwarded-for"));
    Visitor { address, user_agent: text(headers, "user-agent").to_owned() }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Name and role out of a form, if both are given and fit.
fn person(form: &[u8]) -> Option<Acknowledger> {
    let given: HashMap<String, String> = url::form_urlencoded::parse(form).into_owned().collect();
    let field = |name: &str, longest: usize| {
        let text = given.get(name)?.trim();
        let fits = (1..=longest).contains(&text.chars().count()) && !text.contains(char::is_control);
        fits.then(|| text.to_owned())
    };
    Some(Acknowledger { name: field("name", 200)?, role: field("role", 100)? })
}
