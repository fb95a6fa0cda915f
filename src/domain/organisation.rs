//! Organisations as they are entered and shown: legal persons with roles, a seat and contacts. Stores nothing.

mod places;
mod seat;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    fault::Faults,
    id::OrganisationId,
    parse::{Object, Place},
    vocabulary::OrganisationRole,
};

pub use places::{is_country, is_in_eea, is_in_eu, is_region_of};
pub use seat::{OnTimeout, ReleasePolicy, Seat, Sector, is_place, is_region};

/// An organisation to be created, or the new state of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewOrganisation {
    /// The legal name.
    pub name: String,
    /// At least one.
    pub roles: BTreeSet<OrganisationRole>,
    /// The seat, ISO 3166-1 alpha-2.
    pub country: String,
    /// The part of the country, ISO 3166-2; in Germany the Land, which decides the competent authority (§ 40(2) BDSG).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whom to reach.
    pub contacts: Vec<Contact>,
    /// Default `private`.
    pub sector: Sector,
    /// Further regimes that bind it, such as `nis2` or `dora`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub regimes: BTreeSet<String>,
    /// The main establishment (Art. 4(16) GDPR) where it is not the seat; ISO 3166-1 or 3166-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_establishment: Option<String>,
    /// For processors only: how a second person releases what leaves the house; none for no such release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<ReleasePolicy>,
}

/// An organisation as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// The legal name.
    pub name: String,
    /// Empty for the operator's own organisation.
    pub roles: BTreeSet<OrganisationRole>,
    /// The seat, ISO 3166-1 alpha-2.
    pub country: String,
    /// The part of the country, ISO 3166-2.
    pub region: Option<String>,
    /// Whom to reach.
    pub contacts: Vec<Contact>,
    /// The sector, as far as it decides on supervision.
    pub sector: Sector,
    /// Further regimes that bind it.
    pub regimes: BTreeSet<String>,
    /// The main establishment where it is not the seat.
    pub main_establishment: Option<String>,
    /// How a second person releases what leaves the house.
    pub release_policy: Option<ReleasePolicy>,
    /// Counts from 1.
    pub version: i32,
    /// When it was created, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was changed last, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
}

/// A contact point, Art. 33(3)(b) GDPR; has an e-mail address or a telephone number or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// What the contact is, in lower snake case, such as `dpo`.
    pub role: String,
    /// A person or a desk.
    pub name: String,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl NewOrganisation {
    /// Reads the body of `POST /v1/organisations`; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|object| Self::members(object, &mut faults));
        faults.finish(read)
    }

    fn members(mut object: Object<'_>, faults: &mut Faults) -> Option<Self> {
        let name = object.required("name", faults, |place, faults| place.text(200, faults));
        let roles = object.required("roles", faults, |place, faults| {
            place.filled_set(faults, |item, faults| item.code(OrganisationRole::CODES, faults))
        });
        let country = object.required("country", faults, country);
        let region = object.optional("region", faults, |place, faults| {
            let region = place.text(6, faults)?;
            if country.as_ref().is_some_and(|country| !places::is_region_of(&region, country)) {
                faults.add(&place.pointer, "region", "Expected an ISO 3166-2 code of this country, such as DE-BW.");
                return None;
            }
            Some(region)
        });
        let contacts = object.optional("contacts", faults, |place, faults| {
            place.list(faults, |item, faults| Contact::parse(item, faults))
        });
        let sector = object.optional("sector", faults, |place, faults| place.code(Sector::CODES, faults));
        let regimes = object.optional("regimes", faults, |place, faults| place.set(faults, Place::word));
        let main_establishment = object.optional("main_establishment", faults, seat::establishment);
        let release_policy = object.optional("release_policy", faults, |place, faults| {
            let policy = ReleasePolicy::parse(place, faults);
            if roles.as_ref().is_some_and(|roles| !roles.contains(&OrganisationRole::Processor)) {
                faults.add(&place.pointer, "processors_only", "Only a processor can have a release policy.");
            }
            policy
        });
        object.close(faults);
        Some(Self {
            name: name?,
            roles: roles?,
            country: country?,
            region: region?,
            contacts: contacts?.unwrap_or_default(),
            sector: sector?.unwrap_or(Sector::Private),
            regimes: regimes?.unwrap_or_default(),
            main_establishment: main_establishment?,
            release_policy: release_policy?,
        })
    }
}

impl Organisation {
    /// Where it sits and what follows from that.
    pub fn seat(&self) -> Seat {
        Seat {
            country: self.country.clone(),
            region: self.region.clone(),
            sector: self.sector,
            regimes: self.regimes.clone(),
            main_establishment: self.main_establishment.clone(),
            release_policy: self.release_policy,
        }
    }
}

