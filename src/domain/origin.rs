//! Where an incident came from, when it began at a sub-processor: each link of the chain knows at its own time.

use serde::Serialize;
use time::OffsetDateTime;

use super::fault::Faults;
use super::id::SourceId;
use super::parse::Place;
use super::span::Span;

/// A sub-processor's notice that became an incident here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Who told us.
    pub subprocessor: String,
    /// When its notice reached us; we are aware from then on at the latest. UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// When the sub-processor itself became aware, as far as it says; UTC.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub aware_at: Option<OffsetDateTime>,
    /// Within which time it had to tell us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed_within: Option<Span>,
    /// Its own name for the incident or notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Where its full notice is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_url: Option<String>,
    /// SHA-256 of its full notice, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_sha256: Option<String>,
    /// The source whose signed webhook brought it; none where it was entered by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
}

/// One link of the chain, with its own clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Who knew.
    pub party: String,
    /// Since when; UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub aware_at: Option<OffsetDateTime>,
    /// When it told the next link; UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub told_at: Option<OffsetDateTime>,
    /// When it had to, moment to moment; UTC. None without a fixed limit or a known start.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// Whether it was late.
    pub late: Option<bool>,
}

impl Origin {
    /// Reads the member `origin` of a filing; `now` is the server's time, UTC.
    pub fn parse(place: &Place<'_>, now: OffsetDateTime, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let pointer = object.pointer().to_owned();
        let subprocessor = object.required("subprocessor", faults, |place, faults| place.text(200, faults));
        let received_at = object.required("received_at", faults, Place::instant);
        let aware_at = object.optional("aware_at", faults, Place::instant);
        let agreed_within = object.optional("agreed_within", faults, Place::parsed);
        let reference = object.optional("reference", faults, |place, faults| place.text(200, faults));
        let notice_url = object.optional("notice_url", faults, |place, faults| place.text(2000, faults));
        let content_sha256 = object.optional("content_sha256", faults, |place, faults| place.text(64, faults));
        let source = object.optional("source", faults, Place::parsed);
        object.close(faults);
        if received_at.is_some_and(|received| received > now + time::Duration::seconds(5)) {
            faults.add(format!("{pointer}/received_at"), "time_in_future", "This time lies in the future.");
        }
        if let (Some(received), Some(Some(aware))) = (received_at, aware_at)
            && aware > received
        {
            let detail = "The sub-processor cannot have told before it knew.";
            faults.add(format!("{pointer}/aware_at"), "time_order", detail);
        }
        Some(Self {
            subprocessor: subprocessor?,
            received_at: received_at?,
            aware_at: aware_at?,
            agreed_within: agreed_within?,
            reference: reference?,
            notice_url: notice_url?,
            content_sha256: content_sha256?,
            source: source?,
        })
    }

    /// The sub-processor's own link.
    pub fn link(&self) -> Link {
        let length = self.agreed_within.as_ref().and_then(Span::length);
        let due_at = self.aware_at.zip(length).map(|(aware, length)| aware + length);
        Link {
            party: self.subprocessor.clone(),
            aware_at: self.aware_at,
            told_at: Some(self.received_at),
            due_at,
            late: due_at.map(|due| self.received_at >= due),
        }
    }
}
