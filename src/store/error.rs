//! What can go wrong with the store, as far as it makes a difference to the daemon.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
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
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(error.to_string()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(error.to_string())
    }
}
