//! Who owes what, and how duties run: the shipped rows over kinds, facts and seats, and properties of every course of events.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "duties_domain/milestones.rs"]
mod milestones;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use art33::domain::calendar::Calendar;
use art33::domain::catalogue::{Catalogue, Debtor, Fact, FrozenRow};
use art33::domain::course::{Earlier, Reached, course, region};
use art33::domain::duty::{Closing, DutyState, FrozenTerms, Step};
use art33::domain::duty_record::Duty;
use art33::domain::fault::Faults;
use art33::domain::id::{DutyId, IncidentId, OrganisationId};
use art33::domain::law::LawFile;
use art33::domain::milestone::Milestone;
use art33::domain::organisation::{Seat, Sector};
use art33::domain::owed::{Event, Party, is_telling, owed_by_party, owed_by_processor, span};
use art33::domain::parse::Place;
use art33::domain::terms::Terms;
use art33::domain::vocabulary::IncidentKind;
use proptest::prelude::*;
use serde_json::{Value, json};
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

const START: OffsetDateTime = datetime!(2026-11-22 00:40 UTC);

/// The rows that are law on the day of the tests.
static ROWS: LazyLock<Vec<Arc<FrozenRow>>> = LazyLock::new(|| {
    let document = art33::config::document(Some("law/obligations.toml".as_ref()), "", "").unwrap();
    let file = LawFile { name: "obligations.toml".to_owned(), content: document.content };
    let catalogue = Catalogue::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
    let frozen = catalogue.in_force(date!(2026 - 11 - 22));
    frozen.map(|row| Arc::new(FrozenRow::new(row.code.clone(), row.as_ref().clone()))).collect()
});

static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| {
    let document = art33::config::document(Some("law/regions.toml".as_ref()), "", "").unwrap();
    Calendar::parse(&document.content).unwrap_or_else(|faults| panic!("{faults:?}"))
});

/// A seat such as `DE-BW`, or `FR nis2 dora` with declared regimes.
fn seat(text: &str) -> Seat {
    let mut words = text.split(' ').map(str::to_owned);
    let place = words.next().unwrap();
    let country = place.chars().take(2).collect();
    let region = (place.len() > 2).then_some(place);
    Seat {
        country,
        region,
        sector: Sector::Private,
        regimes: words.collect(),
        main_establishment: None,
        release_policy: None,
    }
}

/// Terms with 24 hours for these kinds of incident, and what `more` adds.
fn terms(triggers: &[&str], more: &Value) -> Terms {
    let mut body = json!({"notify_within": "PT24H", "triggers": triggers});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let mut faults = Faults::default();
    let read = Terms::parse(&Place::root(&body), &mut faults);
    read.unwrap_or_else(|| panic!("{faults:?}"))
}

fn event(kind: &str, facts: &[Fact]) -> Event {
    let (_, kind) = IncidentKind::CODES.iter().find(|(code, _)| *code == kind).unwrap();
    Event { kind: *kind, facts: facts.iter().copied().collect() }
}

fn codes(owed: &[&Arc<FrozenRow>]) -> BTreeSet<String> {
    let codes: BTreeSet<_> = owed.iter().map(|row| row.code.clone()).collect();
    assert_eq!(codes.len(), owed.len(), "no row twice");
    codes
}

fn set(codes: &str) -> BTreeSet<String> {
    codes.split_whitespace().map(str::to_owned).collect()
}

