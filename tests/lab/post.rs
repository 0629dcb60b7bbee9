//! What carries mail in a world that is furnished for it: people with mailboxes, a login for those who submit, queues,
//! and what can go wrong with each. As in `mail`, a fault is a file that the servers read anew, so it holds at once.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::hosts::{Host, Service};
use crate::issuer;
use crate::mail;
use crate::setting::Setting;
use crate::shell;
use crate::worker::Worker;
use crate::world::World;

/// The password of every canary.
pub const PASSWORD: &str = "canary-secret";
/// Seconds that a canary may take.
pub const DEADLINE: u64 = 10;

/// Where a greylister listens, inside its own namespace.
const GREYLISTER: u16 = 10023;
/// How long it has strangers wait, as Postgrey does.
const GREYLISTED_FOR: Duration = Duration::from_mins(5);
/// How long mail lies in a queue that is late: more than half of what a canary may take, and less than all of it.
const LATE: Duration = Duration::from_secs(6);

/// What Postfix says to whoever writes to `sales`.
const BLOCKED: &str =
    "/^sales/ 554 5.7.1 Service unavailable; Client host [203.0.113.10] blocked using bl.test\n";

/// Those who have a mailbox at each domain.
const PEOPLE: [&str; 2] = ["canary", "desk"];

/// What can be wrong where mail is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Somebody has changed the canary's password.
    PasswordChanged,
    /// The canary may not send as itself (Postfix).
    NotOwner,
    /// The canary's account is blocked (Postfix).
    AccountBlocked,
    /// Whoever has logged in has sent too much (Exim).
    RateLimited,
    /// What is submitted is taken and stays in the queue.
    OnHold,
    /// What is submitted lies in the queue for some seconds (Exim).
    Late,
    /// A filter files everything as junk (Exim).
    Junk,
    /// The mailbox server is stopped.
    NoMailboxes,
    /// `desk` is no longer somebody's address.
    DeskGone,
    /// Whoever writes to `sales` is on a blocklist (Postfix).
    SalesBlocked,
    /// A greylister stands before `desk` (Postfix).
    Greylisting,
    /// Only messages of less than a thousand bytes are taken (Exim).
    SmallMessagesOnly,
    /// A scanner finds a virus in everything (Exim).
    VirusFound,
    /// The tokens that were given out are worth nothing any more (`web`).
    TokensRevoked,
    /// Whoever gives tokens out finds that the daemon's secret has expired (`web`).
    SecretExpired,
}

/// Whether a host carries mail in a world.
pub fn is_post_office(world: &World, host: Host) -> bool {
    world.setting == Setting::Post && matches!(host, Host::AcmeMx | Host::BetaMx | Host::PartnerMx)
}

/// Whether it has a mailbox server too.
fn has_mailboxes(host: Host) -> bool {
    matches!(host, Host::AcmeMx | Host::PartnerMx)
}

/// What else a Postfix is configured with, and its services for those who submit and those who read. Nothing is set
/// twice: each of its programs, the one that writes its log too, would log a warning at its start, more than fit into the
/// log's socket before anybody reads from it, and all would wait for one another for ever.
pub fn postfix(world: &World, host: Host) -> (String, String) {
    let home = world.home(host);
    let home = home.display();
    if !is_post_office(world, host) {
        return (
            format!(include_str!("templates/on-call.cf"), home = home),
            format!(include_str!("templates/submission.cf"), home = home),
        );
    }
    let main = format!(
        include_str!("templates/post-main.cf"),
        home = home,
        domain = domain(host),
        uid = mail::EXIM_ID,
        greylister = GREYLISTER
    );
    (
        main,
        format!(include_str!("templates/post-master.cf"), home = home),
    )
}

/// What else an Exim is configured with: in its first part, and in those that follow.
pub fn exim(world: &World, host: Host) -> Result<(String, String)> {
    if !is_post_office(world, host) {
        return Ok((String::new(), String::new()));
    }
    let program = mail::exim().context("Exim is not there")?;
    let main = format!(
        include_str!("templates/exim-post-main.conf"),
        home = world.home(host).display(),
        domain = domain(host),
        program = program.display()
    );
    let home = world.home(host);
    let rest = format!(include_str!("templates/exim-post.conf"), home = home.display());
    Ok((main, rest))
}

/// The domain that a host takes mail for.
pub fn domain(host: Host) -> &'static str {
    let name = host.facts().mail_name;
    name.split_once('.').map_or(name, |(_, domain)| domain)
}

/// Everything as it should be, and the mailbox server started.
pub fn open(world: &World, host: Host) -> Result<()> {
    if !is_post_office(world, host) {
        return Ok(());
    }
    let home = world.home(host);
    let mailboxes = home.join("mail");
    std::fs::create_dir_all(&mailboxes)?;
    chown(&mailboxes, Some(mail::EXIM_ID), Some(mail::EXIM_ID))?;
    set_password(&home, PASSWORD)?;
    set_people(world, host, &PEOPLE)?;
    for file in ["recipients", "accounts"] {
        shell::replace(&home.join(file), "")?;
    }
    set_owner(&home, "canary")?;
    if has_mailboxes(host) {
        start_mailboxes(world, host)?;
    }
    Ok(())
}

