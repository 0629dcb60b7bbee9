//! What waits to be sent, and what is to be sent next. Pure, under driven time.
//!
//! Messages to one notifier about one incident form a lane: they go one after the other, and a lane whose message
//! failed waits, longer each time, without holding up the others. So a receiver that was down for the whole outage
//! gets both messages in order when it is back, and one message that a receiver chokes on blocks nobody else's.
//! A receiver that takes nothing at all is tried with one old message at a time, each new one once.
//!
//! A receiver that has to hear again and again of what goes on keeps the last message of each lane *standing*: it
//! goes again whenever nothing else has gone for a while, in the same lane and so never after the end.
//!
//! Bounded: beyond [`MOST_WAITING`] messages for one notifier its oldest lane is given up, whole, and counted as
//! failed; a receiver that has been away for that long has other worries.

mod outlet;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Failure, Manner};
use crate::model::{Message, Outcome};
use crate::snapshot::NotifierCounts;
use outlet::{Outlet, outcome};

/// The most messages that wait for one notifier.
pub const MOST_WAITING: usize = 10_000;

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Queue {
    outlets: BTreeMap<Arc<str>, Outlet>,
}

impl Queue {
    /// Says which notifiers there are. What waits for one that is gone is given up.
    pub fn configure<'a>(
        &mut self,
        notifiers: impl Iterator<Item = (&'a Arc<str>, Manner)>,
        now: Timestamp,
    ) -> Vec<Outcome> {
        let mut before = std::mem::take(&mut self.outlets);
        for (name, manner) in notifiers {
            let mut outlet = before.remove(name).unwrap_or_default();
            outlet.set_manner(manner);
            self.outlets.insert(name.clone(), outlet);
        }
        before
            .into_values()
            .flat_map(|outlet| outlet.give_up("the notifier is no longer configured", now))
            .collect()
    }

    /// Takes in a message. Returns what had to be given up for it.
    pub fn add(&mut self, message: Message, now: Timestamp) -> Vec<Outcome> {
        match self.outlets.get_mut(&message.notifier) {
            Some(outlet) => outlet.add(message, now),
            None => vec![outcome(&message, 0, Some("no such notifier is configured"), now)],
        }
    }

    /// Takes in what was last told of an incident that goes on, before a restart: a receiver that has to hear it
    /// again and again does, and nobody else.
    pub fn stand(&mut self, message: Message, now: Timestamp) {
        if let Some(outlet) = self.outlets.get_mut(&message.notifier) {
            outlet.stand(message, now);
        }
    }

    /// The next message to send now, if any; it counts as on its way until [`Self::finished`] says otherwise.
    pub fn next(&mut self, now: Timestamp) -> Option<Message> {
        self.outlets.values_mut().find_map(|outlet| outlet.next(now))
    }

    /// When there may be something to send; `None`: not before a delivery ends or a message comes in.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.outlets.values().filter_map(Outlet::next_due).min()
    }

    /// Says how the delivery of a message went; `chance`, between 0 and 1, spreads the next attempts. Returns what
    /// is to be written down, once nothing more will come of the message.
    pub fn finished(
        &mut self,
        message: &Message,
        result: &Result<(), Failure>,
        now: Timestamp,
        chance: f64,
    ) -> Option<Outcome> {
        let outlet = self.outlets.get_mut(&message.notifier)?;
        outlet.finished(message, result, now, chance)
    }

    /// Says that a test message arrived: what waits is worth trying at once.
    pub fn proven(&mut self, notifier: &str, now: Timestamp) {
        if let Some(outlet) = self.outlets.get_mut(notifier) {
            outlet.proven(now);
        }
    }

    /// What became of each notifier's messages since the start.
    pub fn counts(&self) -> BTreeMap<Arc<str>, NotifierCounts> {
        self.outlets
            .iter()
            .map(|(name, outlet)| (name.clone(), outlet.counts()))
            .collect()
    }
}
