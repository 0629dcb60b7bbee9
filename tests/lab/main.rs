//! The lab: a small internet in network namespaces, faults, and scenarios that say what the daemon must make of
//! them. `cargo test --test lab` plays all scenarios; `-- up` leaves a world to look around in.

#![allow(
    clippy::disallowed_methods,
    reason = "the lab runs in real time, beside the daemon"
)]
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "configuration files are read more often than written"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

mod bounces;
mod dashboards;
mod dns;
mod faults;
mod guests;
mod hosts;
mod issuer;
mod letters;
mod mail;
mod manners;
mod meddler;
mod monitor;
mod order;
mod pki;
mod post;
mod prometheus;
mod receivers;
mod runner;
mod scenario;
mod setting;
mod shell;
mod site;
mod verdicts;
mod watch;
mod worker;
mod world;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};

use crate::order::{Next, Turned};
use crate::pki::Pki;
use crate::runner::{Report, Runner};
use crate::scenario::Scenario;
use crate::setting::Setting;
use crate::world::{BASE, World};

/// Programs that the lab needs, with the Debian package that brings each.
const PROGRAMS: [(&str, &str); 17] = [
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("sysctl", "procps"),
    ("nft", "nftables"),
    ("named", "bind9"),
    ("rndc", "bind9-utils"),
    ("dnssec-signzone", "bind9-utils"),
    ("dig", "bind9-dnsutils"),
    ("unbound", "unbound"),
    ("postfix", "postfix"),
    ("dovecot", "dovecot-imapd"),
    ("openssl", "openssl"),
    ("snmpd", "snmpd"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("amtool", "prometheus-alertmanager"),
];

/// A small internet in network namespaces, to see what the daemon makes of its faults.
#[derive(Parser)]
#[command(name = "lab")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// How many worlds to play in at the same time, besides those that carry mail; five for each processor, as a world mostly waits.
    #[arg(long, default_value_t = five_a_processor(), global = true)]
    worlds: usize,
    /// Asked by test runners that look for tests by name; the lab shows none.
    #[arg(long, hide = true)]
    list: bool,
    /// As above.
    #[arg(long, hide = true)]
    format: Option<String>,
    /// As above.
    #[arg(long, hide = true)]
    ignored: bool,
}