fn start_mailboxes(world: &World, host: Host) -> Result<()> {
    let home = world.home(host);
    let config = home.join("dovecot.conf");
    let text = format!(
        include_str!("templates/dovecot.conf"),
        home = home.display(),
        uid = mail::EXIM_ID,
        // Not everybody offers the standard's way.
        tokens = if host == Host::AcmeMx {
            "oauthbearer xoauth2"
        } else {
            "xoauth2"
        }
    );
    shell::replace(&config, &text)?;
    shell::replace(&home.join("dovecot-oauth2.conf"), &issuer::dovecot())?;
    let mut dovecot = world.on(host, "dovecot");
    shell::detach(dovecot.arg("-c").arg(config), &home.join("dovecot-start.log"))
}

fn set_password(home: &Path, password: &str) -> Result<()> {
    shell::replace(&home.join("password"), password)?;
    // The canary's alone changes.
    let users = PEOPLE.map(|user| {
        let own = if user == "canary" { password } else { PASSWORD };
        format!("{user}:{own}::::::\n")
    });
    shell::replace(&home.join("users"), &users.concat())
}

fn set_people(world: &World, host: Host, people: &[&str]) -> Result<()> {
    let text: String = match host.facts().service {
        Some(Service::Postfix) => {
            let domain = domain(host).replace('.', "\\.");
            people
                .iter()
                .map(|user| format!("/^{user}@{domain}$/ {user}/\n"))
                .collect()
        }
        _ => people.iter().map(|user| format!("{user}: {user}\n")).collect(),
    };
    shell::replace(&world.home(host).join("people"), &text)
}

/// Gives somebody more a mailbox.
pub fn take_in(world: &World, host: Host, name: &str) -> Result<()> {
    let people: Vec<&str> = PEOPLE.into_iter().chain([name]).collect();
    set_people(world, host, &people)
}

/// Throws away what is in the queue of a Postfix.
pub fn empty_queue(world: &World, host: Host) -> Result<()> {
    let mut command = world.on(host, "postsuper");
    command
        .arg("-c")
        .arg(world.home(host).join("etc"))
        .args(["-d", "ALL"]);
    shell::output(&mut command).map(drop)
}

/// Who may send as the canary.
fn set_owner(home: &Path, user: &str) -> Result<()> {
    shell::replace(&home.join("owners"), &format!("/^canary@/ {user}\n"))
}

/// What a server says to whoever asks for `desk`; `None`: what it finds.
pub fn set_answer(world: &World, host: Host, reply: Option<&str>) -> Result<()> {
    let home = world.home(host);
    match (host.facts().service, reply) {
        (Some(Service::Postfix), Some(reply)) => {
            shell::replace(&home.join("recipients"), &format!("/^desk@/ {reply}\n"))
        }
        (Some(Service::Postfix), None) => shell::replace(&home.join("recipients"), ""),
        (_, reply) => whim(&home, "recipient", reply),
    }
}

/// A file that stands for something, with what it holds, or no such file.
fn whim(home: &Path, name: &str, text: Option<&str>) -> Result<()> {
    match text {
        Some(text) => shell::replace(&home.join(name), text),
        None => Ok(std::fs::remove_file(home.join(name))?),
    }
}

/// Makes trouble; what it returns has to be kept until it is over.
pub fn begin(world: &World, host: Host, trouble: Trouble) -> Result<Option<Worker>> {
    let home = world.home(host);
    let is_postfix = host.facts().service == Some(Service::Postfix);
    match trouble {
        Trouble::PasswordChanged => set_password(&home, "another-secret")?,
        Trouble::NoMailboxes => shell::end(shell::pid(&home.join("dovecot/master.pid"))?)?,
        Trouble::DeskGone => set_people(world, host, &PEOPLE[..1])?,
        Trouble::TokensRevoked => issuer::revoke(world)?,
        Trouble::SecretExpired => issuer::expire(world, true)?,
        Trouble::NotOwner if is_postfix => set_owner(&home, "somebody-else")?,
        Trouble::AccountBlocked if is_postfix => {
            set_account(&home, "REJECT This account is blocked: it has sent spam")?;
        }
        Trouble::SalesBlocked if is_postfix => shell::replace(&home.join("recipients"), BLOCKED)?,
        Trouble::OnHold if is_postfix => set_account(&home, "HOLD")?,
        Trouble::Greylisting if is_postfix => {
            set_answer(world, host, Some("greylisting"))?;
            return greylist(world, host).map(Some);
        }
        Trouble::OnHold if !is_postfix => whim(&home, "hold", Some(""))?,
        Trouble::Late if !is_postfix => {
            whim(&home, "hold", Some(""))?;
            return release_late(world, host).map(Some);
        }
        Trouble::RateLimited if !is_postfix => whim(&home, "limit", Some(""))?,
        Trouble::Junk if !is_postfix => whim(&home, "junk", Some(""))?,
        Trouble::SmallMessagesOnly if !is_postfix => whim(&home, "small", Some(""))?,
        Trouble::VirusFound if !is_postfix => whim(&home, "virus", Some(""))?,
        _ => bail!("{} does not do {trouble:?}", host.name()),
    }
    Ok(None)
}

