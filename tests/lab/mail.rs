//! The lab's mail servers, and what can be turned on them while they run. Everything that a fault changes is
//! a file which both servers read anew for each connection, so a change holds from the next one on, with no
//! reload to wait for.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::hosts::{Host, Service};
use crate::pki::Flavour;
use crate::shell;
use crate::world::World;

/// Debian's Exim insists on this user; only its own namespaces know it.
const EXIM_USER: &str = "Debian-exim";
const EXIM_ID: u32 = 65_533;

/// Where Exim may lie: installed, or unpacked by `tests/run`, because Debian installs one mail server only.
const EXIM_PLACES: [&str; 2] = ["/usr/sbin/exim4", "/var/cache/mailflow-lab/exim/usr/sbin/exim4"];

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

/// Gives a server a certificate of the wanted flavour.
pub fn set_certificate(world: &World, host: Host, flavour: Flavour) -> Result<()> {
    let name = host.facts().mail_name;
    // The bare domain too: without an MX record it is the name that senders ask for.
    let domain = name.split_once('.').map_or(name, |(_, domain)| domain);
    let names = if name.is_empty() {
        vec!["router.lan"]
    } else {
        vec![name, domain]
    };
    shell::replace(
        &world.home(host).join("tls.pem"),
        &world.pki.issue(&names, flavour)?,
    )
}

/// Makes a server greet every connection with this reply and close; `None` is its usual greeting again.
pub fn set_greeting(world: &World, host: Host, reply: Option<&str>) -> Result<()> {
    let home = world.home(host);
    match (host.facts().service, reply) {
        (Some(Service::Exim), Some(reply)) => shell::replace(&home.join("greeting"), reply),
        (Some(Service::Exim), None) => Ok(std::fs::remove_file(home.join("greeting"))?),
        // Postfix puts the client's name and address between the code and the text.
        (Some(Service::Postfix), Some(reply)) => {
            shell::replace(&home.join("access"), &format!("/^/ {reply}\n"))
        }
        (Some(Service::Postfix), None) => shell::replace(&home.join("access"), ""),
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
            shell::replace(&home.join("discard"), if offered { "" } else { "/^/ starttls\n" })
        }
        _ => bail!("{} is no mail server", host.name()),
    }
}

/// Delays every greeting of an Exim by some seconds; `None` for none.
pub fn set_delay(world: &World, host: Host, seconds: Option<u32>) -> Result<()> {
    if host.facts().service != Some(Service::Exim) {
        bail!("{} cannot delay its greeting: it does not run Exim", host.name());
    }
    let path = world.home(host).join("delay");
    match seconds {
        Some(seconds) => shell::replace(&path, &format!("{seconds}s")),
        None => Ok(std::fs::remove_file(path)?),
    }
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
    set_certificate(world, host, Flavour::Good)?;
    set_greeting(world, host, None)?;
    set_starttls(world, host, true)?;
    let (home, name) = (home.display(), host.facts().mail_name);
    std::fs::write(
        etc.join("main.cf"),
        format!(include_str!("templates/main.cf"), home = home, name = name),
    )?;
    std::fs::write(etc.join("master.cf"), include_str!("templates/master.cf"))?;
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
        let text = format!(
            include_str!("templates/exim.conf"),
            home = home.display(),
            name = host.facts().mail_name
        );
        std::fs::write(&config, text)?;
    }
    let program = exim().context("Exim is not there")?;
    let mut command = world.on(host, program);
    shell::detach(command.arg("-C").arg(&config).arg("-bd"), &home.join("start.log"))?;
    wait_for_greeting(world, host)
}

/// Starts the HTTPS page that a router shows to its administrator.
pub fn start_admin_page(world: &World, host: Host) -> Result<()> {
    let home = world.home(host);
    let pem = home.join("tls.pem");
    set_certificate(world, host, Flavour::Good)?;
    let log = std::fs::File::create(home.join("page.log"))?;
    let child = world
        .on(host, "openssl")
        .args(["s_server", "-accept", "443", "-www", "-quiet", "-cert"])
        .arg(&pem)
        .arg("-key")
        .arg(&pem)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    shell::replace(&home.join("pid"), &child.id().to_string())
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
