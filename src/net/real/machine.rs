//! What this machine knows of itself: routes, resolvers, name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::model::DomainName;
use crate::net::{Routes, USUAL_PLACES};

/// `RTF_UP` and `RTF_REJECT` of Linux's `route.h`.
const UP: u32 = 0x0001;
const REJECT: u32 = 0x0200;

/// As many probes as are ever of use at a time: with half a minute for each that nobody answers, more than a hundred begin
/// each second even when nobody answers at all.
const MOST_PLACES: usize = 4000;
/// Even where descriptors are short, as many probes are tried: those that get none say so.
const FEWEST_PLACES: usize = 16;
/// Descriptors that the rest of the process may take.
const FOR_THE_REST: u64 = 224;
/// More than [`MOST_PLACES`] and the rest ever take.
const MOST_DESCRIPTORS: u64 = 16 * 1024;

/// A system's resolvers beyond this many are never asked by anybody (resolv.conf(5), `MAXNS`).
const MOST_RESOLVERS: usize = 3;

/// Whether this machine has default routes. Where it cannot be told, it is taken to have one: nobody is to be
/// called offline for want of a file.
pub(super) fn default_routes() -> Routes {
    Routes {
        v4: std::fs::read_to_string("/proc/net/route").map_or(true, |table| default_v4(&table)),
        // The file is missing exactly where the kernel has no IPv6.
        v6: std::fs::read_to_string("/proc/net/ipv6_route").is_ok_and(|table| default_v6(&table)),
    }
}

/// Reads `/proc/net/route`: interface, destination, gateway, flags, three counters, mask (the numbers in hex).
fn default_v4(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        matches!(columns.as_slice(), [_, "00000000", _, flags, _, _, _, "00000000", ..] if usable(flags))
    })
}

/// Reads `/proc/net/ipv6_route`: destination, prefix length, source, its length, next hop, metric, two
/// counters, flags, interface (the numbers in hex).
fn default_v6(table: &str) -> bool {
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        matches!(
            columns.as_slice(),
            [to, "00", _, _, _, _, _, _, flags, interface]
                if to.bytes().all(|digit| digit == b'0') && *interface != "lo" && usable(flags)
        )
    })
}

fn usable(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & UP != 0 && flags & REJECT == 0)
}

/// Raises this process's limit of descriptors as far as it may be and is of use, and gives how many probes that leaves
/// places for.
pub(super) fn places() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return USUAL_PLACES;
    };
    let wanted = hard.min(MOST_DESCRIPTORS);
    // A service manager may give enough, and forbid to change it.
    let raised = wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    places_within(if raised { wanted } else { soft })
}

/// Half of the descriptors, as a probe may take more than one, after what doors, notifiers and the store may take.
fn places_within(descriptors: u64) -> usize {
    let left = usize::try_from(descriptors.saturating_sub(FOR_THE_REST)).unwrap_or(usize::MAX);
    (left / 2).clamp(FEWEST_PLACES, MOST_PLACES)
}

/// The resolvers that this machine is set up to use, in order; empty where it has none.
pub fn system_resolvers() -> Vec<SocketAddr> {
    let Ok((config, _)) = hickory_resolver::system_conf::read_system_conf() else {
        return Vec::new();
    };
    let mut servers: Vec<SocketAddr> = Vec::new();
    for server in config.name_servers {
        let address = SocketAddr::new(server.ip, 53);
        if !servers.contains(&address) && servers.len() < MOST_RESOLVERS {
            servers.push(address);
        }
    }
    servers
}

/// The address that this machine speaks from to the outside; `None` without a way there. Nothing is sent.
pub fn local_address() -> Option<IpAddr> {
    let outside: [(SocketAddr, SocketAddr); 2] = [
        (
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 25)),
        ),
        (
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 25)),
        ),
    ];
    outside.into_iter().find_map(|(from, to)| {
        let socket = std::net::UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    })
}

/// This machine's fully qualified name, where its host name has a dot or `/etc/hosts` gives one.
pub fn local_fqdn() -> Option<DomainName> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    qualified(host.trim(), &hosts)
}

fn qualified(host: &str, hosts: &str) -> Option<DomainName> {
    let fit = |name: &str| {
        let outside = name.contains('.') && !name.starts_with("localhost");
        DomainName::parse(name).ok().filter(|_| outside)
    };
    // By the rule of hosts(5) the first name of a line is the canonical one.
    fit(host).or_else(|| {
        hosts
            .lines()
            .filter_map(|line| line.split('#').next())
            .map(|line| line.split_ascii_whitespace().skip(1).collect::<Vec<_>>())
            .find(|names| names.contains(&host))
            .and_then(|names| fit(names.first()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_probes_run_as_there_are_descriptors_for() {
        for (descriptors, places) in [
            (64, FEWEST_PLACES),
            (1024, USUAL_PLACES),
            (4096, 1936),
            (MOST_DESCRIPTORS, MOST_PLACES),
            (u64::MAX, MOST_PLACES),
        ] {
            assert_eq!(places_within(descriptors), places, "{descriptors}");
        }
    }

    const HEADER: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    #[test]
    fn the_ipv4_default_route_is_found() {
        let table = |line: &str| format!("{HEADER}{line}");
        assert!(default_v4(&table(
            "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        )));
        // A route to one network, a rejecting default, one that is not up, and half the internet.
        assert!(!default_v4(&table(
            "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        )));
        assert!(!default_v4(&table(
            "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"
        )));
        assert!(!default_v4(&table(
            "eth0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n"
        )));
        assert!(!default_v4(&table(
            "tun0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
        )));
        assert!(!default_v4(HEADER));
        assert!(!default_v4(""));
    }

    #[test]
    fn the_ipv6_default_route_is_found() {
        let zero = "00000000000000000000000000000000";
        let hop = "fe800000000000000000000000000001";
        let line = |flags: &str, interface: &str| {
            format!("{zero} 00 {zero} 00 {hop} 00000400 00000001 00000000 {flags} {interface}\n")
        };
        assert!(default_v6(&line("00000003", "eth0")));
        assert!(!default_v6(&line("00200200", "lo")));
        assert!(!default_v6(&line("00200200", "eth0")));
        assert!(!default_v6(&line("0000", "eth0 surplus")));
        assert!(!default_v6(""));
    }

    #[test]
    fn the_full_name_comes_from_the_host_name_or_the_hosts_file() {
        let name = |host, hosts| qualified(host, hosts).map(|name| name.to_string());
        assert_eq!(name("probe.msp.example", ""), Some("probe.msp.example".into()));
        let hosts = "127.0.0.1 localhost\n127.0.1.1 probe.msp.example probe # ours\n";
        assert_eq!(name("probe", hosts), Some("probe.msp.example".into()));
        assert_eq!(name("probe", "127.0.1.1 probe\n"), None);
        assert_eq!(
            name("localhost", "127.0.0.1 localhost.localdomain localhost\n"),
            None
        );
        assert_eq!(name("192.0.2.1", ""), None);
    }
}
