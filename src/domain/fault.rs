//! Faults in what somebody sent: collected, never thrown one at a time. Knows nothing of HTTP.

use std::collections::HashSet;

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

/// How many faults one answer names at most.
pub const LIMIT: usize = 500;

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

    /// Takes over those of `other` that concern a place about which nothing is noted yet, neither above nor below it.
    ///
    /// So a member that was faulty is not also reported as missing.
    pub fn extend_new(&mut self, other: Faults) {
        let noted: HashSet<&str> = self.0.iter().map(|fault| fault.pointer.as_str()).collect();
        let above: HashSet<&str> = noted.iter().flat_map(|pointer| prefixes(pointer)).collect();
        let is_new = |fault: &Fault| {
            let pointer = fault.pointer.as_str();
            !above.contains(pointer) && !noted.contains(pointer) && !prefixes(pointer).any(|part| noted.contains(part))
        };
        let (new, _): (Vec<_>, Vec<_>) = other.0.into_iter().partition(is_new);
        self.0.extend(new);
    }

    /// At most [`LIMIT`] faults, the last of which then says how many more there are.
    #[must_use]
    pub fn capped(mut self) -> Self {
        let more = self.0.len().saturating_sub(LIMIT - 1);
        if more > 1 {
            self.0.truncate(LIMIT - 1);
            self.add("", "more_faults", format!("{more} more faults were found."));
        }
        self
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults one by one, in the order found.
    pub(crate) fn into_faults(self) -> impl Iterator<Item = Fault> {
        self.0.into_iter()
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

/// The pointers above `pointer`, the root left out.
fn prefixes(pointer: &str) -> impl Iterator<Item = &str> {
    pointer.match_indices('/').skip(1).map(|(end, _)| &pointer[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pointers: &[&str]) -> Faults {
        let mut faults = Faults::default();
        for pointer in pointers {
            faults.add(*pointer, "test", "");
        }
        faults
    }

    #[test]
    fn only_places_without_fault_are_taken_over() {
        let mut noted = faults(&["/nature/types", "/subjects", "/affected/1/records"]);
        noted.extend_new(faults(&["/nature", "/nature/types", "/subjects/count", "/affected/10/records", "/contact"]));
        let pointers: Vec<_> = noted.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/nature/types", "/subjects", "/affected/1/records", "/affected/10/records", "/contact"]);
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let flood = |number: usize| faults(&vec!["/x"; number]).capped();
        assert_eq!(flood(LIMIT).as_slice().len(), LIMIT);
        let cut = flood(LIMIT + 10);
        assert_eq!(cut.as_slice().len(), LIMIT);
        assert_eq!(cut.as_slice().last().map(|fault| fault.detail.as_str()), Some("11 more faults were found."));
    }
}
