//! The real port to the outside: sockets, and the clocks of this machine.

mod clock;
mod dns;
mod dnssec;
mod fetch;
mod machine;
mod message;
mod notice;
mod ping;
mod snmp;
mod tcp;
mod trace;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;

use super::dns::{Answer, AskError, Question};
use super::dnssec::RootKeys;
use super::snmp::{Credentials, ObjectId, SnmpValue};
use super::trust::Trust;
use super::{
    Connection, FetchError, FetchLimits, Fetched, Net, Page, PingError, PingPlan, Routes, TracePlan,
    USUAL_PLACES,
};
use crate::model::DialError;
use crate::model::reach::PingReport;
use crate::model::snmp::SnmpFailure;
use crate::model::trace::Trace;

use clock::Clock;
pub use machine::{local_address, local_fqdn, system_resolvers};

/// The real port to the outside. It needs a tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct RealNet {
    clock: Clock,
    places: usize,
}

impl RealNet {
    /// Sets the clock by the machine's. Opens nothing.
    pub fn new() -> Self {
        Self {
            clock: Clock::new(),
            places: USUAL_PLACES,
        }
    }

    /// For as many probes at a time as this machine lets one process have: the limit of descriptors is raised as far as it
    /// may be, for the whole process.
    #[must_use]
    pub fn for_many(self) -> Self {
        Self {
            places: machine::places(),
            ..self
        }
    }
}

impl Default for RealNet {
    fn default() -> Self {
        Self::new()
    }
}

impl Net for RealNet {
    type Stream = TcpStream;

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn ask(
        &self,
        server: SocketAddr,
        question: &Question,
        limit: Duration,
    ) -> Result<Answer, AskError> {
        dns::ask(server, question, limit).await
    }

    async fn ask_checked(
        &self,
        server: SocketAddr,
        question: &Question,
        keys: &RootKeys,
        limit: Duration,
    ) -> Result<Answer, AskError> {
        dnssec::ask(server, question, keys, limit).await
    }

    async fn dial(&self, peer: SocketAddr, limit: Duration) -> Result<Connection<TcpStream>, DialError> {
        tcp::dial(peer, limit).await
    }

    async fn fetch(
        &self,
        page: &Page<'_>,
        trust: &Trust,
        limits: FetchLimits,
    ) -> Result<Fetched, FetchError> {
        fetch::fetch(page, trust, limits).await
    }

    async fn ping(&self, peer: IpAddr, plan: PingPlan) -> Result<PingReport, PingError> {
        ping::ping(peer, plan).await
    }

    async fn trace(&self, peer: SocketAddr, plan: TracePlan) -> Result<Trace, PingError> {
        trace::trace(peer, plan).await
    }

    async fn snmp(
        &self,
        peer: SocketAddr,
        credentials: &Credentials,
        objects: &[ObjectId],
        limit: Duration,
    ) -> Result<Vec<SnmpValue>, SnmpFailure> {
        snmp::get(peer, credentials, objects, limit).await
    }

    fn default_routes(&self) -> Routes {
        machine::default_routes()
    }

    fn places(&self) -> usize {
        self.places
    }
}
