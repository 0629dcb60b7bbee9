//! Genuine bounces: the lab's mail servers are made to send mail back in as many ways as they have, and each is held
//! against what was wrong, which the lab knows. What is collected is kept in `tests/messages`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::faults::{Active, Fault};
use crate::guests::{self, Guest, Lodged};
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
    /// Who sends.
    from: Vec<Sender>,
    /// To whom.
    to: Vec<String>,
    /// What is wrong.
    #[serde(default)]
    faults: Vec<Fault>,
    /// Other settings of a Postfix that sends.
    #[serde(default)]
    postfix: Vec<[String; 2]>,
    /// Settings of a guest that sends; its script knows them.
    #[serde(default)]
    guest: Vec<[String; 2]>,
    /// How many servers the message seems to have passed already.
    #[serde(default)]
    hops: usize,
    /// What it comes back as; a bounce by default.
    #[serde(default = "bounce")]
    kind: String,
    /// The cause that is to be read from it, for each recipient that it is about.
    code: String,
}

/// Whose mail comes back.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Sender {
    /// That of a host's own server.
    Host(Host),
    /// That of a guest.
    Guest(Guest),
}

impl Sender {
    /// The host where what comes back arrives.
    fn host(self) -> Host {
        match self {
            Self::Host(host) => host,
            Self::Guest(_) => guests::HOME,
        }
    }

    /// What its messages are called by.
    fn name(self) -> &'static str {
        match self {
            Self::Host(host) if host.facts().service == Some(Service::Postfix) => "postfix",
            Self::Host(_) => "exim",
            Self::Guest(guest) => guest.name(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ways {
    way: Vec<Way>,
}

fn bounce() -> String {
    "bounce".to_owned()
}

/// Collects every bounce of the table into a folder, or those whose names hold one of the given words; returns in how
/// many something else was read than was wrong.
pub fn collect(world: &World, into: &Path, wanted: &[String]) -> Result<usize> {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/bounces.toml");
    let mut ways: Ways = toml::from_str(&std::fs::read_to_string(&table)?)
        .with_context(|| format!("in {}", table.display()))?;
    for way in &mut ways.way {
        let name = &way.name;
        let is_wanted = |sender: &Sender| {
            let name = format!("lab-{}-{name}", sender.name());
            wanted.is_empty() || wanted.iter().any(|word| name.contains(word))
        };
        way.from.retain(is_wanted);
    }
    ways.way.retain(|way| !way.from.is_empty());
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
        for sender in &way.from {
            let name = format!("lab-{}-{}", sender.name(), way.name);
            match come_back(world, *sender, way).and_then(|message| keep(way, into, &name, &message)) {
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

/// Sends a message and waits for what comes back of it.
fn come_back(world: &World, sender: Sender, way: &Way) -> Result<PathBuf> {
    let host = sender.host();
    let inbox = world.home(host).join("mail/collector/new");
    let before = listed(&inbox);
    let (said, lodged) = match sender {
        Sender::Guest(guest) => {
            let lodged = Lodged::start(world, guest, &way.guest)?;
            let said = lodged.send(&collector(host), &way.to, &letter(host, way))?;
            (said, Some(lodged))
        }
        Sender::Host(host) => (send(world, host, way)?, None),
    };
    let mut found = None;
    let came = shell::wait_for("a bounce", PATIENCE, || {
        // What could not be delivered at once is given up at a later try.
        let tried = match &lodged {
            Some(lodged) => lodged.retry(),
            None => try_again(world, host),
        };
        if let Err(error) = tried {
            println!("      {error:#}");
        }
        // Somebody else's may come late.
        let own = format!("<{}@", way.name);
        let is_own = |path: &&PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.contains(&own));
        found = listed(&inbox).difference(&before).find(is_own).cloned();
        found.is_some()
    });
    came.with_context(|| match &lodged {
        Some(lodged) => format!("it said {said:?} and {}", lodged.log()),
        None => format!("{} said {said:?}", host.name()),
    })?;
    if matches!(sender, Sender::Host(_)) {
        reset(world, host, way)?;
    }
    found.context("a bounce that was there is gone")
}

/// Whom everything comes back to.
fn collector(host: Host) -> String {
    format!("collector@{}", post::domain(host))
}

/// What is sent.
fn letter(host: Host, way: &Way) -> String {
    let hop = "Received: from one.test by another.test; Fri, 6 Nov 2026 09:00:00 +0000\n";
    format!(
        "{}From: <{}>\nTo: <{}>\nSubject: An offer\nMessage-ID: <{}@{}>\n\nGood morning,\n\nsee below.\n{}",
        hop.repeat(way.hops),
        collector(host),
        way.to.join(">, <"),
        way.name,
        post::domain(host),
        "It is as good as ever.\n".repeat(50)
    )
}

/// Has a host's own server send; returns what it says.
fn send(world: &World, host: Host, way: &Way) -> Result<String> {
    let home = world.home(host);
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
    send.args(["-oi", "-f", &collector(host)]).args(&way.to);
    let (_, said) = shell::feed(&mut send, &letter(host, way))?;
    Ok(said)
}

/// Has an Exim look at its queue; a Postfix of the lab does so by itself.
fn try_again(world: &World, host: Host) -> Result<()> {
    if host.facts().service == Some(Service::Exim) {
        let mut run = post::queue_runner(&world.namespace(host), &world.home(host))?;
        let _ = shell::output(run.arg("-qf"));
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// Sets a Postfix as usual again.
fn reset(world: &World, host: Host, way: &Way) -> Result<()> {
    if way.postfix.is_empty() || host.facts().service != Some(Service::Postfix) {
        return Ok(());
    }
    post::empty_queue(world, host)?;
    let usual: Vec<[String; 2]> = way
        .postfix
        .iter()
        .map(|[name, _]| [name.clone(), String::new()])
        .collect();
    set(world, host, &usual)
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
