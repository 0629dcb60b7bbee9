//! The whole daemon against servers that misbehave, for a long time: it must not fail, not grow, and blame nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::sleep;

use crate::daemon::{self, Daemon, api};
use crate::dns;
use crate::hook::Receipts;
use crate::hostile::{VICES, Vice};
use crate::mail::{self, Server};
use crate::world::{ANCHOR, Home, Plan, host};

/// Sessions in quick succession. Names are looked up by well-behaved servers on a machine that is busy: they get their time.
const PROBES: &str = "interval = \"1s\"\ntimeout = \"1s\"\ngreeting_timeout = \"2s\"\nconfirm = 1\nconfirm_interval = \"100ms\"\n\
    [probes.dns]\ninterval = \"5s\"\ntimeout = \"10s\"\n[probes.nameserver]\ninterval = \"5s\"\ntimeout = \"10s\"\n\
    [probes.vantage]\ntimeout = \"10s\"";
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// From when on nobody who misbehaves may be said to flow any more.
const SETTLES: Duration = Duration::from_mins(1);
/// How much memory may grow in the second half: what the allocator keeps moves a little.
const GROWTH: f64 = 1.1;

/// Soaks it for so long, with so many addresses.
pub async fn run(time: Duration, addresses: usize) -> Result<()> {
    let plan = Plan {
        domains: addresses,
        probes: PROBES,
        sessions: 4,
    };
    println!("soak: {addresses} addresses for {time:?}");
    let sessions = Arc::new(AtomicU64::new(0));
    dns::serve()?;
    let _anchor = Server::start(ANCHOR, &sessions)?;
    let _receipts = Receipts::open().await?;
    for number in 0..addresses {
        let listener = mail::listen(host(number))?;
        let (vice, sessions) = (vice(number), Arc::clone(&sessions));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                sessions.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(vice.serve(stream));
            }
        });
    }
    let home = Home::new(&plan)?;
    let daemon = Daemon::start(&home, &[]).await?;
    let soaked = soak(&daemon, time, &sessions).await;
    let log = std::fs::read_to_string(home.log())?;
    let said = soaked.with_context(|| daemon::tail(&home))?;
    for word in ["panicked", "by a fault of its own", "the probe hung"] {
        ensure!(!log.contains(word), "it says `{word}`\n{}", daemon::tail(&home));
    }
    daemon.stop().await?;
    println!("soak: {said}: all is well");
    Ok(())
}

fn vice(number: usize) -> Vice {
    VICES[number % VICES.len()]
}

async fn soak(daemon: &Daemon, time: Duration, sessions: &AtomicU64) -> Result<String> {
    let began = Instant::now();
    let mut memory = Vec::new();
    let mut causes = BTreeMap::new();
    while began.elapsed() < time.max(LOOK) {
        sleep(LOOK.min(time)).await;
        memory.push(daemon.memory()?);
        causes = judge(
            &api("/api/v1/domains?limit=100000").await?,
            began.elapsed() > SETTLES,
        )?;
    }
    let half = &memory[memory.len() / 2..];
    let (first, last) = half.split_at(half.len().div_ceil(2));
    let highest = |part: &[u64]| part.iter().max().copied().unwrap_or_default();
    let (before, after) = (highest(first), highest(last));
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let growth = after as f64 / before as f64;
    ensure!(
        half.len() < 20 || growth < GROWTH,
        "it grew from {before} to {after} bytes in the second half"
    );
    let causes: Vec<String> = causes
        .iter()
        .map(|(cause, count)| format!("{count} {cause}"))
        .collect();
    Ok(format!(
        "{} sessions in {:?}, resident {} MB in the third quarter and {} MB in the last; {}",
        sessions.load(Ordering::Relaxed),
        began.elapsed(),
        before >> 20,
        after >> 20,
        causes.join(", ")
    ))
}

/// Holds what is said against what is so; how often each cause is named.
fn judge(domains: &Value, settled: bool) -> Result<BTreeMap<String, usize>> {
    let mut causes = BTreeMap::new();
    for verdict in domains["domains"].as_array().context("no domains")? {
        let name = verdict["domain"].as_str().unwrap_or_default();
        let number = name
            .trim_start_matches('d')
            .trim_end_matches(".test")
            .parse::<usize>()?;
        let (state, code) = (
            verdict["state"].as_str().unwrap_or_default(),
            verdict["cause"]["code"].as_str().unwrap_or("none"),
        );
        let vice = vice(number);
        let right = match vice {
            // A machine that does not keep up says so, and guesses nothing.
            _ if state == "unknown" && code == "vantage.no-evidence" => true,
            Vice::None => code == "none",
            Vice::NoiseForTls | Vice::SilenceForTls => {
                code == "none" || code.starts_with("tls.") || code.starts_with("smtp.")
            }
            _ => code == "none" || code.starts_with("smtp."),
        };
        ensure!(
            right,
            "{name} ({vice:?}) is said to be {state} by {code}: {}",
            verdict["cause"]
        );
        ensure!(
            !settled || vice == Vice::None || state != "flowing",
            "{name} ({vice:?}) is said to flow"
        );
        *causes.entry(code.to_owned()).or_default() += 1;
    }
    Ok(causes)
}
