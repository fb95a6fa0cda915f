//! Webhook endpoints as they are entered and shown. Makes no secret; where addresses may lead is judged by a rule handed in.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use super::event::Patterns;
use super::fault::Faults;
use super::id::{OrganisationId, WebhookId};
use super::incident::Link;
use super::parse::{Object, Place};
use super::terms::place_on_earth;

/// The longest address, in characters.
const LONGEST_URL: usize = 2000;

/// Says why requests may not go to an address.
pub type UrlRule<'a> = &'a dyn Fn(&Url) -> Result<(), String>;

/// An endpoint to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Whose endpoint it is; the caller's own organisation if left out.
    pub organisation: Option<OrganisationId>,
    /// Where it is and what it wants.
    pub content: WebhookContent,
}

/// What can be changed of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookContent {
    /// Where it is.
    pub url: Url,
    /// What it wants to be told.
    pub events: Patterns,
    /// In which country or area it stands, as its owner says: ISO 3166-1, `EU` or `EEA`.
    pub location: Option<String>,
}

/// A registered endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose endpoint it is.
    pub organisation: Link,
    /// Where it is.
    pub url: String,
    /// What it wants to be told.
    pub events: Patterns,
    /// In which country or area it stands, as its owner says.
    pub location: Option<String>,
    /// Counts from 1.
    pub version: i32,
    /// When it was registered, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When address or events were changed last, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
}

/// An endpoint with the key that its messages are signed with.
// Not printable: it may hold a secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ShownWebhook {
    /// The endpoint.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// The key that verifies `v1a` signatures.
    pub public_key: String,
    /// The key of `v1` signatures; only in the answer to the registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The answer to a rotation.
// Not printable: it may hold a secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct RotatedSecret {
    /// The endpoint.
    pub id: WebhookId,
    /// The new key of `v1` signatures, shown once.
    pub secret: String,
    /// Until when messages are signed with the secret before too, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub previous_valid_until: OffsetDateTime,
}

impl NewWebhook {
    /// Reads the body of `POST /v1/webhooks`; answers all faults at once, those that `rule` finds included.
    pub fn parse(body: &Value, rule: UrlRule<'_>) -> Result<Self, Faults> {
        read(body, |object, faults| {
            let content = WebhookContent::members(object, rule, faults);
            let organisation = object.optional("organisation", faults, Place::parsed);
            Some(Self { organisation: organisation?, content: content? })
        })
    }
}

impl WebhookContent {
    /// Reads the body of `PUT /v1/webhooks/{id}`; answers all faults at once, those that `rule` finds included.
    pub fn parse(body: &Value, rule: UrlRule<'_>) -> Result<Self, Faults> {
        read(body, |object, faults| Self::members(object, rule, faults))
    }

    fn members(object: &mut Object<'_>, rule: UrlRule<'_>, faults: &mut Faults) -> Option<Self> {
        let url = object.required("url", faults, |place, faults| address(place, rule, faults));
        let events = object.required("events", faults, Patterns::parse);
        let location = object.optional("location", faults, place_on_earth);
        Some(Self { url: url?, events: events?, location: location? })
    }
}

fn read<T>(body: &Value, members: impl FnOnce(&mut Object<'_>, &mut Faults) -> Option<T>) -> Result<T, Faults> {
    let mut faults = Faults::default();
    let read = Place::root(body).object(&mut faults).and_then(|mut object| {
        let read = members(&mut object, &mut faults);
        object.close(&mut faults);
        read
    });
    faults.finish(read)
}

/// Reads an address. The faults never repeat it, since an address may hold a secret.
fn address(place: &Place<'_>, rule: UrlRule<'_>, faults: &mut Faults) -> Option<Url> {
    let text = place.text(LONGEST_URL, faults)?;
    let Ok(url) = Url::parse(&text) else {
        faults.add(&place.pointer, "url", "Expected a URL, such as https://example.org/hooks/art33.");
        return None;
    };
    rule(&url).map_err(|reason| faults.add(&place.pointer, "forbidden_url", format!("Refused: {reason}."))).ok()?;
    Some(url)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn https(url: &Url) -> Result<(), String> {
        if url.scheme() == "https" { Ok(()) } else { Err("the scheme must be https".to_owned()) }
    }

    fn pointers<T: std::fmt::Debug>(read: Result<T, Faults>) -> Vec<String> {
        read.unwrap_err().as_slice().iter().map(|fault| fault.pointer.clone()).collect()
    }

    #[test]
    fn an_endpoint_is_read() {
        let organisation = OrganisationId::from_bytes([1; 16]);
        let body = json!({"url": "https://example.org/hook?a=b", "events": ["notice.*"], "organisation": organisation});
        let read = NewWebhook::parse(&body, &https).unwrap();
        assert_eq!(
            (read.organisation, read.content.url.as_str()),
            (Some(organisation), "https://example.org/hook?a=b")
        );
        assert_eq!(pointers(WebhookContent::parse(&body, &https)), ["/organisation"]);
    }

    #[test]
    fn all_faults_come_at_once_and_the_address_is_not_repeated() {
        let body =
            json!({"url": "http://example.org/hunter2", "events": ["fire"], "organisation": "agr_1", "secret": 1});
        let faults = NewWebhook::parse(&body, &https).unwrap_err();
        assert_eq!(pointers::<()>(Err(faults.clone())), ["/url", "/events/0", "/organisation", "/secret"]);
        assert!(faults.as_slice().iter().all(|fault| !fault.detail.contains("hunter2")));
        assert_eq!(
            pointers(WebhookContent::parse(&json!({"url": "breach desk", "events": []}), &https)),
            ["/url", "/events"]
        );
    }
}
