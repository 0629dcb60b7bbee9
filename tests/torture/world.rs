//! The namespace, who lives at which address, and the configuration that watches them.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Every address of this network (RFC 2544: for measurements) is local to the namespace.
const NETWORK: &str = "198.18.0.0/15";
/// Whom the daemon asks.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 52);
/// Who serves the zones.
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 53);
/// A mail server that always lives.
pub const ANCHOR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 25);
/// Where the daemon serves.
pub const API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9525);
/// Where its messages go.
pub const HOOK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);

/// Makes the namespace a network.
pub fn open() -> Result<()> {
    for words in [
        ["link", "set", "lo", "up"].as_slice(),
        &["route", "add", "local", NETWORK, "dev", "lo"],
    ] {
        let status = Command::new("ip").args(words).status();
        if !status
            .context("cannot run ip (Debian package iproute2)")?
            .success()
        {
            bail!("ip {} failed", words.join(" "));
        }
    }
    Ok(())
}

/// Where the mail of the domain with this number goes.
pub fn host(number: usize) -> Ipv4Addr {
    let [low, high] = [number % 250, number / 250].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    Ipv4Addr::new(198, 18, high.saturating_add(1), low.saturating_add(1))
}

/// What is watched, and how.
pub struct Plan {
    pub domains: usize,
    /// Settings under `[probes]`.
    pub probes: &'static str,
    /// How many sessions with one address at a time.
    pub sessions: usize,
}

/// A folder with a configuration and a store, which goes when this is dropped.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new(plan: &Plan) -> Result<Self> {
        let this = Self {
            folder: tempfile::tempdir()?,
        };
        this.configure(plan)?;
        Ok(this)
    }

    /// Writes the configuration anew.
    pub fn configure(&self, plan: &Plan) -> Result<()> {
        let text = configuration(plan, &self.store());
        std::fs::write(self.config(), text).context("the configuration")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("mailflow.toml")
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("mailflow.db")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

fn configuration(plan: &Plan, store: &Path) -> String {
    let mut text = format!(
        "[server]\nlisten = \"{API}\"\n[store]\nurl = \"sqlite:{}\"\n\
         [vantage]\nname = \"hq\"\nhelo = \"probe.test\"\nanchors = [\"ping:{ANCHOR}\", \"smtp:{ANCHOR}:25\"]\n\
         [resolver]\nservers = [\"{RESOLVER}\"]\n\
         [budgets]\nper_address = {{ concurrent = {}, interval = \"0s\" }}\nper_nameserver = {{ per_second = 100000 }}\n\
         [probes]\n{}\n\
         [[notifiers]]\nname = \"oncall\"\ntype = \"webhook\"\nurl = \"http://{HOOK}/hook\"\n\
         [alerting]\ngroup_wait = \"0s\"\npage_after = \"0s\"\nreopen_within = \"0s\"\n",
        store.display(),
        plan.sessions,
        plan.probes,
    );
    for client in 0..plan.domains.div_ceil(10) {
        let domains =
            (client * 10..plan.domains.min(client * 10 + 10)).map(|number| format!("\"{}\"", domain(number)));
        let domains: Vec<String> = domains.collect();
        let _ = write!(
            text,
            "[[clients]]\nname = \"C{client}\"\ndomains = [{}]\n",
            domains.join(", ")
        );
    }
    text
}

/// The domain with this number.
pub fn domain(number: usize) -> String {
    format!("d{number}.test")
}
