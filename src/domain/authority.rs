//! Supervisory authorities, as data: who is competent for whom.

use serde_json::Value;

use super::fault::Faults;

/// Every known authority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities;

impl Authorities {
    /// Reads the file of authorities; answers all faults at once.
    pub fn parse(_file: &Value) -> Result<Self, Faults> {
        Ok(Self)
    }
}