/// Ends trouble. What was held is on its way again: late mail, not lost mail.
pub fn end(world: &World, host: Host, trouble: Trouble) -> Result<()> {
    let home = world.home(host);
    let is_postfix = host.facts().service == Some(Service::Postfix);
    match trouble {
        Trouble::PasswordChanged => set_password(&home, PASSWORD),
        Trouble::NoMailboxes => start_mailboxes(world, host),
        Trouble::DeskGone => set_people(world, host, &PEOPLE),
        // Later ones are good anyway.
        Trouble::TokensRevoked => Ok(()),
        Trouble::SecretExpired => issuer::expire(world, false),
        Trouble::NotOwner => set_owner(&home, "canary"),
        Trouble::AccountBlocked => set_account(&home, ""),
        Trouble::Greylisting => set_answer(world, host, None),
        Trouble::SalesBlocked => shell::replace(&home.join("recipients"), ""),
        Trouble::RateLimited => whim(&home, "limit", None),
        Trouble::Junk => whim(&home, "junk", None),
        Trouble::SmallMessagesOnly => whim(&home, "small", None),
        Trouble::VirusFound => whim(&home, "virus", None),
        Trouble::OnHold if is_postfix => {
            set_account(&home, "")?;
            let mut release = world.on(host, "postsuper");
            release.arg("-c").arg(home.join("etc")).args(["-H", "ALL"]);
            shell::output(&mut release).map(drop)
        }
        Trouble::OnHold | Trouble::Late => {
            whim(&home, "hold", None)?;
            let mut run = queue_runner(&world.namespace(host), &home)?;
            shell::output(run.arg("-qf")).map(drop)
        }
    }
}

/// What becomes of what the canary submits at a Postfix.
fn set_account(home: &Path, what: &str) -> Result<()> {
    let line = if what.is_empty() {
        String::new()
    } else {
        format!("/^canary$/ {what}\n")
    };
    shell::replace(&home.join("accounts"), &line)
}

/// An Exim that works on a host's queue.
pub fn queue_runner(namespace: &str, home: &Path) -> Result<Command> {
    let mut command = shell::inside(namespace, mail::exim().context("Exim is not there")?);
    command.arg("-C").arg(home.join("exim.conf"));
    Ok(command)
}

/// Delivers what has lain in a queue for long enough.
fn release_late(world: &World, host: Host) -> Result<Worker> {
    let (namespace, home) = (world.namespace(host), world.home(host));
    let inside = namespace.clone();
    Worker::start(
        &namespace,
        || Ok(()),
        move |()| async move {
            loop {
                tokio::time::sleep(Duration::from_millis(250)).await;
                for id in waiting_since(&home.join("spool/input"), LATE) {
                    if let Ok(mut run) = queue_runner(&inside, &home) {
                        let _ = shell::output(run.arg("-M").arg(id));
                    }
                }
            }
        },
    )
}

/// The messages of an Exim's queue that have been there for so long.
fn waiting_since(queue: &Path, time: Duration) -> Vec<String> {
    let entries = std::fs::read_dir(queue).into_iter().flatten().flatten();
    let old = |path: &PathBuf| {
        let modified = path.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age >= time))
    };
    let paths = entries.map(|entry| entry.path()).filter(old);
    let ids = paths.filter_map(|path| Some(path.file_name()?.to_str()?.strip_suffix("-H")?.to_owned()));
    ids.collect()
}

/// A greylister, as Postfix asks one (its `SMTPD_POLICY_README`): whoever is new is told to come back.
fn greylist(world: &World, host: Host) -> Result<Worker> {
    let open = || {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, GREYLISTER))?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener::from_std(listener)?)
    };
    Worker::start(&world.namespace(host), open, move |listener| async move {
        let mut known = HashMap::new();
        while let Ok((client, _)) = listener.accept().await {
            let _ = judge(client, &mut known).await;
        }
    })
}

/// Answers the one question of a connection.
async fn judge(client: TcpStream, known: &mut HashMap<[String; 3], Instant>) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut triplet = [const { String::new() }; 3];
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await?;
        let Some((name, value)) = line.trim().split_once('=') else {
            break;
        };
        let place = ["client_address", "sender", "recipient"]
            .iter()
            .position(|known| *known == name);
        if let Some(place) = place {
            value.clone_into(&mut triplet[place]);
        }
    }
    let since = *known.entry(triplet).or_insert_with(Instant::now);
    let action = if since.elapsed() < GREYLISTED_FOR {
        "DEFER_IF_PERMIT Greylisted, see http://postgrey.schweikert.ch/help/acme.test.html"
    } else {
        "DUNNO"
    };
    client.write_all(format!("action={action}\n\n").as_bytes()).await
}
