//! Competence against the built-in file, and files that make no sense.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;
use time::macros::date;

use super::*;

const DAY: Date = date!(2026 - 11 - 22);

fn built_in() -> Authorities {
    let table: toml::Table = include_str!("../../../law/authorities.toml").parse().unwrap();
    Authorities::parse(&serde_json::to_value(table).unwrap()).unwrap()
}

fn seat(code: &str, sector: Sector) -> Seat {
    let (country, region) = match code.split_once('-') {
        Some((country, _)) => (country, Some(code.to_owned())),
        None => (code, None),
    };
    Seat {
        country: country.to_owned(),
        region,
        sector,
        regimes: BTreeSet::new(),
        main_establishment: None,
        release_policy: None,
    }
}

fn countries(list: &str) -> BTreeSet<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

fn ids(authorities: &[Authority]) -> Vec<&str> {
    authorities.iter().map(|authority| authority.id.as_str()).collect()
}

#[test]
fn seat_and_sector_decide() {
    let law = built_in();
    for (code, sector, expected) in [
        ("DE-BW", Sector::Private, "de-bw"),
        ("DE-BY", Sector::Private, "de-by-lda"),
        ("DE-BY", Sector::Public, "de-by-lfd"),
        ("DE-NW", Sector::Public, "de-nw"),
        ("DE-BE", Sector::Federal, "de-bund"),
        ("DE", Sector::Telecom, "de-bund"),
        ("DE-SN", Sector::Post, "de-bund"),
        ("DE-HH", Sector::ChurchProtestant, "de-ekd"),
        ("DE-BY", Sector::ChurchCatholic, "de-kdsz-bayern"),
        ("DE-RP", Sector::ChurchCatholic, "de-kdsz-frankfurt"),
        ("DE-NI", Sector::Broadcasting, "de-ndr"),
        ("DE-SL", Sector::Broadcasting, "de-rundfunk"),
        ("DE-BY", Sector::PrivateBroadcasting, "de-blm"),
        ("DE-HE", Sector::PrivateBroadcasting, "de-he"),
        ("FR", Sector::Public, "fr-cnil"),
        ("FR-IDF", Sector::Private, "fr-cnil"),
        ("ES-CT", Sector::Public, "es-apdcat"),
        ("ES-CT", Sector::Private, "es-aepd"),
        ("ES-MD", Sector::Public, "es-aepd"),
        ("GB", Sector::Private, "gb-ico"),
        ("CH", Sector::Private, "ch-fdpic"),
    ] {
        let found = law.competent(&seat(code, sector), DAY).authority.map(|authority| authority.id.as_str());
        assert_eq!(found, Some(expected), "{code} {sector}");
    }
}

#[test]
fn every_land_and_every_state_has_exactly_one_authority_for_each_sector() {
    let law = built_in();
    let laender = ["BW", "BY", "BE", "BB", "HB", "HH", "HE", "MV", "NI", "NW", "RP", "SL", "SN", "ST", "SH", "TH"];
    assert_eq!(law.eea.len(), 30);
    let states = law.eea.iter().filter(|state| *state != "DE").cloned();
    for place in laender.iter().map(|land| format!("DE-{land}")).chain(states) {
        for (code, sector) in Sector::CODES {
            assert!(law.competent(&seat(&place, *sector), DAY).authority.is_some(), "{place} {code}");
        }
    }
    for country in &law.eea {
        assert!(law.contact(country, DAY).is_some(), "{country} has no contact");
    }
}

#[test]
fn the_basis_says_why() {
    let law = built_in();
    let basis = |code, sector| law.competent(&seat(code, sector), DAY).basis;
    assert_eq!(basis("DE-BW", Sector::Private), "§ 40(1) and (2) BDSG: seat in DE-BW, sector private");
    assert_eq!(basis("FR", Sector::Private), "Art. 55(1) GDPR: seat in FR, sector private");
    assert_eq!(basis("CH", Sector::Private), "Art. 4 FADP: seat in CH, sector private");
    let unknown = law.competent(&seat("DE", Sector::Private), DAY);
    assert_eq!(unknown.authority, None);
    assert!(unknown.basis.contains("names no region"), "{}", unknown.basis);
    assert!(basis("US", Sector::Private).starts_with("No supervisory authority is known"));
}

#[test]
fn the_main_establishment_goes_before_the_seat() {
    let law = built_in();
    let with = |code, main: &str| {
        let seat = Seat { main_establishment: Some(main.to_owned()), ..seat(code, Sector::Private) };
        law.jurisdiction(&seat, None, DAY)
    };
    let moved = with("DE-BW", "FR");
    assert_eq!((moved.competent.unwrap().id.as_str(), moved.lead.unwrap().id.as_str()), ("fr-cnil", "fr-cnil"));
    assert!(moved.cross_border && moved.basis[0].contains("main establishment in FR"), "{:?}", moved.basis);
    let within = with("DE-BW", "DE-HE");
    assert_eq!((within.competent.unwrap().id.as_str(), within.cross_border), ("de-he", false));
    assert_eq!(with("DE-BW", "DE").competent.unwrap().id, "de-bw", "a country alone says less than the seat's region");
    assert_eq!(with("DE-BW", "US").competent.unwrap().id, "de-bw", "one outside takes nobody out of the EEA");
    assert_eq!(with("US", "IE").competent.unwrap().id, "ie-dpc");
}

