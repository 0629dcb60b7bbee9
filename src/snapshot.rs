//! What the daemon knows at one moment: immutable, shared, and all that any surface reads.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    ClientId, Code, DomainName, Fate, Hand, Incident, ProbeKind, Severity, SmtpStage, State, Verdict,
};

/// What the daemon knows at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// When the daemon started.
    pub started: Timestamp,
    /// All clients, by id.
    pub clients: Vec<ClientView>,
    /// The verdict on our own side.
    pub vantage: Arc<Verdict>,
    /// All domains.
    pub domains: BTreeMap<DomainName, Arc<Verdict>>,
    /// All routes, by client and destination.
    pub routes: BTreeMap<(ClientId, DomainName), Arc<Verdict>>,
    /// All canaries.
    pub canaries: Vec<Arc<CanaryView>>,
    /// All gateways.
    pub gateways: Vec<Arc<GatewayView>>,
    /// The recognised providers that some domain uses.
    pub providers: Vec<Arc<Verdict>>,
    /// Every address that mail is taken at.
    pub hosts: Vec<Arc<HostView>>,
    /// The services of each domain that has any, in the order of the configuration.
    pub services: Arc<BTreeMap<DomainName, Vec<Arc<ServiceView>>>>,
    /// What believed blocklists say of the clients' addresses.
    pub listings: Vec<ListingView>,
    /// Open incidents, the worst and newest first.
    pub open_incidents: Vec<Arc<Incident>>,
    /// The last incidents that ended, newest first; at most a hundred.
    pub closed_incidents: Vec<Arc<Incident>>,
    /// What people have set by hand and what has not ended, by number.
    pub hands: Vec<Hand>,
    /// Counts for the metrics.
    pub counters: Counters,
    /// Whether each mail host has series of its own, as configured.
    pub per_host: bool,
    /// Whether we ourselves get on.
    pub vitals: Vitals,
    /// How the store does.
    pub store: StoreHealth,
    /// How the last reload went.
    pub reload: ReloadOutcome,
    /// What is still being looked at for the first time: domains without a verdict other than unknown.
    pub pending_domains: usize,
}

/// A client as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientView {
    /// Its id.
    pub id: ClientId,
    /// Its name.
    pub name: String,
    /// Whom to call.
    pub contact: Option<String>,
}

/// A gateway with its verdict and what was measured of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayView {
    /// The verdict; its target is the gateway.
    pub verdict: Verdict,
    /// Where it is, as configured.
    pub address: String,
    /// Echo requests sent since the start.
    pub pings: u64,
    /// Echo requests that nothing came back for.
    pub pings_lost: u64,
    /// Round-trip times.
    pub round_trips: Histogram,
}

/// A canary with its verdict and what was counted of it since the start.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryView {
    /// The verdict; its target is the canary.
    pub verdict: Verdict,
    /// How many came to their end.
    pub sent: u64,
    /// Of these, how many did not arrive in time, or were not taken.
    pub failed: u64,
    /// How long those took that arrived.
    pub took: Histogram,
    /// When the last one arrived.
    pub last_success: Option<Timestamp>,
}

/// One address that takes mail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostView {
    /// Where.
    pub address: SocketAddr,
    /// The MX names that lead there.
    pub names: Vec<DomainName>,
    /// The provider that operates it, where recognised.
    pub provider: Option<Arc<str>>,
    /// How it is: flowing, degraded, broken, or unknown (refuses us, or no evidence).
    pub state: State,
    /// Why, where it is not flowing.
    pub code: Option<Code>,
    /// When it was last looked at.
    pub checked: Option<Timestamp>,
    /// The greeting's text.
    pub greeting: Option<String>,
    /// The last time of each stage, in seconds.
    pub stages: Vec<(SmtpStage, f64)>,
    /// `TLS 1.3`, where negotiated.
    pub tls: Option<String>,
    /// When its certificate ends.
    pub certificate_expiry: Option<Timestamp>,
    /// The address that we spoke from.
    pub source: Option<IpAddr>,
    /// In one line, what was last seen.
    pub summary: String,
    /// The last dialogue, word for word.
    pub transcript: Arc<Vec<String>>,
}

/// One service of a domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceView {
    /// As in the configuration: `imaps:mail.acme.test:993`.
    pub service: String,
    /// How it is: flowing, degraded (its certificate), broken (nobody can use it), or unknown.
    pub state: State,
    /// Why, where it is not flowing.
    pub code: Option<Code>,
    /// When it was last looked at.
    pub checked: Option<Timestamp>,
    /// Who we spoke to, or tried first.
    pub peer: Option<SocketAddr>,
    /// The address that we spoke from.
    pub source: Option<IpAddr>,
    /// Its first words.
    pub greeting: Option<String>,
    /// The last time of each stage.
    pub stages: Vec<StageView>,
    /// `TLS 1.3`, where negotiated.
    pub tls: Option<String>,
    /// When its certificate ends.
    pub certificate_expiry: Option<Timestamp>,
    /// In one line, what was last seen.
    pub summary: String,
    /// The last dialogue, word for word.
    pub transcript: Arc<Vec<String>>,
}

