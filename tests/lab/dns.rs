//! The lab's name space: a signed root and `test.`, the zones of all clients on two name servers, one of them
//! signed, and the monitor's validating resolver. What the servers should serve is computed as a whole from
//! the base zones and the edits that faults have made, so that any mix of faults heals in any order.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::hosts::Host;
use crate::shell;
use crate::world::{BASE, World};

/// The longest that anybody may keep a positive answer, in seconds. Negative answers: two.
pub const TTL: u32 = 5;

const ROOT_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const TEST_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 3);

/// The two name servers under two sets of names and addresses, so that one set can die alone.
const COMMON: [&str; 2] = ["ns1.dns.test.", "ns2.dns.test."];
const HOSTING: [&str; 2] = ["ns-a.hosting.test.", "ns-b.hosting.test."];

/// What zones end with that do not hang on `test.` but on the root.
const REVERSE: &str = ".in-addr.arpa";

/// Glue that stands in `test.` beside the delegations.
const GLUE: [&str; 5] = [
    "a.nic A 192.0.2.3",
    "ns1.dns A 192.0.2.21",
    "ns2.dns A 192.0.2.22",
    "ns-a.hosting A 192.0.2.31",
    "ns-b.hosting A 192.0.2.32",
];

struct Zone {
    name: &'static str,
    servers: [&'static str; 2],
    signed: bool,
    records: &'static [&'static str],
}

const fn zone(name: &'static str, servers: [&'static str; 2], records: &'static [&'static str]) -> Zone {
    Zone {
        name,
        servers,
        signed: false,
        records,
    }
}

const AT_BIGMAIL: &[&str] = &[
    "@ MX 10 mx1.bigmail.test.",
    "@ MX 20 mx2.bigmail.test.",
    "@ A 192.0.2.180",
];

/// The zones on the two name servers.
const ZONES: [Zone; 15] = [
    zone("dns.test", COMMON, &["ns1 A 192.0.2.21", "ns2 A 192.0.2.22"]),
    zone(
        "hosting.test",
        HOSTING,
        &["ns-a A 192.0.2.31", "ns-b A 192.0.2.32"],
    ),
    zone(
        "msp.test",
        COMMON,
        &[
            "probe A 192.0.2.10",
            "anchor A 192.0.2.200",
            "anchor2 A 203.0.113.250",
        ],
    ),
    zone(
        "2.0.192.in-addr.arpa",
        COMMON,
        &["10 PTR probe.msp.test.", "200 PTR anchor.msp.test."],
    ),
    zone("100.51.198.in-addr.arpa", COMMON, &["10 PTR mx.acme.test."]),
    zone(
        "113.0.203.in-addr.arpa",
        COMMON,
        &["10 PTR mx.beta.test.", "200 PTR mx.partner.test."],
    ),
    zone(
        "acme.test",
        HOSTING,
        &[
            "@ MX 10 mx.acme.test.",
            "@ A 198.51.100.10",
            "mx A 198.51.100.10",
            "@ TXT \"v=spf1 mx -all\"",
            "_dmarc TXT \"v=DMARC1; p=reject\"",
            // The public key of RFC 8463 A.2.
            "s1._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"",
        ],
    ),
    zone("acme-shop.test", HOSTING, &["@ MX 10 mx.acme.test."]),
    // A blocklist with its two test points (RFC 5782 5): 127.0.0.2 is listed, 127.0.0.1 is not.
    zone(
        "bl.test",
        COMMON,
        &["2.0.0.127 A 127.0.0.2", "2.0.0.127 TXT \"a test point\""],
    ),
    Zone {
        signed: true,
        ..zone(
            "beta.test",
            COMMON,
            &[
                "@ MX 10 mx.beta.test.",
                "mx A 203.0.113.10",
                "mx AAAA 2001:db8:b::10",
                "mta-sts A 192.0.2.80",
            ],
        )
    },
    zone(
        "bigmail.test",
        COMMON,
        &["mx1 A 192.0.2.101", "mx2 A 192.0.2.102"],
    ),
    zone("gamma.test", COMMON, AT_BIGMAIL),
    zone("delta.test", COMMON, AT_BIGMAIL),
    zone("epsilon.test", COMMON, AT_BIGMAIL),
    zone("zeta.test", COMMON, AT_BIGMAIL),
];

/// One more, in a constant of its own because it is nobody's client: the partner organisation.
const PARTNER: Zone = zone(
    "partner.test",
    COMMON,
    &["@ MX 10 mx.partner.test.", "mx A 203.0.113.200"],
);

