//! Who may come in, from the configuration; and the book of what was done by hand.

use std::sync::Arc;

use secrecy::SecretString;

use crate::config::secret::SecretSource;
use crate::config::{self, Config, Scope, Secret};
use crate::model::{Deed, Entry, Seal};
use crate::store::{Batch, StoreError};
use crate::surface::http::{Access, Clerk, Doors, Guests, Hidden, HistoryError, Token, User, tls};

use super::keeper::Keeper;
use super::keys;

/// A token shorter than this can be guessed.
const SHORT: usize = 16;

/// Who may come in.
///
/// # Errors
/// A certificate or a key that cannot be used.
pub(super) fn doors(config: &Config) -> Result<Doors, String> {
    let server = &config.server;
    let own = server.tls.as_ref();
    let tls = own.map(|own| tls(&own.certificate, &own.key)).transpose()?;
    let by_https = |url: &config::HttpUrl| url.as_str().starts_with("https://");
    Ok(Doors {
        guests: server.auth.as_ref().map(guests),
        secure: tls.is_some() || server.external_url.as_ref().is_some_and(by_https),
        tls,
        local: server.listen.ip().to_canonical().is_loopback(),
    })
}

fn guests(auth: &config::Auth) -> Guests {
    let user = |(name, user): (&String, &config::User)| {
        let known = User {
            hash: hidden(&user.hash, &format!("the password of {name}"), 0),
            may: access(user.scope),
        };
        (Arc::from(name.as_str()), known)
    };
    let token = |token: &config::Token| Token {
        name: token.name.as_str().into(),
        token: hidden(&token.token, &format!("the token {}", token.name), SHORT),
        may: access(token.scope),
    };
    Guests {
        users: auth.users.iter().map(user).collect(),
        tokens: auth.tokens.iter().map(token).collect(),
    }
}

fn access(scope: Scope) -> Access {
    match scope {
        Scope::Metrics => Access::Metrics,
        Scope::Read => Access::Read,
        Scope::Write => Access::Write,
    }
}

/// A secret as the doors want it: a file is read again when it changes, everything else stays as it is now.
fn hidden(secret: &Secret, what: &str, least: usize) -> Hidden {
    use secrecy::ExposeSecret as _;
    let now = secret
        .reveal()
        .inspect_err(|error| tracing::error!("nobody comes in by {what}: {error}"))
        .ok();
    if now.as_ref().is_some_and(|now| now.expose_secret().len() < least) {
        tracing::warn!("{what} is short enough to be guessed: `openssl rand -hex 32` makes a good one");
    }
    if let SecretSource::File(_) = secret.source() {
        let secret = secret.clone();
        return Hidden(Arc::new(move || secret.reveal().ok()));
    }
    let now: Option<SecretString> = now;
    Hidden(Arc::new(move || now.clone()))
}

/// Keeps the book, in the store.
pub(super) struct Book {
    pub(super) keeper: Keeper,
    pub(super) seal: Seal,
}

impl Book {
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn crate::store::Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let answer = self
            .keeper
            .ask(|store| question(store).map_err(|error| error.to_string()));
        answer
            .unwrap_or_else(|| Err("the store is closed".into()))
            .map_err(HistoryError)
    }
}

impl Clerk for Book {
    fn record(&self, deed: Deed) {
        // What cannot be written now is tried again; the log has it in any case.
        drop(self.keeper.commit(Batch {
            deeds: vec![deed],
            ..Batch::default()
        }));
    }

    fn deeds(&self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>, HistoryError> {
        self.ask(move |store| store.deeds(before, limit))
    }

    fn renew_seal(&self) -> Result<(), HistoryError> {
        let (key, batch) =
            keys::made(keys::SEAL).ok_or_else(|| HistoryError("this machine gives no randomness".into()))?;
        self.ask(move |store| store.commit(&batch))?;
        self.seal.change(&key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::SqliteStore;

    #[test]
    fn the_book_and_the_seal_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("mailflow.db")).unwrap();
        let (keeper, _thread) = Keeper::start(Box::new(store)).unwrap();
        let load = || keeper.ask(|store| store.load(Timestamp::MAX)).unwrap().unwrap();
        let seal = Seal::new(&keys::key(keys::SEAL, &mut load(), &keeper).unwrap());
        let book = Book {
            keeper: keeper.clone(),
            seal: seal.clone(),
        };
        for number in 1..=3 {
            book.record(Deed {
                at: Timestamp::from_second(number).unwrap(),
                who: "anna".into(),
                from: None,
                what: format!("deed {number}"),
            });
        }
        let read = |before, limit| -> Vec<u64> {
            let entries = book.deeds(before, limit).unwrap();
            entries.iter().map(|entry| entry.id).collect()
        };
        assert_eq!(read(None, 2), [3, 2]);
        assert_eq!(read(Some(2), 2), [1]);
        let mark = seal.sign(&["x"], Timestamp::MAX);
        let holds = |seal: &Seal| seal.verify(&["x"], &mark, Timestamp::UNIX_EPOCH).is_ok();
        let kept = || Seal::new(&keys::key(keys::SEAL, &mut load(), &keeper).unwrap());
        assert!(holds(&seal) && holds(&kept()));
        book.renew_seal().unwrap();
        assert!(!holds(&seal) && !holds(&kept()));
        let between = Timestamp::from_millisecond(2500).unwrap();
        keeper.ask(move |store| store.prune(between)).unwrap().unwrap();
        assert_eq!(read(None, 9), [3]);
    }
}
