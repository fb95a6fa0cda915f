//! Whether it is our own network that is down: many different hosts out of reach within one minute. Times are handed in.

use std::collections::{HashMap, HashSet};

use time::{Duration, OffsetDateTime};

use super::delivery_outcome::{FailureKind, Outcome};

/// How long the word of a host counts.
pub const WINDOW: Duration = Duration::MINUTE;
/// How long attempts are not charged at a stretch while some hosts are reached. What is still out of reach then is taken for the
/// receivers' own trouble. While nobody is reached there is no end to it.
pub const LENIENCE: Duration = Duration::HOUR;
/// So many hosts must have been tried before anything is said.
const FEWEST: usize = 20;
/// More than this share of them out of reach, in percent, is our trouble and not theirs.
const SHARE_PERCENT: usize = 30;

/// What an outcome says of the way to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Somebody answered, or a connection was made.
    Open,
    /// No connection, or no name server that answers.
    Shut,
    /// Nothing: it was not sent, or a name server that answers does not know the name.
    Unknown,
}

impl Way {
    /// What `outcome` says.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Transient(FailureKind::Connect | FailureKind::Dns) => Self::Shut,
            Outcome::Configuration(FailureKind::Dns | FailureKind::ForbiddenAddress | FailureKind::InvalidRequest) => {
                Self::Unknown
            }
            _ => Self::Open,
        }
    }
}

/// A change of the judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// From now on our network is taken to be down.
    Down,
    /// From now on it is taken to be up.
    Up,
}

/// The judge over a sliding window. Forgets everything with the process, and finds it out again within a minute.
#[derive(Debug, Default)]
pub struct NetworkOutage {
    /// The latest word of each host within the window: when, and whether it was reached.
    lately: HashMap<String, (OffsetDateTime, bool)>,
    /// Hosts that were out of reach while the network was up: their silence is no news of ours.
    dead: HashSet<String>,
    down: Option<Down>,
}

/// Our network is taken to be down.
#[derive(Debug, Clone, Copy)]
struct Down {
    since: OffsetDateTime,
    /// Whether any host was reached since.
    reached: bool,
}

impl NetworkOutage {
    /// Notes that `host` is being tried. Until more is known nothing is held against us; a word that it gave lately stands.
    pub fn trying(&mut self, host: &str, at: OffsetDateTime) {
        if !self.dead.contains(host) {
            self.lately.entry(host.to_owned()).or_insert((at, true));
        }
    }

    /// Notes what an attempt said of the way to `host` at `at`.
    pub fn note(&mut self, host: &str, way: Way, at: OffsetDateTime) {
        let reached = way == Way::Open;
        if reached {
            self.dead.remove(host);
            self.down.iter_mut().for_each(|down| down.reached = true);
        }
        if way == Way::Unknown || self.dead.contains(host) {
            return;
        }
        let word = self.lately.entry(host.to_owned()).or_insert((at, reached));
        if word.0 <= at {
            *word = (at, reached);
        }
    }

    /// Notes that an attempt at `host` failed on its own account.
    pub fn blame(&mut self, host: &str) {
        self.dead.insert(host.to_owned());
    }

    /// Judges anew at `now`, over the last `window`.
    pub fn judge(&mut self, now: OffsetDateTime, window: Duration) -> Option<Change> {
        self.lately.retain(|_, (at, _)| *at + window > now);
        let tried = self.lately.len();
        let shut = self.lately.values().filter(|(_, reached)| !reached).count();
        let too_many = shut * 100 > tried * SHARE_PERCENT;
        match self.down {
            None if too_many && tried >= FEWEST => {
                self.down = Some(Down { since: now, reached: false });
                Some(Change::Down)
            }
            // That nobody is tried any more, or that all are given up, is no sign of life.
            Some(Down { reached: true, .. }) if !too_many => {
                self.down = None;
                Some(Change::Up)
            }
            _ => None,
        }
    }

    /// Whether our network is taken to be down.
    pub fn is_down(&self) -> bool {
        self.down.is_some()
    }

    /// Whether an attempt that found no way at `now` is not charged, with `lenience` as the longest stretch while some are reached.
    pub fn spares(&self, now: OffsetDateTime, lenience: Duration) -> bool {
        self.down.is_some_and(|down| !down.reached || now < down.since + lenience)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-22 00:00 UTC);

    /// `shut` of `tried` hosts are out of reach, all at `at`.
    fn tried(judge: &mut NetworkOutage, tried: usize, shut: usize, at: OffsetDateTime) -> Option<Change> {
        for host in 0..tried {
            judge.note(&format!("host-{host}"), if host < shut { Way::Shut } else { Way::Open }, at);
        }
        judge.judge(at, WINDOW)
    }

    #[test]
    fn it_takes_twenty_hosts_and_more_than_three_in_ten() {
        for (hosts, shut, change) in [
            (19, 19, None),
            (20, 6, None),
            (20, 7, Some(Change::Down)),
            (20, 20, Some(Change::Down)),
            (1000, 300, None),
            (1000, 301, Some(Change::Down)),
        ] {
            assert_eq!(tried(&mut NetworkOutage::default(), hosts, shut, START), change, "{shut} of {hosts}");
        }
    }