fn zones() -> impl Iterator<Item = &'static Zone> {
    ZONES.iter().chain([&PARTNER])
}

/// What a fault changes in the name space.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Takes records out (by how they begin) and puts others in, on some of the name servers.
    Records {
        /// The zone.
        zone: String,
        /// Beginnings of records, as `"@ MX"`.
        remove: Vec<String>,
        /// Whole records, as `"@ MX 0 ."`.
        add: Vec<String>,
        /// Where.
        servers: Vec<Host>,
    },
    /// Some name servers know nothing of the zone and refuse.
    Unserve {
        /// The zone.
        zone: String,
        /// Where.
        servers: Vec<Host>,
    },
    /// `test.` does not know the domain.
    Undelegate {
        /// The zone.
        zone: String,
    },
    /// `test.` vouches for a key that the zone does not have.
    BogusDs {
        /// The zone.
        zone: String,
    },
}

/// The edits that hold now, and the serial of the next zone.
#[derive(Default)]
pub struct Zones {
    edits: Mutex<Vec<(u64, Edit)>>,
    serial: AtomicU32,
}

impl Zones {
    fn edits(&self) -> MutexGuard<'_, Vec<(u64, Edit)>> {
        self.edits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an edit under an id and publishes it.
    pub fn apply(&self, world: &World, id: u64, edit: Edit) -> Result<()> {
        self.edits().push((id, edit));
        self.publish(world)
    }

    /// Takes an edit back.
    pub fn revert(&self, world: &World, id: u64) -> Result<()> {
        self.edits().retain(|(known, _)| *known != id);
        self.publish(world)
    }

    /// Brings every name server to what it should serve, and has the resolver forget.
    pub fn publish(&self, world: &World) -> Result<()> {
        let edits: Vec<Edit> = self.edits().iter().map(|(_, edit)| edit.clone()).collect();
        let mut changed = false;
        for server in [Host::Root, Host::Ns1, Host::Ns2] {
            let fresh = self.write_zones(world, server, &edits)?;
            if !fresh.is_empty() && is_running(world, server) {
                load(world, server, &fresh)?;
                changed = true;
            }
        }
        if changed { forget(world) } else { Ok(()) }
    }

    /// Writes what differs from what is there; returns for each changed zone its new serial, none if refused.
    fn write_zones(
        &self,
        world: &World,
        server: Host,
        edits: &[Edit],
    ) -> Result<Vec<(String, Ipv4Addr, Option<u32>)>> {
        let dir = world.home(server).join("zones");
        std::fs::create_dir_all(&dir)?;
        let mut fresh = Vec::new();
        let mut served = Vec::new();
        for (name, address, signed, body) in bodies(server, edits)? {
            let file = dir.join(file_name(&name));
            let Some(body) = body else {
                if file.with_extension("body").exists() {
                    std::fs::remove_file(file.with_extension("body"))?;
                    fresh.push((name, address, None));
                }
                continue;
            };
            served.push((name.clone(), address, signed));
            if std::fs::read_to_string(file.with_extension("body")).is_ok_and(|old| old == body) {
                continue;
            }
            let serial = self.serial.fetch_add(1, Ordering::Relaxed) + 1;
            write_zone(&file, &name, signed, &body, serial)?;
            fresh.push((name, address, Some(serial)));
        }
        shell::replace(
            &world.home(server).join("named.conf"),
            &named_conf(world, server, &served),
        )?;
        Ok(fresh)
    }
}

/// Name, address that serves it, signed or not, and records, of each zone that belongs on a server; no records
/// where an edit has taken the zone away.
#[allow(
    clippy::type_complexity,
    reason = "one private caller, which takes it apart at once"
)]
fn bodies(server: Host, edits: &[Edit]) -> Result<Vec<(String, Ipv4Addr, bool, Option<String>)>> {
    if server == Host::Root {
        return Ok(vec![
            (".".to_owned(), ROOT_ADDRESS, true, Some(root_body()?)),
            ("test".to_owned(), TEST_ADDRESS, true, Some(test_body(edits)?)),
        ]);
    }
    let address = server.address().parse()?;
    Ok(zones()
        .map(|zone| {
            (
                zone.name.to_owned(),
                address,
                zone.signed,
                client_body(zone, server, edits),
            )
        })
        .collect())
}

