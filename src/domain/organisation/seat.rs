//! What decides on supervision and on further regimes: where an organisation sits, in which sector, and what else binds it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::places;
use crate::domain::{fault::Faults, parse::Place, vocabulary::code_list};

code_list! {
    /// The sector of an organisation, as far as it decides on the competent authority.
    ///
    /// `public` are the bodies of a Land or of a state without such parts, `federal` those of a federation; `telecom` and
    /// `post` are supervised by the Federation in Germany; churches and broadcasters have authorities of their own (Art. 85,
    /// 91 GDPR). Everybody else is `private`.
    Sector {
        Private "private",
        Public "public",
        Federal "federal",
        Telecom "telecom",
        Post "post",
        ChurchProtestant "church_protestant",
        ChurchCatholic "church_catholic",
        Broadcasting "broadcasting",
        PrivateBroadcasting "private_broadcasting",
    }
}

code_list! {
    /// What happens when the second person has not released a version in time.
    OnTimeout {
        Send "send",
        Page "page",
    }
}

impl Sector {
    /// Whether an organisation of this sector is a public authority, to which Art. 56 GDPR does not apply (Art. 55(2)).
    pub fn is_public_authority(self) -> bool {
        matches!(self, Self::Public | Self::Federal)
    }
}

/// How a processor has a second person release what leaves the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReleasePolicy {
    /// The share of the time limit that may pass while the release is awaited, in percent, 1 to 90.
    pub window_share_percent: u8,
    /// What happens then.
    pub on_timeout: OnTimeout,
}

/// Where an organisation sits and what follows from that for supervision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 3166-2, where known.
    pub region: Option<String>,
    /// The sector.
    pub sector: Sector,
    /// Further regimes that bind the organisation, such as `nis2`, in lower snake case.
    pub regimes: BTreeSet<String>,
    /// The main establishment (Art. 4(16) GDPR) where it is not the seat; ISO 3166-1 or 3166-2.
    pub main_establishment: Option<String>,
    /// Whether and how versions are released by a second person.
    pub release_policy: Option<ReleasePolicy>,
}

impl ReleasePolicy {
    /// Reads `{"window_share_percent": 1..=90, "on_timeout": "send"|"page"}`.
    pub fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let window_share_percent = object.required("window_share_percent", faults, |place, faults| {
            let number = place.whole_number(faults)?;
            let share = u8::try_from(number).ok().filter(|share| (1..=90).contains(share));
            if share.is_none() {
                faults.add(&place.pointer, "range", "Expected a share from 1 to 90 percent.");
            }
            share
        });
        let on_timeout = object.required("on_timeout", faults, |place, faults| place.code(OnTimeout::CODES, faults));
        object.close(faults);
        Some(Self { window_share_percent: window_share_percent?, on_timeout: on_timeout? })
    }
}

/// A release policy as it is stored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPolicy {
    window_share_percent: u8,
    on_timeout: String,
}

impl<'de> Deserialize<'de> for ReleasePolicy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = StoredPolicy::deserialize(deserializer)?;
        let on_timeout = OnTimeout::from_code(&stored.on_timeout)
            .ok_or_else(|| serde::de::Error::custom("unknown code in on_timeout"))?;
        Ok(Self { window_share_percent: stored.window_share_percent, on_timeout })
    }
}

/// Reads a country or a part of one: ISO 3166-1 alpha-2 or ISO 3166-2.
pub(super) fn establishment(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let code = place.text(6, faults)?;
    if is_place(&code) {
        return Some(code);
    }
    faults.add(&place.pointer, "country", "Expected an ISO 3166-1 or ISO 3166-2 code, such as FR or DE-BW.");
    None
}

/// Whether `code` is a country or, after its country, a region.
pub fn is_place(code: &str) -> bool {
    match code.split_once('-') {
        None => places::is_country(code),
        Some((country, _)) => is_region(code, country),
    }
}

/// Whether `code` is written as an ISO 3166-2 code of the country `country`, which must exist.
pub fn is_region(code: &str, country: &str) -> bool {
    places::is_country(country) && places::is_region_of(code, country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_countries_and_regions() {
        assert!(is_place("FR") && is_place("DE-BW") && is_place("ES-CT"));
        assert!(!is_place("DE-XX") && !is_place("XX") && !is_place("XX-1") && !is_place("DE-") && !is_place(""));
    }

    #[test]
    fn a_policy_is_stored_as_it_is_shown() {
        let policy = ReleasePolicy { window_share_percent: 40, on_timeout: OnTimeout::Page };
        let text = serde_json::to_string(&policy).unwrap_or_default();
        assert_eq!(text, r#"{"window_share_percent":40,"on_timeout":"page"}"#);
        assert_eq!(serde_json::from_str::<ReleasePolicy>(&text).ok(), Some(policy));
        assert!(serde_json::from_str::<ReleasePolicy>(r#"{"window_share_percent":40,"on_timeout":"wait"}"#).is_err());
    }
}
