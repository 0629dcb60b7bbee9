//! Texts that many verdicts say alike are held once: a fleet has half a million hops, and most of them say `port 25 open`.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::model::{Hop, Warning};

/// Fewer than this are not worth a look for those that nobody says any more.
const FEW: usize = 1024;

/// All texts that are said.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    table: HashTable<Arc<str>>,
    hasher: RandomState,
    /// How many there may be before the next look.
    most: usize,
}

impl Texts {
    /// Has a path and its warnings say in the very same texts what others say.
    pub(super) fn share(&mut self, path: &mut [Hop], also: &mut [Warning]) {
        for hop in path {
            self.share_one(&mut hop.subject);
            self.share_one(&mut hop.summary);
        }
        for warning in also {
            self.share_one(&mut warning.subject);
            self.share_one(&mut warning.summary);
        }
        self.tidy();
    }

    fn share_one(&mut self, text: &mut Arc<str>) {
        // A name that stands in the inventory, say, is held once already.
        if Arc::strong_count(text) > 1 {
            return;
        }
        let hasher = &self.hasher;
        let place = self.table.entry(
            hasher.hash_one(&**text),
            |other| other == text,
            |other| hasher.hash_one(&**other),
        );
        *text = Arc::clone(place.or_insert_with(|| Arc::clone(text)).get());
    }

    /// Drops what nobody says any more, once there may be as many of those as of the others.
    fn tidy(&mut self) {
        if self.table.len() <= self.most.max(FEW) {
            return;
        }
        self.table.retain(|text| Arc::strong_count(text) > 1);
        self.most = self.table.len().saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn what_nobody_says_any_more_goes() {
        let mut texts = Texts::default();
        let mut kept = [hop("port 25 open")];
        texts.share(&mut kept, &mut []);
        for number in 0..10 * FEW {
            texts.share(&mut [hop(&format!("answer {number}"))], &mut []);
        }
        assert!(texts.table.len() <= FEW + 2, "{}", texts.table.len());
        let mut again = [hop("port 25 open")];
        texts.share(&mut again, &mut []);
        assert!(Arc::ptr_eq(&kept[0].summary, &again[0].summary));
    }
}
