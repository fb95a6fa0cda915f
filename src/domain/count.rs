//! Numbers of persons and records as people know them in an emergency: exact, about, between, or not yet. Knows no document.

use serde::Serialize;

use super::{
    content::Unknown,
    fault::Faults,
    parse::{Object, Place},
};

/// A number of data subjects or records, Art. 33(3)(a) GDPR ("approximate number").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// `{"exact": n}`.
    Exact(u64),
    /// `{"about": n}`.
    About(u64),
    /// `{"min": n, "max": n}`, both ends included, `min` at most `max`.
    #[serde(untagged)]
    Range {
        /// The least possible number.
        min: u64,
        /// The greatest possible number.
        max: u64,
    },
    /// `{"unknown": "reason", "expected_by"?: "…", "owner"?: "…"}`.
    #[serde(untagged)]
    Unknown(Unknown),
}

impl Count {
    /// Reads exactly one of the four forms.
    pub fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        if let Some(object) = place.object_with("unknown") {
            return Unknown::members(object, faults).map(Self::Unknown);
        }
        let mut object = place.object(faults)?;
        let mut number =
            |name: &'static str, object: &mut Object<'_>| object.optional(name, faults, Place::whole_number);
        let forms = (
            number("exact", &mut object),
            number("about", &mut object),
            number("min", &mut object),
            number("max", &mut object),
        );
        object.close(faults);
        match forms {
            (Some(Some(exact)), Some(None), Some(None), Some(None)) => Some(Self::Exact(exact)),
            (Some(None), Some(Some(about)), Some(None), Some(None)) => Some(Self::About(about)),
            (Some(None), Some(None), Some(Some(min)), Some(Some(max))) if min <= max => Some(Self::Range { min, max }),
            (Some(None), Some(None), Some(Some(_)), Some(Some(_))) => {
                faults.add(&place.pointer, "min_above_max", "`min` is greater than `max`.");
                None
            }
            // A member that is no number has been named already.
            (None, ..) | (_, None, ..) | (_, _, None, _) | (_, _, _, None) => None,
            _ => {
                faults.add(&place.pointer, "count", "Expected exactly one of: exact, about, min with max, unknown.");
                None
            }
        }
    }

    /// The declaration, if this is unknown.
    pub fn unknown(&self) -> Option<&Unknown> {
        if let Self::Unknown(unknown) = self { Some(unknown) } else { None }
    }

    /// The least number this can mean; `None` if unknown. "About" leaves half below.
    pub fn lower(&self) -> Option<u64> {
        match self {
            Self::Exact(number) | Self::Range { min: number, .. } => Some(*number),
            Self::About(number) => Some(number - number / 2),
            Self::Unknown(_) => None,
        }
    }

    /// The greatest number this can mean; `None` if unknown. "About" leaves half above.
    pub fn upper(&self) -> Option<u64> {
        match self {
            Self::Exact(number) | Self::Range { max: number, .. } => Some(*number),
            Self::About(number) => Some(number.saturating_add(number.div_ceil(2))),
            Self::Unknown(_) => None,
        }
    }

    /// Whether this, as the number of a part, cannot be true beside `total` as the number of the whole.
    pub fn contradicts(&self, total: &Self) -> bool {
        matches!((self.lower(), total.upper()), (Some(part), Some(whole)) if part > whole)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(value: &Value) -> Result<Count, Faults> {
        let mut faults = Faults::default();
        let read = Count::parse(&Place::root(value), &mut faults);
        faults.finish(read)
    }

    #[test]
    fn each_form_comes_back_as_it_went_in() {
        for value in [
            json!({"exact": 0}),
            json!({"about": 1200}),
            json!({"min": 3, "max": 3}),
            json!({"unknown": "logs are being read"}),
            json!({"unknown": "logs are being read", "expected_by": "2026-11-23T08:00:00Z"}),
        ] {
            assert_eq!(serde_json::to_value(parse(&value).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn anything_but_exactly_one_form_is_refused() {
        for (value, pointer, code) in [
            (json!({}), "", "count"),
            (json!({"exact": 1, "about": 1}), "", "count"),
            (json!({"min": 1}), "", "count"),
            (json!({"min": 2, "max": 1}), "", "min_above_max"),
            (json!({"exact": -1}), "/exact", "type"),
            (json!({"exact": 1.5}), "/exact", "type"),
            (json!({"exact": u64::MAX}), "/exact", "type"),
            (json!({"unknown": ""}), "/unknown", "empty"),
            (json!({"unknown": "x", "exact": 1}), "/exact", "unknown_member"),
            (json!({"exact": 1, "expected_by": "2026-11-23T08:00:00Z"}), "/expected_by", "unknown_member"),
            (json!(5), "", "type"),
        ] {
            let faults = parse(&value).unwrap_err();
            let found: Vec<_> = faults.as_slice().iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
            assert_eq!(found, [(pointer, code)], "{value}");
        }
    }

    #[test]
    fn a_part_above_the_whole_contradicts_it() {
        assert!(Count::Exact(38).contradicts(&Count::Exact(37)));
        assert!(Count::Range { min: 38, max: 90 }.contradicts(&Count::Range { min: 1, max: 37 }));
        assert!(!Count::Range { min: 30, max: 90 }.contradicts(&Count::Exact(37)));
        assert!(!Count::Exact(1203).contradicts(&Count::About(1200)), "about is not a limit");
        assert!(Count::Exact(1801).contradicts(&Count::About(1200)));
        assert!(!Count::Exact(2).contradicts(&Count::About(1)));
        assert_eq!((Count::About(1).lower(), Count::About(0).upper()), (Some(1), Some(0)));
    }
}