const BREACHES: &[&str] = &["personal_data_breach", "suspected_breach", "disruption"];
/// Kind, facts, seat of the processor, seat of the controller, agreement, and what is owed. `OWN` is what a controller in the
/// Economic Area owes itself after a breach.
const CASES: &str = "
personal_data_breach |                    | DE           | DE-BW   | breaches  | contract_notice OWN
suspected_breach     | suspicion          | DE           | DE      | breaches  | contract_notice OWN
suspected_breach     | suspicion          | DE           | DE      | quiet     | OWN
personal_data_breach |                    | DE           | DE      | quiet     | gdpr_33_2 OWN
subprocessor_breach  | subprocessor_origin| DE           | DE      | breaches  | gdpr_33_2 OWN
personal_data_breach | open_items         | DE           | DE      | breaches  | contract_notice gdpr_33_4 OWN
disruption           |                    | DE           | DE      | breaches  | contract_disruption
contact_change       |                    | DE           | DE      | breaches  |
personal_data_breach | special_or_secret  | DE           | DE      | special   | contract_notice contract_special_disclosure OWN
personal_data_breach |                    | DE           | DE      | special   | contract_notice OWN
personal_data_breach |                    | DE           | DE      | complete  | contract_notice contract_notice_complete OWN
subprocessor_change  |                    | DE           | DE      | objection | contract_subprocessor_change contract_subprocessor_objection
personal_data_breach |                    | CH           | CH      | quiet     | fadp_24_1 fadp_24_3 fadp_24_4
personal_data_breach |                    | CH           | CH      | breaches  | contract_notice fadp_24_1 fadp_24_4
personal_data_breach |                    | CH           | DE      | quiet     | fadp_24_3 OWN
personal_data_breach |                    | GB           | GB      | quiet     | uk_gdpr_33_1 uk_gdpr_33_2 uk_gdpr_33_5 uk_gdpr_34
personal_data_breach |                    | DE           | NO      | breaches  | contract_notice OWN
personal_data_breach |                    | US           | US      | breaches  | contract_notice
personal_data_breach |                    | US           | US      | quiet     |
personal_data_breach |                    | DE nis2      | FR nis2 | breaches  | contract_notice OWN nis2_early_warning nis2_notification nis2_final
personal_data_breach |                    | DE           | DE nis2 | breaches  | contract_notice OWN bsig_32_early_warning bsig_32_notification bsig_32_final
personal_data_breach |                    | DE nis2 dora | NO nis2 | breaches  | contract_notice OWN
";

/// The agreement by that name.
fn agreed(name: &str) -> Terms {
    match name {
        "quiet" => terms(&["disruption"], &json!({})),
        "special" => {
            terms(BREACHES, &json!({"special_categories": {"notify_within": "PT4H", "internal_target": "PT2H"}}))
        }
        "complete" => terms(BREACHES, &json!({"complete_within": "PT48H"})),
        "objection" => terms(&["subprocessor_change"], &json!({"subprocessor_objection": "P14D"})),
        _ => terms(BREACHES, &json!({})),
    }
}

#[test]
fn what_is_owed_by_one_party() {
    for case in CASES.trim().lines() {
        let columns: Vec<&str> = case.split('|').map(str::trim).collect();
        let [kind, facts, processor, controller, agreement, expected] = columns.as_slice() else { panic!("{case}") };
        let fact = |code| Fact::CODES.iter().find(|(known, _)| *known == code).unwrap().1;
        let facts: Vec<Fact> = facts.split_whitespace().map(fact).collect();
        let (processor, controller, terms) = (seat(processor), seat(controller), agreed(agreement));
        let party = Party { seat: &controller, terms: &terms };
        let owed = owed_by_party(&ROWS, &event(kind, &facts), &processor, party);
        assert_eq!(codes(&owed), set(&expected.replace("OWN", "gdpr_33_1 gdpr_33_5 gdpr_34")), "{case}");
    }
}

#[test]
fn what_the_processor_owes_once() {
    let cases = "
personal_data_breach | DE                 |
personal_data_breach | DE nis2            | bsig_32_early_warning bsig_32_notification bsig_32_final
disruption           | FR nis2            | nis2_early_warning nis2_notification nis2_final
contact_change       | DE nis2            |
personal_data_breach | LI dora            | dora_initial dora_intermediate dora_final
personal_data_breach | US dora            |
personal_data_breach | US cra             | cra_early_warning cra_notification cra_final_vulnerability cra_final_incident cra_users
personal_data_breach | AT eidas_qualified | eidas_24 eidas_24_persons
";
    for case in cases.trim().lines() {
        let columns: Vec<&str> = case.split('|').map(str::trim).collect();
        let [kind, processor, expected] = columns.as_slice() else { panic!("{case}") };
        let facts = [Fact::OpenItems, Fact::SpecialOrSecret, Fact::FourEyes];
        let processor = seat(processor);
        let owed = owed_by_processor(&ROWS, &event(kind, &facts), &processor);
        assert_eq!(codes(&owed), set(expected), "{kind} {processor:?}");
        assert!(owed.iter().all(|row| !is_telling(row)), "what tells controllers is owed to each of them");
    }
}

#[test]
fn spans_stand_in_the_row_or_in_the_agreement() {
    let more = json!({"complete_within": "PT48H", "special_categories": {"notify_within": "PT4H", "internal_target": "PT2H"}, "subprocessor_objection": "P14D"});
    let terms = terms(&["personal_data_breach", "subprocessor_change"], &more);
    let of = |code: &str, special| {
        let row = ROWS.iter().find(|row| row.code == code).unwrap();
        let kind = row.trigger.kinds.first().copied().unwrap_or(IncidentKind::PersonalDataBreach);
        span(row, kind, special, &terms).as_str().to_owned()
    };
    assert_eq!(of("gdpr_33_1", false), "PT72H");
    assert_eq!([of("contract_notice", false), of("contract_notice", true)], ["PT24H", "PT4H"]);
    assert_eq!([of("contract_notice_complete", false), of("contract_special_disclosure", true)], ["PT48H", "PT4H"]);
    assert_eq!(of("contract_subprocessor_objection", false), "P14D");
    assert_eq!([of("release", false), of("open_item", false)], ["without_undue_delay"; 2]);
}

