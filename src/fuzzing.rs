//! Hostile bytes by mutation, for the parsers' tests: what is kept in `fuzz/TARGET/`, and thousands of changes to it.
//!
//! It needs no other compiler than the rest, and the same rounds come again: a few by default, as many as
//! `MAILFLOW_FUZZ` says for whoever has the time, from another start where `MAILFLOW_FUZZ_SEED` says one. Bytes that made
//! a test fail are written to the target's folder, where they stay as a case.

#![allow(
    clippy::print_stderr,
    reason = "whoever waits for a long run wants to know where it is"
)]

use std::path::{Path, PathBuf};

/// Rounds by default; a run of all targets is to cost a second or two.
const ROUNDS: u64 = 150;

/// The longest input that is made.
const LONGEST: usize = 64 * 1024;

/// Feeds everything that is kept of a target to `eat`, and then what becomes of it by chance.
pub(crate) fn feed(target: &str, words: &[&str], eat: impl FnMut(&[u8])) {
    feed_from(target, Vec::new(), words, eat);
}

/// Likewise, beginning with these too.
pub(crate) fn feed_from(target: &str, more: Vec<Vec<u8>>, words: &[&str], mut eat: impl FnMut(&[u8])) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(target);
    let mut kept = kept(&home);
    kept.extend(more);
    assert!(!kept.is_empty(), "nothing is kept in {}", home.display());
    for bytes in &kept {
        eat(bytes);
    }
    let seed = number("MAILFLOW_FUZZ_SEED").unwrap_or(1);
    let rounds = number("MAILFLOW_FUZZ").unwrap_or(ROUNDS);
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for round in 0..rounds {
        let mut bytes = chance.one_of(&kept).clone();
        for _ in 0..=chance.below(6) {
            mutate(&mut bytes, &kept, words, &mut chance);
        }
        bytes.truncate(LONGEST);
        let witness = Witness {
            path: home.join(format!("found-{seed}-{round}")),
            bytes: &bytes,
        };
        eat(&bytes);
        drop(witness);
    }
    if rounds > ROUNDS {
        eprintln!("{target}: {rounds} rounds from {seed}");
    }
}

fn kept(home: &Path) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(home).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

/// Keeps the bytes that somebody panics over.
struct Witness<'a> {
    path: PathBuf,
    bytes: &'a [u8],
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = std::fs::write(&self.path, self.bytes);
            eprintln!("kept as {}: {kept:?}", self.path.display());
        }
    }
}

/// One change: of a bit, a byte, a stretch, or by something from elsewhere.
fn mutate(bytes: &mut Vec<u8>, kept: &[Vec<u8>], words: &[&str], chance: &mut Chance) {
    const TELLING: [u8; 12] = [0, 1, 0x7f, 0x80, 0xc0, 0xfe, 0xff, b'\n', b'\r', b' ', b'"', b'9'];
    let at = chance.below(bytes.len() + 1);
    let end = (at + chance.below(40)).min(bytes.len());
    match chance.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *chance.one_of(&TELLING);
            }
        }
        2 => bytes.insert(at, *chance.one_of(&TELLING)),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        5 => {
            let times = if chance.below(20) == 0 { 2000 } else { 4 };
            let stretch = bytes[at..end].repeat(1 + chance.below(times));
            bytes.splice(at..at, stretch);
        }
        6 if !words.is_empty() => {
            let word = chance.one_of(words).as_bytes().to_vec();
            bytes.splice(at..end, word);
        }
        7 => {
            let other = chance.one_of(kept);
            let from = chance.below(other.len() + 1);
            bytes.splice(at.., other[from..].to_vec());
        }
        _ => {
            let random: Vec<u8> = (0..chance.below(16))
                .map(|_| u8::try_from(chance.below(256)).unwrap())
                .collect();
            bytes.splice(at..at, random);
        }
    }
}

/// Numbers by chance, the same ones each time (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
