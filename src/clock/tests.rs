//! The clock under machines that are set forward and back, and under a leading clock that is.

use time::macros::datetime;

use super::*;

const START: OffsetDateTime = datetime!(2026-11-22 00:40:00.123_456_789 UTC);

#[test]
fn tells_whole_microseconds() {
    assert_eq!(Clock::manual(START).now(), datetime!(2026-11-22 00:40:00.123_456 UTC));
    assert_eq!(Clock::system().now().nanosecond() % 1000, 0);
}

#[test]
fn is_moved_by_hand_through_every_clone() {
    let clock = Clock::manual(START);
    let before = clock.now();
    clock.clone().advance(Duration::hours(72));
    assert_eq!(clock.now() - before, Duration::hours(72));
}

#[test]
fn a_clock_that_is_set_back_goes_on_at_half_its_rate_until_it_has_caught_up() {
    let clock = Clock::manual(START);
    let before = clock.now();
    clock.set_by(-Duration::HOUR);
    assert_eq!(clock.now(), before, "no time has passed");
    for minutes in 1..=120 {
        clock.advance(Duration::MINUTE);
        assert_eq!(clock.now() - before, Duration::MINUTE * minutes / 2);
    }
    // After two hours the machine is where the clock is.
    clock.advance(Duration::MINUTE);
    assert_eq!(clock.now() - before, Duration::HOUR + Duration::MINUTE);
}

#[test]
fn however_often_it_is_asked_it_does_not_stand_still() {
    let clock = Clock::manual(START);
    let before = clock.now();
    clock.advance(-Duration::HOUR);
    for _ in 0..1000 {
        clock.advance(Duration::MICROSECOND);
        clock.now();
    }
    assert_eq!(clock.now() - before, Duration::microseconds(500));
}

#[test]
fn a_clock_that_is_set_forward_is_followed() {
    let clock = Clock::manual(START);
    let before = clock.now();
    clock.set_by(Duration::days(10));
    assert_eq!(clock.now() - before, Duration::days(10));
    // Back to the right time: ten days ahead, and still going on.
    clock.set_by(-Duration::days(10));
    clock.advance(Duration::HOUR);
    assert_eq!(clock.now() - before, Duration::days(10) + Duration::minutes(30));
}

#[test]
fn a_step_is_what_the_steady_counter_did_not_see() {
    let clock = Clock::manual(START);
    let before = clock.reading();
    clock.advance(Duration::HOUR);
    assert_eq!(clock.reading().step_since(before), Duration::ZERO);
    clock.set_by(-Duration::HOUR);
    assert_eq!(clock.reading().step_since(before), -Duration::HOUR);
    clock.set_by(Duration::days(11));
    assert_eq!(clock.reading().step_since(before), Duration::days(11) - Duration::HOUR);
}

#[test]
fn it_goes_on_from_what_was_written_before_a_restart() {
    let mark = START + Duration::DAY;
    let manual = Clock::manual(START);
    assert_eq!(manual.begin_at(mark), mark - Clock::manual(START).now());
    assert!(mark - manual.now() < Duration::MICROSECOND);
    manual.advance(Duration::MINUTE);
    assert!(manual.now() > mark + Duration::SECOND * 59, "a clock of its own goes on at its rate");
    assert_eq!(manual.begin_at(mark), Duration::ZERO);

    let system = Clock::system();
    let mark = system.now() + Duration::DAY;
    assert!(system.begin_at(mark) > Duration::hours(23));
    assert!(system.now() >= mark - Duration::MICROSECOND && system.now() < mark + Duration::HOUR);
    assert_eq!(system.begin_at(mark - Duration::DAY * 2), Duration::ZERO);
}

#[test]
fn a_leading_clock_is_followed_whatever_the_machine_is_set_to() {
    let clock = Clock::system();
    let asked = clock.reading();
    let theirs = clock.now() + Duration::DAY;
    let first = clock.follow(theirs, asked, asked).unwrap_or(asked);
    assert!(clock.now() >= theirs - Duration::MICROSECOND);
    clock.set_by(Duration::days(3));
    assert!(clock.now() < theirs + Duration::HOUR, "the machine's time is of no concern");

    // The leading clock is set back by two hours: time goes on, slowly.
    let (before, asked) = (clock.now(), clock.reading());
    let second = clock.follow(theirs - Duration::hours(2), asked, asked).unwrap_or(asked);
    assert!(clock.now() >= before && clock.now() < before + Duration::HOUR);
    let step = second.step_since(first);
    assert!(step <= -Duration::hours(2) && step > -Duration::hours(3), "{step}");
    assert_eq!(Clock::manual(START).follow(theirs, asked, asked), None);
}

#[test]
fn an_accelerated_clock_shortens_real_waiting_only() {
    let clock = Clock::accelerated(3600);
    assert_eq!(clock.real_delay(Duration::hours(72)), std::time::Duration::from_secs(72));
    assert_eq!(Clock::accelerated(0).real_delay(Duration::SECOND), std::time::Duration::from_secs(1));
    assert_eq!(Clock::system().real_delay(Duration::SECOND), std::time::Duration::from_secs(1));
    assert_eq!(Clock::system().real_delay(-Duration::SECOND), std::time::Duration::ZERO);
}