fn root_body() -> Result<String> {
    let mut body = format!("@ NS a.root.\na.root. A {ROOT_ADDRESS}\ntest. NS a.nic.test.\n");
    body += &format!("a.nic.test. A {TEST_ADDRESS}\n{}", ds_of("test")?);
    for zone in zones().filter(|zone| zone.name.ends_with(REVERSE)) {
        for server in zone.servers {
            body += &format!("{}. NS {server}\n", zone.name);
        }
    }
    Ok(body)
}

fn test_body(edits: &[Edit]) -> Result<String> {
    let mut body = "@ NS a.nic\n".to_owned();
    for zone in zones().filter(|zone| !zone.name.ends_with(REVERSE)) {
        let gone = |edit: &Edit| matches!(edit, Edit::Undelegate { zone: name } if name == zone.name);
        if edits.iter().any(gone) {
            continue;
        }
        for server in zone.servers {
            body += &format!("{}. NS {server}\n", zone.name);
        }
        let bogus = |edit: &Edit| matches!(edit, Edit::BogusDs { zone: name } if name == zone.name);
        if edits.iter().any(bogus) {
            body += &format!("{}. DS 4711 13 2 {}\n", zone.name, "ab".repeat(32));
        } else if zone.signed {
            body += &ds_of(zone.name)?;
        }
    }
    for glue in GLUE {
        body += &format!("{glue}\n");
    }
    Ok(body)
}

fn client_body(zone: &Zone, server: Host, edits: &[Edit]) -> Option<String> {
    let mut records: Vec<String> = zone.servers.iter().map(|name| format!("@ NS {name}")).collect();
    records.extend(zone.records.iter().map(ToString::to_string));
    for edit in edits {
        match edit {
            Edit::Unserve { zone: name, servers } if name == zone.name && servers.contains(&server) => {
                return None;
            }
            Edit::Records {
                zone: name,
                remove,
                add,
                servers,
            } if name == zone.name && servers.contains(&server) => {
                records.retain(|record| !remove.iter().any(|start| record.starts_with(start.as_str())));
                records.extend(add.iter().cloned());
            }
            _ => {}
        }
    }
    Some(records.join("\n") + "\n")
}

fn write_zone(file: &Path, name: &str, signed: bool, body: &str, serial: u32) -> Result<()> {
    let origin = if name == "." {
        ".".to_owned()
    } else {
        format!("{name}.")
    };
    let soa = format!("@ SOA a.nic.test. hostmaster.msp.test. {serial} 3600 600 86400 2");
    let plain = file.with_extension("db");
    std::fs::write(&plain, format!("$ORIGIN {origin}\n$TTL {TTL}\n{soa}\n{body}"))?;
    if signed {
        let served = file.with_extension("signed");
        let mut sign = std::process::Command::new("dnssec-signzone");
        sign.args(["-q", "-S", "-K"])
            .arg(keys_dir(name))
            .arg("-d")
            .arg(file.parent().unwrap_or(file));
        shell::output(sign.args(["-o", &origin, "-f"]).arg(&served).arg(&plain))?;
    }
    std::fs::write(file.with_extension("body"), body)?;
    Ok(())
}

fn named_conf(world: &World, server: Host, served: &[(String, Ipv4Addr, bool)]) -> String {
    let home = world.home(server);
    let zone = |(name, _, signed): &(String, Ipv4Addr, bool)| {
        let extension = if *signed { "signed" } else { "db" };
        let file = home.join("zones").join(file_name(name)).with_extension(extension);
        format!(
            "zone \"{name}\" {{ type primary; file \"{}\"; }};\n",
            file.display()
        )
    };
    let zones: String = if server == Host::Root {
        // The root and test. must not share an address: a resolver would take answers of the one for the other's.
        served
            .iter()
            .map(|entry| {
                let (address, zone) = (entry.1, zone(entry));
                format!("view \"{address}\" {{ match-destinations {{ {address}; }};\n{zone}}};\n")
            })
            .collect()
    } else {
        served.iter().map(zone).collect()
    };
    format!(
        include_str!("templates/named.conf"),
        home = home.display(),
        key = key_file().display()
    ) + &zones
}

/// Has a running name server load its zones, and waits until it serves them.
fn load(world: &World, server: Host, fresh: &[(String, Ipv4Addr, Option<u32>)]) -> Result<()> {
    for verb in ["reconfig", "reload"] {
        let mut rndc = world.on(server, "rndc");
        shell::output(rndc.args(["-s", "127.0.0.1", "-k"]).arg(key_file()).arg(verb))?;
    }
    for (name, address, serial) in fresh {
        shell::wait_for(
            &format!("{name} on {}", server.name()),
            Duration::from_secs(5),
            || {
                let mut dig = world.on(server, "dig");
                dig.args([
                    "+norec",
                    "+time=1",
                    "+tries=1",
                    &format!("@{address}"),
                    name,
                    "SOA",
                ]);
                shell::output(&mut dig).is_ok_and(|said| match serial {
                    Some(serial) => said.contains(&format!(" hostmaster.msp.test. {serial} ")),
                    None => said.contains("REFUSED"),
                })
            },
        )?;
    }
    Ok(())
}

