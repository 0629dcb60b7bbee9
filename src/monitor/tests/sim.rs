//! The simulated world.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config;
use crate::inventory::{Inventory, Surroundings};
use crate::model::blocklist::*;
use crate::model::dns::*;
use crate::model::policy::*;
use crate::model::reach::*;
use crate::model::service::*;
use crate::model::smtp::*;
use crate::model::snmp::{SnmpFailure, SnmpReport};
use crate::model::tls::{Certificate, CertificateHashes, ChainVerdict, TlsEvidence};
use crate::model::trace::{Trace, TraceHop, TraceMethod};
use crate::model::*;
use crate::monitor::{Mode, Monitor};
use crate::net::Routes;
use crate::picture::{FactKey, Learnt, NewFact};
use crate::probe::{Detail, Task};

pub const CONFIG: &str = r#"
[vantage]
name = "hq"
anchors = ["ping:192.0.2.200", "smtp:192.0.2.200:25"]
[resolver]
servers = ["192.0.2.52"]
[probes]
interval = "5s"
timeout = "4s"
greeting_timeout = "8s"
confirm = 2
confirm_interval = "1s"
[budgets]
per_address = { concurrent = 1, interval = "1s" }
per_provider = { concurrent = 2, per_minute = 600 }
per_nameserver = { per_second = 50 }
refused_backoff = "5s"
[[providers]]
name = "BIGMAIL"
mx = ["*.bigmail.test"]
[[clients]]
name = "ACME"
domains = ["acme.test", "acme-shop.test"]
[[clients.gateways]]
name = "hq-router"
address = "198.51.100.1"
networks = ["198.51.100.0/26"]
checks = ["ping", "tcp:443"]
contact = "Telekom business line"
[[clients]]
name = "BETA"
domains = ["beta.test"]
[[clients.gateways]]
name = "beta-router"
address = "203.0.113.1"
networks = ["203.0.113.0/26"]
checks = ["ping"]
[[clients]]
name = "GAMMA"
domains = ["gamma.test", "delta.test"]
[[clients]]
name = "ZETA"
domains = ["epsilon.test", "zeta.test"]
"#;

