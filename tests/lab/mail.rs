//! The lab's mail servers, and what can be turned on them while they run. Everything that a fault changes is a file. An
//! Exim, and a Postfix that carries mail, read it anew for each session; a Postfix that only greets keeps its processes,
//! for starting one takes ten times what a session does, and lets them go when it is told of a change.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};

use crate::hosts::{Host, Service};
use crate::pki::Flavour;
use crate::post;
use crate::shell;
use crate::world::World;

/// Debian's Exim insists on this user; only its own namespaces know it.
const EXIM_USER: &str = "Debian-exim";
/// Its number; it owns all mailboxes too, for it need not become anybody else then.
pub const EXIM_ID: u32 = 65_533;

/// Where Exim may lie: installed, or unpacked by `tests/run`, because Debian installs one mail server only.
const EXIM_PLACES: [&str; 2] = ["/usr/sbin/exim4", "/var/cache/mailflow-lab/exim/usr/sbin/exim4"];

/// Whose the mailboxes of a Postfix are, as in its configuration.
const NOBODY: u32 = 65_534;

/// The Exim that is there.
pub fn exim() -> Option<PathBuf> {
    EXIM_PLACES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// Writes passwd and group for a namespace in which Exim runs.
pub fn add_exim_user(etc: &Path) -> Result<()> {
    let with = |name: &str, line: String| -> Result<()> {
        let text = std::fs::read_to_string(Path::new("/etc").join(name))?;
        let others = text
            .lines()
            .filter(|known| !known.starts_with(&format!("{EXIM_USER}:")));
        let others: String = others.map(|known| format!("{known}\n")).collect();
        Ok(std::fs::write(etc.join(name), others + &line)?)
    };
    with(
        "passwd",
        format!("{EXIM_USER}:x:{EXIM_ID}:{EXIM_ID}::/nonexistent:/usr/sbin/nologin\n"),
    )?;
    with("group", format!("{EXIM_USER}:x:{EXIM_ID}:\n"))
}

/// Gives a server a certificate of the wanted flavour, for all that it offers.
pub fn set_certificate(world: &World, host: Host, flavour: Flavour) -> Result<()> {
    let pem = issue(world, host, flavour)?;
    if host.facts().service == Some(Service::Postfix) {
        shell::replace(&world.home(host).join("submission.pem"), &pem)?;
    }
    shell::replace(&world.home(host).join("tls.pem"), &pem)?;
    renew(world, host)
}

/// Has a Postfix that runs let its idle processes go: from the next session on, what its files say holds.
fn renew(world: &World, host: Host) -> Result<()> {
    let Ok(pid) = shell::pid(&world.home(host).join("queue/pid/master.pid")) else {
        return Ok(());
    };
    // The file outlives the process, and its number may be somebody else's by now.
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim_end() == "master" {
        kill(pid, Signal::SIGHUP)?;
    }
    Ok(())
}

/// Gives those who submit mail at a Postfix another certificate.
pub fn set_submission_certificate(world: &World, host: Host, flavour: Flavour) -> Result<()> {
    if host.facts().service != Some(Service::Postfix) {
        bail!(
            "{} has one certificate for all: it does not run Postfix",
            host.name()
        );
    }
    shell::replace(
        &world.home(host).join("submission.pem"),
        &issue(world, host, flavour)?,
    )?;
    renew(world, host)
}

fn issue(world: &World, host: Host, flavour: Flavour) -> Result<String> {
    let facts = host.facts();
    // The bare domain too: without an MX record it is the name that senders ask for.
    let domain = facts
        .mail_name
        .split_once('.')
        .map_or(facts.mail_name, |(_, domain)| domain);
    let names = match facts.service {
        Some(Service::Router) => vec!["router.lan"],
        Some(Service::Web) => vec!["mta-sts.beta.test"],
        _ => vec![facts.mail_name, domain],
    };
    world.pki.issue(&names, flavour)
}

/// Makes a server greet every connection with this reply and close; `None` is its usual greeting again.
pub fn set_greeting(world: &World, host: Host, reply: Option<&str>) -> Result<()> {
    let home = world.home(host);
    match (host.facts().service, reply) {
        (Some(Service::Exim), Some(reply)) => shell::replace(&home.join("greeting"), reply),
        (Some(Service::Exim), None) => Ok(std::fs::remove_file(home.join("greeting"))?),
        // Postfix puts the client's name and address between the code and the text.
        (Some(Service::Postfix), reply) => {
            let rule = reply.map(|reply| format!("/^/ {reply}\n")).unwrap_or_default();
            shell::replace(&home.join("access"), &rule)?;
            renew(world, host)
        }
        _ => bail!("{} is no mail server", host.name()),
    }
}

/// Withdraws STARTTLS, or offers it again.
pub fn set_starttls(world: &World, host: Host, offered: bool) -> Result<()> {
    let home = world.home(host);
    match host.facts().service {
        Some(Service::Exim) if offered => Ok(std::fs::remove_file(home.join("no-starttls"))?),
        Some(Service::Exim) => shell::replace(&home.join("no-starttls"), ""),
        Some(Service::Postfix) => {
            shell::replace(&home.join("discard"), if offered { "" } else { "/^/ starttls\n" })?;
            renew(world, host)
        }
        _ => bail!("{} is no mail server", host.name()),
    }
}

/// What an Exim can be told by a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whim {
    /// How long each greeting waits, as `6s`.
    Delay,
    /// Its reply to every EHLO.
    Ehlo,
    /// Its reply to every EHLO under TLS.
    EhloUnderTls,
    /// Which TLS it speaks, as GnuTLS writes it.
    Tls,
}

