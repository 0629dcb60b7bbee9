//! What mailflow costs, measured beside its peers: `cargo bench --profile dist`, as root on Debian.
//!
//! Everything runs in a network namespace of its own, on loopback: servers of Debian's packages, the daemon as it is
//! shipped, and who else does the same work. `benches/README.md` says what is measured and how.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::unchecked_time_subtraction,
    reason = "it measures by the machine's clock, in figures far below 2^52, and prints them"
)]

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

mod bare;
mod canaries;
mod cpu;
mod crowd;
mod daemon;
mod diagnosis;
mod drive;
mod fleet;
mod own;
mod probe;
mod report;
mod servers;
mod trips;
mod web;
mod world;

#[allow(dead_code, reason = "the lab uses more of it")]
#[path = "../tests/lab/pki.rs"]
mod pki;
#[allow(dead_code, reason = "the lab uses more of it")]
#[path = "../tests/lab/shell.rs"]
mod shell;

/// The addresses of all mail hosts (RFC 2544: for measurements), local to the namespace.
const HOSTS: &str = "198.18.0.0/15";
/// Set inside the namespace.
const INSIDE: &str = "MAILFLOW_BENCH_INSIDE";

// What is measured beside the daemon stands on what it stands on.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // cargo passes `--bench`; what is left are the names of parts, or of fleets.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let outcome = match wanted.first().map(String::as_str) {
        Some("bare") => bare::run(&wanted[1..]),
        _ if std::env::var_os(INSIDE).is_some() => measure(&wanted),
        _ => enter(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program again in a network namespace of its own, where port 25 is nobody else's.
fn enter() -> Result<()> {
    let program = std::env::current_exe()?;
    let status = Command::new("unshare")
        .args(["--net", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .context("cannot run unshare (Debian package util-linux)")?;
    if !status.success() {
        bail!(
            "not measured; it needs root, for a network namespace, and the packages that benches/README.md names"
        );
    }
    Ok(())
}

fn measure(wanted: &[String]) -> Result<()> {
    shell::run("ip", ["link", "set", "lo", "up"])?;
    // BIND listens on addresses that an interface has, and nowhere else.
    let name_server = format!("{}/8", servers::NAME_SERVER);
    shell::run("ip", ["address", "add", &name_server, "dev", "lo"])?;
    shell::run("ip", ["route", "add", "local", HOSTS, "dev", "lo"])?;
    // A machine without a way out is cut off, and says so.
    shell::run("ip", ["route", "add", "default", "dev", "lo"])?;
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let mut report = report::Report::new()?;
    if is_wanted("probe") {
        report.add(&probe::measure()?);
    }
    let all = [diagnosis::PART.to_owned()];
    let parts = if wanted.is_empty() { &all[..] } else { wanted };
    for domains in parts.iter().filter_map(|part| diagnosis::domains(part)) {
        report.add(&diagnosis::measure(domains)?);
    }
    if is_wanted(own::PART) {
        report.add(&own::measure()?);
    }
    if is_wanted(canaries::PART) {
        report.add(&canaries::measure()?);
    }
    if is_wanted("trips") {
        report.add(&trips::measure()?);
    }
    for fleet in fleet::FLEETS {
        if is_wanted("fleet") || wanted.iter().any(|name| *name == fleet.name()) {
            report.add(&fleet.measure()?);
        }
    }
    report.keep()
}
