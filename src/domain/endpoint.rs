//! Where an organisation is reached, whatever the channel: ids, health, and what attempts do to it. Sends nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use time::Duration;

use super::id::{InvalidId, MailboxId, WebhookId};
use super::vocabulary::{Channel, code_list};

/// The id of an endpoint; its kind says the channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointId {
    /// A webhook.
    Webhook(WebhookId),
    /// A mailbox.
    Mailbox(MailboxId),
}

impl EndpointId {
    /// The canonical text form.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Webhook(id) => id.as_str(),
            Self::Mailbox(id) => id.as_str(),
        }
    }

    /// The channel that leads there.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Webhook(_) => Channel::Webhook,
            Self::Mailbox(_) => Channel::Email,
        }
    }
}

impl FromStr for EndpointId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self::Webhook).or_else(|fault| text.parse().map(Self::Mailbox).map_err(|_: InvalidId| fault))
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for EndpointId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<WebhookId> for EndpointId {
    fn from(id: WebhookId) -> Self {
        Self::Webhook(id)
    }
}

impl From<MailboxId> for EndpointId {
    fn from(id: MailboxId) -> Self {
        Self::Mailbox(id)
    }
}

code_list! {
    /// What is known of an endpoint. None of them switches it off: what is owed is sent all the same.
    Health {
        Unverified "unverified",
        Healthy "healthy",
        Degraded "degraded",
        Gone "gone",
    }
}

code_list! {
    /// Why no proven channel leads to a controller.
    Unproven {
        NoEndpoint "no_endpoint",
        NeverProven "never_proven",
        Gone "gone",
        Failing "failing",
    }
}

impl Unproven {
    /// The reason for endpoints of which none is both verified and healthy, each with its health and whether it was ever verified.
    ///
    /// The one that once worked best counts: whoever is to put it right begins there.
    pub fn of(endpoints: impl IntoIterator<Item = (Health, bool)>) -> Self {
        let reason = |(health, verified)| match (health, verified) {
            (_, false) => Self::NeverProven,
            (Health::Gone, true) => Self::Gone,
            (_, true) => Self::Failing,
        };
        endpoints.into_iter().map(reason).max().unwrap_or(Self::NoEndpoint)
    }
}

/// How often an endpoint is asked to prove itself, so that a dead one is found before a breach.
pub const PROBE_EVERY: Duration = Duration::days(7);

/// How often a mailbox is asked that was confirmed and works: a person has to answer, so that weekly would be a nuisance.
pub const CONFIRM_EVERY: Duration = Duration::days(180);

/// How many failures in a row make an endpoint degraded.
pub const DEGRADED_AFTER: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_an_id_says_the_channel() {
        let ids = [EndpointId::from(WebhookId::from_bytes([1; 16])), EndpointId::from(MailboxId::from_bytes([1; 16]))];
        assert_eq!(ids.each_ref().map(EndpointId::channel), [Channel::Webhook, Channel::Email]);
        for id in ids {
            assert_eq!(id.as_str().parse(), Ok(id));
        }
        assert!("org_0000000000e008000000000000".parse::<EndpointId>().is_err());
    }

    #[test]
    fn the_best_of_the_endpoints_says_why_none_is_proven() {
        let (never, gone, failing) = ((Health::Unverified, false), (Health::Gone, true), (Health::Degraded, true));
        assert_eq!(Unproven::of([]), Unproven::NoEndpoint);
        assert_eq!(Unproven::of([never, (Health::Gone, false)]), Unproven::NeverProven);
        assert_eq!(Unproven::of([gone, never]), Unproven::Gone);
        assert_eq!(Unproven::of([failing, gone, never]), Unproven::Failing);
    }
}
