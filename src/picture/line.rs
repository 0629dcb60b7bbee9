//! How well the way to something that is pinged carries: loss and delay over the newest rounds, with hysteresis,
//! beside what the anchors saw of our own line in the same time.

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::HashMap;
use jiff::Timestamp;

use crate::model::reach::{LifeCheck, PingReport};
use crate::model::{Evidence, Observation, Subject};

use super::Picture;

/// Rounds that are looked at together: 60 packets, so that a fifth lost is no accident, and at a round a minute a
/// quarter of an hour at the most until what is over is forgotten.
const ROUNDS: usize = 12;
/// Fewer rounds than this say nothing: in 30 packets chance alone hardly loses a fifth.
const FEWEST: usize = 6;
/// Lossy from one packet in this many on: mail and people notice a fifth.
const LOSSY_FROM: u32 = 5;
/// And no longer below one in this many: far enough away that a line between the two does not turn back and forth.
const LOSSY_UNTIL: u32 = 20;
/// Loss counts only when this many rounds show it. A router that restarts cuts two rounds short, and is not lossy.
const LOSSY_ROUNDS: usize = 3;
/// Slow when the usual time is exceeded this many times ...
const SLOW_FROM: u32 = 4;
/// ... and by at least this much: from 2 ms to 9 ms nobody notices anything.
const SLOW_BY: Duration = Duration::from_millis(100);
/// No longer slow below this many times the usual ...
const SLOW_UNTIL: u32 = 2;
/// ... or less than this above it: a line of 1 ms is in order at 3 ms.
const SLOW_UNTIL_BY: Duration = Duration::from_millis(50);
/// Our own line is to blame from this share of the loss or delay on.
const OUR_SHARE: u32 = 3;
/// Rounds in a row without any answer, after which pings tell nothing of the quality any more: it is down, or does
/// not answer pings.
const SILENT: usize = 6;
/// The usual time follows what is measured at this pace: a line that has changed for good is usual after some days.
const USUAL_OVER: Duration = Duration::from_hours(24);

/// One round of pings that was answered at least in part.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Round {
    at: Timestamp,
    sent: u32,
    lost: u32,
    median: Duration,
}

/// How well the way to something that is pinged carries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    rounds: VecDeque<Round>,
    silent: usize,
    usual: Option<Duration>,
    impaired: Impaired,
    ours: Ours,
}

/// What is wrong with a line, as far as it is not our own line's doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impaired {
    /// It loses packets.
    pub lossy: bool,
    /// It takes far longer than it used to.
    pub slow: bool,
}

/// What the anchors saw of our own line in the same time: the most that it can be to blame for. `None`: too few of
/// them were pinged to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Ours {
    /// Lost and sent, of the anchor that lost least.
    loss: Option<(u32, u32)>,
    /// Above the usual time (or above nothing, where that is not known), of the anchor that is least delayed.
    delay: Option<Delay>,
}

/// How much later than usual answers come.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Delay {
    /// In most rounds.
    mostly: Duration,
    /// In one round of four. Where our line has only just become slow, or is so no longer, the rounds of the anchors
    /// and those of a gateway tip over at different moments, and in between only this shows that it is ours.
    at_times: Duration,
}

impl Delay {
    fn min(self, other: Self) -> Self {
        Self {
            mostly: self.mostly.min(other.mostly),
            at_times: self.at_times.min(other.at_times),
        }
    }
}

/// Whose loss or delay it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Theirs,
    Ours,
    Unclear,
}

impl Line {
    /// A line of which nothing is known but what is usual.
    pub(super) fn usually(usual: Duration) -> Self {
        Self {
            usual: Some(usual),
            ..Self::default()
        }
    }

    /// What is wrong with it.
    pub fn impaired(&self) -> Impaired {
        self.impaired
    }

    /// Packets lost and sent in the rounds that are looked at.
    pub fn loss(&self) -> (u32, u32) {
        let sum = |of: fn(&Round) -> u32| self.rounds.iter().map(of).sum();
        (sum(|round| round.lost), sum(|round| round.sent))
    }

    /// How many rounds are looked at together, and when the oldest of them began.
    pub fn span(&self) -> Option<(usize, Timestamp)> {
        Some((self.rounds.len(), self.rounds.front()?.at))
    }

