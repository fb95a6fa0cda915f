//! The life of an instruction, and what it covers when.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::{collection, prelude::*, sample};
use serde_json::{Value, json};
use time::{Duration, macros::datetime};

use super::*;
use crate::domain::{fault::Faults, vocabulary::FilingGate};

const START: OffsetDateTime = datetime!(2026-11-22 00:00 UTC);
const REQUIRED: FilingGate = FilingGate::InstructionRequired;
const DOCUMENTED: FilingGate = FilingGate::DocumentedInstructions;

fn hour(hours: i64) -> OffsetDateTime {
    START + Duration::hours(hours)
}

fn id(number: u8) -> InstructionId {
    InstructionId::from_bytes([number; 16])
}

fn confirmation(at: OffsetDateTime) -> Confirmation {
    Confirmation { by: "Legal".to_owned(), form: InstructionForm::Text, at }
}

fn objection(at: OffsetDateTime) -> Objection {
    Objection { by: "Support".to_owned(), reason: "It would name third persons.".to_owned(), at }
}

fn given(number: u8, kind: InstructionKind, form: InstructionForm) -> Instruction {
    Instruction {
        id: id(number),
        incident: IncidentId::from_bytes([1; 16]),
        processor: OrganisationId::from_bytes([1; 16]),
        controller: OrganisationId::from_bytes([2; 16]),
        kind,
        scope: "The breach of Sunday.".to_owned(),
        form,
        given_by: "Legal".to_owned(),
        given_at: hour(0),
        replaces: None,
        state: InstructionState::first(form),
        recorded_by: OrganisationId::from_bytes([2; 16]),
        recorded_at: hour(0),
    }
}

fn lacks(instruction: &Instruction, at: OffsetDateTime) -> Option<Shortcoming> {
    let refused = covers(REQUIRED, std::slice::from_ref(instruction), Act::FileWithAuthority, at).err()?;
    refused.found.first().map(|(_, shortcoming)| *shortcoming)
}

#[test]
fn a_written_instruction_binds_at_once_and_an_oral_one_once_confirmed() {
    let mut text = given(1, InstructionKind::FileWithAuthority, InstructionForm::Text);
    assert!(text.is_in_force());
    assert_eq!((lacks(&text, hour(0)), lacks(&text, hour(-1))), (None, Some(Shortcoming::GivenAt(hour(0)))));
    assert_eq!(text.state.clone().confirm(confirmation(hour(1)), true), Err(InvalidStep::InForce));
    text.form = InstructionForm::Oral;
    text.state = InstructionState::first(InstructionForm::Oral);
    assert_eq!(lacks(&text, hour(1)), Some(Shortcoming::ConfirmedAt(None)));
    text.state = text.state.confirm(confirmation(hour(2)), false).unwrap();
    assert_eq!(lacks(&text, hour(1)), Some(Shortcoming::ConfirmedAt(Some(hour(2)))));
    assert_eq!(lacks(&text, hour(2)), None);
}

#[test]
fn an_objection_suspends_until_the_controller_confirms() {
    let mut one = given(1, InstructionKind::FileWithAuthority, InstructionForm::Written);
    one.state = one.state.object(objection(hour(2))).unwrap();
    assert_eq!(one.state.clone().object(objection(hour(3))), Err(InvalidStep::Suspended));
    assert_eq!(one.state.clone().confirm(confirmation(hour(4)), false), Err(InvalidStep::OnlyController));
    assert_eq!(lacks(&one, hour(3)), Some(Shortcoming::SuspendedAt(hour(2))));
    assert_eq!(lacks(&one, hour(1)), None, "what was done before stays covered");
    one.state = one.state.confirm(confirmation(hour(4)), true).unwrap();
    assert_eq!((lacks(&one, hour(3)), lacks(&one, hour(4))), (Some(Shortcoming::SuspendedAt(hour(2))), None));
    assert_eq!(one.state.clone().object(objection(hour(5))), Err(InvalidStep::Upheld));
    one.state = one.state.replace(id(2), hour(6)).unwrap();
    assert_eq!((lacks(&one, hour(5)), lacks(&one, hour(6))), (None, Some(Shortcoming::ReplacedAt(hour(6)))));
    assert_eq!(one.state.clone().replace(id(3), hour(7)), Err(InvalidStep::Replaced));
    assert_eq!(one.state.confirm(confirmation(hour(7)), true), Err(InvalidStep::Replaced));
}

#[test]
fn an_oral_instruction_can_be_objected_to_before_it_is_confirmed() {
    let mut oral = given(1, InstructionKind::FileWithAuthority, InstructionForm::Oral);
    oral.state = oral.state.object(objection(hour(1))).unwrap();
    oral.state = oral.state.confirm(confirmation(hour(3)), true).unwrap();
    assert_eq!((lacks(&oral, hour(2)), lacks(&oral, hour(3))), (Some(Shortcoming::SuspendedAt(hour(1))), None));
}

