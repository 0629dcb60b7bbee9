//! How a receiver wants to be served: how fast, and whether it has to be told again and again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How a receiver wants to be served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// How fast it takes messages; `None`: as fast as they come.
    pub pace: Option<Pace>,
    /// How often it must hear of an incident that goes on; `None`: once is enough.
    pub resend: Option<Duration>,
}

/// A limit that fills up again: so many at once, then one each time that `every` has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many may go at once; at least one.
    pub at_once: u32,
    /// How long it takes until one more may go.
    pub every: Duration,
}

/// How much of a pace is used up: the time at which none of it would be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter(Option<Timestamp>);

impl Meter {
    /// When the next message may go; `None`: at any time.
    pub(super) fn next(self, pace: Option<Pace>) -> Option<Timestamp> {
        let (pace, full) = (pace?, self.0?);
        let ahead = pace.every.saturating_mul(pace.at_once.saturating_sub(1));
        let ahead = SignedDuration::try_from(ahead).ok()?;
        full.checked_sub(ahead).ok()
    }

    /// Counts a message that goes now.
    pub(super) fn take(&mut self, pace: Option<Pace>, now: Timestamp) {
        if let Some(pace) = pace {
            let full = self.0.map_or(now, |full| full.max(now));
            self.0 = Some(later(full, pace.every));
        }
    }
}

/// The moment `span` after another.
pub(super) fn later(at: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| at.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::sample::at;

    /// How many may go at each second when as many as possible go.
    fn greedy(pace: Pace, seconds: u64) -> Vec<u32> {
        let (pace, mut meter) = (Some(pace), Meter::default());
        let mut second = |now| {
            let mut went = 0;
            while meter.next(pace).is_none_or(|at| at <= now) {
                meter.take(pace, now);
                went += 1;
            }
            went
        };
        (0..seconds).map(|s| second(at(s))).collect()
    }

    #[test]
    fn what_is_saved_up_goes_at_once_and_the_rest_at_its_pace() {
        let slack = Pace {
            at_once: 1,
            every: Duration::from_secs(1),
        };
        assert_eq!(greedy(slack, 4), [1, 1, 1, 1]);
        let ntfy = Pace {
            at_once: 60,
            every: Duration::from_secs(5),
        };
        assert_eq!(greedy(ntfy, 11), [60, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn no_pace_is_no_limit() {
        let mut meter = Meter::default();
        meter.take(None, at(0));
        assert_eq!(meter.next(None), None);
    }
}