/// How long one stage of a look took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StageView {
    /// The stage.
    pub stage: &'static str,
    /// In seconds.
    pub elapsed: f64,
}

/// What a blocklist says of a client's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListingView {
    /// Whose the address is.
    pub client: ClientId,
    /// The address.
    pub address: String,
    /// The list's zone.
    pub blocklist: DomainName,
    /// Whether it is on the list.
    pub listed: bool,
}

/// Signs that we ourselves get on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// When the next probe is, or was, to start; `None`: nothing is watched.
    pub due: Option<Timestamp>,
    /// Since when probes are under way with none of them having come back.
    pub unanswered_since: Option<Timestamp>,
    /// When a mail server somewhere last spoke to us.
    pub spoken: Option<Timestamp>,
}

/// How the last reload of the configuration went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// Whether it was taken.
    pub successful: bool,
    /// When one was last taken.
    pub last_success: Timestamp,
}

/// How the store does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// Since when nothing can be written, and why; `None`: all is written.
    pub failing: Option<(Timestamp, Arc<str>)>,
    /// Where the damaged database lies that was last found in its place.
    pub set_aside: Option<Arc<str>>,
    /// How many rows it refused for what they are.
    pub misfits: u64,
}

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counters {
    /// Probes run, by kind.
    pub probes: BTreeMap<ProbeKind, u64>,
    /// Probes that could not be run, by kind.
    pub probe_errors: BTreeMap<ProbeKind, u64>,
    /// How late probes started, by kind, in seconds.
    pub probe_lag: BTreeMap<ProbeKind, Histogram>,
    /// How long the stages of SMTP sessions took, by provider (`self-hosted` is one) and stage.
    pub smtp_phases: BTreeMap<(Arc<str>, SmtpStage), Histogram>,
    /// Open incidents.
    pub incidents_open: BTreeMap<Severity, u64>,
    /// By notifier: delivered, failed, waiting.
    pub notifications: BTreeMap<Arc<str>, NotifierCounts>,
    /// The earliest end of any certificate, by domain.
    pub certificate_expiry: Arc<BTreeMap<DomainName, Timestamp>>,
    /// Addresses of each domain, by result: usable, failed, refused, unknown.
    pub mx_addresses: Arc<BTreeMap<DomainName, [u32; 4]>>,
    /// Deliveries that mail logs tell of, by client, destination (`None`: no watched route) and what became of them.
    pub deliveries: BTreeMap<(ClientId, Option<DomainName>, Fate), u64>,
    /// Bounces that were read, by client and destination likewise.
    pub bounces: BTreeMap<(ClientId, Option<DomainName>), u64>,
}

/// What became of a notifier's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotifierCounts {
    /// Taken by the other side.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Waiting in the outbox.
    pub pending: u64,
    /// How the last attempts went.
    pub health: NotifierHealth,
}

/// Whether a notifier's messages get through, by its last attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NotifierHealth {
    /// Nothing was sent since the start.
    #[default]
    Unproven,
    /// The last message was taken.
    Well,
    /// The last attempts failed.
    Failing {
        /// When the first of them did.
        since: Timestamp,
        /// Why the last one did, in words.
        reason: Arc<str>,
        /// A message was refused for good: nobody was told of it.
        for_good: bool,
    },
}

impl NotifierHealth {
    /// The health after one more failure.
    #[must_use]
    pub fn failed(&self, why: &str, now_for_good: bool, now: Timestamp) -> Self {
        let (since, before) = match self {
            Self::Failing { since, for_good, .. } => (*since, *for_good),
            Self::Unproven | Self::Well => (now, false),
        };
        Self::Failing {
            since,
            reason: why.into(),
            for_good: before || now_for_good,
        }
    }
}

/// A histogram of durations, with fixed upper bounds in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The upper bounds, ascending; the bucket above the last is implied.
    pub bounds: &'static [f64],
    /// How many fell into each bucket (not cumulated), one more than there are bounds.
    pub counts: Vec<u64>,
    /// The sum of all, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// From a millisecond to half a minute: stages of a session, round trips, start lag.
    pub const BOUNDS: &'static [f64] = &[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ];

    /// From a second to an hour: messages on their way.
    pub const DELIVERY: &'static [f64] = &[
        1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
    ];

    /// An empty one with these bounds.
    pub fn within(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Counts one duration.
    pub fn record(&mut self, value: Duration) {
        let seconds = value.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += seconds;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            bounds: Self::BOUNDS,
            counts: vec![0; Self::BOUNDS.len() + 1],
            sum: 0.0,
        }
    }
}
