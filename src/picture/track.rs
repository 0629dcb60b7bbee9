//! What is known of one subject: its newest observation, the row of failures that it stands in, and what has
//! been settled by confirmation.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Code, Observation};

/// What an observation means by itself, before anything else explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Good,
    /// Something is wrong, of this kind; it counts once confirmed.
    Failed(Code),
    /// Something is wrong that needs no second look (the slow lane's last word).
    Settled(Code),
    /// They refuse *us*: no outage, and no reason to insist (`semantics` 12).
    Refused,
    /// The probe could not be run: evidence of nothing.
    Unrunnable,
}

impl Health {
    /// The code of what is wrong.
    pub fn code(self) -> Option<Code> {
        match self {
            Self::Failed(code) | Self::Settled(code) => Some(code),
            Self::Refused => Some(Code::VantageRefused),
            Self::Good | Self::Unrunnable => None,
        }
    }
}

/// A row of failures without a good observation between.
#[derive(Debug, Clone, PartialEq)]
pub struct Streak {
    /// How many failures, of any kind.
    pub failures: u32,
    /// When the first of them had been seen: evidence that explains it must have begun after that.
    pub first_seen: Timestamp,
    /// The kind of the newest ones.
    code: Code,
    /// How many of the newest ones are of that kind.
    same_kind: u32,
    /// When the first of those had been seen.
    same_kind_seen: Timestamp,
}

/// What counts about a subject: its last good observation, or a confirmed failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The observation that shows it, kept up to date while it stays so.
    pub observation: Arc<Observation>,
    /// What it means.
    pub health: Health,
    /// When it was first seen to be so.
    pub since: Timestamp,
    /// When enough had been seen of it.
    pub confirmed: Timestamp,
}

/// How an observation is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    /// How many failures after the first make one count.
    pub confirm: u32,
    /// From when on evidence that explains a failure must have begun: the end of the observation, or for a
    /// single look the beginning of time.
    pub seen: Timestamp,
    /// Until when it is fresh.
    pub fresh_until: Timestamp,
}

/// How many earlier settled states a track remembers.
const MOST_EARLIER: usize = 4;

/// What is known of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The newest observation.
    pub latest: Arc<Observation>,
    /// The newest good one.
    pub last_good: Option<Arc<Observation>>,
    /// The row of failures that it stands in.
    pub streak: Option<Streak>,
    /// What counts.
    pub settled: Option<Settled>,
    /// What counted before that, the newest last.
    earlier: Vec<Settled>,
    /// Until when that is fresh (`semantics` 2).
    pub fresh_until: Timestamp,
    /// Failures that began before do not count.
    heard_from: Option<Timestamp>,
}

impl Track {
    /// A subject seen for the first time.
    pub fn new(observation: &Arc<Observation>) -> Self {
        Self {
            latest: Arc::clone(observation),
            last_good: None,
            streak: None,
            settled: None,
            earlier: Vec::new(),
            fresh_until: observation.ended(),
            heard_from: None,
        }
    }

    /// Takes in an observation.
    pub fn record(&mut self, observation: &Arc<Observation>, health: Health, taking: Taking) {
        self.latest = Arc::clone(observation);
        if health == Health::Unrunnable {
            return;
        }
        self.fresh_until = taking.fresh_until;
        match health {
            Health::Good => {
                self.streak = None;
                self.last_good = Some(Arc::clone(observation));
                self.settle(observation, health, observation.at);
            }
            Health::Refused => {
                self.streak = None;
                self.settle(observation, health, taking.seen);
            }
            Health::Settled(code) => {
                let streak = self.lengthen(code, taking.seen);
                self.settle(observation, Health::Failed(code), streak.first_seen);
            }
            Health::Failed(code) => {
                let streak = self.lengthen(code, taking.seen);
                if self.is_confirmed(&streak, taking.confirm) {
                    let since = if self.has_failed() {
                        streak.same_kind_seen
                    } else {
                        streak.first_seen
                    };
                    self.settle(observation, health, since);
                }
            }
            Health::Unrunnable => {}
        }
    }

    /// A good subject turns after enough failures of any kind; a failed one changes its kind only after enough
    /// of the new kind, so that a dying server's changing symptoms do not chase one another.
    fn is_confirmed(&self, streak: &Streak, confirm: u32) -> bool {
        match self.settled.as_ref().and_then(|settled| settled.health.code()) {
            Some(code) if code == streak.code => true,
            Some(_) => streak.same_kind > confirm,
            None => streak.failures > confirm,
        }
    }

