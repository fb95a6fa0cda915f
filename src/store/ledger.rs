//! The append-only, hash-chained record. Appends many entries of many streams with three statements.

use std::collections::HashMap;

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{incident, ledger, ledger_stream, notice, organisation};
use crate::crypto::sha256_hex;
use crate::domain::id::OrganisationId;
use crate::domain::ledger::{GENESIS, HashInput, NewEntry};
use crate::telemetry;

/// One entry as it stands in the database.
#[derive(Debug, Clone, Queryable, Selectable, Serialize)]
#[diesel(table_name = ledger)]
pub struct EntryRow {
    /// Order of writing over all streams; not hashed.
    pub position: i64,
    /// The stream.
    pub stream: String,
    /// Place within the stream, from 1.
    pub sequence: i64,
    /// The organisation that the stream belongs to.
    pub tenant_id: String,
    /// The controller who may read it too.
    pub counterpart_id: Option<String>,
    /// Microseconds since 1970 UTC.
    pub at: i64,
    /// What happened.
    pub kind: String,
    /// To what.
    pub object: String,
    /// Who did it.
    pub subject: String,
    /// For which organisation.
    pub organisation_id: String,
    /// Facts as JSON text.
    pub facts: String,
    /// SHA-256 of the facts.
    pub digest: String,
    /// Hash of the entry before.
    pub previous_hash: String,
    /// Hash of this entry.
    pub hash: String,
}

batch::row! {
    InsertRow in "ledger" {
        stream: &'a str,
        sequence: i64,
        tenant_id: &'a str,
        counterpart_id: Option<&'a str>,
        at: i64,
        kind: &'a str,
        object: &'a str,
        subject: &'a str,
        organisation_id: &'a str,
        facts: String,
        digest: String,
        previous_hash: String,
        hash: String,
    }
}

batch::row! {
    HeadRow in "ledger_stream" {
        stream: &'a str,
        sequence: i64,
        hash: String,
    }
}

/// Appends `entries` in order, each to the end of its stream.
pub fn append(connection: &mut AnyConnection, entries: &[NewEntry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut streams: Vec<&str> = entries.iter().map(|entry| entry.stream.as_str()).collect();
    streams.sort_unstable();
    streams.dedup();
    let mut heads = heads(connection, &streams)?;
    let rows: Vec<_> = entries.iter().map(|entry| chained(entry, &mut heads)).collect();
    batch::insert(connection, &rows)?;
    let heads: Vec<_> =
        heads.into_iter().map(|(stream, (sequence, hash))| HeadRow { stream, sequence, hash }).collect();
    batch::upsert(connection, &["stream"], &heads)?;
    telemetry::ledger_entries_added(entries.len() as u64);
    Ok(())
}

/// Writes the first entry of a stream that is new, so that its end need not be looked up; fails if the stream is there.
pub fn begin(connection: &mut AnyConnection, entry: &NewEntry) -> Result<(), StoreError> {
    let row = chained(entry, &mut HashMap::new());
    let head = HeadRow { stream: row.stream, sequence: row.sequence, hash: row.hash.clone() };
    batch::insert(connection, &[row])?;
    batch::insert(connection, &[head])?;
    telemetry::ledger_entries_added(1);
    Ok(())
}

fn chained<'a>(entry: &'a NewEntry, heads: &mut HashMap<&'a str, (i64, String)>) -> InsertRow<'a> {
    let stream = entry.stream.as_str();
    let head = heads.entry(stream).or_insert_with(|| (0, GENESIS.to_owned()));
    let facts = entry.facts.to_string();
    let mut row = InsertRow {
        stream,
        sequence: head.0 + 1,
        tenant_id: entry.tenant.as_str(),
        counterpart_id: entry.counterpart.as_ref().map(OrganisationId::as_str),
        at: micros(entry.at),
        kind: entry.kind,
        object: &entry.object,
        subject: &entry.actor.subject,
        organisation_id: entry.actor.organisation.as_str(),
        digest: sha256_hex(facts.as_bytes()),
        facts,
        previous_hash: std::mem::take(&mut head.1),
        hash: String::new(),
    };
    let input = HashInput(
        row.stream,
        row.sequence,
        row.at,
        row.kind,
        row.object,
        (row.subject, row.organisation_id),
        (row.tenant_id, row.counterpart_id),
        &row.digest,
        &row.previous_hash,
    );
    row.hash = sha256_hex(&input.bytes());
    *head = (row.sequence, row.hash.clone());
    row
}

impl EntryRow {
    /// The hash that this entry should have after an entry with the hash `previous`.
    pub fn expected_hash(&self, previous: &str) -> String {
        let input = HashInput(
            &self.stream,
            self.sequence,
            self.at,
            &self.kind,
            &self.object,
            (&self.subject, &self.organisation_id),
            (&self.tenant_id, self.counterpart_id.as_deref()),
            &self.digest,
            previous,
        );
        sha256_hex(&input.bytes())
    }

    /// Whether the facts are those that the digest was made of.
    pub fn facts_fit(&self) -> bool {
        sha256_hex(self.facts.as_bytes()) == self.digest
    }
}

/// The ends of `streams`, locked against other writers until the transaction ends.
fn heads<'s>(
    connection: &mut AnyConnection,
    streams: &[&'s str],
) -> Result<HashMap<&'s str, (i64, String)>, StoreError> {
    lock(connection, streams)?;
    let wanted = among(connection, ledger_stream::stream, streams)?;
    let found: Vec<(String, i64, String)> = ledger_stream::table.filter(wanted).load(connection)?;
    let known: HashMap<&str, &'s str> = streams.iter().map(|stream| (*stream, *stream)).collect();
    Ok(found
        .into_iter()
        .filter_map(|(stream, sequence, hash)| Some((*known.get(stream.as_str())?, (sequence, hash))))
        .collect())
}