#[test]
fn persons_in_other_states_concern_their_authorities() {
    let law = built_in();
    let home = seat("DE-NW", Sector::Private);
    let found = law.jurisdiction(&home, Some(&countries("AT DE FR GB")), DAY);
    assert_eq!(found.lead.as_ref().unwrap().id, "de-nw");
    assert_eq!((ids(&found.concerned), found.cross_border), (vec!["at-dsb", "fr-cnil"], true));
    assert!(found.basis.iter().any(|basis| basis.starts_with("Art. 56(1) GDPR")), "{:?}", found.basis);
    assert!(found.basis.iter().any(|basis| basis.ends_with("GB")), "{:?}", found.basis);

    let at_home = law.jurisdiction(&home, Some(&countries("DE")), DAY);
    assert_eq!((at_home.lead, at_home.concerned, at_home.cross_border), (None, vec![], false));
    let abroad = law.jurisdiction(&seat("AT", Sector::Private), Some(&countries("DE")), DAY);
    assert_eq!(ids(&abroad.concerned), ["de-bund"], "one contact point stands for the German authorities");
    let public = law.jurisdiction(&seat("DE-NW", Sector::Public), Some(&countries("AT")), DAY);
    assert_eq!((public.lead, public.concerned.len(), public.cross_border), (None, 0, true));
}

#[test]
fn outside_the_eea_there_is_no_one_stop_shop() {
    let law = built_in();
    let found = law.jurisdiction(&seat("US", Sector::Private), Some(&countries("DE FR US")), DAY);
    assert_eq!((&found.competent, &found.lead), (&None, &None));
    assert_eq!(ids(&found.concerned), ["de-bund", "fr-cnil"]);
    let unknown = law.jurisdiction(&seat("US", Sector::Private), None, DAY);
    assert_eq!(unknown.concerned, []);
    assert!(unknown.basis.iter().any(|basis| basis.contains("not stated")), "{:?}", unknown.basis);
    let british = law.jurisdiction(&seat("GB", Sector::Private), Some(&countries("GB IE")), DAY);
    assert_eq!((british.competent.unwrap().id.as_str(), ids(&british.concerned)), ("gb-ico", vec!["ie-dpc"]));
}

#[test]
fn a_row_holds_on_its_days_only() {
    let row = |id: &str, from: Option<&str>, to: Option<&str>| json!({"id": id, "name": id, "country": "DE", "regions": ["DE-BY"], "sectors": ["private"], "valid_from": from, "valid_to": to});
    let file = json!({"version": "1", "eea": ["DE"], "authority": [
        row("de-old", None, Some("2027-12-31")), row("de-new", Some("2028-01-01"), None)]});
    let law = Authorities::parse(&file).unwrap();
    let on = |day| law.competent(&seat("DE-BY", Sector::Private), day).authority.unwrap().id.clone();
    assert_eq!((on(date!(2027 - 12 - 31)), on(date!(2028 - 01 - 01))), ("de-old".to_owned(), "de-new".to_owned()));
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_all_faults() {
    let row = |id: &str, region: &str, sectors: Value| json!({"id": id, "name": id, "country": "DE", "regions": [region], "sectors": sectors});
    let file = json!({"version": "1", "eea": ["DE", "XX"], "king": 1, "basis": [{"country": "QQ", "text": "x"}], "authority": [
        row("de-a", "DE-BY", json!(["private", "public"])),
        row("de-b", "DE-BY", json!(["public"])),
        row("de-a", "DE-XX", json!(["private"])),
        row("fr-c", "DE-BE", json!(["court"])),
        {"id": "de-d", "name": "d", "country": "DE", "sectors": "all", "contact_point": true, "url": "http://x",
         "valid_from": "2027-01-01", "valid_to": "2026-01-01"},
        {"id": "de-a", "name": "e", "country": "FR", "sectors": []},
        {"id": "de-a", "name": "e", "country": "DE", "sectors": []},
        {"id": "us-a", "name": "e", "country": "USA"},
    ]});
    let faults = Authorities::parse(&file).unwrap_err();
    let found: Vec<_> = faults.as_slice().iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
    let expected = [
        ("/eea/1", "country"),
        ("/basis/0/country", "country"),
        ("/authority/2/regions/0", "region"),
        ("/authority/3/id", "id"),
        ("/authority/3/sectors/0", "unknown_code"),
        ("/authority/4/url", "url"),
        ("/authority/4/valid_to", "time_order"),
        ("/authority/5/id", "id"),
        ("/authority/7/country", "too_long"),
        ("/authority/7/sectors", "required"),
        ("/authority/6/id", "duplicate"),
        ("/authority/1", "overlap"),
        ("/king", "unknown_member"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn no_country_has_two_contact_points() {
    let row = |id: &str| json!({"id": id, "name": id, "country": "DE", "sectors": [], "contact_point": true});
    let faults = Authorities::parse(&json!({"version": "1", "authority": [row("de-a"), row("de-b")]})).unwrap_err();
    assert_eq!(faults.as_slice()[0].pointer, "/authority/1/contact_point");
}
