//! Whether our own store takes what is to be written down: shown at once, and after a while an incident of our own, as whoever
//! is to make room on a disk may look at no page.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Code, Target};
use crate::net::Net;
use crate::snapshot::StoreHealth;
use crate::store::{Batch, StoreState};

use super::engine::Engine;
use super::sources;

/// What it is called in alerts.
const NAME: &str = "the store";
/// For how long it must have failed before it is an incident: a backup may hold it for a moment.
const LONG: SignedDuration = SignedDuration::from_secs(30);

/// The store as what an incident is about.
pub(super) fn target() -> Target {
    Target::Source(NAME.into())
}

/// How the store does, that has been failing since `before` if it still does.
pub(super) fn health(
    state: &StoreState,
    before: Option<&(Timestamp, Arc<str>)>,
    now: Timestamp,
) -> StoreHealth {
    let since = before.map_or(now, |(since, _)| *since);
    StoreHealth {
        failing: state.failing.clone().map(|reason| (since, reason)),
        set_aside: state.aside.clone(),
        misfits: state.misfits,
    }
}

impl<N: Net> Engine<N> {
    /// Takes over how the store does. A new one, begun in the place of a damaged one, is told what goes on: of the old one
    /// perhaps nothing could be read.
    pub(super) fn look_at_store(&mut self, now: Timestamp) {
        let health = health(&self.keeper.state(), self.store.failing.as_ref(), now);
        if health.set_aside != self.store.set_aside {
            drop(self.keeper.commit(Batch {
                incidents: self.life.open().cloned().collect(),
                seen: self.life.seen().cloned().collect(),
                hands: self.hands.clone(),
                ..Batch::default()
            }));
        }
        self.store = health;
        self.judge_store(now);
    }

    fn judge_store(&mut self, now: Timestamp) {
        let failing = self.store.failing.as_ref();
        let lasting = failing.filter(|(since, _)| now.duration_since(*since) >= LONG);
        if self.store_failed == Some(lasting.is_some()) || (failing.is_some() && lasting.is_none()) {
            return;
        }
        self.store_failed = Some(lasting.is_some());
        let detail = lasting.map(|(_, reason)| format!("Nothing can be written to it: {reason}."));
        let verdict = sources::verdict(&NAME.into(), Code::VantageStoreUnwritable, detail, now);
        self.life.judge(&verdict, now);
    }
}