#[test]
fn the_gate_decides_which_kind_does() {
    let general = [given(1, InstructionKind::General, InstructionForm::Text)];
    let at = hour(1);
    assert!(covers(DOCUMENTED, &general, Act::FileWithAuthority, at).is_ok());
    let refused = covers(REQUIRED, &general, Act::FileWithAuthority, at).unwrap_err();
    assert_eq!(refused.found, []);
    assert!(refused.to_string().contains("`file_with_authority`") && refused.to_string().contains("none is recorded"));
    let persons = [given(2, InstructionKind::TellPersons, InstructionForm::Text)];
    assert!(covers(REQUIRED, &persons, Act::TellPersons, at).is_ok());
    for gate in [REQUIRED, DOCUMENTED] {
        assert!(covers(gate, &persons, Act::FileWithAuthority, at).is_err(), "{gate}");
        assert!(covers(gate, &[], Act::TellPersons, at).is_err(), "{gate}");
    }
    let mut newer = given(3, InstructionKind::TellPersons, InstructionForm::Text);
    newer.given_at = hour(1);
    let both = [newer, persons[0].clone()];
    assert_eq!(covers(REQUIRED, &both, Act::TellPersons, hour(2)).unwrap().id, id(3));
}

#[test]
fn a_refusal_says_what_each_instruction_lacks() {
    let oral = given(1, InstructionKind::FileWithAuthority, InstructionForm::Oral);
    let mut suspended = given(2, InstructionKind::FileWithAuthority, InstructionForm::Text);
    suspended.state = suspended.state.object(objection(hour(1))).unwrap();
    let refused = covers(REQUIRED, &[oral, suspended], Act::FileWithAuthority, hour(2)).unwrap_err().to_string();
    let expected = format!(
        "Filing with the supervisory authority on the controller's behalf needs a prior instruction `file_with_authority`: the \
         agreement demands one for exactly that (`filing_on_behalf` is `instruction_required`); {} is oral and not confirmed; {} is \
         suspended since 2026-11-22T01:00:00Z.",
        id(1),
        id(2)
    );
    assert_eq!(refused, expected);
}

#[test]
fn who_may_instruct_is_on_the_list_by_name_or_function() {
    let list = ["Personalabteilung".to_owned(), "Eva Beispiel".to_owned()];
    for person in
        ["Eva Beispiel", "eva beispiel", "Petra Muster, Personalabteilung", "Petra Muster (personalabteilung)"]
    {
        assert!(may_instruct(person, &list), "{person}");
    }
    for person in ["Petra Muster", "Eva", "Beispiel", "Eva Beispielhaft", "Leiter der Personalabteilung", ""] {
        assert!(!may_instruct(person, &list), "{person}");
    }
    assert!(may_instruct("anybody", &[]));
}

#[test]
fn all_faults_of_a_body_come_at_once() {
    let pointers = |faults: Faults| faults.as_slice().iter().map(|fault| fault.pointer.clone()).collect::<Vec<_>>();
    let bad = json!({"kind": "dance", "scope": " ", "form": "sung", "given_at": "2026-11-22T00:00:06Z", "replaces": "inc_1", "x": 1});
    let faults = NewInstruction::parse(&bad, START).unwrap_err();
    assert_eq!(pointers(faults), ["/kind", "/scope", "/form", "/given_by", "/given_at", "/replaces", "/x"]);
    let oral = json!({"form": "oral", "by": "Legal", "at": "2026-11-22T00:00:00Z"});
    assert_eq!(pointers(NewConfirmation::parse(&oral, START).unwrap_err()), ["/form"]);
    assert_eq!(pointers(NewObjection::parse(&json!({})).unwrap_err()), ["/by", "/reason"]);
    let ahead = json!({"form": "text", "by": "Legal", "at": "2026-11-22T00:00:05Z"});
    assert_eq!(NewConfirmation::parse(&ahead, START).unwrap().at, START, "a clock a little ahead says now");
    assert!(NewObjection::parse(&Value::Null).is_err());
}

#[derive(Debug, Clone, Copy)]
enum Step {
    ConfirmByController,
    ConfirmByProcessor,
    Object,
    Replace,
}

proptest! {
    /// Whatever happens in whatever order: facts are never lost, a replaced one stays replaced, and an act is covered exactly while
    /// the instruction is in force.
    #[test]
    fn any_history_is_consistent(
        oral in any::<bool>(),
        steps in collection::vec(
            sample::select(vec![Step::ConfirmByController, Step::ConfirmByProcessor, Step::Object, Step::Replace]), 0..8),
    ) {
        let form = if oral { InstructionForm::Oral } else { InstructionForm::Text };
        let mut one = given(1, InstructionKind::FileWithAuthority, form);
        let mut in_force_at = Vec::new();
        let first = one.is_in_force();
        in_force_at.push((0, first));
        for (index, step) in steps.iter().enumerate() {
            let hours = i64::try_from(index).unwrap() + 1;
            let before = one.state.clone();
            let next = match step {
                Step::ConfirmByController => before.clone().confirm(confirmation(hour(hours)), true),
                Step::ConfirmByProcessor => before.clone().confirm(confirmation(hour(hours)), false),
                Step::Object => before.clone().object(objection(hour(hours))),
                Step::Replace => before.clone().replace(id(9), hour(hours)),
            };
            if let Ok(next) = next {
                prop_assert!(before.replaced().is_none(), "a replaced one moved");
                prop_assert!(before.objection().is_none() || next.objection() == before.objection());
                prop_assert!(before.confirmed().is_none() || next.confirmed() == before.confirmed());
                prop_assert!(before.upheld().is_none() || next.upheld() == before.upheld());
                prop_assert!(next.as_str() != before.as_str());
                one.state = next;
            }
            in_force_at.push((hours, one.is_in_force()));
        }
        // Judged at the end, every hour of the past reads as it was.
        for (hours, was_in_force) in in_force_at {
            prop_assert_eq!(lacks(&one, hour(hours)).is_none(), was_in_force, "hour {} of {:?}", hours, steps);
        }
    }
}
