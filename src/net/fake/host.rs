//! One host of the fake internet, and our own line to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::agent::Agent;
use super::peer::Peer;
use super::zones::Zones;
use crate::model::dns::ExtendedError;

/// Whether a host can be reached at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// It can.
    #[default]
    Answers,
    /// Whatever is sent there vanishes.
    Silent,
    /// The network says that it cannot be reached.
    Unreachable,
    /// A firewall says that it is prohibited.
    Prohibited,
}

/// How a host answers DNS questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsMode {
    /// As a resolver for everything.
    Resolver,
    /// With authority, for the zones that the data places here.
    Authoritative,
    /// With authority, for the zones that the data places here, but out of data of its own.
    Own(Zones),
    /// REFUSED, whatever is asked: a lame delegation.
    Refuses,
    /// SERVFAIL, with these extended errors.
    ServFail(Vec<ExtendedError>),
    /// NXDOMAIN, whatever is asked.
    NxDomain,
    /// Without authority and without data: lame in the other way.
    Empty,
    /// Bytes that are no DNS.
    Malformed,
    /// Not at all.
    Silent,
    /// The port is closed.
    Closed,
}

/// Our own line to the outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Uplink {
    /// In order.
    #[default]
    Up,
    /// Whatever we send vanishes.
    Cut,
    /// This machine has no default route.
    NoRoute,
}

/// What was asked of an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// DNS questions.
    pub asks: u64,
    /// Connection attempts.
    pub dials: u64,
    /// Rounds of pings.
    pub pings: u64,
    /// Connections that are open now.
    pub open: u64,
    /// The most connections that were open at once.
    pub most_open: u64,
    /// Bytes that its peers sent and that were delivered.
    pub sent: u64,
}

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    pub reach: Reach,
    pub pings: u32,
    pub latency: Duration,
    pub ports: BTreeMap<u16, Peer>,
    pub dns: Option<DnsMode>,
    pub agent: Option<Agent>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            reach: Reach::Answers,
            pings: u32::MAX,
            latency: Duration::ZERO,
            ports: BTreeMap::new(),
            dns: None,
            agent: None,
        }
    }
}

/// The counters behind [`Counts`].
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub asks: u64,
    pub dials: u64,
    pub pings: u64,
    pub most_open: u64,
    pub open: Arc<AtomicU64>,
    pub sent: Arc<AtomicU64>,
}
