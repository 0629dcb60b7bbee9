//! The store in one SQLite file.
//!
//! WAL, so that a reader never waits for the writer, and `synchronous = FULL`: with `NORMAL` a commit survives the
//! death of the process but not always a power cut, and the message that was lost with it would never be sent.
//! The daemon commits only when something turned, so that the one fsync more costs nothing.

mod glimpse;
mod lasting;
mod read;
mod write;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::schema;
use super::{Batch, Delivery, IncidentFilter, Loaded, Store, StoreError, StoreState, Turn};
use crate::model::{Entry, Incident, IncidentId, Target};
use read::Wanted;

/// How long a reader waits for another process that holds the database: an operator's shell, a backup.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the daemon does: alerts wait meanwhile, and what cannot be written is tried again.
const WRITER_PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 1000 });

pub use lasting::LastingStore;

/// The store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    pub(super) connection: Connection,
    /// Rows that the database refused for what they are.
    misfits: u64,
}

impl SqliteStore {
    /// Opens the database at `path`, made with its folder if it is not there, and brings it up to date.
    ///
    /// # Errors
    /// [`StoreError`]: not ours, from a later version, damaged, or out of reach.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_file(path).map_err(|error| cannot_make(path, &error))?;
        let mut connection = Connection::open(path).map_err(|error| cannot_open(path, &error))?;
        prepare(&connection)?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            connection,
            misfits: 0,
        })
    }

    /// Opens a database that is there, to read only.
    ///
    /// # Errors
    /// As [`Self::open`]; also when its schema is not the newest.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?;
        connection.busy_timeout(PATIENCE)?;
        if schema::version(&connection)? < schema::NEWEST {
            return Err(StoreError::Other(
                "it was written by an earlier version, which the daemon has yet to bring up to date".into(),
            ));
        }
        Ok(Self {
            connection,
            misfits: 0,
        })
    }

    /// Does something whole or not at all.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.transaction()?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Takes over what another database remembered.
    fn take_over(&mut self, salvaged: &Loaded) -> Result<(), StoreError> {
        let numbers = [
            ("incident", salvaged.next_incident),
            ("outbox", salvaged.next_message),
            ("hand", salvaged.next_hand),
        ];
        let incidents = salvaged.open.iter().chain(&salvaged.ended);
        let batch = Batch {
            incidents: incidents.cloned().map(Arc::new).collect(),
            messages: salvaged.outbox.clone(),
            turns: salvaged.verdicts.clone(),
            seen: salvaged.seen.clone(),
            facts: salvaged.facts.clone(),
            hands: salvaged.hands.clone(),
            ..Batch::default()
        };
        self.commit(&batch)?;
        self.transact(|connection| {
            numbers
                .iter()
                .try_for_each(|(table, next)| write::count_on(connection, table, *next))
        })
    }

    /// The connection itself, for tests that make it fail.
    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A database that ends with the process.
    ///
    /// # Errors
    /// [`StoreError`], hardly ever.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        prepare(&connection)?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            connection,
            misfits: 0,
        })
    }
}

fn cannot_make(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Open {
            path: path.into(),
            reason: error.to_string(),
        },
    }
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::Open {
        path: path.into(),
        reason: error.to_string(),
    }
}

/// Makes the file before SQLite does: what servers said to us is nobody else's business.
fn make_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(WRITER_PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Before the journal is touched: a database that is not ours is left as it is.
    schema::version(connection)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

impl Store for SqliteStore {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.transact(|connection| write::batch(connection, batch)) {
            // One row is to blame: the others do not wait for it.
            Err(StoreError::Row(_)) => {
                let refused = self.transact(|connection| write::each(connection, batch))?;
                self.misfits = self.misfits.saturating_add(refused);
                Ok(())
            }
            other => other,
        }
    }

    fn state(&self) -> StoreState {
        StoreState {
            misfits: self.misfits,
            ..StoreState::default()
        }
    }

    fn load(&mut self, ended_since: Timestamp) -> Result<Loaded, StoreError> {
        let transaction = self.connection.transaction()?;
        read::everything(&transaction, ended_since, Wanted::All)
    }

    fn incidents(
        &mut self,
        filter: &IncidentFilter,
        after: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, StoreError> {
        read::incidents(&self.connection, filter, after, limit)
    }

    fn incident(&mut self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        read::incident(&self.connection, id)
    }

    fn history(&mut self, target: &Target, since: Timestamp, limit: usize) -> Result<Vec<Turn>, StoreError> {
        read::history(&self.connection, target, since, limit)
    }

    fn deliveries(&mut self, id: IncidentId) -> Result<Vec<Delivery>, StoreError> {
        read::deliveries(&self.connection, id)
    }

    fn deeds(&mut self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        read::deeds(&self.connection, before, limit)
    }

    fn prune(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.transact(|connection| write::prune(connection, before))
    }

    fn beat(&mut self, at: Timestamp) -> Result<(), StoreError> {
        write::beat(&self.connection, at)
    }
}
