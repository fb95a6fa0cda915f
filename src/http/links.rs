//! The pages behind links in letters, for people without an account. Looking changes nothing: scanners of mail follow links too.
//! Only the forms act, and only if the page itself sent them. Whoever is refused reads that on a page as well.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

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
pub(super) async fn show(api: Shared, token: web::Path<String>) -> HttpResponse {
    let desk = Desk::of(&api, &token);
    desk.answered(desk.show(&token).await)
}

/// `POST /l/{token}/notice`
pub(super) async fn open(api: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let desk = Desk::of(&api, &token);
    desk.answered(desk.open(&request, &token).await)
}

/// `POST /l/{token}/acknowledgement`
pub(super) async fn acknowledge(
    api: Shared,
    request: HttpRequest,
    token: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    let desk = Desk::of(&api, &token);
    desk.answered(desk.acknowledge(&request, &token, payload).await)
}

/// `POST /l/{token}/confirm`
pub(super) async fn confirm(api: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let desk = Desk::of(&api, &token);
    desk.answered(desk.confirm(&request, &token).await)
}

/// Where pages for one link are handed out.
struct Desk<'a> {
    api: &'a Api,
    path: String,
}

impl<'a> Desk<'a> {
    fn of(api: &'a Api, token: &str) -> Self {
        let base = api.service.public_url.path().trim_end_matches('/');
        Self { api, path: format!("{base}/l/{token}") }
    }

    async fn show(&self, token: &str) -> Result<HttpResponse, Problem> {
        self.admit(token)?;
        self.page(&self.api.service.show_link(token).await?)
    }

    async fn open(&self, request: &HttpRequest, token: &str) -> Result<HttpResponse, Problem> {
        self.admit(token)?;
        self.only_own(request)?;
        self.page(&self.api.service.read_by_link(token, visitor(request)).await?)
    }

    async fn acknowledge(
        &self,
        request: &HttpRequest,
        token: &str,
        payload: web::Payload,
    ) -> Result<HttpResponse, Problem> {
        self.admit(token)?;
        self.only_own(request)?;
        if media_type(request) != FORM {
            return Err(Problem::unsupported_media_type(FORM));
        }
        if let Some(by) = person(&read(payload.into_inner(), LARGEST).await?) {
            return self.page(&self.api.service.acknowledge_by_link(token, by, visitor(request)).await?);
        }
        match self.api.service.show_link(token).await? {
            Linked::Notice(envelope) => self.write(StatusCode::UNPROCESSABLE_ENTITY, &envelope.language, |page| {
                page.notice(&envelope, Shown::Unfilled)
            }),
            Linked::Mailbox(_) => Err(Problem::not_found()),
            other => self.page(&other),
        }
    }

    async fn confirm(&self, request: &HttpRequest, token: &str) -> Result<HttpResponse, Problem> {
        self.admit(token)?;
        self.only_own(request)?;
        let mailbox = self.api.service.confirm_by_link(token, visitor(request)).await?;
        self.page(&Linked::Mailbox(mailbox))
    }

    /// Refuses whoever asks for the same link too often.
    fn admit(&self, token: &str) -> Result<(), Problem> {
        let link: String = token.chars().take(64).collect();
        self.api.must_wait(&format!("link {link}")).map_or(Ok(()), |wait| Err(Problem::too_many_requests(wait)))
    }

    /// Refuses forms that another page has sent.
    fn only_own(&self, request: &HttpRequest) -> Result<(), Problem> {
        if is_own(request, self.api) {
            Ok(())
        } else {
            Err(Problem::from(ServiceError::Forbidden("Another page has sent the form.")))
        }
    }

    fn page(&self, linked: &Linked) -> Result<HttpResponse, Problem> {
        let language = match linked {
            Linked::Notice(envelope) | Linked::Spent(envelope) => &envelope.language,
            Linked::Opened(opened) => &opened.envelope.language,
            Linked::Mailbox(mailbox) => &mailbox.language,
        };
        self.write(StatusCode::OK, language, |page| match linked {
            Linked::Notice(envelope) => page.notice(envelope, Shown::Envelope),
            Linked::Spent(envelope) => page.notice(envelope, Shown::Spent),
            Linked::Opened(opened) => {
                let sections = readable(&opened.content, page.language, page.zone)?;
                page.notice(&opened.envelope, Shown::Content(&sections, &opened.exact))
            }
            Linked::Mailbox(mailbox) => page.mailbox(mailbox),
        })
    }

    /// A page in the language `tag`, which asks nobody for anything and is kept nowhere.
    fn write(
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

    /// A refusal or a failure as a page that says what to do; with the status and the headers of the problem that it is.
    fn answered(&self, answer: Result<HttpResponse, Problem>) -> HttpResponse {
        let problem = match answer {
            Ok(page) => return page,
            Err(problem) => problem,
        };
        let why = match problem.status_code() {
            StatusCode::NOT_FOUND => Denial::Missing,
            StatusCode::FORBIDDEN => Denial::Foreign,
            StatusCode::TOO_MANY_REQUESTS => Denial::Busy,
            StatusCode::SERVICE_UNAVAILABLE => Denial::Unavailable,
            status if status.is_client_error() => Denial::Unreadable,
            _ => Denial::Failed,
        };
        let plain = problem.error_response();
        let Ok(mut page) = self.write(plain.status(), "de", |page| page.denial(why)) else { return plain };
        if let Some(wait) = plain.headers().get(header::RETRY_AFTER) {
            page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
        }
        page
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