    /// The median round-trip time of these rounds.
    pub fn median(&self) -> Option<Duration> {
        median(self.rounds.iter().map(|round| round.median))
    }

    /// The round-trip time that is usual, once it has been learnt.
    pub fn usual(&self) -> Option<Duration> {
        self.usual
    }

    /// Packets lost and sent in the same time by the anchor that lost least.
    pub fn our_loss(&self) -> Option<(u32, u32)> {
        self.ours.loss
    }

    fn hear(&mut self, at: Timestamp, report: &PingReport, oldest: Timestamp) {
        let Some(median) = median(report.round_trips.iter().copied()) else {
            self.silent = self.silent.saturating_add(1);
            if self.silent >= SILENT {
                self.rounds.clear();
                self.impaired = Impaired::default();
            }
            return;
        };
        self.silent = 0;
        let round = Round {
            at,
            sent: report.sent,
            lost: report.lost(),
            median,
        };
        self.learn(round);
        self.rounds.push_back(round);
        while self.rounds.len() > ROUNDS || self.rounds.front().is_some_and(|round| round.at < oldest) {
            self.rounds.pop_front();
        }
    }

    /// The usual time: the median of the first good rounds, and from then on what is measured, slowly.
    fn learn(&mut self, round: Round) {
        let Some(usual) = self.usual else {
            let good = self.rounds.iter().chain([&round]).filter(|round| round.lost == 0);
            if good.clone().count() >= FEWEST {
                self.usual = median(good.map(|round| round.median));
            }
            return;
        };
        let gap = self
            .rounds
            .back()
            .map(|before| round.at.duration_since(before.at));
        let gap = gap.map_or(0.0, |gap| gap.as_secs_f64());
        let weight = (gap / USUAL_OVER.as_secs_f64()).clamp(0.0, 0.1);
        let moved = usual.as_secs_f64() * (1.0 - weight) + round.median.as_secs_f64() * weight;
        self.usual = Some(Duration::try_from_secs_f64(moved).unwrap_or(usual));
    }

    /// Whether its newest round shows loss or delay, so that our own line should be looked at in the same time.
    fn is_troubled(&self) -> bool {
        self.rounds.back().is_some_and(|round| {
            round.lost > 0 || self.usual.is_some_and(|usual| is_slow(round.median, usual))
        })
    }

    fn settle(&mut self, ours: Ours) {
        self.ours = ours;
        self.impaired = Impaired {
            lossy: self.is_lossy(ours),
            slow: self.is_still_slow(ours),
        };
    }

    fn is_lossy(&self, ours: Ours) -> bool {
        let (lost, sent) = self.loss();
        let whose = match ours.loss {
            None => Whose::Unclear,
            // The same share as ours or little more: compared crosswise, as the counts differ.
            Some((own, of)) if own * OUR_SHARE * sent >= lost * of => Whose::Ours,
            Some(_) => Whose::Theirs,
        };
        let rounds = self.rounds.iter().filter(|round| round.lost > 0).count();
        let begins = lost * LOSSY_FROM >= sent && rounds >= LOSSY_ROUNDS && self.rounds.len() >= FEWEST;
        hysteresis(self.impaired.lossy, begins, lost * LOSSY_UNTIL < sent, whose)
    }

    fn is_still_slow(&self, ours: Ours) -> bool {
        let (Some(now), Some(usual)) = (self.median(), self.usual) else {
            return false;
        };
        let excess = now.saturating_sub(usual);
        let whose = match ours.delay {
            None => Whose::Unclear,
            Some(own) if own.mostly * OUR_SHARE >= excess => Whose::Ours,
            Some(own) if own.at_times * OUR_SHARE >= excess => Whose::Unclear,
            Some(_) => Whose::Theirs,
        };
        let begins = is_slow(now, usual) && self.rounds.len() >= FEWEST;
        let ends = now < usual * SLOW_UNTIL || excess < SLOW_UNTIL_BY;
        hysteresis(self.impaired.slow, begins, ends, whose)
    }

