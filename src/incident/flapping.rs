//! Targets that go up and down all the time: one incident that is held open, instead of one for each turn.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::record::{after, within};
use crate::model::Target;

/// When a target counts as flapping, and when no longer (`semantics` 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flapping {
    /// So many turns, for the better or the worse,
    pub turns: usize,
    /// within this time;
    pub window: Duration,
    /// until it has been well for this long.
    pub hold: Duration,
}

impl Flapping {
    /// Six turns within ten intervals, until five of them were good in a row.
    pub fn of_interval(interval: Duration) -> Self {
        Self {
            turns: 6,
            window: interval.saturating_mul(10),
            hold: interval.saturating_mul(5),
        }
    }

    /// When a target that has been well since `good_since` no longer counts as flapping.
    pub(super) fn released(&self, good_since: Timestamp) -> Timestamp {
        after(good_since, self.hold)
    }
}

/// The last turns of each target. Kept in memory only: a restart begins to count anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    by_target: BTreeMap<Target, VecDeque<Timestamp>>,
}

impl Turns {
    /// Counts one turn of `target`, and says whether it flaps.
    pub(super) fn record(&mut self, target: &Target, rule: Option<&Flapping>, now: Timestamp) -> bool {
        let Some(rule) = rule else { return false };
        let turns = self.by_target.entry(target.clone()).or_default();
        turns.push_back(now);
        while turns.len() > rule.turns {
            turns.pop_front();
        }
        turns.len() >= rule.turns
            && turns
                .front()
                .is_some_and(|first| within(*first, rule.window, now))
    }

    /// Forgets a target.
    pub(super) fn forget(&mut self, target: &Target) {
        self.by_target.remove(target);
    }
}