fn organisation(number: u8) -> OrganisationId {
    OrganisationId::from_bytes([number; 16])
}

/// The duties between a processor and one controller, as they are born.
fn born() -> Vec<Duty> {
    let terms = terms(BREACHES, &json!({"complete_within": "PT48H"}));
    let (processor, controller) = (seat("DE"), seat("DE-BW dora_systemic"));
    let event = event("personal_data_breach", &[Fact::OpenItems]);
    let owed = owed_by_party(&ROWS, &event, &processor, Party { seat: &controller, terms: &terms });
    let place = region(&CALENDAR, "DE-BW").unwrap();
    let duty = |(number, row): (u8, &&Arc<FrozenRow>)| {
        let by_processor = row.debtor == Debtor::Processor;
        let duty = Duty {
            id: DutyId::from_bytes([number; 16]),
            incident: IncidentId::from_bytes([1; 16]),
            processor: organisation(1),
            party: organisation(2),
            agreement: None,
            obligation: Arc::clone(row),
            debtor: organisation(if by_processor { 1 } else { 2 }),
            recipient: row.recipient.to_string(),
            legal_basis: row.basis.clone(),
            terms: FrozenTerms {
                span: span(row, IncidentKind::PersonalDataBreach, false, &terms),
                rule: row.rule,
                region: "DE-BW".to_owned(),
                internal_target: None,
            },
            about: None,
            owner: None,
            state: DutyState::NotStarted,
            clock_version: 1,
            next: None,
        };
        if by_processor { duty.start(START, place, None).unwrap() } else { duty }
    };
    (1..).zip(&owed).map(duty).collect()
}

/// Something that happens to the duties of one party.
#[derive(Debug, Clone)]
enum Act {
    Wait(i64),
    Reach(Milestone),
    File(usize),
    Waive(usize),
    Reopen(usize),
    Cancel(usize),
    Reclock(usize, i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let milestones = [
        Milestone::ControllerInformed,
        Milestone::ControllerFullyInformed,
        Milestone::ControllerDecided,
        Milestone::PersonsToBeTold,
        Milestone::Reported("classified".to_owned()),
        Milestone::ProcessorAware,
    ];
    let one = || any::<prop::sample::Index>().prop_map(|index| index.index(100));
    let act = prop_oneof![
        4 => (1_i64..200_000).prop_map(Act::Wait),
        4 => prop::sample::select(milestones.to_vec()).prop_map(Act::Reach),
        3 => one().prop_map(Act::File),
        1 => one().prop_map(Act::Waive),
        2 => one().prop_map(Act::Reopen),
        1 => one().prop_map(Act::Cancel),
        1 => (one(), -90_000_i64..90_000).prop_map(|(index, by)| Act::Reclock(index, by)),
    ];
    prop::collection::vec(act, 1..40)
}

/// The duties of one party, and the time.
struct Run {
    duties: Vec<Duty>,
    now: OffsetDateTime,
    /// Duty, clock and step of everything that was told.
    told: BTreeSet<(usize, i32, i32)>,
}

impl Run {
    fn reach(&mut self, reached: Reached) {
        let changed = course(self.duties.clone(), vec![reached], Earlier::default(), &CALENDAR);
        for duty in changed {
            let place = self.duties.iter().position(|known| known.id == duty.id).unwrap();
            self.duties[place] = duty;
        }
    }

    /// The alarms that have come, as the worker fires them.
    fn fire(&mut self) {
        for (index, duty) in self.duties.iter_mut().enumerate() {
            while duty.next.is_some_and(|(_, at)| at <= self.now) {
                let fired = duty.look(self.now).unwrap();
                for step in fired.skipped.iter().chain([&fired.step]) {
                    assert!(self.told.insert((index, duty.clock_version, step.index())), "{step:?} of {duty:?} twice");
                }
                (duty.state, duty.next) = (fired.state, fired.next);
            }
        }
    }