    /// How much later than usual answers came in these rounds.
    fn delay<'a>(&self, rounds: impl Iterator<Item = &'a Round>) -> Delay {
        let mut times: Vec<Duration> = rounds.map(|round| round.median).collect();
        times.sort_unstable();
        let usual = self.usual.unwrap_or_default();
        let at = |index: usize| {
            times
                .get(index)
                .copied()
                .unwrap_or_default()
                .saturating_sub(usual)
        };
        Delay {
            mostly: at(times.len() / 2),
            at_times: at(times.len() * 3 / 4),
        }
    }

    /// Rounds since then, where they are enough to compare with.
    fn since(&self, from: Timestamp) -> Option<impl Iterator<Item = &Round> + Clone> {
        let rounds = self.rounds.iter().filter(move |round| round.at >= from);
        (rounds.clone().count() >= FEWEST).then_some(rounds)
    }
}

/// What holds until something else is plain: loss that is our own is no longer theirs, and what nobody can tell
/// leaves things as they are.
fn hysteresis(before: bool, begins: bool, ends: bool, whose: Whose) -> bool {
    match whose {
        Whose::Ours => false,
        _ if ends => false,
        Whose::Theirs if begins => true,
        Whose::Theirs | Whose::Unclear => before,
    }
}

fn is_slow(now: Duration, usual: Duration) -> bool {
    now > usual * SLOW_FROM && now > usual + SLOW_BY
}

fn median(times: impl Iterator<Item = Duration>) -> Option<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// The pings of an observation, if it is one of pings.
fn pings(observation: &Observation) -> Option<&PingReport> {
    match &observation.evidence {
        Evidence::Gateway(gateway) => gateway.checks.iter().find_map(|check| match check {
            LifeCheck::Ping { report } => report.as_ref().ok(),
            LifeCheck::Tcp { .. } | LifeCheck::Snmp { .. } => None,
        }),
        Evidence::Anchor(anchor) => anchor.pings.as_ref(),
        _ => None,
    }
}

/// The lines to everything that is pinged.
pub(super) type Lines = HashMap<Subject, Line>;

impl Picture {
    /// How well the way to a gateway or anchor carries, where it is pinged.
    pub fn line(&self, subject: &Subject) -> Option<&Line> {
        self.lines.get(subject)
    }

    /// Takes in the pings of an observation. `interval` is the subject's usual one: rounds that are much older than
    /// it would have them are of another time. Returns whether something is wrong that our own line may be to blame
    /// for, so that the anchors are to be asked.
    pub fn hear_pings(&mut self, observation: &Observation, interval: Duration) -> bool {
        let Some(report) = pings(observation) else {
            return false;
        };
        let most = interval.saturating_mul(2 * u32::try_from(ROUNDS).unwrap_or(u32::MAX));
        let most = jiff::SignedDuration::try_from(most).unwrap_or(jiff::SignedDuration::MAX);
        let oldest = observation.at.checked_sub(most).unwrap_or(Timestamp::MIN);
        let subject = &observation.subject;
        let mut line = self.lines.remove(subject).unwrap_or_default();
        line.hear(observation.at, report, oldest);
        let gateway = matches!(subject, Subject::Gateway(..));
        if gateway && let Some((_, from)) = line.span() {
            line.settle(self.ours(from));
        }
        let troubled = gateway && line.is_troubled();
        self.lines.insert(subject.clone(), line);
        troubled
    }

    /// What our own line can be to blame for since then: no more than what the best of the anchors shows.
    fn ours(&self, from: Timestamp) -> Ours {
        let mut ours = Ours::default();
        for (_, line) in self
            .lines
            .iter()
            .filter(|(of, _)| matches!(of, Subject::Anchor(_)))
        {
            let Some(rounds) = line.since(from) else { continue };
            let (lost, sent) = rounds.clone().fold((0, 0), |(lost, sent), round| {
                (lost + round.lost, sent + round.sent)
            });
            if ours.loss.is_none_or(|(least, of)| lost * of < least * sent) {
                ours.loss = Some((lost, sent));
            }
            let delay = line.delay(rounds);
            ours.delay = Some(ours.delay.map_or(delay, |least| least.min(delay)));
        }
        ours
    }
}

#[cfg(test)]
mod tests;
