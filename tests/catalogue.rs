//! The catalogue of obligations as a file: the one that is shipped, what is wrong with others, and what a change would mean.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

use art33::domain::catalogue::{Catalogue, Comparison, Obligation, Selection, Status};
use art33::domain::fault::Faults;
use art33::domain::law::{InvalidLaw, LawFile};
use art33::domain::parse::Place;
use serde_json::{Value, json};
use time::macros::date;

fn shipped() -> Value {
    art33::config::document(Some("law/obligations.toml".as_ref()), "", "").unwrap().content
}

fn parse(content: Value) -> Result<Catalogue, InvalidLaw> {
    Catalogue::from_file(&LawFile { name: "obligations.toml".to_owned(), content })
}

fn catalogue(content: Value) -> Catalogue {
    parse(content).unwrap_or_else(|error| panic!("{error}"))
}

/// The row of a code in a file.
fn row<'f>(file: &'f mut Value, code: &str) -> &'f mut Value {
    file["obligation"].as_array_mut().unwrap().iter_mut().find(|row| row["code"] == code).unwrap()
}

fn read(row: &Value) -> Result<Obligation, Faults> {
    let mut faults = Faults::default();
    let read = Obligation::parse(&Place::root(row), &mut faults);
    faults.finish(read)
}

/// A small catalogue: one row from the law, one from the agreement, one that follows.
fn small() -> Value {
    let common = json!({"regime": "test", "basis": "Art. 1", "title": {"en": "Do it", "de": "Tu es"}, "end": "filed",
        "rule": "eu_hours", "weekends": "counted", "holidays_of": "debtor", "valid_from": "2026-01-01"});
    let row = |own: Value| {
        let mut row = common.clone();
        row.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        row
    };
    json!({"version": "1", "obligation": [
        row(json!({"code": "first", "debtor": "controller", "recipient": "supervisory_authority",
                   "start": "controller_informed", "span": "PT72H"})),
        row(json!({"code": "told", "debtor": "processor", "recipient": "controller", "start": "processor_aware",
                   "end": "controller_informed", "span": "agreement:notify_within", "rule": "natural_hours",
                   "trigger": {"kinds": ["disruption"], "agreement": "notify_within"}})),
        row(json!({"code": "second", "debtor": "controller", "recipient": "supervisory_authority",
                   "start": "fulfilled:first", "span": "P1M", "rule": "eu_months", "weekends": "next_working_day"})),
    ]})
}

/// The file with members of the row of `code` replaced; null takes a member away.
fn with(mut file: Value, code: &str, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        row(&mut file, code)[name] = value.clone();
    }
    file
}

/// The file with a copy of the row of `code` behind it, changed.
fn and(mut file: Value, code: &str, changes: &Value) -> Value {
    let mut copy = row(&mut file, code).clone();
    for (name, value) in changes.as_object().unwrap() {
        copy[name] = value.clone();
    }
    file["obligation"].as_array_mut().unwrap().push(copy);
    file
}

#[test]
fn every_row_is_read_back_as_it_was_written() {
    for row in catalogue(shipped()).rows() {
        let written = serde_json::to_value(row.as_ref()).unwrap();
        assert_eq!(read(&written).as_ref(), Ok(row.as_ref()), "{written}");
    }
}

#[test]
fn the_shipped_rows_cover_every_regime_and_the_proposal_is_owed_by_nobody() {
    let catalogue = catalogue(shipped());
    let codes: BTreeSet<&str> = catalogue.rows().iter().map(|row| row.code.as_str()).collect();
    for code in [
        "gdpr_33_1",
        "gdpr_28_3_instruction",
        "gdpr_33_2",
        "gdpr_33_4",
        "gdpr_33_5",
        "gdpr_34",
        "contract_notice",
        "contract_notice_complete",
        "contract_violation",
        "contract_disruption",
        "contract_special_disclosure",
        "contract_inspection",
        "contract_seizure",
        "contract_seizure_involved",
        "contract_contact_change",
        "contract_unlawful_instruction",
        "contract_subprocessor_change",
        "contract_subprocessor_objection",
        "contract_certificate_loss",
        "open_item",
        "release",
        "nis2_early_warning",
        "nis2_notification",
        "nis2_notification_trust",
        "nis2_final",
        "bsig_32_final",
        "dora_initial",
        "dora_intermediate",
        "dora_final",
        "cra_early_warning",
        "cra_notification",
        "cra_final_vulnerability",
        "cra_final_incident",
        "cra_users",
        "eidas_19a",
        "eidas_24",
        "uk_gdpr_33_1",
        "uk_gdpr_33_4",
        "uk_gdpr_33_5",
        "uk_gdpr_34",
        "fadp_24_1",
        "fadp_24_4",
    ] {
        assert!(codes.contains(code), "{code}");
    }
    let law: BTreeSet<&str> = catalogue.in_force(date!(2030 - 01 - 01)).map(|row| row.code.as_str()).collect();
    assert_eq!(codes.difference(&law).copied().collect::<Vec<_>>(), ["gdpr_33_1_omnibus"]);
    let proposals = catalogue.select(&Selection { status: Some(Status::Proposal), ..Selection::default() });
    assert_eq!(proposals.items.len(), 1);
}

