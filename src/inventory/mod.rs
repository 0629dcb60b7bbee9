//! Clients, domains, gateways and providers as the daemon knows them: the configuration without its secrets
//! and its layers, every setting settled.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::{self, DnssecMode, ExpectMx, IpNet, ProbeOverrides, ResolvedProbe, TlsPolicy};
use crate::model::{
    Accepted, Anchor, ClientId, DomainName, Endpoint, ProbeKind, Recipient, Service, Subject,
};

mod canaries;
mod providers;
mod routes;

pub use canaries::Canary;
pub use providers::{Provider, Providers};
pub use routes::Route;

/// Where provider-hosted addresses are looked at unless an interval is written anywhere.
const PROVIDER_INTERVAL: Duration = Duration::from_mins(5);

/// Everything that is watched, and from where.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The name of this vantage.
    pub vantage: Arc<str>,
    /// The resolvers that we ask.
    pub resolvers: Arc<[SocketAddr]>,
    /// The configured anchors.
    pub anchors: Vec<Anchor>,
    /// Stand-ins for kinds of anchors that are not configured: asked only when something fails.
    pub witnesses: Vec<Anchor>,
    /// Whether this vantage has a way to the IPv6 internet.
    pub ipv6: bool,
    /// Whether our resolvers are believed when they say that DNSSEC vouches for an answer.
    pub dnssec: bool,
    /// Clients by id.
    pub clients: BTreeMap<ClientId, Client>,
    /// Domains by name, the destinations of routes among them.
    pub domains: BTreeMap<DomainName, Arc<Domain>>,
    /// Routes by client and destination.
    pub routes: routes::Routes,
    /// Who sends to a destination.
    senders_to: BTreeMap<DomainName, BTreeSet<ClientId>>,
    /// Everybody who agreed to be asked for, with the settings for that.
    pub recipients: BTreeMap<Recipient, ResolvedProbe>,
    /// All canaries.
    pub canaries: Vec<Arc<Canary>>,
    /// All gateways.
    pub gateways: Vec<Arc<Gateway>>,
    /// The providers that are recognised.
    pub providers: Providers,
    /// The zones of the blocklists that are asked.
    pub blocklists: Vec<DomainName>,
    /// Settings of blocklist probes.
    pub blocklist_settings: ResolvedProbe,
    /// Settings of the looks at sending addresses.
    pub sender_settings: ResolvedProbe,
    /// How much we ask of other people's servers.
    pub budgets: config::Budgets,
    /// Settings of vantage probes.
    pub vantage_settings: ResolvedProbe,
    /// Settings for hosts and addresses that no domain leads to any more; the built-in ones.
    fallback: ResolvedProbe,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// What people call it.
    pub name: String,
    /// Whom to call there.
    pub contact: Option<String>,
    /// Where its mail leaves from, as configured.
    pub senders: Vec<IpAddr>,
    /// The names that these greet with, where configured.
    pub greets_as: BTreeMap<IpAddr, DomainName>,
}

/// A watched domain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a plain fact, and none excludes another"
)]
pub struct Domain {
    /// The part after @.
    pub name: DomainName,
    /// Whose it is; `None` when `check` was asked without configuration.
    pub client: Option<ClientId>,
    /// The MX hosts that it should have.
    pub expect_mx: Option<ExpectMx>,
    /// Whether mail should reach it.
    pub receives: bool,
    /// Whether mail should leave it.
    pub sends: bool,
    /// Whether senders must not deliver without good TLS.
    pub tls_required: bool,
    /// Services that its people use beside MX, none twice.
    pub services: Vec<Service>,
    /// How it is probed; shared by all that are probed alike.
    pub probes: Arc<Probes>,
    /// The DKIM keys that should be published.
    pub dkim_selectors: Vec<String>,
    /// Known conditions that count neither for its state nor for messages.
    pub accepted: Vec<Accepted>,
    /// It is only where somebody sends mail to: it gets no verdict of its own, and what it publishes about its own
    /// sending is nobody's business here.
    pub is_destination: bool,
    /// Somebody there who agreed to be asked for, where that is asked of the domain itself.
    pub recipient: Option<Box<Recipient>>,
}

/// A client's gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Whose it is.
    pub client: ClientId,
    /// What people call it.
    pub name: Arc<str>,
    /// Where it is.
    pub address: Endpoint,
    /// What lies behind it; empty: its own address.
    pub networks: Vec<IpNet>,
    /// Whether it is pinged.
    pub ping: bool,
    /// TCP ports that are tried.
    pub ports: Vec<u16>,
    /// Whose it is and how to reach them.
    pub contact: Option<String>,
    /// How it is probed.
    pub settings: ResolvedProbe,
}

impl Gateway {
    /// Its subject.
    pub fn subject(&self) -> Subject {
        Subject::Gateway(self.client.clone(), Arc::clone(&self.name))
    }

    /// Whether `address` lies behind it. `resolved` is where its own name leads now, if it is known by name.
    pub fn fronts(&self, address: IpAddr, resolved: Option<IpAddr>) -> bool {
        self.networks.iter().any(|network| network.contains(address)) || self.is_itself(address, resolved)
    }

