//! What waits to be sent, and what is to be sent next. Pure, under driven time.
//!
//! Messages to one notifier about one incident form a lane: they go one after the other, and a lane whose message
//! failed waits, longer each time, without holding up the others. So a receiver that was down for the whole outage
//! gets both messages in order when it is back, and one message that a receiver chokes on blocks nobody else's.
//!
//! Bounded: beyond [`MOST_WAITING`] messages for one notifier its oldest lane is given up, whole, and counted as
//! failed; a receiver that has been away for that long has other worries.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Failure;
use crate::model::{Message, Outcome};
use crate::snapshot::NotifierCounts;

/// The most messages that wait for one notifier.
pub const MOST_WAITING: usize = 10_000;
/// The most deliveries to one notifier at the same time, each about another incident.
const AT_ONCE: usize = 4;
/// How long to wait after the first failure, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The longest that a receiver can make us wait.
const LONGEST_HOLD: Duration = Duration::from_hours(1);

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Queue {
    outlets: BTreeMap<Arc<str>, Outlet>,
}

/// One notifier's part.
#[derive(Debug, Default)]
struct Outlet {
    /// By incident; tests have none and share the lane 0.
    lanes: BTreeMap<u64, Lane>,
    waiting: usize,
    on_the_way: usize,
    held_until: Option<Timestamp>,
    delivered: u64,
    failed: u64,
}

#[derive(Debug)]
struct Lane {
    waiting: VecDeque<Message>,
    attempts: u32,
    due: Timestamp,
    on_the_way: bool,
}

impl Queue {
    /// Says which notifiers there are. What waits for one that is gone is given up.
    pub fn configure<'a>(
        &mut self,
        names: impl Iterator<Item = &'a Arc<str>>,
        now: Timestamp,
    ) -> Vec<Outcome> {
        let mut before = std::mem::take(&mut self.outlets);
        for name in names {
            let outlet = before.remove(name).unwrap_or_default();
            self.outlets.insert(name.clone(), outlet);
        }
        before
            .into_values()
            .flat_map(|outlet| outlet.lanes.into_values())
            .flat_map(|lane| give_up(&lane, "the notifier is no longer configured", now))
            .collect()
    }

    /// Takes in a message. Returns what had to be given up for it.
    pub fn add(&mut self, message: Message, now: Timestamp) -> Vec<Outcome> {
        let Some(outlet) = self.outlets.get_mut(&message.notifier) else {
            return vec![outcome(&message, 0, Some("no such notifier is configured"), now)];
        };
        let key = lane_of(&message);
        outlet
            .lanes
            .entry(key)
            .or_insert_with(|| Lane {
                waiting: VecDeque::new(),
                attempts: 0,
                due: now,
                on_the_way: false,
            })
            .waiting
            .push_back(message);
        outlet.waiting += 1;
        outlet.shed(now)
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
        let key = lane_of(message);
        let lane = outlet.lanes.get_mut(&key).filter(|lane| lane.on_the_way)?;
        if lane.waiting.front().map(|first| first.id) != Some(message.id) {
            return None;
        }
        lane.on_the_way = false;
        lane.attempts = lane.attempts.saturating_add(1);
        let attempts = lane.attempts;
        outlet.on_the_way = outlet.on_the_way.saturating_sub(1);
        let failed = match result {
            Ok(()) => {
                outlet.delivered += 1;
                None
            }
            Err(Failure::Permanent { reason }) => {
                outlet.failed += 1;
                Some(reason.as_str())
            }
            Err(Failure::Passing { retry_after, .. }) => {
                outlet.failed += 1;
                lane.due = later(now, wait_after(attempts, chance));
                if let Some(pause) = retry_after {
                    outlet.held_until = Some(later(now, (*pause).min(LONGEST_HOLD)));
                }
                return None;
            }
        };
        lane.waiting.pop_front();
        outlet.waiting = outlet.waiting.saturating_sub(1);
        lane.attempts = 0;
        lane.due = now;
        if lane.waiting.is_empty() {
            outlet.lanes.remove(&key);
        }
        Some(outcome(message, attempts, failed, now))
    }

    /// What became of each notifier's messages since the start.
    pub fn counts(&self) -> BTreeMap<Arc<str>, NotifierCounts> {
        self.outlets
            .iter()
            .map(|(name, outlet)| (name.clone(), outlet.counts()))
            .collect()
    }
}

impl Outlet {
    fn blocked(&self, now: Timestamp) -> bool {
        self.on_the_way >= AT_ONCE || self.held_until.is_some_and(|until| now < until)
    }

    /// Lanes that were not tried yet go first, so that a new page never queues behind old failures.
    fn next(&mut self, now: Timestamp) -> Option<Message> {
        if self.blocked(now) {
            return None;
        }
        let (_, lane) = self
            .lanes
            .iter_mut()
            .filter(|(_, lane)| !lane.on_the_way && lane.due <= now)
            .min_by_key(|(key, lane)| (lane.attempts > 0, lane.due, **key))?;
        let message = lane.waiting.front()?.clone();
        lane.on_the_way = true;
        self.on_the_way += 1;
        Some(message)
    }

    fn next_due(&self) -> Option<Timestamp> {
        if self.on_the_way >= AT_ONCE {
            return None;
        }
        let due = self
            .lanes
            .values()
            .filter(|lane| !lane.on_the_way)
            .map(|lane| lane.due)
            .min()?;
        Some(self.held_until.map_or(due, |until| until.max(due)))
    }

    /// Gives up the oldest lane when there are too many messages.
    fn shed(&mut self, now: Timestamp) -> Vec<Outcome> {
        if self.waiting <= MOST_WAITING {
            return Vec::new();
        }
        let oldest = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.on_the_way)
            .min_by_key(|(_, lane)| lane.waiting.front().map(|message| message.id))
            .map(|(key, _)| *key);
        let Some(lane) = oldest.and_then(|key| self.lanes.remove(&key)) else {
            return Vec::new();
        };
        let outcomes = give_up(&lane, "too many messages wait for this notifier", now);
        self.waiting = self.waiting.saturating_sub(outcomes.len());
        self.failed += u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
        outcomes
    }

    fn counts(&self) -> NotifierCounts {
        NotifierCounts {
            delivered: self.delivered,
            failed: self.failed,
            pending: u64::try_from(self.waiting).unwrap_or(u64::MAX),
        }
    }
}

fn lane_of(message: &Message) -> u64 {
    message.incident().map_or(0, |id| id.0)
}

fn give_up(lane: &Lane, reason: &str, now: Timestamp) -> Vec<Outcome> {
    lane.waiting
        .iter()
        .map(|message| outcome(message, 0, Some(reason), now))
        .collect()
}

fn outcome(message: &Message, attempts: u32, failed: Option<&str>, now: Timestamp) -> Outcome {
    Outcome {
        id: message.id,
        notifier: message.notifier.clone(),
        incident: message.incident(),
        event: message.notice.event,
        at: now,
        attempts,
        failed: failed.map(str::to_owned),
    }
}

/// How long to wait after so many failures: doubling, and spread over the upper half so that lanes that failed
/// together do not come back together.
fn wait_after(attempts: u32, chance: f64) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    doubled
        .min(LONGEST_WAIT)
        .mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

fn later(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| now.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}
