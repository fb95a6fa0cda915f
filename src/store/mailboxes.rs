//! Mailboxes of controllers as processors register them, and whom a confirmation goes to. How they fare is in `endpoints`.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{delivery, endpoint, organisation};
use crate::domain::endpoint::{Health, PROBE_EVERY};
use crate::domain::id::{MailboxId, OrganisationId};
use crate::domain::organisation::Contact;
use crate::domain::vocabulary::Channel;

/// A mailbox of a controller that a processor writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMailbox {
    /// Its id, if it is not there yet.
    pub id: MailboxId,
    /// Whose mailbox it is.
    pub organisation: OrganisationId,
    /// The address, in lower case.
    pub address: String,
    /// In which country or area it stands, if an agreement says so.
    pub location: Option<String>,
}

/// A mailbox of a controller that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMailbox {
    /// The mailbox.
    pub mailbox: NewMailbox,
    /// Whether nothing names it any more.
    pub is_retired: bool,
}

/// The mailboxes of `controllers` that `processor` has ever had, oldest first.
pub fn known(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    controllers: &[&str],
) -> Result<Vec<KnownMailbox>, StoreError> {
    let rows: Vec<(String, String, String, Option<String>, bool)> = endpoint::table
        .filter(among(connection, endpoint::organisation_id, controllers)?)
        .filter(endpoint::created_by.eq(processor.as_str()).and(endpoint::channel.eq(Channel::Email.as_str())))
        .order(endpoint::id)
        .select((
            endpoint::id,
            endpoint::organisation_id,
            endpoint::address,
            endpoint::location,
            endpoint::retired_at.is_not_null(),
        ))
        .load(connection)?;
    let read = |(id, organisation, address, location, is_retired): (String, String, String, Option<String>, bool)| {
        let door = Door { table: "endpoint", id: &id };
        let (organisation, id) = (door.parse("organisation_id", &organisation)?, door.parse("id", &id)?);
        Ok(KnownMailbox { mailbox: NewMailbox { id, organisation, address, location }, is_retired })
    };
    rows.into_iter().map(read).collect()
}

batch::row! {
    StandingRow in "endpoint" {
        id: &'a str,
        location: Option<&'a str>,
        retired_at: Option<i64>,
        changed_at: i64,
    }
}

/// Writes where known mailboxes stand and which of them are retired; what is owed to those that are is closed.
pub fn replace(
    connection: &mut AnyConnection,
    changed: &[KnownMailbox],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let row = |one| {
        let KnownMailbox { mailbox, is_retired }: &KnownMailbox = one;
        StandingRow {
            id: mailbox.id.as_str(),
            location: mailbox.location.as_deref(),
            retired_at: is_retired.then(|| micros(now)),
            changed_at: micros(now),
        }
    };
    let rows: Vec<_> = changed.iter().map(row).collect();
    batch::update(connection, &["id"], &["location", "retired_at", "changed_at"], &rows)?;
    let retired: Vec<&str> = rows.iter().filter(|row| row.retired_at.is_some()).map(|row| row.id).collect();
    let owed = delivery::table
        .filter(among(connection, delivery::endpoint_id, &retired)?)
        .filter(delivery::state.eq_any(["open", "gone"]));
    diesel::update(owed)
        .set((delivery::state.eq("closed"), delivery::lease.eq(delivery::lease + 1)))
        .execute(connection)?;
    Ok(())
}

batch::row! {
    MailboxRow in "endpoint" {
        id: &'a str,
        organisation_id: &'a str,
        created_by: &'a str,
        channel: &'a str,
        address: &'a str,
        location: Option<&'a str>,
        events: &'a str,
        secret_sealed: &'a str,
        health: &'a str,
        failures: i32,
        next_probe_at: i64,
        version: i32,
        created_at: i64,
        changed_at: i64,
    }
}

/// What mailboxes are told: all that is about notices.
const EVENTS: &str = r#"["notice.*"]"#;

/// Registers the mailboxes that `processor` does not have yet; answers the ids of the new ones.
pub fn register(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    wanted: &[NewMailbox],
    now: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    let row = |one| {
        let NewMailbox { id, organisation, address, location }: &NewMailbox = one;
        MailboxRow {
            id: id.as_str(),
            organisation_id: organisation.as_str(),
            created_by: processor.as_str(),
            channel: Channel::Email.as_str(),
            address,
            location: location.as_deref(),
            events: EVENTS,
            secret_sealed: "",
            health: Health::Unverified.as_str(),
            failures: 0,
            next_probe_at: micros(now + PROBE_EVERY),
            version: 1,
            created_at: micros(now),
            changed_at: micros(now),
        }
    };
    if batch::insert_missing(connection, &wanted.iter().map(row).collect::<Vec<_>>())? == 0 {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = wanted.iter().map(|one| one.id.as_str()).collect();
    let made = among(connection, endpoint::id, &ids)?;
    Ok(endpoint::table.filter(made).order(endpoint::id).select(endpoint::id).load(connection)?)
}

/// Name and contacts of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressable {
    /// Its id.
    pub id: String,
    /// The legal name.
    pub name: String,
    /// Whom to reach.
    pub contacts: Vec<Contact>,
}

/// Names and contacts of the organisations `ids`, in no order; whoever asks.
pub fn addressable(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<Addressable>, StoreError> {
    let wanted = among(connection, organisation::id, ids)?;
    let rows: Vec<(String, String, String)> = organisation::table
        .filter(wanted)
        .select((organisation::id, organisation::name, organisation::contacts))
        .load(connection)?;
    let read = |(id, name, contacts): (String, String, String)| {
        let contacts = Door { table: "organisation", id: &id }.json("contacts", &contacts)?;
        Ok(Addressable { id, name, contacts })
    };
    rows.into_iter().map(read).collect()
}
