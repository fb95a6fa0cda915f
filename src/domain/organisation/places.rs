//! Country and region codes, ISO 3166. Data only.

/// ISO 3166-1 alpha-2, officially assigned.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
    UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// The German Länder, ISO 3166-2; they decide the competent authority and the holidays.
const LAENDER: &str = "BW BY BE BB HB HH HE MV NI NW RP SL SN ST SH TH";

/// The member states of the European Union.
const EU: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK";

/// Whether `country` is a member state of the European Union.
pub fn is_in_eu(country: &str) -> bool {
    country.len() == 2 && EU.split_ascii_whitespace().any(|member| member == country)
}

/// Whether `country` is a state of the European Economic Area.
pub fn is_in_eea(country: &str) -> bool {
    is_in_eu(country) || matches!(country, "IS" | "LI" | "NO")
}

/// Whether `code` is an officially assigned ISO 3166-1 alpha-2 code.
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && COUNTRIES.split_ascii_whitespace().any(|known| known == code)
}

/// Whether `region` is written as an ISO 3166-2 code of `country`; for Germany, whether the Land exists.
pub fn is_region_of(region: &str, country: &str) -> bool {
    let Some(part) = region.strip_prefix(country).and_then(|rest| rest.strip_prefix('-')) else {
        return false;
    };
    if country == "DE" {
        return LAENDER.split_ascii_whitespace().any(|land| land == part);
    }
    (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_the_249_assigned_ones() {
        let mut codes: Vec<_> = COUNTRIES.split_ascii_whitespace().collect();
        codes.dedup();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted());
        assert!(is_country("DE"));
        assert!(!is_country("UK") && !is_country("de") && !is_country("D") && !is_country("DE "));
    }

    #[test]
    fn regions_belong_to_their_country() {
        assert_eq!(LAENDER.split_ascii_whitespace().count(), 16);
        assert!(is_region_of("DE-BW", "DE") && is_region_of("AT-9", "AT") && is_region_of("FR-IDF", "FR"));
        for (region, country) in [("DE-XX", "DE"), ("AT-9", "DE"), ("AT", "AT"), ("AT-", "AT"), ("AT-wien", "AT")] {
            assert!(!is_region_of(region, country), "{region}");
        }
    }
}
