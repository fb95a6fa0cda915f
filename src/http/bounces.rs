//! What comes back to the return paths of our mails, handed in by the mail server. Takes no token: the return path is the proof.

use actix_web::{HttpRequest, HttpResponse, web};

use super::api::Shared;
use super::extract::{Query, media_type, read};
use super::problem::Problem;

/// The largest message, in bytes.
const LARGEST: usize = 256 * 1024;
/// What a message is sent as.
const MESSAGE: &str = "message/rfc822";

/// `POST /inbound/mail`
pub(super) async fn receive(
    api: Shared,
    request: HttpRequest,
    mut query: Query,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    // No address holds a space, but a plus sign that was not encoded arrives as one.
    let recipient = query.take("recipient", "an address", |text| (text.len() <= 320).then(|| text.replace(' ', "+")));
    query.finish()?;
    // Whoever makes addresses up must not use up what the genuine ones may ask for.
    let recipient = recipient.filter(|one| api.service.is_return_path(one)).ok_or_else(Problem::not_found)?;
    if let Some(wait) = api.must_wait("inbound mail") {
        return Err(Problem::too_many_requests(wait));
    }
    if media_type(&request) != MESSAGE {
        return Err(Problem::unsupported_media_type(MESSAGE));
    }
    let message = read(payload.into_inner(), LARGEST).await?;
    Ok(HttpResponse::Ok().json(api.service.receive_bounce(&recipient, message).await?))
}
