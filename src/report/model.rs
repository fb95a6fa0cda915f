//! What a report is made from: one controller's share of one incident, as plain owned values.
//!
//! Codes are the language-free words of the API; texts are the filer's own. All times are instants in UTC. No
//! rule is computed here: whoever fills the model has already counted the periods and judged what was late.

use serde::Serialize;
use time::OffsetDateTime;
use time::serde::rfc3339;

use super::outcomes::{Decision, Filing, Instruction, Supervision};
use crate::domain::catalogue::Titles;

/// The report on one incident for one controller, with the content of Art. 33(3) GDPR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// IANA name of the zone in which the printed document shows times, normally `Europe/Berlin`.
    pub display_zone: String,
    /// The incident version reported on.
    pub incident: Incident,
    /// Who processed the data and tells of the breach.
    pub processor: Party,
    /// Whose share this is and who receives the report.
    pub controller: Party,
    /// The agreement that ties the two (Art. 28(3) GDPR).
    pub agreement: Agreement,
    /// When the breach itself happened, as far as known.
    pub occurred: Occurred,
    /// When somebody first saw something.
    #[serde(with = "rfc3339")]
    pub detected_at: OffsetDateTime,
    /// When the processor became aware with reasonable certainty.
    #[serde(with = "rfc3339")]
    pub aware_at: OffsetDateTime,
    /// Why awareness is put at that time, in the filer's words.
    pub awareness_reason: Option<String>,
    /// Nature of the breach (Art. 33(3)(a) GDPR).
    pub nature: Option<Nature>,
    /// Codes of the categories of data.
    pub data_categories: Vec<String>,
    /// Codes of the special categories (Art. 9 GDPR).
    pub special_categories: Vec<String>,
    /// Whether data under professional secrecy is affected.
    pub professional_secrecy: bool,
    /// This controller's data subjects (Art. 33(3)(a) GDPR).
    pub subjects: Affected,
    /// This controller's records (Art. 33(3)(a) GDPR).
    pub records: Affected,
    /// Where more can be learned (Art. 33(3)(b) GDPR).
    pub contact: Option<Contact>,
    /// Likely consequences (Art. 33(3)(c) GDPR).
    pub consequences: Option<Consequences>,
    /// Measures taken and proposed (Art. 33(3)(d) GDPR).
    pub measures: Measures,
    /// A word to this controller alone.
    pub note: Option<String>,
    /// Who owes what by when, in the order to be shown.
    pub duties: Vec<Duty>,
    /// Every notice to this controller, oldest first; the last one is the one named in the footer.
    pub notices: Vec<Notice>,
    /// Who supervises the controller in this matter; absent where the data do not tell.
    pub supervision: Option<Supervision>,
    /// What the controller instructed its processor to do, oldest first (Art. 28(3)(a) GDPR).
    pub instructions: Vec<Instruction>,
    /// What the controller decided, newest first; the first one counts (Art. 33(5) GDPR).
    pub decisions: Vec<Decision>,
    /// What was filed with authorities or told to the persons, oldest first.
    pub filings: Vec<Filing>,
    /// Required members that were declared unknown (Art. 33(4) GDPR).
    pub open_items: Vec<OpenItem>,
}

/// The incident version a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Id, `inc_…`.
    pub id: String,
    /// Counts from 1.
    pub version: u32,
    /// Code of the kind of event, such as `personal_data_breach`.
    pub kind: String,
    /// `initial` or `complete`.
    pub stage: String,
    /// The filer's title.
    pub title: String,
}

/// An organisation with the people to reach there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    /// Id, `org_…`.
    pub id: String,
    /// Legal name.
    pub name: String,
    /// Where it is established: ISO 3166-1 country or ISO 3166-2 German Land, such as `DE-BW`.
    pub seat: String,
    /// Contacts on record, the data protection officer among them.
    pub contacts: Vec<Contact>,
}

/// A person or desk that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// Code of the role, such as `dpo`.
    pub role: String,
    /// Name of the person or desk.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
}

/// The agreement version in force when the incident was filed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Id, `agr_…`.
    pub id: String,
    /// The parties' own reference, such as `AVV-2026-017`.
    pub reference: String,
    /// Counts from 1.
    pub version: u32,
}

/// The span of time in which the breach happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Occurred {
    /// First instant, when known.
    #[serde(with = "rfc3339::option")]
    pub from: Option<OffsetDateTime>,
    /// Last instant, when known and over.
    #[serde(with = "rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    /// Whether it still goes on.
    pub ongoing: bool,
}

/// Nature of the breach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nature {
    /// Codes: `confidentiality`, `integrity`, `availability`.
    pub types: Vec<String>,
    /// Code of the cause.
    pub cause: String,
    /// What happened, in the filer's words.
    pub description: String,
    /// How knowledge of the data was unlawfully gained, in the filer's words.
    pub how_obtained: Option<String>,
}

/// Categories and number of data subjects or records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Affected {
    /// Codes of the categories.
    pub categories: Vec<String>,
    /// How many; `None` when not stated.
    pub count: Option<Count>,
}

