//! What the daemon goes through: it is killed at random moments, servers misbehave towards it, and it runs out of
//! descriptors. `cargo test --test torture` is a short round of all; `-- kill 200`, `-- soak 60`, `-- descriptors` are
//! parts of it, for as long as one likes.
//!
//! Everything runs in a network namespace of its own, on loopback, as port 25 is nobody else's there: as root, or as
//! anybody where the kernel lets users have namespaces.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it runs in real time, beside the daemon, and says what it sees"
)]

mod daemon;
mod descriptors;
mod dns;
mod hook;
mod hostile;
mod kill;
mod ledger;
mod mail;
mod soak;
mod world;

use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

/// Set inside the namespace.
const INSIDE: &str = "MAILFLOW_TORTURE_INSIDE";

const USAGE: &str = "torture [kill [ROUNDS] [SEED] | soak [MINUTES] [ADDRESSES] | descriptors]; without words a little of each";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // What looks for tests by name finds none.
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let outcome = if std::env::var_os(INSIDE).is_some() {
        play(&words)
    } else if words.is_empty() {
        // A little of each.
        [&["kill", "4"][..], &["descriptors"], &["soak", "0", "65"]]
            .into_iter()
            .try_for_each(|words| enter(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()))
    } else {
        enter(&words)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program again in a namespace of its own.
fn enter(words: &[String]) -> Result<()> {
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let status = command
        .args(["--net", "--"])
        .arg(std::env::current_exe()?)
        .args(words)
        .env(INSIDE, "1")
        .status()
        .context("cannot run unshare (Debian package util-linux)")?;
    if !status.success() {
        bail!("it did not end well");
    }
    Ok(())
}

fn play(words: &[String]) -> Result<()> {
    world::open()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let number = |at: usize, usual: u64| {
        words
            .get(at)
            .map_or(Ok(usual), |word| word.parse().context(USAGE))
    };
    match words.first().map(String::as_str) {
        Some("kill") => runtime.block_on(kill::run(number(1, 200)?, number(2, seed())?)),
        Some("soak") => {
            let time = Duration::from_secs(number(1, 10)?.saturating_mul(60));
            runtime.block_on(soak::run(time, usize::try_from(number(2, 400)?)?))
        }
        Some("descriptors") => runtime.block_on(descriptors::run()),
        _ => bail!(USAGE),
    }
}

/// Another one each time; it is printed.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| u64::from(since.subsec_nanos()) | 1)
}
