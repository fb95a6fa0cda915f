//! The five example agreements as terms files: what the clauses say must come through. Expected values are written from the
//! agreements, never read from the files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path};

use art33::domain::{
    agreement::TermsFile,
    catalogue::AgreementTerm,
    terms::{DataLocation, Terms},
    vocabulary::{
        Channel,
        ContentMember::{self, Consequences, Contact, Extent, HowObtained, Measures, Nature, Time},
        CountedFrom, FilingGate, Form,
        IncidentKind::{
            self, AuthorityInspection, CertificateLoss, ContactChange, Disruption, Irregularity, PersonalDataBreach,
            SeizureOrInsolvency, SubprocessorBreach, SubprocessorChange, SuspectedBreach, UnlawfulInstruction,
            ViolationOfContract, ViolationOfInstruction, ViolationOfLaw,
        },
    },
};

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/agreements")
}

fn terms(name: &str) -> Terms {
    let text = fs::read_to_string(directory().join(format!("{name}.toml"))).unwrap();
    let file = toml::from_str(&text).unwrap();
    TermsFile::parse(&file).unwrap_or_else(|faults| panic!("{name}: {faults:?}")).terms
}

fn assert_triggers(terms: &Terms, expected: &[IncidentKind]) {
    assert_eq!(terms.triggers, expected.iter().copied().collect());
}

fn assert_content(terms: &Terms, kind: IncidentKind, special: bool, expected: &[ContentMember]) {
    assert_eq!(terms.required_content(kind, special), expected.iter().copied().collect(), "{kind}");
}

fn assert_no_fixed_limit(terms: &Terms) {
    for kind in &terms.triggers {
        assert_eq!(terms.limit(*kind, false).as_str(), "without_undue_delay", "{kind}");
        assert_eq!(terms.limit(*kind, true).length(), None, "{kind}");
    }
}

fn assert_clauses(terms: &Terms, expected: &[(IncidentKind, &str)]) {
    for (kind, clause) in expected {
        assert_eq!(terms.clause(*kind, false), Some(*clause), "{kind}");
    }
}

/// Span and clause of a term for an incident of this kind that touches special categories.
fn promise(terms: &Terms, term: AgreementTerm, kind: IncidentKind) -> Option<String> {
    terms.promise(term, kind, true).map(|promise| format!("{}, {}", promise.span, promise.clause.unwrap()))
}

fn objection(terms: &Terms) -> Option<String> {
    promise(terms, AgreementTerm::SubprocessorObjection, SubprocessorChange)
}

fn one(area: &str) -> DataLocation {
    DataLocation::One(area.to_owned())
}

fn several(areas: &[&str]) -> DataLocation {
    DataLocation::Several(areas.iter().map(|area| (*area).to_owned()).collect())
}

#[test]
fn krankikom_tells_suspicions_and_disruptions_and_files_only_on_instruction() {
    let terms = terms("krankikom");
    let kinds = [PersonalDataBreach, SuspectedBreach, Disruption, Irregularity, ViolationOfLaw, ViolationOfContract];
    let others = [SubprocessorBreach, SeizureOrInsolvency, ContactChange, UnlawfulInstruction, SubprocessorChange];
    assert_triggers(&terms, &[&kinds[..], &others, &[ViolationOfInstruction]].concat());
    assert_no_fixed_limit(&terms);
    assert_eq!(terms.counted_from, CountedFrom::Suspicion);
    assert_content(&terms, PersonalDataBreach, false, &[]);
    assert_eq!(terms.form, Form::Any);
    assert_eq!(terms.filing_on_behalf, FilingGate::InstructionRequired);
    assert_eq!(terms.data_location, Some(several(&["EEA", "third_country_safeguards"])));
    assert_eq!(terms.clause(SuspectedBreach, false), Some("§ 7"));
    assert_clauses(
        &terms,
        &[
            (SeizureOrInsolvency, "§ 12"),
            (ContactChange, "§ 6"),
            (UnlawfulInstruction, "§ 6"),
            (SubprocessorChange, "§ 8"),
        ],
    );
    assert_eq!(objection(&terms), None, "nothing without prior approval");
}

