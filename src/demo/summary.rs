//! What came of a demo, for programs; the shape is part of the contract.

use serde::Serialize;
use serde_json::Value;

use super::DemoError;

/// What came of a demo.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The id of the incident.
    pub incident: String,
    /// How many agreements bind the processor.
    pub agreements: usize,
    /// How many notices the incident brought about.
    pub notices: usize,
    /// How many of them were delivered; the receivers have verified the signatures of each.
    pub delivered: usize,
    /// How many of them were acknowledged.
    pub acknowledged: usize,
    /// The duties, as the board has them.
    pub duties: Vec<Value>,
    /// The files of the reports.
    pub reports: Vec<String>,
    /// What the check of the ledger found.
    pub ledger: Ledger,
    /// How long it all took, in milliseconds of the world.
    pub elapsed_ms: u64,
}

/// What a check of the ledger found.
#[derive(Debug, Serialize)]
pub struct Ledger {
    /// How many entries there are.
    pub entries: u64,
    /// Whether every one of them fits.
    pub verified: bool,
}

impl Summary {
    /// Whether everything happened that had to; else what did not.
    pub fn judge(&self) -> Result<(), DemoError> {
        let wanted = self.agreements;
        let reached =
            [("notices", self.notices), ("deliveries", self.delivered), ("acknowledgements", self.acknowledged)];
        if let Some((what, count)) = reached.iter().find(|(_, count)| *count != wanted) {
            return Err(DemoError::Story(format!("{count} {what} for {wanted} agreements")));
        }
        if self.ledger.verified { Ok(()) } else { Err(DemoError::Story("the ledger does not verify".to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(acknowledged: usize, verified: bool) -> Summary {
        Summary {
            incident: "inc_01m809ffhneymvgnhytpke0jv4".to_owned(),
            agreements: 5,
            notices: 5,
            delivered: 5,
            acknowledged,
            duties: Vec::new(),
            reports: Vec::new(),
            ledger: Ledger { entries: 40, verified },
            elapsed_ms: 900,
        }
    }

    #[test]
    fn all_or_nothing() {
        let said = |summary: Summary| summary.judge().map_err(|error| error.to_string());
        assert_eq!(said(summary(5, true)), Ok(()));
        assert_eq!(said(summary(4, true)), Err("the demo failed: 4 acknowledgements for 5 agreements".to_owned()));
        assert_eq!(said(summary(5, false)), Err("the demo failed: the ledger does not verify".to_owned()));
    }
}
