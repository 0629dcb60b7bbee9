//! The daemon, as it is shipped.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::servers::{RESOLVER, Running, wait_for_port};
use crate::{cpu, shell, web};

/// Where it serves.
const API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9525);

/// What is measured of a daemon.
pub struct Daemon {
    running: Running,
    log: PathBuf,
}

impl Daemon {
    /// Starts it with these parts of a configuration: settings of probes, and clients.
    pub fn start(dir: &Path, probes: &str, clients: &str) -> Result<Self> {
        let home = dir.join("daemon");
        // Nothing may be known from a daemon before.
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home)?;
        let config = home.join("mailflow.toml");
        std::fs::write(
            &config,
            format!(
                "[server]\nlisten = \"{API}\"\n[store]\nurl = \"sqlite:{}/mailflow.db\"\n\
                 [vantage]\nname = \"bench\"\nhelo = \"probe.fleet.test\"\n\
                 anchors = [\"ping:127.0.0.1\", \"smtp:127.0.0.1:25\"]\n[resolver]\nservers = [\"{RESOLVER}\"]\n\
                 [budgets]\nper_address = {{ concurrent = 4, interval = \"0s\" }}\n\
                 per_provider = {{ concurrent = 1000, per_minute = 1000000 }}\nper_nameserver = {{ per_second = 100000 }}\n\
                 [probes]\n{probes}\n{clients}",
                home.display()
            ),
        )?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailflow"));
        command
            .arg("run")
            .arg("--config")
            .arg(&config)
            .env("RUST_LOG", "warn")
            .env("NO_COLOR", "1");
        let log = home.join("log");
        let running = Running::start(&mut command, &log)?;
        wait_for_port("the daemon", API)?;
        Ok(Self { running, log })
    }

    /// The last of what it logged.
    pub fn log(&self) -> String {
        shell::tail(&self.log, 10)
    }

    /// Processor time used so far.
    pub fn used(&self) -> Result<Duration> {
        cpu::used(self.running.pid())
    }

    /// Resident memory now and at its highest, in bytes.
    pub fn memory(&self) -> Result<(u64, u64)> {
        cpu::memory(self.running.pid())
    }
}

/// The daemon's metrics, and how long they took.
pub fn metrics() -> Result<(String, Duration)> {
    web::get(API, "/metrics")
}

/// That its own side is well, by the metrics: one that looks for what is wrong there does more than is asked about.
pub fn sound(metrics: &str) -> Result<()> {
    let flows = web::value(
        metrics,
        "mailflow_vantage_state{vantage=\"bench\",state=\"flowing\"}",
    );
    ensure!(
        flows == Some(1.0),
        "something is wrong with the daemon's own side, so nothing that it does is worth measuring"
    );
    Ok(())
}

/// How long a page of the daemon takes.
pub fn page(path: &str) -> Result<Duration> {
    Ok(web::get(API, path)?.1)
}

/// How many probes of a kind have run, by the metrics.
pub fn probes(metrics: &str, kind: &str) -> f64 {
    web::value(metrics, &format!("mailflow_probes_total{{probe=\"{kind}\"}}")).unwrap_or_default()
}
