//! What somebody did by hand, for the book that says who changed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When (UTC).
    pub at: Timestamp,
    /// Who: a user, a token, or by what link, as far as we know.
    pub who: String,
    /// The address that it came from, where known.
    pub from: Option<String>,
    /// What, in words.
    pub what: String,
}

/// A deed in the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; later ones have higher ones.
    pub id: u64,
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
}
