//! The fake port to the outside, for tests and demonstrations: a small internet as data, under driven time.
//!
//! It serves zones ([`Zones`]), answers pings and plays TCP peers ([`Peer`]). Every part can be changed while
//! it runs, through any clone of the handle: that is how faults are injected and healed. Nothing opens a
//! socket, and time is tokio's: under its paused clock a test takes no time at all, and two runs are alike.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use mailflow::net::fake::{FakeNet, Peer, Reach};
//! use mailflow::net::Net;
//! use std::time::Duration;
//!
//! let net = FakeNet::new();
//! net.load("acme.test. 60 SOA 1 60\nacme.test. MX 10 mx.acme.test.\nmx.acme.test. A 198.51.100.10")?;
//! net.resolver([192, 0, 2, 52]);
//! net.listen(([198, 51, 100, 10], 25), Peer::mail("mx.acme.test"));
//!
//! let limit = Duration::from_secs(4);
//! assert!(net.dial(([198, 51, 100, 10], 25).into(), limit).await.is_ok());
//! net.set_reach([198, 51, 100, 10], Reach::Silent);
//! assert!(net.dial(([198, 51, 100, 10], 25).into(), limit).await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod agent;
mod host;
mod peer;
mod wire;
mod world;
mod zones;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::dns::{Answer, AskError, Question, RecordType};
use super::snmp::{Credentials, ObjectId, SnmpValue};
use super::trust::Trust;
use super::{
    Connection, FetchError, FetchLimits, Fetched, Net, Page, PingError, PingPlan, Routes, TracePlan,
};
use crate::model::reach::PingReport;
use crate::model::snmp::SnmpFailure;
use crate::model::trace::Trace;
use crate::model::{DialError, DomainName};

pub use agent::Agent;
pub use host::{Counts, DnsMode, Reach, Uplink};
pub use peer::{MailServer, Peer, Step, WebPage};
pub use wire::FakeStream;
pub use zones::{ZoneError, Zones};

use world::{Dialled, World};

/// A handle on a small internet. Clones share it.
#[derive(Debug, Clone)]
pub struct FakeNet {
    world: Arc<Mutex<World>>,
    base: Timestamp,
    started: tokio::time::Instant,
}

impl Default for FakeNet {
    fn default() -> Self {
        Self::new()
    }
}

/// Tokio's time, which tests drive.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the fake source of time, driven by tokio's paused clock"
)]
fn driven_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

impl FakeNet {
    /// An empty internet, at 2026-11-22 06:00 UTC.
    pub fn new() -> Self {
        Self::starting(Timestamp::constant(1_795_327_200, 0))
    }

    /// An empty internet, at the given time.
    pub fn starting(base: Timestamp) -> Self {
        Self {
            world: Arc::default(),
            base,
            started: driven_now(),
        }
    }

    /// Replaces all DNS data by what `text` says (see [`Zones::parse`]).
    ///
    /// # Errors
    /// [`ZoneError`] names the line that is no record; the data then stays as it was.
    pub fn load(&self, text: &str) -> Result<(), ZoneError> {
        let zones = Zones::parse(text)?;
        self.world().zones = zones;
        Ok(())
    }