    /// Whether `address` is the gateway's own: ports are forwarded.
    pub fn is_itself(&self, address: IpAddr, resolved: Option<IpAddr>) -> bool {
        match self.address {
            Endpoint::Address(own) => own == address,
            Endpoint::Name(_) => resolved == Some(address),
        }
    }

    /// As people name it: `hq-router (198.51.100.1)`.
    pub fn label(&self) -> String {
        format!("{} ({})", self.name, self.address)
    }
}

/// Settings by kind of probe.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Probes {
    /// Of its MX records and its hosts' addresses.
    pub dns: ResolvedProbe,
    /// Of its name servers.
    pub nameserver: ResolvedProbe,
    /// Of its mail hosts.
    pub smtp: ResolvedProbe,
    /// Of the machines that these are.
    pub host: ResolvedProbe,
    /// Of what it publishes.
    pub policy: ResolvedProbe,
    /// Of the services that its people use.
    pub service: ResolvedProbe,
}

/// What the machine itself says, for what the configuration leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The system's resolvers.
    pub resolvers: Vec<SocketAddr>,
    /// Whether there is a way to the IPv6 internet.
    pub ipv6: bool,
}

impl Inventory {
    /// Settles a configuration.
    pub fn new(config: &config::Config, surroundings: &Surroundings) -> Self {
        let providers = Providers::new(&config.providers);
        let resolvers = if config.resolver.servers.is_empty() {
            surroundings.resolvers.clone()
        } else {
            config.resolver.servers.clone()
        };
        let clients = config.clients.iter().map(|client| {
            let known = Client {
                id: client.id.clone(),
                name: client.name.clone(),
                contact: client.contact.clone(),
                senders: client
                    .senders
                    .iter()
                    .flat_map(|sender| sender.addresses.iter().copied())
                    .collect(),
                greets_as: greetings(client),
            };
            (client.id.clone(), known)
        });
        let mut inventory = Self {
            vantage: config.vantage.name.as_str().into(),
            resolvers: resolvers.into(),
            witnesses: witnesses(&config.vantage.anchors, &providers),
            anchors: config.vantage.anchors.clone(),
            ipv6: surroundings.ipv6,
            dnssec: config.resolver.dnssec != DnssecMode::Off,
            clients: clients.collect(),
            domains: domains(config),
            routes: BTreeMap::new(),
            senders_to: BTreeMap::new(),
            recipients: BTreeMap::new(),
            canaries: canaries::canaries(config),
            gateways: gateways(config),
            providers,
            blocklists: config.blocklists.iter().map(|list| list.zone.clone()).collect(),
            blocklist_settings: config.probes.resolve(ProbeKind::Blocklist, &[]),
            sender_settings: config.probes.resolve(ProbeKind::Policy, &[]),
            budgets: config.budgets.clone(),
            vantage_settings: config.probes.resolve(ProbeKind::Vantage, &[]),
            fallback: config.probes.resolve(ProbeKind::Smtp, &[]),
        };
        inventory.take_routes(config);
        inventory
    }

    /// Adds a domain that no configuration names, with everybody's settings.
    pub fn add_domain(&mut self, config: &config::Config, name: DomainName) {
        let domain = config::Domain::new(name.clone());
        let settled = || Arc::new(settle_domain(config, None, &domain));
        let known = self.domains.entry(name).or_insert_with(settled);
        if known.is_destination {
            *known = settled();
        }
    }

    /// The domains that are watched for their own sake.
    pub fn watched(&self) -> impl Iterator<Item = &Arc<Domain>> {
        self.domains.values().filter(|domain| !domain.is_destination)
    }

    /// The client's name as people know it.
    pub fn client_name<'a>(&'a self, id: &'a ClientId) -> &'a str {
        self.clients.get(id).map_or(id.as_str(), |client| &client.name)
    }

    /// The gateway that is meant.
    pub fn gateway(&self, client: &ClientId, name: &str) -> Option<&Arc<Gateway>> {
        self.gateways
            .iter()
            .find(|gateway| gateway.client == *client && &*gateway.name == name)
    }

    /// Settings for what no domain leads to any more.
    pub fn fallback(&self) -> &ResolvedProbe {
        &self.fallback
    }

    /// Of subscribers with different settings the smallest interval and the largest timeout and `confirm`
    /// win (`semantics` 1). `provider` makes an unwritten interval five minutes.
    pub fn shared_settings<'a>(
        &self,
        subscribers: impl Iterator<Item = &'a ResolvedProbe>,
        provider: bool,
    ) -> ResolvedProbe {
        let gentle = |one: &ResolvedProbe| {
            let mut one = one.clone();
            if provider && !one.interval_explicit {
                one.interval = one.interval.max(PROVIDER_INTERVAL);
            }
            one
        };
        subscribers
            .map(gentle)
            .reduce(|a, b| strictest(a, &b))
            .unwrap_or_else(|| self.fallback.clone())
    }
}

