//! Those that wait for their time, and then for their turn.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::Moment;
use crate::model::by_subject::Id;

use super::entry::{Class, Place};

/// One queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// Whose time is yet to come.
    timer: BTreeSet<(Moment, Class, Id)>,
    /// Whose time has come.
    ready: BTreeSet<Place>,
}

impl Queue {
    /// Waits for its time.
    pub(super) fn enter(&mut self, (class, due, id): Place) {
        self.timer.insert((due, class, id));
    }

    /// Waits no longer, neither for its time nor, where it was ready, for its turn.
    pub(super) fn leave(&mut self, place: &Place, ready: bool) {
        if ready {
            self.ready.remove(place);
        } else {
            let (class, due, id) = *place;
            self.timer.remove(&(due, class, id));
        }
    }

    /// Has those whose time has come wait for their turn, and says so of each.
    pub(super) fn ripen(&mut self, now: Moment, mut ripe: impl FnMut(Id)) {
        while let Some(&(due, class, id)) = self.timer.first().filter(|(due, ..)| *due <= now) {
            self.timer.pop_first();
            self.ready.insert((class, due, id));
            ripe(id);
        }
    }

    /// Takes the one whose turn it is.
    pub(super) fn next(&mut self) -> Option<Place> {
        self.ready.pop_first()
    }

    /// When there is something to do.
    pub(super) fn soonest(&self) -> Option<Timestamp> {
        let timer = self.timer.first().map(|(due, ..)| *due);
        let ready = self.ready.first().map(|(_, due, _)| *due);
        timer.into_iter().chain(ready).min().map(Timestamp::from)
    }
}
