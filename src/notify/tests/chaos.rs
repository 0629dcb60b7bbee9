//! Chaos: seeded random histories of outages, flaps, kills, receivers that fail, silences, maintenance, reloads and
//! full disks. Each seed is one history, and a failure names its own: `MAILFLOW_SEED=17 cargo test --lib chaos` plays
//! it again. A few at each run, `MAILFLOW_TESTS=thorough` plays 1,500, `PROPTEST_CASES` says how many.

use std::collections::BTreeSet;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::history::actions;
use super::world::{Heard, World};
use crate::model::{Event, MessageId};

/// How many histories at every run, and where `MAILFLOW_TESTS=thorough` asks for it.
const USUAL: u64 = 32;
const THOROUGH: u64 = 1500;

fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(seed) = number("MAILFLOW_SEED") {
        return seed..seed + 1;
    }
    let thorough = std::env::var_os("MAILFLOW_TESTS").is_some_and(|how| how == "thorough");
    0..number("PROPTEST_CASES").unwrap_or(if thorough { THOROUGH } else { USUAL })
}

#[test]
fn who_hears_of_a_beginning_hears_of_the_end_whatever_happens() {
    for seed in seeds() {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config {
            cases: 1,
            max_shrink_iters: 300,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let outcome = TestRunner::new_with_rng(config, rng).run(&actions(), |actions| {
            let mut world = World::new();
            for action in &actions {
                world.play(action);
            }
            world.heal();
            all_was_told(&world);
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("seed {seed}; to play it again: MAILFLOW_SEED={seed} cargo test --lib chaos\n{failure}");
        }
    }
}

/// Once everything is well for long: nothing goes on, nothing waits, nothing is lost, nothing came twice.
fn all_was_told(world: &World) {
    assert_eq!(world.open(), [], "incidents that should be over");
    let mut keys = BTreeSet::new();
    for ((who, incident), heard) in &world.heard {
        let heard = once(heard);
        let key = &heard[0].key;
        assert!(
            heard.iter().all(|one| one.key == *key),
            "{who}: one key for {incident}"
        );
        keys.insert((incident, key.clone()));
        let of_this = |message: &&crate::model::Message| {
            message.notifier == *who && message.incident() == Some(*incident)
        };
        let decided: Vec<MessageId> = world.decided.values().filter(of_this).map(|one| one.id).collect();
        let told: Vec<MessageId> = heard.iter().map(|one| one.id).collect();
        assert!(told.is_sorted(), "{who}: out of order: {heard:#?}");
        let given_up = |id: &&MessageId| world.given_up.contains(*id);
        let lost: Vec<_> = decided.iter().filter(|id| !told.contains(id)).collect();
        assert!(
            lost.iter().all(given_up),
            "{who} never heard {lost:?} of {incident}"
        );
        if lost.is_empty() {
            assert!(is_complete(&heard), "{who}: {heard:#?}");
        }
    }
    let distinct: BTreeSet<_> = keys.iter().map(|(_, key)| key).collect();
    assert_eq!(
        distinct.len(),
        keys.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len()
    );
    for message in world.decided.values() {
        let key = (message.notifier.clone(), message.incident().unwrap());
        let heard = world.heard.get(&key);
        let arrived = heard.is_some_and(|heard| heard.iter().any(|one| one.id == message.id));
        assert!(
            arrived || world.given_up.contains(&message.id),
            "lost: {message:#?}"
        );
    }
}

/// What was heard, each message once. One may come again, the very same, when the process was killed in between.
fn once(heard: &[Heard]) -> Vec<Heard> {
    let mut kept: Vec<Heard> = Vec::new();
    for one in heard {
        match kept.last_mut() {
            Some(last) if last.id == one.id => {
                assert!(last.life < one.life, "twice in one life: {one:?}");
                assert_eq!(
                    (&last.key, &last.text, last.event),
                    (&one.key, &one.text, one.event)
                );
                last.life = one.life;
            }
            _ => kept.push(one.clone()),
        }
    }
    kept
}

/// A beginning, changes, repetitions, an end; and the same again where it came back.
fn is_complete(heard: &[Heard]) -> bool {
    let mut told = false;
    let fits = heard.iter().all(|one| {
        let fits = match one.event {
            Event::Opened | Event::Reopened => !told,
            // Who is named by a later step only hears of it for the first time then.
            Event::Escalated => true,
            _ => told,
        };
        told = one.event != Event::Resolved;
        fits
    });
    let opened = heard.iter().filter(|one| one.event == Event::Opened);
    fits && !told && opened.count() <= 1
}