#[derive(Subcommand)]
enum What {
    /// Names the scenarios.
    List,
    /// Plays the named scenarios only.
    Run { names: Vec<String> },
    /// Builds one world and leaves it, with the faults of a scenario's first step if one is named.
    Up { scenario: Option<String> },
    /// Has the mail servers send mail back in many ways, and keeps what comes back in a folder.
    Bounces {
        folder: PathBuf,
        /// Only those whose names hold one of these, as `sendmail` or `exim-full`.
        wanted: Vec<String>,
    },
    /// Removes every world.
    Down,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    match lab(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn lab(arguments: &Arguments) -> Result<ExitCode> {
    let scenarios = scenario::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/scenarios"))?;
    if let Some(What::List) = arguments.what {
        for scenario in &scenarios {
            println!("{:32} {}", scenario.name, scenario.title);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let missing = missing_needs();
    if !missing.is_empty() {
        return Ok(skipped(&missing));
    }
    std::fs::create_dir_all(BASE)?;
    let _lock = lock()?;
    match &arguments.what {
        Some(What::Down) => world::down().map(|()| ExitCode::SUCCESS),
        Some(What::Up { scenario }) => up(&scenarios, scenario.as_deref()),
        Some(What::Bounces { folder, wanted }) => bounces(folder, wanted),
        Some(What::Run { names }) => play(named(scenarios, names)?, arguments.worlds),
        _ => play(scenarios, arguments.worlds),
    }
}

/// What this machine lacks.
fn missing_needs() -> Vec<String> {
    let mut missing = Vec::new();
    if !nix::unistd::geteuid().is_root() {
        missing.push("root (for network namespaces)".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (program, package) in PROGRAMS {
        if !std::env::split_paths(&path).any(|dir| dir.join(program).exists()) {
            missing.push(format!("{program} (Debian package {package})"));
        }
    }
    if mail::exim().is_none() {
        missing.push("exim4 (Debian package exim4-daemon-light; ./tests/run unpacks it)".to_owned());
    }
    missing
}

fn skipped(missing: &[String]) -> ExitCode {
    println!(
        "lab: SKIPPED, nothing was tested. Missing here: {}",
        missing.join(", ")
    );
    if std::env::var("MAILFLOW_LAB").is_ok_and(|value| value == "required") {
        println!("lab: MAILFLOW_LAB=required, so this is a failure");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Namespaces have global names, so one lab runs at a time on a machine; another one waits.
fn lock() -> Result<std::fs::File> {
    let file = std::fs::File::create(Path::new(BASE).join("lock"))?;
    if file.try_lock().is_err() {
        println!("lab: another lab runs on this machine; waiting for its end");
        file.lock()?;
    }
    Ok(file)
}

fn named(scenarios: Vec<Scenario>, names: &[String]) -> Result<Vec<Scenario>> {
    for name in names {
        ensure!(
            scenarios.iter().any(|scenario| scenario.name == *name),
            "there is no scenario {name:?}"
        );
    }
    Ok(scenarios
        .into_iter()
        .filter(|scenario| names.contains(&scenario.name))
        .collect())
}

fn five_a_processor() -> usize {
    5 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// Removes what earlier runs left and makes keys and authorities for new worlds.
fn prepare() -> Result<Pki> {
    world::down().context("cannot remove earlier worlds")?;
    dns::make_keys()?;
    Pki::create(&Path::new(BASE).join("pki"))
}

fn up(scenarios: &[Scenario], name: Option<&str>) -> Result<ExitCode> {
    let (setting, faults) = match name {
        None => (Setting::default(), Vec::new()),
        Some(name) => {
            let scenario = scenarios.iter().find(|scenario| scenario.name == name);
            let scenario = scenario.with_context(|| format!("there is no scenario {name:?}"))?;
            (scenario.setting, scenario.steps[0].inject.clone())
        }
    };
    let start = Instant::now();
    let world = World::build(0, &prepare()?, setting)?;
    monitor::Daemon::new(&world)?;
    let mut active = faults::Active::default();
    for fault in &faults {
        active.inject(&world, fault)?;
        println!("broken: {fault:?}");
    }
    let mon = world.namespace(hosts::Host::Mon);
    println!(
        "A world is up after {:.1} s; its files are in {}.",
        start.elapsed().as_secs_f64(),
        world.dir.display()
    );
    println!("Look around from the monitor, for example:");
    println!("  ip netns exec {mon} dig +dnssec MX beta.test");
    println!(
        "  ip netns exec {mon} swaks --server 198.51.100.10 --tls --quit-after EHLO --helo probe.msp.test"
    );
    println!(
        "  ip netns exec {mon} {} run --config {}",
        monitor::program().display(),
        monitor::config(&world).display()
    );
    if active.needs_us() {
        println!("What meddles with the traffic ends, and the world with it, when you press Ctrl-C.");
        clean_up_when_interrupted()?;
        loop {
            std::thread::park();
        }
    }
    println!("Remove it with `cargo test --test lab -- down`.");
    Ok(ExitCode::SUCCESS)
}

/// Collects bounces in a world that carries mail.
fn bounces(folder: &Path, wanted: &[String]) -> Result<ExitCode> {
    let world = World::build(0, &prepare()?, Setting::Post)?;
    clean_up_when_interrupted()?;
    let collected = bounces::collect(&world, folder, wanted);
    world::down()?;
    let wrong = collected?;
    println!("{wrong} are read otherwise than they were made");
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Plays scenarios in several worlds and sums up.
fn play(scenarios: Vec<Scenario>, worlds: usize) -> Result<ExitCode> {
    let start = Instant::now();
    let pki = prepare()?;
    clean_up_when_interrupted()?;
    let total = scenarios.len();
    // The longest first, so that no world is still at one when the others have nothing left.
    let mut scenarios = scenarios;
    scenarios.sort_by_key(|scenario| std::cmp::Reverse(scenario.steps.len()));
    let (post, domains): (Vec<_>, Vec<_>) = scenarios
        .into_iter()
        .partition(|scenario| scenario.setting == Setting::Post);
    // Worlds that carry mail cost more, and have less to play.
    let (plain, furnished) = (worlds.min(domains.len()), (worlds / 4).max(1).min(post.len()));
    println!("lab: {total} scenarios in {} worlds", plain + furnished);
    let domains = Mutex::new(VecDeque::from(domains));
    let post = Mutex::new(VecDeque::from(post));
    let reports = Mutex::new(Vec::new());
    // Worlds that are being built take all that the machine has: nobody is judged by the clock before all of them stand.
    let all_stand = Barrier::new(plain + furnished);
    std::thread::scope(|scope| {
        for number in 0..plain + furnished {
            let (setting, queue) = if number < plain {
                (Setting::Domains, &domains)
            } else {
                (Setting::Post, &post)
            };
            let (reports, pki, all_stand) = (&reports, &pki, &all_stand);
            scope.spawn(move || {
                let world = World::build(number, pki, setting).context("cannot build it");
                all_stand.wait();
                let played = world.and_then(|world| play_in_one_world(&world, queue, reports));
                if let Err(error) = played {
                    println!("FAIL  world {number}: {error:#}");
                }
            });
        }
    });
    world::down()?;
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    let passed = reports.iter().filter(|report| report.failure.is_none()).count();
    println!("lab: {:.0} s", start.elapsed().as_secs_f64());
    println!("{passed} passed, {} failed", total - passed);
    Ok(if passed == total {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn play_in_one_world(
    world: &World,
    queue: &Mutex<VecDeque<Scenario>>,
    reports: &Mutex<Vec<Report>>,
) -> Result<()> {
    let mut runner = Runner::start(world).context("the daemon does not find a healthy world healthy")?;
    let mut turned = Turned::default();
    loop {
        let next = turned.next(&mut queue.lock().unwrap_or_else(PoisonError::into_inner));
        let scenario = match next {
            Next::Play(scenario) => scenario,
            Next::Rest => {
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
            Next::End => return Ok(()),
        };
        let report = runner.play(&scenario);
        turned.note(&scenario);
        // One print for each scenario, so that those of several worlds do not mix.
        print!("{}", describe(&report));
        let failed = report.failure.is_some();
        reports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(report);
        if failed && runner.is_lost() {
            bail!("gave up after {}", scenario.name);
        }
    }
}

fn describe(report: &Report) -> String {
    let mut line = format!(
        "{}  {:34}",
        if report.failure.is_none() { "ok  " } else { "FAIL" },
        report.name
    );
    for timing in &report.timings {
        line += &format!(
            "  {} {:.1} s (of {})",
            timing.label,
            timing.took.as_secs_f64(),
            timing.bound.as_secs()
        );
    }
    line.push('\n');
    if let Some(failure) = &report.failure {
        for text in failure.lines() {
            line += &format!("      {text}\n");
        }
    }
    line
}

/// Ctrl-C leaves nothing behind.
fn clean_up_when_interrupted() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            println!("lab: interrupted, cleaning up");
            if let Err(error) = world::down() {
                eprintln!("lab: {error:#}");
            }
            std::process::exit(130);
        }
    });
    Ok(())
}