#[test]
fn resolvio_tells_breaches_only_and_authority_measures() {
    let terms = terms("resolvio");
    let others = [AuthorityInspection, UnlawfulInstruction, SubprocessorChange];
    assert_triggers(&terms, &[&[PersonalDataBreach, SubprocessorBreach][..], &others].concat());
    assert!(!terms.is_triggered_by(Disruption) && !terms.is_triggered_by(SuspectedBreach));
    assert_no_fixed_limit(&terms);
    assert_eq!(terms.counted_from, CountedFrom::Awareness);
    assert_content(&terms, PersonalDataBreach, false, &[Nature, Contact, Consequences, Measures]);
    assert_content(&terms, AuthorityInspection, false, &[]);
    assert_eq!(terms.form, Form::Any);
    assert_eq!(terms.filing_on_behalf, FilingGate::DocumentedInstructions);
    assert_eq!(terms.data_location, Some(several(&["DE", "EEA"])));
    assert_clauses(
        &terms,
        &[
            (PersonalDataBreach, "8.1.2"),
            (AuthorityInspection, "5.3"),
            (UnlawfulInstruction, "9.2"),
            (SubprocessorChange, "6.3"),
        ],
    );
    assert_eq!(objection(&terms).as_deref(), Some("P14D, 6.3"));
}

#[test]
fn alfaview_tells_suspicions_also_of_sub_processors_and_files_only_on_instruction() {
    let terms = terms("alfaview");
    let kinds = [PersonalDataBreach, SuspectedBreach, Disruption, Irregularity, ViolationOfLaw, ViolationOfContract];
    let others = [ViolationOfInstruction, SubprocessorBreach, ContactChange, UnlawfulInstruction, SubprocessorChange];
    assert_triggers(&terms, &[&kinds[..], &others].concat());
    assert_no_fixed_limit(&terms);
    assert_eq!(terms.counted_from, CountedFrom::Suspicion);
    assert_content(&terms, PersonalDataBreach, false, &[]);
    assert_eq!(terms.form, Form::Any);
    assert_eq!(terms.filing_on_behalf, FilingGate::InstructionRequired);
    assert_eq!(terms.data_location, Some(one("EEA")));
    assert_clauses(
        &terms,
        &[
            (SubprocessorBreach, "§ 4(7)"),
            (ContactChange, "§ 4(5)"),
            (UnlawfulInstruction, "§ 6(3)"),
            (SubprocessorChange, "§ 9(1)"),
        ],
    );
    assert_eq!(objection(&terms).as_deref(), Some("P14D, § 9(1)"));
}

