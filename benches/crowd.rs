//! A fake net in which a few domains stand for thousands: a question about `d4711.fleet.test` is answered as one about
//! `d1.fleet.test` is, so that the net costs the same however many there are.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use mailflow::model::reach::PingReport;
use mailflow::model::snmp::SnmpFailure;
use mailflow::model::trace::Trace;
use mailflow::model::{DialError, DomainName};
use mailflow::net::fake::{FakeNet, FakeStream};
use mailflow::net::snmp::{Credentials, ObjectId, SnmpValue};
use mailflow::net::trust::Trust;
use mailflow::net::{
    Answer, AskError, Connection, FetchError, FetchLimits, Fetched, Net, Page, PingError, PingPlan, Question,
    Routes, TracePlan,
};

/// The net.
pub struct Crowd {
    /// Where those that stand for the others are.
    pub inner: FakeNet,
    /// How many they are.
    pub faces: usize,
}

impl Crowd {
    /// Who stands for a name.
    fn face(&self, name: &DomainName) -> Option<DomainName> {
        let labels: Vec<String> = name
            .as_str()
            .split('.')
            .map(|label| {
                let number = label
                    .strip_prefix('d')
                    .and_then(|digits| digits.parse::<usize>().ok());
                number.map_or_else(|| label.to_owned(), |number| format!("d{}", number % self.faces))
            })
            .collect();
        DomainName::from_dns(&labels.join(".")).ok()
    }
}

impl Net for Crowd {
    type Stream = FakeStream;

    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    async fn ask(
        &self,
        server: SocketAddr,
        question: &Question,
        limit: Duration,
    ) -> Result<Answer, AskError> {
        let mut asked = question.clone();
        asked.name = question.name.as_ref().and_then(|name| self.face(name));
        let mut answer = self.inner.ask(server, &asked, limit).await?;
        for record in &mut answer.answers {
            if record.name == asked.name {
                record.name.clone_from(&question.name);
            }
        }
        Ok(answer)
    }

    async fn dial(&self, peer: SocketAddr, limit: Duration) -> Result<Connection<FakeStream>, DialError> {
        self.inner.dial(peer, limit).await
    }

    async fn fetch(
        &self,
        page: &Page<'_>,
        trust: &Trust,
        limits: FetchLimits,
    ) -> Result<Fetched, FetchError> {
        self.inner.fetch(page, trust, limits).await
    }

    async fn ping(&self, peer: IpAddr, plan: PingPlan) -> Result<PingReport, PingError> {
        self.inner.ping(peer, plan).await
    }

    async fn trace(&self, peer: SocketAddr, plan: TracePlan) -> Result<Trace, PingError> {
        self.inner.trace(peer, plan).await
    }

    async fn snmp(
        &self,
        peer: SocketAddr,
        credentials: &Credentials,
        objects: &[ObjectId],
        limit: Duration,
    ) -> Result<Vec<SnmpValue>, SnmpFailure> {
        self.inner.snmp(peer, credentials, objects, limit).await
    }

    fn default_routes(&self) -> Routes {
        self.inner.default_routes()
    }
}
