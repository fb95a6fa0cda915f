//! One row of the catalogue: who owes what to whom, from when, within which span, counted how, under which article or clause.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Serialize, Serializer};
use time::Date;

use crate::domain::{
    counting::CountingRule,
    milestone::Milestone,
    span::Span,
    vocabulary::{IncidentKind, code_list},
};

/// One row of the catalogue. Serialises to the shape it is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obligation {
    /// Stable code, lower snake case.
    pub code: String,
    /// The law or kind of rule it belongs to, such as `gdpr`, `contract` or `nis2`.
    pub regime: String,
    /// Article, or what stands before the clause of the agreement; quoted as legal basis.
    pub basis: String,
    /// What is owed, in words for people.
    pub title: Titles,
    /// Who owes it.
    pub debtor: Debtor,
    /// To whom.
    pub recipient: Recipient,
    /// What brings it about.
    pub trigger: Trigger,
    /// What starts the clock.
    pub start: Milestone,
    /// What fulfils it.
    pub end: Milestone,
    /// How long the debtor has.
    pub span: RowSpan,
    /// An outer limit beside the span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
    /// How the legal due time is counted.
    pub rule: CountingRule,
    /// What the rule does at weekends and on holidays; stated for the reader and held against the rule.
    pub weekends: Weekends,
    /// Whose holidays and zone count.
    pub holidays_of: Party,
    /// From which risk on it is owed; below it the debtor may decide that it is not required.
    pub threshold: Threshold,
    /// Whether a late fulfilment needs a reason.
    pub late_needs_reason: bool,
    /// Whether a miss must be announced before it happens.
    pub announce_before_miss: bool,
    /// What happens when the due time passes.
    pub on_expiry: Expiry,
    /// The first day of its validity.
    #[serde(with = "day")]
    pub valid_from: Date,
    /// The last day of its validity; none while open-ended.
    #[serde(skip_serializing_if = "Option::is_none", with = "day::option")]
    pub valid_to: Option<Date>,
    /// Whether it is law or not yet; only law is owed.
    pub status: Status,
}

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// What is owed, per language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Titles {
    /// English.
    pub en: String,
    /// German.
    pub de: String,
}

/// Which incidents bring an obligation about. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trigger {
    /// One of these kinds; empty means every kind.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<IncidentKind>,
    /// All of these facts.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub facts: BTreeSet<Fact>,
    /// The debtor's seat lies in one of these: ISO 3166 codes, `EU` or `EEA`; empty means anywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<String>,
    /// Whether everybody is bound, or only organisations that declare the regime.
    pub binds: Binds,
    /// A term that the agreement must have for this kind of incident, see [`crate::domain::terms::Terms::promise`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementTerm>,
    /// Not owed where one of these rows is owed for the same party: the special rule goes before the general one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub yields_to: Vec<String>,
}

/// An outer limit: the earlier of both due times holds, unless the cap had passed already when the clock started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cap {
    /// How long.
    pub span: Span,
    /// From when.
    pub start: Milestone,
}

/// How long the debtor has: a fixed span, or where the span stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowSpan {
    /// Set by the row itself.
    Fixed(Span),
    /// As the agreement says.
    Agreement(AgreementTerm),
    /// Until the time that the filer stated for the open item.
    Stated,
    /// A share of the shortest window, as the processor set it.
    ReleaseWindow,
}

code_list! {
    /// A term of an agreement that an obligation hangs on.
    AgreementTerm {
        NotifyWithin "notify_within",
        CompleteWithin "complete_within",
        SubprocessorObjection "subprocessor_objection",
        SpecialCategories "special_categories",
    }
}

code_list! {
    /// One of the two parties of an agreement, or whichever of them owes.
    Party {
        Processor "processor",
        Controller "controller",
        Debtor "debtor",
    }
}

code_list! {
    /// Who owes it; `either` means both, each for itself.
    Debtor {
        Processor "processor",
        Controller "controller",
        Either "either",
    }
}

code_list! {
    /// To whom it is owed.
    Recipient {
        Processor "processor",
        Controller "controller",
        SupervisoryAuthority "supervisory_authority",
        CompetentAuthority "competent_authority",
        DataSubjects "data_subjects",
        Record "record",
    }
}

code_list! {
    /// Something about an incident and one affected party that obligations hang on.
    Fact {
        SpecialCategories "special_categories",
        ProfessionalSecrecy "professional_secrecy",
        SpecialOrSecret "special_or_secret",
        Suspicion "suspicion",
        SubprocessorOrigin "subprocessor_origin",
        OpenItems "open_items",
        FourEyes "four_eyes",
    }
}

code_list! {
    /// Whom a row binds: everybody, or organisations that declare its regime.
    Binds {
        Everybody "everybody",
        Declared "declared",
    }
}

code_list! {
    /// What a counting rule does at weekends and on holidays.
    Weekends {
        Counted "counted",
        NextWorkingDay "next_working_day",
        NoonOfNextWorkingDay "noon_of_next_working_day",
        Skipped "skipped",
        TwoWorkingDays "two_working_days",
    }
}

code_list! {
    /// From which risk for the persons on something is owed; `significant` is a significant, major or severe incident as
    /// the regime itself defines it.
    Threshold {
        None "none",
        Risk "risk",
        HighRisk "high_risk",
        Significant "significant",
    }
}

code_list! {
    /// What the end of the period means: the duty is breached and still owed, or the right has lapsed.
    Expiry {
        Breach "breach",
        Lapse "lapse",
    }
}

code_list! {
    /// Whether a row is in force by law, or only proposed and so owed by nobody.
    Status {
        Law "law",
        Proposal "proposal",
    }
}

/// A text that says no span of a row.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "expected an ISO 8601 duration with unit such as PT72H, P14D or P1M, `without_undue_delay`, `agreement:<term>`, `stated` or `release_window`"
)]
pub struct InvalidRowSpan;

impl Obligation {
    /// Whether its clock belongs to the incident as a whole: a processor owes it once, however many controllers are affected.
    pub fn is_once_per_incident(&self) -> bool {
        self.debtor == Debtor::Processor && self.recipient != Recipient::Controller
    }

    /// Whether `day` lies in its validity, whatever its status.
    pub fn is_valid_on(&self, day: Date) -> bool {
        self.valid_from <= day && self.valid_to.is_none_or(|last| day <= last)
    }

    /// Whether it is in force by law on `day`.
    pub fn is_law_on(&self, day: Date) -> bool {
        self.status == Status::Law && self.is_valid_on(day)
    }
}

impl FromStr for RowSpan {
    type Err = InvalidRowSpan;

    fn from_str(text: &str) -> Result<Self, InvalidRowSpan> {
        match text {
            "stated" => Ok(Self::Stated),
            "release_window" => Ok(Self::ReleaseWindow),
            _ => match text.strip_prefix("agreement:") {
                Some(term) => AgreementTerm::from_code(term).map(Self::Agreement).ok_or(InvalidRowSpan),
                None => text.parse().map(Self::Fixed).map_err(|_| InvalidRowSpan),
            },
        }
    }
}

impl fmt::Display for RowSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(span) => span.fmt(formatter),
            Self::Agreement(term) => write!(formatter, "agreement:{term}"),
            Self::Stated => formatter.write_str("stated"),
            Self::ReleaseWindow => formatter.write_str("release_window"),
        }
    }
}

impl Serialize for RowSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
