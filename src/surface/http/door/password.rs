//! Passwords: slow to check on purpose, so a few at a time, and what was right once is not checked again and again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{digest, hmac, rand};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::throttle::Throttle;
use super::{Guests, User};

/// How many passwords are checked at a time: each takes a processor for a good while.
const AT_ONCE: usize = 2;
/// How many wait for that.
const WAITING: usize = 16;
/// How many right ones are remembered.
const REMEMBERED: usize = 64;
/// The longest password in bytes; bcrypt looks at no more.
const LONGEST: usize = 72;
/// The shortest that we make a hash of, in characters.
const SHORTEST: usize = 8;
/// How slow our own hashes are: a quarter of a second.
const COST: u32 = 12;
/// A hash of nothing anybody knows, for users that do not exist: they take as long as the others.
const NOBODY: &str = "$2b$12$abcdefghijklmnopqrstuuJ1QD8Lw4vGxXo1VqCkXh0m4sQzR7bXS";

/// Why somebody does not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Name and password do not belong together.
    Wrong,
    /// Too many tries: so long to wait.
    Wait(SignedDuration),
    /// Too many others at the same time.
    Busy,
}

/// Whoever checks passwords.
pub(in crate::surface::http) struct Porter {
    throttle: Throttle,
    checking: Semaphore,
    waiting: Semaphore,
    /// Right ones, as signatures by a key that ends with the process.
    right: Mutex<VecDeque<[u8; 32]>>,
    key: Option<hmac::Key>,
}

impl Porter {
    pub(in crate::surface::http) fn new() -> Self {
        Self {
            throttle: Throttle::default(),
            checking: Semaphore::new(AT_ONCE),
            waiting: Semaphore::new(AT_ONCE + WAITING),
            right: Mutex::default(),
            // Without randomness nothing is remembered, and every password takes its time.
            key: hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok(),
        }
    }

    /// Whether name and password belong together; gives the user then.
    pub(super) async fn check<'a>(
        &self,
        guests: &'a Guests,
        (name, password): (&str, SecretString),
        origin: u64,
        now: Timestamp,
    ) -> Result<(&'a Arc<str>, &'a User), Refused> {
        let found = guests.users.get_key_value(name);
        let hash = found.and_then(|(_, user)| (user.hash.0)());
        let mark = hash.as_ref().and_then(|hash| self.mark(name, &password, hash));
        let is_right = || mark.is_some_and(|mark| self.is_right(&mark));
        if let (Some(found), true) = (found, is_right()) {
            return Ok(found);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(Refused::Busy);
        };
        let _turn = self.checking.acquire().await.map_err(|_| Refused::Busy)?;
        // A program that asks for several things at once has been let in meanwhile.
        if let (Some(found), true) = (found, is_right()) {
            return Ok(found);
        }
        let key = (origin, shortened(name));
        self.throttle.attempt(key, now).map_err(Refused::Wait)?;
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned().into());
        let matches = tokio::task::spawn_blocking(move || belongs(&password, &hash));
        let matches = matches.await.unwrap_or(false);
        match found.filter(|_| exists && matches) {
            Some(found) => {
                self.throttle.well(key);
                if let Some(mark) = mark {
                    self.remember(mark);
                }
                Ok(found)
            }
            None => Err(Refused::Wrong),
        }
    }

    fn mark(&self, name: &str, password: &SecretString, hash: &SecretString) -> Option<[u8; 32]> {
        let mut signing = hmac::Context::with_key(self.key.as_ref()?);
        for part in [name, password.expose_secret(), hash.expose_secret()] {
            signing.update(&(part.len() as u64).to_be_bytes());
            signing.update(part.as_bytes());
        }
        signing.sign().as_ref().try_into().ok()
    }

    fn is_right(&self, mark: &[u8; 32]) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.contains(mark)
    }

    fn remember(&self, mark: [u8; 32]) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.push_front(mark);
        right.truncate(REMEMBERED);
    }
}

/// Whether a password is the one of this hash.
fn belongs(password: &SecretString, hash: &SecretString) -> bool {
    let password = password.expose_secret();
    // Longer ones would be cut without a word, and so would a zero byte.
    password.len() <= LONGEST
        && !password.contains('\0')
        && bcrypt::verify(password, hash.expose_secret().trim()).unwrap_or(false)
}

/// The hash of a new password, as it stands in the configuration.
///
/// # Errors
/// Why no hash can, or should, be made of it.
pub fn hash(password: &SecretString) -> Result<String, String> {
    let password = password.expose_secret();
    if password.chars().count() < SHORTEST {
        return Err(format!("a password has {SHORTEST} characters at least"));
    }
    if password.len() > LONGEST || password.contains('\0') {
        return Err(format!(
            "a password has {LONGEST} bytes at most: more would be ignored"
        ));
    }
    bcrypt::hash(password, COST).map_err(|error| error.to_string())
}

/// A number that stands for a user's name, whatever its length.
fn shortened(name: &str) -> u64 {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let start = hash.as_ref().first_chunk::<8>();
    start.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_a_hash_of_the_right_form() {
        assert!(!belongs(&String::new().into(), &NOBODY.to_owned().into()));
        let cost = NOBODY.parse::<bcrypt::HashParts>().unwrap().get_cost();
        assert_eq!(cost, COST, "it takes as long as ours");
    }
}
