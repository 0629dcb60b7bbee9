//! When gateways started, by what their SNMP agents say of their uptime: a restart is seen by a clock that went back.

use foldhash::HashMap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::reach::LifeCheck;
use crate::model::{Evidence, Observation, Subject};

use super::Picture;

/// `sysUpTime` counts so many hundredths of a second, 497 days, and begins anew.
const WRAP: i64 = 1 << 32;
/// By how much an agent's clock may be off from ours where it wraps: a minute ...
const SLACK: i64 = 60 * 100;
/// ... and one part in this many of the time between.
const DRIFT: i64 = 1000;

/// What is known of when something started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The uptime that was told last, in hundredths of a second.
    uptime: u32,
    /// When it was asked for.
    at: Timestamp,
    /// The last restart that was seen.
    restarted: Option<Timestamp>,
}

impl Boot {
    /// Whether a restart after `newer` would be seen from this one as well: a clock that went back is told from half of
    /// what it showed, so that somebody who keeps it need not write it down at each hearing.
    pub(super) fn tells_as_much_as(&self, newer: &Self) -> bool {
        self.restarted == newer.restarted
            && (self.uptime..=self.uptime.saturating_mul(2)).contains(&newer.uptime)
    }

    /// Takes in another uptime.
    fn hear(self, uptime: u32, at: Timestamp) -> Self {
        let passed = hundredths(at.duration_since(self.at));
        let restarted = if went_back(i64::from(self.uptime), i64::from(uptime), passed) {
            let running = SignedDuration::from_millis(i64::from(uptime) * 10);
            at.checked_sub(running).ok()
        } else {
            self.restarted
        };
        Self {
            uptime,
            at,
            restarted,
        }
    }
}

/// Whether an uptime that was `before` and is `now`, `passed` later, means a restart; all in hundredths of a second.
fn went_back(before: i64, now: i64, passed: i64) -> bool {
    if now >= before {
        return false;
    }
    let wrapped = before + passed - WRAP;
    (wrapped - now).abs() > SLACK + passed / DRIFT
}

fn hundredths(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis() / 10).unwrap_or(i64::MAX / 2)
}

/// What is known of when gateways started.
pub(super) type Boots = HashMap<Subject, Boot>;

impl Picture {
    /// Takes in what an observation tells of a gateway's uptime, if anything.
    pub fn hear_uptime(&mut self, observation: &Observation) {
        let Evidence::Gateway(gateway) = &observation.evidence else {
            return;
        };
        let told = gateway.checks.iter().find_map(|check| match check {
            LifeCheck::Snmp { report } => Some(report.as_ref().ok()?.uptime),
            _ => None,
        });
        let Some(uptime) = told else { return };
        let first = Boot {
            uptime,
            at: observation.at,
            restarted: None,
        };
        self.boots
            .entry(observation.subject.clone())
            .and_modify(|boot| *boot = boot.hear(uptime, observation.at))
            .or_insert(first);
    }

    /// What a gateway's agent has told of when it started.
    pub fn boot(&self, gateway: &Subject) -> Option<Boot> {
        self.boots.get(gateway).copied()
    }

    /// Whether a gateway's SNMP agent has ever told us anything.
    pub fn agent_has_answered(&self, gateway: &Subject) -> bool {
        self.boots.contains_key(gateway)
    }

    /// When a gateway last restarted, where that was seen.
    pub fn restarted(&self, gateway: &Subject) -> Option<Timestamp> {
        self.boots.get(gateway)?.restarted
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MINUTE: i64 = 6000;

    #[rstest]
    #[case::runs_on(1_000_000, 1_000_000 + MINUTE, MINUTE, false)]
    #[case::restarted(1_000_000, 2000, MINUTE, true)]
    #[case::wrapped(WRAP - 3000, 3000, MINUTE, false)]
    #[case::wrapped_with_a_lazy_clock(WRAP - 3000, 10, MINUTE, false)]
    #[case::wrapped_unseen_for_a_day(WRAP - 3000, 1440 * MINUTE - 3000 - 8000, 1440 * MINUTE, false)]
    #[case::restarted_just_when_it_might_have_wrapped(WRAP - 3000, 3000, 5 * MINUTE, true)]
    #[case::restarted_long_before_it_would_wrap(WRAP / 2, 3000, MINUTE, true)]
    fn a_clock_that_goes_back_is_a_restart_and_a_wrap_is_none(
        #[case] before: i64,
        #[case] now: i64,
        #[case] passed: i64,
        #[case] expected: bool,
    ) {
        assert_eq!(went_back(before, now, passed), expected);
    }

    /// A year of uptime is written down a few times, and a restart is seen from what was written.
    #[test]
    fn half_an_uptime_tells_of_a_restart_as_well() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let heard = |minute: u32| Boot {
            uptime: minute * 6000,
            at: at(i64::from(minute) * 60),
            restarted: None,
        };
        let mut kept = heard(1);
        let mut written = 0;
        for minute in 2..525_600 {
            if !kept.tells_as_much_as(&heard(minute)) {
                kept = heard(minute);
                written += 1;
            }
            assert_eq!(
                kept.hear(3000, at(i64::from(minute) * 60 + 60))
                    .restarted
                    .is_some(),
                kept.uptime > 3000
            );
        }
        assert!((15..20).contains(&written), "{written}");
        let restarted = kept.hear(3000, at(0));
        assert!(!kept.tells_as_much_as(&restarted));
    }

    #[test]
    fn the_time_of_the_restart_is_told_and_kept() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let boot = Boot {
            uptime: 90_000,
            at: at(1000),
            restarted: None,
        };
        let restarted = boot.hear(2000, at(1060));
        assert_eq!(restarted.restarted, Some(at(1040)));
        assert_eq!(restarted.hear(8000, at(1120)).restarted, Some(at(1040)));
    }
}
