//! One file (or folder) a probe: what it needs, how it runs, what it saw, its tests.
//!
//! A probe runs once. It neither loops, nor counts, nor judges.

mod ask;
pub mod blocklist;
pub mod canary;
pub mod dns;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod gateway;
pub mod helo;
pub mod host;
pub mod nameserver;
pub mod policy;
pub mod service;
pub mod smtp;
mod snmp;
pub mod vantage;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::model::dns::ZoneLook;
use crate::model::policy::HeldPolicy;
use crate::model::{ClientId, DomainName, Evidence, Observation, Subject};
use crate::net::dnssec::RootKeys;
use crate::net::snmp::SnmpLogin;
use crate::net::trust::Trust;
use crate::net::{Net, TracePlan};

/// What every probe may need to know of ourselves.
#[derive(Debug, Clone)]
pub struct Context {
    /// The resolvers that we ask, in this order.
    pub resolvers: Arc<[SocketAddr]>,
    /// The root's keys, where signatures are checked here; else the resolvers' word is taken.
    pub root_keys: Option<RootKeys>,
    /// The name that we give in EHLO (RFC 5321 4.1.1.1), or an address literal.
    pub helo: Arc<str>,
    /// Whether this vantage can speak IPv6.
    pub ipv6: bool,
    /// How to ask gateways by SNMP, by client and name, where that is configured.
    pub snmp: Arc<SnmpLogins>,
    /// What canaries are made of.
    pub canaries: Arc<canary::Canaries>,
}

/// Logins of gateways' SNMP agents, by client and name.
pub type SnmpLogins = BTreeMap<(ClientId, Arc<str>), SnmpLogin>;

/// Runs a probe once. It takes no longer than the task allows, and never panics for what it meets.
pub async fn run<N: Net>(net: &N, context: &Context, trust: &Trust, task: &Task) -> Observation {
    let at = net.now();
    let seen = look(net, context, trust, task).await;
    let elapsed = Duration::try_from(net.now().duration_since(at)).unwrap_or_default();
    Observation {
        subject: task.subject.clone(),
        at,
        elapsed,
        source: seen.source,
        evidence: seen.evidence,
    }
}

/// Every probe that runs takes the room of the largest kind: so those that are large, or rare, have a box of their own.
async fn look<N: Net>(net: &N, context: &Context, trust: &Trust, task: &Task) -> Seen {
    let timeout = task.timeout;
    match (&task.subject, &task.detail) {
        (Subject::Mx(domain), _) => dns::mx(net, context, domain, timeout).await,
        (Subject::Addresses(host), _) => dns::addresses(net, context, host, timeout).await,
        (Subject::NameServers(domain), detail) => {
            let earlier = match detail {
                Detail::NameServers { known, closer } => nameserver::Earlier {
                    known,
                    closer: closer.as_ref(),
                },
                _ => nameserver::Earlier::default(),
            };
            Box::pin(nameserver::run(net, context, domain, earlier, timeout)).await
        }
        (Subject::Smtp(peer), detail) => {
            let (name, patience, slow) = match detail {
                Detail::Smtp {
                    server_name,
                    patience,
                    slow_lane,
                } => (server_name.as_ref(), *patience, *slow_lane),
                _ => (None, timeout, false),
            };
            Box::pin(smtp::run(
                net, context, trust, *peer, name, patience, slow, timeout,
            ))
            .await
        }
        (Subject::Trace(address), _) => match net.trace(*address, TracePlan::USUAL).await {
            Ok(trace) => Seen::of(Evidence::Trace(Box::new(trace))),
            Err(error) => Seen::unrunnable(error.to_string()),
        },
        (Subject::Host(address), _) => host::run(net, *address, timeout).await,
        (Subject::Gateway(client, name), Detail::Gateway { address, ping, ports }) => {
            let snmp = context.snmp.get(&(client.clone(), Arc::clone(name)));
            Box::pin(gateway::run(net, context, address, *ping, ports, snmp, timeout)).await
        }
        (Subject::Gateway(..), _) => Seen::unrunnable("this gateway is no longer configured"),
        (Subject::Anchor(anchor), _) => Box::pin(vantage::anchor(net, context, anchor, timeout)).await,
        (Subject::Resolver(server), _) => Box::pin(vantage::resolver(net, *server, timeout)).await,
        (Subject::Policy(domain, part), detail) => {
            Box::pin(policy::run(net, context, trust, domain, *part, detail, timeout)).await
        }
        (Subject::Tlsa(host), _) => Box::pin(policy::tlsa(net, context, host, timeout)).await,
        (Subject::Service(service), _) => Box::pin(service::run(net, context, trust, service, timeout)).await,
        (Subject::Sender(_, address), detail) => {
            let (greets_as, domains) = match detail {
                Detail::Sender { greets_as, domains } => (greets_as.as_ref(), &domains[..]),
                _ => (None, &[][..]),
            };
            Box::pin(policy::sender(
                net, context, *address, greets_as, domains, timeout,
            ))
            .await
        }
        (Subject::Recipient(recipient), Detail::Recipient { peers, patience }) => {
            Box::pin(smtp::ask_for(
                net, context, trust, recipient, peers, *patience, timeout,
            ))
            .await
        }
        (Subject::Recipient(_), _) => Seen::unrunnable("no mail server of the recipient's is known"),
        (Subject::Canary(client, name), _) => Box::pin(canary::run(net, context, trust, client, name)).await,
        (Subject::Blocklist(zone), _) => Box::pin(blocklist::self_test(net, context, zone, timeout)).await,
        (Subject::Listing(zone, address), _) => {
            Box::pin(blocklist::listing(net, context, zone, *address, timeout)).await
        }
    }
}

