//! A client's router or firewall, by its own checks.

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::future::join;

use super::ask::{Deadline, NoAddress, locate};
use super::host::{check, conclude};
use super::{Context, Seen, snmp};
use crate::model::reach::GatewayEvidence;
use crate::model::{Endpoint, Evidence};
use crate::net::Net;
use crate::net::snmp::SnmpLogin;

/// How long an agent is given to answer (`snmpget` gives up after six seconds), and no more than half the time there
/// is: a router that is down must not be found out later for having one.
const AGENT: Duration = Duration::from_secs(5);

/// Runs the checks of a gateway, all at once, at the address that its name has now.
///
/// A name that has no address is evidence; a name that nobody could tell us of is none, since it says nothing of
/// the gateway.
pub async fn run<N: Net>(
    net: &N,
    context: &Context,
    address: &Endpoint,
    ping: bool,
    ports: &[u16],
    login: Option<&SnmpLogin>,
    timeout: Duration,
) -> Seen {
    let deadline = Deadline::new(net, timeout);
    let found = match locate(net, context, address, timeout / 2).await {
        Ok(found) => found,
        Err(NoAddress::None(_)) => {
            return Seen::of(Evidence::Gateway(Box::new(GatewayEvidence {
                address: None,
                checks: Vec::new(),
            })));
        }
        Err(NoAddress::Untold(reason) | NoAddress::Local(reason)) => return Seen::unrunnable(reason),
    };
    let left = deadline.left(net);
    let agent = async {
        match login {
            Some(login) => Some(snmp::check(net, found, login, AGENT.min(left / 2)).await),
            None => None,
        }
    };
    let ((mut checks, source), agent) = join(check(net, found, ping, ports, left), agent).await;
    checks.extend(agent);
    conclude(checks, source, |checks| {
        Evidence::Gateway(Box::new(GatewayEvidence {
            address: Some(found),
            checks,
        }))
    })
}
