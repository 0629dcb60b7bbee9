//! What one step of the daemon decided, and several of them that wait for a disk together.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Fact, Turn};
use crate::model::{Deed, Hand, Incident, Message, MessageId, Outcome, Target};

/// The most turns that wait; beyond that the oldest history goes first.
const MOST_TURNS: usize = 100_000;
/// The most deeds that wait; beyond that the oldest go first.
const MOST_DEEDS: usize = 10_000;
/// The most incidents that wait; beyond that those go first that ended first.
const MOST_INCIDENTS: usize = 20_000;
/// From how many messages on those are forgotten that were written down nowhere and of which nothing more will come.
const MANY_MESSAGES: usize = 1000;

/// Everything that one step of the daemon decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Incidents that are new or changed, whole.
    pub incidents: Vec<Arc<Incident>>,
    /// Messages to send.
    pub messages: Vec<Message>,
    /// What became of messages.
    pub outcomes: Vec<Outcome>,
    /// Verdicts that turned.
    pub turns: Vec<Turn>,
    /// Targets that were seen for the first time.
    pub seen: Vec<Target>,
    /// Targets that left the configuration: their last verdict and that they were seen is forgotten.
    pub forgotten: Vec<Target>,
    /// What was learnt.
    pub facts: Vec<Fact>,
    /// What people have set by hand, new or lifted.
    pub hands: Vec<Hand>,
    /// What was done by hand.
    pub deeds: Vec<Deed>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in what a later step decided, both to be written as one. Bounded, however many steps it is: a row's
    /// newer self replaces it.
    pub fn absorb(&mut self, later: Self) {
        let gone: BTreeSet<&Target> = later.forgotten.iter().collect();
        self.seen.retain(|target| !gone.contains(target));
        self.turns.retain(|turn| !gone.contains(&turn.target));
        self.forgotten.extend(later.forgotten);
        self.forgotten.sort();
        self.forgotten.dedup();
        replace(&mut self.incidents, later.incidents, |row| row.id);
        replace(&mut self.hands, later.hands, |row| row.id);
        replace(&mut self.facts, later.facts, |row| {
            (row.subject.clone(), row.name.clone())
        });
        self.messages.extend(later.messages);
        self.outcomes.extend(later.outcomes);
        self.deeds.extend(later.deeds);
        self.turns.extend(later.turns);
        self.seen.extend(later.seen);
        self.trim();
    }

    fn trim(&mut self) {
        let excess = self.turns.len().saturating_sub(MOST_TURNS);
        self.turns.drain(..excess);
        let excess = self.deeds.len().saturating_sub(MOST_DEEDS);
        self.deeds.drain(..excess);
        let mut excess = self.incidents.len().saturating_sub(MOST_INCIDENTS);
        self.incidents.retain(|incident| {
            let goes = excess > 0 && !incident.is_open();
            excess = excess.saturating_sub(usize::from(goes));
            !goes
        });
        if self.messages.len() > MANY_MESSAGES {
            let done: BTreeSet<MessageId> = self.outcomes.iter().map(|outcome| outcome.id).collect();
            let here: BTreeSet<MessageId> = self.messages.iter().map(|message| message.id).collect();
            self.messages.retain(|message| !done.contains(&message.id));
            self.outcomes.retain(|outcome| !here.contains(&outcome.id));
        }
    }
}

/// Puts newer rows in the place of older ones with the same key.
fn replace<T, K: Ord>(rows: &mut Vec<T>, newer: Vec<T>, key: impl Fn(&T) -> K) {
    let keys: BTreeSet<K> = newer.iter().map(&key).collect();
    if !keys.is_empty() {
        rows.retain(|row| !keys.contains(&key(row)));
    }
    rows.extend(newer);
}