/// One run of a probe: the subject and how to treat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What to look at.
    pub subject: Subject,
    /// How long the probe may take; for SMTP, each stage.
    pub timeout: Duration,
    /// What the kind of probe needs besides.
    pub detail: Detail,
}

/// What a kind of probe needs besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Plain,
    /// SMTP.
    Smtp {
        /// The MX name to send as SNI, where one leads here.
        server_name: Option<DomainName>,
        /// How long to wait for the greeting and each answer to EHLO.
        patience: Duration,
        /// Whether that is the slow lane's patience.
        slow_lane: bool,
    },
    /// A gateway: where it is and what to check.
    Gateway {
        /// Its address, or the name that leads there.
        address: crate::model::Endpoint,
        /// Ping, and the TCP ports.
        ping: bool,
        /// TCP ports.
        ports: Vec<u16>,
    },
    /// An address that mail leaves from.
    Sender {
        /// The name that it is configured to greet with.
        greets_as: Option<DomainName>,
        /// The domains that it sends for.
        domains: Vec<DomainName>,
    },
    /// A recipient: the servers to ask, in this order, each with the name to send as SNI.
    Recipient {
        /// Those of the recipient's mail servers that take mail at the moment.
        peers: Vec<(SocketAddr, Option<DomainName>)>,
        /// How long the answers to MAIL and RCPT may take (RFC 5321 4.5.3.2).
        patience: Duration,
    },
    /// DKIM: the selectors to ask for.
    Dkim {
        /// Each with whether the configuration names it; else it is a guess by the provider.
        selectors: Vec<(String, bool)>,
    },
    /// MTA-STS: the policy that was read last, for when it cannot be read now.
    Sts {
        /// It.
        held: Option<HeldPolicy>,
    },
    /// Name servers: those known from before, for when nobody can tell them now.
    NameServers {
        /// Name and addresses.
        known: Vec<(DomainName, Vec<IpAddr>)>,
        /// The last closer look at the zone.
        closer: Option<Arc<ZoneLook>>,
    },
}

/// What a probe's run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// What was seen.
    pub evidence: Evidence,
    /// The address that we spoke from, where there was a connection.
    pub source: Option<IpAddr>,
}

impl Seen {
    /// Evidence without a connection.
    pub fn of(evidence: Evidence) -> Self {
        Self {
            evidence,
            source: None,
        }
    }

    /// The probe could not be run: what stood in the way, in words.
    pub fn unrunnable(reason: impl Into<String>) -> Self {
        Self::of(Evidence::unrunnable(reason))
    }
}
