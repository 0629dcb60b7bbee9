//! What a probe looks at: the key that evidence is kept and shared under.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::policy::PolicyPart;
use super::{ClientId, DomainName, Service};

/// The subject of one probe. Two domains that lead to the same address share its subject, and so its session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "kebab-case")]
pub enum Subject {
    /// The MX question of a domain, asked of our resolver.
    Mx(DomainName),
    /// The A and AAAA questions of a host, asked of our resolver.
    Addresses(DomainName),
    /// Every name server of the zone that holds a domain, asked directly.
    NameServers(DomainName),
    /// The SMTP dialogue with one address.
    Smtp(SocketAddr),
    /// Whether a host lives at all: ping and a few common ports. Asked only after a failure.
    Host(IpAddr),
    /// The way to an address: asked for only once that is known to be unreachable.
    Trace(SocketAddr),
    /// A client's gateway.
    Gateway(ClientId, Arc<str>),
    /// A host that should always answer: a witness of our own uplink.
    Anchor(Anchor),
    /// One of our own resolvers.
    Resolver(SocketAddr),
    /// A part of what a domain publishes about its mail.
    Policy(DomainName, PolicyPart),
    /// The TLSA records of a mail host (RFC 7672).
    Tlsa(DomainName),
    /// A service that people use beside MX.
    Service(Service),
    /// A blocklist itself, by its zone: whether it can be believed.
    Blocklist(DomainName),
    /// What a blocklist says of an address.
    Listing(DomainName, IpAddr),
    /// An address that a client's mail leaves from: its name, and whether the client's domains let it send.
    Sender(ClientId, IpAddr),
    /// Whether somebody who agreed to it would be given mail. Boxed, as these are few, and all others would be as large.
    Recipient(Box<Recipient>),
    /// A small message that we send and look for.
    Canary(ClientId, Arc<str>),
}

impl Subject {
    /// The probe that looks at this kind of subject.
    pub fn probe(&self) -> ProbeKind {
        match self {
            Self::Mx(_) | Self::Addresses(_) => ProbeKind::Dns,
            Self::NameServers(_) => ProbeKind::Nameserver,
            Self::Smtp(_) => ProbeKind::Smtp,
            Self::Host(_) | Self::Trace(_) => ProbeKind::Host,
            Self::Gateway(..) => ProbeKind::Gateway,
            Self::Anchor(_) | Self::Resolver(_) => ProbeKind::Vantage,
            Self::Policy(..) | Self::Tlsa(_) | Self::Sender(..) => ProbeKind::Policy,
            Self::Service(_) => ProbeKind::Service,
            Self::Blocklist(_) | Self::Listing(..) => ProbeKind::Blocklist,
            Self::Recipient(_) => ProbeKind::Recipient,
            Self::Canary(..) => ProbeKind::Canary,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mx(domain) => write!(f, "MX of {domain}"),
            Self::Addresses(host) => write!(f, "addresses of {host}"),
            Self::NameServers(domain) => write!(f, "name servers of {domain}"),
            Self::Smtp(address) => write!(f, "SMTP at {address}"),
            Self::Host(address) => write!(f, "host {address}"),
            Self::Trace(address) => write!(f, "way to {address}"),
            Self::Gateway(client, name) => write!(f, "gateway {name} of {client}"),
            Self::Anchor(anchor) => write!(f, "anchor {anchor}"),
            Self::Resolver(address) => write!(f, "resolver {address}"),
            Self::Policy(domain, part) => write!(f, "{part} of {domain}"),
            Self::Tlsa(host) => write!(f, "TLSA of {host}"),
            Self::Service(service) => f.write_str(&service.label()),
            Self::Blocklist(zone) => write!(f, "blocklist {zone}"),
            Self::Listing(zone, address) => write!(f, "{address} at blocklist {zone}"),
            Self::Sender(client, address) => write!(f, "sending address {address} of {client}"),
            Self::Recipient(recipient) => write!(f, "recipient {}", recipient.address),
            Self::Canary(client, name) => write!(f, "canary {name} of {client}"),
        }
    }
}

/// Somebody who agreed to be asked for: only then are MAIL and RCPT tried (`etiquette` 3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipient {
    /// The part after @, whose mail hosts are asked.
    pub domain: DomainName,
    /// The whole address, without angle brackets.
    pub address: Arc<str>,
    /// The envelope sender, without angle brackets; empty: the null sender of notifications (RFC 5321 4.5.5).
    pub from: Arc<str>,
}

/// A witness of our own uplink, as written in the configuration: `ping:HOST` or `smtp:HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Anchor {
    /// Answers pings.
    Ping {
        /// Where.
        host: Endpoint,
    },
    /// Greets on an SMTP port.
    Smtp {
        /// Where.
        host: Endpoint,
        /// TCP port, usually 25.
        port: u16,
    },
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping { host } => write!(f, "ping:{host}"),
            Self::Smtp {
                host: Endpoint::Address(IpAddr::V6(address)),
                port,
            } => {
                write!(f, "smtp:[{address}]:{port}")
            }
            Self::Smtp { host, port } => write!(f, "smtp:{host}:{port}"),
        }
    }
}

/// A host by address or by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Endpoint {
    /// An IP address.
    Address(IpAddr),
    /// A name, resolved at each use.
    Name(DomainName),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// The kinds of probes; each has a section of its own under `[probes]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Our own uplink and resolver.
    Vantage,
    /// MX and address questions at our resolver.
    Dns,
    /// Questions to a domain's own name servers.
    Nameserver,
    /// Whether a host lives at all.
    Host,
    /// The SMTP dialogue.
    Smtp,
    /// Routers and firewalls.
    Gateway,
    /// SPF, DKIM, DMARC, MTA-STS, DANE, TLS-RPT.
    Policy,
    /// DNS blocklists.
    Blocklist,
    /// Submission, IMAP and the like.
    Service,
    /// Whether a recipient who agreed to it would be given mail.
    Recipient,
    /// Whole messages.
    Canary,
    /// None of ours: what a bounce says.
    Bounce,
    /// None of ours: what the log of a client's mail server says.
    Log,
}

impl ProbeKind {
    /// All that we run, in the order in which evidence stands on evidence.
    pub const ALL: [Self; 11] = [
        Self::Vantage,
        Self::Dns,
        Self::Nameserver,
        Self::Host,
        Self::Smtp,
        Self::Gateway,
        Self::Policy,
        Self::Blocklist,
        Self::Service,
        Self::Recipient,
        Self::Canary,
    ];

    /// The name in configuration, labels and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vantage => "vantage",
            Self::Dns => "dns",
            Self::Nameserver => "nameserver",
            Self::Host => "host",
            Self::Smtp => "smtp",
            Self::Gateway => "gateway",
            Self::Policy => "policy",
            Self::Blocklist => "blocklist",
            Self::Service => "service",
            Self::Recipient => "recipient",
            Self::Canary => "canary",
            Self::Bounce => "bounce",
            Self::Log => "log",
        }
    }
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
