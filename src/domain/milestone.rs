//! What happens on the way of an incident and moves clocks: the start and the end of every duty is one of these.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// Something that starts a clock or fulfils a duty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Milestone {
    /// The processor knows, in the sense of the agreement (suspicion or reasonable certainty).
    ProcessorAware,
    /// The debtor knows: a processor by itself, a controller once it was informed.
    DebtorAware,
    /// The notice reached the controller: it is then aware (EDPB Guidelines 9/2022, para. 44).
    ControllerInformed,
    /// A notice without open items among what the agreement demands reached the controller.
    ControllerFullyInformed,
    /// The controller decided on the authority and the persons, with a reason, Art. 33(5) GDPR.
    ControllerDecided,
    /// The controller decided that the persons must be told, Art. 34(1) GDPR.
    PersonsToBeTold,
    /// A filing that names the obligation was recorded.
    Filed,
    /// A second person released the version, or it left without release as configured.
    Released,
    /// The open item that the duty is about was given.
    ItemGiven,
    /// The duty of another row of the catalogue was fulfilled for the same party; its code.
    Fulfilled(String),
    /// Somebody reported that it happened; a word of the catalogue, such as `classified`.
    Reported(String),
}

/// A text that names no milestone.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected one of: {}, fulfilled:<code>, reported:<word>", Milestone::PLAIN.iter().map(|(code, _)| *code).collect::<Vec<_>>().join(", "))]
pub struct InvalidMilestone;

impl Milestone {
    /// Every milestone without a name of its own, with its code.
    pub const PLAIN: &'static [(&'static str, Self)] = &[
        ("processor_aware", Self::ProcessorAware),
        ("debtor_aware", Self::DebtorAware),
        ("controller_informed", Self::ControllerInformed),
        ("controller_fully_informed", Self::ControllerFullyInformed),
        ("controller_decided", Self::ControllerDecided),
        ("persons_to_be_told", Self::PersonsToBeTold),
        ("filed", Self::Filed),
        ("released", Self::Released),
        ("item_given", Self::ItemGiven),
    ];
}

impl FromStr for Milestone {
    type Err = InvalidMilestone;

    fn from_str(text: &str) -> Result<Self, InvalidMilestone> {
        let word = |name: &str| {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            (!name.is_empty() && name.len() <= 64 && name.chars().all(good)).then(|| name.to_owned())
        };
        let named = match text.split_once(':') {
            Some(("fulfilled", name)) => word(name).map(Self::Fulfilled),
            Some(("reported", name)) => word(name).map(Self::Reported),
            _ => None,
        };
        let plain = Self::PLAIN.iter().find(|(code, _)| *code == text).map(|(_, milestone)| milestone.clone());
        named.or(plain).ok_or(InvalidMilestone)
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fulfilled(code) => write!(formatter, "fulfilled:{code}"),
            Self::Reported(word) => write!(formatter, "reported:{word}"),
            plain => {
                let found = Self::PLAIN.iter().find(|(_, milestone)| milestone == plain);
                formatter.write_str(found.map_or("", |(code, _)| *code))
            }
        }
    }
}

impl Serialize for Milestone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milestones_are_read_as_they_are_written() {
        let named = [Milestone::Fulfilled("gdpr_33_1".into()), Milestone::Reported("classified".into())];
        for milestone in Milestone::PLAIN.iter().map(|(_, milestone)| milestone.clone()).chain(named) {
            assert_eq!(milestone.to_string().parse(), Ok(milestone));
        }
        for text in ["", "fulfilled", "fulfilled:", "reported:Two Words", "aware"] {
            assert_eq!(text.parse::<Milestone>(), Err(InvalidMilestone), "{text}");
        }
    }
}
