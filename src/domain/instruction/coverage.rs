//! Whether an instruction covers what a processor does on the controller's behalf. Judges the history, not only the present: what
//! was covered when it was done stays covered.

use std::fmt;

use time::OffsetDateTime;

use super::{Instruction, InstructionForm, InstructionKind, InstructionState};
use crate::domain::{id::InstructionId, vocabulary::FilingGate};

/// What a processor can do on the controller's behalf only when told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Filing with the supervisory authority, Art. 33 GDPR.
    FileWithAuthority,
    /// Telling the persons, Art. 34 GDPR.
    TellPersons,
}

/// Why one instruction does not cover an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcoming {
    /// It was given later, UTC.
    GivenAt(OffsetDateTime),
    /// It is oral and was not confirmed by then; confirmed later, UTC, or never.
    ConfirmedAt(Option<OffsetDateTime>),
    /// The processor had objected, UTC, and the controller had not confirmed it again.
    SuspendedAt(OffsetDateTime),
    /// Another one had taken its place, UTC.
    ReplacedAt(OffsetDateTime),
}

/// The refusal of an act that no instruction covers. Its text names the clause, what is needed, and why what is there does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotCovered {
    /// What the agreement says about such acts.
    pub gate: FilingGate,
    /// What was to be done.
    pub act: Act,
    /// The instructions of a fitting kind, and what each lacks.
    pub found: Vec<(InstructionId, Shortcoming)>,
}

impl Act {
    /// The kind of instruction that is about this act.
    pub fn kind(self) -> InstructionKind {
        match self {
            Self::FileWithAuthority => InstructionKind::FileWithAuthority,
            Self::TellPersons => InstructionKind::TellPersons,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::FileWithAuthority => "Filing with the supervisory authority",
            Self::TellPersons => "Telling the persons",
        }
    }
}

/// The instruction that covers `act` done at `at` (UTC) on the controller's behalf; of several the newest.
///
/// Under [`FilingGate::InstructionRequired`] it must be about that very act, under [`FilingGate::DocumentedInstructions`] a general
/// one does as well. It must not have been given later, must be documented by then where it was oral, and neither
/// suspended nor replaced.
pub fn covers(
    gate: FilingGate,
    instructions: &[Instruction],
    act: Act,
    at: OffsetDateTime,
) -> Result<&Instruction, NotCovered> {
    let general = gate == FilingGate::DocumentedInstructions;
    let fits = |kind| kind == act.kind() || (general && kind == InstructionKind::General);
    let fitting: Vec<&Instruction> = instructions.iter().filter(|one| fits(one.kind)).collect();
    let good = fitting.iter().filter(|one| one.shortcoming(at).is_none());
    good.copied().max_by_key(|one| (one.given_at, &one.id)).ok_or_else(|| NotCovered {
        gate,
        act,
        found: fitting.iter().filter_map(|one| Some((one.id.clone(), one.shortcoming(at)?))).collect(),
    })
}

impl Instruction {
    /// What keeps it from covering an act at `at`; none if it was in force then.
    fn shortcoming(&self, at: OffsetDateTime) -> Option<Shortcoming> {
        if self.given_at > at {
            return Some(Shortcoming::GivenAt(self.given_at));
        }
        if let Some((_, replaced)) = self.state.replaced().filter(|(_, replaced)| *replaced <= at) {
            return Some(Shortcoming::ReplacedAt(replaced));
        }
        let upheld = self.state.upheld().map(|answer| answer.at);
        if let Some(objection) = self.state.objection()
            && objection.at <= at
            && upheld.is_none_or(|answered| answered > at)
        {
            return Some(Shortcoming::SuspendedAt(objection.at));
        }
        // An answer to an objection documents an oral instruction too.
        let documented =
            [self.state.confirmed().map(|confirmation| confirmation.at), upheld].into_iter().flatten().min();
        if self.form == InstructionForm::Oral && documented.is_none_or(|documented| documented > at) {
            return Some(Shortcoming::ConfirmedAt(documented));
        }
        None
    }

    /// Whether it binds now.
    pub fn is_in_force(&self) -> bool {
        matches!(self.state, InstructionState::InForce { .. })
    }
}

impl NotCovered {
    /// What the refusal rests on.
    pub fn legal_basis(&self) -> &'static str {
        "Art. 28(3)(a) GDPR"
    }
}

impl fmt::Display for NotCovered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (act, kind) = (self.act.words(), self.act.kind());
        match self.gate {
            FilingGate::InstructionRequired => write!(
                formatter,
                "{act} on the controller's behalf needs a prior instruction `{kind}`: the agreement demands one for exactly that \
                 (`filing_on_behalf` is `{}`)",
                self.gate
            )?,
            FilingGate::DocumentedInstructions => write!(
                formatter,
                "{act} on the controller's behalf needs a documented instruction, `{kind}` or `general`: the processor acts on \
                 documented instructions only (`filing_on_behalf` is `{}`)",
                self.gate
            )?,
        }
        if self.found.is_empty() {
            return formatter.write_str("; none is recorded.");
        }
        for (id, shortcoming) in &self.found {
            write!(formatter, "; {id} {shortcoming}")?;
        }
        formatter.write_str(".")
    }
}

impl fmt::Display for Shortcoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |at: OffsetDateTime| {
            at.format(&time::format_description::well_known::Rfc3339).unwrap_or_else(|_| at.to_string())
        };
        match self {
            Self::GivenAt(at) => write!(formatter, "was given later, at {}", text(*at)),
            Self::ConfirmedAt(Some(at)) => write!(formatter, "is oral and was confirmed later, at {}", text(*at)),
            Self::ConfirmedAt(None) => formatter.write_str("is oral and not confirmed"),
            Self::SuspendedAt(at) => write!(formatter, "is suspended since {}", text(*at)),
            Self::ReplacedAt(at) => write!(formatter, "was replaced at {}", text(*at)),
        }
    }
}
