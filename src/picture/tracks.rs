//! All tracks, by subject.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Track;
use crate::model::{Observation, Subject};

/// All tracks. The subject stands in a track's observation already: a map would hold it a second time, and as it grows
/// has as much room again.
#[derive(Debug, Clone, Default)]
pub(super) struct Tracks {
    table: HashTable<Box<Track>>,
    hasher: RandomState,
}

impl Tracks {
    pub(super) fn get(&self, subject: &Subject) -> Option<&Track> {
        let found = self.table.find(self.hasher.hash_one(subject), is_of(subject));
        found.map(|track| &**track)
    }

    pub(super) fn get_mut(&mut self, subject: &Subject) -> Option<&mut Track> {
        let hash = self.hasher.hash_one(subject);
        self.table
            .find_mut(hash, is_of(subject))
            .map(|track| &mut **track)
    }

    /// The track of an observation's subject, begun with it where there is none.
    pub(super) fn of(&mut self, observation: &Arc<Observation>) -> &mut Track {
        let hasher = &self.hasher;
        let hash_of = |subject: &Subject| hasher.hash_one(subject);
        let subject = &observation.subject;
        let place = self.table.entry(hash_of(subject), is_of(subject), |track| {
            hash_of(&track.latest.subject)
        });
        place
            .or_insert_with(|| Box::new(Track::new(observation)))
            .into_mut()
    }

    pub(super) fn remove(&mut self, subject: &Subject) {
        let hash = self.hasher.hash_one(subject);
        if let Ok(place) = self.table.find_entry(hash, is_of(subject)) {
            place.remove();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Track> {
        self.table.iter().map(|track| &**track)
    }
}

fn is_of(subject: &Subject) -> impl Fn(&Box<Track>) -> bool {
    move |track| track.latest.subject == *subject
}
