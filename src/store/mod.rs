//! What must outlive a crash: incidents, the outbox, what was seen of each target, and what was learnt.
//!
//! One narrow interface. Its calls block, so the daemon makes them on a thread of its own. All that one step of the
//! daemon decides is one [`Batch`], written whole or not at all: an incident never says that somebody was told
//! without the message being in the outbox.

mod batch;
mod error;
mod schema;
mod sqlite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    ClientId, Code, Entry, Hand, Incident, IncidentId, IncidentState, Message, State, Target,
};

pub use batch::Batch;
pub use error::StoreError;
pub use sqlite::{LastingStore, SqliteStore};

/// What must outlive a crash.
pub trait Store: Send {
    /// Writes everything, or nothing. A row that the database refuses for what it is holds nobody back: it is set
    /// aside, and counted in [`Self::state`].
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written then, and the same batch can be tried again.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Everything that a daemon needs to go on where it ended. `ended_since` says how far back incidents that
    /// ended are wanted; the last hundred come in any case.
    ///
    /// # Errors
    /// [`StoreError`]; a row that cannot be read is no error but is named in [`Loaded::unreadable`].
    fn load(&mut self, ended_since: Timestamp) -> Result<Loaded, StoreError>;

    /// Incidents, the newest first, those before `after` in that order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn incidents(
        &mut self,
        filter: &IncidentFilter,
        after: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, StoreError>;

    /// One incident.
    ///
    /// # Errors
    /// [`StoreError`].
    fn incident(&mut self, id: IncidentId) -> Result<Option<Incident>, StoreError>;

    /// The turns of one target since a time, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn history(&mut self, target: &Target, since: Timestamp, limit: usize) -> Result<Vec<Turn>, StoreError>;

    /// What became of the messages about an incident, in the order in which they were decided.
    ///
    /// # Errors
    /// [`StoreError`].
    fn deliveries(&mut self, id: IncidentId) -> Result<Vec<Delivery>, StoreError>;

    /// What was done by hand, the latest first, those with a number below `before`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn deeds(&mut self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Forgets what ended before a time. What goes on, and what still waits to be sent, stays.
    ///
    /// # Errors
    /// [`StoreError`].
    fn prune(&mut self, before: Timestamp) -> Result<(), StoreError>;

    /// Writes down that we were alive at a time: the proof that writing works.
    ///
    /// # Errors
    /// [`StoreError`].
    fn beat(&mut self, at: Timestamp) -> Result<(), StoreError>;

    /// What has happened to it.
    fn state(&self) -> StoreState {
        StoreState::default()
    }
}

/// What has happened to a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreState {
    /// Why it is not open for writing; `None`: it is, or was when last used.
    pub failing: Option<Arc<str>>,
    /// Where the damaged database lies that was last found in its place.
    pub aside: Option<Arc<str>>,
    /// How many rows were refused for what they are, and set aside.
    pub misfits: u64,
}

/// A verdict that turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Of what.
    pub target: Target,
    /// When (UTC).
    pub at: Timestamp,
    /// Into which state.
    pub state: State,
    /// Since when it has been in that state: earlier than `at` when only the cause changed.
    pub since: Timestamp,
    /// For what cause.
    pub code: Option<Code>,
}

/// Something learnt about a domain or the like: its MX set, that it offered STARTTLS.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// About whom: a domain's name.
    pub subject: String,
    /// What kind of fact.
    pub name: String,
    /// The fact; null forgets it.
    pub value: Value,
}

/// Which incidents are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only open or only resolved ones.
    pub state: Option<IncidentState>,
    /// Only those that touch this client.
    pub client: Option<ClientId>,
    /// Only those that go on, or went on at this time or later.
    pub lasted_until: Option<Timestamp>,
}

/// What became of a message so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The notifier's name.
    pub notifier: Arc<str>,
    /// What the message was about, in the contract's word.
    pub event: String,
    /// When it was decided.
    pub queued: Timestamp,
    /// When it was delivered or failed for good; `None`: it still waits.
    pub done: Option<Timestamp>,
    /// How often it was tried in the end.
    pub attempts: u32,
    /// Why it failed for good.
    pub failed: Option<String>,
}

/// Everything that a daemon needs to go on where it ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// Incidents that go on.
    pub open: Vec<Incident>,
    /// Incidents that ended lately, the newest first.
    pub ended: Vec<Incident>,
    /// The last turn of each target.
    pub verdicts: Vec<Turn>,
    /// Targets that were seen before.
    pub seen: Vec<Target>,
    /// What was learnt.
    pub facts: Vec<Fact>,
    /// What people have set by hand.
    pub hands: Vec<Hand>,
    /// Messages that wait to be sent, in order.
    pub outbox: Vec<Message>,
    /// The number of the next incident.
    pub next_incident: u64,
    /// The number of the next message.
    pub next_message: u64,
    /// The number of what is next set by hand.
    pub next_hand: u64,
    /// Rows that could not be read, in words. They stay where they are.
    pub unreadable: Vec<String>,
}

impl Loaded {
    /// What there is to remember at the very first start.
    pub fn nothing() -> Self {
        Self {
            next_incident: 1,
            next_message: 1,
            next_hand: 1,
            ..Self::default()
        }
    }
}
