//! Signing claimed deliveries: the headers with which a webhook can tell that a message is ours, and unchanged.

use time::OffsetDateTime;

use super::claim_deliveries::Rendered;
use super::dispatch::{Dispatch, Outgoing};
use super::{Service, ServiceError};
use crate::crypto::webhook_signatures;
use crate::domain::delivery::Lane;
use crate::domain::event::EventType;
use crate::store::endpoints::{Target, secret_context};

impl Service {
    /// Adds the headers of Standard Webhooks and of CloudEvents in binary mode.
    pub(super) fn signed(&self, rendered: Rendered, now: OffsetDateTime) -> Result<Outgoing, ServiceError> {
        let Rendered { claimed, target, event, dispatch, body, request_sha256 } = rendered;
        let dispatch = match dispatch {
            Dispatch::Post { url, .. } => {
                Dispatch::Post { url, headers: self.headers(&claimed.id, &target, event, &body, now)? }
            }
            mail => mail,
        };
        let at = |micros: i64| OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap_or(now);
        Ok(Outgoing {
            number: claimed.attempts,
            uncharged: claimed.uncharged,
            due_at: at(claimed.due_at),
            lease: claimed.lease,
            event,
            // What the processor is told about a notice is no telling of that notice.
            notice: claimed.notice_id.filter(|_| !EventType::OF_NOTICES.contains(&event)),
            verified: target.verified,
            endpoint: target.id,
            lane: Lane::from_index(claimed.lane).unwrap_or(Lane::Retry),
            dispatch,
            body,
            request_sha256,
            created_at: at(claimed.created_at),
            deadline_at: at(claimed.deadline_at),
            started_at: now,
            delivery: claimed.id,
        })
    }

    fn headers(
        &self,
        id: &str,
        target: &Target,
        event: EventType,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Vec<(String, String)>, ServiceError> {
        let secrets = self.secrets(target, now)?;
        let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).collect();
        let timestamp = now.unix_timestamp();
        let signatures = webhook_signatures(&secrets, &self.key_history.signers(now), id, timestamp, body);
        let time = now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signatures),
            ("ce-specversion", "1.0".to_owned()),
            ("ce-id", id.to_owned()),
            ("ce-source", self.public_url.to_string()),
            ("ce-type", event.as_str().to_owned()),
            ("ce-time", time),
        ];
        Ok(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The secret of the endpoint and, for a while after rotation, those before.
    fn secrets(&self, target: &Target, now: OffsetDateTime) -> Result<Vec<Vec<u8>>, ServiceError> {
        let before = target.secrets_before.iter().filter(|(_, until)| *until > now).map(|(sealed, _)| sealed);
        let open = |sealed: &String| Ok(self.master_key.open(&secret_context(&target.id), sealed)?);
        std::iter::once(&target.secret_sealed).chain(before).map(open).collect()
    }
}
