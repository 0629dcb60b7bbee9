//! One notifier's part of the queue.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::MOST_WAITING;
use crate::model::{Event, Message, Outcome};
use crate::notify::manner::{Meter, later};
use crate::notify::{Failure, Manner};
use crate::snapshot::{NotifierCounts, NotifierHealth};

/// The most deliveries to one notifier at the same time, each about another incident.
const AT_ONCE: usize = 4;
/// How long to wait after the first failure, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The longest that a receiver can make us wait.
const LONGEST_HOLD: Duration = Duration::from_hours(1);

/// One notifier's part.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    manner: Manner,
    /// By incident; tests have none and share the lane 0.
    lanes: BTreeMap<u64, Lane>,
    waiting: usize,
    on_the_way: usize,
    /// The receiver asked us to send nothing before.
    held_until: Option<Timestamp>,
    /// What failed before is not tried again before: the wait grows with each round that fails.
    retry_at: Option<Timestamp>,
    rounds_failed: u32,
    meter: Meter,
    delivered: u64,
    failed: u64,
    health: NotifierHealth,
}

#[derive(Debug)]
struct Lane {
    waiting: VecDeque<Message>,
    /// What goes again when nothing waits.
    standing: Option<Message>,
    attempts: u32,
    due: Timestamp,
    on_the_way: bool,
}

impl Lane {
    fn new(due: Timestamp) -> Self {
        Self {
            waiting: VecDeque::new(),
            standing: None,
            attempts: 0,
            due,
            on_the_way: false,
        }
    }

    /// What goes next. A lane without any is not kept.
    fn first(&self) -> Option<&Message> {
        self.waiting.front().or(self.standing.as_ref())
    }
}

impl Outlet {
    /// Takes the receiver's manner. What stands for one that need not hear it again no longer does.
    pub(super) fn set_manner(&mut self, manner: Manner) {
        self.manner = manner;
        if manner.resend.is_none() {
            for lane in self.lanes.values_mut().filter(|lane| !lane.on_the_way) {
                lane.standing = None;
            }
            self.lanes
                .retain(|_, lane| lane.on_the_way || lane.first().is_some());
        }
    }

    pub(super) fn add(&mut self, message: Message, now: Timestamp) -> Vec<Outcome> {
        let lane = self
            .lanes
            .entry(lane_of(&message))
            .or_insert_with(|| Lane::new(now));
        if lane.waiting.is_empty() {
            // News does not wait for the next time that old news is due.
            lane.due = now;
            lane.attempts = 0;
        }
        lane.waiting.push_back(message);
        self.waiting += 1;
        self.shed(now)
    }

    pub(super) fn stand(&mut self, message: Message, now: Timestamp) {
        if self.manner.resend.is_some() {
            let key = lane_of(&message);
            let lane = self.lanes.entry(key).or_insert_with(|| Lane::new(now));
            lane.standing = Some(message);
        }
    }

