//! `[store]`: what outlives a restart.

use std::path::PathBuf;
use std::time::Duration;

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Where the data lie.
    pub url: StoreUrl,
    /// How long history is kept.
    pub retention: Duration,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: StoreUrl::Sqlite(PathBuf::from("data/mailflow.db")),
            retention: Duration::from_hours(400 * 24),
        }
    }
}

/// `store.url`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`, an SQLite file; a relative path starts at the file that named it.
    Sqlite(PathBuf),
}
