//! The daemon may open hardly any file: it says so, blames nobody, and goes on once it may.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::time::sleep;

use crate::daemon::{Daemon, api, tail, until};
use crate::dns;
use crate::hook::Receipts;
use crate::hostile::Vice;
use crate::mail::{self, Server};
use crate::world::{ANCHOR, Home, Plan, host};

const PLAN: Plan = Plan {
    domains: 120,
    probes: "interval = \"1s\"\ntimeout = \"2s\"\nconfirm = 1\nconfirm_interval = \"200ms\"",
    sessions: 2,
};
/// Fewer than it takes.
const FEW: &str = "--nofile=64:";
/// For how long.
const LONG: Duration = Duration::from_secs(10);

/// Every server lives; half of them are slow, so that sessions pile up.
pub async fn run() -> Result<()> {
    println!(
        "descriptors: {} domains, 64 descriptors for {LONG:?}",
        PLAN.domains
    );
    dns::serve()?;
    let _anchor = Server::start(ANCHOR, &Arc::new(AtomicU64::new(0)))?;
    let receipts = Receipts::open().await?;
    for one in 0..PLAN.domains {
        let listener = mail::listen(host(one))?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    sleep(Duration::from_millis(700)).await;
                    Vice::None.serve(stream).await;
                });
            }
        });
    }
    let home = Home::new(&PLAN)?;
    let daemon = Daemon::start(&home, &[]).await?;
    let all_flow = || async { states().await.is_ok_and(|(flowing, _)| flowing == PLAN.domains) };
    until("all flow", Duration::from_mins(1), all_flow).await?;
    limit(&daemon, FEW)?;
    let began = Instant::now();
    while began.elapsed() < LONG {
        sleep(Duration::from_millis(500)).await;
        // It may have no descriptor left for whoever asks.
        if let Ok((_, blamed)) = states().await {
            ensure!(blamed.is_empty(), "it blames {blamed:?}");
        }
    }
    limit(&daemon, "--nofile=1024:")?;
    until("all flow again", Duration::from_mins(1), all_flow)
        .await
        .with_context(|| tail(&home))?;
    let log = std::fs::read_to_string(home.log())?;
    let said = log.lines().find(|line| line.contains("open files"));
    let said = said.with_context(|| format!("it does not say so\n{}", tail(&home)))?;
    let told = receipts.all();
    ensure!(
        told.iter().all(|one| one.code.starts_with("vantage.")),
        "somebody was told of {told:?}"
    );
    daemon.stop().await?;
    println!("descriptors: it says `{said}`");
    println!(
        "descriptors: nobody is blamed, {} messages: all is well",
        told.len()
    );
    Ok(())
}

/// How many domains flow, and who of the others is blamed for it.
async fn states() -> Result<(usize, Vec<String>)> {
    let found = api("/api/v1/domains?limit=1000").await?;
    let all = found["domains"].as_array().context("no domains")?;
    let flowing = all.iter().filter(|one| one["state"] == "flowing").count();
    let blamed = all.iter().filter_map(|one| {
        let code = one["cause"]["code"].as_str()?;
        (!code.starts_with("vantage.")).then(|| format!("{} by {code}", one["domain"]))
    });
    Ok((flowing, blamed.collect()))
}

fn limit(daemon: &Daemon, words: &str) -> Result<()> {
    let status = Command::new("prlimit")
        .arg(format!("--pid={}", daemon.pid()))
        .arg(words)
        .status()
        .context("cannot run prlimit (Debian package util-linux)")?;
    ensure!(status.success(), "prlimit {words} failed");
    Ok(())
}
