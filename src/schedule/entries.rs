//! All entries, by subject and by number.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use slab::Slab;

use super::entry::{Entry, Id};
use crate::model::Subject;

/// All entries, side by side. The subject stands in the entry already: a map would hold it a second time.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    slab: Slab<Entry>,
    ids: HashTable<Id>,
    hasher: RandomState,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slab.iter().map(|(_, entry)| entry)
    }

    pub(super) fn id(&self, subject: &Subject) -> Option<Id> {
        let is_of = |id: &Id| self.get(*id).is_some_and(|entry| entry.subject == *subject);
        self.ids.find(self.hasher.hash_one(subject), is_of).copied()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Entry> {
        self.slab.get(key(id))
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Entry> {
        self.slab.get_mut(key(id))
    }

    /// Adds one whose subject has none yet. Its number may be that of one that was removed.
    pub(super) fn insert(&mut self, entry: Entry) -> Id {
        let hash = self.hasher.hash_one(&entry.subject);
        // Four billion of them would not fit into any memory.
        let id = Id::try_from(self.slab.insert(entry)).unwrap_or(Id::MAX);
        let (slab, hasher) = (&self.slab, &self.hasher);
        let rehash = |id: &Id| {
            slab.get(key(*id))
                .map_or(0, |entry| hasher.hash_one(&entry.subject))
        };
        self.ids.insert_unique(hash, id, rehash);
        id
    }

    pub(super) fn remove(&mut self, id: Id) {
        let Some(entry) = self.slab.try_remove(key(id)) else {
            return;
        };
        let hash = self.hasher.hash_one(&entry.subject);
        if let Ok(place) = self.ids.find_entry(hash, |other| *other == id) {
            place.remove();
        }
    }
}

fn key(id: Id) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}
