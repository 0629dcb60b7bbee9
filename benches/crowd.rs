//! A fake net in which a few stand for thousands, so that the net costs the same however many there are: a question about
//! `d4711.fleet.test` is answered as one about `d1.fleet.test` is, and where hosts have a crowd too, `h0.fleet.test` stands for
//! all of them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use mailflow::model::reach::PingReport;
use mailflow::model::snmp::SnmpFailure;
use mailflow::model::trace::Trace;
use mailflow::model::{DialError, DomainName};
use mailflow::net::dns::RecordData;
use mailflow::net::fake::{FakeNet, FakeStream};
use mailflow::net::snmp::{Credentials, ObjectId, SnmpValue};
use mailflow::net::trust::Trust;
use mailflow::net::{
    Answer, AskError, Connection, FetchError, FetchLimits, Fetched, Net, Page, PingError, PingPlan, Question,
    Routes, TracePlan,
};

use crate::bare;

/// The net.
pub struct Crowd {
    /// Where those that stand for the others are.
    pub inner: FakeNet,
    /// How many of them are domains.
    pub faces: usize,
    /// For how many hosts the one that is there stands; `None`: each for itself.
    pub hosts: Option<usize>,
}

/// The number in a label: 4711 in `d4711`.
fn number(label: &str, letter: char) -> Option<usize> {
    label.strip_prefix(letter)?.parse().ok()
}

/// The first number in a name.
fn first_number(name: &DomainName, letter: char) -> Option<usize> {
    let mut labels = name.as_str().split('.');
    labels.find_map(|label| number(label, letter))
}

impl Crowd {
    /// Who stands for a name.
    fn face(&self, name: &DomainName) -> Option<DomainName> {
        let labels: Vec<String> = name
            .as_str()
            .split('.')
            .map(
                |label| match (number(label, 'd'), number(label, 'h'), self.hosts) {
                    (Some(domain), ..) => format!("d{}", domain % self.faces),
                    (None, Some(_), Some(_)) => "h0".to_owned(),
                    (None, ..) => label.to_owned(),
                },
            )
            .collect();
        DomainName::from_dns(&labels.join(".")).ok()
    }

    /// Puts those whom somebody stands for back into an answer.
    fn unmask(&self, asked: &DomainName, data: &mut RecordData) {
        let Some(hosts) = self.hosts else { return };
        match data {
            RecordData::Mx(_, exchange) => {
                if let Some(domain) = first_number(asked, 'd') {
                    *exchange = format!("h{}.fleet.test.", domain % hosts);
                }
            }
            RecordData::A(address) => {
                if let Some(host) = first_number(asked, 'h')
                    && let IpAddr::V4(own) = bare::address(host).ip()
                {
                    *address = own;
                }
            }
            _ => {}
        }
    }

    /// Who stands for an address.
    fn at(&self, peer: SocketAddr) -> SocketAddr {
        match self.hosts {
            Some(_) => SocketAddr::new(bare::address(0).ip(), peer.port()),
            None => peer,
        }
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
            if let Some(name) = &question.name {
                self.unmask(name, &mut record.data);
            }
        }
        Ok(answer)
    }

    async fn dial(&self, peer: SocketAddr, limit: Duration) -> Result<Connection<FakeStream>, DialError> {
        self.inner.dial(self.at(peer), limit).await
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
