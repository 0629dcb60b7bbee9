//! What stands at a site beside mail: what a router offers to its administrator, and a web server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use std::os::unix::process::CommandExt as _;

use anyhow::Result;

use crate::hosts::Host;
use crate::mail;
use crate::pki::Flavour;
use crate::shell;
use crate::world::World;

/// What routers want to hear over SNMP: the daemon's configuration says the same.
pub const COMMUNITY: &str = "lab-community";
/// The user for version 3, its password and that of the encryption.
pub const SNMP_USER: [&str; 3] = ["mailflow", "lab-authentication", "lab-encryption"];

/// How long a router is gone that is rebooted.
const REBOOT: Duration = Duration::from_secs(2);

/// Starts a router's page and its SNMP agent.
pub fn start_router(world: &World, host: Host) -> Result<()> {
    mail::set_certificate(world, host, Flavour::Good)?;
    serve_https(world, host, "-www")?;
    start_agent(world, host)
}

/// Stops both.
pub fn stop_router(world: &World, host: Host) -> Result<()> {
    shell::end(shell::pid(&world.home(host).join("pid"))?)?;
    stop_agent(world, host)
}

/// A router that restarts: gone for a moment, and its agent counts from nothing.
pub fn reboot(world: &World, host: Host) -> Result<()> {
    stop_agent(world, host)?;
    world.disconnect(host)?;
    std::thread::sleep(REBOOT);
    world.connect(host)?;
    start_agent(world, host)
}

/// Starts a router's SNMP agent.
pub fn start_agent(world: &World, host: Host) -> Result<()> {
    let home = world.home(host);
    let [user, password, encryption] = SNMP_USER;
    let config = home.join("snmpd.conf");
    shell::replace(
        &config,
        &format!(
            "agentAddress udp:161\nrocommunity {COMMUNITY}\n\
             createUser {user} SHA-256 \"{password}\" AES \"{encryption}\"\nrouser {user} priv\n"
        ),
    )?;
    let mut agent = world.on(host, "snmpd");
    agent
        .args(["-f", "-C", "-c"])
        .arg(&config)
        .arg("-Lf")
        .arg(home.join("snmpd.log"))
        .args(["-I", "-smux,mteTrigger,mteTriggerConf"])
        .env("MIBS", "")
        .env("SNMP_PERSISTENT_DIR", home.join("snmp"));
    spawn(agent, &home, "snmpd")
}

/// Stops a router's SNMP agent.
pub fn stop_agent(world: &World, host: Host) -> Result<()> {
    shell::end(shell::pid(&world.home(host).join("snmpd.pid"))?)
}

/// Starts a web server for the files in its `www`.
pub fn start_web(world: &World, host: Host) -> Result<()> {
    std::fs::create_dir_all(policy_file(world).parent().unwrap_or(Path::new("/")))?;
    mail::set_certificate(world, host, Flavour::Good)?;
    serve_https(world, host, "-WWW")
}

/// Gives the web server another certificate; it reads its own only when it starts.
pub fn set_web_certificate(world: &World, host: Host, flavour: Flavour) -> Result<()> {
    mail::set_certificate(world, host, flavour)?;
    world.stop(host)?;
    serve_https(world, host, "-WWW")
}

/// Publishes an MTA-STS policy on the web server. Where none is announced in DNS, nobody looks for it.
pub fn set_policy(world: &World, lines: &[String]) -> Result<()> {
    shell::replace(&policy_file(world), &(lines.join("\n") + "\n"))
}

fn policy_file(world: &World) -> PathBuf {
    world.home(Host::Web).join("www/.well-known/mta-sts.txt")
}

/// `what` is openssl's word for what it serves: a page of its own, or files.
fn serve_https(world: &World, host: Host, what: &str) -> Result<()> {
    let home = world.home(host);
    let pem = home.join("tls.pem");
    let folder = home.join("www");
    std::fs::create_dir_all(&folder)?;
    let mut server = world.on(host, "openssl");
    server
        .args(["s_server", "-accept", "443", what, "-quiet", "-cert"])
        .arg(&pem)
        .arg("-key")
        .arg(&pem)
        .current_dir(folder);
    spawn(server, &home, "")
}

/// Starts something in the background, with a pid file and a log that bear its name.
fn spawn(mut command: Command, home: &Path, name: &str) -> Result<()> {
    let dot = if name.is_empty() { "" } else { "." };
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(home.join(format!("{name}{dot}output")))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    shell::replace(&home.join(format!("{name}{dot}pid")), &child.id().to_string())
}
