//! What is due, and what budgets allow: intervals with jitter, retries that confirm, shared budgets an address,
//! a provider and a name server. It knows nothing of what a probe does.
//!
//! Pure: the time is handed in. What is due but not allowed yet waits in the line of the budget that is short,
//! so that a slow or a small one holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

use crate::model::by_subject::Id;
use crate::model::{BySubject, DomainName, Length, Moment, Subject};

mod entry;
mod lane;
mod queue;

pub use lane::Allowance;

use entry::{Class, Entry, Place, Run, Wait};
use lane::Lane;
use queue::Queue;

/// Something with a budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Budget {
    /// SMTP sessions with one address.
    Address(SocketAddr),
    /// SMTP sessions with a recognised provider.
    Provider(Arc<str>),
    /// Questions to a name server.
    NameServer(IpAddr),
    /// Questions to name servers that are yet to be found: they may all be one and the same.
    UnknownNameServers,
    /// Questions to a blocklist, through our resolver.
    Blocklist(DomainName),
}

/// Routine probes begin on these beats, several at a time: a processor that is woken for each of two hundred a second
/// spends nearly half of its time on waking.
const BEAT_MILLIS: i64 = 100;

/// Shorter intervals than this are kept as they are: a beat would be too much of them.
const BEATS_FROM: Duration = Duration::from_secs(1);

/// When what goes before all others tries again, where a budget is used up by what runs.
const RETRY: Duration = Duration::from_secs(1);

/// How a subject is paced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From the start of one probe to the start of the next; `None`: only when asked.
    pub interval: Option<Duration>,
    /// From the end of a failure to the next try, until it is confirmed.
    pub confirm_interval: Duration,
}

/// What comes after a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The usual interval.
    Routine,
    /// Soon: a failure wants confirming.
    Confirm,
    /// Not before this long: they refused us.
    BackOff(Duration),
}

/// A probe to start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Of what.
    pub subject: Subject,
    /// By how much it starts later than it was due, budgets included.
    pub late: Duration,
}

/// What is due when.
#[derive(Debug, Clone)]
pub struct Agenda {
    entries: BySubject<Entry>,
    /// What all others wait for.
    first: Queue,
    /// All others.
    others: Queue,
    lanes: BTreeMap<Budget, Lane>,
    lane_wakes: BTreeSet<(Timestamp, Budget)>,
    running: usize,
    most_at_once: usize,
}

impl Agenda {
    /// An empty one that never runs more than `most_at_once` probes, besides those that are asked for before all others: they
    /// are few, and when everything fails at once, all others hold their places for as long as they wait for an answer, and
    /// all are judged by what these few say.
    pub fn new(most_at_once: usize) -> Self {
        Self {
            entries: BySubject::default(),
            first: Queue::default(),
            others: Queue::default(),
            lanes: BTreeMap::new(),
            lane_wakes: BTreeSet::new(),
            running: 0,
            most_at_once,
        }
    }

    /// Runs up to so many from now on.
    pub fn set_most_at_once(&mut self, most: usize) {
        self.most_at_once = most;
    }

    /// How many subjects are watched.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a subject is watched.
    pub fn watches(&self, subject: &Subject) -> bool {
        self.entry(subject).is_some_and(|entry| !entry.gone)
    }

    fn entry(&self, subject: &Subject) -> Option<&Entry> {
        self.entries.get(subject)
    }

    /// Whether nothing runs and nothing waits that was asked for, but for subjects that are of no matter: `check` is done then.
    pub fn is_quiet(&self, no_matter: impl Fn(&Subject) -> bool) -> bool {
        let mut entries = self.entries.iter();
        entries.all(|entry| no_matter(&entry.subject) || (entry.wait.is_none() && !entry.is_running()))
    }

