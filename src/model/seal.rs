//! Signatures of our own: what was given out comes back unchanged and in time, or counts for nothing.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use jiff::Timestamp;

use super::text::{from_hex, hex};

/// How many bytes of a signature are given out: enough that nobody guesses one, short enough for a link.
const KEPT: usize = 16;

/// The key that links and sessions are signed with. All clones share it.
#[derive(Clone)]
pub struct Seal(Arc<RwLock<hmac::Key>>);

impl Seal {
    /// The key made of these bytes, 32 or more of them.
    pub fn new(secret: &[u8]) -> Self {
        Self(Arc::new(RwLock::new(key(secret))))
    }

    /// Takes another key; whatever was signed before counts for nothing from now on.
    pub fn change(&self, secret: &[u8]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key(secret);
    }

    /// Signs that something holds until a time (to the second); the first of `parts` says what kind of thing it is.
    /// Gives `1767225600-0123456789abcdef0123456789abcdef`.
    pub fn sign(&self, parts: &[&str], until: Timestamp) -> String {
        let end = until.as_second();
        let mut mac = hex(self.mac(parts, end).as_ref());
        mac.truncate(2 * KEPT);
        format!("{end}-{mac}")
    }

    /// Until when a signature of ours about exactly these `parts` holds.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn verify(&self, parts: &[&str], mark: &str, now: Timestamp) -> Result<Timestamp, Broken> {
        let (end, mac) = mark.split_once('-').ok_or(Broken::Forged)?;
        // One way to write each number: what is not as we write it is not ours.
        let until: i64 = end.parse().map_err(|_| Broken::Forged)?;
        let told = from_hex(mac)
            .filter(|told| told.len() == KEPT)
            .ok_or(Broken::Forged)?;
        let ours = self.mac(parts, until);
        aws_lc_rs::constant_time::verify_slices_are_equal(&ours.as_ref()[..KEPT], &told)
            .map_err(|_| Broken::Forged)?;
        let until = Timestamp::from_second(until).map_err(|_| Broken::Forged)?;
        if until > now {
            Ok(until)
        } else {
            Err(Broken::Over(until))
        }
    }

    fn mac(&self, parts: &[&str], end: i64) -> hmac::Tag {
        let key = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut signing = hmac::Context::with_key(&key);
        for part in parts {
            // With its length before it, no part can pass for the end of another.
            signing.update(&(part.len() as u64).to_be_bytes());
            signing.update(part.as_bytes());
        }
        signing.update(&end.to_be_bytes());
        signing.sign()
    }
}

fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Why a signature counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is none of ours, or not about this.
    #[error("it was not made here, or somebody has changed it")]
    Forged,
    /// Its time is over.
    #[error("its time is over")]
    Over(Timestamp),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn only_what_was_signed_holds_and_only_in_its_time() {
        let seal = Seal::new(&[7; 32]);
        let mark = seal.sign(&["client", "acme"], at(1000));
        assert_eq!(seal.verify(&["client", "acme"], &mark, at(999)), Ok(at(1000)));
        assert_eq!(
            seal.verify(&["client", "acme"], &mark, at(1000)),
            Err(Broken::Over(at(1000)))
        );
        let others: [&[&str]; 5] = [
            &["client", "acm"],
            &["take", "acme"],
            &["client", "acme", ""],
            &["clienta", "cme"],
            &["client"],
        ];
        for parts in others {
            assert_eq!(seal.verify(parts, &mark, at(0)), Err(Broken::Forged), "{parts:?}");
        }
        let later = mark.replace("1000-", "2000-");
        assert_eq!(
            seal.verify(&["client", "acme"], &later, at(0)),
            Err(Broken::Forged)
        );
        let shared = seal.clone();
        shared.change(&[8; 32]);
        assert_eq!(
            seal.verify(&["client", "acme"], &mark, at(0)),
            Err(Broken::Forged)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_that_others_make_up_holds(mark in ".{0,80}|[0-9]{1,12}-[0-9a-f]{32}") {
            let seal = Seal::new(&[7; 32]);
            prop_assert_eq!(seal.verify(&["client", "acme"], &mark, at(0)), Err(Broken::Forged));
        }
    }
}
