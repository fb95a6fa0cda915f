//! Reads rows of the catalogue, from its file and from the frozen copies of duties. Judges each member alone; `check` the rest.

use crate::domain::{
    counting::CountingRule,
    organisation::is_country,
    parse::{Object, Place},
    span::Span,
    vocabulary::IncidentKind,
};

use super::{
    AgreementTerm, Binds, Cap, Debtor, Expiry, Fact, Obligation, Party, Recipient, RowSpan, Status, Threshold, Titles,
    Trigger, Weekends,
};
use crate::domain::fault::Faults;

/// A member that is one code of a fixed list.
fn code<T: Copy>(codes: &'static [(&'static str, T)]) -> impl Fn(&Place<'_>, &mut Faults) -> Option<T> {
    move |place, faults| place.code(codes, faults)
}

/// The code of a fixed list, or `default` where the member is absent.
fn code_or<T: Copy>(
    object: &mut Object<'_>,
    name: &'static str,
    codes: &'static [(&'static str, T)],
    default: T,
    faults: &mut Faults,
) -> Option<T> {
    object.optional(name, faults, code(codes)).map(|read| read.unwrap_or(default))
}

fn flag(object: &mut Object<'_>, name: &'static str, faults: &mut Faults) -> Option<bool> {
    object.optional(name, faults, Place::boolean).map(|read| read.unwrap_or(false))
}

fn short_text(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    place.text(200, faults)
}

impl Obligation {
    /// Reads one row. What may be left out: `trigger`, `cap`, `threshold` (`none`), `late_needs_reason` and
    /// `announce_before_miss` (`false`), `on_expiry` (`breach`), `valid_to`, `status` (`law`).
    pub fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let row_code = object.required("code", faults, Place::word);
        let regime = object.required("regime", faults, Place::word);
        let basis = object.required("basis", faults, short_text);
        let title = object.required("title", faults, Titles::parse);
        let debtor = object.required("debtor", faults, code(Debtor::CODES));
        let recipient = object.required("recipient", faults, code(Recipient::CODES));
        let trigger = object.optional("trigger", faults, Trigger::parse);
        let start = object.required("start", faults, Place::parsed);
        let end = object.required("end", faults, Place::parsed);
        let span = object.required("span", faults, span);
        let cap = object.optional("cap", faults, Cap::parse);
        let rule = object.required("rule", faults, code(CountingRule::CODES));
        let weekends = object.required("weekends", faults, code(Weekends::CODES));
        let holidays_of = object.required("holidays_of", faults, code(Party::CODES));
        let threshold = code_or(&mut object, "threshold", Threshold::CODES, Threshold::None, faults);
        let late_needs_reason = flag(&mut object, "late_needs_reason", faults);
        let announce_before_miss = flag(&mut object, "announce_before_miss", faults);
        let on_expiry = code_or(&mut object, "on_expiry", Expiry::CODES, Expiry::Breach, faults);
        let valid_from = object.required("valid_from", faults, Place::day);
        let valid_to = object.optional("valid_to", faults, Place::day);
        let status = code_or(&mut object, "status", Status::CODES, Status::Law, faults);
        object.close(faults);
        Some(Self {
            code: row_code?,
            regime: regime?,
            basis: basis?,
            title: title?,
            debtor: debtor?,
            recipient: recipient?,
            trigger: trigger?.unwrap_or_else(Trigger::always),
            start: start?,
            end: end?,
            span: span?,
            cap: cap?,
            rule: rule?,
            weekends: weekends?,
            holidays_of: holidays_of?,
            threshold: threshold?,
            late_needs_reason: late_needs_reason?,
            announce_before_miss: announce_before_miss?,
            on_expiry: on_expiry?,
            valid_from: valid_from?,
            valid_to: valid_to?,
            status: status?,
        })
    }
}

/// A bare number is the usual slip: it says no unit.
fn span(place: &Place<'_>, faults: &mut Faults) -> Option<RowSpan> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if place.value.is_number() || place.value.as_str().is_some_and(|text| digits(text.trim())) {
        faults.add(
            &place.pointer,
            "unit",
            "Expected a span with its unit, such as PT72H, P14D or P1M; a number alone has none.",
        );
        return None;
    }
    place.parsed(faults)
}

impl Titles {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let en = object.required("en", faults, short_text);
        let de = object.required("de", faults, short_text);
        object.close(faults);
        Some(Self { en: en?, de: de? })
    }
}

impl Trigger {
    /// No condition at all.
    pub(super) fn always() -> Self {
        Self {
            kinds: std::collections::BTreeSet::new(),
            facts: std::collections::BTreeSet::new(),
            seats: Vec::new(),
            binds: Binds::Everybody,
            agreement: None,
            yields_to: Vec::new(),
        }
    }

    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let kinds =
            object.optional("kinds", faults, |place, faults| place.filled_set(faults, code(IncidentKind::CODES)));
        let facts = object.optional("facts", faults, |place, faults| place.filled_set(faults, code(Fact::CODES)));
        let seats = object.optional("seats", faults, |place, faults| distinct(place, faults, seat));
        let binds = code_or(&mut object, "binds", Binds::CODES, Binds::Everybody, faults);
        let agreement = object.optional("agreement", faults, code(AgreementTerm::CODES));
        let yields_to = object.optional("yields_to", faults, |place, faults| distinct(place, faults, Place::word));
        object.close(faults);
        Some(Self {
            kinds: kinds?.unwrap_or_default(),
            facts: facts?.unwrap_or_default(),
            seats: seats?.unwrap_or_default(),
            binds: binds?,
            agreement: agreement?,
            yields_to: yields_to?.unwrap_or_default(),
        })
    }
}

/// A list of at least one text, none of them twice, in the order given.
fn distinct<'v>(
    place: &Place<'v>,
    faults: &mut Faults,
    item: impl FnMut(&Place<'v>, &mut Faults) -> Option<String>,
) -> Option<Vec<String>> {
    place.filled_set(faults, item)?;
    place.list(faults, |item, faults| item.text(64, faults))
}

/// Areas that are no country.
const AREAS: [&str; 2] = ["EU", "EEA"];

fn seat(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(10, faults)?;
    let part = |part: &str| {
        matches!(part.len(), 1..=3) && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let is_region = text.split_once('-').is_some_and(|(country, rest)| is_country(country) && part(rest));
    if is_country(&text) || is_region || AREAS.contains(&text.as_str()) {
        return Some(text);
    }
    faults.add(&place.pointer, "seat", "Expected an ISO 3166 code such as DE or DE-BW, or EU or EEA.");
    None
}

impl Cap {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let span = object.required("span", faults, |place, faults| match span(place, faults)? {
            RowSpan::Fixed(span) if span != Span::WithoutUndueDelay => Some(span),
            _ => {
                faults.add(&place.pointer, "fixed", "A cap needs a fixed length, such as PT24H.");
                None
            }
        });
        let start = object.required("start", faults, Place::parsed);
        object.close(faults);
        Some(Self { span: span?, start: start? })
    }
}
