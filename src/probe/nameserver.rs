//! A domain's own name servers, asked directly: so that one that fails or differs is seen although a resolver
//! would pass over it, and so that a failing resolver is told from failing servers.

mod find;
mod look;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::ask::{Deadline, LocalFault, mx_records, since};
use super::{Context, Seen};
use crate::model::dns::{FoundBy, Lookup, NameServerAnswer, NameServerEvidence, NamedBy, ZoneCopy, ZoneLook};
use crate::model::{DomainName, Evidence};
use crate::net::Net;
use crate::net::dns::{AskError, Question, RecordType};

use find::Server;
use look::Word;

/// No zone is looked after by more servers than this, as far as we care.
const MOST_SERVERS: usize = 16;
/// Addresses beyond this many are not asked.
const MOST_ADDRESSES: usize = 32;
/// The port of DNS.
const PORT: u16 = 53;

/// What earlier runs have found out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Earlier<'a> {
    /// The servers, for when nobody can name them now.
    pub known: &'a [(DomainName, Vec<IpAddr>)],
    /// The last closer look.
    pub closer: Option<&'a Arc<ZoneLook>>,
}

/// Finds the servers of the zone that holds `domain`, and asks each address of each, at the same time and without
/// recursion, for the domain's MX. Once in a while it looks closer: whom the parent zone names, and which version of
/// the zone each server has.
///
/// Two thirds of the time at most go into finding them, so that each has a third at least to answer.
pub async fn run<N: Net>(
    net: &N,
    context: &Context,
    domain: &DomainName,
    earlier: Earlier<'_>,
    timeout: Duration,
) -> Seen {
    match look_at(net, context, domain, earlier, Deadline::new(net, timeout)).await {
        Ok(evidence) => Seen::of(Evidence::NameServers(Box::new(evidence))),
        Err(LocalFault(reason)) => Seen::unrunnable(reason),
    }
}

async fn look_at<N: Net>(
    net: &N,
    context: &Context,
    domain: &DomainName,
    earlier: Earlier<'_>,
    deadline: Deadline,
) -> Result<NameServerEvidence, LocalFault> {
    let at = net.now();
    let zone = find::zone(net, context, domain, earlier.known, deadline).await?;
    let held = earlier.closer.and_then(|look| look.delegation.clone());
    // Only where the resolver knows the way is it sure which zone is the parent.
    let due = zone.apex.as_ref().filter(|_| zone.found_by == FoundBy::Resolver);
    let due = due.filter(|_| look::is_due(net, earlier.closer.map(|look| &**look)));
    let delegation = match (due, zone.above) {
        (Some(apex), Some(above)) => match look::delegation(net, context, apex, above, deadline).await? {
            Word::Delegates(delegated) => Some(delegated),
            Word::Otherwise => None,
            Word::Silence => held,
        },
        _ => held,
    };
    let mut targets = targets(zone.servers.iter(), NamedBy::Zone, context.ipv6);
    if let Some(delegated) = &delegation {
        let more = look::only_delegated(net, context, delegated, &zone.servers, deadline).await?;
        targets.extend(self::targets(more.iter(), NamedBy::ParentOnly, context.ipv6));
    }
    targets.truncate(MOST_ADDRESSES);
    let (servers, copies) = ask_all(net, domain, due, targets, deadline).await?;
    let closer = match due {
        Some(_) => Some(Arc::new(ZoneLook {
            at,
            delegation,
            copies,
        })),
        None => earlier.closer.cloned(),
    };
    Ok(NameServerEvidence {
        zone: zone.apex,
        found_by: zone.found_by,
        servers,
        closer,
    })
}

/// Asks every target; `apex` is the zone to look closer at, where that is due.
async fn ask_all<N: Net>(
    net: &N,
    domain: &DomainName,
    apex: Option<&DomainName>,
    targets: Vec<Target>,
    deadline: Deadline,
) -> Result<(Vec<NameServerAnswer>, Vec<ZoneCopy>), LocalFault> {
    let asked = targets.into_iter().map(async |target| {
        let place = target.address.map(|address| (target.name.clone(), address));
        let copy = async {
            let (apex, (name, address)) = (apex?, place?);
            look::copy(net, apex, &name, address, deadline.left(net)).await
        };
        join(ask(net, domain, target, deadline), copy).await
    });
    let (mut answers, mut copies, mut fault) = (Vec::new(), Vec::new(), None);
    for (answer, copy) in join_all(asked).await {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(one) => fault = Some(one),
        }
        copies.extend(copy);
    }
    match fault {
        // What our own side kept us from asking says nothing of the server.
        Some(fault) if answers.is_empty() => Err(fault),
        _ => {
            // Kept for every domain until the next look.
            answers.shrink_to_fit();
            copies.shrink_to_fit();
            Ok((answers, copies))
        }
    }
}

/// One address to ask; or a server that has none, and why.
struct Target {
    name: DomainName,
    address: Option<IpAddr>,
    why_none: Lookup<()>,
    named_by: NamedBy,
}

fn targets<'a>(servers: impl Iterator<Item = &'a Server>, named_by: NamedBy, ipv6: bool) -> Vec<Target> {
    let target = |name: &DomainName, address, why_none: Lookup<()>| Target {
        name: name.clone(),
        address,
        why_none,
        named_by,
    };
    let mut targets = Vec::new();
    for server in servers.take(MOST_SERVERS) {
        // A name without address that only the parent has leads nobody anywhere.
        let nowhere = server.addresses.is_empty() && named_by == NamedBy::Zone;
        if let Some(why) = server.why_none.as_ref().filter(|_| nowhere) {
            targets.push(target(&server.name, None, why.clone()));
        }
        let usable = server
            .addresses
            .iter()
            .filter(|address| ipv6 || address.is_ipv4());
        targets.extend(usable.map(|address| target(&server.name, Some(*address), Lookup::Timeout)));
    }
    targets
}

async fn ask<N: Net>(
    net: &N,
    domain: &DomainName,
    target: Target,
    deadline: Deadline,
) -> Result<NameServerAnswer, LocalFault> {
    let start = net.now();
    let mut told = NameServerAnswer {
        name: target.name,
        address: target.address,
        named_by: target.named_by,
        answer: target.why_none.map(|()| Vec::new()),
        authoritative: false,
        elapsed: Duration::ZERO,
    };
    let Some(address) = target.address else {
        return Ok(told);
    };
    let question = Question::direct(domain, RecordType::Mx);
    let server = SocketAddr::new(address, PORT);
    let outcome = net.ask(server, &question, deadline.left(net)).await;
    if let Err(AskError::Local(reason)) = outcome {
        return Err(LocalFault(reason));
    }
    told.authoritative = outcome.as_ref().is_ok_and(|answer| answer.authoritative);
    told.answer = mx_records(&outcome, domain, false);
    told.elapsed = since(net, start);
    Ok(told)
}