#[test]
fn a_row_that_is_added_is_there() {
    let file = and(
        shipped(),
        "gdpr_33_1",
        &json!({
            "code": "kdg_33", "regime": "kdg", "basis": "§ 33 KDG", "trigger": {"binds": "declared"},
        }),
    );
    let catalogue = catalogue(file);
    let found = catalogue.select(&Selection { regime: Some("kdg".to_owned()), ..Selection::default() });
    assert_eq!(found.items.iter().map(|row| row.basis.as_str()).collect::<Vec<_>>(), ["§ 33 KDG"]);
}

#[test]
fn days_may_stand_with_or_without_quotes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "one = 2026-01-01\ntwo = [{ three = \"2026-01-01\" }]\n").unwrap();
    let read = art33::config::document(Some(file.path()), "", "").unwrap().content;
    assert_eq!(read, json!({"one": "2026-01-01", "two": [{"three": "2026-01-01"}]}));
}

/// Each file has the fault of the message and no other; without a message it is good.
#[track_caller]
fn assert_faults(cases: &[(Value, &str)]) {
    for (file, message) in cases {
        let found = parse(file.clone()).map_err(|error| error.0).err().unwrap_or_default();
        if message.is_empty() {
            assert_eq!(found, [""; 0], "{file}");
        } else {
            assert_eq!(found.len(), 1, "{message}: {found:#?}");
            assert!(found[0].starts_with(&format!("obligations.toml: {message}")), "{message}: {found:#?}");
        }
    }
}

#[test]
fn members_that_cannot_be_read_are_named_with_file_row_and_field() {
    let first = |changes: Value| with(small(), "first", &changes);
    let told = |changes: Value| with(small(), "told", &changes);
    let second = |changes: Value| with(small(), "second", &changes);
    assert_faults(&[
        (json!({"version": "1"}), "field `obligation`: The member `obligation` is required."),
        (json!({"version": "1", "obligation": []}), "field `obligation`: The file has no row."),
        (first(json!({"rule": "moon"})), "row `first`, field `rule`: Expected one of: natural_hours, "),
        (first(json!({"span": 72})), "row `first`, field `span`: Expected a span with its unit, such as PT72H"),
        (first(json!({"span": "72"})), "row `first`, field `span`: Expected a span with its unit, such as PT72H"),
        (first(json!({"span": "soon"})), "row `first`, field `span`: Expected an ISO 8601 duration with unit"),
        (first(json!({"span": "P1M"})), "row `first`, field `span`: `eu_hours` counts whole hours"),
        (second(json!({"span": "PT72H"})), "row `second`, field `span`: `eu_months` counts months"),
        (first(json!({"weekends": "skipped"})), "row `first`, field `weekends`: The rule `eu_hours` means `counted`."),
        (first(json!({"title": null})), "row `first`, field `title`: The member `title` is required."),
        (first(json!({"title": {"en": "Do it"}})), "row `first`, field `title.de`: The member `de` is required."),
        (
            told(json!({"valid_to": "2025-12-31"})),
            "row `told`, field `valid_to`: The last day lies before the first one, 2026-01-01.",
        ),
        (told(json!({"code": null})), "row 2, field `code`: The member `code` is required."),
        (first(json!({"colour": "red"})), "row `first`, field `colour`: This member is not known here."),
        (
            first(json!({"trigger": {"seats": ["DE", "Europe"]}})),
            "row `first`, field `trigger.seats[2]`: Expected an ISO 3166 code",
        ),
        (
            first(json!({"cap": {"span": "P1M", "start": "debtor_aware"}})),
            "row `first`, field `cap.span`: `eu_hours` counts",
        ),
        (
            first(json!({"cap": {"span": "without_undue_delay", "start": "debtor_aware"}})),
            "row `first`, field `cap.span`: A cap needs a fixed length",
        ),
    ]);
}

