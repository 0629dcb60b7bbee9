//! What is known of one subject: its newest observation, the row of failures that it stands in, and what has
//! been settled by confirmation.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Code, Moment, Observation, OfSubject, Subject};

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

/// A row of failures without a good observation between, in runs of one kind each.
#[derive(Debug, Clone, PartialEq)]
pub struct Streak {
    /// Never empty; neighbours differ in kind.
    runs: Vec<Run>,
}

/// Failures of one kind after one another.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    code: Code,
    /// When each had been seen: the first few, as many as it takes to make it count, so never none.
    seen: Vec<Timestamp>,
}

/// How many runs of different kinds a row remembers; older ones are told together.
const MOST_RUNS: usize = 8;

impl Streak {
    fn new(code: Code, seen: Timestamp) -> Self {
        Self {
            runs: vec![Run {
                code,
                seen: vec![seen],
            }],
        }
    }

    /// One more failure. Beyond `enough` of a kind there is nothing to remember.
    fn lengthen(&mut self, code: Code, seen: Timestamp, enough: usize) {
        match self.runs.last_mut() {
            Some(run) if run.code == code => {
                if run.seen.len() < enough {
                    run.seen.push(seen);
                }
            }
            _ => self.runs.push(Run {
                code,
                seen: vec![seen],
            }),
        }
        if self.runs.len() > MOST_RUNS {
            let oldest = self.runs.remove(0);
            if let Some(next) = self.runs.first_mut() {
                next.seen.splice(0..0, oldest.seen);
                next.seen.truncate(enough);
            }
        }
    }

    /// The row without the failures that were seen at or after `from`; `None` where that is all of them.
    fn before(mut self, from: Timestamp) -> Option<Self> {
        for run in &mut self.runs {
            run.seen.retain(|seen| *seen < from);
        }
        self.runs.retain(|run| !run.seen.is_empty());
        (!self.runs.is_empty()).then_some(self)
    }

    /// When the first of them had been seen: evidence that explains it must have begun after that.
    pub fn first_seen(&self) -> Timestamp {
        let first = self.runs.first().and_then(|run| run.seen.first());
        first.copied().unwrap_or(Timestamp::MAX)
    }

    /// When the first of the newest kind had been seen.
    fn same_kind_seen(&self) -> Timestamp {
        let first = self.runs.last().and_then(|run| run.seen.first());
        first.copied().unwrap_or(Timestamp::MAX)
    }

    /// When the newest but one had been seen; the only one where there is no other.
    fn last_but_one_seen(&self) -> Timestamp {
        let mut newest = self.runs.iter().rev().flat_map(|run| run.seen.iter().rev());
        let last = newest.next();
        newest.next().or(last).copied().unwrap_or(Timestamp::MAX)
    }

    /// The kind of the newest ones.
    fn code(&self) -> Option<Code> {
        self.runs.last().map(|run| run.code)
    }

    /// How many failures, of any kind, as far as they are remembered.
    fn failures(&self) -> usize {
        self.runs.iter().map(|run| run.seen.len()).sum()
    }

    /// How many of the newest kind.
    fn same_kind(&self) -> usize {
        self.runs.last().map_or(0, |run| run.seen.len())
    }
}

/// What counts about a subject: its last good observation, or a confirmed failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The observation that shows it, kept up to date while it stays so.
    pub observation: Arc<Observation>,
    /// What it means.
    pub health: Health,
    since: Moment,
    doubted: Moment,
    confirmed: Moment,
}

impl Settled {
    /// When it was first seen to be so.
    pub fn since(&self) -> Timestamp {
        self.since.into()
    }

    /// For a failure: when it had been seen for the last time but one before it counted. Whatever could explain it
    /// is asked after each failure, and what it said before this one may be over: what clears it is newer.
    pub fn doubted(&self) -> Timestamp {
        self.doubted.into()
    }

    /// When enough had been seen of it.
    pub fn confirmed(&self) -> Timestamp {
        self.confirmed.into()
    }

    /// Whether it is a failure; that they refuse us is none.
    fn is_failure(&self) -> bool {
        matches!(self.health, Health::Failed(_) | Health::Settled(_))
    }
}

/// What only a subject has that was not always well. Most have nothing of the kind.
#[derive(Debug, Clone, PartialEq, Default)]
struct Trouble {
    /// The newest good observation, where what counts is not good.
    last_good: Option<Arc<Observation>>,
    /// The row of failures that the subject stands in.
    streak: Option<Streak>,
    /// What counted earlier, the newest last.
    earlier: Vec<Settled>,
    /// Failures that began before do not count.
    heard_from: Option<Moment>,
}