/// On PostgreSQL one writer at a time per stream; sorted, so that two batches cannot wait for each other. SQLite has one writer.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unnecessary_wraps, reason = "fails on PostgreSQL only"))]
fn lock(connection: &mut AnyConnection, streams: &[&str]) -> Result<(), StoreError> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            let query = "SELECT count(pg_advisory_xact_lock(hashtextextended(stream, 33))) AS locked \
                         FROM (SELECT unnest($1::text[]) AS stream) AS wanted";
            diesel::sql_query(query)
                .bind::<diesel::sql_types::Array<diesel::sql_types::Text>, _>(streams)
                .execute(inner)?;
            Ok(())
        }
    }
}

/// Entries that `tenant` may read, oldest first, after `position`; of one stream if given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    stream: Option<&str>,
    since: Option<i64>,
    after: i64,
    limit: i64,
) -> Result<Vec<EntryRow>, StoreError> {
    let mut query = ledger::table
        .filter(ledger::tenant_id.eq(tenant.as_str()).or(ledger::counterpart_id.eq(tenant.as_str())))
        .filter(ledger::position.gt(after))
        .into_boxed();
    if let Some(stream) = stream {
        query = query.filter(ledger::stream.eq(stream.to_owned()));
    }
    if let Some(since) = since {
        query = query.filter(ledger::at.ge(since));
    }
    Ok(query.order(ledger::position).limit(limit).select(EntryRow::as_select()).load(connection)?)
}

/// When the newest entry of all was written, UTC; one look at the end of the table.
pub fn newest_at(connection: &mut AnyConnection) -> Result<Option<OffsetDateTime>, StoreError> {
    let newest: Option<(String, i64)> = ledger::table
        .order(ledger::position.desc())
        .select((ledger::stream, ledger::at))
        .first(connection)
        .optional()?;
    newest.map(|(stream, at)| Door { table: "ledger", id: &stream }.instant("at", at)).transpose()
}

/// A page of the whole ledger for verification: stream by stream, after (`stream`, `sequence`). Operators only.
pub fn walk(connection: &mut AnyConnection, after: (&str, i64), limit: i64) -> Result<Vec<EntryRow>, StoreError> {
    let (stream, sequence) = after;
    let later = ledger::stream.gt(stream).or(ledger::stream.eq(stream).and(ledger::sequence.gt(sequence)));
    Ok(ledger::table
        .filter(later)
        .order((ledger::stream, ledger::sequence))
        .limit(limit)
        .select(EntryRow::as_select())
        .load(connection)?)
}

/// The recorded ends of all streams after `stream`, in order. Operators only.
pub fn walk_heads(
    connection: &mut AnyConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, i64, String)>, StoreError> {
    Ok(ledger_stream::table
        .filter(ledger_stream::stream.gt(after))
        .order(ledger_stream::stream)
        .limit(limit)
        .load(connection)?)
}

/// The first incident, arrived notice or organisation of which the ledger knows nothing at all. Operators only.
pub fn without_story(connection: &mut AnyConnection) -> Result<Option<String>, StoreError> {
    let incident: Option<String> = incident::table
        .filter(not(exists(ledger_stream::table.filter(ledger_stream::stream.eq(incident::id)))))
        .select(incident::id)
        .first(connection)
        .optional()?;
    let notice: Option<String> = notice::table
        .filter(notice::delivered_at.is_not_null())
        .filter(not(exists(ledger_stream::table.filter(ledger_stream::stream.eq(notice::id)))))
        .select(notice::id)
        .first(connection)
        .optional()?;
    let organisation: Option<String> = organisation::table
        .filter(not(exists(ledger_stream::table.filter(ledger_stream::stream.eq(organisation::id)))))
        .select(organisation::id)
        .first(connection)
        .optional()?;
    Ok(incident.or(notice).or(organisation))
}
