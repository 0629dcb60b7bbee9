//! The daemon under test: its configuration, and its life and death.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::dns;
use crate::hosts::Host;
use crate::issuer;
use crate::post;
use crate::receivers;
use crate::scenario::{State, Turn};
use crate::setting::Setting;
use crate::shell;
use crate::site;
use crate::world::World;

/// Seconds between two looks, as configured.
pub const INTERVAL: u64 = 5;
/// Failures in a row after the first, as configured.
pub const CONFIRM: u32 = 2;
/// Seconds between them, as configured (the budget of an address is the same).
pub const CONFIRM_INTERVAL: u64 = 1;
/// Where the daemon's API listens, inside the monitor's namespace.
pub const API: &str = "127.0.0.1:9525";
/// Where its webhooks go, inside the monitor's namespace.
pub const RECEIVER: &str = "127.0.0.1:9000";
/// Every domain that it watches.
pub const DOMAINS: [&str; 8] = [
    "acme.test",
    "acme-shop.test",
    "beta.test",
    "gamma.test",
    "delta.test",
    "epsilon.test",
    "zeta.test",
    "partner.test",
];
/// Every gateway that it watches.
pub const GATEWAYS: [&str; 2] = ["hq-router", "beta-router"];

/// What our own vantage is called, as configured.
pub const VANTAGE: &str = "hq";

/// The program under test: the one just built, or the one that `MAILFLOW_LAB_PROGRAM` names.
pub fn program() -> PathBuf {
    std::env::var_os("MAILFLOW_LAB_PROGRAM")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_mailflow")), PathBuf::from)
}

/// The daemon of one world.
pub struct Daemon<'world> {
    world: &'world World,
    child: Option<Child>,
}

impl<'world> Daemon<'world> {
    /// Writes the configuration; nothing runs yet.
    pub fn new(world: &'world World) -> Result<Self> {
        let daemon = Self { world, child: None };
        daemon.configure(false)?;
        Ok(daemon)
    }

    /// Writes the configuration, with real receivers beside the usual one or without.
    fn configure(&self, real: bool) -> Result<()> {
        let text = text_for(self.world);
        let text = if real { receivers::added(&text) } else { text };
        shell::replace(&config(self.world), &text)
    }

    /// Takes real receivers on, or no longer, by a reload.
    pub fn tell(&self, real: bool) -> Result<()> {
        self.configure(real)?;
        self.reload()
    }

    /// Has it log in by tokens, by a reload.
    pub fn log_in_by_token(&self) -> Result<()> {
        let text = issuer::by_token(&text_for(self.world));
        shell::replace(&config(self.world), &text)?;
        self.reload()
    }

    /// Has it check signatures itself, by a reload.
    pub fn check_signatures(&self) -> Result<()> {
        let own = format!(
            "[resolver]\ndnssec = \"validate\"\ntrust_anchor = \"{}\"\n",
            dns::root_key()?.display()
        );
        let text = text_for(self.world).replace("[resolver]\n", &own);
        shell::replace(&config(self.world), &text)?;
        self.reload()
    }

