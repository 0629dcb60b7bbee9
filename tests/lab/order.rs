//! In which order a world plays scenarios. Six turns of one thing within ten intervals are flapping, which the
//! daemon rightly treats differently (`semantics.md` 21); a scenario turns what it names at least twice.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::monitor::INTERVAL;
use crate::scenario::Scenario;

/// How long a turn counts: the ten intervals of flapping, and one more.
const MEMORY: Duration = Duration::from_secs(11 * INTERVAL);

/// What to do next in a world.
pub enum Next {
    /// Play this.
    Play(Scenario),
    /// Wait a little: whatever is left has turned too often of late.
    Rest,
    /// Nothing is left.
    End,
}

/// What turned of late in one world.
#[derive(Default)]
pub struct Turned(Vec<(Instant, BTreeSet<String>)>);

impl Turned {
    /// Remembers that a scenario has been played.
    pub fn note(&mut self, scenario: &Scenario) {
        self.0.retain(|(at, _)| at.elapsed() < MEMORY);
        self.0.push((Instant::now(), scenario.names()));
    }

    /// Takes the scenario whose names have rested longest; among equals one whose names have most ahead of them,
    /// so that they do not pile up at the end.
    pub fn next(&self, queue: &mut VecDeque<Scenario>) -> Next {
        if queue.is_empty() {
            return Next::End;
        }
        let ahead = |scenario: &Scenario| {
            let names = scenario.names();
            queue
                .iter()
                .filter(|other| !names.is_disjoint(&other.names()))
                .count()
        };
        let choice = queue
            .iter()
            .enumerate()
            .min_by_key(|(_, scenario)| (self.plays(scenario), std::cmp::Reverse(ahead(scenario))));
        match choice.map(|(place, scenario)| (place, self.plays(scenario))) {
            Some((place, 0 | 1)) => queue.remove(place).map_or(Next::End, Next::Play),
            _ => Next::Rest,
        }
    }

    /// In how many of the latest plays something of this scenario turned.
    fn plays(&self, scenario: &Scenario) -> usize {
        let names = scenario.names();
        self.0
            .iter()
            .filter(|(at, turned)| at.elapsed() < MEMORY && !names.is_disjoint(turned))
            .count()
    }
}
