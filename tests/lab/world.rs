//! One small internet: namespaces, lines and routes. Several worlds stand side by side with the same
//! addresses and nothing in common but the file system.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::dns;
use crate::hosts::{HOSTS, Host, LINE, Service};
use crate::mail;
use crate::pki::Pki;
use crate::setting::Setting;
use crate::shell;
use crate::site;

/// Where everything of the lab lies; a directory that only root can write, so that nobody plants links in it.
pub const BASE: &str = "/run/mailflow-lab";

/// What every namespace of the lab begins with.
const PREFIX: &str = "mf";

/// What the ends of a line that carries IPv6 are called on it: that of the parent, and that of the host.
const INNER6: &str = "fe80::1";
const OUTER6: &str = "fe80::2";

/// One built world. It stays when this is dropped: [`down`] removes it.
pub struct World {
    /// Its number, in the names of its namespaces.
    pub number: usize,
    /// Its directory under [`BASE`].
    pub dir: PathBuf,
    /// The zones that its name servers serve.
    pub zones: dns::Zones,
    /// The certificates of its mail servers.
    pub pki: Pki,
    /// How it is furnished.
    pub setting: Setting,
}

impl World {
    /// Builds a world and waits until its servers serve.
    pub fn build(number: usize, pki: &Pki, setting: Setting) -> Result<Self> {
        let dir = Path::new(BASE).join(format!("w{number}"));
        let world = Self {
            number,
            dir,
            zones: dns::Zones::default(),
            pki: pki.clone(),
            setting,
        };
        for facts in &HOSTS {
            world.make_namespace(facts.host)?;
        }
        for (host, parent) in Host::with_lines() {
            world.make_line(host, parent)?;
        }
        world.zones.publish(&world)?;
        std::thread::scope(|scope| {
            let starts: Vec<_> = HOSTS
                .iter()
                .filter(|facts| facts.service.is_some())
                .map(|facts| {
                    let world = &world;
                    scope.spawn(move || {
                        world
                            .start(facts.host)
                            .with_context(|| format!("cannot start {}", facts.name))
                    })
                })
                .collect();
            starts.into_iter().try_for_each(|start| match start.join() {
                Ok(outcome) => outcome,
                Err(_) => anyhow::bail!("a thread that starts services panicked"),
            })
        })?;
        Ok(world)
    }

    /// The name of a host's namespace.
    pub fn namespace(&self, host: Host) -> String {
        format!("{PREFIX}{}-{}", self.number, host.name())
    }

    /// A host's own directory.
    pub fn home(&self, host: Host) -> PathBuf {
        self.dir.join(host.name())
    }

    /// A command that runs on a host; its arguments are still to be given.
    pub fn on(&self, host: Host, program: impl AsRef<std::ffi::OsStr>) -> Command {
        shell::inside(&self.namespace(host), program)
    }

    /// Brings a host's line up, with the routes that go over it.
    pub fn connect(&self, host: Host) -> Result<()> {
        let Some(parent) = host.facts().parent else {
            return Ok(());
        };
        let (here, there) = (host.address(), parent.address());
        let mut commands = format!(
            "link set dev {LINE} up\nroute replace {there} dev {LINE} src {here}\n\
             route replace default via {there} dev {LINE} src {here}\n"
        );
        if let Some(here) = host.facts().address6 {
            // A line that goes down loses what it knew of IPv6.
            commands += &format!(
                "address replace {OUTER6}/64 dev {LINE} nodad\n\
                 route replace ::/0 via {INNER6} dev {LINE} src {here}\n"
            );
        }
        self.ip(host, &commands)
    }

    /// Takes a host's line down.
    pub fn disconnect(&self, host: Host) -> Result<()> {
        self.ip(host, &format!("link set dev {LINE} down\n"))
    }

    /// Takes from a host what it has of IPv6.
    pub fn without_ipv6(&self, host: Host) -> Result<()> {
        match host.facts().address6 {
            Some(address) => self.ip(
                host,
                &format!("route delete ::/0 dev {LINE}\naddress delete {address}/128 dev lo\n"),
            ),
            None => Ok(()),
        }
    }

    /// Gives it back.
    pub fn with_ipv6(&self, host: Host) -> Result<()> {
        if let Some(address) = host.facts().address6 {
            self.ip(host, &format!("address replace {address}/128 dev lo\n"))?;
        }
        self.connect(host)
    }

    /// Whether a host's kernel answers pings.
    pub fn answer_pings(&self, host: Host, answers: bool) -> Result<()> {
        let ignores = format!("net.ipv4.icmp_echo_ignore_all={}", u8::from(!answers));
        shell::output(self.on(host, "sysctl").args(["-q", "-w", &ignores]))?;
        Ok(())
    }

    /// Starts what a host runs.
    pub fn start(&self, host: Host) -> Result<()> {
        match host.facts().service {
            None => Ok(()),
            Some(Service::Resolver) => dns::start_resolver(self, host),
            Some(Service::Authority) => dns::start_authority(self, host),
            Some(Service::Postfix) => mail::start_postfix(self, host),
            Some(Service::Exim) => mail::start_exim(self, host),
            Some(Service::Router) => site::start_router(self, host),
            Some(Service::Web) => site::start_web(self, host),
        }
    }

