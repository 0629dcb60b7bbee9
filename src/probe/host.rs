//! Whether a host lives at all: asked only after a failure, to tell a dead host from a closed door.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{Seen, ask};
use crate::model::reach::{HostEvidence, LifeCheck};
use crate::model::snmp::SnmpFailure;
use crate::model::{DialError, Evidence};
use crate::net::{Net, PingPlan};

/// What is tried besides pings: what mail hosts often have open beside port 25.
const PORTS: [u16; 3] = [443, 587, 993];

/// Pings the host and tries its ports, all at once.
pub async fn run<N: Net>(net: &N, host: IpAddr, timeout: Duration) -> Seen {
    let (checks, source) = check(net, host, true, &PORTS, timeout).await;
    conclude(checks, source, |checks| {
        Evidence::Host(Box::new(HostEvidence { checks }))
    })
}

/// Pings a host (where `ping`) and tries its ports, all at once; gives what came of each, and the address that we
/// spoke from.
pub(super) async fn check<N: Net>(
    net: &N,
    host: IpAddr,
    ping: bool,
    ports: &[u16],
    timeout: Duration,
) -> (Vec<LifeCheck>, Option<IpAddr>) {
    let pinged = async {
        if ping {
            let plan = PingPlan::USUAL.within(timeout);
            let report = net.ping(host, plan).await.map_err(|error| error.to_string());
            Some(LifeCheck::Ping { report })
        } else {
            None
        }
    };
    let dialled = join_all(
        ports
            .iter()
            .map(|port| dial(net, SocketAddr::new(host, *port), timeout)),
    );
    let (pinged, dialled) = join(pinged, dialled).await;
    let source = dialled.iter().find_map(|(_, source)| *source);
    let checks = pinged
        .into_iter()
        .chain(dialled.into_iter().map(|(check, _)| check))
        .collect();
    (checks, source)
}

async fn dial<N: Net>(net: &N, peer: SocketAddr, timeout: Duration) -> (LifeCheck, Option<IpAddr>) {
    let start = net.now();
    let outcome = net.dial(peer, timeout).await;
    let elapsed = ask::since(net, start);
    let source = outcome.as_ref().ok().and_then(|connection| connection.source);
    let check = LifeCheck::Tcp {
        port: peer.port(),
        result: outcome.map(|_| elapsed),
    };
    (check, source)
}

/// The evidence of some checks; none when our own side let none of them run.
pub(super) fn conclude(
    checks: Vec<LifeCheck>,
    source: Option<IpAddr>,
    evidence: impl FnOnce(Vec<LifeCheck>) -> Evidence,
) -> Seen {
    if !checks.is_empty() && !checks.iter().any(LifeCheck::could_run) {
        let reason = checks.iter().find_map(|check| match check {
            LifeCheck::Tcp {
                result: Err(DialError::Local { reason }),
                ..
            }
            | LifeCheck::Ping { report: Err(reason) }
            | LifeCheck::Snmp {
                report: Err(SnmpFailure::Local { reason }),
            } => Some(reason.clone()),
            _ => None,
        });
        return Seen::unrunnable(reason.unwrap_or_default());
    }
    Seen {
        evidence: evidence(checks),
        source,
    }
}
