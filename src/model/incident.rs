//! Incidents: the periods in which one root cause holds, with all that it touches.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cause, ClientId, Code, Root, State, Target};

/// An incident's number, counted up in the store: `#482`. In JSON it is a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(pub u64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for IncidentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for IncidentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// How loud an incident is (`semantics` 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Shown, never sent.
    Info,
    /// Sent, at office hours where configured.
    Warning,
    /// Wakes somebody.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The name in labels and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether an incident goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// It goes on.
    Open,
    /// It is over.
    Resolved,
}

/// How something comes and goes (`semantics` 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaps {
    /// How often it has turned so far, for the better and the worse.
    pub turns: u32,
    /// When the first of these turns was.
    pub since: Timestamp,
}

/// One target that an incident touches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Affected {
    /// What.
    pub target: Target,
    /// Whose.
    pub client: Option<ClientId>,
    /// How it is.
    pub state: State,
    /// It was so when first seen: no reason to wake anybody (`semantics` 23).
    pub first_sight: bool,
    /// Since when it has been this bad or worse.
    pub since: Timestamp,
    /// How it comes and goes, where it does: it may be well at the moment, and is held until it is for good.
    #[serde(default)]
    pub flapping: Option<Flaps>,
}

/// A period in which one root cause holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Stable over its whole life, for whoever receives messages about it.
    pub dedup_key: String,
    /// Whether it goes on.
    pub state: IncidentState,
    /// How loud.
    pub severity: Severity,
    /// Since when.
    pub opened: Timestamp,
    /// When it last began anew, for one that had ended before.
    #[serde(default)]
    pub reopened: Option<Timestamp>,
    /// Until when.
    pub resolved: Option<Timestamp>,
    /// Why it ended, in words: `recovered`, `removed`, `merged into #12`.
    pub ended_by: Option<String>,
    /// The cause now, or at the end. Its root is the incident's identity.
    pub cause: Cause,
    /// Everything that it touches now, or touched at the end.
    pub affected: Vec<Affected>,
    /// When `opened` was handed to the notifiers; `None` while nobody has been told.
    pub announced: Option<Timestamp>,
    /// What the notifiers were last told of it.
    #[serde(default)]
    pub told: Option<Told>,
    /// Who has taken it on: nobody is told again, and nobody else.
    #[serde(default)]
    pub acknowledged: Option<Acknowledgement>,
    /// Why nobody is told for the moment of what is due.
    #[serde(default)]
    pub held: Option<Held>,
    /// What happened, in order; bounded.
    pub log: Vec<LogEntry>,
}

/// Somebody has taken an incident on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// When.
    pub at: Timestamp,
    /// Who, as they called themselves.
    pub by: String,
    /// Whether whoever was told of the incident was told of this, or nobody is to be.
    pub told: bool,
}

/// What is due waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What holds it back.
    pub by: HeldBy,
    /// Until when at the latest.
    pub until: Timestamp,
    /// Why, in words: `silence 3 by anna: known, parts are on their way`.
    pub reason: String,
}

impl Held {
    /// What holds it back, in a word.
    pub fn what(&self) -> &'static str {
        match self.by {
            HeldBy::Hours => "the quiet time of day",
            HeldBy::Silence => "the silence",
            HeldBy::Maintenance => "the maintenance",
        }
    }
}

/// What holds a message back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldBy {
    /// Nobody wants to hear of it at this hour.
    Hours,
    /// Somebody wants quiet.
    Silence,
    /// Somebody works on it.
    Maintenance,
}

/// The most entries in an incident's log.
const LOG_ENTRIES: usize = 200;

impl Incident {
    /// How what it touches comes and goes, where it does: of what turned most often.
    pub fn flapping(&self) -> Option<Flaps> {
        let flaps = self.affected.iter().filter_map(|one| one.flapping);
        flaps.max_by_key(|flaps| flaps.turns)
    }

    /// Writes a line into the log. The first line stays; beyond the bound the oldest others go.
    pub fn write(&mut self, at: Timestamp, text: impl Into<String>) {
        if self.log.len() >= LOG_ENTRIES {
            self.log.remove(1);
        }
        self.log.push(LogEntry {
            at,
            text: text.into(),
        });
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.state == IncidentState::Open
    }

    /// Whether somebody was told of it and not yet told that it is over.
    pub fn awaits_resolution(&self) -> bool {
        self.told
            .as_ref()
            .is_some_and(|told| told.event != Event::Resolved)
    }
}

/// What the notifiers were last told of an incident: they are told again only when it is no longer true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What the message was about.
    pub event: Event,
    /// How the beginning was told that this belongs to: `opened`, or `reopened` where it had ended before.
    pub begun: Event,
    /// When it was put into the outbox.
    pub at: Timestamp,
    /// How loud the incident was then.
    pub severity: Severity,
    /// The cause's code then.
    pub code: Code,
    /// What had failed then.
    pub root: Root,
    /// When its beginning was told.
    #[serde(default)]
    pub begun_at: Option<Timestamp>,
    /// The step of the escalation that was told last; the first is 0.
    #[serde(default)]
    pub step: usize,
    /// The end of a silence or maintenance that a repetition or an escalation fell into: their time begins anew then.
    #[serde(default)]
    pub resumed: Option<Timestamp>,
    /// Who was told: whatever the configuration says later, they also hear of the end.
    pub notifiers: Vec<Arc<str>>,
}

/// One line of an incident's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// What happened, in words.
    pub text: String,
}

/// What a message to a notifier is about (`contract`, webhook).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Event {
    Opened,
    Updated,
    Acknowledged,
    Escalated,
    Repeated,
    Reopened,
    Resolved,
    Digest,
    Test,
}

impl Event {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Acknowledged => "acknowledged",
            Self::Escalated => "escalated",
            Self::Repeated => "repeated",
            Self::Reopened => "reopened",
            Self::Resolved => "resolved",
            Self::Digest => "digest",
            Self::Test => "test",
        }
    }
}
