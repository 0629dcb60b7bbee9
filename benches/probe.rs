//! Processor time of one probe: the whole daemon beside blackbox_exporter and a bare loop, on the same Postfix.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::bare::{self, AT_ONCE};
use crate::daemon::{self, Daemon, probes};
use crate::pki::{Flavour, Pki};
use crate::report::{Section, median};
use crate::servers::{Postfix, Running, ZONE, start_dns, wait_for_port};
use crate::{cpu, shell, web};

const DOMAINS: usize = 50;
/// Mail hosts of each domain, each with an address of its own.
const HOSTS: usize = 4;
/// How often everything is measured.
const ROUNDS: usize = 5;
/// Probes of a round of blackbox_exporter.
const PROBES: usize = 1000;
/// Dialogues of a round of the bare loop: processor time is told in ticks of 10 ms, and one takes some hundredths of one.
const DIALOGUES: usize = 10_000;
/// How long the daemon is watched in a round.
const WINDOW: Duration = Duration::from_secs(8);
/// Where blackbox_exporter serves.
const BLACKBOX: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9115);

/// Milliseconds of processor time a probe, round by round.
struct Costs {
    mailflow: Vec<f64>,
    /// With as many questions to DNS beside the sessions, which nobody else asks.
    with_dns: Vec<f64>,
    blackbox: Vec<f64>,
    bare: Vec<f64>,
}

/// Measures both dialogues.
pub fn measure() -> Result<Section> {
    let dir = tempfile::tempdir()?;
    let pki = Pki::create(&dir.path().join("pki"))?;
    let mut rows = Vec::new();
    for tls in [true, false] {
        let costs = costs(dir.path(), &pki, tls)?;
        let floor = median(&costs.bare);
        let peer = median(&costs.blackbox);
        for (name, figures) in [
            ("mailflow, the whole daemon", &costs.mailflow),
            ("mailflow, all DNS each second too", &costs.with_dns),
            ("blackbox_exporter", &costs.blackbox),
            ("bare loop", &costs.bare),
        ] {
            let middle = median(figures);
            rows.push(vec![
                format!("{}: {name}", if tls { "STARTTLS" } else { "plain" }),
                format!("{middle:.3}"),
                format!("{:.3}", figures.iter().copied().fold(f64::INFINITY, f64::min)),
                format!("{:.2}", middle / peer),
                format!("{:.2}", middle / floor),
            ]);
        }
    }
    Ok(Section {
        title: "Processor time of a probe".to_owned(),
        how: format!(
            "Postfix on loopback, P-256, TLS 1.3. mailflow: {DOMAINS} domains with {HOSTS} mail hosts each, every second (their DNS \
             every minute, or, in the second row, every second too), {} s a round, everything that it does meanwhile divided by \
             its SMTP probes. blackbox_exporter: {PROBES} probes a round, {AT_ONCE} at a time, by address; the bare loop: {DIALOGUES} dialogues, \
             likewise, with the daemon's allocator. Medians of {ROUNDS} rounds.",
            WINDOW.as_secs()
        ),
        columns: vec![
            "dialogue and who holds it",
            "ms",
            "least",
            "of blackbox",
            "of bare",
        ],
        rows,
    })
}

fn costs(dir: &Path, pki: &Pki, tls: bool) -> Result<Costs> {
    let name = format!("mx.{ZONE}");
    let certificate = pki.issue(&[&name, &format!("*.{ZONE}")], Flavour::Good)?;
    let postfix = Postfix::start(dir, tls.then_some(certificate.as_str()), None)?;
    let dns = start_dns(dir, &records())?;
    let mailflow = of_the_daemon(dir, pki, "1m")?;
    let with_dns = of_the_daemon(dir, pki, "1s")?;
    drop(dns);
    let blackbox = of_blackbox(dir, pki, &name, tls)?;
    let bare = (0..ROUNDS)
        .map(|_| of_the_loop(pki, &name, tls))
        .collect::<Result<_>>()?;
    drop(postfix);
    Ok(Costs {
        mailflow,
        with_dns,
        blackbox,
        bare,
    })
}

fn records() -> String {
    let mut records = String::new();
    for number in 0..DOMAINS * HOSTS {
        let _ = writeln!(
            records,
            "d{} MX 10 h{number}\nh{number} A {}",
            number / HOSTS,
            bare::address(number).ip()
        );
    }
    records
}

