//! A store that outlives what happens to its file: a watchman who has lost his book, or may not write in it, still watches.
//!
//! A database that cannot be written to is opened as soon as it can be, and read until then by whatever way is left
//! ([`glimpse`]). One that is damaged is set aside, never deleted, and a new one is begun with what can be read of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::config::DbConfig;

use super::glimpse::{self, with_ending};
use super::read::{self, Wanted};
use super::{SqliteStore, cannot_make};
use crate::model::{Entry, Incident, IncidentId, Target};
use crate::store::{Batch, Delivery, IncidentFilter, Loaded, Store, StoreError, StoreState, Turn};

/// The time.
type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// A disk that damages whatever is written to it gets no new database more often.
const PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// A store that outlives what happens to its file.
pub struct LastingStore {
    path: PathBuf,
    clock: Clock,
    store: Option<SqliteStore>,
    /// What is wrong in the file, until it is set aside; and when one last was.
    damage: Option<String>,
    moved: Option<Timestamp>,
    /// What was read of a damaged one, until it is in the new one.
    salvaged: Option<Loaded>,
    /// Why it is not open.
    failing: Option<StoreError>,
    /// Where the last damaged one lies.
    aside: Option<PathBuf>,
    /// How many rows those refused that were open before.
    misfits: u64,
}

impl LastingStore {
    /// Opens the database at `path`, or begins with what can be read of it. `clock` dates a file that is set aside.
    ///
    /// # Errors
    /// What is somebody's mistake and no fault: another program's file, one of a later version, and, where there is no
    /// database yet, a place in which none can be made.
    pub fn open(path: &Path, clock: impl Fn() -> Timestamp + Send + 'static) -> Result<Self, StoreError> {
        let is_there = path.exists();
        let mut this = Self {
            path: path.into(),
            clock: Box::new(clock),
            store: None,
            damage: None,
            moved: None,
            salvaged: None,
            failing: None,
            aside: None,
            misfits: 0,
        };
        match this.ready().map(drop) {
            Err(error @ (StoreError::Foreign | StoreError::Newer { .. })) => return Err(error),
            Err(error) if !(is_there || matches!(error, StoreError::Full)) => return Err(error),
            Err(error) => tracing::error!(
                "the database {} cannot be written to: {error}; what happens is kept in memory, and written down once it can be",
                path.display()
            ),
            Ok(()) => {}
        }
        Ok(this)
    }

    /// The database, open and well.
    fn ready(&mut self) -> Result<&mut SqliteStore, StoreError> {
        let opened = self.mend();
        self.failing = opened.as_ref().err().cloned();
        opened?;
        self.store.as_mut().ok_or(StoreError::Busy)
    }

    fn mend(&mut self) -> Result<(), StoreError> {
        if let Some(reason) = self.damage.clone() {
            self.set_aside(&reason)?;
        }
        if self.store.is_some() {
            return Ok(());
        }
        match self.open_file() {
            Err(StoreError::Damaged(reason)) => {
                self.set_aside(&reason)?;
                self.open_file()
            }
            opened => opened,
        }
    }

    fn open_file(&mut self) -> Result<(), StoreError> {
        let mut store = SqliteStore::open(&self.path)?;
        if let Some(salvaged) = &self.salvaged {
            store.take_over(salvaged)?;
            self.salvaged = None;
        }
        // The proof that it can be written to.
        store.beat((self.clock)())?;
        self.store = Some(store);
        Ok(())
    }