impl Contact {
    /// Reads a contact point.
    pub fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let role = object.required("role", faults, Place::word);
        let name = object.required("name", faults, |place, faults| place.text(200, faults));
        let email = object.optional("email", faults, email);
        let phone = object.optional("phone", faults, |place, faults| place.text(50, faults));
        let reachable = !matches!((&email, &phone), (Some(None), Some(None)));
        if !reachable {
            faults.add(object.pointer(), "required", "An `email` or a `phone` is required.");
        }
        object.close(faults);
        reachable.then_some(Self { role: role?, name: name?, email: email?, phone: phone? })
    }
}

/// Reads an ISO 3166-1 alpha-2 code.
pub(super) fn country(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let code = place.text(2, faults)?;
    if is_country(&code) {
        Some(code)
    } else {
        faults.add(&place.pointer, "country", "Expected an ISO 3166-1 alpha-2 country code, such as DE.");
        None
    }
}

/// Reads an e-mail address, checked only as far as a typing mistake shows; the first delivery is the real check.
pub(super) fn email(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(254, faults)?;
    let plausible = text.rsplit_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && !host.is_empty() && !host.starts_with('.') && !host.ends_with('.')
    });
    if plausible && text.is_ascii() && !text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>'))
    {
        return Some(text);
    }
    faults.add(&place.pointer, "email", "Expected one e-mail address.");
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> Value {
        json!({"name": "Muster Lernsysteme GmbH", "roles": ["processor"], "country": "DE", "region": "DE-BW",
               "contacts": [{"role": "dpo", "name": "Data protection desk", "email": "dpo@example.org", "phone": "+49 711 0"}],
               "sector": "telecom", "regimes": ["dora", "nis2"], "main_establishment": "FR",
               "release_policy": {"window_share_percent": 50, "on_timeout": "send"}})
    }

    fn pointers(body: &Value) -> Vec<String> {
        let faults = NewOrganisation::parse(body).unwrap_err();
        faults.as_slice().iter().map(|fault| fault.pointer.clone()).collect()
    }

    #[test]
    fn an_organisation_is_written_as_it_was_read() {
        assert_eq!(serde_json::to_value(NewOrganisation::parse(&body()).unwrap()).unwrap(), body());
        let least = json!({"name": "A", "roles": ["controller", "processor"], "country": "FR"});
        let least = NewOrganisation::parse(&least).unwrap();
        assert!(least.contacts.is_empty() && least.regimes.is_empty() && least.release_policy.is_none());
        assert_eq!(least.sector, Sector::Private);
    }

    #[test]
    fn what_decides_on_supervision_is_checked() {
        let bad = json!({"name": "A", "roles": ["controller"], "country": "DE", "sector": "king", "regimes": ["NIS2", "dora", "dora"],
                         "main_establishment": "DE-XX", "release_policy": {"window_share_percent": 91, "on_timeout": "wait", "x": 1}});
        let expected = [
            "/sector",
            "/regimes/0",
            "/regimes/2",
            "/main_establishment",
            "/release_policy/window_share_percent",
            "/release_policy/on_timeout",
            "/release_policy/x",
            "/release_policy",
        ];
        assert_eq!(pointers(&bad), expected);
    }

    #[test]
    fn all_faults_come_at_once() {
        let bad = json!({"name": " ", "roles": ["processor", "king"], "country": "XX", "vat": "1",
                         "contacts": [{"role": "DPO", "name": "x", "email": "nobody"}, {"role": "dpo", "name": "x"}]});
        let expected =
            ["/name", "/roles/1", "/country", "/contacts/0/role", "/contacts/0/email", "/contacts/1", "/vat"];
        assert_eq!(pointers(&bad), expected);
        assert_eq!(pointers(&json!([])), [""]);
        assert_eq!(pointers(&json!({})), ["/name", "/roles", "/country"]);
    }

    #[test]
    fn a_region_lies_in_its_country() {
        let mut body = body();
        body["region"] = json!("AT-9");
        assert_eq!(pointers(&body), ["/region"]);
    }

    #[test]
    fn mistyped_addresses_are_refused() {
        for address in
            ["@example.org", "a@", "a b@example.org", "a@example.org,b@example.org", "A <a@example.org>", "a@.org"]
        {
            let place = json!(address);
            assert_eq!(email(&Place::root(&place), &mut Faults::default()), None, "{address}");
        }
    }
}