    #[test]
    fn one_host_counts_once_however_often_it_fails() {
        let mut judge = NetworkOutage::default();
        for second in 0..50 {
            judge.note("dead.example", Way::Shut, START + Duration::SECOND * second);
        }
        assert_eq!(judge.judge(START + Duration::SECOND * 50, WINDOW), None);
    }

    #[test]
    fn what_is_older_than_a_minute_no_longer_counts() {
        let mut judge = NetworkOutage::default();
        for host in 0..30 {
            let at = START + Duration::SECOND * 10 * host;
            judge.note(&format!("host-{host}"), Way::Shut, at);
            assert_eq!(judge.judge(at, WINDOW), None, "never more than six in a minute");
        }
    }

    #[test]
    fn it_is_over_when_hosts_are_reached_again() {
        let mut judge = NetworkOutage::default();
        assert_eq!(tried(&mut judge, 40, 40, START), Some(Change::Down));
        let later = START + Duration::SECOND * 30;
        assert_eq!(tried(&mut judge, 40, 13, later), None, "a third is still out of reach");
        assert!(judge.is_down() && judge.spares(later, LENIENCE));
        assert_eq!(tried(&mut judge, 40, 12, later), Some(Change::Up));
        assert!(!judge.is_down() && !judge.spares(later, LENIENCE));
    }

    #[test]
    fn an_outage_lasts_until_somebody_is_reached() {
        let mut judge = NetworkOutage::default();
        tried(&mut judge, 40, 40, START);
        let later = START + LENIENCE * 5;
        assert_eq!(judge.judge(later, WINDOW), None, "nobody was tried");
        assert!(judge.is_down() && judge.spares(later, LENIENCE));
        judge.note("host-0", Way::Open, later);
        assert_eq!(judge.judge(later, WINDOW), Some(Change::Up));
    }

    #[test]
    fn those_that_refuse_at_once_are_weighed_against_those_still_under_way() {
        let mut judge = NetworkOutage::default();
        (0..250).for_each(|host| judge.trying(&format!("host-{host}"), START));
        assert_eq!(tried(&mut judge, 25, 25, START), None, "a tenth of those that were tried");
        (25..250).for_each(|host| judge.note(&format!("host-{host}"), Way::Shut, START + Duration::SECOND));
        assert_eq!(judge.judge(START + Duration::SECOND, WINDOW), Some(Change::Down), "and then all of them");
    }

    #[test]
    fn dead_receivers_are_not_taken_for_an_outage_for_ever() {
        let mut judge = NetworkOutage::default();
        assert_eq!(tried(&mut judge, 100, 40, START), Some(Change::Down), "nobody knows yet that they are dead");
        judge.note("host-99", Way::Open, START);
        let mut at = START;
        while judge.is_down() {
            at += Duration::SECOND * 30;
            assert!(at < START + LENIENCE * 2, "it goes on for ever");
            for host in 0..40 {
                let host = format!("host-{host}");
                judge.note(&host, Way::Shut, at);
                if !judge.spares(at, LENIENCE) {
                    judge.blame(&host);
                }
            }
            judge.judge(at, WINDOW);
        }
        assert_eq!(tried(&mut judge, 40, 40, at), None, "from now on it is known");
        judge.note("host-1", Way::Open, at);
        judge.note("host-1", Way::Shut, at + Duration::SECOND);
        assert_eq!(judge.lately.len(), 1, "one that was reached again has a say");
    }

    #[test]
    fn only_a_missing_way_speaks_of_the_network() {
        for kind in FailureKind::ALL {
            let is_shut = matches!(kind, FailureKind::Connect | FailureKind::Dns);
            assert_eq!(Way::of(Outcome::Transient(kind)) == Way::Shut, is_shut, "{kind}");
        }
        assert_eq!(Way::of(Outcome::Configuration(FailureKind::Dns)), Way::Unknown);
        assert_eq!(Way::of(Outcome::Configuration(FailureKind::ForbiddenAddress)), Way::Unknown);
        assert_eq!(Way::of(Outcome::Delivered), Way::Open);
        assert_eq!(Way::of(Outcome::Gone), Way::Open);
    }

    proptest! {
        #[test]
        fn it_never_says_the_same_twice(words in prop::collection::vec((0..60_usize, any::<bool>(), 0..20_i32), 1..400)) {
            let (mut judge, mut at, mut last) = (NetworkOutage::default(), START, Change::Up);
            for (host, reached, seconds) in words {
                at += Duration::SECOND * seconds;
                judge.note(&host.to_string(), if reached { Way::Open } else { Way::Shut }, at);
                if let Some(change) = judge.judge(at, WINDOW) {
                    prop_assert_ne!(change, last);
                    last = change;
                }
                prop_assert_eq!(judge.is_down(), last == Change::Down);
            }
        }
    }
}