impl Trouble {
    /// Takes note of what counts no more.
    fn push(&mut self, settled: Settled) {
        if settled.health == Health::Good {
            self.last_good = Some(Arc::clone(&settled.observation));
        }
        // Most of those that remember any remember one.
        self.earlier.reserve_exact(1);
        self.earlier.push(settled);
        if self.earlier.len() > MOST_EARLIER {
            self.earlier.remove(0);
        }
    }
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

/// What is known of one subject. A fleet has a million of these, so each is kept small.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The newest observation.
    pub latest: Arc<Observation>,
    /// What counts.
    pub settled: Option<Settled>,
    trouble: Option<Box<Trouble>>,
    fresh_until: Moment,
    heard: u32,
}

impl OfSubject for Track {
    fn subject(&self) -> &Subject {
        &self.latest.subject
    }
}

impl Track {
    /// A subject seen for the first time.
    pub fn new(observation: &Arc<Observation>) -> Self {
        Self {
            latest: Arc::clone(observation),
            settled: None,
            trouble: None,
            fresh_until: observation.ended().into(),
            heard: 0,
        }
    }

    /// The newest good observation.
    pub fn last_good(&self) -> Option<&Arc<Observation>> {
        match &self.settled {
            Some(settled) if settled.health == Health::Good => Some(&settled.observation),
            _ => self.trouble.as_ref()?.last_good.as_ref(),
        }
    }

    /// The row of failures that it stands in.
    pub fn streak(&self) -> Option<&Streak> {
        self.trouble.as_ref()?.streak.as_ref()
    }

    fn end_streak(&mut self) {
        if let Some(trouble) = &mut self.trouble {
            trouble.streak = None;
        }
    }

    /// Forgets trouble that an observation shows to be over, where nothing came of it: after our own line was down, all
    /// subjects have had some.
    fn forget_trouble(&mut self, good: &Observation) {
        let is_over = |trouble: &mut Box<Trouble>| {
            let heard = trouble.heard_from.is_none_or(|from| from <= good.at.into());
            heard && trouble.earlier.is_empty() && trouble.streak.is_none()
        };
        self.trouble.take_if(is_over);
    }

    fn heard_from(&self) -> Option<Moment> {
        self.trouble.as_ref()?.heard_from
    }

    /// Takes in an observation.
    pub fn record(&mut self, observation: &Arc<Observation>, health: Health, taking: Taking) {
        self.latest = Arc::clone(observation);
        self.heard = self.heard.saturating_add((health != Health::Unrunnable).into());
        match health {
            Health::Good => {
                self.end_streak();
                self.settle(observation, health, observation.at, observation.at);
                self.forget_trouble(observation);
                self.fresh_until = taking.fresh_until.into();
            }
            Health::Refused => {
                self.end_streak();
                self.settle(observation, health, taking.seen, taking.seen);
                self.fresh_until = taking.fresh_until.into();
            }
            Health::Settled(code) => {
                let streak = self.lengthen(code, taking);
                let (since, doubted) = (streak.first_seen(), streak.last_but_one_seen());
                self.settle(observation, Health::Failed(code), since, doubted);
                self.fresh_until = taking.fresh_until.into();
            }
            Health::Failed(code) => self.record_failure(observation, code, taking),
            Health::Unrunnable => {}
        }
    }

    fn record_failure(&mut self, observation: &Arc<Observation>, code: Code, taking: Taking) {
        let streak = self.lengthen(code, taking);
        if self.is_confirmed(&streak, taking.confirm) {
            let since = if self.has_failed() {
                streak.same_kind_seen()
            } else {
                streak.first_seen()
            };
            self.settle(
                observation,
                Health::Failed(code),
                since,
                streak.last_but_one_seen(),
            );
            self.fresh_until = taking.fresh_until.into();
        } else if observation.at <= self.fresh_until() {
            // While it is being found out, what counted goes on counting; what had lapsed is not revived by it.
            self.fresh_until = taking.fresh_until.into();
        }
    }

    /// A good subject turns after enough failures of any kind; a failed one changes its kind only after enough
    /// of the new kind, so that a dying server's changing symptoms do not chase one another.
    fn is_confirmed(&self, streak: &Streak, confirm: u32) -> bool {
        let confirm = usize::try_from(confirm).unwrap_or(usize::MAX);
        match self.settled.as_ref().and_then(|settled| settled.health.code()) {
            code if code.is_some() && code == streak.code() => true,
            Some(_) => streak.same_kind() > confirm,
            None => streak.failures() > confirm,
        }
    }

    fn has_failed(&self) -> bool {
        self.settled
            .as_ref()
            .is_some_and(|settled| settled.health != Health::Good)
    }

