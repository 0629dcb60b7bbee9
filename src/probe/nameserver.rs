//! A domain's own name servers, asked directly: so that one that fails or differs is seen although a resolver
//! would pass over it, and so that a failing resolver is told from failing servers.

mod find;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;

use super::ask::{Deadline, LocalFault, mx_records, since};
use super::{Context, Seen};
use crate::model::dns::{Lookup, NameServerAnswer, NameServerEvidence};
use crate::model::{DomainName, Evidence};
use crate::net::Net;
use crate::net::dns::{AskError, Question, RecordType};

use find::{Server, Zone};

/// No zone is looked after by more servers than this, as far as we care.
const MOST_SERVERS: usize = 16;
/// Addresses beyond this many are not asked.
const MOST_ADDRESSES: usize = 32;
/// The port of DNS.
const PORT: u16 = 53;

/// Finds the servers of the zone that holds `domain`, and asks each address of each, at the same time and without
/// recursion, for the domain's MX. `known` are the servers of an earlier run, for when nobody can name them now.
///
/// Two thirds of the time at most go into finding them, so that each has a third at least to answer.
pub async fn run<N: Net>(
    net: &N,
    context: &Context,
    domain: &DomainName,
    known: &[(DomainName, Vec<IpAddr>)],
    timeout: Duration,
) -> Seen {
    let deadline = Deadline::new(net, timeout);
    let Zone {
        apex,
        found_by,
        servers,
    } = match find::zone(net, context, domain, known, deadline).await {
        Ok(zone) => zone,
        Err(LocalFault(reason)) => return Seen::unrunnable(reason),
    };
    let questions = targets(servers, context.ipv6)
        .into_iter()
        .map(|target| ask(net, domain, target, deadline));
    let outcomes = join_all(questions).await;
    let mut answers = Vec::new();
    let mut fault = None;
    for outcome in outcomes {
        match outcome {
            Ok(answer) => answers.push(answer),
            Err(LocalFault(reason)) => fault = Some(reason),
        }
    }
    match fault {
        // What our own side kept us from asking says nothing of the server.
        Some(reason) if answers.is_empty() => Seen::unrunnable(reason),
        _ => Seen::of(Evidence::NameServers(NameServerEvidence {
            zone: apex,
            found_by,
            servers: answers,
        })),
    }
}

/// One address to ask, or a server that has none, and why.
enum Target {
    Address(DomainName, IpAddr),
    Nowhere(DomainName, Lookup<()>),
}

fn targets(servers: Vec<Server>, ipv6: bool) -> Vec<Target> {
    let mut targets = Vec::new();
    for server in servers.into_iter().take(MOST_SERVERS) {
        let Server {
            name,
            addresses,
            why_none,
        } = server;
        match why_none {
            Some(why) if addresses.is_empty() => targets.push(Target::Nowhere(name, why)),
            _ => targets.extend(
                addresses
                    .into_iter()
                    .filter(|address| ipv6 || address.is_ipv4())
                    .map(|address| Target::Address(name.clone(), address)),
            ),
        }
    }
    targets.truncate(MOST_ADDRESSES);
    targets
}

async fn ask<N: Net>(
    net: &N,
    domain: &DomainName,
    target: Target,
    deadline: Deadline,
) -> Result<NameServerAnswer, LocalFault> {
    let (name, address) = match target {
        Target::Address(name, address) => (name, address),
        Target::Nowhere(name, why) => {
            return Ok(NameServerAnswer {
                name,
                address: None,
                answer: why.map(|()| Vec::new()),
                authoritative: false,
                elapsed: Duration::ZERO,
            });
        }
    };
    let start = net.now();
    let question = Question::direct(domain, RecordType::Mx);
    let server = SocketAddr::new(address, PORT);
    let outcome = net.ask(server, &question, deadline.left(net)).await;
    if let Err(AskError::Local(reason)) = outcome {
        return Err(LocalFault(reason));
    }
    Ok(NameServerAnswer {
        name,
        address: Some(address),
        authoritative: outcome.as_ref().is_ok_and(|answer| answer.authoritative),
        answer: mx_records(&outcome, domain, false),
        elapsed: since(net, start),
    })
}
