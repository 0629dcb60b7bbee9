//! The simulated world: what there is, and what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::fault::{CanaryIs, SenderIs};
use super::run::start;
use crate::model::dns::ZoneLook;
use crate::model::policy::{PolicyPart, TlsaRecord};
use crate::model::snmp::SnmpFailure;
use crate::model::tls::{CertificateHashes, ChainVerdict};
use crate::model::{Evidence, SmtpStage};

/// How a mail server is.
#[derive(Debug, Clone, PartialEq)]
pub enum Server {
    Up,
    /// The machine lives, nothing listens.
    Stopped,
    /// The machine is away.
    LineDown,
    /// The machine lives; what is sent to its port is dropped.
    Filtered,
    /// A firewall says that its port is prohibited.
    Prohibited,
    /// We cannot even try: our own machine has no descriptor left.
    Untriable,
    /// It takes connections and says nothing.
    Silent,
    /// It greets with this.
    Greets(&'static str),
    /// At a later stage it says this.
    Says(SmtpStage, &'static str),
    /// It closes where the reply of a stage is due.
    Closes(SmtpStage),
    /// It says nothing where the reply of a stage is due.
    FallsSilent(SmtpStage),
    /// The reply of a stage takes so long.
    Drags(SmtpStage, Duration),
    Babbles,
    /// It offers no STARTTLS.
    Plain,
    /// A firewall overwrites what it offers.
    Masked,
    /// The TLS handshake fails, with this alert.
    NoHandshake(Option<&'static str>),
}

/// How the name servers of a domain are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NameServers {
    Up,
    OneDown,
    /// One answers without authority.
    OneLame,
    /// One has another MX record than the other.
    Disagreeing,
    Refusing,
    Down,
    /// Down, and our resolver says so (RFC 8914, code 22).
    Unreachable,
    /// They answer, and their signatures do not verify.
    Bogus,
}

impl NameServers {
    pub(super) fn are_silent(self) -> bool {
        matches!(self, Self::Down | Self::Unreachable)
    }
}

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that a test turns")]
pub struct World {
    pub uplink: bool,
    /// Our own cable is out: like a dead uplink, but our kernel says so at once, and the routes are gone.
    pub cut: bool,
    pub port25: bool,
    pub resolver: bool,
    /// Our resolver answers, but fails at every question.
    pub resolver_fails: bool,
    /// Our own machine has a way to the IPv6 internet.
    pub ipv6: bool,
    /// The address that we speak from, where it matters.
    pub source: Option<IpAddr>,
    pub routers: BTreeMap<&'static str, bool>,
    pub router_pings: bool,
    pub servers: BTreeMap<&'static str, Server>,
    pub mx: BTreeMap<&'static str, Vec<&'static str>>,
    pub missing: BTreeSet<&'static str>,
    pub hosts: BTreeMap<&'static str, Vec<&'static str>>,
    /// Hosts that are aliases, and of what.
    pub aliases: BTreeMap<&'static str, &'static str>,
    pub name_servers: BTreeMap<&'static str, NameServers>,
    /// Hosts that our resolver remembers as ones whose name servers fail.
    pub remembered: BTreeSet<&'static str>,
    /// SIZE and 8BITMIME, as every server offers them.
    pub offered: (Option<u64>, bool),
    /// The last closer look at a domain's zone.
    pub closer: BTreeMap<&'static str, ZoneLook>,
    pub certificates: BTreeMap<&'static str, (ChainVerdict, &'static str, i64)>,
    /// What stands in DNS in place of what is in order.
    pub policies: BTreeMap<(&'static str, PolicyPart), Evidence>,
    /// TLSA records by host, for which everything is signed.
    pub tlsa: BTreeMap<&'static str, TlsaRecord>,
    /// What the certificates of servers hash to.
    pub keys: BTreeMap<&'static str, CertificateHashes>,
    /// How services are, by their port; `Up` where nothing is said.
    pub services: BTreeMap<u16, Server>,
    /// The certificate that services show: for which name, and for how many days.
    pub service_certificate: (ChainVerdict, Option<&'static str>, i64),
    pub list: List,
    /// What a server says when it is asked for a recipient, and at which stage; nothing: it takes everybody.
    pub asked: BTreeMap<&'static str, (SmtpStage, &'static str)>,
    /// What becomes of canaries; nothing: they arrive.
    pub canary: Option<CanaryIs>,
    /// What is wrong with a sending address.
    pub senders: BTreeMap<&'static str, SenderIs>,
    /// How many of a round's five pings are lost on the way to a router, by its address.
    pub lossy: BTreeMap<&'static str, usize>,
    /// How long pings to a router take.
    pub slow: BTreeMap<&'static str, Duration>,
    /// How many of a round's five pings our own line loses, and how much longer each takes.
    pub own_line: (usize, Duration),
    /// The SNMP agents of routers, by address: when each started, or why it says nothing.
    pub agents: BTreeMap<&'static str, Result<Timestamp, SnmpFailure>>,
    /// The time, for what counts it.
    pub(super) clock: Timestamp,
}

/// How the blocklist is.
#[derive(Debug, Clone, PartialEq)]
pub enum List {
    /// It lists these.
    Of(Vec<&'static str>),
    /// It lists everything.
    Everything,
    /// It turns our questions away.
    Refusing,
}

impl World {
    pub fn healthy() -> Self {
        Self {
            uplink: true,
            cut: false,
            port25: true,
            resolver: true,
            resolver_fails: false,
            ipv6: false,
            source: None,
            routers: [("198.51.100.1", true), ("203.0.113.1", true)].into(),
            router_pings: true,
            servers: [
                "198.51.100.10",
                "198.51.100.11",
                "203.0.113.10",
                "192.0.2.61",
                "192.0.2.62",
                "192.0.2.71",
                "192.0.2.81",
            ]
            .map(|address| (address, Server::Up))
            .into(),
            mx: [
                ("acme.test", vec!["mx.acme.test"]),
                ("acme-shop.test", vec!["mx.acme.test"]),
                ("beta.test", vec!["mx.beta.test"]),
                ("strict.test", vec!["mx.strict.test"]),
                ("partner.test", vec!["mx.partner.test"]),
                ("gamma.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
                ("delta.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
                ("epsilon.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
                ("zeta.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
            ]
            .into(),
            missing: BTreeSet::new(),
            hosts: [
                ("mx.acme.test", vec!["198.51.100.10"]),
                ("mx.beta.test", vec!["203.0.113.10"]),
                ("mail.acme.test", vec!["198.51.100.11"]),
                ("mx.strict.test", vec!["192.0.2.71"]),
                ("mx.partner.test", vec!["192.0.2.81"]),
                ("mx1.bigmail.test", vec!["192.0.2.61"]),
                ("mx2.bigmail.test", vec!["192.0.2.62"]),
            ]
            .into(),
            aliases: BTreeMap::new(),
            name_servers: BTreeMap::new(),
            remembered: BTreeSet::new(),
            offered: (Some(50_000_000), true),
            closer: BTreeMap::new(),
            certificates: BTreeMap::new(),
            policies: BTreeMap::new(),
            tlsa: BTreeMap::new(),
            keys: BTreeMap::new(),
            services: BTreeMap::new(),
            service_certificate: (ChainVerdict::Trusted, None, 90),
            list: List::Of(vec![]),
            asked: BTreeMap::new(),
            canary: None,
            senders: BTreeMap::new(),
            lossy: BTreeMap::new(),
            slow: BTreeMap::new(),
            own_line: (0, Duration::ZERO),
            agents: BTreeMap::new(),
            clock: start(),
        }
    }

    pub(super) fn up(&self) -> bool {
        self.uplink && !self.cut
    }

    pub(super) fn router_up(&self, address: IpAddr) -> bool {
        let address = address.to_string();
        let Some((prefix, _)) = address.rsplit_once('.') else {
            // No router that is watched stands in front of IPv6.
            return true;
        };
        self.routers
            .iter()
            .all(|(router, up)| *up || !router.starts_with(prefix))
    }

    pub(super) fn reaches(&self, address: IpAddr) -> bool {
        self.up() && self.router_up(address)
    }

    pub(super) fn server(&self, address: IpAddr) -> Server {
        self.servers
            .get(address.to_string().as_str())
            .cloned()
            .unwrap_or(Server::LineDown)
    }
}
