//! What is kept of mails: the dialogue about each attempt, what mail servers reported later, and what that does to deliveries.

use std::collections::HashMap;

use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::Serialize;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::{AnyConnection, on_each};
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{delivery, notice};
use super::schema_of_delivery::{attempt, mail_dialogue, mail_report};
use super::watched::SUPERSEDED;
use crate::domain::delivery::Lane;
use crate::domain::delivery_outcome::Outcome;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, MailReportId, NoticeId, OrganisationId};

batch::row! {
    /// The dialogue about one attempt.
    DialogueRow in "mail_dialogue" {
        delivery_id: &'a str,
        number: i32,
        message_id: &'a str,
        dialogue: &'a str,
        reply_code: Option<i32>,
        enhanced_code: Option<&'a str>,
        queue_reply: Option<&'a str>,
        tls: Option<&'a str>,
        dsn_requested: bool,
        may_have_been_sent: bool,
    }
}

/// Keeps dialogues.
pub(crate) fn keep_dialogues(connection: &mut AnyConnection, rows: &[DialogueRow<'_>]) -> Result<(), StoreError> {
    batch::insert(connection, rows)?;
    Ok(())
}

/// A delivery as links and reports of mail servers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailed {
    /// The delivery.
    pub id: DeliveryId,
    /// What it tells.
    pub event: EventType,
    /// The notice, if it tells one.
    pub notice: Option<NoticeId>,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// Whose endpoint that is.
    pub organisation: OrganisationId,
    /// Attempts so far.
    pub attempts: i32,
}

/// The delivery `id`, for whoever has shown that we named it to them.
pub fn mailed(connection: &mut AnyConnection, id: &DeliveryId) -> Result<Option<Mailed>, StoreError> {
    type Row = (String, Option<String>, String, String, i32);
    let columns =
        (delivery::type_, delivery::notice_id, delivery::endpoint_id, delivery::organisation_id, delivery::attempts);
    let row: Option<Row> = delivery::table.find(id.as_str()).select(columns).first(connection).optional()?;
    let Some((event, notice, endpoint, organisation, attempts)) = row else { return Ok(None) };
    let door = Door { table: "delivery", id: id.as_str() };
    Ok(Some(Mailed {
        id: id.clone(),
        event: EventType::from_code(&event).ok_or_else(|| door.corrupt("type"))?,
        notice: notice.map(|notice| door.parse("notice_id", &notice)).transpose()?,
        endpoint: door.parse("endpoint_id", &endpoint)?,
        organisation: door.parse("organisation_id", &organisation)?,
        attempts,
    }))
}

/// A report of a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport<'a> {
    /// Its id.
    pub id: &'a MailReportId,
    /// The delivery that it reports on.
    pub delivery: &'a DeliveryId,
    /// Which attempt at it.
    pub number: i32,
    /// When it came in, UTC.
    pub received_at: OffsetDateTime,
    /// What became of the message.
    pub action: &'static str,
    /// The enhanced status code, if it was understood.
    pub status: Option<&'a str>,
    /// What the receiving server said.
    pub diagnostic: Option<&'a str>,
    /// The report as it came, as far as it is text.
    pub raw: &'a str,
    /// SHA-256 of the report as it came.
    pub raw_sha256: &'a str,
}

/// As many reports are kept of one delivery; a server that sends more says nothing new.
const MOST_REPORTS: i64 = 20;