/// How a mail server is.
#[derive(Debug, Clone, PartialEq)]
pub enum Server {
    Up,
    Stopped,
    LineDown,
    Filtered,
    Silent,
    Greets(&'static str),
    Closes,
    Babbles,
}

/// How the name servers of a domain are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NameServers {
    Up,
    OneDown,
    Refusing,
    Down,
}

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that a test turns")]
pub struct World {
    pub uplink: bool,
    /// Our own cable is out: like a dead uplink, but our kernel says so at once, and the routes are gone.
    pub cut: bool,
    pub port25: bool,
    pub resolver: bool,
    pub routers: BTreeMap<&'static str, bool>,
    pub router_pings: bool,
    pub servers: BTreeMap<&'static str, Server>,
    pub mx: BTreeMap<&'static str, Vec<&'static str>>,
    pub missing: BTreeSet<&'static str>,
    pub hosts: BTreeMap<&'static str, Vec<&'static str>>,
    pub name_servers: BTreeMap<&'static str, NameServers>,
    /// SIZE and 8BITMIME, as every server offers them.
    pub offered: (Option<u64>, bool),
    /// The last closer look at a domain's zone.
    pub closer: BTreeMap<&'static str, ZoneLook>,
    /// Hosts that our resolver remembers as ones whose name servers fail.
    pub remembered: BTreeSet<&'static str>,
    pub certificates: BTreeMap<&'static str, (ChainVerdict, &'static str, i64)>,
    pub starttls: bool,
    /// What stands in DNS in place of what is in order.
    pub policies: BTreeMap<(&'static str, PolicyPart), Evidence>,
    /// TLSA records by host, for which everything is signed.
    pub tlsa: BTreeMap<&'static str, TlsaRecord>,
    /// What the certificates of servers hash to.
    pub keys: BTreeMap<&'static str, CertificateHashes>,
    /// How services are, by their port; `Up` where nothing is said.
    pub services: BTreeMap<u16, Server>,
    /// The certificate that services show: for which name, and for how many days.
    pub service_certificate: (ChainVerdict, Option<&'static str>, i64),
    pub list: List,
    /// How many of a round's five pings are lost on the way to a router, by its address.
    pub lossy: BTreeMap<&'static str, usize>,
    /// How long pings to a router take.
    pub slow: BTreeMap<&'static str, Duration>,
    /// How many of a round's five pings our own line loses, and how much longer each takes.
    pub own_line: (usize, Duration),
    /// The SNMP agents of routers, by address: when each started, or why it says nothing.
    pub agents: BTreeMap<&'static str, Result<Timestamp, SnmpFailure>>,
    /// The time, for what counts it.
    clock: Timestamp,
}

/// How the blocklist is.
#[derive(Debug, Clone, PartialEq)]
pub enum List {
    /// It lists these.
    Of(Vec<&'static str>),
    /// It lists everything.
    Everything,
    /// It turns our questions away.
    Refusing,
}

impl World {
    pub fn healthy() -> Self {
        Self {
            uplink: true,
            cut: false,
            port25: true,
            resolver: true,
            routers: [("198.51.100.1", true), ("203.0.113.1", true)].into(),
            router_pings: true,
            servers: [
                "198.51.100.10",
                "198.51.100.11",
                "203.0.113.10",
                "192.0.2.61",
                "192.0.2.62",
            ]
            .map(|address| (address, Server::Up))
            .into(),
            mx: [
                ("acme.test", vec!["mx.acme.test"]),
                ("acme-shop.test", vec!["mx.acme.test"]),
                ("beta.test", vec!["mx.beta.test"]),
                ("gamma.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
                ("delta.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
                ("epsilon.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
                ("zeta.test", vec!["mx1.bigmail.test", "mx2.bigmail.test"]),
            ]
            .into(),
            missing: BTreeSet::new(),
            hosts: [
                ("mx.acme.test", vec!["198.51.100.10"]),
                ("mx.beta.test", vec!["203.0.113.10"]),
                ("mail.acme.test", vec!["198.51.100.11"]),
                ("mx1.bigmail.test", vec!["192.0.2.61"]),
                ("mx2.bigmail.test", vec!["192.0.2.62"]),
            ]
            .into(),
            name_servers: BTreeMap::new(),
            offered: (Some(50_000_000), true),
            closer: BTreeMap::new(),
            remembered: BTreeSet::new(),
            certificates: BTreeMap::new(),
            starttls: true,
            policies: BTreeMap::new(),
            tlsa: BTreeMap::new(),
            keys: BTreeMap::new(),
            services: BTreeMap::new(),
            service_certificate: (ChainVerdict::Trusted, None, 90),
            list: List::Of(vec![]),
            lossy: BTreeMap::new(),
            slow: BTreeMap::new(),
            own_line: (0, Duration::ZERO),
            agents: BTreeMap::new(),
            clock: start(),
        }
    }

    fn up(&self) -> bool {
        self.uplink && !self.cut
    }

    fn router_up(&self, address: IpAddr) -> bool {
        let prefix = address.to_string();
        let prefix = prefix.rsplit_once('.').map(|(net, _)| net.to_owned()).unwrap();
        self.routers
            .iter()
            .all(|(router, up)| *up || !router.starts_with(&prefix))
    }

    fn reaches(&self, address: IpAddr) -> bool {
        self.up() && self.router_up(address)
    }

    fn server(&self, address: IpAddr) -> Server {
        self.servers
            .get(address.to_string().as_str())
            .cloned()
            .unwrap_or(Server::LineDown)
    }
}

const PATIENCE: Duration = Duration::from_secs(4);

fn dial_timeout(limit: Duration) -> (SmtpFailureKind, Duration) {
    (SmtpFailureKind::Dial(DialError::Timeout), limit)
}

impl World {
    fn lookup<T>(&self, domain: &str, found: Option<T>) -> (Lookup<T>, Duration) {
        let quick = Duration::from_millis(20);
        if !self.up() || !self.resolver {
            return (Lookup::Timeout, PATIENCE);
        }
        let state = self.name_servers.get(domain);
        if state == Some(&NameServers::Down) {
            return (Lookup::Timeout, PATIENCE);
        }
        if state == Some(&NameServers::Refusing) || self.remembered.contains(domain) {
            let failure = Lookup::ServFail {
                extended: vec![],
                answers_unchecked: false,
            };
            return (failure, quick);
        }
        let ttl = Duration::from_secs(5);
        let answer = match found {
            _ if self.missing.contains(domain) => Lookup::NxDomain {
                ttl,
                authentic: false,
            },
            Some(records) => Lookup::Found {
                records,
                ttl,
                authentic: false,
            },
            None => Lookup::NoData { ttl },
        };
        (answer, quick)
    }

    fn mx_records(&self, domain: &str) -> Option<Vec<MxRecord>> {
        let list = self.mx.get(domain)?;
        let record = |(index, host): (usize, &&'static str)| MxRecord {
            preference: u16::try_from(index * 10).unwrap(),
            exchange: if *host == "." {
                Exchange::Null
            } else {
                Exchange::Host(DomainName::parse(host).unwrap())
            },
        };
        Some(list.iter().enumerate().map(record).collect())
    }

    fn mx(&self, domain: &DomainName) -> (Evidence, Duration) {
        let (answer, elapsed) = self.lookup(domain.as_str(), self.mx_records(domain.as_str()));
        let answer = signed(answer, !self.tlsa.is_empty());
        (
            Evidence::Mx(MxEvidence {
                server: "192.0.2.52:53".parse().unwrap(),
                answer,
            }),
            elapsed,
        )
    }

    fn addresses(&self, host: &DomainName) -> (Evidence, Duration) {
        let zone = host.parent().unwrap_or_else(|| host.clone());
        let list = self.hosts.get(host.as_str());
        let zone = if self.name_servers.contains_key(zone.as_str()) {
            zone
        } else {
            host.clone()
        };
        let found = list.map(|list| list.iter().map(|address| address.parse().unwrap()).collect());
        let (v4, elapsed) = self.lookup(zone.as_str(), found);
        let v6 = match &v4 {
            Lookup::Found { .. } | Lookup::NoData { .. } => Lookup::NoData {
                ttl: Duration::from_secs(5),
            },
            Lookup::NxDomain { ttl, .. } => Lookup::NxDomain {
                ttl: *ttl,
                authentic: false,
            },
            _ => Lookup::Timeout,
        };
        let server = "192.0.2.52:53".parse().unwrap();
        (
            Evidence::Addresses(AddressEvidence {
                server,
                v4,
                v6,
                alias_of: None,
            }),
            elapsed,
        )
    }

    fn name_servers(&self, domain: &DomainName) -> (Evidence, Duration) {
        let state = self
            .name_servers
            .get(domain.as_str())
            .copied()
            .unwrap_or(NameServers::Up);
        let mut longest = Duration::from_millis(20);
        let servers = ["192.0.2.53", "192.0.2.54"]
            .iter()
            .enumerate()
            .map(|(index, address)| {
                let down =
                    !self.up() || state == NameServers::Down || (state == NameServers::OneDown && index == 0);
                if down {
                    longest = PATIENCE;
                }
                let answer = match (down, state) {
                    (true, _) => Lookup::Timeout,
                    (_, NameServers::Refusing) => Lookup::Refused { rcode: 5 },
                    _ if self.missing.contains(domain.as_str()) => Lookup::NxDomain {
                        ttl: Duration::from_secs(5),
                        authentic: false,
                    },
                    _ => match self.mx_records(domain.as_str()) {
                        Some(records) => Lookup::Found {
                            records,
                            ttl: Duration::from_secs(5),
                            authentic: false,
                        },
                        None => Lookup::NoData {
                            ttl: Duration::from_secs(5),
                        },
                    },
                };
                NameServerAnswer {
                    name: DomainName::parse(&format!("ns{}.test", index + 1)).unwrap(),
                    address: Some(address.parse().unwrap()),
                    named_by: NamedBy::Zone,
                    authoritative: answer.is_definite(),
                    answer,
                    elapsed: longest,
                }
            });
        let servers: Vec<NameServerAnswer> = servers.collect();
        let evidence = NameServerEvidence {
            zone: Some(domain.clone()),
            found_by: FoundBy::Resolver,
            servers,
            closer: self.closer.get(domain.as_str()).cloned(),
        };
        (Evidence::NameServers(evidence), longest)
    }

    fn smtp(&self, peer: SocketAddr, detail: &Detail) -> (Evidence, Duration) {
        let Detail::Smtp {
            server_name,
            patience,
            slow_lane,
        } = detail
        else {
            panic!("no SMTP detail")
        };
        let mut evidence = SmtpEvidence {
            peer,
            server_name: server_name.clone(),
            patience: *patience,
            slow_lane: *slow_lane,
            stages: vec![],
            greeting: None,
            capabilities: None,
            tls: None,
            failure: None,
            transcript: vec![],
        };
        let quick = Duration::from_millis(30);
        let server = self.server(peer.ip());
        let mut fail = |stage, kind, after| {
            evidence.stages.push(StageTiming {
                stage,
                elapsed: after,
            });
            evidence.failure = Some(SmtpFailure { stage, after, kind });
            after
        };
        let open = self.reaches(peer.ip()) && self.port25;
        let elapsed = if !open || matches!(server, Server::LineDown | Server::Filtered) {
            let (kind, after) = dial_timeout(PATIENCE);
            fail(SmtpStage::Connect, kind, after)
        } else {
            match server {
                Server::Stopped => fail(
                    SmtpStage::Connect,
                    SmtpFailureKind::Dial(DialError::Refused),
                    quick,
                ),
                Server::Silent => fail(SmtpStage::Greeting, SmtpFailureKind::Timeout, *patience),
                Server::Closes => fail(
                    SmtpStage::Greeting,
                    SmtpFailureKind::Closed { reset: false },
                    quick,
                ),
                Server::Babbles => {
                    let kind = SmtpFailureKind::Protocol(ProtocolError::TooLong);
                    fail(SmtpStage::Greeting, kind, quick)
                }
                Server::Greets(line) => fail(SmtpStage::Greeting, SmtpFailureKind::Reply(reply(line)), quick),
                _ => {
                    self.session(peer, &mut evidence);
                    quick
                }
            }
        };
        (Evidence::Smtp(Box::new(evidence)), elapsed)
    }

    fn session(&self, peer: SocketAddr, evidence: &mut SmtpEvidence) {
        evidence.greeting = Some(reply("220 mx ESMTP"));
        evidence.stages = vec![StageTiming {
            stage: SmtpStage::Connect,
            elapsed: Duration::from_millis(5),
        }];
        evidence.capabilities = Some(Capabilities {
            starttls: self.starttls,
            size: self.offered.0,
            eight_bit_mime: self.offered.1,
            ..Capabilities::default()
        });
        if !self.starttls {
            return;
        }
        let address = peer.ip().to_string();
        let name = evidence
            .server_name
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (chain, name, days) = match self.certificates.get(address.as_str()) {
            Some((chain, name, days)) => (chain.clone(), (*name).to_owned(), *days),
            None => (ChainVerdict::Trusted, name, 90),
        };
        let hashes = self.keys.get(address.as_str()).cloned();
        evidence.tls = Some(TlsEvidence {
            hashes: hashes.into_iter().collect(),
            ..tls_evidence(&name, &chain, days)
        });
    }

    fn policy(&self, domain: &DomainName, part: PolicyPart, detail: &Detail) -> (Evidence, Duration) {
        let (told, elapsed) = self.lookup(domain.as_str(), Some(()));
        let mut evidence = match self.policies.get(&(domain.as_str(), part)) {
            // A policy host that is silent is so whatever DNS says from memory.
            Some(evidence) if told.is_definite() || part == PolicyPart::Sts => evidence.clone(),
            _ => in_order(part, told),
        };
        if let (Evidence::Sts(sts), Detail::Sts { held }) = (&mut evidence, detail)
            && !matches!(&sts.fetch, Some(fetch) if matches!(fetch.outcome, StsOutcome::Read { .. }))
        {
            sts.held = held.clone().filter(|held| held.holds_at(self.clock));
        }
        (evidence, elapsed)
    }

    fn tlsa(&self, host: &DomainName) -> (Evidence, Duration) {
        let record = self.tlsa.get(host.as_str()).map(|record| vec![record.clone()]);
        let (answer, elapsed) = self.lookup(host.as_str(), record);
        let answer = signed(answer, true);
        let addresses_authentic = answer.records().is_some();
        (
            Evidence::Tlsa(TlsaEvidence {
                answer,
                addresses_authentic,
                base: None,
            }),
            elapsed,
        )
    }

    /// A round of pings to `address`.
    fn pings(&self, address: IpAddr, answers: bool) -> PingReport {
        let address = address.to_string();
        let lost = self.lossy.get(address.as_str()).copied().unwrap_or_default() + self.own_line.0;
        let usual = Duration::from_millis(5);
        let took = self.slow.get(address.as_str()).copied().unwrap_or(usual) + self.own_line.1;
        PingReport {
            sent: 5,
            round_trips: if answers {
                vec![took; 5_usize.saturating_sub(lost)]
            } else {
                vec![]
            },
            unreachable: false,
        }
    }

    /// What a router's agent says, where it has one.
    fn agent(&self, address: IpAddr) -> Option<LifeCheck> {
        let agent = self.agents.get(address.to_string().as_str())?.clone();
        let report = match agent {
            Ok(started) if self.reaches(address) => {
                let hundredths = self.clock.duration_since(started).as_millis() / 10;
                Ok(SnmpReport {
                    uptime: u32::try_from(hundredths % (1 << 32)).unwrap(),
                    description: "RouterOS".into(),
                    interface: None,
                })
            }
            Ok(_) => Err(SnmpFailure::Silent),
            Err(failure) => Err(failure),
        };
        Some(LifeCheck::Snmp { report })
    }

    fn answer(&self, task: &Task) -> (Evidence, Duration) {
        let ping = |address: IpAddr, answers: bool| LifeCheck::Ping {
            report: Ok(self.pings(address, answers)),
        };
        let tcp = |port, open: bool| LifeCheck::Tcp {
            port,
            result: if open {
                Ok(Duration::from_millis(5))
            } else {
                Err(DialError::Timeout)
            },
        };
        let lost = Duration::from_millis(1800);
        match &task.subject {
            Subject::Mx(domain) => self.mx(domain),
            Subject::Addresses(host) => self.addresses(host),
            Subject::NameServers(domain) => self.name_servers(domain),
            Subject::Smtp(peer) => self.smtp(*peer, &task.detail),
            Subject::Host(address) => {
                let lives = self.reaches(*address) && self.server(*address) != Server::LineDown;
                let checks = vec![ping(*address, lives), tcp(443, false)];
                (Evidence::Host(HostEvidence { checks }), PATIENCE)
            }
            Subject::Trace(address) => self.trace(*address),
            Subject::Gateway(..) => {
                let Detail::Gateway {
                    address: Endpoint::Address(address),
                    ports,
                    ..
                } = &task.detail
                else {
                    panic!("no gateway detail")
                };
                let up = self.reaches(*address) && self.router_pings;
                let mut checks = vec![ping(*address, up)];
                checks.extend(ports.iter().map(|port| tcp(*port, up)));
                checks.extend(self.agent(*address));
                let elapsed = if up {
                    Duration::from_millis(805)
                } else if ports.is_empty() {
                    lost
                } else {
                    PATIENCE
                };
                (
                    Evidence::Gateway(GatewayEvidence {
                        address: Some(*address),
                        checks,
                    }),
                    elapsed,
                )
            }
            Subject::Anchor(anchor) => self.anchor(anchor, lost),
            Subject::Policy(domain, part) => self.policy(domain, *part, &task.detail),
            Subject::Tlsa(host) => self.tlsa(host),
            Subject::Service(service) => self.service(service),
            Subject::Blocklist(_) => self.blocklist(),
            Subject::Listing(_, address) => self.listing(*address),
            Subject::Resolver(_) => {
                let up = self.up() && self.resolver;
                let answer = if up {
                    Lookup::Found {
                        records: 13,
                        ttl: Duration::from_mins(1),
                        authentic: false,
                    }
                } else {
                    Lookup::Timeout
                };
                let elapsed = if up { Duration::from_millis(10) } else { PATIENCE };
                (Evidence::Resolver(ResolverEvidence { answer }), elapsed)
            }
        }
    }

    fn trace(&self, address: SocketAddr) -> (Evidence, Duration) {
        let hop = |distance, address: &str| TraceHop {
            distance,
            at_most: false,
            address: address.parse().unwrap(),
            after: Duration::from_millis(9),
        };
        let trace = Trace {
            method: TraceMethod::Tcp,
            hops: vec![hop(1, "192.0.2.1"), hop(7, "192.0.2.99")],
            arrived: self.reaches(address.ip()) && self.server(address.ip()) == Server::Up,
        };
        (Evidence::Trace(trace), Duration::from_secs(3))
    }

    fn service(&self, service: &Service) -> (Evidence, Duration) {
        let name = service.name().unwrap();
        let found: Option<Vec<IpAddr>> = self
            .hosts
            .get(name.as_str())
            .map(|list| list.iter().map(|one| one.parse().unwrap()).collect());
        let (lookup, looked) = self.lookup(name.as_str(), found);
        let mut evidence = ServiceEvidence::default();
        let fail = |stage, kind, after| Some(ServiceFailure { stage, after, kind });
        let said = lookup.outcome();
        let Lookup::Found { records, .. } = lookup else {
            let kind = if lookup.is_definite() {
                ServiceFailureKind::NoAddress { said }
            } else {
                ServiceFailureKind::Untold { said }
            };
            evidence.failure = fail(ServiceStage::Lookup, kind, looked);
            return (Evidence::Service(Box::new(evidence)), looked);
        };
        let address: IpAddr = records[0];
        evidence.addresses = records;
        evidence.peer = Some(SocketAddr::new(address, service.port));
        let quick = Duration::from_millis(30);
        let machine = self.reaches(address) && !matches!(self.server(address), Server::LineDown);
        let how = self.services.get(&service.port).cloned().unwrap_or(Server::Up);
        let (failure, elapsed) = match how {
            _ if !machine => (Some(ServiceFailureKind::Dial(DialError::Timeout)), PATIENCE),
            Server::LineDown | Server::Filtered => {
                (Some(ServiceFailureKind::Dial(DialError::Timeout)), PATIENCE)
            }
            Server::Stopped => (Some(ServiceFailureKind::Dial(DialError::Refused)), quick),
            Server::Greets(line) => {
                let refused = ServiceFailureKind::Refused {
                    line: line.into(),
                    enhanced: None,
                };
                (Some(refused), quick)
            }
            _ => (None, quick),
        };
        if let Some(kind) = failure {
            evidence.failure = fail(ServiceStage::Connect, kind, elapsed);
        } else {
            let (chain, shown, days) = self.service_certificate.clone();
            evidence.greeting = Some("* OK".into());
            evidence.tls = Some(tls_evidence(shown.unwrap_or(name.as_str()), &chain, days));
        }
        (Evidence::Service(Box::new(evidence)), elapsed)
    }

    fn list_answer(&self, address: &str) -> ListAnswer {
        let ttl = Duration::from_secs(5);
        let found = |octets: [u8; 4]| Lookup::Found {
            records: vec![octets.into()],
            ttl,
            authentic: false,
        };
        let answer = match &self.list {
            _ if !self.up() || !self.resolver => Lookup::Timeout,
            List::Refusing => found([127, 255, 255, 254]),
            List::Everything => found([127, 0, 0, 2]),
            List::Of(list) if address == "127.0.0.2" || list.contains(&address) => found([127, 0, 0, 2]),
            List::Of(_) => Lookup::NxDomain {
                ttl,
                authentic: false,
            },
        };
        ListAnswer { answer }
    }

    fn listing(&self, address: IpAddr) -> (Evidence, Duration) {
        let answer = self.list_answer(&address.to_string());
        let reason = None;
        (
            Evidence::Listing(ListingEvidence { answer, reason }),
            Duration::from_millis(20),
        )
    }

    fn blocklist(&self) -> (Evidence, Duration) {
        let test = |listed, clean| SelfTest {
            listed: self.list_answer(listed),
            clean: self.list_answer(clean),
        };
        let evidence = BlocklistEvidence {
            v4: test("127.0.0.2", "127.0.0.1"),
            v6: test("::2", "::1"),
        };
        (Evidence::Blocklist(evidence), Duration::from_millis(20))
    }

    fn anchor(&self, anchor: &Anchor, lost: Duration) -> (Evidence, Duration) {
        let (up, silent) = match anchor {
            Anchor::Ping { .. } => (self.up(), lost),
            Anchor::Smtp { .. } => (self.up() && self.port25, PATIENCE),
        };
        let after = Duration::from_millis(10);
        let outcome = if up {
            AnchorOutcome::Answered {
                after,
                greeting: None,
            }
        } else {
            AnchorOutcome::Silent {
                reason: "no answer".into(),
            }
        };
        let address: IpAddr = "192.0.2.200".parse().unwrap();
        let pings = matches!(anchor, Anchor::Ping { .. }).then(|| self.pings(address, up));
        let evidence = AnchorEvidence {
            address: Some(address),
            outcome,
            pings,
        };
        (Evidence::Anchor(evidence), if up { after } else { silent })
    }
}

/// Evidence that a part of what a domain publishes is in order, or that nobody could tell.
fn in_order(part: PolicyPart, told: Lookup<()>) -> Evidence {
    let definite = told.is_definite();
    let texts = |text: &str| told.clone().map(|()| vec![text.to_owned()]);
    match part {
        PolicyPart::Spf => Evidence::Spf(SpfEvidence {
            own: texts("v=spf1 mx -all"),
            read: vec![],
            lookups: 1,
            void: vec![],
            outcome: if definite {
                SpfOutcome::Valid {
                    all: Some('-'),
                    ptr: false,
                }
            } else {
                SpfOutcome::Untold {
                    reason: told.outcome(),
                }
            },
        }),
        PolicyPart::Dmarc => Evidence::Dmarc(DmarcEvidence {
            own: texts("v=DMARC1; p=none"),
            inherited: None,
            untold: None,
        }),
        PolicyPart::Dkim => Evidence::Dkim(DkimEvidence { keys: vec![] }),
        PolicyPart::Sts => {
            let nothing = if definite {
                Lookup::NoData {
                    ttl: Duration::from_secs(5),
                }
            } else {
                told.map(|()| vec![])
            };
            Evidence::Sts(Box::new(StsEvidence {
                record: nothing.clone(),
                fetch: None,
                held: None,
                tls_rpt: nothing,
            }))
        }
    }
}

/// The same answer, vouched for by DNSSEC.
fn signed<T>(answer: Lookup<T>, authentic: bool) -> Lookup<T> {
    match answer {
        Lookup::Found { records, ttl, .. } => Lookup::Found {
            records,
            ttl,
            authentic,
        },
        other => other,
    }
}

/// A session with a certificate for `name` that ends `days` after the start.
fn tls_evidence(name: &str, chain: &ChainVerdict, days: i64) -> TlsEvidence {
    let day = |days: i64| {
        start()
            .checked_add(SignedDuration::from_hours(24 * days))
            .unwrap()
    };
    TlsEvidence {
        version: "TLS 1.3".into(),
        cipher: "TLS13_AES_128_GCM_SHA256".into(),
        certificate: Some(Certificate {
            subject: format!("CN={name}"),
            issuer: "CN=Lab CA".into(),
            names: vec![name.to_owned()],
            not_before: day(-30),
            not_after: day(days),
            key: "ECDSA P-256".into(),
            fingerprint: format!("{name}{days}{chain:?}"),
            self_signed: false,
        }),
        chain: chain.clone(),
        hashes: Vec::new(),
    }
}

fn reply(line: &str) -> Reply {
    let (code, text) = line.split_once(' ').unwrap();
    let numbers: Vec<u16> = text
        .split(' ')
        .next()
        .unwrap()
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    let enhanced = match numbers[..] {
        [class, subject, detail] => Some(EnhancedCode(u8::try_from(class).unwrap(), subject, detail)),
        _ => None,
    };
    Reply {
        code: code.parse().unwrap(),
        enhanced,
        lines: vec![text.to_owned()],
    }
}

pub fn start() -> Timestamp {
    "2026-11-22T02:00:00Z".parse().unwrap()
}

fn inventory(config: &str) -> Arc<Inventory> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mailflow.toml");
    std::fs::write(&path, config).unwrap();
    let loaded = config::load(Some(&path), std::iter::empty())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    Arc::new(Inventory::new(&loaded.config, &Surroundings::default()))
}

/// The inventory of [`CONFIG`].
static INVENTORY: LazyLock<Arc<Inventory>> = LazyLock::new(|| inventory(CONFIG));

/// A daemon that has watched a healthy world for a minute.
static SETTLED: LazyLock<Sim> = LazyLock::new(|| {
    let mut sim = Sim::new(Mode::Watch);
    sim.run(60.0);
    for name in sim.domains() {
        assert_eq!(sim.state(&name), (State::Flowing, None), "{name} after a minute");
    }
    sim.forget();
    sim
});

/// A monitor, its world, and what was seen.
#[derive(Clone)]
pub struct Sim {
    pub world: World,
    pub monitor: Monitor,
    pub now: Timestamp,
    running: BinaryHeap<Reverse<(Timestamp, u64)>>,
    flights: HashMap<u64, Observation>,
    next: u64,
    routes_due: Timestamp,
    /// Makes each probe take up to 0.4 s longer, as on a busy machine; the seed of how long.
    pub jitter: Option<u64>,
    /// Every turn of a verdict, in order.
    pub turns: Vec<(Timestamp, Target, State, Option<Code>)>,
    /// What was learnt, as the store keeps it.
    pub store: BTreeMap<FactKey, NewFact>,
    /// When each subject's probes began and end.
    pub probes: HashMap<Subject, Vec<(Timestamp, Timestamp)>>,
}

impl Sim {
    pub fn new(mode: Mode) -> Self {
        Self::of(mode, &INVENTORY)
    }

    /// A daemon with a configuration of its own.
    pub fn configured(config: &str) -> Self {
        Self::of(Mode::Watch, &inventory(config))
    }

    fn of(mode: Mode, inventory: &Arc<Inventory>) -> Self {
        let routes = Routes { v4: true, v6: false };
        let monitor = Monitor::new(
            mode,
            inventory,
            Learnt::default(),
            HashMap::new(),
            routes,
            start(),
        );
        Self {
            world: World::healthy(),
            monitor,
            now: start(),
            running: BinaryHeap::new(),
            flights: HashMap::new(),
            next: 0,
            routes_due: start(),
            jitter: None,
            turns: Vec::new(),
            store: BTreeMap::new(),
            probes: HashMap::new(),
        }
    }

    /// A daemon that has watched a healthy world for a minute.
    pub fn settled() -> Self {
        SETTLED.clone()
    }

    /// Takes over another configuration.
    pub fn reload(&mut self, config: &str) {
        self.monitor.reload(inventory(config), self.now);
    }

    /// Forgets what was seen so far.
    pub fn forget(&mut self) {
        self.turns.clear();
        self.probes.clear();
    }

    pub fn domains(&self) -> Vec<String> {
        self.monitor
            .picture()
            .inventory
            .domains
            .keys()
            .map(ToString::to_string)
            .collect()
    }

    pub fn run(&mut self, seconds: f64) {
        let until = self
            .now
            .checked_add(SignedDuration::from_secs_f64(seconds))
            .unwrap();
        loop {
            self.look_at_routes();
            for (task, _) in self.monitor.due(self.now) {
                self.launch(&task);
            }
            self.collect();
            let flight = self.running.peek().map(|Reverse((when, _))| *when);
            let wake = self.monitor.next_wake();
            let Some(next) = flight.into_iter().chain(wake).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = next.max(self.now);
            while let Some(Reverse((when, id))) = self
                .running
                .peek()
                .copied()
                .filter(|Reverse((when, _))| *when <= self.now)
            {
                self.running.pop();
                let observation = self.flights.remove(&id).unwrap();
                self.monitor.observe(observation, when);
            }
            self.monitor.tick(self.now);
            self.collect();
        }
        self.now = until;
    }

    /// As the daemon does, every five seconds.
    fn look_at_routes(&mut self) {
        if self.now < self.routes_due {
            return;
        }
        self.routes_due = self.now.checked_add(SignedDuration::from_secs(5)).unwrap();
        let v4 = !self.world.cut;
        self.monitor.set_routes(Routes { v4, v6: false }, self.now);
    }

    fn launch(&mut self, task: &Task) {
        self.world.clock = self.now;
        let (evidence, mut elapsed) = self.world.answer(task);
        if self.world.cut {
            elapsed = elapsed.min(Duration::from_millis(1));
        }
        if let Some(state) = &mut self.jitter {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            elapsed += Duration::from_micros((*state >> 33) % 400_000);
        }
        let observation = Observation {
            subject: task.subject.clone(),
            at: self.now,
            elapsed,
            source: None,
            evidence,
        };
        let span = (self.now, observation.ended());
        self.probes.entry(task.subject.clone()).or_default().push(span);
        let id = self.next;
        self.next += 1;
        self.running.push(Reverse((observation.ended(), id)));
        self.flights.insert(id, observation);
    }

    /// Ends the daemon and starts another one that knows what the store keeps, `pause` seconds later.
    pub fn restart(&mut self, config: &str, pause: f64) {
        self.now = self
            .now
            .checked_add(SignedDuration::from_secs_f64(pause))
            .unwrap();
        let learnt = Learnt::restore(self.store.values().cloned());
        let routes = Routes { v4: true, v6: false };
        self.monitor = Monitor::new(
            Mode::Watch,
            &inventory(config),
            learnt,
            HashMap::new(),
            routes,
            self.now,
        );
        self.running.clear();
        self.flights.clear();
        self.forget();
    }

    fn collect(&mut self) {
        let changes = self.monitor.take_changes();
        for key in &changes.unlearnt {
            self.store.remove(key);
        }
        self.store
            .extend(changes.facts.into_iter().map(|fact| (fact.key(), fact)));
        for verdict in changes.verdicts {
            let code = verdict.cause.as_ref().map(|cause| cause.code);
            self.turns
                .push((self.now, verdict.target.clone(), verdict.state, code));
        }
    }

    /// How many SMTP sessions each address has had.
    pub fn sessions(&self) -> impl Iterator<Item = (&SocketAddr, usize)> {
        self.probes.iter().filter_map(|(subject, spans)| match subject {
            Subject::Smtp(peer) => Some((peer, spans.len())),
            _ => None,
        })
    }

    pub fn verdict(&self, domain: &str) -> Verdict {
        let target = Target::Domain(DomainName::parse(domain).unwrap());
        (**self.monitor.verdict(&target).unwrap()).clone()
    }

    pub fn state(&self, domain: &str) -> (State, Option<Code>) {
        let verdict = self.verdict(domain);
        (verdict.state, verdict.cause.map(|cause| cause.code))
    }

    /// The turns of one domain, with seconds since `from`.
    pub fn turns_of(&self, domain: &str, from: Timestamp) -> Vec<(f64, State, Option<Code>)> {
        let target = Target::Domain(DomainName::parse(domain).unwrap());
        self.turns
            .iter()
            .filter(|(_, of, ..)| *of == target)
            .map(|(at, _, state, code)| (at.duration_since(from).as_secs_f64(), *state, *code))
            .collect()
    }
}