    fn lengthen(&mut self, code: Code, taking: Taking) -> Streak {
        let enough = usize::try_from(taking.confirm).map_or(usize::MAX, |confirm| confirm.saturating_add(1));
        let streak = &mut self.trouble.get_or_insert_default().streak;
        match streak {
            Some(streak) => {
                streak.lengthen(code, taking.seen, enough);
                streak.clone()
            }
            none => none.insert(Streak::new(code, taking.seen)).clone(),
        }
    }

    fn settle(
        &mut self,
        observation: &Arc<Observation>,
        health: Health,
        since: Timestamp,
        doubted: Timestamp,
    ) {
        let turned = Settled {
            observation: Arc::clone(observation),
            health,
            since: since.into(),
            doubted: doubted.into(),
            confirmed: observation.ended().into(),
        };
        self.settled = Some(match self.settled.take() {
            Some(before) if before.health == health => Settled {
                observation: turned.observation,
                ..before
            },
            Some(before) => {
                self.trouble.get_or_insert_default().push(before);
                turned
            }
            None => turned,
        });
    }

    /// Drops failures that were seen since `from`: something that they stood on has recovered, and they say
    /// nothing about what comes now. What counted before counts again, until it is too old; what was seen before
    /// still counts towards a confirmation, or something that flaps would keep a real failure from ever being
    /// confirmed. What is still under way is from before as well: it began before `now`.
    ///
    /// Returns whether there was a row of failures at all, so that the subject is worth another look.
    pub fn drop_failures_since(
        &mut self,
        from: Timestamp,
        now: Timestamp,
        fresh_until: impl Fn(Option<&Settled>) -> Timestamp,
    ) -> bool {
        let trouble = self.trouble.get_or_insert_default();
        trouble.heard_from = Some(now.into());
        let Some(row) = trouble.streak.take() else {
            return false;
        };
        trouble.streak = row.before(from);
        let doubtful = |settled: &mut Settled| settled.is_failure() && settled.confirmed() >= from;
        let mut taken_back = false;
        while self.settled.take_if(doubtful).is_some() {
            self.settled = trouble.earlier.pop();
            taken_back = true;
        }
        if taken_back {
            self.fresh_until = fresh_until(self.settled.as_ref()).into();
        }
        true
    }

    /// Whether a failure that was seen by an observation says nothing any more: it began before something that
    /// it stands on recovered.
    pub fn is_outdated(&self, observation: &Observation) -> bool {
        self.heard_from().is_some_and(|from| observation.at < from.into())
    }

    /// How often it was observed, whatever came of it.
    pub fn heard(&self) -> u32 {
        self.heard
    }

    /// Until when what counts is fresh (`semantics` 2).
    pub fn fresh_until(&self) -> Timestamp {
        self.fresh_until.into()
    }

    /// What counts is to count until then at the least.
    pub(super) fn stretch_freshness(&mut self, until: Timestamp) {
        self.fresh_until = self.fresh_until.max(until.into());
    }

    /// Since when it is being found out how it is, where that is not settled: since the first doubtful failure, or
    /// since it had to be looked at anew.
    pub fn being_found_out_since(&self) -> Option<Timestamp> {
        let in_doubt = self.in_doubt_since();
        if in_doubt.is_some() || self.is_outdated(&self.latest) {
            in_doubt.max(self.heard_from().map(Timestamp::from))
        } else {
            None
        }
    }

    /// Whether the newest observations say something that is not settled yet: more are on their way.
    pub fn is_in_doubt(&self) -> bool {
        match (self.streak(), &self.settled) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(streak), Some(settled)) => settled.health.code() != streak.code(),
        }
    }

    /// When what is not settled yet was first seen.
    pub fn in_doubt_since(&self) -> Option<Timestamp> {
        let streak = self.streak().filter(|_| self.is_in_doubt())?;
        // For a failure that changes its kind, what counts is when the new kind began.
        Some(if self.has_failed() {
            streak.same_kind_seen()
        } else {
            streak.first_seen()
        })
    }

    /// When it was found good again, where what counted before was a failure.
    pub fn recovered_at(&self) -> Option<Timestamp> {
        let good = self
            .settled
            .as_ref()
            .filter(|settled| settled.health == Health::Good)?;
        let before = self.trouble.as_ref()?.earlier.last()?;
        if !before.is_failure() {
            return None;
        }
        // Its probe may have begun while it was still away, and had patience.
        Some(good.confirmed())
    }

    /// Whether there is evidence that began at or after `when` and is not in doubt.
    pub fn is_settled_after(&self, when: Timestamp) -> bool {
        self.latest.at >= when && !self.is_in_doubt() && !self.is_outdated(&self.latest)
    }

    /// What counts, unless it is older than it may be.
    pub fn fresh(&self, now: Timestamp) -> Option<&Settled> {
        self.settled.as_ref().filter(|_| now <= self.fresh_until())
    }
}

#[cfg(test)]
mod tests;