    /// Takes one act; what a duty refuses leaves it as it is.
    fn act(&mut self, act: &Act) {
        let now = self.now;
        let closing = Closing { at: now, by: "A. Muster".to_owned(), reason: "x".to_owned() };
        let chosen = |index: &usize| index % self.duties.len();
        let (index, moved) = match act {
            Act::Wait(seconds) => {
                self.now += Duration::seconds(*seconds);
                return self.fire();
            }
            Act::Reach(milestone) => return self.reach(Reached::new(milestone.clone(), now)),
            Act::File(index) => {
                let id = self.duties[chosen(index)].id.clone();
                return self.reach(Reached::of(Milestone::Filed, now, id));
            }
            Act::Waive(index) => (chosen(index), self.duties[chosen(index)].clone().waive(closing)),
            Act::Cancel(index) => (chosen(index), self.duties[chosen(index)].clone().cancel(closing)),
            Act::Reopen(index) => (chosen(index), self.duties[chosen(index)].clone().reopen(now)),
            Act::Reclock(index, by) => {
                let duty = self.duties[chosen(index)].clone();
                let (had, place) = (duty.state.due().copied(), region(&CALENDAR, &duty.terms.region).unwrap());
                let moved =
                    duty.clone().reclock(now + Duration::seconds(*by), place, None, &closing).map(|(moved, clock)| {
                        let had = had.unwrap();
                        assert_eq!((clock.version, clock.start_at), (duty.clock_version, had.start_at));
                        assert_eq!((clock.alarm_at, clock.legal_due_at), (had.alarm_at, had.legal_due_at));
                        assert_eq!(moved.clock_version, duty.clock_version + 1);
                        moved
                    });
                (chosen(index), moved)
            }
        };
        if let Ok(moved) = moved {
            self.duties[index] = moved;
        }
    }
}

/// What holds for a duty on either side of any act.
fn check(before: &Duty, after: &Duty, act: &Act, now: OffsetDateTime) {
    match (&before.state, &after.state) {
        (DutyState::Met { .. } | DutyState::Cancelled(..) | DutyState::Lapsed(_) | DutyState::Drill(_), _) => {
            assert_eq!(before.state, after.state, "{act:?} moved what is closed");
        }
        (DutyState::NotRequired(due, _), state) if before.state != *state => {
            assert!(matches!(act, Act::Reopen(_)), "{act:?} reopened");
            assert_eq!(after.state.due(), due.as_ref(), "the clock is the one it had");
        }
        (_, DutyState::NotRequired(due, _)) => assert_eq!(before.state.due(), due.as_ref()),
        _ => {}
    }
    if let DutyState::Met { due, met_at, late } = &after.state {
        assert_eq!(*late, due.is_late(*met_at));
        assert!(before.state.due().is_none_or(|had| had == due), "what it is measured against stays");
    }
    if !matches!(act, Act::Reclock(..)) {
        assert_eq!(before.clock_version, after.clock_version);
        let began = before.state.due().zip(after.state.due());
        assert!(began.is_none_or(|(had, has)| had == has), "{act:?} moved a clock");
    }
    assert!(after.next.is_none() || (after.state.is_open() && after.state.due().is_some()), "{after:?} rings");
    if let (DutyState::Running(due), Act::Wait(_)) = (&after.state, act) {
        assert!(due.legal_due_at.is_none_or(|due| now < due), "late by law and not breached: {after:?}");
    }
    assert_eq!(before.obligation, after.obligation);
    assert_eq!(before.terms, after.terms);
}

#[test]
fn what_was_not_required_comes_back_with_its_clock() {
    let closing = Closing { at: START, by: "A. Muster".to_owned(), reason: "x".to_owned() };
    for duty in born() {
        let place = region(&CALENDAR, &duty.terms.region).unwrap();
        let running =
            if duty.state == DutyState::NotStarted { duty.clone().start(START, place, None).unwrap() } else { duty };
        for hours in [0, 1, 30, 200] {
            let now = START + Duration::hours(hours);
            let back = running.clone().waive(closing.clone()).unwrap().reopen(now).unwrap();
            assert_eq!(back.state.due(), running.state.due());
            let is_late = running.state.due().unwrap().is_late(now) == Some(true);
            assert_eq!(back.state.as_str(), if is_late { "breached" } else { "running" });
            // Warnings that would have come meanwhile are not made up for; that it is too late is told.
            assert!(back.next.is_none_or(|(step, at)| at > now || step >= Step::Overdue), "{back:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_course_of_events_heals_or_moves_what_is_done(acts in acts()) {
            let mut run = Run { duties: born(), now: START, told: BTreeSet::new() };
        for act in &acts {
            let before = run.duties.clone();
            run.act(act);
            for (before, after) in before.iter().zip(&run.duties) {
                check(before, after, act, run.now);
            }
        }
    }
}
