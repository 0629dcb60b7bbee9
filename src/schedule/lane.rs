//! One budget: how often something may begin, and how many at once.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::entry::Place;

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
    parked: BTreeSet<Place>,
    /// Those that wait for the pace alone.
    pacing: BTreeSet<Place>,
}

impl Lane {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            paced: Timestamp::MIN,
            running: 0,
            parked: BTreeSet::new(),
            pacing: BTreeSet::new(),
        }
    }

    pub(super) fn set(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// When one more may begin that takes a place, or none: `None` while too many run.
    pub(super) fn free_at(&self, takes_place: bool) -> Option<Timestamp> {
        (!takes_place || self.has_place()).then(|| self.paced_at())
    }

    /// Waits for the budget.
    pub(super) fn park(&mut self, place: Place, takes_place: bool) {
        let line = if takes_place {
            &mut self.parked
        } else {
            &mut self.pacing
        };
        line.insert(place);
    }

    /// Waits no longer.
    pub(super) fn leave(&mut self, place: &Place) {
        self.parked.remove(place);
        self.pacing.remove(place);
    }

    /// Whose turn is next of those that wait and may, and when.
    pub(super) fn next(&self) -> Option<(Place, Timestamp)> {
        let parked = self.parked.first().filter(|_| self.has_place());
        let next = parked.into_iter().chain(self.pacing.first()).min()?;
        Some((*next, self.paced_at()))
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.parked.len() + self.pacing.len()
    }

    fn has_place(&self) -> bool {
        self.running < self.allowance.concurrent
    }

    fn paced_at(&self) -> Timestamp {
        let slack = self
            .allowance
            .period
            .saturating_mul(i32::try_from(self.allowance.burst.saturating_sub(1)).unwrap_or(i32::MAX));
        self.paced.checked_sub(slack).unwrap_or(Timestamp::MIN)
    }

    /// One more begins.
    pub(super) fn begin(&mut self, now: Timestamp, takes_place: bool) {
        self.running += u32::from(takes_place);
        let from = self.paced.max(now);
        self.paced = from.checked_add(self.allowance.period).unwrap_or(Timestamp::MAX);
    }

    pub(super) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting() == 0
    }
}
