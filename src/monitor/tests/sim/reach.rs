//! Who can be reached in the simulated world: routers and their agents, hosts, the way to them, our anchors.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::answer::PATIENCE;
use super::world::{Server, World};
use crate::model::reach::{
    AnchorEvidence, AnchorOutcome, GatewayEvidence, HostEvidence, LifeCheck, PingReport,
};
use crate::model::smtp::DialError;
use crate::model::snmp::{SnmpFailure, SnmpReport};
use crate::model::trace::{Trace, TraceHop, TraceMethod};
use crate::model::{Anchor, Endpoint, Evidence};
use crate::probe::Detail;

/// How long a round of pings waits that nobody answers.
const LOST: Duration = Duration::from_millis(1800);

impl World {
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

    pub(super) fn host(&self, address: IpAddr) -> (Evidence, Duration) {
        let lives = self.reaches(address) && self.server(address) != Server::LineDown;
        let checks = vec![self.ping_check(address, lives), tcp_check(443, false)];
        (Evidence::Host(Box::new(HostEvidence { checks })), PATIENCE)
    }

    pub(super) fn gateway(&self, detail: &Detail) -> (Evidence, Duration) {
        let Detail::Gateway {
            address: Endpoint::Address(address),
            ports,
            ..
        } = detail
        else {
            panic!("no gateway detail")
        };
        let up = self.reaches(*address) && self.router_pings;
        let mut checks = vec![self.ping_check(*address, up)];
        checks.extend(ports.iter().map(|port| tcp_check(*port, up)));
        checks.extend(self.agent(*address));
        let elapsed = if up {
            Duration::from_millis(805)
        } else if ports.is_empty() {
            LOST
        } else {
            PATIENCE
        };
        let evidence = GatewayEvidence {
            address: Some(*address),
            checks,
        };
        (Evidence::Gateway(Box::new(evidence)), elapsed)
    }

    fn ping_check(&self, address: IpAddr, answers: bool) -> LifeCheck {
        LifeCheck::Ping {
            report: Ok(self.pings(address, answers)),
        }
    }

    pub(super) fn trace(&self, address: SocketAddr) -> (Evidence, Duration) {
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
        (Evidence::Trace(Box::new(trace)), Duration::from_secs(3))
    }

    pub(super) fn anchor(&self, anchor: &Anchor) -> (Evidence, Duration) {
        let (up, silent) = match anchor {
            Anchor::Ping { .. } => (self.up(), LOST),
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
        (
            Evidence::Anchor(Box::new(evidence)),
            if up { after } else { silent },
        )
    }
}

fn tcp_check(port: u16, open: bool) -> LifeCheck {
    LifeCheck::Tcp {
        port,
        result: if open {
            Ok(Duration::from_millis(5))
        } else {
            Err(DialError::Timeout)
        },
    }
}