fn of_the_daemon(dir: &Path, pki: &Pki, dns: &str) -> Result<Vec<f64>> {
    let domains: Vec<String> = (0..DOMAINS)
        .map(|number| format!("\"d{number}.{ZONE}\""))
        .collect();
    let clients = format!(
        "[[clients]]\nname = \"ALL\"\ndomains = [{}]\n",
        domains.join(", ")
    );
    let probes_config = format!(
        "interval = \"1s\"\nca_file = \"{}\"\n[probes.dns]\ninterval = \"{dns}\"\n[probes.nameserver]\ninterval = \"{dns}\"\n",
        pki.root().display()
    );
    let daemon = Daemon::start(dir, &probes_config, &clients)?;
    // First looks, policies and the learning of what is usual are over by then.
    std::thread::sleep(Duration::from_secs(10));
    let mut costs = Vec::new();
    for _ in 0..ROUNDS {
        let metrics = daemon::metrics()?.0;
        daemon::sound(&metrics)?;
        let (before, began) = (probes(&metrics, "smtp"), daemon.used()?);
        std::thread::sleep(WINDOW);
        let used = daemon.used()? - began;
        let made = probes(&daemon::metrics()?.0, "smtp") - before;
        if made < 100.0 {
            bail!(
                "the daemon made {made} SMTP probes in {WINDOW:?}: {}",
                daemon.log()
            );
        }
        costs.push(used.as_secs_f64() * 1000.0 / made);
    }
    Ok(costs)
}

fn of_blackbox(dir: &Path, pki: &Pki, name: &str, tls: bool) -> Result<Vec<f64>> {
    let config = dir.join("blackbox.yml");
    std::fs::write(&config, modules(&pki.root(), name))?;
    let mut command = Command::new("prometheus-blackbox-exporter");
    command.arg(format!("--config.file={}", config.display()));
    command
        .arg(format!("--web.listen-address={BLACKBOX}"))
        .arg("--log.level=error");
    let blackbox = Running::start(&mut command, &dir.join("blackbox.log"))?;
    wait_for_port("blackbox_exporter", BLACKBOX)?;
    let module = if tls { "starttls" } else { "plain" };
    let mut costs = Vec::new();
    // The first round warms up.
    for _ in 0..=ROUNDS {
        let before = cpu::used(blackbox.pid())?;
        ask_all(module)?;
        costs.push((cpu::used(blackbox.pid())? - before).as_secs_f64() * 1000.0 / PROBES as f64);
    }
    Ok(costs.split_off(1))
}

/// Has every probe made, [`AT_ONCE`] at a time.
fn ask_all(module: &str) -> Result<()> {
    let next = AtomicUsize::new(0);
    let ask = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= PROBES {
                return Ok(());
            }
            let target = bare::address(number % (DOMAINS * HOSTS));
            let (answer, _) = web::get(BLACKBOX, &format!("/probe?module={module}&target={target}"))?;
            if web::value(&answer, "probe_success") != Some(1.0) {
                bail!("blackbox_exporter did not get through to {target}");
            }
        }
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(ask)).collect();
        asking
            .into_iter()
            .try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })
}

/// The dialogues as blackbox_exporter is told to hold them.
fn modules(root: &Path, name: &str) -> String {
    format!(
        r#"modules:
  plain:
    prober: tcp
    timeout: 10s
    tcp:
      query_response:
        - expect: "^220 .*"
        - send: "EHLO probe.{ZONE}\r"
        - expect: "^250 .*"
        - send: "QUIT\r"
        - expect: "^221 .*"
  starttls:
    prober: tcp
    timeout: 10s
    tcp:
      query_response:
        - expect: "^220 .*"
        - send: "EHLO probe.{ZONE}\r"
        - expect: "^250 .*"
        - send: "STARTTLS\r"
        - expect: "^220 .*"
        - starttls: true
        - send: "EHLO probe.{ZONE}\r"
        - expect: "^250 .*"
        - send: "QUIT\r"
        - expect: "^221 .*"
      tls_config:
        ca_file: {root}
        server_name: {name}
"#,
        root = root.display()
    )
}

fn of_the_loop(pki: &Pki, name: &str, tls: bool) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", &DIALOGUES.to_string(), &(DOMAINS * HOSTS).to_string()]);
    if tls {
        command.arg(pki.root()).arg(name);
    }
    let seconds: f64 = shell::output(&mut command)?
        .trim()
        .parse()
        .context("the bare loop printed no figure")?;
    Ok(seconds * 1000.0 / DIALOGUES as f64)
}
