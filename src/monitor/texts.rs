//! Texts and names that many say alike are held once: a fleet has half a million hops, and most of them say `port 25 open`;
//! and a hundred thousand domains have their mail at the same few hosts.

use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::model::{DomainName, Evidence, Hop, Warning};

/// Fewer than this are not worth a look for those that nobody says any more.
const FEW: usize = 1024;

/// All texts that are said, and all names that DNS told.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    texts: Once<Arc<str>>,
    names: Once<DomainName>,
}

impl Texts {
    /// Has a path and its warnings say in the very same texts what others say.
    pub(super) fn share(&mut self, path: &mut [Hop], also: &mut [Warning]) {
        let of_path = path
            .iter_mut()
            .flat_map(|hop| [&mut hop.subject, &mut hop.summary]);
        let of_warnings = also
            .iter_mut()
            .flat_map(|warning| [&mut warning.subject, &mut warning.summary]);
        for text in of_path.chain(of_warnings) {
            // A name that stands in the inventory, say, is held once already.
            if text.holders() == 1 {
                self.texts.share(text);
            }
        }
        self.texts.tidy();
    }

    /// Has evidence name what others name by the very same names.
    pub(super) fn share_names(&mut self, evidence: &mut Evidence) {
        evidence.each_name(|name| self.names.share(name));
        self.names.tidy();
    }
}

/// Something of which a clone is the same one again.
trait Shared: Clone + Eq + Hash {
    /// How many hold it.
    fn holders(&self) -> usize;
}

impl Shared for Arc<str> {
    fn holders(&self) -> usize {
        Arc::strong_count(self)
    }
}

impl Shared for DomainName {
    fn holders(&self) -> usize {
        self.holders()
    }
}

/// What is held once.
#[derive(Debug, Clone)]
struct Once<T> {
    table: HashTable<T>,
    hasher: RandomState,
    /// How many there may be before the next look.
    most: usize,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            hasher: RandomState::default(),
            most: 0,
        }
    }
}

impl<T: Shared> Once<T> {
    fn share(&mut self, one: &mut T) {
        let hasher = &self.hasher;
        let place = self.table.entry(
            hasher.hash_one(&*one),
            |other| other == one,
            |other| hasher.hash_one(other),
        );
        *one = place.or_insert_with(|| one.clone()).get().clone();
    }

    /// Drops what nobody else holds any more, once there may be as many of those as of the others.
    fn tidy(&mut self) {
        if self.table.len() <= self.most.max(FEW) {
            return;
        }
        self.table.retain(|one| one.holders() > 1);
        self.most = self.table.len().saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::dns::{
        Exchange, FoundBy, Lookup, MxRecord, NameServerAnswer, NameServerEvidence, NamedBy,
    };
    use crate::model::{HopKind, State};

    fn hop(summary: &str) -> Hop {
        Hop {
            hop: HopKind::Host,
            subject: "mx.acme.test".into(),
            state: State::Flowing,
            elapsed: None,
            summary: summary.into(),
        }
    }

    #[test]
    fn what_is_said_alike_is_held_once() {
        let mut texts = Texts::default();
        let (mut one, mut other) = ([hop("port 25 open")], [hop("port 25 open")]);
        texts.share(&mut one, &mut []);
        texts.share(&mut other, &mut []);
        assert!(Arc::ptr_eq(&one[0].summary, &other[0].summary));
        assert!(Arc::ptr_eq(&one[0].subject, &other[0].subject));
        assert!(!Arc::ptr_eq(&one[0].subject, &one[0].summary));
    }

    #[test]
    fn a_name_that_several_answers_hold_is_held_once() {
        let answer = || {
            let name = |text| DomainName::from_dns(text).unwrap();
            let answer = NameServerAnswer {
                name: name("ns.acme.test"),
                address: None,
                named_by: NamedBy::Zone,
                answer: Lookup::Found {
                    records: vec![MxRecord {
                        preference: 10,
                        exchange: Exchange::Host(name("mx.acme.test")),
                    }],
                    ttl: Duration::ZERO,
                    authentic: false,
                },
                authoritative: true,
                elapsed: Duration::ZERO,
            };
            Evidence::NameServers(Box::new(NameServerEvidence {
                zone: Some(name("acme.test")),
                found_by: FoundBy::Resolver,
                servers: vec![answer],
                closer: None,
            }))
        };
        let (mut one, mut other) = (answer(), answer());
        let mut texts = Texts::default();
        texts.share_names(&mut one);
        texts.share_names(&mut other);
        let mut held = Vec::new();
        one.each_name(|name| held.push(name.holders()));
        // By both answers, and here.
        assert_eq!(held, [3, 3, 3]);
        assert_eq!(one, other);
    }

    #[test]
    fn what_nobody_says_any_more_goes() {
        let mut texts = Texts::default();
        let mut kept = [hop("port 25 open")];
        texts.share(&mut kept, &mut []);
        for number in 0..10 * FEW {
            texts.share(&mut [hop(&format!("answer {number}"))], &mut []);
        }
        let held = texts.texts.table.len();
        assert!(held <= FEW + 2, "{held}");
        let mut again = [hop("port 25 open")];
        texts.share(&mut again, &mut []);
        assert!(Arc::ptr_eq(&kept[0].summary, &again[0].summary));
    }
}