/// Empties the resolver's memory; one that is not running has none.
fn forget(world: &World) -> Result<()> {
    if !is_running(world, Host::Resolver) {
        return Ok(());
    }
    for what in [["flush_zone", "."], ["flush_infra", "all"]] {
        let mut control = world.on(Host::Resolver, "unbound-control");
        control
            .arg("-c")
            .arg(world.home(Host::Resolver).join("unbound.conf"))
            .args(what);
        shell::output(&mut control)?;
    }
    Ok(())
}

fn is_running(world: &World, host: Host) -> bool {
    shell::pid(&world.home(host).join("pid")).is_ok_and(shell::alive)
}

/// Starts a name server with the zones that have been written for it.
pub fn start_authority(world: &World, host: Host) -> Result<()> {
    let home = world.home(host);
    let mut named = world.on(host, "named");
    shell::detach(
        named.arg("-c").arg(home.join("named.conf")),
        &home.join("start.log"),
    )?;
    wait_to_listen(world, host)
}

/// Starts the monitor's validating resolver.
pub fn start_resolver(world: &World, host: Host) -> Result<()> {
    let home = world.home(host);
    let config = home.join("unbound.conf");
    let hints = home.join("root.hints");
    std::fs::write(
        &hints,
        format!(". 3600000 NS a.root.\na.root. 3600000 A {ROOT_ADDRESS}\n"),
    )?;
    let text = format!(
        include_str!("templates/unbound.conf"),
        home = home.display(),
        address = host.address(),
        anchor = root_key()?.display()
    );
    std::fs::write(&config, text)?;
    let mut unbound = world.on(host, "unbound");
    shell::detach(unbound.arg("-c").arg(&config), &home.join("start.log"))?;
    wait_to_listen(world, host)
}

fn wait_to_listen(world: &World, host: Host) -> Result<()> {
    shell::wait_for(
        &format!("{} to listen", host.name()),
        Duration::from_secs(10),
        || {
            let mut listening = world.on(host, "ss");
            is_running(world, host)
                && shell::output(listening.args(["-Hlun", "sport = :53"]))
                    .is_ok_and(|sockets| !sockets.is_empty())
        },
    )
}

/// Makes the keys of the signed zones and of remote control, once for all worlds.
pub fn make_keys() -> Result<()> {
    let signed = zones().filter(|zone| zone.signed).map(|zone| zone.name);
    for name in [".", "test"].into_iter().chain(signed) {
        let dir = keys_dir(name);
        std::fs::create_dir_all(&dir)?;
        let dir = dir.to_string_lossy().into_owned();
        for kind in [&["-f", "KSK"][..], &[]] {
            let common = ["-q", "-a", "ECDSAP256SHA256", "-K", &dir];
            shell::run("dnssec-keygen", common.iter().chain(kind).chain(&[name]))?;
        }
    }
    std::fs::write(key_file(), shell::run("tsig-keygen", ["rndc-key"])?)?;
    Ok(())
}

/// The DS record of a signed zone.
fn ds_of(name: &str) -> Result<String> {
    let key = key_signing_key(&keys_dir(name))?;
    shell::run("dnssec-dsfromkey", ["-2", &key.to_string_lossy()])
}

/// The public key of the root that the resolver (or a validating daemon) trusts.
pub fn root_key() -> Result<PathBuf> {
    key_signing_key(&keys_dir("."))
}

fn key_signing_key(dir: &Path) -> Result<PathBuf> {
    std::fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "key"))
        .find(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("DNSKEY 257")))
        .with_context(|| format!("no key-signing key in {}", dir.display()))
}

fn keys_dir(name: &str) -> PathBuf {
    Path::new(BASE).join("keys").join(file_name(name))
}

fn key_file() -> PathBuf {
    Path::new(BASE).join("keys").join("rndc.key")
}

/// A name for files: dots would be taken for extensions.
fn file_name(zone: &str) -> String {
    if zone == "." {
        "root".to_owned()
    } else {
        zone.replace('.', "_")
    }
}
