//! `[store]`: what outlives a restart.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::reader::{Node, Read};

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

/// The shortest history that is of any use.
const LEAST_RETENTION: Duration = Duration::from_hours(1);

impl Read for Store {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            Some(Self {
                url: t.or("url", default.url),
                retention: t
                    .at_least("retention", LEAST_RETENTION)
                    .unwrap_or(default.retention),
            })
        })
    }
}

impl Read for StoreUrl {
    fn read(node: Node<'_>) -> Option<Self> {
        let text = String::read(node)?;
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() && !path.starts_with("//") => {
                Some(Self::Sqlite(node.resolve(path)))
            }
            Some(("sqlite", path)) if !path.trim_start_matches('/').is_empty() => {
                let path = path.trim_start_matches('/');
                node.wrong(format!(
                    "a store is written as \"sqlite:PATH\", without a double slash: \"sqlite:/{path}\", or \"sqlite:{path}\" beside this file"
                ))
            }
            Some(("postgres" | "postgresql", _)) => {
                node.hide();
                node.wrong("`postgres` is reserved for a later version")
            }
            _ => node.wrong("a store is written as \"sqlite:PATH\""),
        }
    }
}
