//! Things of which each is of one subject, side by side.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use slab::Slab;

use super::Subject;

/// Something of one subject, which never changes while it is held.
pub trait OfSubject {
    /// Of which.
    fn subject(&self) -> &Subject;
}

/// The number of something that is held: as few bytes as will do, as it stands in several lists. That of something which was
/// removed is given again.
pub type Id = u32;

/// Things by subject and by number. A map would hold each subject a second time, and as it grows has as much room again for
/// what is in it; a fleet has a million of these.
#[derive(Debug, Clone)]
pub struct BySubject<T> {
    things: Slab<T>,
    ids: HashTable<Id>,
    hasher: RandomState,
}

impl<T> Default for BySubject<T> {
    fn default() -> Self {
        Self {
            things: Slab::new(),
            ids: HashTable::new(),
            hasher: RandomState::default(),
        }
    }
}

impl<T: OfSubject> BySubject<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.iter().map(|(_, thing)| thing)
    }

    /// The number of a subject's.
    pub fn id(&self, subject: &Subject) -> Option<Id> {
        let is_of = |id: &Id| self.at(*id).is_some_and(|thing| thing.subject() == subject);
        self.ids.find(self.hasher.hash_one(subject), is_of).copied()
    }

    /// A subject's.
    pub fn get(&self, subject: &Subject) -> Option<&T> {
        self.at(self.id(subject)?)
    }

    /// A subject's.
    pub fn get_mut(&mut self, subject: &Subject) -> Option<&mut T> {
        self.at_mut(self.id(subject)?)
    }

    /// The one of that number.
    pub fn at(&self, id: Id) -> Option<&T> {
        self.things.get(key(id))
    }

    /// The one of that number.
    pub fn at_mut(&mut self, id: Id) -> Option<&mut T> {
        self.things.get_mut(key(id))
    }

    /// Adds one of a subject that has none.
    pub fn insert(&mut self, thing: T) -> Id {
        let hash = self.hasher.hash_one(thing.subject());
        if self.things.len() == self.things.capacity() {
            // By an eighth, not to twice the size.
            self.things.reserve_exact(self.things.len() / 8 + 16);
        }
        // Four billion of them would not fit into any memory.
        let id = Id::try_from(self.things.insert(thing)).unwrap_or(Id::MAX);
        let (things, hasher) = (&self.things, &self.hasher);
        let rehash = |id: &Id| {
            let thing = things.get(key(*id));
            thing.map_or(0, |thing| hasher.hash_one(thing.subject()))
        };
        self.ids.insert_unique(hash, id, rehash);
        id
    }

    /// Takes the one of that number out.
    pub fn remove(&mut self, id: Id) {
        let Some(thing) = self.things.try_remove(key(id)) else {
            return;
        };
        let hash = self.hasher.hash_one(thing.subject());
        if let Ok(place) = self.ids.find_entry(hash, |other| *other == id) {
            place.remove();
        }
    }
}

fn key(id: Id) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::DomainName;

    #[derive(Debug, Clone, PartialEq)]
    struct Thing(Subject, u8);

    impl OfSubject for Thing {
        fn subject(&self) -> &Subject {
            &self.0
        }
    }

    fn subject(number: u8) -> Subject {
        Subject::Mx(DomainName::parse(&format!("d{number}.test")).unwrap())
    }

    proptest! {
        /// Whatever comes and goes, it is found as a map finds it.
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0_u8..20, any::<bool>(), any::<u8>()), 0..200)) {
            let mut things = BySubject::default();
            let mut map = BTreeMap::new();
            for (number, comes, value) in steps {
                let of = subject(number);
                match (things.id(&of), comes) {
                    (None, true) => {
                        let id = things.insert(Thing(of.clone(), value));
                        prop_assert_eq!(things.id(&of), Some(id));
                        map.insert(number, value);
                    }
                    (Some(_), true) => {
                        things.get_mut(&of).unwrap().1 = value;
                        map.insert(number, value);
                    }
                    (Some(id), false) => {
                        things.remove(id);
                        map.remove(&number);
                        prop_assert_eq!(things.at(id), None);
                    }
                    (None, false) => {}
                }
                prop_assert_eq!((things.len(), things.ids.len()), (map.len(), map.len()));
                for number in 0..20 {
                    let held = things.get(&subject(number)).map(|thing| thing.1);
                    prop_assert_eq!(held, map.get(&number).copied());
                }
            }
        }
    }
}
