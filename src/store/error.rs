//! What can go wrong with the store, as far as it makes a difference to the daemon.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// What went wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or made.
    #[error("{path}: {reason}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A later version of mailflow wrote it.
    #[error(
        "the database has schema {found}, this mailflow knows up to {known}: run the newer version that wrote it"
    )]
    Newer {
        /// Its schema.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// Another program wrote it.
    #[error("this is a SQLite database, but not one of mailflow's")]
    Foreign,
    /// Somebody else holds it; it may be free later.
    #[error("the database is locked by another process")]
    Busy,
    /// The disk is full; it may have room later.
    #[error("the disk is full")]
    Full,
    /// It may not be written to.
    #[error("the database cannot be written to: {0}")]
    ReadOnly(String),
    /// What is in it makes no sense; move the file away to begin anew.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The disk does not do what it is told; it may later.
    #[error("the disk fails: {0}")]
    Disk(String),
    /// The database takes this row never, and all others.
    #[error("it is no row for the database: {0}")]
    Row(String),
    /// Anything else.
    #[error("the database failed: {0}")]
    Other(String),
}

impl StoreError {
    /// Whether the same call may succeed later with nobody doing anything about it.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::Full)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let said = error.to_string();
        if matches!(error, rusqlite::Error::ToSqlConversionFailure(_)) {
            return Self::Row(said);
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            // The file that readers and writers share cannot grow.
            Some(ErrorCode::SystemIoFailure)
                if error.sqlite_error().map(|error| error.extended_code) == Some(SQLITE_IOERR_SHMSIZE) =>
            {
                Self::Full
            }
            Some(ErrorCode::SystemIoFailure) => Self::Disk(said),
            // A file beside the database that cannot be made is one of these.
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::ReadOnly(said)
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(said),
            Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
                Self::Row(said)
            }
            _ => Self::Other(said),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Row(error.to_string())
    }
}