/// Keeps a report; `false` if the same one was kept before, or as many as are ever kept.
pub fn keep_report(connection: &mut AnyConnection, new: &NewReport<'_>) -> Result<bool, StoreError> {
    let of_delivery = mail_report::table.filter(mail_report::delivery_id.eq(new.delivery.as_str()));
    if of_delivery.count().get_result::<i64>(connection)? >= MOST_REPORTS {
        return Ok(false);
    }
    let values = (
        mail_report::id.eq(new.id.as_str()),
        mail_report::delivery_id.eq(new.delivery.as_str()),
        mail_report::number.eq(new.number),
        mail_report::received_at.eq(micros(new.received_at)),
        mail_report::action.eq(new.action),
        mail_report::status.eq(new.status),
        mail_report::diagnostic.eq(new.diagnostic),
        mail_report::raw.eq(new.raw),
        mail_report::raw_sha256.eq(new.raw_sha256),
    );
    let kept = on_each!(connection, inner => diesel::insert_into(mail_report::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(kept == 1)
}

/// Whether the attempt `number` at a delivery was ever opened.
pub fn was_attempted(connection: &mut AnyConnection, delivery: &DeliveryId, number: i32) -> Result<bool, StoreError> {
    let found = attempt::table.find((delivery.as_str(), number));
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(connection)?)
}

/// Gives an open delivery the state that a report means, and the time of its next attempt; whoever is at it loses its lease.
pub fn settle(
    connection: &mut AnyConnection,
    id: &DeliveryId,
    state: &'static str,
    next_at: OffsetDateTime,
) -> Result<(), StoreError> {
    let open = delivery::table.filter(delivery::id.eq(id.as_str()).and(delivery::state.eq("open")));
    diesel::update(open)
        .set((
            delivery::state.eq(state),
            delivery::next_at.eq(micros(next_at)),
            delivery::lease.eq(delivery::lease + 1),
        ))
        .execute(connection)?;
    Ok(())
}

/// Ends those mails of `notices` that a relay has taken, where the notice is over: it has arrived, is disputed, or a later one is out.
/// Not what somebody is at.
pub fn close_taken(connection: &mut AnyConnection, notices: &[&str]) -> Result<(), StoreError> {
    if notices.is_empty() {
        return Ok(());
    }
    let of_delivery = || attempt::table.filter(attempt::delivery_id.eq(delivery::id));
    let taken = of_delivery().filter(attempt::outcome.eq(Outcome::Accepted.as_str()));
    let under_way = of_delivery().filter(attempt::number.eq(delivery::attempts)).filter(attempt::ended_at.is_null());
    let told = notice::delivered_at.is_not_null().or(notice::acknowledged_at.is_not_null());
    let over = told.or(notice::disputed_at.is_not_null()).or(sql::<Bool>(SUPERSEDED));
    let is_over = notice::table.filter(notice::id.nullable().eq(delivery::notice_id)).filter(over);
    let mails = delivery::table
        .filter(delivery::state.eq("open").and(delivery::lane.eq(Lane::Mail.index())))
        .filter(among(connection, delivery::notice_id, notices)?)
        .filter(exists(taken).and(not(exists(under_way))).and(exists(is_over)));
    diesel::update(mails)
        .set((delivery::state.eq("closed"), delivery::lease.eq(delivery::lease + 1)))
        .execute(connection)?;
    Ok(())
}

/// What is shown of a mail: the dialogue about it, and what was reported later.
#[derive(Debug, Clone, Serialize)]
pub struct MailView {
    /// The id that stands in the message.
    pub message_id: String,
    /// The whole dialogue without secrets and without the message.
    pub dialogue: String,
    /// The code of the reply that decided it.
    pub reply_code: Option<i32>,
    /// The enhanced status code of that reply.
    pub enhanced_code: Option<String>,
    /// With which words the relay took it.
    pub queue_reply: Option<String>,
    /// How the connection was encrypted.
    pub tls: Option<String>,
    /// Whether the relay was asked for reports.
    pub dsn_requested: bool,
    /// Whether the message went out in full, but no reply came: the relay may have taken it.
    pub may_have_been_sent: bool,
    /// What was reported later, oldest first.
    pub reports: Vec<ReportView>,
}

/// What is shown of a report.
#[derive(Debug, Clone, Serialize)]
pub struct ReportView {
    /// Its id.
    pub id: MailReportId,
    /// When it came in, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// What became of the message.
    pub action: String,
    /// The enhanced status code.
    pub status: Option<String>,
    /// What the receiving server said.
    pub diagnostic: Option<String>,
    /// SHA-256 of the report as it came.
    pub raw_sha256: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = mail_dialogue)]
struct DialogueView {
    delivery_id: String,
    number: i32,
    message_id: String,
    dialogue: String,
    reply_code: Option<i32>,
    enhanced_code: Option<String>,
    queue_reply: Option<String>,
    tls: Option<String>,
    dsn_requested: bool,
    may_have_been_sent: bool,
}

/// What is kept of the attempts at `deliveries`, by delivery and number.
pub(super) fn views(
    connection: &mut AnyConnection,
    deliveries: &[&str],
) -> Result<HashMap<(String, i32), MailView>, StoreError> {
    type Row = (String, String, i32, i64, String, Option<String>, Option<String>, String);
    let dialogues: Vec<DialogueView> = mail_dialogue::table
        .filter(mail_dialogue::delivery_id.eq_any(deliveries))
        .select(DialogueView::as_select())
        .load(connection)?;
    if dialogues.is_empty() {
        return Ok(HashMap::new());
    }
    let columns = (
        mail_report::id,
        mail_report::delivery_id,
        mail_report::number,
        mail_report::received_at,
        mail_report::action,
        mail_report::status,
        mail_report::diagnostic,
        mail_report::raw_sha256,
    );
    let of_these = mail_report::table.filter(mail_report::delivery_id.eq_any(deliveries));
    let rows: Vec<Row> =
        of_these.order((mail_report::received_at, mail_report::id)).select(columns).load(connection)?;
    let mut reports: HashMap<(String, i32), Vec<ReportView>> = HashMap::new();
    for (id, delivery, number, received_at, action, status, diagnostic, raw_sha256) in rows {
        let door = Door { table: "mail_report", id: &id };
        let (id, received_at) = (door.parse("id", &id)?, door.instant("received_at", received_at)?);
        let report = ReportView { id, received_at, action, status, diagnostic, raw_sha256 };
        reports.entry((delivery, number)).or_default().push(report);
    }
    let view = |row: DialogueView| {
        let key = (row.delivery_id, row.number);
        let reports = reports.remove(&key).unwrap_or_default();
        let DialogueView { message_id, dialogue, reply_code, enhanced_code, queue_reply, tls, .. } = row;
        let (dsn_requested, may_have_been_sent) = (row.dsn_requested, row.may_have_been_sent);
        let view = MailView {
            message_id,
            dialogue,
            reply_code,
            enhanced_code,
            queue_reply,
            tls,
            dsn_requested,
            may_have_been_sent,
            reports,
        };
        (key, view)
    };
    Ok(dialogues.into_iter().map(view).collect())
}
