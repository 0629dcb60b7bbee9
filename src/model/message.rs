//! Messages to people: what the outbox holds.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, Incident, IncidentId};

/// A message's number in the outbox, counted up and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to be told, worded when it was decided: however late it arrives, it says what was true then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub event: Event,
    /// The same for all messages about one incident, over its whole life.
    pub dedup_key: String,
    /// When it was decided (UTC).
    pub at: Timestamp,
    /// The incident as it was then, without its log and with a bounded part of what it touches; `None` in a test.
    pub incident: Option<Arc<Incident>>,
    /// How many targets it touched then, in all.
    pub affected: usize,
    /// One line: who and what.
    pub subject: String,
    /// One paragraph, for a small screen.
    pub text: String,
    /// The whole, on several lines.
    pub body: String,
    /// Where to read more.
    pub url: Option<String>,
    /// Where whoever reads it takes the incident on, without signing in; a secret of whoever gets the message.
    #[serde(default)]
    pub take_url: Option<String>,
}

/// A notice to one notifier: a row of the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// The notifier's name.
    pub notifier: Arc<str>,
    /// What to tell.
    pub notice: Arc<Notice>,
}

impl Message {
    /// The incident that it is about; `None` for a test.
    pub fn incident(&self) -> Option<IncidentId> {
        self.notice.incident.as_ref().map(|incident| incident.id)
    }
}

/// What became of a message, once nothing more will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which message.
    pub id: MessageId,
    /// The notifier's name.
    pub notifier: Arc<str>,
    /// The incident that it was about.
    pub incident: Option<IncidentId>,
    /// What it was about.
    pub event: Event,
    /// When (UTC).
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed for good; `None`: it was delivered.
    pub failed: Option<String>,
    /// What the receiver's answer gave to be kept for later messages about the same incident: a ticket's number.
    pub captured: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, notifier) = (self.event.as_str(), &self.notifier);
        match (&self.failed, self.attempts) {
            (Some(reason), _) => write!(f, "{event} could not be delivered to {notifier}: {reason}"),
            (None, 0 | 1) => write!(f, "{event} was delivered to {notifier}"),
            (None, attempts) => write!(f, "{event} was delivered to {notifier} at attempt {attempts}"),
        }
    }
}
