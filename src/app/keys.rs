//! Keys of our own, which the store keeps, so that what was signed before a restart is known again after it.

use std::sync::Arc;

use anyhow::anyhow;
use aws_lc_rs::rand;

use crate::model::text::{from_hex, hex};
use crate::store::{Batch, Fact, Loaded};

use super::keeper::Keeper;

/// A key's bytes.
const LENGTH: usize = 32;

/// Which key: under what the store keeps it.
#[derive(Debug, Clone, Copy)]
pub struct KeyName(&'static str, &'static str);

/// What canaries' tokens are signed with.
pub const CANARIES: KeyName = KeyName("canaries", "token key");
/// What links and sessions are signed with.
pub const SEAL: KeyName = KeyName("doors", "seal");

/// Takes a key out of what a store remembers, or makes one and has it kept.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn key(name: KeyName, memory: &mut Loaded, keeper: &Keeper) -> anyhow::Result<Arc<[u8]>> {
    let is_key = |fact: &mut Fact| fact.subject == name.0 && fact.name == name.1;
    let kept: Vec<Fact> = memory.facts.extract_if(.., is_key).collect();
    if let Some(key) = kept.first().and_then(|fact| read(fact.value.as_str()?)) {
        return Ok(key.into());
    }
    let (key, batch) = made(name).ok_or_else(|| anyhow!("this machine gives no randomness"))?;
    drop(keeper.commit(batch));
    Ok(key)
}

/// A new key, and what has it kept; `None` when the operating system gives no randomness.
pub fn made(name: KeyName) -> Option<(Arc<[u8]>, Batch)> {
    let mut key = [0; LENGTH];
    rand::fill(&mut key).ok()?;
    let fact = Fact {
        subject: name.0.into(),
        name: name.1.into(),
        value: hex(&key).into(),
    };
    let batch = Batch {
        facts: vec![fact],
        ..Batch::default()
    };
    Some((key.to_vec().into(), batch))
}

fn read(digits: &str) -> Option<Vec<u8>> {
    from_hex(digits).filter(|bytes| bytes.len() == LENGTH)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::SqliteStore;

    #[test]
    fn a_key_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("mailflow.db")).unwrap();
        let (keeper, _thread) = Keeper::start(Box::new(store)).unwrap();
        let load = || keeper.ask(|store| store.load(Timestamp::MAX)).unwrap().unwrap();
        let first = key(CANARIES, &mut load(), &keeper).unwrap();
        let other = key(SEAL, &mut load(), &keeper).unwrap();
        assert_ne!(first, other);
        let mut memory = load();
        assert_eq!(memory.facts.len(), 2);
        assert_eq!(key(CANARIES, &mut memory, &keeper).unwrap(), first);
        assert_eq!(key(SEAL, &mut memory, &keeper).unwrap(), other);
        assert_eq!(memory.facts, [], "nobody else takes them for learnt facts");
        assert_eq!(first.len(), LENGTH);
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(read("00"), None);
        assert_eq!(read(&"zz".repeat(LENGTH)), None);
        assert_eq!(read(&"0f".repeat(LENGTH)), Some(vec![15; LENGTH]));
    }
}