    /// Lanes that were not tried yet go first, so that a new page never queues behind old failures.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Message> {
        if self.on_the_way >= AT_ONCE || self.opens().is_some_and(|opens| now < opens) {
            return None;
        }
        let (pace, retry_at) = (self.manner.pace, self.retry_at);
        let (_, lane) = self
            .lanes
            .iter_mut()
            .filter(|(_, lane)| !lane.on_the_way && ready(lane, retry_at) <= now)
            .min_by_key(|(key, lane)| (lane.attempts > 0, lane.waiting.is_empty(), lane.due, **key))?;
        let message = lane.first()?.clone();
        lane.on_the_way = true;
        self.on_the_way += 1;
        self.meter.take(pace, now);
        Some(message)
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        if self.on_the_way >= AT_ONCE {
            return None;
        }
        let due = self
            .lanes
            .values()
            .filter(|lane| !lane.on_the_way)
            .map(|lane| ready(lane, self.retry_at))
            .min()?;
        Some(self.opens().map_or(due, |opens| opens.max(due)))
    }

    /// When anything may go: what the receiver asked for, and its pace.
    fn opens(&self) -> Option<Timestamp> {
        self.held_until.max(self.meter.next(self.manner.pace))
    }

    pub(super) fn finished(
        &mut self,
        message: &Message,
        result: &Result<(), Failure>,
        now: Timestamp,
        chance: f64,
    ) -> Option<Outcome> {
        let key = lane_of(message);
        let lane = self.lanes.get_mut(&key).filter(|lane| lane.on_the_way)?;
        let told = lane.waiting.front().is_some_and(|first| first.id == message.id);
        let again = lane.standing.as_ref().is_some_and(|last| last.id == message.id);
        if !told && !again {
            return None;
        }
        lane.on_the_way = false;
        lane.attempts = lane.attempts.saturating_add(1);
        let attempts = lane.attempts;
        self.on_the_way = self.on_the_way.saturating_sub(1);
        self.judge(result, now, chance);
        if matches!(result, Err(Failure::Passing { .. })) {
            let lane = self.lanes.get_mut(&key)?;
            lane.due = later(now, wait_after(attempts, chance));
            return None;
        }
        self.delivered += u64::from(told && result.is_ok());
        self.settle(key, told, result.is_ok(), now);
        let failed = result.as_ref().err().map(ToString::to_string);
        told.then(|| outcome(message, attempts, failed.as_deref(), now))
    }

    /// What an attempt says of the receiver as a whole.
    fn judge(&mut self, result: &Result<(), Failure>, now: Timestamp, chance: f64) {
        let Err(failure) = result else {
            self.retry_at = None;
            self.rounds_failed = 0;
            self.health = NotifierHealth::Well;
            return;
        };
        self.failed += 1;
        let for_good = matches!(failure, Failure::Permanent { .. });
        self.health = self.health.failed(&failure.to_string(), for_good, now);
        if let Failure::Passing { retry_after, .. } = failure {
            if let Some(pause) = retry_after {
                self.held_until = Some(later(now, (*pause).min(LONGEST_HOLD)));
            }
            // What failed beside it in the same round says nothing new.
            if self.retry_at.is_none_or(|at| at <= now) {
                self.rounds_failed = self.rounds_failed.saturating_add(1);
                self.retry_at = Some(later(now, wait_after(self.rounds_failed, chance)));
            }
        }
    }

    /// Brings a lane on: what was told stands, unless it was the end, and the next may go.
    fn settle(&mut self, key: u64, told: bool, taken: bool, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        lane.attempts = 0;
        if told && let Some(message) = lane.waiting.pop_front() {
            self.waiting = self.waiting.saturating_sub(1);
            if message.notice.event == Event::Resolved {
                lane.standing = None;
            } else if taken && self.manner.resend.is_some() && message.incident().is_some() {
                lane.standing = Some(message);
            }
        }
        lane.due = match self.manner.resend {
            Some(resend) if lane.waiting.is_empty() => later(now, resend),
            _ => now,
        };
        if self.manner.resend.is_none() {
            lane.standing = None;
        }
        if lane.first().is_none() {
            self.lanes.remove(&key);
        }
    }

    /// A message arrived by another way: what waits is worth trying at once.
    pub(super) fn proven(&mut self, now: Timestamp) {
        self.health = NotifierHealth::Well;
        (self.held_until, self.retry_at, self.rounds_failed) = (None, None, 0);
        for lane in self.lanes.values_mut().filter(|lane| lane.attempts > 0) {
            lane.due = now;
        }
    }

    /// Gives up the oldest lane when there are too many messages.
    fn shed(&mut self, now: Timestamp) -> Vec<Outcome> {
        if self.waiting <= MOST_WAITING {
            return Vec::new();
        }
        let oldest = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.on_the_way && !lane.waiting.is_empty())
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

    /// What becomes of everything that waits when nobody will take it any more.
    pub(super) fn give_up(&self, reason: &str, now: Timestamp) -> Vec<Outcome> {
        self.lanes
            .values()
            .flat_map(|lane| give_up(lane, reason, now))
            .collect()
    }

    pub(super) fn counts(&self) -> NotifierCounts {
        NotifierCounts {
            delivered: self.delivered,
            failed: self.failed,
            pending: u64::try_from(self.waiting).unwrap_or(u64::MAX),
            health: self.health.clone(),
        }
    }
}

/// When a lane may go: one that failed before waits for the receiver as a whole, too.
fn ready(lane: &Lane, retry_at: Option<Timestamp>) -> Timestamp {
    match retry_at {
        Some(at) if lane.attempts > 0 => lane.due.max(at),
        _ => lane.due,
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

/// What is to be written down of a message.
pub(super) fn outcome(message: &Message, attempts: u32, failed: Option<&str>, now: Timestamp) -> Outcome {
    Outcome {
        id: message.id,
        notifier: message.notifier.clone(),
        incident: message.incident(),
        event: message.notice.event,
        at: now,
        attempts,
        failed: failed.map(str::to_owned),
        captured: None,
    }
}

/// How long to wait after so many failures: doubling, and spread over the upper half so that lanes that failed
/// together do not come back together.
pub(super) fn wait_after(attempts: u32, chance: f64) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    doubled
        .min(LONGEST_WAIT)
        .mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}