#[test]
fn rows_that_contradict_themselves_are_named() {
    let first = |changes: Value| with(small(), "first", &changes);
    let told = |changes: Value| with(small(), "told", &changes);
    assert_faults(&[
        (
            first(json!({"start": "processor_aware"})),
            "row `first`, field `start`: `processor_aware` never happens for the debtor `controller`.",
        ),
        (
            first(json!({"start": "filed", "end": "controller_decided"})),
            "row `first`, field `start`: `filed` never happens",
        ),
        (
            first(json!({"debtor": "either"})),
            "row `first`, field `start`: `controller_informed` never happens for the debtor `either`.",
        ),
        (
            first(json!({"end": "controller_informed"})),
            "row `first`, field `end`: What starts the clock cannot also end it.",
        ),
        (first(json!({"end": "item_given"})), "row `first`, field `end`: Only an open item can be given"),
        (
            first(json!({"debtor": "controller", "recipient": "controller"})),
            "row `first`, field `recipient`: What `controller` owes cannot be owed to `controller`.",
        ),
        (
            first(json!({"span": "stated", "rule": "natural_hours"})),
            "row `first`, field `span`: Only open items have a stated time",
        ),
        (
            first(json!({"span": "release_window", "rule": "natural_hours"})),
            "row `first`, field `span`: Only a release has this window",
        ),
        (
            first(json!({"trigger": {"agreement": "notify_within"}})),
            "row `first`, field `trigger.agreement`: An agreement binds its processor and its controller",
        ),
        (
            first(json!({"trigger": {"yields_to": ["nobody"]}})),
            "row `first`, field `trigger.yields_to[1]`: There is no row with the code `nobody`.",
        ),
        (
            told(json!({"trigger": {"agreement": "complete_within"}})),
            "row `told`, field `span`: An agreement without this term has no such span",
        ),
        (told(json!({"span": "agreement:payment"})), "row `told`, field `span`: Expected an ISO 8601 duration"),
        (
            told(json!({"recipient": "record", "trigger": null, "span": "PT1H", "holidays_of": "controller"})),
            "row `told`, field `holidays_of`: It is owed once for all controllers",
        ),
    ]);
}

#[test]
fn rows_that_do_not_fit_together_are_named() {
    let second = |changes: Value| with(small(), "second", &changes);
    let circle =
        with(with(small(), "first", &json!({"start": "fulfilled:second"})), "second", &json!({"rule": "eu_months"}));
    let yields = with(small(), "first", &json!({"trigger": {"yields_to": ["second"]}}));
    let yields = with(yields, "second", &json!({"trigger": {"yields_to": ["first"]}}));
    assert_faults(&[
        (
            second(json!({"start": "fulfilled:nothing"})),
            "row `second`, field `start`: There is no row with the code `nothing`.",
        ),
        (second(json!({"trigger": {"kinds": ["disruption"]}, "start": "fulfilled:first"})), ""),
        (
            with(
                second(json!({"trigger": {"kinds": ["disruption"]}})),
                "first",
                &json!({"trigger": {"kinds": ["irregularity"]}}),
            ),
            "row `second`, field `start`: `first` is never owed in the same case",
        ),
        (
            with(small(), "first", &json!({"status": "proposal"})),
            "row `second`, field `start`: `first` is never owed in the same case",
        ),
        (second(json!({"debtor": "either"})), "row `second`, field `start`: `first` is never owed in the same case"),
        (circle, "row `first`, field `start`: The rows wait for each other in a circle: `first` → `second` → `first`."),
        (
            yields,
            "row `first`, field `trigger.yields_to`: The rows wait for each other in a circle: `first` → `second` → `first`.",
        ),
        (
            and(small(), "told", &json!({"valid_from": "2026-06-01"})),
            "row 4 (`told`), field `valid_from`: Another row `told` holds from 2026-01-01 without end.",
        ),
        (
            and(
                with(small(), "told", &json!({"valid_to": "2026-05-31"})),
                "told",
                &json!({"valid_from": "2026-06-01", "valid_to": null}),
            ),
            "",
        ),
    ]);
}

