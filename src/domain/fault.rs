//! Faults in what somebody sent: collected, never thrown one at a time. Knows nothing of HTTP.

use serde::Serialize;

/// One thing that is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the member, or to where it is missing.
    pub pointer: String,
    /// Stable, language-free code, such as `required` or `unknown_member`.
    pub code: &'static str,
    /// One sentence for a person; never repeats a secret value.
    pub detail: String,
    /// The article or clause that asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// The agreement that asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
}

/// All faults found so far in one document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault without legal basis.
    pub fn add(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.push(Fault { pointer: pointer.into(), code, detail: detail.into(), legal_basis: None, agreement: None });
    }

    /// Notes a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Takes over the faults of another document part, with `prefix` before each pointer.
    pub fn extend_under(&mut self, prefix: &str, other: Faults) {
        self.0
            .extend(other.0.into_iter().map(|fault| Fault { pointer: format!("{prefix}{}", fault.pointer), ..fault }));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order found.
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// `value` if nothing is wrong, otherwise all faults.
    ///
    /// A `None` value without a fault cannot happen when every parser notes why it failed; it is answered as a fault all the same.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Faults> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            Some(_) => Err(self),
            None => {
                if self.is_empty() {
                    self.add("", "invalid", "The document could not be understood.");
                }
                Err(self)
            }
        }
    }
}