    /// Reads what can be read of the damaged database, and moves it out of the way with what SQLite keeps beside it.
    fn set_aside(&mut self, reason: &str) -> Result<(), StoreError> {
        self.damage = Some(reason.to_owned());
        let now = (self.clock)();
        if self.moved.is_some_and(|moved| now.duration_since(moved) < PAUSE) {
            return Err(StoreError::Damaged(reason.to_owned()));
        }
        if self.salvaged.is_none() {
            self.salvaged = Some(self.salvage());
        }
        self.moved = Some(now);
        let ending = now.strftime(".damaged-%Y%m%dT%H%M%SZ").to_string();
        let aside = with_ending(&self.path, &ending);
        for part in ["-wal", "-shm", ""] {
            let from = with_ending(&self.path, part);
            if from.exists() {
                std::fs::rename(&from, with_ending(&aside, part))
                    .map_err(|error| cannot_make(&from, &error))?;
            }
        }
        let kept = self.salvaged.as_ref().map_or(0, |kept| kept.open.len());
        tracing::error!(
            "the database {} is damaged ({reason}); it lies aside at {} now, and a new one is begun with what could be read \
             of it, {kept} open incidents among it: what is wrong with a target that it no longer knows wakes nobody, as it \
             is seen for the first time",
            self.path.display(),
            aside.display()
        );
        self.aside = Some(aside);
        self.damage = None;
        Ok(())
    }

    fn salvage(&mut self) -> Loaded {
        let found = match self.close() {
            Some(store) => {
                // It is evidence: nothing is to be moved in it when it is closed.
                let _ = store
                    .connection
                    .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                read::everything(&store.connection, Timestamp::MIN, Wanted::Whatever)
            }
            None => glimpse::load(&self.path, Timestamp::MIN),
        };
        found.unwrap_or_else(|_| Loaded::nothing())
    }

    fn close(&mut self) -> Option<SqliteStore> {
        let store = self.store.take()?;
        self.misfits = self.misfits.saturating_add(store.misfits);
        Some(store)
    }

    /// Does something with the database; what that tells of the file is remembered.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = work(self.ready()?);
        match &done {
            Err(StoreError::Damaged(reason)) => self.damage = Some(reason.clone()),
            Err(StoreError::Disk(_) | StoreError::ReadOnly(_) | StoreError::Other(_)) => drop(self.close()),
            _ => {}
        }
        done
    }

    /// The same, only if it is open: whoever asks does not wait for a lock each time.
    fn ask<T>(
        &mut self,
        work: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.failing {
            Some(reason) => Err(reason.clone()),
            None => self.with(work),
        }
    }
}

impl Store for LastingStore {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        match self.with(|store| store.commit(batch)) {
            Err(StoreError::Damaged(_)) => self.with(|store| store.commit(batch)),
            other => other,
        }
    }

    fn load(&mut self, ended_since: Timestamp) -> Result<Loaded, StoreError> {
        let loaded = match self.ask(|store| store.load(ended_since)) {
            Err(StoreError::Damaged(_)) => self.with(|store| store.load(ended_since)),
            other => other,
        };
        match loaded {
            Err(_) if self.salvaged.is_some() => Ok(self.salvaged.clone().unwrap_or_else(Loaded::nothing)),
            Err(_) if self.store.is_none() && self.path.exists() => glimpse::load(&self.path, ended_since),
            Err(_) if self.store.is_none() => Ok(Loaded::nothing()),
            other => other,
        }
    }

    fn incidents(
        &mut self,
        filter: &IncidentFilter,
        after: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, StoreError> {
        self.ask(|store| store.incidents(filter, after, limit))
    }

    fn incident(&mut self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.ask(|store| store.incident(id))
    }

    fn history(&mut self, target: &Target, since: Timestamp, limit: usize) -> Result<Vec<Turn>, StoreError> {
        self.ask(|store| store.history(target, since, limit))
    }

    fn deliveries(&mut self, id: IncidentId) -> Result<Vec<Delivery>, StoreError> {
        self.ask(|store| store.deliveries(id))
    }

    fn deeds(&mut self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.ask(|store| store.deeds(before, limit))
    }

    fn prune(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.ask(|store| store.prune(before))
    }

    fn beat(&mut self, at: Timestamp) -> Result<(), StoreError> {
        self.ask(|store| store.beat(at))
    }

    fn state(&self) -> StoreState {
        let refused = self.store.as_ref().map_or(0, |store| store.misfits);
        let text = |words: String| -> Arc<str> { words.into() };
        StoreState {
            failing: self.failing.as_ref().map(|error| text(error.to_string())),
            aside: self.aside.as_ref().map(|path| text(path.display().to_string())),
            misfits: self.misfits.saturating_add(refused),
        }
    }
}

#[cfg(test)]
mod tests;