#[test]
fn all_faults_come_at_once() {
    let file = with(small(), "first", &json!({"rule": "moon", "valid_from": "soon", "title": null}));
    let file = with(file, "told", &json!({"weekends": "skipped"}));
    let file = with(file, "second", &json!({"span": 1}));
    let error = parse(file).unwrap_err();
    let fields: Vec<_> = error.0.iter().map(|line| line.split('`').nth(3).unwrap()).collect();
    assert_eq!(fields, ["title", "rule", "valid_from", "span", "weekends"]);
}

#[test]
fn equal_catalogues_have_no_difference() {
    let comparison = Comparison::of(&catalogue(shipped()), &catalogue(shipped()), date!(2026 - 11 - 22));
    assert!(comparison.is_empty() && comparison.effects.is_empty());
}

/// Code, change, first and last day, and what else `part` names of each effect.
fn effects(before: Value, after: Value) -> Value {
    let comparison = Comparison::of(&catalogue(before), &catalogue(after), date!(2026 - 11 - 22));
    serde_json::to_value(&comparison.effects).unwrap()
}

#[test]
fn an_effect_says_for_whom_from_when_and_what() {
    let mut after = with(small(), "first", &json!({"valid_to": "2027-06-30"}));
    after = and(
        after,
        "first",
        &json!({"valid_from": "2027-07-01", "valid_to": null, "span": "PT96H", "threshold": "high_risk",
                                        "trigger": {"kinds": ["personal_data_breach"], "facts": ["open_items"], "seats": ["DE"]}}),
    );
    let kinds = |own: &Value| own["kinds"].as_array().unwrap().len();
    let effects = effects(small(), after);
    let effects = effects.as_array().unwrap();
    let short: Vec<_> =
        effects.iter().map(|one| (one["change"].as_str().unwrap(), one["from"].as_str().unwrap())).collect();
    assert_eq!(short, [("removed", "2027-07-01"), ("changed", "2027-07-01")], "{effects:#?}");
    assert_eq!(kinds(&effects[0]), 14, "other kinds, or other seats, or no open items");
    let changed = &effects[1];
    assert_eq!(
        (&changed["kinds"], &changed["facts"], &changed["seats"]),
        (&json!(["personal_data_breach"]), &json!(["open_items"]), &json!(["DE"]))
    );
    assert_eq!(
        changed["fields"],
        json!([
            {"field": "span", "before": "PT72H", "after": "PT96H"},
            {"field": "threshold", "before": "none", "after": "high_risk"},
        ])
    );
}

#[test]
fn a_row_that_others_yield_to_takes_their_place() {
    let before = with(
        small(),
        "told",
        &json!({"trigger": {"kinds": ["disruption"], "agreement": "notify_within", "yields_to": ["special"]}}),
    );
    let before = and(
        before,
        "told",
        &json!({"code": "special", "status": "proposal", "trigger": {"kinds": ["disruption"], "agreement": "notify_within"}}),
    );
    let after = with(before.clone(), "special", &json!({"status": "law"}));
    let effects = effects(before, after);
    let short: Vec<_> =
        effects.as_array().unwrap().iter().map(|one| (&one["code"], &one["change"], &one["agreement"])).collect();
    assert_eq!(
        short,
        [(&json!("special"), &json!("added"), &json!(true)), (&json!("told"), &json!("removed"), &json!(true))]
    );
}

#[test]
fn a_difference_that_ends_says_when() {
    let before = with(small(), "first", &json!({"valid_to": "2027-03-31"}));
    let after = with(small(), "first", &json!({"valid_to": "2026-12-31"}));
    let effects = effects(before, after);
    assert_eq!((&effects[0]["from"], &effects[0]["until"]), (&json!("2027-01-01"), &json!("2027-03-31")));
    assert_eq!(effects.as_array().unwrap().len(), 1, "{effects:#}");
}

#[test]
fn other_words_change_no_duty() {
    let reworded = with(small(), "first", &json!({"title": {"en": "Do it well", "de": "Tu es"}}));
    let comparison = Comparison::of(&catalogue(small()), &catalogue(reworded), date!(2026 - 11 - 22));
    assert_eq!((comparison.rows.len(), comparison.effects.len()), (1, 0));
}
