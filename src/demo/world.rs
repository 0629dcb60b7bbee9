//! The demo's world, from its data: who there is, what DNS says of them, and how their servers answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::pki::{Authority, Life};
use super::script::Fault;
use crate::config::value::duration;
use crate::model::dns::ExtendedError;
use crate::net::FakeNet;
use crate::net::fake::{DnsMode, MailServer, Peer, Reach, Uplink, ZoneError};

const DATA: &str = include_str!("world.toml");

/// The resolver that is asked.
pub(super) const RESOLVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 53));
/// The name server above all zones.
const REGISTRY: &str = "192.0.2.40";
/// A host of ours elsewhere, the witness that our own line works.
const WITNESS: &str = "192.0.2.200";
/// The address that the fake net gives us.
const OURSELVES: &str = "192.0.2.7";
/// How long a certificate is good for that nothing is wrong with, in days.
const USUAL_LIFE: i64 = 80;

/// Who there is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct World {
    name_servers: Vec<IpAddr>,
    providers: Vec<Provider>,
    pub(super) clients: Vec<Client>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    name: String,
    contact: String,
    hosts: Vec<Server>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    name: String,
    pub(super) domains: Vec<String>,
    contact: String,
    tls: Option<String>,
    #[serde(default)]
    name_servers: Vec<IpAddr>,
    router: Option<Router>,
    server: Option<Server>,
    provider: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Router {
    name: String,
    address: IpAddr,
    contact: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    name: String,
    address: IpAddr,
    #[serde(deserialize_with = "span")]
    latency: Duration,
    days_left: Option<i64>,
}

/// A span of time as the configuration writes it: `75s`, `2m20s`.
pub(super) fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration::parse(&text).map_err(serde::de::Error::custom)
}

impl World {
    /// As the data says.
    ///
    /// # Errors
    /// When the data is wrong, a mistake of ours.
    pub(super) fn read() -> anyhow::Result<Self> {
        Ok(toml::from_str(DATA)?)
    }

    /// Everybody who takes mail.
    fn servers(&self) -> impl Iterator<Item = &Server> {
        let hosted = self.providers.iter().flat_map(|provider| &provider.hosts);
        hosted.chain(self.clients.iter().filter_map(|client| client.server.as_ref()))
    }

    /// The hosts that take a client's mail, in order of preference.
    fn mail_hosts<'a>(&'a self, client: &'a Client) -> Vec<&'a Server> {
        let named = |provider: &&Provider| Some(&provider.name) == client.provider.as_ref();
        match &client.server {
            Some(server) => vec![server],
            None => self
                .providers
                .iter()
                .filter(named)
                .flat_map(|one| &one.hosts)
                .collect(),
        }
    }

    /// Every address that answers DNS.
    pub(super) fn dns_servers(&self) -> Vec<IpAddr> {
        let registry = REGISTRY.parse().ok();
        let own = self.clients.iter().flat_map(|client| &client.name_servers);
        let all = self.name_servers.iter().chain(own).copied();
        all.chain([RESOLVER]).chain(registry).collect()
    }

    /// What DNS says.
    fn zones(&self) -> String {
        let mut text = format!(
            "example. 60 SOA 1 60\nexample. 5 NS ns.nic.example.\nns.nic.example. 5 A {REGISTRY}\n\
             probe.msp.example. 5 A {OURSELVES}\n7.2.0.192.in-addr.arpa. 5 PTR probe.msp.example.\n"
        );
        for server in self.servers() {
            let _ = writeln!(text, "{}. 5 A {}", server.name, server.address);
        }
        for client in &self.clients {
            for domain in &client.domains {
                self.zone(client, domain, &mut text);
            }
        }
        text
    }

    fn zone(&self, client: &Client, domain: &str, text: &mut String) {
        let servers = if client.name_servers.is_empty() {
            &self.name_servers
        } else {
            &client.name_servers
        };
        let _ = writeln!(text, "{domain}. 60 SOA 1 5 ns1.{domain}. 3600 600");
        for (number, address) in (1..).zip(servers) {
            let _ = writeln!(
                text,
                "{domain}. 5 NS ns{number}.{domain}.\nns{number}.{domain}. 5 A {address}"
            );
        }
        for (number, host) in (1..).zip(self.mail_hosts(client)) {
            let _ = writeln!(text, "{domain}. 5 MX {number}0 {}.", host.name);
        }
        let _ = writeln!(
            text,
            "{domain}. 60 TXT \"v=spf1 mx -all\"\n_dmarc.{domain}. 60 TXT \"v=DMARC1; p=reject\""
        );
    }

    /// The configuration of a daemon that watches all of this.
    pub(super) fn configuration(&self, listen: &str, hook: &str) -> String {
        let mut text = format!(
            include_str!("config.toml"),
            listen = listen,
            hook = hook,
            witness = WITNESS,
            resolver = RESOLVER,
        );
        for provider in &self.providers {
            let hosts: Vec<&str> = provider.hosts.iter().map(|host| host.name.as_str()).collect();
            let (name, contact) = (quoted(&provider.name), quoted(&provider.contact));
            let _ = writeln!(
                text,
                "[[providers]]\nname = {name}\nmx = {hosts:?}\ncontact = {contact}"
            );
        }
        for client in &self.clients {
            client.configuration(&mut text);
        }
        text
    }
}