/// A number as it can honestly be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Counted.
    Exact(u64),
    /// Estimated.
    About(u64),
    /// Not yet known, with the reason.
    Unknown(String),
    /// Between two bounds, both included.
    #[serde(untagged)]
    Range {
        /// Lower bound.
        min: u64,
        /// Upper bound.
        max: u64,
    },
}

/// Likely consequences of the breach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consequences {
    /// Codes of the kinds of consequences.
    pub types: Vec<String>,
    /// The filer's words.
    pub description: Option<String>,
}

/// What was done and what should be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measures {
    /// Already taken.
    pub taken: Vec<Measure>,
    /// Proposed, to either party.
    pub proposed: Vec<Measure>,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// The filer's words.
    pub description: String,
    /// When it was or shall be taken.
    #[serde(with = "rfc3339::option")]
    pub at: Option<OffsetDateTime>,
}

/// What a row of the catalogue demands: its code, and its title in every language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Demand {
    /// Code of the row, such as `gdpr_33_1`.
    pub code: String,
    /// The row's own words.
    pub title: Titles,
}

/// One duty with its clock.
///
/// An `alarm_at` without a `legal_due_at` is an internal target and is shown as such: "without undue delay" has no
/// legal due time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duty {
    /// Id, `dut_…`.
    pub id: String,
    /// What is owed.
    pub obligation: Demand,
    /// What exactly, where the incident has several of a kind: an open item.
    pub about: Option<String>,
    /// Code of the party that owes, such as `processor`.
    pub debtor: String,
    /// Code of the party it is owed to, such as `supervisory_authority`.
    pub recipient: String,
    /// Name of that party where it differs from the two in the report, such as the authority's.
    pub recipient_name: Option<String>,
    /// Code of the state, such as `running`.
    pub state: String,
    /// When the clock started; `None` before.
    #[serde(with = "rfc3339::option")]
    pub start_at: Option<OffsetDateTime>,
    /// End counted from moment to moment, or the internal target.
    #[serde(with = "rfc3339::option")]
    pub alarm_at: Option<OffsetDateTime>,
    /// End as the governing law or the agreement counts it; an act at that instant is late.
    #[serde(with = "rfc3339::option")]
    pub legal_due_at: Option<OffsetDateTime>,
    /// Name of the counting rule, such as `eu_hours`.
    pub counting_rule: Option<String>,
    /// Article in the form `Art. 33(1) GDPR`, or the clause of the agreement.
    pub legal_basis: String,
    /// When it was first met.
    #[serde(with = "rfc3339::option")]
    pub met_at: Option<OffsetDateTime>,
    /// Whether it was met late; `None` while unmet or where no limit exists.
    pub late: Option<bool>,
    /// Who found it not to be required or withdrew what it came from.
    pub closing: Option<Closing>,
    /// Anything else worth saying, such as the reason for a corrected clock.
    pub remark: Option<String>,
}

/// Why a duty fell away without being met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closing {
    /// When.
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    /// The person.
    pub by: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// One notice to the controller and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Id, `ntc_…`.
    pub id: String,
    /// Running number per incident and controller, from 1.
    pub sequence: u32,
    /// Code: `initial`, `supplement`, `correction`, `completion`, `withdrawal`.
    pub kind: String,
    /// SHA-256 of the exact bytes told, in hexadecimal.
    pub content_sha256: String,
    /// When it first left.
    #[serde(with = "rfc3339::option")]
    pub sent_at: Option<OffsetDateTime>,
    /// When it reached the controller's sphere.
    #[serde(with = "rfc3339::option")]
    pub delivered_at: Option<OffsetDateTime>,
    /// When the controller first read it.
    #[serde(with = "rfc3339::option")]
    pub accessed_at: Option<OffsetDateTime>,
    /// The controller's own word that it has the notice.
    pub acknowledgement: Option<Acknowledgement>,
    /// Every try to deliver, oldest first.
    pub attempts: Vec<Attempt>,
}

/// Who acknowledged a notice, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acknowledgement {
    /// When it was received.
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    /// Name as given.
    pub name: String,
    /// Role as given, free text.
    pub role: String,
}

/// One try to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    /// Code of the channel, such as `webhook`.
    pub channel: String,
    /// Host or mail domain it went to, never a full address with secrets.
    pub target: String,
    /// Code of the outcome, such as `delivered`.
    pub outcome: String,
    /// Code of the reason where it failed, such as `timeout`.
    pub failure: Option<String>,
    /// What came back, such as `HTTP 503`.
    pub status: Option<String>,
}

/// A required member declared unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenItem {
    /// Code of the member, in the words of `required_content`, such as `subject_count`.
    pub member: String,
    /// Why it is not known yet.
    pub reason: String,
    /// When it is expected.
    #[serde(with = "rfc3339::option")]
    pub expected_by: Option<OffsetDateTime>,
    /// Article or clause that asks for it.
    pub legal_basis: String,
}
