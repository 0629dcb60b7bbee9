//! Who guesses passwords has to wait: a few tries are free, then each costs twice the time of the one before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Tries without waiting: people mistype.
const FREE: u32 = 5;
/// The first wait, and the longest.
const FIRST: SignedDuration = SignedDuration::from_secs(2);
const LONGEST: SignedDuration = SignedDuration::from_mins(15);
/// The most that is remembered; who fills it needs longer for that than we remember anybody.
const MOST: usize = 10_000;

/// Whence, and for which user.
type Key = (u64, u64);

/// Failed tries, by origin and user, so that nobody can lock somebody else out.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<Key, Tries>>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    failed: u32,
    /// Not before this may another one be made.
    next: Timestamp,
}

impl Throttle {
    /// Counts a try as failed, or says how long to wait before another may be made. Counted before the password is
    /// looked at, so that many at once are no way around it; [`Self::well`] takes it back.
    pub(super) fn attempt(&self, key: Key, now: Timestamp) -> Result<(), SignedDuration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&key) {
            known.retain(|_, tries| later(tries.next, LONGEST) > now);
            if known.len() >= MOST {
                known.clear();
            }
        }
        let tries = known.entry(key).or_insert(Tries { failed: 0, next: now });
        if later(tries.next, LONGEST) <= now {
            tries.failed = 0;
        }
        if tries.next > now {
            return Err(tries.next.duration_since(now));
        }
        tries.failed = tries.failed.saturating_add(1);
        tries.next = later(now, wait(tries.failed));
        Ok(())
    }

    /// The password was right.
    pub(super) fn well(&self, key: Key) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&key);
    }
}

/// How long to wait after so many failures.
fn wait(failed: u32) -> SignedDuration {
    match failed.checked_sub(FREE) {
        None => SignedDuration::ZERO,
        Some(doubled) => FIRST.saturating_mul(1 << doubled.min(16)).min(LONGEST),
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_takes_longer_and_longer_and_a_pause_forgives() {
        let throttle = Throttle::default();
        let mut now = Timestamp::from_second(1_000_000).unwrap();
        for _ in 0..FREE {
            assert_eq!(throttle.attempt((1, 1), now), Ok(()));
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = throttle.attempt((1, 1), now).unwrap_err();
            waits.push(wait.as_secs());
            now = later(now, wait);
            assert_eq!(throttle.attempt((1, 1), now), Ok(()));
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(throttle.attempt((2, 1), now), Ok(()), "somebody else");
        assert_eq!(throttle.attempt((1, 2), now), Ok(()), "another user");
        now = later(now, SignedDuration::from_mins(31));
        assert_eq!(throttle.attempt((1, 1), now), Ok(()));
        assert_eq!(throttle.attempt((1, 1), now), Ok(()), "forgotten");
        throttle.well((1, 1));
        for _ in 0..FREE {
            assert_eq!(throttle.attempt((1, 1), now), Ok(()));
        }
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let throttle = Throttle::default();
        for key in 0..2 * MOST as u64 {
            let _ = throttle.attempt((key, 0), Timestamp::UNIX_EPOCH);
        }
        assert!(throttle.0.lock().unwrap().len() <= MOST);
    }
}
