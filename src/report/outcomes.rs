//! What a report says of the time after the notice: who supervises, what was instructed, decided and filed. Plain owned values.

use serde::Serialize;
use time::OffsetDateTime;
use time::serde::rfc3339;

use super::model::Demand;

/// An authority by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Authority {
    /// Id, such as `de-bw`.
    pub id: String,
    /// Official name; the id where the name is not known.
    pub name: String,
}

/// Who supervises the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Supervision {
    /// The one that follows from seat and sector; absent where they do not tell.
    pub competent: Option<Authority>,
    /// The one that a person chose instead.
    pub chosen: Option<ChosenAuthority>,
}

/// An authority that was chosen by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChosenAuthority {
    /// Which.
    pub authority: Authority,
    /// The person who chose.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An instruction of the controller to its processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// Id, `ins_…`.
    pub id: String,
    /// Code of the kind, such as `file_with_authority`.
    pub kind: String,
    /// How far it goes, in words.
    pub scope: String,
    /// Code of the form, such as `text`.
    pub form: String,
    /// The person who gave it.
    pub given_by: String,
    /// When it was given.
    #[serde(with = "rfc3339")]
    pub given_at: OffsetDateTime,
    /// Code of the state, such as `in_force`.
    pub state: String,
    /// Why the processor thinks it unlawful, where it does.
    pub objection: Option<String>,
}

/// A decision of the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Id, `dec_…`.
    pub id: String,
    /// When it was decided.
    #[serde(with = "rfc3339")]
    pub decided_at: OffsetDateTime,
    /// The person who decided.
    pub by: String,
    /// Whether the authority is notified.
    pub notify_authority: bool,
    /// Code of what becomes of the communication to the persons, such as `planned`.
    pub notify_persons: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// What was filed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filing {
    /// Id, `fil_…`.
    pub id: String,
    /// What it fulfils.
    pub obligation: Demand,
    /// `initial` or `complete`.
    pub stage: String,
    /// With whom; absent where it was not for an authority that is known here.
    pub authority: Option<Authority>,
    /// When.
    #[serde(with = "rfc3339")]
    pub filed_at: OffsetDateTime,
    /// The person who filed.
    pub by: String,
    /// The authority's file number.
    pub reference: Option<String>,
    /// Whether the first filing was late; absent for supplements and where no limit exists.
    pub late: Option<bool>,
    /// Why it was late.
    pub delay_reason: Option<String>,
    /// Whether it supplements an earlier one.
    pub is_supplement: bool,
    /// Id of the instruction under which the processor filed it.
    pub instruction: Option<String>,
    /// What the authority answered.
    pub answer: Option<Answer>,
}

/// What an authority answered to a filing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// When.
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    /// The authority's file number, if the answer names one.
    pub reference: Option<String>,
    /// What it says.
    pub text: String,
}