    /// Adds DNS data.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn add(&self, text: &str) -> Result<(), ZoneError> {
        let zones = Zones::parse(text)?;
        self.world().zones.add(zones);
        Ok(())
    }

    /// Removes the records of a type (`None`: of every type) at a name from the DNS data.
    pub fn remove(&self, name: &DomainName, kind: Option<RecordType>) {
        self.world().zones.remove(name, kind);
    }

    /// Makes an address a resolver: it knows what the name servers that work know.
    pub fn resolver(&self, address: impl Into<IpAddr>) {
        self.set_dns(address, DnsMode::Resolver);
    }

    /// Sets how an address answers DNS questions.
    pub fn set_dns(&self, address: impl Into<IpAddr>, mode: DnsMode) {
        self.world().host(address.into()).dns = Some(mode);
    }

    /// Makes resolvers say SERVFAIL with the extended error 6 (DNSSEC bogus) for all in `zone`, unless checking is
    /// disabled; or heals that.
    pub fn set_bogus(&self, zone: &DomainName, bogus: bool) {
        self.world().set_bogus(zone, bogus);
    }

    /// Makes resolvers vouch by DNSSEC (AD) for what they know of `zone`; or no longer.
    pub fn set_signed(&self, zone: &DomainName, signed: bool) {
        let mut world = self.world();
        if signed {
            world.signed.insert(zone.clone());
        } else {
            world.signed.remove(zone);
        }
    }

    /// Brings a host up that answers pings and refuses connections.
    pub fn host(&self, address: impl Into<IpAddr>) {
        self.set_reach(address, Reach::Answers);
    }

    /// Sets whether a host, with everything on it, can be reached.
    pub fn set_reach(&self, address: impl Into<IpAddr>, reach: Reach) {
        self.world().host(address.into()).reach = reach;
    }

    /// Sets how many of the pings of a round a host answers; `u32::MAX`: all.
    pub fn set_pings(&self, address: impl Into<IpAddr>, answered: u32) {
        self.world().host(address.into()).pings = answered;
    }

    /// Sets the travel time to a host, one way.
    pub fn set_latency(&self, address: impl Into<IpAddr>, latency: Duration) {
        self.world().host(address.into()).latency = latency;
    }

    /// Sets what a TCP port does, bringing its host up where it did not exist.
    pub fn listen(&self, at: impl Into<SocketAddr>, peer: Peer) {
        let at = at.into();
        self.world().host(at.ip()).ports.insert(at.port(), peer);
    }

    /// Puts an SNMP agent on a host, bringing it up where it did not exist.
    pub fn set_agent(&self, address: impl Into<IpAddr>, agent: Agent) {
        self.world().host(address.into()).agent = Some(agent);
    }

    /// Sets the routers on the way to an address that answer when something ends there.
    pub fn set_way(&self, address: impl Into<IpAddr>, routers: &[IpAddr]) {
        self.world().ways.insert(address.into(), routers.to_vec());
    }

    /// Sets our own line to the outside.
    pub fn set_uplink(&self, uplink: Uplink) {
        self.world().uplink = uplink;
    }

    /// Sets whether connections from us to a TCP port are silently dropped on our own side.
    pub fn set_blocked(&self, port: u16, blocked: bool) {
        let mut world = self.world();
        if blocked {
            world.blocked.insert(port);
        } else {
            world.blocked.remove(&port);
        }
    }

    /// Makes everything fail on our own side, with these words (no descriptors left, say); `None` heals it.
    pub fn set_local_fault(&self, reason: Option<&str>) {
        self.world().local_fault = reason.map(str::to_owned);
    }

    /// Sets whether we may ping; may be combined with everything else.
    pub fn set_ping_permitted(&self, permitted: bool) {
        self.world().ping_forbidden = !permitted;
    }

    /// What was asked of an address so far.
    pub fn counts(&self, address: impl Into<IpAddr>) -> Counts {
        self.world().counts(address.into())
    }

    /// Every DNS question so far, in order; no more than the first hundred thousand.
    pub fn questions(&self) -> Vec<(SocketAddr, Question)> {
        self.world().questions.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Net for FakeNet {
    type Stream = FakeStream;

    fn now(&self) -> Timestamp {
        let elapsed = driven_now().duration_since(self.started);
        self.base
            .saturating_add(jiff::SignedDuration::try_from(elapsed).unwrap_or_default())
            .unwrap_or(self.base)
    }

    async fn ask(
        &self,
        server: SocketAddr,
        question: &Question,
        limit: Duration,
    ) -> Result<Answer, AskError> {
        let (travel, outcome) = self.world().ask(server, question);
        match outcome {
            Some(outcome) if travel <= limit => {
                tokio::time::sleep(travel).await;
                outcome
            }
            _ => {
                tokio::time::sleep(limit).await;
                Err(AskError::Timeout)
            }
        }
    }

    async fn dial(&self, peer: SocketAddr, limit: Duration) -> Result<Connection<FakeStream>, DialError> {
        let (travel, outcome) = self.world().dial(peer);
        let (latency, part) = match outcome {
            Dialled::Open(latency, part) if travel <= limit => (latency, part),
            Dialled::Failed(error) if travel <= limit => {
                tokio::time::sleep(travel).await;
                return Err(error);
            }
            _ => {
                tokio::time::sleep(limit).await;
                return Err(DialError::Timeout);
            }
        };
        tokio::time::sleep(travel).await;
        let (open, sent) = self.world().connected(peer.ip());
        let (stream, end) = wire::connect(latency, open, sent);
        tokio::spawn(async move {
            // The peer knows of the connection once the last packet of the handshake has come.
            tokio::time::sleep(latency).await;
            peer::play(part, end).await;
        });
        let source = if peer.is_ipv4() {
            World::OWN_V4
        } else {
            World::OWN_V6
        };
        Ok(Connection {
            stream,
            source: Some(source),
        })
    }

    async fn fetch(
        &self,
        page: &Page<'_>,
        _trust: &Trust,
        limits: FetchLimits,
    ) -> Result<Fetched, FetchError> {
        let mut last = FetchError::Local("no address was given".into());
        for address in page.addresses {
            let (travel, outcome) = self.world().dial(*address);
            last = match outcome {
                Dialled::Open(_, part) if travel <= limits.time => {
                    tokio::time::sleep(travel).await;
                    return peer::give(&part, limits).await;
                }
                Dialled::Failed(error) => FetchError::Dial(error),
                Dialled::Open(..) | Dialled::Lost => {
                    tokio::time::sleep(limits.time / 2).await;
                    FetchError::Dial(DialError::Timeout)
                }
            };
        }
        Err(last)
    }

    async fn ping(&self, peer: IpAddr, plan: PingPlan) -> Result<PingReport, PingError> {
        let (travel, answered, unreachable) = self.world().ping(peer)?;
        let answered = if travel <= plan.wait {
            answered.min(plan.count)
        } else {
            0
        };
        let sending = plan.spacing * plan.count.saturating_sub(1);
        let waiting = if answered >= plan.count { travel } else { plan.wait };
        tokio::time::sleep(sending + waiting).await;
        Ok(PingReport {
            sent: plan.count,
            round_trips: vec![travel; answered as usize],
            unreachable,
        })
    }

    async fn trace(&self, peer: SocketAddr, plan: TracePlan) -> Result<Trace, PingError> {
        let (travel, found) = self.world().trace(peer.ip())?;
        let took = if found.arrived { travel } else { plan.wait };
        tokio::time::sleep(took.min(plan.whole)).await;
        Ok(found)
    }

    async fn snmp(
        &self,
        peer: SocketAddr,
        credentials: &Credentials,
        objects: &[ObjectId],
        limit: Duration,
    ) -> Result<Vec<SnmpValue>, SnmpFailure> {
        let (travel, outcome) = self.world().snmp(peer.ip(), credentials, objects);
        let travel = if outcome == Err(SnmpFailure::Silent) {
            limit
        } else {
            travel
        };
        tokio::time::sleep(travel.min(limit)).await;
        if travel > limit {
            return Err(SnmpFailure::Silent);
        }
        outcome
    }

    fn default_routes(&self) -> Routes {
        self.world().routes()
    }
}
