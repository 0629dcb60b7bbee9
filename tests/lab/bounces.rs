//! Genuine bounces: the lab's mail servers are made to send mail back in as many ways as they have, and each is held
//! against what was wrong, which the lab knows. What is collected is kept in `tests/messages`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::faults::{Active, Fault};
use crate::hosts::{Host, Service};
use crate::mail;
use crate::monitor;
use crate::post;
use crate::shell;
use crate::world::World;

/// How long a bounce may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One way in which mail comes back, from the table beside this file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Way {
    /// What the collected messages are called, after their server.
    name: String,
    /// Whose servers send.
    from: Vec<Host>,
    /// To whom.
    to: Vec<String>,
    /// What is wrong.
    #[serde(default)]
    faults: Vec<Fault>,
    /// Other settings of a Postfix that sends.
    #[serde(default)]
    postfix: Vec<[String; 2]>,
    /// What it comes back as; a bounce by default.
    #[serde(default = "bounce")]
    kind: String,
    /// The cause that is to be read from it, for each recipient that it is about.
    code: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ways {
    way: Vec<Way>,
}

fn bounce() -> String {
    "bounce".to_owned()
}

/// Collects every bounce of the table into a folder; returns in how many something else was read than was wrong.
pub fn collect(world: &World, into: &Path) -> Result<usize> {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/bounces.toml");
    let ways: Ways = toml::from_str(&std::fs::read_to_string(&table)?)
        .with_context(|| format!("in {}", table.display()))?;
    std::fs::create_dir_all(into)?;
    for host in [Host::AcmeMx, Host::BetaMx] {
        post::take_in(world, host, "collector")?;
    }
    let mut wrong = 0;
    for way in &ways.way {
        let mut active = Active::default();
        for fault in &way.faults {
            active.inject(world, fault)?;
        }
        for host in &way.from {
            let name = format!("lab-{}-{}", server(*host)?, way.name);
            match come_back(world, *host, way).and_then(|message| keep(way, into, &name, &message)) {
                Ok(None) => println!("ok    {name}"),
                Ok(Some(read)) => {
                    wrong += 1;
                    println!("FAIL  {name}: {} {}, not as read: {read}", way.kind, way.code);
                }
                Err(error) => {
                    wrong += 1;
                    println!("FAIL  {name}: {error:#}");
                }
            }
        }
        active.heal_all(world)?;
    }
    Ok(wrong)
}

fn server(host: Host) -> Result<&'static str> {
    match host.facts().service {
        Some(Service::Postfix) => Ok("postfix"),
        Some(Service::Exim) => Ok("exim"),
        _ => bail!("{} sends no mail", host.name()),
    }
}

/// Sends a message and waits for what comes back of it.
fn come_back(world: &World, host: Host, way: &Way) -> Result<PathBuf> {
    let home = world.home(host);
    let inbox = home.join("mail/collector/new");
    let before = listed(&inbox);
    let mut send = if host.facts().service == Some(Service::Postfix) {
        set(world, host, &way.postfix)?;
        let mut send = world.on(host, "sendmail");
        send.arg("-C").arg(home.join("etc"));
        send
    } else {
        let mut send = world.on(host, mail::exim().context("Exim is not there")?);
        send.arg("-C").arg(home.join("exim.conf"));
        send
    };
    let sender = format!("collector@{}", post::domain(host));
    send.args(["-oi", "-f", &sender]).args(&way.to);
    let text = format!(
        "From: <{sender}>\nTo: <{}>\nSubject: An offer\nMessage-ID: <{}@{}>\n\nGood morning,\n\nsee below.\n{}",
        way.to.join(">, <"),
        way.name,
        post::domain(host),
        "It is as good as ever.\n".repeat(50)
    );
    let (_, said) = shell::feed(&mut send, &text)?;
    let mut found = None;
    let is_exim = host.facts().service == Some(Service::Exim);
    shell::wait_for("a bounce", PATIENCE, || {
        // What could not be delivered at once is given up at a later try.
        if is_exim && let Ok(mut run) = post::queue_runner(&world.namespace(host), &home) {
            let _ = shell::output(run.arg("-qf"));
            std::thread::sleep(Duration::from_millis(500));
        }
        found = listed(&inbox).difference(&before).next().cloned();
        found.is_some()
    })
    .with_context(|| format!("{} said {said:?}", host.name()))?;
    if !way.postfix.is_empty() && host.facts().service == Some(Service::Postfix) {
        post::empty_queue(world, host)?;
        let usual: Vec<[String; 2]> = way
            .postfix
            .iter()
            .map(|[name, _]| [name.clone(), String::new()])
            .collect();
        set(world, host, &usual)?;
    }
    found.context("a bounce that was there is gone")
}

fn listed(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Sets a Postfix otherwise; an empty value is the usual one again.
fn set(world: &World, host: Host, settings: &[[String; 2]]) -> Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    let etc = world.home(host).join("etc");
    for [name, value] in settings {
        let mut command = world.on(host, "postconf");
        command.arg("-c").arg(&etc);
        if value.is_empty() {
            command.args(["-X", name]);
        } else {
            command.args(["-e", &format!("{name}={value}")]);
        }
        shell::output(&mut command)?;
    }
    let mut reload = world.on(host, "postfix");
    shell::output(reload.arg("-c").arg(&etc).arg("reload"))?;
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

/// Keeps a message with what is to be read from it; returns what is read where that differs.
fn keep(way: &Way, into: &Path, name: &str, message: &Path) -> Result<Option<String>> {
    let kept = into.join(name).with_extension("eml");
    std::fs::copy(message, &kept)?;
    let mut explain = std::process::Command::new(monitor::program());
    let said = shell::output(explain.args(["explain", "--json"]).arg(&kept))?;
    let read: Value = serde_json::from_str(&said)?;
    let recipients = read["recipients"].as_array().cloned().unwrap_or_default();
    let mut expected = format!("kind = {:?}\n", way.kind);
    for recipient in &recipients {
        expected += &format!("\n[[recipients]]\nrecipient = {}\n", recipient["recipient"]);
        for key in ["action", "status", "reply", "reporting_host", "remote_host"] {
            if let Some(value) = recipient[key].as_str() {
                expected += &format!("{key} = {value:?}\n");
            }
        }
        expected += &format!("code = {:?}\n", way.code);
    }
    std::fs::write(into.join(name).with_extension("toml"), expected)?;
    let is_right = read["kind"] == way.kind.as_str()
        && !recipients.is_empty()
        && recipients
            .iter()
            .all(|one| one["cause"]["code"] == way.code.as_str());
    Ok((!is_right).then(|| said.split_whitespace().collect::<Vec<_>>().join(" ")))
}
