//! Ninety days that never were, so that there is a history to look at.

use jiff::{SignedDuration, Timestamp};

use super::world::World;
use crate::model::{Code, DomainName, State, Target};
use crate::store::{Batch, Turn};

/// How long ago it all began, in days.
const DAYS: u64 = 90;

/// What went wrong in those days: state, cause, and the least and most minutes that it lasted.
const TROUBLES: [(State, Code, u64, u64); 5] = [
    (State::Broken, Code::GatewayDown, 6, 95),
    (State::Broken, Code::HostRefused, 4, 40),
    (State::Degraded, Code::HostUnreachable, 15, 240),
    (State::Degraded, Code::TlsCertificateExpired, 120, 900),
    (State::Unknown, Code::VantageNoEvidence, 3, 12),
];

/// The verdicts of all domains over the last ninety days, ending well, and that all of them were seen before.
pub(super) fn invent(world: &World, now: Timestamp) -> Batch {
    let names = world.clients.iter().flat_map(|client| &client.domains);
    let mut batch = Batch::default();
    for name in names.filter_map(|name| DomainName::parse(name).ok()) {
        let target = Target::Domain(name.clone());
        batch.turns.extend(life(&target, Dice::new(name.as_str()), now));
        batch.seen.push(target);
    }
    batch.turns.sort_by_key(|turn| turn.at);
    batch
}

fn life(target: &Target, mut dice: Dice, now: Timestamp) -> Vec<Turn> {
    let turn = |at: Timestamp, state: State, code: Option<Code>| Turn {
        target: target.clone(),
        at,
        state,
        since: at,
        code,
    };
    let ago = |minutes: u64| {
        let minutes = i64::try_from(minutes).unwrap_or_default();
        now.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(now)
    };
    let mut turns = vec![turn(ago(DAYS * 24 * 60), State::Flowing, None)];
    let mut troubles: Vec<u64> = (0..dice.roll(5)).map(|_| dice.roll(DAYS - 4) + 2).collect();
    troubles.sort_unstable_by(|a, b| b.cmp(a));
    troubles.dedup();
    for day in troubles {
        let (state, code, least, most) = TROUBLES
            .get(usize::try_from(dice.roll(5)).unwrap_or_default())
            .copied()
            .unwrap_or(TROUBLES[0]);
        let begins = day * 24 * 60 - dice.roll(400);
        let ends = begins.saturating_sub(least + dice.roll(most - least));
        turns.push(turn(ago(begins), state, Some(code)));
        turns.push(turn(ago(ends), State::Flowing, None));
    }
    turns
}

/// Chance that is the same at every start: a linear congruential generator (Knuth's MMIX), begun with a name.
struct Dice(u64);

impl Dice {
    fn new(name: &str) -> Self {
        let begin = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(begin)
    }

    /// From 0 to less than `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides.max(1)
    }
}