    fn reload(&self) -> Result<()> {
        let child = self.child.as_ref().context("the daemon does not run")?;
        let reloads = || lines(&self.log(), "configuration reloaded");
        let before = reloads();
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGHUP)?;
        shell::wait_for("the reload", Duration::from_secs(10), || reloads() > before)
    }

    /// Starts it.
    pub fn start(&mut self) -> Result<()> {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())?;
        let mut command = self.world.on(Host::Mon, program());
        command
            .args(["run", "--config"])
            .arg(config(self.world))
            .current_dir(self.world.home(Host::Mon))
            .env(
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "mailflow=debug,info".to_owned()),
            )
            .env("NO_COLOR", "1")
            // What its notifiers trust.
            .env("SSL_CERT_FILE", self.world.pki.root())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        self.child = Some(command.spawn().context("cannot start the daemon")?);
        Ok(())
    }

    /// SIGKILL: no chance to save anything.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the daemon does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM, upon which it must leave in peace within ten seconds.
    pub fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the daemon does not run")?;
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
        let mut left = None;
        let waited = shell::wait_for("the daemon to leave", Duration::from_secs(10), || {
            left = child.try_wait().ok().flatten();
            left.is_some()
        });
        if waited.is_err() {
            child.kill()?;
            child.wait()?;
        }
        waited?;
        match left {
            Some(status) if status.success() => Ok(()),
            status => bail!("the daemon left with {status:?}"),
        }
    }

    /// Stops it in its tracks for a while, as happens to a machine that is suspended.
    pub fn suspend(&self, time: Duration) -> Result<()> {
        let child = self.child.as_ref().context("the daemon does not run")?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        kill(pid, Signal::SIGSTOP)?;
        std::thread::sleep(time);
        Ok(kill(pid, Signal::SIGCONT)?)
    }

    /// An error unless it runs.
    pub fn must_run(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("the daemon does not run")?;
        match child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the daemon ended by itself with {status}"),
        }
    }

    /// Forgets everything that it ever learnt; it must not run.
    pub fn forget(&self) -> Result<()> {
        let data = self.world.home(Host::Mon).join("data");
        if data.exists() {
            std::fs::remove_dir_all(data)?;
        }
        Ok(())
    }

    /// Its log file.
    pub fn log(&self) -> PathBuf {
        self.world.home(Host::Mon).join("daemon.log")
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a world's daemon is told.
fn text_for(world: &World) -> String {
    let ca = world.pki.root();
    if world.setting == Setting::Post {
        return format!(
            include_str!("templates/post.toml"),
            api = API,
            receiver = RECEIVER,
            interval = INTERVAL,
            confirm = CONFIRM,
            confirm_interval = CONFIRM_INTERVAL,
            canary = post::PASSWORD,
            deadline = post::DEADLINE,
            postfix_log = world.home(Host::AcmeMx).join("mail.log").display(),
            exim_log = world.home(Host::BetaMx).join("spool/mainlog").display(),
            ca = ca.display()
        );
    }
    let [user, password, encryption] = site::SNMP_USER;
    format!(
        include_str!("templates/mailflow.toml"),
        api = API,
        receiver = RECEIVER,
        interval = INTERVAL,
        confirm = CONFIRM,
        confirm_interval = CONFIRM_INTERVAL,
        community = site::COMMUNITY,
        user = user,
        password = password,
        encryption = encryption,
        ca = ca.display()
    )
}

/// The configuration file of a world's daemon.
pub fn config(world: &World) -> PathBuf {
    world.home(Host::Mon).join("mailflow.toml")
}

/// Asks `mailflow check` about domains, which must say what the daemon says, with the exit code for it.
pub fn check_agrees(world: &World, turn: &Turn) -> Result<()> {
    let mut command = world.on(Host::Mon, program());
    command
        .arg("check")
        .args(&turn.names)
        .arg("--json")
        .arg("--config")
        .arg(config(world));
    let out = command
        .current_dir(world.home(Host::Mon))
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&out.stdout);
    let answer: serde_json::Value = serde_json::from_str(&said)
        .with_context(|| format!("no JSON: {said}{}", String::from_utf8_lossy(&out.stderr)))?;
    for name in &turn.names {
        let mut verdicts = answer["verdicts"].as_array().into_iter().flatten();
        let verdict = verdicts.find(|verdict| verdict["domain"] == name.as_str());
        let verdict = verdict.with_context(|| format!("no verdict on {name} in {said}"))?;
        let (state, code) = (verdict["state"].as_str(), verdict["cause"]["code"].as_str());
        if state != Some(turn.state.word()) || code != turn.code.as_deref() {
            bail!("`mailflow check` says of {name}: {state:?} {code:?}, expected {turn:?}");
        }
    }
    let expected = match turn.state {
        State::Flowing => 0,
        State::Degraded => 1,
        State::Broken => 2,
        State::Unknown => 3,
    };
    if out.status.code() != Some(expected) {
        bail!("`mailflow check` ended with {}, expected {expected}", out.status);
    }
    Ok(())
}

/// How many lines of a log speak of a panic.
pub fn panics(log: &Path) -> usize {
    lines(log, "panicked at")
}

/// How many lines of a log hold these words.
fn lines(log: &Path, words: &str) -> usize {
    std::fs::read(log)
        .map(|bytes| {
            String::from_utf8_lossy(&bytes)
                .lines()
                .filter(|line| line.contains(words))
                .count()
        })
        .unwrap_or_default()
}
