//! Instructions of a controller to its processor, Art. 28(3)(a) GDPR: how they come into force, are suspended and are replaced.

mod coverage;
mod parse;

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    id::{IncidentId, InstructionId, OrganisationId},
    vocabulary::code_list,
};

pub use coverage::{Act, NotCovered, Shortcoming, covers};
pub use parse::{NewConfirmation, NewInstruction, NewObjection};

code_list! {
    /// What the controller instructs.
    InstructionKind {
        FileWithAuthority "file_with_authority",
        TellPersons "tell_persons",
        General "general",
    }
}

code_list! {
    /// How it was given: `text` as in § 126b BGB, `written` as in § 126 BGB, `oral` counts only once it is confirmed.
    InstructionForm {
        Text "text",
        Written "written",
        Oral "oral",
    }
}

/// A controller's word that an instruction holds, in a form that can be shown later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// The person.
    pub by: String,
    /// `text` or `written`.
    pub form: InstructionForm,
    /// When, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// The processor's word that it thinks the instruction unlawful, Art. 28(3) last sentence GDPR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Objection {
    /// The person.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was recorded, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Where an instruction stands, with what is true there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstructionState {
    /// Given orally; not documented yet, so it covers nothing.
    Unconfirmed,
    /// It binds.
    InForce {
        /// What documents an oral instruction.
        confirmed: Option<Confirmation>,
        /// The objection that did not stand, and the controller's answer to it.
        upheld: Option<(Objection, Confirmation)>,
    },
    /// The processor thinks it unlawful; it may wait until the controller confirms or changes it.
    Suspended {
        /// What documented an oral instruction before.
        confirmed: Option<Confirmation>,
        /// Why.
        objection: Objection,
    },
    /// Another one took its place.
    Replaced {
        /// Where it stood until then; never itself a replaced one.
        before: Box<InstructionState>,
        /// By which.
        by: InstructionId,
        /// When that was recorded, UTC.
        at: OffsetDateTime,
    },
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its id.
    pub id: InstructionId,
    /// The incident that it is about.
    pub incident: IncidentId,
    /// Whom it binds.
    pub processor: OrganisationId,
    /// Who instructs.
    pub controller: OrganisationId,
    /// What is instructed.
    pub kind: InstructionKind,
    /// How far it goes, in words.
    pub scope: String,
    /// How it was given.
    pub form: InstructionForm,
    /// The person who gave it.
    pub given_by: String,
    /// When it was given, UTC.
    pub given_at: OffsetDateTime,
    /// The instruction that it replaces.
    pub replaces: Option<InstructionId>,
    /// Where it stands.
    pub state: InstructionState,
    /// The organisation that entered it: controller or processor.
    pub recorded_by: OrganisationId,
    /// When it was entered, UTC.
    pub recorded_at: OffsetDateTime,
}

/// Why a step is not possible; each has a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStep {
    /// A confirmation of what needs none.
    #[error("The instruction is in force; there is nothing to confirm.")]
    InForce,
    /// Only the controller can put an instruction in force again that its processor thinks unlawful.
    #[error("The processor has objected; only the controller itself can confirm the instruction.")]
    OnlyController,
    /// An objection against what is suspended already.
    #[error("The instruction is suspended already.")]
    Suspended,
    /// An objection that was answered before.
    #[error("The controller has confirmed the instruction after an objection; it binds until it is replaced.")]
    Upheld,
    /// Any step of an instruction that another one replaced.
    #[error("Another instruction has replaced this one.")]
    Replaced,
}

impl InvalidStep {
    /// The last part of the problem type.
    pub fn code(self) -> &'static str {
        match self {
            Self::InForce => "instruction-in-force",
            Self::OnlyController => "instruction-needs-controller",
            Self::Suspended => "instruction-suspended",
            Self::Upheld => "instruction-upheld",
            Self::Replaced => "instruction-replaced",
        }
    }
}

impl InstructionState {
    /// Where an instruction of this form begins.
    pub fn first(form: InstructionForm) -> Self {
        match form {
            InstructionForm::Oral => Self::Unconfirmed,
            InstructionForm::Text | InstructionForm::Written => Self::InForce { confirmed: None, upheld: None },
        }
    }

