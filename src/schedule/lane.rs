//! One budget: how often something may begin, and how many at once.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Place;

/// What a budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// At once.
    pub concurrent: u32,
    /// How many may begin together before the pace holds.
    pub burst: u32,
    /// From one beginning to the next, in the long run.
    pub period: SignedDuration,
}

/// A budget in use. The pace is the generic cell rate algorithm (ITU-T I.371): one timestamp of state.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    allowance: Allowance,
    /// When the next one would begin if all had kept the pace exactly.
    paced: Timestamp,
    running: u32,
    /// Those that wait for a place, in their order.
    pub(super) parked: BTreeSet<Place>,
}

impl Lane {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            paced: Timestamp::MIN,
            running: 0,
            parked: BTreeSet::new(),
        }
    }

    pub(super) fn set(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// When one more may begin: `None` while too many run.
    pub(super) fn free_at(&self) -> Option<Timestamp> {
        if self.running >= self.allowance.concurrent {
            return None;
        }
        let slack = self
            .allowance
            .period
            .saturating_mul(i32::try_from(self.allowance.burst.saturating_sub(1)).unwrap_or(i32::MAX));
        Some(self.paced.checked_sub(slack).unwrap_or(Timestamp::MIN))
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.running += 1;
        let from = self.paced.max(now);
        self.paced = from.checked_add(self.allowance.period).unwrap_or(Timestamp::MAX);
    }

    pub(super) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.parked.is_empty()
    }
}