#[test]
fn ora_azubiheft_has_24_hours_full_content_and_a_rule_for_special_categories() {
    let terms = terms("ora-azubiheft");
    let violations = [ViolationOfLaw, ViolationOfContract, ViolationOfInstruction, SubprocessorBreach];
    let others = [PersonalDataBreach, SuspectedBreach, Disruption, AuthorityInspection, SeizureOrInsolvency];
    let contract = [ContactChange, UnlawfulInstruction, SubprocessorChange, CertificateLoss];
    assert_triggers(&terms, &[&violations[..], &others, &contract].concat());
    for kind in [PersonalDataBreach, ViolationOfInstruction, SubprocessorBreach] {
        assert_eq!(terms.limit(kind, false).length(), Some(time::Duration::hours(24)), "{kind}");
        assert_eq!(terms.limit(kind, true).length(), Some(time::Duration::hours(24)), "{kind}");
    }
    for kind in [&[SuspectedBreach, Disruption, AuthorityInspection, SeizureOrInsolvency][..], &contract].concat() {
        assert_eq!(terms.limit(kind, false).length(), None, "{kind}");
        assert_content(&terms, kind, false, &[]);
        assert_eq!(terms.promise(AgreementTerm::CompleteWithin, kind, false), None, "{kind}");
    }
    assert_eq!(
        promise(&terms, AgreementTerm::CompleteWithin, ViolationOfInstruction).as_deref(),
        Some("PT24H, § 5(3)")
    );
    assert_eq!(
        promise(&terms, AgreementTerm::SpecialCategories, PersonalDataBreach).as_deref(),
        Some("without_undue_delay, § 5(7)")
    );
    let suspected = promise(&terms, AgreementTerm::NotifyWithin, SuspectedBreach);
    assert_eq!(suspected.as_deref(), Some("without_undue_delay, § 5(7)"), "the 24 hours are for certain events");
    assert_content(&terms, SuspectedBreach, true, &[Nature, Measures, Time, Extent, HowObtained]);
    assert_eq!(objection(&terms), None, "prior consent, and no number of days for an objection");
    assert_eq!(terms.authorised_instructors.len(), 3);
    assert_eq!(terms.counted_from, CountedFrom::Awareness);
    let letters_a_to_d: BTreeSet<_> = ContentMember::STATUTORY.iter().copied().collect();
    assert_eq!(terms.required_content(PersonalDataBreach, false), letters_a_to_d);
    let special = terms.required_content(PersonalDataBreach, true);
    assert_eq!(special.difference(&letters_a_to_d).copied().collect::<Vec<_>>(), [Time, Extent, HowObtained]);
    assert_eq!(terms.form, Form::Text);
    assert_eq!((terms.addressees[0].role.as_str(), terms.addressees[0].channel), ("breach_desk", Channel::Webhook));
    assert_eq!(terms.filing_on_behalf, FilingGate::DocumentedInstructions);
    assert_eq!(terms.data_location, Some(one("DE")));
    assert!(terms.internal_target(true).length() < terms.internal_target(false).length());
    assert_eq!(terms.clause(PersonalDataBreach, true), Some("§ 5(3)"), "the 24 hours stand there");
    assert_eq!(terms.content_clause(PersonalDataBreach, true, HowObtained), Some("§ 5(7)"));
    assert_clauses(
        &terms,
        &[
            (SuspectedBreach, "§ 5(7)"),
            (Disruption, "§ 5(4)"),
            (AuthorityInspection, "§ 5(5)"),
            (SeizureOrInsolvency, "§ 13(1)"),
            (ContactChange, "§ 4"),
            (UnlawfulInstruction, "§ 4(1)"),
            (SubprocessorChange, "§ 7(1)"),
            (CertificateLoss, "§ 6(5)"),
        ],
    );
}

#[test]
fn arbeitszeiterfassung_tells_violations_after_gaining_knowledge() {
    let terms = terms("arbeitszeiterfassung");
    let violations =
        [PersonalDataBreach, ViolationOfLaw, ViolationOfContract, ViolationOfInstruction, SubprocessorBreach];
    let others = [AuthorityInspection, SeizureOrInsolvency, UnlawfulInstruction, SubprocessorChange];
    assert_triggers(&terms, &[&violations[..], &others].concat());
    assert_no_fixed_limit(&terms);
    assert_eq!(terms.counted_from, CountedFrom::Awareness);
    assert_content(&terms, ViolationOfContract, false, &[Measures]);
    assert_content(&terms, SeizureOrInsolvency, false, &[]);
    assert_eq!(terms.form, Form::Any);
    assert_eq!(terms.filing_on_behalf, FilingGate::DocumentedInstructions);
    assert_eq!(terms.data_location, Some(one("EEA")));
    assert_clauses(
        &terms,
        &[
            (ViolationOfLaw, "4.3"),
            (AuthorityInspection, "4.4"),
            (SeizureOrInsolvency, "10.1"),
            (UnlawfulInstruction, "3.3"),
            (SubprocessorChange, "7.1"),
        ],
    );
    assert_eq!(objection(&terms).as_deref(), Some("P14D, 7.1"));
}

#[test]
fn every_example_is_one_of_the_five_and_survives_being_written_and_read() {
    let mut names: Vec<_> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["alfaview", "arbeitszeiterfassung", "krankikom", "ora-azubiheft", "resolvio"]);
    for name in names {
        let terms = terms(&name);
        let file = serde_json::json!({ "terms": terms });
        assert_eq!(TermsFile::parse(&file).unwrap().terms, terms, "{name}");
        assert!(terms.internal_target.as_str() == "PT12H" && terms.language == "de");
    }
}
