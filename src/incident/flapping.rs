//! Targets that go up and down all the time: one incident that is held open, instead of one for each turn.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::record::within;
use crate::model::{Flaps, Target};

/// When a target counts as flapping, and when no longer (`semantics` 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flapping {
    /// So many turns, for the better or the worse,
    pub turns: usize,
    /// within so many effective intervals of what turns;
    pub intervals: u32,
    /// until so many good observations in a row.
    pub good: u32,
    /// The interval of what nothing better is known of.
    pub interval: Duration,
}

impl Flapping {
    /// Six turns within ten intervals, until five good observations in a row.
    pub fn of_interval(interval: Duration) -> Self {
        Self {
            turns: 6,
            intervals: 10,
            good: 5,
            interval,
        }
    }
}

/// The last turns of each target. Kept in memory only: a restart begins to count anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    by_target: BTreeMap<Target, VecDeque<Timestamp>>,
}

impl Turns {
    /// Counts one turn of `target`, which is observed every `pace`, and says how it flaps, if it does.
    pub(super) fn record(
        &mut self,
        target: &Target,
        rule: Option<&Flapping>,
        pace: Option<Duration>,
        now: Timestamp,
    ) -> Option<Flaps> {
        let rule = rule?;
        let window = pace.unwrap_or(rule.interval).saturating_mul(rule.intervals);
        let turns = self.by_target.entry(target.clone()).or_default();
        turns.push_back(now);
        while turns.len() > rule.turns {
            turns.pop_front();
        }
        let since = *turns.front()?;
        (turns.len() >= rule.turns && within(since, window, now)).then(|| Flaps {
            turns: u32::try_from(turns.len()).unwrap_or(u32::MAX),
            since,
        })
    }

    /// Forgets a target.
    pub(super) fn forget(&mut self, target: &Target) {
        self.by_target.remove(target);
    }
}
