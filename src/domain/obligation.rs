//! The rule catalogue: who owes what to whom, from when, counted how, under which article. A change of law is a change here alone.

use time::Duration;

use super::counting::CountingRule;
use super::vocabulary::IncidentKind;

/// One of the two parties of an agreement, or the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The processor that files.
    Processor,
    /// The controller that is told.
    Controller,
    /// The supervisory authority of the controller.
    SupervisoryAuthority,
}

/// What starts a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartEvent {
    /// The processor knows, in the sense of the agreement (suspicion or reasonable certainty).
    ProcessorAware,
    /// The notice reached the controller: it is then aware (EDPB Guidelines 9/2022, para. 44).
    ControllerInformed,
}

/// How long the debtor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// What the agreement says.
    Agreement,
    /// A fixed length set by law.
    Law(Duration),
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obligation {
    /// Stable code.
    pub code: &'static str,
    /// Who owes it.
    pub debtor: Party,
    /// To whom.
    pub recipient: Party,
    /// What starts the clock.
    pub start: StartEvent,
    /// How long.
    pub limit: Limit,
    /// How `legal_due_at` is counted.
    pub rule: CountingRule,
    /// The article that it rests on.
    pub legal_basis: &'static str,
    /// The kinds of incident that it follows from; empty for whatever the agreement says.
    pub kinds: &'static [IncidentKind],
}

/// The processor tells the controller, within the limit of their agreement.
pub const CONTRACT_NOTICE: Obligation = Obligation {
    code: "contract_notice",
    debtor: Party::Processor,
    recipient: Party::Controller,
    start: StartEvent::ProcessorAware,
    limit: Limit::Agreement,
    rule: CountingRule::NaturalHours,
    legal_basis: "Art. 33(2) GDPR",
    kinds: &[],
};

/// The controller notifies its supervisory authority.
pub const AUTHORITY_NOTIFICATION: Obligation = Obligation {
    code: "gdpr_33_1",
    debtor: Party::Controller,
    recipient: Party::SupervisoryAuthority,
    start: StartEvent::ControllerInformed,
    limit: Limit::Law(Duration::hours(72)),
    rule: CountingRule::EuHours,
    legal_basis: "Art. 33(1) GDPR",
    // A disruption or a breach of contract is no personal data breach; a suspicion is treated with care.
    kinds: &[IncidentKind::PersonalDataBreach, IncidentKind::SuspectedBreach, IncidentKind::SubprocessorBreach],
};

/// Every obligation.
pub const CATALOGUE: &[Obligation] = &[CONTRACT_NOTICE, AUTHORITY_NOTIFICATION];

impl Obligation {
    /// Whether an incident of this kind brings the obligation about.
    pub fn follows_from(&self, kind: IncidentKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// The obligation of a code.
    pub fn from_code(code: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|obligation| obligation.code == code)
    }
}

impl StartEvent {
    /// Every event with its code.
    pub const CODES: &'static [(&'static str, Self)] =
        &[("processor_aware", Self::ProcessorAware), ("controller_informed", Self::ControllerInformed)];

    /// The stable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessorAware => "processor_aware",
            Self::ControllerInformed => "controller_informed",
        }
    }
}
