//! What a gateway's SNMP agent says: that it lives, since when, and how its interface to the outside is.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::model::reach::LifeCheck;
use crate::model::snmp::{SnmpFailure, SnmpInterface, SnmpReport};
use crate::model::text::clean;
use crate::net::Net;
use crate::net::snmp::{Credentials, ObjectId, SnmpLogin, SnmpValue};

/// Where agents listen (RFC 3417).
const PORT: u16 = 161;
/// How long an agent has at most for each of our two questions: one that is silent must not hold the others up.
const PATIENCE: Duration = Duration::from_secs(3);
/// Characters of a text that are kept.
const LONGEST_TEXT: usize = 120;

const UPTIME: &[u64] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
const DESCRIPTION: &[u64] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
/// `ipAdEntIfIndex`: the interface that holds an IPv4 address, which follows (RFC 4293).
const INTERFACE_OF_ADDRESS: &[u64] = &[1, 3, 6, 1, 2, 1, 4, 20, 1, 2];
/// `ipRouteIfIndex` of 0.0.0.0 (RFC 1213): old, and still what most agents have.
const INTERFACE_OF_DEFAULT: &[u64] = &[1, 3, 6, 1, 2, 1, 4, 21, 1, 2, 0, 0, 0, 0];
/// `ifType` of a loopback (`softwareLoopback`): that it is up says nothing of any line.
const LOOPBACK: u64 = 24;
/// `ifType`, `ifDescr`, `ifOperStatus`, `ifInErrors`, `ifOutErrors`, `ifHCInOctets` and `ifHCOutOctets` (RFC 2863);
/// the number of the interface follows.
const OF_INTERFACE: [&[u64]; 7] = [
    &[1, 3, 6, 1, 2, 1, 2, 2, 1, 3],
    &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2],
    &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8],
    &[1, 3, 6, 1, 2, 1, 2, 2, 1, 14],
    &[1, 3, 6, 1, 2, 1, 2, 2, 1, 20],
    &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6],
    &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10],
];

/// Asks the agent at `address`.
pub(super) async fn check<N: Net>(net: &N, address: IpAddr, login: &SnmpLogin, limit: Duration) -> LifeCheck {
    let report = match login.reveal().await {
        Ok(credentials) => ask(net, address, &credentials, PATIENCE.min(limit / 2)).await,
        Err(reason) => Err(SnmpFailure::Local { reason }),
    };
    LifeCheck::Snmp { report }
}

async fn ask<N: Net>(
    net: &N,
    address: IpAddr,
    credentials: &Credentials,
    limit: Duration,
) -> Result<SnmpReport, SnmpFailure> {
    let peer = SocketAddr::new(address, PORT);
    let mut objects: Vec<ObjectId> = vec![
        UPTIME.to_vec(),
        DESCRIPTION.to_vec(),
        INTERFACE_OF_DEFAULT.to_vec(),
    ];
    if let IpAddr::V4(address) = address {
        objects.push(extended(INTERFACE_OF_ADDRESS, address.octets().map(u64::from)));
    }
    let values = net.snmp(peer, credentials, &objects, limit).await?;
    let mut values = values.into_iter();
    // An agent that has no uptime to tell is none that we know how to read.
    let uptime = number(values.next()).ok_or(SnmpFailure::Malformed)?;
    let uptime = u32::try_from(uptime).map_err(|_| SnmpFailure::Malformed)?;
    let description = text(values.next()).unwrap_or_default();
    let (of_default, of_address) = (number(values.next()), number(values.next()));
    let interface = match of_address.or(of_default) {
        // What is said of it is beside the point: that the agent lives is known by now.
        Some(index) => interface(net, peer, credentials, index, limit).await,
        None => None,
    };
    Ok(SnmpReport {
        uptime,
        description,
        interface,
    })
}

async fn interface<N: Net>(
    net: &N,
    peer: SocketAddr,
    credentials: &Credentials,
    index: u64,
    limit: Duration,
) -> Option<SnmpInterface> {
    let objects: Vec<ObjectId> = OF_INTERFACE
        .iter()
        .map(|column| extended(column, [index]))
        .collect();
    let values = net.snmp(peer, credentials, &objects, limit).await.ok()?;
    let mut values = values.into_iter();
    if number(values.next()) == Some(LOOPBACK) {
        return None;
    }
    let name = text(values.next()).unwrap_or_else(|| format!("interface {index}"));
    let up = number(values.next()).and_then(|status| match status {
        1 => Some(true),
        2 | 6 | 7 => Some(false),
        // Testing, unknown, dormant.
        _ => None,
    });
    Some(SnmpInterface {
        index,
        name,
        up,
        errors_in: number(values.next()),
        errors_out: number(values.next()),
        octets_in: number(values.next()),
        octets_out: number(values.next()),
    })
}

fn extended(object: &[u64], by: impl IntoIterator<Item = u64>) -> ObjectId {
    object.iter().copied().chain(by).collect()
}

fn number(value: Option<SnmpValue>) -> Option<u64> {
    match value? {
        SnmpValue::Number(number) => Some(number),
        SnmpValue::Text(_) | SnmpValue::Nothing => None,
    }
}

fn text(value: Option<SnmpValue>) -> Option<String> {
    match value? {
        SnmpValue::Text(bytes) => Some(clean(&bytes, LONGEST_TEXT)).filter(|text| !text.is_empty()),
        SnmpValue::Number(_) | SnmpValue::Nothing => None,
    }
}
