//! Who is who in the lab's small internet: one table of hosts, what they are called, where they hang, what
//! they run. Every world has the same hosts with the same addresses.

use serde::Deserialize;

/// What every host calls its own end of the line to its parent; the other end bears the host's name.
pub const LINE: &str = "uplink";

/// A machine of the lab, one network namespace each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// The router between everybody: "the internet".
    Core,
    /// The monitor, where the daemon under test runs.
    Mon,
    /// The monitor's own validating resolver.
    Resolver,
    /// Serves the root and `test.`, each on its own address.
    Root,
    /// First name server of every client zone, with one address for each of two name server sets.
    Ns1,
    /// Second name server.
    Ns2,
    /// Always answers; the daemon's witness that its own uplink works.
    Anchor,
    /// A second witness.
    Anchor2,
    /// ACME's router, with its network behind it.
    AcmeRouter,
    /// ACME's mail server (Postfix).
    AcmeMx,
    /// BETA's router.
    BetaRouter,
    /// BETA's mail server (Exim).
    BetaMx,
    /// First MX of the shared provider (Postfix).
    BigMx1,
    /// Second MX of the shared provider (Postfix).
    BigMx2,
    /// A partner organisation's mail server (Exim).
    PartnerMx,
    /// A web server, where beta.test publishes its MTA-STS policy if a fault has it do so.
    Web,
}

/// What a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A validating unbound.
    Resolver,
    /// BIND with the zones that belong on this host.
    Authority,
    /// Postfix on 25 and 587.
    Postfix,
    /// Exim on 25 and 587.
    Exim,
    /// What a router offers to its administrator: a page on 443, and an SNMP agent.
    Router,
    /// Files over HTTPS.
    Web,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Facts {
    /// The host.
    pub host: Host,
    /// As in scenario files and namespace names.
    pub name: &'static str,
    /// The host that it hangs on.
    pub parent: Option<Host>,
    /// Its own addresses; the first is the one that it speaks from.
    pub addresses: &'static [&'static str],
    /// The network that lies behind it.
    pub network: Option<&'static str>,
    /// Its IPv6 address, where it has one.
    pub address6: Option<&'static str>,
    /// The IPv6 network that lies behind it.
    pub network6: Option<&'static str>,
    /// Its name, for a mail server.
    pub mail_name: &'static str,
    /// What it runs.
    pub service: Option<Service>,
}

const fn leaf(host: Host, name: &'static str, addresses: &'static [&'static str]) -> Facts {
    Facts {
        host,
        name,
        parent: Some(Host::Core),
        addresses,
        network: None,
        address6: None,
        network6: None,
        mail_name: "",
        service: None,
    }
}

const fn mail(facts: Facts, mail_name: &'static str, service: Service) -> Facts {
    Facts {
        mail_name,
        service: Some(service),
        ..facts
    }
}

/// All hosts, parents before children.
pub const HOSTS: [Facts; 16] = [
    Facts {
        parent: None,
        address6: Some("2001:db8::1"),
        ..leaf(Host::Core, "core", &["192.0.2.1"])
    },
    Facts {
        address6: Some("2001:db8::10"),
        ..leaf(Host::Mon, "mon", &["192.0.2.10"])
    },
    Facts {
        service: Some(Service::Resolver),
        ..leaf(Host::Resolver, "resolver", &["192.0.2.52"])
    },
    Facts {
        service: Some(Service::Authority),
        ..leaf(Host::Root, "root", &["192.0.2.2", "192.0.2.3"])
    },
    Facts {
        service: Some(Service::Authority),
        ..leaf(Host::Ns1, "ns1", &["192.0.2.21", "192.0.2.31"])
    },
    Facts {
        service: Some(Service::Authority),
        ..leaf(Host::Ns2, "ns2", &["192.0.2.22", "192.0.2.32"])
    },
    mail(
        leaf(Host::Anchor, "anchor", &["192.0.2.200"]),
        "anchor.msp.test",
        Service::Exim,
    ),
    mail(
        leaf(Host::Anchor2, "anchor2", &["203.0.113.250"]),
        "anchor2.msp.test",
        Service::Exim,
    ),
    Facts {
        network: Some("198.51.100.0/26"),
        service: Some(Service::Router),
        ..leaf(Host::AcmeRouter, "acme-router", &["198.51.100.1"])
    },
    Facts {
        parent: Some(Host::AcmeRouter),
        ..mail(
            leaf(Host::AcmeMx, "acme-mx", &["198.51.100.10"]),
            "mx.acme.test",
            Service::Postfix,
        )
    },
    Facts {
        network: Some("203.0.113.0/26"),
        address6: Some("2001:db8:b::1"),
        network6: Some("2001:db8:b::/64"),
        service: Some(Service::Router),
        ..leaf(Host::BetaRouter, "beta-router", &["203.0.113.1"])
    },
    Facts {
        parent: Some(Host::BetaRouter),
        address6: Some("2001:db8:b::10"),
        ..mail(
            leaf(Host::BetaMx, "beta-mx", &["203.0.113.10"]),
            "mx.beta.test",
            Service::Exim,
        )
    },
    mail(
        leaf(Host::BigMx1, "big-mx1", &["192.0.2.101"]),
        "mx1.bigmail.test",
        Service::Postfix,
    ),
    mail(
        leaf(Host::BigMx2, "big-mx2", &["192.0.2.102"]),
        "mx2.bigmail.test",
        Service::Postfix,
    ),
    mail(
        leaf(Host::PartnerMx, "partner-mx", &["203.0.113.200"]),
        "mx.partner.test",
        Service::Exim,
    ),
    Facts {
        service: Some(Service::Web),
        ..leaf(Host::Web, "web", &["192.0.2.80"])
    },
];

impl Host {
    /// The host's row of the table.
    pub fn facts(self) -> &'static Facts {
        // The table is in the order of the enum; a test of the world's own start would show if it were not.
        &HOSTS[self as usize]
    }

    /// As in scenario files and namespace names.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The address that it speaks from.
    pub fn address(self) -> &'static str {
        self.facts().addresses[0]
    }

    /// Every host that has a parent.
    pub fn with_lines() -> impl Iterator<Item = (Self, Self)> {
        HOSTS.iter().filter_map(|facts| Some((facts.host, facts.parent?)))
    }
}