    fn has_failed(&self) -> bool {
        self.settled
            .as_ref()
            .is_some_and(|settled| settled.health != Health::Good)
    }

    fn lengthen(&mut self, code: Code, seen: Timestamp) -> Streak {
        let streak = self.streak.get_or_insert(Streak {
            failures: 0,
            first_seen: seen,
            code,
            same_kind: 0,
            same_kind_seen: seen,
        });
        streak.failures = streak.failures.saturating_add(1);
        if streak.code != code {
            streak.code = code;
            streak.same_kind = 0;
            streak.same_kind_seen = seen;
        }
        streak.same_kind = streak.same_kind.saturating_add(1);
        streak.clone()
    }

    fn settle(&mut self, observation: &Arc<Observation>, health: Health, since: Timestamp) {
        let (since, confirmed) = match self.settled.take() {
            Some(before) if before.health == health => (before.since, before.confirmed),
            Some(before) => {
                self.earlier.push(before);
                if self.earlier.len() > MOST_EARLIER {
                    self.earlier.remove(0);
                }
                (since, observation.ended())
            }
            None => (since, observation.ended()),
        };
        self.settled = Some(Settled {
            observation: Arc::clone(observation),
            health,
            since,
            confirmed,
        });
    }

    /// Drops failures that were seen since `from`: something that they stood on has recovered, and they say
    /// nothing about what comes now. What counted before counts again, until it is too old.
    ///
    /// A row of failures that began before stays: else something that flaps would keep a real failure from ever
    /// being confirmed. Where only failures from then confirmed it, one more has to. What is still under way is from before as well: it began before `now`.
    pub fn drop_failures_since(
        &mut self,
        from: Timestamp,
        now: Timestamp,
        fresh_until: impl Fn(Option<&Settled>) -> Timestamp,
    ) -> bool {
        self.heard_from = Some(now);
        let Some(doubtful) = self.streak.clone() else {
            return false;
        };
        let failing = self
            .settled
            .as_ref()
            .filter(|settled| settled.health != Health::Good);
        match failing {
            Some(settled) if settled.since >= from => {
                while let Some(later) = self.earlier.pop_if(|earlier| earlier.since >= from) {
                    drop(later);
                }
                self.settled = self.earlier.pop();
                self.fresh_until = fresh_until(self.settled.as_ref());
                let code = self.settled.as_ref().and_then(|settled| settled.health.code());
                self.streak = code.map(|code| Streak { code, ..doubtful });
            }
            Some(settled) if settled.confirmed >= from => {
                self.settled = self.earlier.pop();
                self.fresh_until = fresh_until(self.settled.as_ref());
            }
            Some(settled) if self.is_in_doubt() && doubtful.same_kind_seen >= from => {
                // It fails as before, as far as anybody knows.
                let code = settled.health.code().unwrap_or(doubtful.code);
                self.streak = Some(Streak { code, ..doubtful });
            }
            None if doubtful.first_seen >= from => self.streak = None,
            _ => return false,
        }
        true
    }

    /// Whether a failure that was seen by an observation says nothing any more: it began before something that
    /// it stands on recovered.
    pub fn is_outdated(&self, observation: &Observation) -> bool {
        self.heard_from.is_some_and(|from| observation.at < from)
    }

    /// Whether the newest observations say something that is not settled yet: more are on their way.
    pub fn is_in_doubt(&self) -> bool {
        match (&self.streak, &self.settled) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(streak), Some(settled)) => settled.health.code() != Some(streak.code),
        }
    }

    /// When what is not settled yet was first seen.
    pub fn in_doubt_since(&self) -> Option<Timestamp> {
        let streak = self.streak.as_ref().filter(|_| self.is_in_doubt())?;
        // For a failure that changes its kind, what counts is when the new kind began.
        Some(if self.has_failed() {
            streak.same_kind_seen
        } else {
            streak.first_seen
        })
    }

    /// Whether what is settled is a failure, and when that began.
    pub fn failed_since(&self) -> Option<Timestamp> {
        self.settled
            .as_ref()
            .filter(|settled| settled.health != Health::Good)
            .map(|settled| settled.since)
    }

    /// Whether there is evidence that began at or after `when` and is not in doubt.
    pub fn is_settled_after(&self, when: Timestamp) -> bool {
        self.latest.at >= when && !self.is_in_doubt() && !self.is_outdated(&self.latest)
    }

    /// What counts, unless it is older than it may be.
    pub fn fresh(&self, now: Timestamp) -> Option<&Settled> {
        self.settled.as_ref().filter(|_| now <= self.fresh_until)
    }
}