/// Tells an Exim what to do otherwise; `None`: as usual again.
pub fn set_whim(world: &World, host: Host, whim: Whim, words: Option<&str>) -> Result<()> {
    if host.facts().service != Some(Service::Exim) {
        bail!("{} does not do {whim:?}: it does not run Exim", host.name());
    }
    let path = world.home(host).join(match whim {
        Whim::Delay => "delay",
        Whim::Ehlo => "ehlo",
        Whim::EhloUnderTls => "ehlo-tls",
        Whim::Tls => "priority",
    });
    match words {
        Some(words) => shell::replace(&path, words),
        None => Ok(std::fs::remove_file(path)?),
    }
}

/// What lies in the mailbox of whoever is on call, the oldest first.
pub fn mailbox(world: &World, host: Host) -> Result<Vec<String>> {
    let folder = world.home(host).join("mail/oncall/new");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut mails = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        mails.push((
            file.metadata()?.modified()?,
            std::fs::read_to_string(file.path())?,
        ));
    }
    mails.sort();
    Ok(mails.into_iter().map(|(_, mail)| mail).collect())
}

/// Puts postscreen before a Postfix, or takes it away: it greets in two parts, seconds apart, and looks who cannot wait.
pub fn set_postscreen(world: &World, host: Host, on: bool) -> Result<()> {
    let home = world.home(host);
    write_services(world, host, on)?;
    let mut command = world.on(host, "postfix");
    shell::output(command.arg("-c").arg(home.join("etc")).arg("reload"))?;
    Ok(())
}

fn write_services(world: &World, host: Host, postscreen: bool) -> Result<()> {
    let smtp = if postscreen {
        include_str!("templates/postscreen.cf")
    } else if post::is_post_office(world, host) {
        "smtp inet n - n - - smtpd -o max_use=1\n"
    } else {
        "smtp inet n - n - - smtpd\n"
    };
    let (_, own) = post::postfix(world, host);
    let services = include_str!("templates/master.cf").to_owned() + &own + smtp;
    shell::replace(&world.home(host).join("etc/master.cf"), &services)
}

/// Starts a Postfix of its own on a host.
pub fn start_postfix(world: &World, host: Host) -> Result<()> {
    let home = world.home(host);
    let etc = home.join("etc");
    if !etc.exists() {
        prepare_postfix(world, host, &etc)?;
    }
    let mut command = world.on(host, "postfix");
    shell::detach(command.arg("-c").arg(&etc).arg("start"), &home.join("start.log"))?;
    wait_for_greeting(world, host)
}

fn prepare_postfix(world: &World, host: Host, etc: &Path) -> Result<()> {
    let home = world.home(host);
    for part in ["etc", "queue", "data"] {
        std::fs::create_dir_all(home.join(part))?;
    }
    let (uid, gid) = ids_of("postfix")?;
    chown(home.join("data"), Some(uid), Some(gid))?;
    std::fs::create_dir_all(home.join("mail"))?;
    chown(home.join("mail"), Some(NOBODY), Some(NOBODY))?;
    set_certificate(world, host, Flavour::Good)?;
    set_greeting(world, host, None)?;
    set_starttls(world, host, true)?;
    write_services(world, host, false)?;
    post::open(world, host)?;
    let (own, _) = post::postfix(world, host);
    let (home, name) = (home.display(), host.facts().mail_name);
    let main = format!(include_str!("templates/main.cf"), home = home, name = name);
    std::fs::write(etc.join("main.cf"), main + &own)?;
    Ok(())
}

/// Starts an Exim of its own on a host.
pub fn start_exim(world: &World, host: Host) -> Result<()> {
    let home = world.home(host);
    let config = home.join("exim.conf");
    if !config.exists() {
        let spool = home.join("spool");
        std::fs::create_dir_all(&spool)?;
        chown(&spool, Some(EXIM_ID), Some(EXIM_ID))?;
        set_certificate(world, host, Flavour::Good)?;
        post::open(world, host)?;
        let (main, rest) = post::exim(world, host)?;
        let text = format!(
            include_str!("templates/exim.conf"),
            main = main,
            rest = rest,
            home = home.display(),
            name = host.facts().mail_name,
            everywhere = match host.facts().address6 {
                Some(_) => "<; 0.0.0.0 ; ::0",
                None => "0.0.0.0",
            }
        );
        std::fs::write(&config, text)?;
    }
    let program = exim().context("Exim is not there")?;
    let mut command = world.on(host, program);
    shell::detach(command.arg("-C").arg(&config).arg("-bd"), &home.join("start.log"))?;
    wait_for_greeting(world, host)
}

/// Waits until a mail server speaks, asked from its own host.
fn wait_for_greeting(world: &World, host: Host) -> Result<()> {
    shell::wait_for(
        &format!("{} to speak SMTP", host.name()),
        Duration::from_secs(15),
        || {
            let mut listening = world.on(host, "ss");
            shell::output(listening.args(["-Hltn", "sport = :25"])).is_ok_and(|sockets| !sockets.is_empty())
        },
    )
}

fn ids_of(user: &str) -> Result<(u32, u32)> {
    let user = nix::unistd::User::from_name(user)?.with_context(|| format!("there is no user {user}"))?;
    Ok((user.uid.as_raw(), user.gid.as_raw()))
}
