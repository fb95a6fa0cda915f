//! Receipts as they are stored, and what the derived ones are derived from.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::receipt;
use super::schema_of_delivery::{attempt, delivery};
use crate::domain::delivery_outcome::FailureKind;
use crate::domain::endpoint::EndpointId;
use crate::domain::id::NoticeId;
use crate::domain::receipt::{Acknowledger, Means, Receipt, ReceiptLevel, ReceiptName};
use crate::domain::vocabulary::Channel;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = receipt)]
struct ReceiptRow {
    id: String,
    notice_id: String,
    level: String,
    at: i64,
    by_name: Option<String>,
    by_role: Option<String>,
    content_sha256: String,
    jws: String,
    means: Option<String>,
    evidence_sha256: Option<String>,
    evidence: Option<String>,
    previous_sha256: Option<String>,
}

/// The stored receipts of the notices `ids`, oldest first.
pub fn of(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<Receipt>, StoreError> {
    let rows: Vec<ReceiptRow> = receipt::table
        .filter(receipt::notice_id.eq_any(ids))
        .order((receipt::at, receipt::id))
        .select(ReceiptRow::as_select())
        .load(connection)?;
    rows.into_iter().map(Receipt::try_from).collect()
}

impl TryFrom<ReceiptRow> for Receipt {
    type Error = StoreError;

    fn try_from(row: ReceiptRow) -> Result<Self, StoreError> {
        let door = Door { table: "receipt", id: &row.id };
        let by = match (row.by_name, row.by_role) {
            (Some(name), Some(role)) => Some(Acknowledger { name, role }),
            (None, None) => None,
            _ => return Err(door.corrupt("by_role")),
        };
        let means = row.means.map(|code| Means::from_code(&code).ok_or_else(|| door.corrupt("means"))).transpose()?;
        Ok(Self {
            notice: door.parse("notice_id", &row.notice_id)?,
            level: ReceiptLevel::from_code(&row.level).ok_or_else(|| door.corrupt("level"))?,
            at: door.instant("at", row.at)?,
            id: ReceiptName::Stored(door.parse("id", &row.id)?),
            means,
            by,
            content_sha256: row.content_sha256,
            evidence_sha256: row.evidence_sha256,
            evidence: row.evidence,
            previous_sha256: row.previous_sha256,
            jws: row.jws,
        })
    }
}

batch::row! {
    NewReceiptRow in "receipt" {
        id: &'a str,
        notice_id: &'a str,
        level: &'a str,
        at: i64,
        by_name: Option<&'a str>,
        by_role: Option<&'a str>,
        content_sha256: &'a str,
        jws: &'a str,
        means: Option<&'a str>,
        evidence_sha256: Option<&'a str>,
        evidence: Option<&'a str>,
        previous_sha256: Option<&'a str>,
    }
}

/// Stores receipts. The caller has made sure, under lock, that no notice has one of that level.
pub(crate) fn insert(connection: &mut AnyConnection, receipts: &[Receipt]) -> Result<(), StoreError> {
    let rows: Vec<_> = receipts.iter().filter_map(row).collect();
    batch::insert(connection, &rows)?;
    Ok(())
}

/// Nothing for a receipt that is derived.
fn row(receipt: &Receipt) -> Option<NewReceiptRow<'_>> {
    let ReceiptName::Stored(id) = &receipt.id else { return None };
    Some(NewReceiptRow {
        id: id.as_str(),
        notice_id: receipt.notice.as_str(),
        level: receipt.level.as_str(),
        at: micros(receipt.at),
        by_name: receipt.by.as_ref().map(|by| by.name.as_str()),
        by_role: receipt.by.as_ref().map(|by| by.role.as_str()),
        content_sha256: &receipt.content_sha256,
        jws: &receipt.jws,
        means: receipt.means.map(Means::as_str),
        evidence_sha256: receipt.evidence_sha256.as_deref(),
        evidence: receipt.evidence.as_deref(),
        previous_sha256: receipt.previous_sha256.as_deref(),
    })
}

/// When a notice was first sent, and first taken by a machine of the other side; each with its way and the digest that proves it.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// The first attempt, with the digest of the request.
    pub attempted: Option<Step>,
    /// The first answer that took it, with the digest of the answer.
    pub accepted: Option<Step>,
}

/// A step on the way of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, UTC.
    pub at: OffsetDateTime,
    /// By which channel.
    pub channel: Channel,
    /// SHA-256 of what proves it.
    pub evidence_sha256: Option<String>,
}

/// How far the deliveries of a notice came. The caller has checked that the notice is in its scope.
pub fn way(connection: &mut AnyConnection, notice: &NoticeId) -> Result<Way, StoreError> {
    type Found = Option<(String, i64, Option<String>)>;
    let endpoints: Vec<(String, String)> = delivery::table
        .filter(delivery::notice_id.eq(notice.as_str()))
        .select((delivery::id, delivery::endpoint_id))
        .load(connection)?;
    let ids: Vec<&str> = endpoints.iter().map(|(id, _)| id.as_str()).collect();
    let attempted: Found = attempt::table
        .filter(attempt::delivery_id.eq_any(&ids))
        // What was withheld was not sent.
        .filter(attempt::kind.is_null().or(attempt::kind.ne(FailureKind::Withheld.as_str())))
        .order((attempt::started_at, attempt::delivery_id, attempt::number))
        .select((attempt::delivery_id, attempt::started_at, attempt::request_sha256))
        .first(connection)
        .optional()?;
    let accepted: Found = attempt::table
        .filter(attempt::delivery_id.eq_any(&ids).and(attempt::outcome.eq_any(["accepted", "delivered"])))
        .order((attempt::ended_at, attempt::delivery_id, attempt::number))
        .select((attempt::delivery_id, attempt::ended_at.assume_not_null(), attempt::response_sha256))
        .first(connection)
        .optional()?;
    let step = |found: Found| {
        let Some((id, at, evidence_sha256)) = found else { return Ok(None) };
        let door = Door { table: "attempt", id: &id };
        let endpoint = endpoints.iter().find(|(delivery, _)| *delivery == id);
        let endpoint: EndpointId = door.parse("delivery_id", endpoint.map_or("", |(_, endpoint)| endpoint))?;
        Ok::<_, StoreError>(Some(Step {
            at: door.instant("started_at", at)?,
            channel: endpoint.channel(),
            evidence_sha256,
        }))
    };
    Ok(Way { attempted: step(attempted)?, accepted: step(accepted)? })
}