impl Client {
    fn configuration(&self, text: &mut String) {
        let (name, contact) = (quoted(&self.name), quoted(&self.contact));
        let _ = writeln!(text, "[[clients]]\nname = {name}\ncontact = {contact}");
        if let Some(router) = &self.router {
            let (address, contact) = (router.address, quoted(&router.contact));
            let behind = self.server.as_ref().map_or(address, |server| server.address);
            let _ = writeln!(
                text,
                "[[clients.gateways]]\nname = {}\naddress = \"{address}\"\nnetworks = [\"{address}\", \"{behind}\"]\n\
                 checks = [\"ping\"]\ncontact = {contact}",
                quoted(&router.name)
            );
        }
        for domain in &self.domains {
            let _ = writeln!(text, "[[clients.domains]]\nname = \"{domain}\"");
            if let Some(tls) = &self.tls {
                let _ = writeln!(text, "tls = \"{tls}\"");
            }
        }
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The world, alive: what is asked there, and what can be broken in it.
#[derive(Clone)]
pub(super) struct Living {
    pub(super) net: FakeNet,
    authority: Arc<Authority>,
    servers: BTreeMap<String, (IpAddr, MailServer)>,
}

impl Living {
    /// Brings everybody up, in good order.
    ///
    /// # Errors
    /// When the data is wrong, or no certificate can be made.
    pub(super) fn new(world: &World, net: FakeNet, authority: Authority) -> anyhow::Result<Self> {
        net.load(&world.zones())
            .map_err(|error: ZoneError| anyhow::anyhow!(error))?;
        net.resolver(RESOLVER);
        for address in world.dns_servers() {
            net.set_latency(address, Duration::from_millis(4));
        }
        if let Ok(witness) = WITNESS.parse::<IpAddr>() {
            net.set_latency(witness, Duration::from_millis(3));
            net.listen((witness, 25), Peer::mail("witness.msp.example"));
        }
        let mut servers = BTreeMap::new();
        for server in world.servers() {
            let life = Life::Days(server.days_left.unwrap_or(USUAL_LIFE));
            let tls = authority.server(&server.name, life)?;
            let mail = MailServer::new(&server.name).with_tls(tls);
            net.set_latency(server.address, server.latency);
            net.listen((server.address, 25), Peer::Mail(Box::new(mail.clone())));
            servers.insert(server.name.clone(), (server.address, mail));
        }
        for (client, router) in world
            .clients
            .iter()
            .filter_map(|one| Some((one, one.router.as_ref()?)))
        {
            let latency = client.server.as_ref().map(|server| server.latency);
            net.set_latency(router.address, latency.unwrap_or_default());
        }
        Ok(Self {
            net,
            authority: Arc::new(authority),
            servers,
        })
    }

    /// Breaks something.
    ///
    /// # Errors
    /// When there is no such server, or no certificate can be made.
    pub(super) fn break_by(&self, fault: &Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Silent { addresses } => self.set_reach(addresses, Reach::Silent),
            Fault::ZoneFails { addresses } => {
                let error = ExtendedError {
                    code: 22,
                    text: String::new(),
                };
                self.set_dns(addresses, &DnsMode::ServFail(vec![error]));
            }
            Fault::Expired { server } => {
                let (_, mail) = self.server(server)?;
                let tls = self.authority.server(server, Life::Over)?;
                self.set_server(server, mail.clone().with_tls(tls))?;
            }
            Fault::Stopped { server } => {
                let (address, _) = self.server(server)?;
                self.net.listen((*address, 25), Peer::Refuse);
            }
            Fault::Greets { server, line } => {
                let (address, _) = self.server(server)?;
                self.net.listen((*address, 25), Peer::greets(line));
            }
            Fault::LineCut => self.net.set_uplink(Uplink::Cut),
            Fault::Port25Filtered => self.net.set_blocked(25, true),
        }
        Ok(())
    }

    /// Heals it.
    ///
    /// # Errors
    /// When there is no such server.
    pub(super) fn heal(&self, fault: &Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Silent { addresses } => self.set_reach(addresses, Reach::Answers),
            Fault::ZoneFails { addresses } => self.set_dns(addresses, &DnsMode::Authoritative),
            Fault::Expired { server } | Fault::Stopped { server } | Fault::Greets { server, .. } => {
                let (_, mail) = self.server(server)?;
                self.set_server(server, mail.clone())?;
            }
            Fault::LineCut => self.net.set_uplink(Uplink::Up),
            Fault::Port25Filtered => self.net.set_blocked(25, false),
        }
        Ok(())
    }

    fn server(&self, name: &str) -> anyhow::Result<&(IpAddr, MailServer)> {
        let found = self.servers.get(name);
        found.ok_or_else(|| anyhow::anyhow!("the demo's world has no server {name}"))
    }

    fn set_server(&self, name: &str, mail: MailServer) -> anyhow::Result<()> {
        let (address, _) = self.server(name)?;
        self.net.listen((*address, 25), Peer::Mail(Box::new(mail)));
        Ok(())
    }

    fn set_reach(&self, addresses: &[IpAddr], reach: Reach) {
        for address in addresses {
            self.net.set_reach(*address, reach);
        }
    }

    fn set_dns(&self, addresses: &[IpAddr], mode: &DnsMode) {
        for address in addresses {
            self.net.set_dns(*address, mode.clone());
        }
    }
}
