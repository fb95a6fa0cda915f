//! What may be read: incidents, notices, duties, deliveries, the ledger; always within the caller's own scope.

use serde::Serialize;
use time::OffsetDateTime;

use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, NoticeId};
use crate::domain::incident::{Incident, IncidentSummary, Notice, NoticeSummary};
use crate::domain::page::{Page, PageRequest};
use crate::domain::receipt::{Means, ReceiptLevel};
use crate::store::delivery_views::{self, DeliveryView};
use crate::store::duties::{self, DutyFilter, Side};
use crate::store::incidents::{self, IncidentFilter};
use crate::store::ledger::{self, EntryRow};
use crate::store::notice_history::{self, HistoryItem};
use crate::store::notices::{self, NoticeFilter};
use crate::store::{AnyConnection, micros, parties};

/// An entry of the ledger as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerEntry {
    stream: String,
    sequence: i64,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    kind: String,
    object: String,
    subject: String,
    organisation: String,
    facts: serde_json::Value,
    digest: String,
    previous_hash: String,
    hash: String,
}

/// Which entries of the ledger are wanted.
#[derive(Debug, Clone, Default)]
pub struct LedgerFilter {
    /// Only of this stream.
    pub stream: Option<String>,
    /// Only from this time on, UTC.
    pub since: Option<OffsetDateTime>,
}

impl Service {
    /// One page of the incidents that the caller filed or is affected by.
    pub async fn list_incidents(
        &self,
        actor: &Actor,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Result<Page<IncidentSummary>, ServiceError> {
        let tenant = actor.organisation.clone();
        self.store.read(move |connection| Ok(incidents::list(connection, &tenant, &filter, &page)?)).await
    }

    /// One incident: the whole for its processor, the own share for a controller.
    pub async fn show_incident(&self, actor: &Actor, id: IncidentId) -> Result<Incident, ServiceError> {
        let tenant = actor.organisation.clone();
        let found =
            self.store.read(move |connection| Ok::<_, ServiceError>(incidents::find(connection, &tenant, &id)?));
        found.await?.ok_or(ServiceError::NotFound)
    }

    /// One page of the inbox of a controller or the outbox of a processor.
    pub async fn list_notices(
        &self,
        actor: &Actor,
        filter: NoticeFilter,
        page: PageRequest,
    ) -> Result<Page<NoticeSummary>, ServiceError> {
        let tenant = actor.organisation.clone();
        self.store.read(move |connection| Ok(notices::list(connection, &tenant, &filter, &page)?)).await
    }

    /// One notice with its exact content; the first time its controller reads it is recorded as receipt "accessed".
    pub async fn show_notice(&self, actor: &Actor, id: NoticeId) -> Result<Notice, ServiceError> {
        let (service, tenant, wanted) = (self.clone(), actor.organisation.clone(), id.clone());
        let find = move |connection: &mut AnyConnection| {
            let found = notices::find(connection, &tenant, &wanted)?.ok_or(ServiceError::NotFound)?;
            service.with_derived(connection, found)
        };
        let notice = self.store.read(find.clone()).await?;
        let accessed = notice.receipts.iter().any(|receipt| receipt.level == ReceiptLevel::Accessed);
        if notice.summary.controller.id != actor.organisation || accessed {
            return Ok(notice);
        }
        let (service, actor, now) = (self.clone(), actor.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let fact = notices::facts(connection, &[id.as_str()])?.pop().ok_or(ServiceError::NotFound)?;
            let told = service.note_access(connection, (&actor, &fact), (Means::Token, None), now)?;
            Ok::<_, ServiceError>((find(connection)?, told))
        };
        let (notice, told) = self.store.write(work).await?;
        if told {
            self.nudge.notify_waiters();
        }
        Ok(notice)
    }

    /// One page of the deliveries of a notice with all attempts; for its processor.
    pub async fn list_deliveries(
        &self,
        actor: &Actor,
        notice: NoticeId,
        page: PageRequest,
    ) -> Result<Page<DeliveryView>, ServiceError> {
        let (tenant, now) = (actor.organisation.clone(), self.clock.now());
        self.store
            .read(move |connection| {
                let found = notices::find(connection, &tenant, &notice)?.ok_or(ServiceError::NotFound)?;
                if found.summary.processor.id != tenant {
                    return Err(ServiceError::NotFound);
                }
                Ok(delivery_views::of_notice(connection, &tenant, &notice, &page, now)?)
            })
            .await
    }

    /// One page of what happened to a notice, oldest first: for its processor, and for its controller what concerns it.
    pub async fn show_history(
        &self,
        actor: &Actor,
        notice: NoticeId,
        page: PageRequest,
    ) -> Result<Page<HistoryItem>, ServiceError> {
        let tenant = actor.organisation.clone();
        let read = move |connection: &mut AnyConnection| {
            notice_history::list(connection, &tenant, &notice, &page)?.ok_or(ServiceError::NotFound)
        };
        self.store.read(read).await
    }

    /// One page of the board, most urgent first: for a processor the duties of its incidents, for others those that concern them.
    pub async fn list_duties(
        &self,
        actor: &Actor,
        filter: DutyFilter,
        page: PageRequest,
    ) -> Result<Page<Duty>, ServiceError> {
        let tenant = actor.organisation.clone();
        self.store
            .read(move |connection| {
                let roles = parties::processor(connection, &tenant)?.map(|known| known.roles).unwrap_or_default();
                let has = |role: &str| roles.iter().any(|held| held == role);
                let side = match (has("processor"), has("controller")) {
                    (true, false) => Side::Processor,
                    (false, _) => Side::Controller,
                    (true, true) => Side::Both,
                };
                Ok(duties::board(connection, &tenant, side, &filter, &page)?)
            })
            .await
    }

    /// One page of the ledger entries that the caller may read, oldest first.
    pub async fn list_ledger(
        &self,
        actor: &Actor,
        filter: LedgerFilter,
        page: PageRequest,
    ) -> Result<Page<LedgerEntry>, ServiceError> {
        let tenant = actor.organisation.clone();
        let after = page.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(0);
        let rows = self
            .store
            .read(move |connection| {
                let stream = filter.stream.as_deref();
                let since = filter.since.map(micros);
                Ok::<_, ServiceError>(ledger::list(connection, &tenant, stream, since, after, page.limit + 1)?)
            })
            .await?;
        let page = Page::cut(rows, page.limit, |row: &EntryRow| row.position.to_string());
        let next = page.next;
        let items = page.items.into_iter().map(LedgerEntry::try_from).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }
}

impl TryFrom<EntryRow> for LedgerEntry {
    type Error = ServiceError;

    fn try_from(row: EntryRow) -> Result<Self, ServiceError> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(row.at) * 1000);
        Ok(Self {
            at: at.map_err(|error| ServiceError::Internal(error.to_string()))?,
            facts: serde_json::from_str(&row.facts)?,
            stream: row.stream,
            sequence: row.sequence,
            kind: row.kind,
            object: row.object,
            subject: row.subject,
            organisation: row.organisation_id,
            digest: row.digest,
            previous_hash: row.previous_hash,
            hash: row.hash,
        })
    }
}
