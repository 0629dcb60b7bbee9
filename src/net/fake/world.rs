//! The state of the fake internet, and what it answers: no waiting here, only outcomes and travel times.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::host::{Counts, DnsMode, Host, Ledger, Reach, Uplink};
use super::peer::Peer;
use super::zones::{Owner, Zones};
use crate::model::dns::ExtendedError;
use crate::model::snmp::SnmpFailure;
use crate::model::trace::{Trace, TraceHop, TraceMethod};
use crate::model::{DialError, DomainName};
use crate::net::dns::{Answer, AskError, Question, Record, RecordData, RecordType, rcode};
use crate::net::snmp::{Credentials, ObjectId, SnmpValue};
use crate::net::{PingError, Routes};

/// The most questions that are remembered: a demonstration may go on for days.
const REMEMBERED: usize = 100_000;

/// The state of the fake internet.
#[derive(Debug, Default)]
pub(super) struct World {
    pub zones: Zones,
    pub uplink: Uplink,
    pub blocked: BTreeSet<u16>,
    pub local_fault: Option<String>,
    pub ping_forbidden: bool,
    pub questions: Vec<(SocketAddr, Question)>,
    pub signed: BTreeSet<DomainName>,
    pub ways: HashMap<IpAddr, Vec<IpAddr>>,
    bogus: BTreeSet<DomainName>,
    hosts: HashMap<IpAddr, Host>,
    ledgers: HashMap<IpAddr, Ledger>,
}

/// What becomes of a connection attempt.
pub(super) enum Dialled {
    /// It succeeds: the travel time one way, and who answers.
    Open(Duration, Peer),
    /// It fails.
    Failed(DialError),
    /// Nothing comes back.
    Lost,
}

/// What becomes of a packet on its way to a host.
enum Passage<'a> {
    Arrives(&'a Host),
    Vanishes,
    Unreachable { prohibited: bool, no_route: bool },
}

