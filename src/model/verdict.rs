//! Verdicts: the state of a domain, gateway, vantage or provider, with one root cause.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ClientId, Code, DomainName, Flaps, IncidentId, Length, ProbeKind, Subject};

/// The four states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Mail can pass.
    Flowing,
    /// Mail can pass, with something impaired that somebody should mend.
    Degraded,
    /// Mail cannot pass.
    Broken,
    /// We do not know, and say so.
    Unknown,
}

impl State {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Flowing, Self::Degraded, Self::Broken, Self::Unknown];

    /// The name in labels and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flowing => "flowing",
            Self::Degraded => "degraded",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }

    /// How urgently people want to see it: broken, unknown, degraded, flowing (`semantics` 18).
    pub fn urgency(self) -> u8 {
        match self {
            Self::Broken => 3,
            Self::Unknown => 2,
            Self::Degraded => 1,
            Self::Flowing => 0,
        }
    }

    /// The exit code of `check`, which is also that of a Nagios plugin.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Flowing => 0,
            Self::Degraded => 1,
            Self::Broken => 2,
            Self::Unknown => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a verdict is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "kebab-case")]
pub enum Target {
    /// Our own uplink, port 25 and resolver.
    Vantage(Arc<str>),
    /// A recognised provider, over all clients.
    Provider(Arc<str>),
    /// A client's gateway.
    Gateway(ClientId, Arc<str>),
    /// A mail domain.
    Domain(DomainName),
    /// Mail that a client sends to a destination.
    Route(ClientId, DomainName),
    /// A client's canary.
    Canary(ClientId, Arc<str>),
    /// One of our own ways to tell people.
    Notifier(Arc<str>),
    /// One of our own sources: a mailbox that bounces are forwarded to, a mail log.
    Source(Arc<str>),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vantage(name) => write!(f, "vantage {name}"),
            Self::Provider(name) => write!(f, "provider {name}"),
            Self::Gateway(client, name) => write!(f, "gateway {name} of {client}"),
            Self::Domain(name) => name.fmt(f),
            Self::Route(client, to) => write!(f, "route from {client} to {to}"),
            Self::Canary(client, name) => write!(f, "canary {name} of {client}"),
            Self::Notifier(name) => write!(f, "notifier {name}"),
            Self::Source(name) => name.fmt(f),
        }
    }
}

/// Whose a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The client that we look after.
    Client,
    /// The organisation at the other end of a route.
    Recipient,
    /// Who operates the mail hosts for many.
    Provider,
    /// A line or network between.
    Network,
    /// Ourselves.
    Us,
}

impl Owner {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Recipient => "recipient",
            Self::Provider => "provider",
            Self::Network => "network",
            Self::Us => "us",
        }
    }
}

/// How sure a cause is (`semantics` 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// A direct statement: NXDOMAIN validated, a reply, a certificate.
    Certain,
    /// Inferred, or seen from one vantage only.
    Probable,
    /// One explanation among several.
    Possible,
}

/// What a verdict rests on (`semantics` 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// An SMTP session up to QUIT.
    Dialogue,
    /// A recipient was accepted.
    Rcpt,
    /// A canary arrived.
    Canary,
    /// A bounce said so.
    Bounce,
    /// A mail log said so.
    Log,
}

/// What an incident is about: the root, not the code (`semantics` 21).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Root {
    /// What kind of thing failed.
    pub kind: RootKind,
    /// Whose, for what belongs to one client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.client {
            Some(client) => write!(f, "{} {} of {client}", self.kind.as_str(), self.name),
            None => write!(f, "{} {}", self.kind.as_str(), self.name),
        }
    }
}

/// The kinds of roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum RootKind {
    Vantage,
    Resolver,
    Gateway,
    Provider,
    NameServerSet,
    MxSet,
    MxHost,
    Domain,
    Route,
    Sender,
    Service,
    Canary,
    Notifier,
    Source,
}

impl RootKind {
    /// The name in the API and in texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vantage => "vantage",
            Self::Resolver => "resolver",
            Self::Gateway => "gateway",
            Self::Provider => "provider",
            Self::NameServerSet => "name servers",
            Self::MxSet => "MX hosts",
            Self::MxHost => "MX host",
            Self::Domain => "domain",
            Self::Route => "route",
            Self::Sender => "sender",
            Self::Service => "service",
            Self::Canary => "canary",
            Self::Notifier => "notifier",
            Self::Source => "source",
        }
    }
}

/// One piece of evidence, as a provider's support wants to see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceNote {
    /// Which probe saw it.
    pub probe: ProbeKind,
    /// From where.
    pub vantage: Arc<str>,
    /// Our address, where there was a connection.
    pub source_address: Option<IpAddr>,
    /// Theirs, or what was asked.
    pub peer: String,
    /// When (UTC).
    pub at: Timestamp,
    /// What was seen, in one line.
    pub summary: String,
    /// Word for word, where there was a dialogue.
    #[serde(default)]
    pub transcript: Vec<String>,
    /// Who else answered at the time, where that matters.
    #[serde(default)]
    pub control: Option<String>,
}

