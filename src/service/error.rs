//! Why a verb did not happen, told apart by what the caller can do about it. The web room maps each once.

use crate::crypto::CryptoError;
use crate::domain::agreement::RowResult;
use crate::domain::fault::Faults;
use crate::store::StoreError;

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// What was sent is wrong; every fault is named.
    #[error("the content is refused")]
    Refused(Faults),
    /// All rows of an import are refused because of some.
    #[error("{} of {rows} rows are refused", results.len())]
    RowsRefused {
        /// How many rows were sent.
        rows: usize,
        /// The rows that have faults.
        results: Vec<RowResult>,
    },
    /// There is no such thing in the caller's scope.
    #[error("not found")]
    NotFound,
    /// The caller's organisation may not do this, whatever its token says.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It contradicts what is there already.
    #[error("{detail}")]
    Conflict {
        /// Stable code, the last part of the problem type.
        code: &'static str,
        /// One sentence.
        detail: String,
    },
    /// The thing was changed since the caller read it.
    #[error("the version given is not the current one")]
    VersionMismatch,
    /// The database failed or cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key or sealed value cannot be used.
    #[error("a stored secret cannot be opened")]
    Secret(#[from] CryptoError),
    /// Something that cannot happen did.
    #[error("internal: {0}")]
    Internal(String),
}

impl ServiceError {
    /// Whether the same may go through later, since only the database could not be reached.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unavailable())
    }
}

impl From<Faults> for ServiceError {
    fn from(faults: Faults) -> Self {
        Self::Refused(faults)
    }
}

impl From<serde_json::Error> for ServiceError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// A refusal that names one fault.
pub(crate) fn refused(pointer: &str, code: &'static str, detail: impl Into<String>) -> ServiceError {
    let mut faults = Faults::default();
    faults.add(pointer, code, detail);
    ServiceError::Refused(faults)
}