    /// Watches a subject, or changes how. A new one with an interval is due at `first`.
    pub fn watch(
        &mut self,
        subject: &Subject,
        pace: Pace,
        budgets: Vec<(Budget, Allowance)>,
        first: Timestamp,
    ) {
        for (budget, allowance) in &budgets {
            self.lanes
                .entry(budget.clone())
                .or_insert_with(|| Lane::new(*allowance))
                .set(*allowance);
        }
        let names: Box<[Budget]> = budgets.into_iter().map(|(budget, _)| budget).collect();
        if let Some(id) = self.entries.id(subject) {
            if let Some(entry) = self.entries.at_mut(id) {
                // It comes back while its probe still runs: the next one follows that.
                if std::mem::take(&mut entry.gone) {
                    entry.again = pace.interval.is_some();
                }
                entry.effective = entry.effective.max(pace.interval.unwrap_or_default().into());
                // The lanes that a running probe holds must be the ones that it gives back.
                if !entry.is_running() {
                    entry.budgets = names;
                }
                let interval = pace.interval.map(Length::from);
                let quickened = interval != entry.interval;
                entry.interval = interval;
                entry.confirm_interval = pace.confirm_interval.into();
                if quickened && !entry.is_running() && entry.backed_off_until.is_none() {
                    let due = entry.last_start.map_or(first, |start| {
                        after(start.into(), pace.interval.unwrap_or_default())
                    });
                    if pace.interval.is_some() {
                        self.enter(id, Class::Routine, due.max(first));
                    }
                }
            }
            return;
        }
        let id = self.entries.insert(Entry::new(subject.clone(), pace, names));
        if pace.interval.is_some() {
            self.enter(id, Class::Routine, first);
        }
    }

    /// Watches a subject no longer. A probe of it that runs still ends by [`Agenda::done`], and until then none
    /// of the same subject begins.
    pub fn unwatch(&mut self, subject: &Subject) {
        let Some(id) = self.entries.id(subject) else {
            return;
        };
        self.leave(id);
        match self.entries.at_mut(id) {
            Some(entry) if entry.is_running() => entry.gone = true,
            _ => self.entries.remove(id),
        }
    }

    /// Asks for evidence that begins at or after `since`, as soon as budgets allow. A server that refused us is
    /// left alone all the same, and a failure that waits to be confirmed keeps its pause: that will be the evidence.
    pub fn ask(&mut self, subject: &Subject, since: Timestamp, now: Timestamp) {
        self.ask_as(false, subject, since, now);
    }

    /// Likewise, before all others and whatever else runs: what it says, and what confirms that, decides on everybody.
    pub fn ask_first(&mut self, subject: &Subject, since: Timestamp, now: Timestamp) {
        self.ask_as(true, subject, since, now);
    }

    fn ask_as(&mut self, first: bool, subject: &Subject, since: Timestamp, now: Timestamp) {
        let Some(id) = self.entries.id(subject) else {
            return;
        };
        let Some(entry) = self.entries.at_mut(id) else {
            return;
        };
        let since = Moment::from(since);
        if entry.is_running() {
            entry.again |= entry.last_start.is_some_and(|started| started < since) && !entry.gone;
            entry.first |= first;
            return;
        }
        // A failure that waits to be confirmed goes before others now, at its time.
        if let Some(Wait {
            class: Class::Urgent,
            due,
            ..
        }) = entry.wait
            && first
        {
            entry.first = true;
            return self.enter(id, Class::First, due.into());
        }
        if entry.last_start.is_some_and(|start| start >= since)
            || entry
                .backed_off_until
                .is_some_and(|until| Moment::from(now) < until)
            || entry.is_pressing()
        {
            return;
        }
        entry.first |= first;
        let class = entry.pressing();
        self.enter(id, class, now);
    }

