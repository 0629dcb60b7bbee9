//! The one narrow port to the outside: ask DNS, dial, fetch, ping, trace, ask SNMP agents, and the time. Two implementations: the real one,
//! and for tests a fake one that serves zones and scripted peers under driven time.
//!
//! No decisions live here: what an answer means is for `probe` and `diagnosis` to say.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::DialError;
use crate::model::reach::PingReport;
use crate::model::snmp::SnmpFailure;
use crate::model::trace::Trace;

pub mod dns;
pub mod dnssec;
pub mod fake;
pub mod fetch;
pub mod real;
pub mod snmp;
pub mod trust;

pub use dns::{Answer, AskError, Question, Record, RecordData, RecordType};
pub use fake::FakeNet;
pub use fetch::{FetchError, FetchLimits, Fetched, Page};
pub use real::RealNet;
use snmp::{Credentials, ObjectId, SnmpValue};

/// The port to the outside.
pub trait Net: Send + Sync + 'static {
    /// An open TCP connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The time, and the only source of it. It never runs backwards while the process lives.
    fn now(&self) -> Timestamp;

    /// Asks one DNS server one question: over UDP (repeated within `limit` when nothing comes), then TCP when
    /// the answer was cut off.
    ///
    /// # Errors
    /// [`AskError`] when no answer to this question came; a server's error code is an answer.
    fn ask(
        &self,
        server: SocketAddr,
        question: &Question,
        limit: Duration,
    ) -> impl Future<Output = Result<Answer, AskError>> + Send;

    /// Asks a resolver, and checks the signatures of what it says ourselves, from these keys on (RFC 4035 5): AD then is our
    /// own word, and a wrong signature gives SERVFAIL with the extended error 6. A net whose answers nobody forges need not.
    ///
    /// # Errors
    /// As [`Self::ask`]; what could not be looked up to check it counts as no answer.
    fn ask_checked(
        &self,
        server: SocketAddr,
        question: &Question,
        keys: &dnssec::RootKeys,
        limit: Duration,
    ) -> impl Future<Output = Result<Answer, AskError>> + Send {
        let _ = keys;
        self.ask(server, question, limit)
    }

    /// Opens a TCP connection.
    ///
    /// # Errors
    /// [`DialError`] tells the peer's, the network's and our own failures apart.
    fn dial(
        &self,
        peer: SocketAddr,
        limit: Duration,
    ) -> impl Future<Output = Result<Connection<Self::Stream>, DialError>> + Send;

    /// Fetches one page over HTTPS from the given addresses, or posts a form there, by certificates that lead to a root
    /// that we trust. No redirect is followed.
    ///
    /// # Errors
    /// [`FetchError`] when no answer came; a status code that says no is an answer.
    fn fetch(
        &self,
        page: &Page<'_>,
        trust: &trust::Trust,
        limits: FetchLimits,
    ) -> impl Future<Output = Result<Fetched, FetchError>> + Send;

    /// Sends `plan.count` echo requests and collects the answers.
    ///
    /// # Errors
    /// [`PingError`] when we cannot ping at all: no right to, or no way there.
    fn ping(
        &self,
        peer: IpAddr,
        plan: PingPlan,
    ) -> impl Future<Output = Result<PingReport, PingError>> + Send;

    /// Follows the way to `peer`: by TCP to its port, else by pings.
    ///
    /// # Errors
    /// [`PingError`] when we cannot send anything at all.
    fn trace(
        &self,
        peer: SocketAddr,
        plan: TracePlan,
    ) -> impl Future<Output = Result<Trace, PingError>> + Send;

    /// Asks an SNMP agent for some values, and gives them in the same order.
    ///
    /// # Errors
    /// [`SnmpFailure`] tells the agent's, the network's and our own failures apart, and never holds a secret.
    fn snmp(
        &self,
        peer: SocketAddr,
        credentials: &Credentials,
        objects: &[ObjectId],
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<SnmpValue>, SnmpFailure>> + Send;

    /// Whether this machine has a default route, of IPv4 and of IPv6.
    fn default_routes(&self) -> Routes;

    /// How many probes may run at a time: what wait for an answer that does not come hold a place each.
    fn places(&self) -> usize {
        USUAL_PLACES
    }
}

/// As many as the usual limit of 1,024 descriptors a process leaves room for, beside everything else.
pub const USUAL_PLACES: usize = 400;

/// An open connection.
#[derive(Debug)]
pub struct Connection<S> {
    /// To read from and write to.
    pub stream: S,
    /// The address that we speak from, where known.
    pub source: Option<IpAddr>,
}

/// Which default routes this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routes {
    /// To the IPv4 internet.
    pub v4: bool,
    /// To the IPv6 internet.
    pub v6: bool,
}

/// How to ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingPlan {
    /// How many echo requests.
    pub count: u32,
    /// The time from one to the next.
    pub spacing: Duration,
    /// How long to wait for the answer to the last one.
    pub wait: Duration,
}

impl PingPlan {
    /// Five packets, 200 ms apart, one second to wait (`semantics` 5).
    pub const USUAL: Self = Self {
        count: 5,
        spacing: Duration::from_millis(200),
        wait: Duration::from_secs(1),
    };

    /// The same plan, shortened where it would take longer than `limit`: fewer packets first, then less waiting.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        let mut plan = Self {
            wait: self.wait.min(limit),
            ..self
        };
        while plan.count > 1 && plan.spacing * (plan.count - 1) + plan.wait > limit {
            plan.count -= 1;
        }
        plan
    }
}

/// How to follow a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TracePlan {
    /// The most hops.
    pub hops: u8,
    /// How many packets are under way at once.
    pub at_once: usize,
    /// How long to wait for each answer.
    pub wait: Duration,
    /// After this many hops in a row without an answer nobody answers any more.
    pub silent: u32,
    /// How long the whole may take.
    pub whole: Duration,
}

impl TracePlan {
    /// Twenty hops, as nearly every host is nearer; three packets at once, a second each, ten seconds in all.
    pub const USUAL: Self = Self {
        hops: 20,
        at_once: 3,
        wait: Duration::from_secs(1),
        silent: 5,
        whole: Duration::from_secs(10),
    };
}

/// Why we cannot ping at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// Neither datagram nor raw ICMP sockets are allowed.
    #[error(
        "this process may not send pings; allow it with `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`, \
         or give the service CAP_NET_RAW"
    )]
    NotPermitted,
    /// Our own kernel has no way there.
    #[error("we have no route there")]
    NoRoute,
    /// Anything else on our side.
    #[error("{0}")]
    Local(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_cut_to_the_time_there_is() {
        let within = |millis| {
            let plan = PingPlan::USUAL.within(Duration::from_millis(millis));
            (plan.count, plan.wait.as_millis())
        };
        assert_eq!(within(30_000), (5, 1000));
        assert_eq!(within(1800), (5, 1000));
        assert_eq!(within(1799), (4, 1000));
        assert_eq!(within(500), (1, 500));
    }
}
