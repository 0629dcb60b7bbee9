//! One open incident, its log, and the arithmetic of time that goes with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};

use crate::model::{Affected, Cause, Incident, Target};

/// How many names a log entry spells out.
const NAMES: usize = 3;

/// One open incident.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The row that is written down and shown.
    pub(super) row: Arc<Incident>,
    /// Its targets, as of the last settling.
    pub(super) members: BTreeSet<Target>,
    /// Since when the first of its targets has been wrong that was well before; `None` where none was. There may be tens
    /// of thousands, and it is asked at every observation.
    pub(super) news_since: Option<Timestamp>,
    /// Since when what the notifiers were told is no longer true.
    pub(super) untrue_since: Option<Timestamp>,
    /// Whether what holds it back still applies to it as it is now.
    pub(super) hold_stands: bool,
    /// When to ask again for those who were not told yet, as they want quiet now.
    pub(super) ask_again: Option<Timestamp>,
}

impl Record {
    /// A record of an incident that is yet to be settled.
    pub(super) fn new(row: Arc<Incident>) -> Self {
        Self {
            news_since: news_since(&row.affected),
            row,
            members: BTreeSet::new(),
            untrue_since: None,
            hold_stands: false,
            ask_again: None,
        }
    }

    /// Sets whom it is about.
    pub(super) fn set_affected(&mut self, affected: Vec<Affected>) {
        self.news_since = news_since(&affected);
        self.edit().affected = affected;
    }

    /// The row, to be changed; whom it is about is set by [`Self::set_affected`].
    pub(super) fn edit(&mut self) -> &mut Incident {
        Arc::make_mut(&mut self.row)
    }

    /// Whether what the notifiers were last told still holds.
    pub(super) fn told_is_true(&self) -> bool {
        self.row.told.as_ref().is_none_or(|told| {
            told.severity == self.row.severity
                && told.code == self.row.cause.code
                && told.root == self.row.cause.root
        })
    }

    /// The order in which incidents outlive each other: the oldest first.
    pub(super) fn age(&self) -> (Timestamp, crate::model::IncidentId) {
        (self.row.opened, self.row.id)
    }
}

fn news_since(affected: &[Affected]) -> Option<Timestamp> {
    let news = affected.iter().filter(|one| !one.first_sight);
    news.map(|one| one.since).min()
}

/// Writes a line into an incident's log.
pub(super) fn log(row: &mut Incident, at: Timestamp, text: impl Into<String>) {
    row.write(at, text);
}

/// Whether two causes tell people the same. Newer evidence of the same thing is not worth a write to disk.
pub(super) fn same_story(one: &Cause, other: &Cause) -> bool {
    one.code == other.code
        && one.root == other.root
        && one.subject == other.subject
        && one.detail == other.detail
        && one.owner == other.owner
        && one.contact == other.contact
        && one.confidence == other.confidence
        && one.confidence_reason == other.confidence_reason
}

/// Some names and the number of the others: `a.example, b.example and 7 more`.
pub(super) fn names<'a>(targets: impl ExactSizeIterator<Item = &'a Target>) -> String {
    let more = targets.len().saturating_sub(NAMES);
    let named: Vec<String> = targets.take(NAMES).map(Target::to_string).collect();
    let named = named.join(", ");
    if more == 0 {
        named
    } else {
        format!("{named} and {more} more")
    }
}

/// A root with its code, as the log calls them.
pub(super) fn cause_in_words(cause: &Cause) -> String {
    format!("{} at {}", cause.code, cause.subject)
}

/// The moment `span` after `start`.
pub(super) fn after(start: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| start.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Whether `now` is at most `span` after `start`.
pub(super) fn within(start: Timestamp, span: Duration, now: Timestamp) -> bool {
    now <= after(start, span)
}

/// A moment in the log's words: to the second, in UTC.
pub(super) fn clock(at: Timestamp) -> Timestamp {
    at.round(TimestampRound::new().smallest(Unit::Second))
        .unwrap_or(at)
}