    /// Stops what a host runs, as an administrator would.
    pub fn stop(&self, host: Host) -> Result<()> {
        match host.facts().service {
            Some(Service::Router) => site::stop_router(self, host),
            _ => shell::end(self.service_pid(host)?),
        }
    }

    /// Stops a host's server in its tracks: the kernel still takes connections, nobody speaks.
    pub fn freeze(&self, host: Host) -> Result<()> {
        self.signal(host, Signal::SIGSTOP)
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self, host: Host) -> Result<()> {
        self.signal(host, Signal::SIGCONT)
    }

    fn signal(&self, host: Host, signal: Signal) -> Result<()> {
        let pid = self.service_pid(host)?;
        // Postfix leads a process group of its own; its idle workers accept connections too.
        let target = match host.facts().service {
            Some(Service::Postfix) => Pid::from_raw(-pid.as_raw()),
            _ => pid,
        };
        kill(target, signal).with_context(|| format!("cannot signal {}", host.name()))
    }

    fn service_pid(&self, host: Host) -> Result<Pid> {
        shell::pid(&match host.facts().service {
            Some(Service::Postfix) => self.home(host).join("queue/pid/master.pid"),
            _ => self.home(host).join("pid"),
        })
    }

    fn make_namespace(&self, host: Host) -> Result<()> {
        let name = self.namespace(host);
        shell::run("ip", ["netns", "add", &name])?;
        let etc = Path::new("/etc/netns").join(&name);
        std::fs::create_dir_all(&etc)?;
        std::fs::create_dir_all(self.home(host))?;
        std::fs::write(
            etc.join("resolv.conf"),
            format!("nameserver {}\n", Host::Resolver.address()),
        )?;
        if host.facts().service == Some(Service::Exim) {
            mail::add_exim_user(&etc)?;
        }
        let off = u8::from(host.facts().address6.is_none());
        shell::output(self.on(host, "sysctl").args([
            "-q",
            "-w",
            &format!("net.ipv6.conf.all.disable_ipv6={off}"),
            &format!("net.ipv6.conf.default.disable_ipv6={off}"),
            "net.ipv6.conf.all.forwarding=1",
            "net.ipv6.conf.default.accept_dad=0",
            "net.ipv4.ip_forward=1",
            "net.ipv4.ping_group_range=0 2147483647",
        ]))?;
        let facts = host.facts();
        let four = facts.addresses.iter().map(|address| format!("{address}/32"));
        let six = facts.address6.iter().map(|address| format!("{address}/128"));
        let addresses: String = four
            .chain(six)
            .map(|address| format!("address add {address} dev lo\n"))
            .collect();
        self.ip(host, &format!("link set lo up\n{addresses}"))
    }

    fn make_line(&self, host: Host, parent: Host) -> Result<()> {
        let name = host.name();
        let (near, far) = (self.namespace(host), self.namespace(parent));
        shell::run(
            "ip",
            [
                "link", "add", name, "netns", &far, "type", "veth", "peer", "name", LINE, "netns", &near,
            ],
        )?;
        self.connect(host)?;
        let mut commands = format!("link set dev {name} up\n");
        for address in host.facts().addresses {
            commands += &format!("route replace {address} dev {name} src {}\n", parent.address());
        }
        if let Some(network) = host.facts().network {
            commands += &format!("route replace {network} via {} dev {name}\n", host.address());
            // Without this a router would send what nobody owns back to where it came from.
            self.ip(host, &format!("route replace unreachable {network}\n"))?;
        }
        if let Some(address) = host.facts().address6 {
            commands += &format!(
                "address replace {INNER6}/64 dev {name} nodad\n\
                 route replace {address} via {OUTER6} dev {name}\n"
            );
        }
        if let Some(network) = host.facts().network6 {
            commands += &format!("route replace {network} via {OUTER6} dev {name}\n");
            self.ip(host, &format!("route replace unreachable {network}\n"))?;
        }
        self.ip(parent, &commands)
    }

    fn ip(&self, host: Host, commands: &str) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.namespace(host), "-batch", "-"]);
        let (success, said) = shell::feed(&mut command, commands)?;
        anyhow::ensure!(success, "ip on {}: {said}\n{commands}", host.name());
        Ok(())
    }
}

/// Removes every world of this and earlier runs: processes, namespaces, files.
pub fn down() -> Result<()> {
    let listed = shell::run("ip", ["netns", "list"])?;
    let names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| is_ours(name))
        .collect();
    let mut pids = Vec::new();
    for name in &names {
        let inside = shell::run("ip", ["netns", "pids", name])?;
        pids.extend(
            inside
                .split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .map(Pid::from_raw),
        );
    }
    for pid in &pids {
        let _ = kill(*pid, Signal::SIGKILL);
    }
    shell::wait_for("old processes to be gone", Duration::from_secs(5), || {
        !pids.iter().any(|pid| shell::alive(*pid))
    })?;
    for name in names {
        shell::run("ip", ["netns", "delete", name])?;
        let _ = std::fs::remove_dir_all(Path::new("/etc/netns").join(name));
    }
    // The lock file stays: it belongs to whoever runs the lab.
    for entry in std::fs::read_dir(BASE).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// `mf`, a number, `-`, and the name of a host of ours: nobody else's namespace is ever touched.
fn is_ours(namespace: &str) -> bool {
    namespace
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(number, host)| {
            number.parse::<usize>().is_ok() && HOSTS.iter().any(|facts| facts.name == host)
        })
}