impl World {
    /// The address that we speak from.
    pub const OWN_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    /// The address that we speak from.
    pub const OWN_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));

    /// The host at `address`, brought up where there is none.
    pub fn host(&mut self, address: IpAddr) -> &mut Host {
        self.hosts.entry(address).or_default()
    }

    pub fn set_bogus(&mut self, zone: &DomainName, bogus: bool) {
        if bogus {
            self.bogus.insert(zone.clone());
        } else {
            self.bogus.remove(zone);
        }
    }

    pub fn counts(&self, address: IpAddr) -> Counts {
        self.ledgers
            .get(&address)
            .map_or_else(Counts::default, |ledger| Counts {
                asks: ledger.asks,
                dials: ledger.dials,
                pings: ledger.pings,
                open: ledger.open.load(Ordering::Relaxed),
                most_open: ledger.most_open,
                sent: ledger.sent.load(Ordering::Relaxed),
            })
    }

    pub fn routes(&self) -> Routes {
        let up = self.uplink != Uplink::NoRoute;
        Routes { v4: up, v6: up }
    }

    /// Counts one more connection; gives the counters of open ones and of bytes sent.
    pub fn connected(&mut self, address: IpAddr) -> (Arc<AtomicU64>, Arc<AtomicU64>) {
        let ledger = self.ledgers.entry(address).or_default();
        let open = ledger.open.fetch_add(1, Ordering::Relaxed) + 1;
        ledger.most_open = ledger.most_open.max(open);
        (ledger.open.clone(), ledger.sent.clone())
    }

    /// What becomes of a ping: the round-trip time, how many are answered, whether the network objects.
    pub fn ping(&mut self, peer: IpAddr) -> Result<(Duration, u32, bool), PingError> {
        if let Some(reason) = &self.local_fault {
            return Err(PingError::Local(reason.clone()));
        }
        if self.ping_forbidden {
            return Err(PingError::NotPermitted);
        }
        self.ledgers.entry(peer).or_default().pings += 1;
        match self.passage(peer) {
            Passage::Arrives(host) => Ok((host.latency * 2, host.pings, false)),
            Passage::Vanishes => Ok((Duration::ZERO, 0, false)),
            Passage::Unreachable { no_route: true, .. } => Err(PingError::NoRoute),
            Passage::Unreachable { .. } => Ok((Duration::ZERO, 0, true)),
        }
    }

    /// How far the way to a host can be followed, and how long it takes to know.
    pub fn trace(&self, peer: IpAddr) -> Result<(Duration, Trace), PingError> {
        if let Some(reason) = self.local_fault.clone() {
            return Err(PingError::Local(reason));
        }
        let (travel, arrived) = match self.passage(peer) {
            Passage::Arrives(host) => (host.latency * 2, true),
            Passage::Unreachable { no_route: true, .. } => return Err(PingError::NoRoute),
            Passage::Vanishes | Passage::Unreachable { .. } => (Duration::ZERO, false),
        };
        let routers = self.ways.get(&peer).filter(|_| self.uplink == Uplink::Up);
        let way = routers
            .into_iter()
            .flatten()
            .copied()
            .chain(arrived.then_some(peer));
        let hops = (1..).zip(way).map(|(distance, address)| TraceHop {
            distance,
            at_most: false,
            address,
            after: travel,
        });
        let trace = Trace {
            method: TraceMethod::Tcp,
            hops: hops.collect(),
            arrived,
        };
        Ok((travel, trace))
    }

    /// What becomes of a question to an SNMP agent, and how long it takes to know.
    pub fn snmp(
        &self,
        peer: IpAddr,
        credentials: &Credentials,
        objects: &[ObjectId],
    ) -> (Duration, Result<Vec<SnmpValue>, SnmpFailure>) {
        if let Some(reason) = self.local_fault.clone() {
            return (Duration::ZERO, Err(SnmpFailure::Local { reason }));
        }
        match self.passage(peer) {
            Passage::Vanishes => (Duration::ZERO, Err(SnmpFailure::Silent)),
            Passage::Unreachable { .. } => (Duration::ZERO, Err(SnmpFailure::Closed)),
            Passage::Arrives(host) => {
                let answer = host.agent.as_ref().map_or(Err(SnmpFailure::Closed), |agent| {
                    agent.answer(credentials, objects)
                });
                (host.latency * 2, answer)
            }
        }
    }

    /// What becomes of a connection attempt, and how long it takes to know.
    pub fn dial(&mut self, peer: SocketAddr) -> (Duration, Dialled) {
        if let Some(reason) = &self.local_fault {
            let reason = reason.clone();
            return (Duration::ZERO, Dialled::Failed(DialError::Local { reason }));
        }
        self.ledgers.entry(peer.ip()).or_default().dials += 1;
        if self.blocked.contains(&peer.port()) {
            return (Duration::ZERO, Dialled::Lost);
        }
        match self.passage(peer.ip()) {
            Passage::Vanishes => (Duration::ZERO, Dialled::Lost),
            Passage::Unreachable { prohibited, no_route } => {
                let error = DialError::Unreachable { prohibited, no_route };
                (Duration::ZERO, Dialled::Failed(error))
            }
            Passage::Arrives(host) => {
                let outcome = match host.ports.get(&peer.port()) {
                    None | Some(Peer::Refuse) => Dialled::Failed(DialError::Refused),
                    Some(Peer::Drop) => Dialled::Lost,
                    Some(Peer::Fail(error)) => Dialled::Failed(error.clone()),
                    Some(part) => Dialled::Open(host.latency, part.clone()),
                };
                (host.latency * 2, outcome)
            }
        }
    }

    /// What becomes of a DNS question (`None`: nothing comes back), and how long that takes.
    pub fn ask(
        &mut self,
        server: SocketAddr,
        question: &Question,
    ) -> (Duration, Option<Result<Answer, AskError>>) {
        if let Some(reason) = &self.local_fault {
            return (Duration::ZERO, Some(Err(AskError::Local(reason.clone()))));
        }
        self.ledgers.entry(server.ip()).or_default().asks += 1;
        if self.questions.len() < REMEMBERED {
            self.questions.push((server, question.clone()));
        }
        let mode = match self.reachable_dns(server.ip()) {
            Ok(mode) => mode,
            Err(outcome) => return (Duration::ZERO, outcome.map(Err)),
        };
        let travel = self
            .hosts
            .get(&server.ip())
            .map_or(Duration::ZERO, |host| host.latency * 2);
        (travel, self.reply(server.ip(), &mode, question))
    }

    fn reply(&self, server: IpAddr, mode: &DnsMode, question: &Question) -> Option<Result<Answer, AskError>> {
        Some(match mode {
            DnsMode::Resolver => Ok(self.resolve(question)),
            DnsMode::Silent => return None,
            DnsMode::Closed => Err(AskError::Unreachable("connection refused".into())),
            DnsMode::Malformed => Err(AskError::Malformed("no DNS message".into())),
            DnsMode::Authoritative => Ok(self
                .zones
                .authoritative(&self.zones.serving(server, &question.name), question)),
            DnsMode::Own(zones) => {
                Ok(zones.authoritative(&self.zones.serving(server, &question.name), question))
            }
            DnsMode::Refuses => Ok(code(rcode::REFUSED)),
            DnsMode::ServFail(extended) => Ok(failure(extended.clone())),
            DnsMode::NxDomain => Ok(Answer {
                authoritative: true,
                ..code(rcode::NX_DOMAIN)
            }),
            DnsMode::Empty => Ok(Answer::default()),
        })
    }

    /// As a resolver that remembers nothing: it fails where all servers of the zone fail.
    fn resolve(&self, question: &Question) -> Answer {
        let bogus = question
            .name
            .as_ref()
            .is_some_and(|name| self.bogus.iter().any(|zone| name.is_within(zone)));
        if bogus && !question.unchecked {
            return failure(vec![extended(6, "signature not valid")]);
        }
        let answer = match self.zones.apex_of(&question.name) {
            None if question.name.is_none() && question.kind == RecordType::Ns => root_servers(),
            None => self.zones.resolved(question),
            Some(apex) => self.resolve_in(&apex, question),
        };
        let signed = question.name.as_ref().is_some_and(|name| {
            let zone = self.signed.iter().any(|zone| name.is_within(zone));
            zone && answer.rcode != rcode::SERV_FAIL
        });
        // One step out of what is signed, and the whole is not vouched for.
        let signed = signed
            && answer.answers.iter().all(|record| {
                let owner = record.name.as_ref();
                owner.is_some_and(|name| self.signed.iter().any(|zone| name.is_within(zone)))
            });
        Answer {
            authoritative: false,
            authentic: signed,
            ..answer
        }
    }

    fn resolve_in(&self, apex: &Owner, question: &Question) -> Answer {
        let servers = self.zones.servers_of(apex);
        if servers.is_empty() {
            return self.zones.resolved(question);
        }
        let mut heard = false;
        for server in servers {
            let Ok(mode) = self.reachable_dns(server) else {
                continue;
            };
            match mode {
                DnsMode::Resolver | DnsMode::Authoritative => return self.zones.resolved(question),
                DnsMode::Own(zones) => return zones.resolved(question),
                DnsMode::NxDomain => return code(rcode::NX_DOMAIN),
                DnsMode::Silent | DnsMode::Closed => {}
                DnsMode::Refuses | DnsMode::ServFail(_) | DnsMode::Empty | DnsMode::Malformed => heard = true,
            }
        }
        let explained = if heard { vec![] } else { vec![extended(22, "")] };
        failure(explained)
    }

    /// How DNS at `server` answers, or why it does not (`None`: what is sent there vanishes).
    fn reachable_dns(&self, server: IpAddr) -> Result<DnsMode, Option<AskError>> {
        let configured = self.hosts.get(&server).and_then(|host| host.dns.clone());
        let implied = || self.zones.serves(server);
        // A name server of the data needs no host of its own.
        let host_missing = !self.hosts.contains_key(&server);
        if host_missing && self.uplink == Uplink::Up && implied() {
            return Ok(DnsMode::Authoritative);
        }
        match self.passage(server) {
            Passage::Vanishes => Err(None),
            Passage::Unreachable { no_route: true, .. } => {
                Err(Some(AskError::Unreachable("we have no route there".into())))
            }
            Passage::Unreachable { .. } => Err(Some(AskError::Unreachable("host unreachable".into()))),
            Passage::Arrives(_) => Ok(configured.unwrap_or_else(|| {
                if implied() {
                    DnsMode::Authoritative
                } else {
                    DnsMode::Closed
                }
            })),
        }
    }

    fn passage(&self, address: IpAddr) -> Passage<'_> {
        match (self.uplink, self.hosts.get(&address)) {
            (Uplink::NoRoute, _) => Passage::Unreachable {
                prohibited: false,
                no_route: true,
            },
            (Uplink::Cut, _) | (Uplink::Up, None) => Passage::Vanishes,
            (Uplink::Up, Some(host)) => match host.reach {
                Reach::Answers => Passage::Arrives(host),
                Reach::Silent => Passage::Vanishes,
                Reach::Unreachable | Reach::Prohibited => Passage::Unreachable {
                    prohibited: host.reach == Reach::Prohibited,
                    no_route: false,
                },
            },
        }
    }
}

fn code(rcode: u16) -> Answer {
    Answer {
        rcode,
        ..Answer::default()
    }
}

fn failure(extended: Vec<ExtendedError>) -> Answer {
    Answer {
        extended,
        ..code(rcode::SERV_FAIL)
    }
}

fn extended(code: u16, text: &str) -> ExtendedError {
    ExtendedError {
        code,
        text: text.into(),
    }
}

/// What every resolver knows, whatever the data says.
fn root_servers() -> Answer {
    let servers = ["a.root-servers.test", "b.root-servers.test"];
    let answers = servers
        .iter()
        .filter_map(|name| DomainName::from_dns(name).ok())
        .map(|name| Record {
            name: None,
            ttl: Duration::from_hours(1),
            data: RecordData::Ns(name),
        })
        .collect();
    Answer {
        answers,
        ..Answer::default()
    }
}
