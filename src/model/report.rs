//! What a client's own side says became of its mail to a destination: a bounce that somebody forwarded, or a line of
//! the log of the client's mail server.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ClientId, Code, DomainName, Proof};

/// What a client's own side says became of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whose mail it was.
    pub client: ClientId,
    /// The domain that it was for.
    pub to: DomainName,
    /// When it happened (UTC), as well as we know.
    pub at: Timestamp,
    /// Who says so.
    pub source: ReportSource,
    /// What became of it.
    pub fate: Fate,
    /// Why, where that is said.
    pub code: Option<Code>,
    /// The recipient's address, where that is said.
    pub recipient: Option<String>,
    /// The server that refused or could not be reached.
    pub by: Option<String>,
    /// What was said, in one line.
    pub said: String,
}

/// Who says what became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportSource {
    /// A bounce.
    Bounce,
    /// The log of the client's mail server.
    Log,
}

impl ReportSource {
    /// As what a verdict rests on.
    pub fn proof(self) -> Proof {
        match self {
            Self::Bounce => Proof::Bounce,
            Self::Log => Proof::Log,
        }
    }
}

/// What became of a message, as a mail server says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The next server took it.
    Sent,
    /// It was not taken, and is tried again.
    Deferred,
    /// It was given up.
    Bounced,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sent, Self::Deferred, Self::Bounced];

    /// The name in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