    /// What is to be started now. Each is running from here on, until [`Agenda::done`].
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        self.ripen(now);
        while let Some(place) = self.first.next() {
            self.try_start(place, now, &mut due);
        }
        while self.running < self.most_at_once {
            let Some((when, _)) = self.lane_wakes.first().cloned() else {
                break;
            };
            if when > now {
                break;
            }
            let Some((_, budget)) = self.lane_wakes.pop_first() else {
                break;
            };
            self.serve_lane(&budget, now, &mut due);
        }
        while self.running < self.most_at_once {
            let Some(place) = self.others.next() else {
                break;
            };
            self.try_start(place, now, &mut due);
        }
        due
    }

    /// Has those whose time has come wait for their turn.
    fn ripen(&mut self, now: Timestamp) {
        for queue in [&mut self.first, &mut self.others] {
            queue.ripen(now.into(), |id| {
                if let Some(wait) = self.entries.at_mut(id).and_then(|entry| entry.wait.as_mut()) {
                    wait.ready = true;
                }
            });
        }
    }

    fn queue(&mut self, class: Class) -> &mut Queue {
        match class {
            Class::First => &mut self.first,
            Class::Urgent | Class::Routine => &mut self.others,
        }
    }

    /// When to look again at the latest.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let first = self.first.soonest();
        if self.running >= self.most_at_once {
            return first;
        }
        let lane = self.lane_wakes.first().map(|(when, _)| *when);
        first.into_iter().chain(self.others.soonest()).chain(lane).min()
    }

    /// Whether anybody answered a subject at all. What nobody answers is no session: many that are tried at once burden
    /// nobody, and each takes as long as patience lasts. So they go on at the pace of their budgets, and hold up nothing
    /// that may answer.
    pub fn set_unanswered(&mut self, subject: &Subject, unanswered: bool) {
        let id = self.entries.id(subject);
        if let Some(entry) = id.and_then(|id| self.entries.at_mut(id)) {
            entry.unanswered = unanswered;
        }
    }

    /// A probe has ended.
    pub fn done(&mut self, subject: &Subject, next: Next, now: Timestamp) {
        let Some(id) = self.entries.id(subject) else {
            return;
        };
        let Some(entry) = self.entries.at_mut(id) else {
            return;
        };
        let Some(started) = entry.last_start.filter(|_| entry.is_running()) else {
            return;
        };
        let budgets = match std::mem::replace(&mut entry.run, Run::No) {
            Run::InPlace => entry.budgets.clone(),
            Run::Beside | Run::No => Box::default(),
        };
        if entry.gone {
            self.entries.remove(id);
            self.release(&budgets);
            return;
        }
        let again = std::mem::take(&mut entry.again);
        let pressing = entry.pressing();
        entry.first &= again || next == Next::Confirm;
        entry.backed_off_until = None;
        let place = match next {
            Next::BackOff(pause) => {
                let until = after(now, pause);
                entry.backed_off_until = Some(until.into());
                entry.effective = pause.into();
                Some((Class::Routine, until))
            }
            Next::Confirm => Some((pressing, after(now, entry.confirm_interval.into()))),
            Next::Routine if again => Some((pressing, now)),
            Next::Routine => entry.interval.map(|interval| {
                let interval = interval.into();
                let due = after(started.into(), shortened(interval, &entry.subject, entry.runs));
                (Class::Routine, on_the_beat(due, interval).max(now))
            }),
        };
        self.release(&budgets);
        if let Some((class, due)) = place {
            self.enter(id, class, due);
        }
    }

    /// Leaves a subject alone for `pause` from `now` on, as if it had refused us itself; a probe of it that runs
    /// goes on to its end.
    pub fn leave_alone(&mut self, subject: &Subject, pause: Duration, now: Timestamp) {
        let Some(id) = self.entries.id(subject) else {
            return;
        };
        let Some(entry) = self.entries.at_mut(id) else {
            return;
        };
        let until = after(now, pause);
        let already = entry.backed_off_until;
        if entry.is_running() || already.is_some_and(|already| Moment::from(until) <= already) {
            return;
        }
        entry.backed_off_until = Some(until.into());
        entry.effective = entry.effective.max(pause.into());
        self.enter(id, Class::Routine, until);
    }

    /// What a subject's interval comes to after budgets and back-off.
    pub fn effective_interval(&self, subject: &Subject) -> Duration {
        self.entry(subject)
            .map(|entry| entry.effective.into())
            .unwrap_or_default()
    }

    /// How many wait for a budget: for the warning that intervals stretch.
    pub fn waiting(&self) -> usize {
        self.lanes.values().map(Lane::waiting).sum()
    }

    fn enter(&mut self, id: Id, class: Class, due: Timestamp) {
        self.leave(id);
        let due = Moment::from(due);
        if let Some(entry) = self.entries.at_mut(id) {
            entry.wait = Some(Wait {
                class,
                due,
                ready: false,
                line: None,
            });
            self.queue(class).enter((class, due, id));
        }
    }

    fn leave(&mut self, id: Id) {
        let Some(wait) = self.entries.at_mut(id).and_then(|entry| entry.wait.take()) else {
            return;
        };
        let place = (wait.class, wait.due, id);
        match wait.line {
            Some(budget) => {
                if let Some(lane) = self.lanes.get_mut(&budget) {
                    lane.leave(&place);
                }
            }
            None => self.queue(wait.class).leave(&place, wait.ready),
        }
    }

    /// Starts what stands at `place`, or parks it in the line of the first budget that is short.
    fn try_start(&mut self, place: Place, now: Timestamp, due: &mut Vec<Due>) -> bool {
        let Some(entry) = self.entries.at_mut(place.2) else {
            return false;
        };
        let takes_place = !entry.unanswered;
        let short = entry.budgets.iter().find_map(|budget| {
            let free_at = self.lanes.get(budget)?.free_at(takes_place);
            match free_at {
                Some(when) if when <= now => None,
                other => Some((budget.clone(), other)),
            }
        });
        if let Some((_, free_at)) = &short
            && place.0 == Class::First
        {
            // It would wait in line for a place among all.
            let soon = after(now, RETRY);
            let due = free_at.unwrap_or(soon).max(now);
            self.enter(place.2, Class::First, due);
            return false;
        }
        if let Some((budget, free_at)) = short {
            if let Some(wait) = &mut entry.wait {
                wait.line = Some(Box::new(budget.clone()));
            }
            if let Some(lane) = self.lanes.get_mut(&budget) {
                lane.park(place, takes_place);
            }
            if let Some(when) = free_at {
                self.lane_wakes.insert((when, budget));
            }
            return false;
        }
        entry.wait = None;
        entry.run = if takes_place { Run::InPlace } else { Run::Beside };
        for budget in &entry.budgets {
            if let Some(lane) = self.lanes.get_mut(budget) {
                lane.begin(now, takes_place);
            }
        }
        let asked = entry.interval.map(Duration::from).unwrap_or_default();
        // A longer gap than the interval is what budgets have made of it.
        if let (Some(last), Class::Routine) = (entry.last_start, place.0) {
            entry.effective = asked.max(span(last.into(), now)).into();
        } else {
            entry.effective = entry.effective.max(asked.into());
        }
        entry.last_start = Some(now.into());
        entry.runs = entry.runs.wrapping_add(1);
        self.running += 1;
        due.push(Due {
            subject: entry.subject.clone(),
            late: span(place.1.into(), now),
        });
        true
    }

    /// Lets those in the line of a budget begin, as far as it reaches.
    fn serve_lane(&mut self, budget: &Budget, now: Timestamp, due: &mut Vec<Due>) {
        while self.running < self.most_at_once {
            let Some(lane) = self.lanes.get_mut(budget) else {
                return;
            };
            let Some((place, when)) = lane.next() else { return };
            if when > now {
                self.lane_wakes.insert((when, budget.clone()));
                return;
            }
            lane.leave(&place);
            self.try_start(place, now, due);
        }
        self.lane_wakes.insert((now, budget.clone()));
    }

    fn release(&mut self, budgets: &[Budget]) {
        self.running = self.running.saturating_sub(1);
        for budget in budgets {
            let Some(lane) = self.lanes.get_mut(budget) else {
                continue;
            };
            lane.end();
            if let Some((_, when)) = lane.next() {
                self.lane_wakes.insert((when, budget.clone()));
            }
        }
    }

    /// Drops budgets that nobody uses; their pace is forgotten, so only those that have caught up.
    pub fn tidy(&mut self, now: Timestamp) {
        let used: BTreeSet<&Budget> = self.entries.iter().flat_map(|entry| &entry.budgets).collect();
        let unused = |budget: &Budget, lane: &Lane| {
            lane.is_idle() && !used.contains(budget) && lane.free_at(true).is_some_and(|when| when <= now)
        };
        self.lanes.retain(|budget, lane| !unused(budget, lane));
    }
}

/// `start` and `pause` later.
fn after(start: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    start.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// From one time to a later one.
fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// The beat at or before the time at which a probe of this interval would be due: never later than promised.
fn on_the_beat(due: Timestamp, interval: Duration) -> Timestamp {
    if interval < BEATS_FROM {
        return due;
    }
    due.round(
        TimestampRound::new()
            .smallest(Unit::Millisecond)
            .increment(BEAT_MILLIS)
            .mode(RoundMode::Trunc),
    )
    .unwrap_or(due)
}

/// The interval less up to a twentieth, never more than it: so that fleets do not march in step, and no
/// verdict comes later than promised (`semantics` 5).
fn shortened(interval: Duration, subject: &Subject, run: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (subject, u64::from(run)).hash(&mut hasher);
    let parts = u32::try_from(hasher.finish() % 50).unwrap_or(0);
    interval.saturating_sub(interval / 1000 * parts)
}

#[cfg(test)]
mod tests;