/// The one root cause of a verdict. Title, explanation and action come from the catalogue by its code.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Cause {
    /// What is wrong.
    pub code: Code,
    /// What it is wrong with: the incident's identity.
    pub root: Root,
    /// The broken thing as people name it: `hq-router (198.51.100.1)`.
    pub subject: String,
    /// One sentence of what was seen, with names, addresses and replies.
    pub detail: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whom to call, from the configuration.
    pub contact: Option<String>,
    /// How sure.
    pub confidence: Confidence,
    /// Why no surer.
    pub confidence_reason: Option<String>,
    /// What it rests on; shared, as one outage may be the cause of tens of thousands.
    pub evidence: Arc<[EvidenceNote]>,
    /// Whether it is the cause of a route's verdict: then the catalogue has words of its own for it.
    #[serde(default)]
    pub on_route: bool,
    /// What was observed that it rests on; not kept over a restart.
    #[serde(skip)]
    pub stands_on: Vec<Subject>,
}

impl Cause {
    /// What it means, in the catalogue's words.
    pub fn explanation(&self) -> &'static str {
        let entry = self.code.entry();
        if self.on_route {
            entry.route_explanation()
        } else {
            entry.explanation
        }
    }

    /// What to do about it, in the catalogue's words.
    pub fn action(&self) -> &'static str {
        let entry = self.code.entry();
        let theirs = matches!(self.owner, Owner::Recipient | Owner::Provider);
        match entry.route {
            Some(words) if self.on_route => words.action,
            // What the catalogue tells whoever runs the server is nothing that the sender can do.
            None if self.on_route && theirs && self.code.layer() != "recipient" => FOR_THE_RECIPIENT,
            _ => entry.action,
        }
    }
}

/// What to do about what only the recipient's side can mend.
const FOR_THE_RECIPIENT: &str = "This is the recipient's side to mend; nothing is wrong with the sender. Phone the \
    recipient's organisation, or write to it from another mail account, and have its IT look at what is shown here.";

/// Something that does not change the state but that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What.
    pub code: Code,
    /// Of what.
    pub subject: Arc<str>,
    /// In one line: `9 days left`.
    pub summary: Arc<str>,
    /// It would change the state, had nobody accepted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
}

/// One step of the path that mail takes, for drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hop {
    /// What kind of step.
    pub hop: HopKind,
    /// The thing itself: a name, an address.
    pub subject: Arc<str>,
    /// How it is.
    pub state: State,
    /// How long it took, where measured; in the API in seconds.
    pub elapsed: Option<Length>,
    /// In a few words.
    pub summary: Arc<str>,
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum HopKind {
    Vantage,
    Dns,
    Gateway,
    Host,
    Smtp,
    Tls,
    Policy,
    Service,
    Reputation,
    Delivery,
}

impl HopKind {
    /// The name in the API and in `check`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vantage => "vantage",
            Self::Dns => "dns",
            Self::Gateway => "gateway",
            Self::Host => "host",
            Self::Smtp => "smtp",
            Self::Tls => "tls",
            Self::Policy => "policy",
            Self::Service => "service",
            Self::Reputation => "reputation",
            Self::Delivery => "delivery",
        }
    }
}

/// The state of a target, with one root cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What it is about.
    pub target: Target,
    /// Whose it is; `None` for vantages, providers and whatever `check` was asked without configuration.
    pub client: Option<ClientId>,
    /// How it is.
    pub state: State,
    /// Since when it has been in this state.
    pub since: Timestamp,
    /// The newest evidence that it rests on; `None` before there is any.
    pub checked: Option<Timestamp>,
    /// What it rests on.
    pub proven_by: Vec<Proof>,
    /// Why; `None` when flowing. Shared, as one cause may be that of tens of thousands.
    pub cause: Option<Arc<Cause>>,
    /// What else was seen that the cause explains.
    pub symptoms: Vec<Code>,
    /// What else somebody should know.
    pub also: Vec<Warning>,
    /// Who operates the mail hosts, where recognised.
    pub provider: Option<Arc<str>>,
    /// The incident that it belongs to.
    pub incident: Option<IncidentId>,
    /// How it comes and goes, where it does.
    pub flapping: Option<Box<Flaps>>,
    /// The path, hop by hop.
    pub path: Box<[Hop]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_takes_four_lines_of_a_cache_with_the_counts_of_those_who_share_it() {
        assert!(size_of::<Verdict>() + 2 * size_of::<usize>() <= 256);
    }
}
