//! The demo's way to the outside: the real one, led to sockets on loopback that stand for the world's addresses.
//!
//! Questions to name servers and connections to mail servers go through the product's own code and the kernel's
//! sockets, each to a port of 127.0.0.1 that answers for one address of the world. What takes rights that a demo must
//! not ask for (pings, traces) the world answers itself, and also what becomes of a packet where nobody answers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

use super::dns;
use crate::model::DialError;
use crate::model::reach::PingReport;
use crate::model::snmp::SnmpFailure;
use crate::model::trace::Trace;
use crate::net::fake::FakeStream;
use crate::net::snmp::{Credentials, ObjectId, SnmpValue};
use crate::net::trust::Trust;
use crate::net::{
    Answer, AskError, Connection, FakeNet, FetchError, FetchLimits, Fetched, Net, Page, PingError, PingPlan,
    Question, RealNet, Routes, TracePlan,
};

/// How many connections may wait at a door.
const WAITING: usize = 64;

/// The real net, led into a made-up world.
pub(super) struct DemoNet {
    real: RealNet,
    world: FakeNet,
    /// Where on loopback the world's DNS servers answer.
    servers: HashMap<IpAddr, SocketAddr>,
    doors: Mutex<HashMap<SocketAddr, Door>>,
}

/// A port on loopback that stands for a port of the world.
#[derive(Clone)]
struct Door {
    at: SocketAddr,
    /// What the world has to say to whoever comes in next.
    inside: mpsc::Sender<FakeStream>,
}

impl DemoNet {
    /// Opens the DNS servers' sockets.
    ///
    /// # Errors
    /// When the machine gives none.
    pub(super) async fn open(world: FakeNet, dns_servers: &[IpAddr]) -> std::io::Result<Self> {
        let mut servers = HashMap::new();
        for address in dns_servers {
            servers.insert(*address, dns::serve(world.clone(), *address).await?);
        }
        Ok(Self {
            real: RealNet::new(),
            world,
            servers,
            doors: Mutex::default(),
        })
    }

    /// The door to a port of the world, opened where it is the first time.
    async fn door(&self, to: SocketAddr) -> std::io::Result<Door> {
        let mut doors = self.doors.lock().await;
        if let Some(door) = doors.get(&to) {
            return Ok(door.clone());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (inside, waiting) = mpsc::channel(WAITING);
        let door = Door {
            at: listener.local_addr()?,
            inside,
        };
        tokio::spawn(keep(listener, waiting));
        doors.insert(to, door.clone());
        Ok(door)
    }
}

/// Leads whoever comes in to what the world has to say.
async fn keep(listener: TcpListener, mut waiting: mpsc::Receiver<FakeStream>) {
    while let Some(mut inside) = waiting.recv().await {
        let Ok((mut outside, _)) = listener.accept().await else {
            continue;
        };
        let _ = outside.set_nodelay(true);
        tokio::spawn(async move {
            let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
        });
    }
}

impl Net for DemoNet {
    type Stream = TcpStream;

    fn now(&self) -> Timestamp {
        self.real.now()
    }

    async fn ask(
        &self,
        server: SocketAddr,
        question: &Question,
        limit: Duration,
    ) -> Result<Answer, AskError> {
        match self.servers.get(&server.ip()) {
            Some(door) => self.real.ask(*door, question, limit).await,
            None => self.world.ask(server, question, limit).await,
        }
    }

    async fn dial(&self, peer: SocketAddr, limit: Duration) -> Result<Connection<TcpStream>, DialError> {
        let ours = |error: std::io::Error| DialError::Local {
            reason: error.to_string(),
        };
        let Connection {
            stream: inside,
            source,
        } = self.world.dial(peer, limit).await?;
        let door = self.door(peer).await.map_err(ours)?;
        door.inside
            .send(inside)
            .await
            .map_err(|error| ours(std::io::Error::other(error.to_string())))?;
        let connection = self.real.dial(door.at, limit).await?;
        // As the world sees us: we have an address there, too.
        Ok(Connection { source, ..connection })
    }

    async fn fetch(
        &self,
        page: &Page<'_>,
        trust: &Trust,
        limits: FetchLimits,
    ) -> Result<Fetched, FetchError> {
        self.world.fetch(page, trust, limits).await
    }

    async fn ping(&self, peer: IpAddr, plan: PingPlan) -> Result<PingReport, PingError> {
        self.world.ping(peer, plan).await
    }

    async fn trace(&self, peer: SocketAddr, plan: TracePlan) -> Result<Trace, PingError> {
        self.world.trace(peer, plan).await
    }

    async fn snmp(
        &self,
        peer: SocketAddr,
        credentials: &Credentials,
        objects: &[ObjectId],
        limit: Duration,
    ) -> Result<Vec<SnmpValue>, SnmpFailure> {
        self.world.snmp(peer, credentials, objects, limit).await
    }

    fn default_routes(&self) -> Routes {
        self.world.default_routes()
    }
}