fn strictest(a: ResolvedProbe, b: &ResolvedProbe) -> ResolvedProbe {
    ResolvedProbe {
        interval: a.interval.min(b.interval),
        interval_explicit: a.interval_explicit || b.interval_explicit,
        timeout: a.timeout.max(b.timeout),
        greeting_timeout: a.greeting_timeout.max(b.greeting_timeout),
        confirm: a.confirm.max(b.confirm),
        confirm_interval: a.confirm_interval.min(b.confirm_interval),
        ca_file: a.ca_file,
    }
}

/// For each kind of anchor that is not configured, stand-ins from the provider data.
fn witnesses(anchors: &[Anchor], providers: &Providers) -> Vec<Anchor> {
    let mut list = Vec::new();
    if !anchors.iter().any(|anchor| matches!(anchor, Anchor::Ping { .. })) {
        let pinged = providers.pinged().iter();
        list.extend(pinged.map(|address| Anchor::Ping {
            host: Endpoint::Address(*address),
        }));
    }
    if !anchors.iter().any(|anchor| matches!(anchor, Anchor::Smtp { .. })) {
        let hosts = providers.witnesses();
        list.extend(hosts.map(|name| Anchor::Smtp {
            host: Endpoint::Name(name.clone()),
            port: 25,
        }));
    }
    list
}

fn domains(config: &config::Config) -> BTreeMap<DomainName, Arc<Domain>> {
    let mut probed_alike = HashSet::<Arc<Probes>>::new();
    let settled = config.domains().map(|(client, domain)| {
        let mut settled = settle_domain(config, Some(client), domain);
        match probed_alike.get(&settled.probes) {
            Some(known) => settled.probes = Arc::clone(known),
            None => _ = probed_alike.insert(Arc::clone(&settled.probes)),
        }
        (domain.name.clone(), Arc::new(settled))
    });
    settled.collect()
}

fn settle_domain(
    config: &config::Config,
    client: Option<&config::Client>,
    domain: &config::Domain,
) -> Domain {
    let levels: Vec<&ProbeOverrides> = client
        .map(|client| &client.probes)
        .into_iter()
        .chain([&domain.probes])
        .collect();
    Domain {
        name: domain.name.clone(),
        client: client.map(|client| client.id.clone()),
        expect_mx: domain.expect_mx.clone(),
        receives: domain.mail.receives(),
        sends: domain.mail.sends(),
        tls_required: domain.tls == TlsPolicy::Required,
        services: distinct(&domain.services),
        probes: Arc::new(Probes {
            dns: config.probes.resolve(ProbeKind::Dns, &levels),
            nameserver: config.probes.resolve(ProbeKind::Nameserver, &levels),
            smtp: config.probes.resolve(ProbeKind::Smtp, &levels),
            host: config.probes.resolve(ProbeKind::Host, &levels),
            policy: config.probes.resolve(ProbeKind::Policy, &levels),
            service: config.probes.resolve(ProbeKind::Service, &levels),
        }),
        dkim_selectors: domain.dkim_selectors.clone(),
        accepted: domain.accept.iter().map(accepted).collect(),
        is_destination: false,
        recipient: None,
    }
}

/// The names that a client's addresses greet with.
fn greetings(client: &config::Client) -> BTreeMap<IpAddr, DomainName> {
    let named = client.senders.iter().filter_map(|sender| {
        let name = sender.helo.as_ref()?;
        Some(
            sender
                .addresses
                .iter()
                .map(move |address| (*address, name.clone())),
        )
    });
    named.flatten().collect()
}

/// The last day counts whole, as the day ends in UTC.
fn accepted(acceptance: &config::Acceptance) -> Accepted {
    let after = acceptance.until.tomorrow().ok();
    let end = after.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    Accepted {
        code: acceptance.code,
        until: end.map_or(Timestamp::MAX, |end| end.timestamp()),
        reason: acceptance.reason.clone(),
    }
}

fn distinct(services: &[Service]) -> Vec<Service> {
    let mut list: Vec<Service> = Vec::with_capacity(services.len());
    for service in services {
        if !list.contains(service) {
            list.push(service.clone());
        }
    }
    list
}

fn gateways(config: &config::Config) -> Vec<Arc<Gateway>> {
    let settle = |(client, gateway): (&config::Client, &config::Gateway)| {
        Arc::new(Gateway {
            client: client.id.clone(),
            name: gateway.name.as_str().into(),
            address: gateway.address.clone(),
            networks: gateway.networks.clone(),
            ping: gateway.checks.contains(&config::Check::Ping) || gateway.checks.is_empty(),
            ports: gateway
                .checks
                .iter()
                .filter_map(|check| match check {
                    config::Check::Tcp(port) => Some(*port),
                    config::Check::Ping => None,
                })
                .collect(),
            contact: gateway.contact.clone(),
            settings: config
                .probes
                .resolve(ProbeKind::Gateway, &[&client.probes, &gateway.probes]),
        })
    };
    config.gateways().map(settle).collect()
}