    /// The stable code.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::InForce { .. } => "in_force",
            Self::Suspended { .. } => "suspended",
            Self::Replaced { .. } => "replaced",
        }
    }

    /// The same, confirmed in text form or in writing; `by_controller` says whether the controller itself enters it.
    pub fn confirm(self, confirmation: Confirmation, by_controller: bool) -> Result<Self, InvalidStep> {
        match self {
            Self::Unconfirmed => Ok(Self::InForce { confirmed: Some(confirmation), upheld: None }),
            Self::Suspended { .. } if !by_controller => Err(InvalidStep::OnlyController),
            Self::Suspended { confirmed, objection } => {
                Ok(Self::InForce { confirmed, upheld: Some((objection, confirmation)) })
            }
            Self::InForce { .. } => Err(InvalidStep::InForce),
            Self::Replaced { .. } => Err(InvalidStep::Replaced),
        }
    }

    /// The same, suspended because the processor thinks it unlawful.
    pub fn object(self, objection: Objection) -> Result<Self, InvalidStep> {
        match self {
            Self::Unconfirmed => Ok(Self::Suspended { confirmed: None, objection }),
            Self::InForce { confirmed, upheld: None } => Ok(Self::Suspended { confirmed, objection }),
            Self::InForce { upheld: Some(_), .. } => Err(InvalidStep::Upheld),
            Self::Suspended { .. } => Err(InvalidStep::Suspended),
            Self::Replaced { .. } => Err(InvalidStep::Replaced),
        }
    }

    /// The same, replaced by the instruction `by` at `at`.
    pub fn replace(self, by: InstructionId, at: OffsetDateTime) -> Result<Self, InvalidStep> {
        match self {
            Self::Replaced { .. } => Err(InvalidStep::Replaced),
            before => Ok(Self::Replaced { before: Box::new(before), by, at }),
        }
    }

    /// Where it stood before it was replaced; itself while it is not.
    pub fn standing(&self) -> &Self {
        match self {
            Self::Replaced { before, .. } => before.standing(),
            standing => standing,
        }
    }

    /// What documents an oral instruction: the first confirmation, or the answer to an objection.
    pub fn confirmed(&self) -> Option<&Confirmation> {
        match self.standing() {
            Self::InForce { confirmed, .. } | Self::Suspended { confirmed, .. } => confirmed.as_ref(),
            Self::Unconfirmed | Self::Replaced { .. } => None,
        }
    }

    /// The objection, whatever became of it.
    pub fn objection(&self) -> Option<&Objection> {
        match self.standing() {
            Self::Suspended { objection, .. } | Self::InForce { upheld: Some((objection, _)), .. } => Some(objection),
            _ => None,
        }
    }

    /// The controller's answer to an objection.
    pub fn upheld(&self) -> Option<&Confirmation> {
        match self.standing() {
            Self::InForce { upheld: Some((_, answer)), .. } => Some(answer),
            _ => None,
        }
    }

    /// By which instruction and when it was replaced, UTC.
    pub fn replaced(&self) -> Option<(&InstructionId, OffsetDateTime)> {
        if let Self::Replaced { by, at, .. } = self { Some((by, *at)) } else { None }
    }
}

/// An instruction as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a InstructionId,
    incident: &'a IncidentId,
    processor: &'a OrganisationId,
    controller: &'a OrganisationId,
    kind: InstructionKind,
    scope: &'a str,
    form: InstructionForm,
    given_by: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    given_at: OffsetDateTime,
    replaces: Option<&'a InstructionId>,
    state: &'static str,
    confirmation: Option<&'a Confirmation>,
    objection: Option<&'a Objection>,
    upheld: Option<&'a Confirmation>,
    replaced_by: Option<&'a InstructionId>,
    #[serde(with = "time::serde::rfc3339::option")]
    replaced_at: Option<OffsetDateTime>,
    recorded_by: &'a OrganisationId,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
}

impl Serialize for Instruction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shown {
            id: &self.id,
            incident: &self.incident,
            processor: &self.processor,
            controller: &self.controller,
            kind: self.kind,
            scope: &self.scope,
            form: self.form,
            given_by: &self.given_by,
            given_at: self.given_at,
            replaces: self.replaces.as_ref(),
            state: self.state.as_str(),
            confirmation: self.state.confirmed(),
            objection: self.state.objection(),
            upheld: self.state.upheld(),
            replaced_by: self.state.replaced().map(|(by, _)| by),
            replaced_at: self.state.replaced().map(|(_, at)| at),
            recorded_by: &self.recorded_by,
            recorded_at: self.recorded_at,
        }
        .serialize(serializer)
    }
}

/// Whether a person may instruct under an agreement that lists who may; an empty list lets everybody.
///
/// `person` is on the list by name or by function: the whole text or a part of it between commas, semicolons, slashes or brackets
/// equals an entry, whatever the case.
pub fn may_instruct(person: &str, authorised: &[String]) -> bool {
    let same = |part: &str| {
        let part = part.trim().to_lowercase();
        authorised.iter().any(|entry| entry.trim().to_lowercase() == part)
    };
    authorised.is_empty() || same(person) || person.split([',', ';', '/', '(', ')']).any(same)
}

#[cfg(test)]
mod tests;
