//! The time that mailflow lives by: near the wall clock, but never backwards.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// When the wall clock is this far ahead, we follow at once: the machine slept, or its clock was set for the
/// first time after boot, and what we know is as old as the wall clock says.
const JUMP: SignedDuration = SignedDuration::from_secs(10);

/// A lesser difference, and any in which the wall clock is behind, is made up for at one part in this many, so
/// that no measured span is off by more than two per cent.
const SLEW: i32 = 50;

/// A clock that never runs backwards: the monotonic clock, held to the wall clock.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Reading>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    time: Timestamp,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Reading {
            at: tick(),
            time: wall(),
        }))
    }

    pub(super) fn now(&self) -> Timestamp {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = tick();
        let time = advance(last.time, at.duration_since(last.at), wall());
        *last = Reading { at, time };
        time
    }
}

/// The time that follows `last` when `elapsed` has passed since and the wall clock shows `wall`.
fn advance(last: Timestamp, elapsed: Duration, wall: Timestamp) -> Timestamp {
    let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
    let expected = last.saturating_add(elapsed).unwrap_or(last);
    let ahead = wall.duration_since(expected);
    if ahead > JUMP {
        return wall;
    }
    let most = elapsed / SLEW;
    let correction = ahead.clamp(-most, most);
    expected.saturating_add(correction).unwrap_or(expected).max(last)
}

/// The monotonic clock.
#[allow(clippy::disallowed_methods, reason = "one of the two sources of time")]
pub(super) fn tick() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "one of the two sources of time")]
fn wall() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_wall_clock_in_step_is_followed() {
        assert_eq!(advance(at(1000), Duration::from_secs(5), at(1005)), at(1005));
    }

    #[test]
    fn a_wall_clock_set_back_slows_us_and_never_turns_us_back() {
        let time = advance(at(10_000), Duration::from_secs(50), at(6450));
        assert_eq!(time, at(10_049));
        assert_eq!(advance(at(10_000), Duration::ZERO, at(6400)), at(10_000));
    }

    #[test]
    fn a_wall_clock_slightly_ahead_is_approached_and_far_ahead_is_followed() {
        assert_eq!(advance(at(1000), Duration::from_secs(100), at(1109)), at(1102));
        assert_eq!(advance(at(1000), Duration::from_secs(1), at(9000)), at(9000));
    }

    #[test]
    fn the_clock_itself_does_not_run_backwards() {
        let clock = Clock::new();
        let readings: Vec<Timestamp> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
