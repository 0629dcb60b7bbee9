//! The closer look at a zone: whom its parent names, asked from the parent's own servers, and which version of it each
//! of its servers has.
//!
//! It asks little, and seldom: one question to one server of the parent, two to each of the zone's own. In between,
//! what was seen last is carried along.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join;

use super::super::Context;
use super::super::ask::{Deadline, LocalFault, name_servers};
use super::find::{Delegation, Server, locate, referral};
use super::{MOST_SERVERS, PORT};
use crate::model::DomainName;
use crate::model::dns::{Delegated, ZoneCopy, ZoneLook, ZoneVersion};
use crate::net::Net;
use crate::net::dns::{Answer, Question, RecordData, RecordType, rcode};

/// From one look to the next: delegations change a few times in the life of a domain.
const USUAL_PACE: Duration = Duration::from_hours(1);
/// The same while the last one showed a difference.
const CLOSE_PACE: Duration = Duration::from_mins(15);
/// Servers of the parent that are asked, one after the other, until one answers.
const PARENTS_TRIED: usize = 3;
/// How long each of them has.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether it is time for another look after the one that is held.
pub(super) fn is_due<N: Net>(net: &N, held: Option<&ZoneLook>) -> bool {
    held.is_none_or(|held| {
        let pace = if held.is_even() { USUAL_PACE } else { CLOSE_PACE };
        super::since(net, held.at) >= pace
    })
}

/// What the parent says of a zone.
#[derive(Debug)]
pub(super) enum Word {
    /// It delegates it so.
    Delegates(Delegated),
    /// It does not: its servers hold the zone themselves, or deny it.
    Otherwise,
    /// None of its servers that were asked told.
    Silence,
}

/// Asks the servers of the zone above who serves `apex`.
///
/// # Errors
/// [`LocalFault`] when we could not ask at all.
pub(super) async fn delegation<N: Net>(
    net: &N,
    context: &Context,
    apex: &DomainName,
    above: Delegation,
    deadline: Deadline,
) -> Result<Word, LocalFault> {
    let Delegation {
        zone,
        mut servers,
        glue,
    } = above;
    servers.truncate(PARENTS_TRIED);
    let servers = locate(net, context, servers, glue, deadline).await?;
    let question = Question::direct(apex, RecordType::Ns);
    let addresses = servers
        .iter()
        .flat_map(|server| &server.addresses)
        .filter(|address| context.ipv6 || address.is_ipv4());
    for address in addresses.take(PARENTS_TRIED) {
        let limit = PATIENCE.min(deadline.left_of(net, 1, 2));
        if limit.is_zero() {
            break;
        }
        match net.ask(SocketAddr::new(*address, PORT), &question, limit).await {
            Ok(answer) if answer.rcode == rcode::NO_ERROR => {
                return Ok(match referral(apex, &zone, &answer) {
                    Some(below) if below.zone == *apex => Word::Delegates(delegated(*address, below)),
                    _ => Word::Otherwise,
                });
            }
            Ok(answer) if answer.rcode == rcode::NX_DOMAIN => return Ok(Word::Otherwise),
            _ => {}
        }
    }
    Ok(Word::Silence)
}

fn delegated(by: IpAddr, below: Delegation) -> Delegated {
    let mut glue = below.glue;
    let with_glue = |name: DomainName| {
        let mut addresses = glue.remove(&name).unwrap_or_default();
        addresses.sort_unstable();
        addresses.dedup();
        (name, addresses)
    };
    Delegated {
        by,
        servers: below.servers.into_iter().map(with_glue).collect(),
    }
}

/// The servers that only the parent names, and the addresses that only its glue has: whoever resolves the domain for
/// the first time is led there.
///
/// # Errors
/// [`LocalFault`] when we could not ask at all.
pub(super) async fn only_delegated<N: Net>(
    net: &N,
    context: &Context,
    delegated: &Delegated,
    known: &[Server],
    deadline: Deadline,
) -> Result<Vec<Server>, LocalFault> {
    let mut unknown = Vec::new();
    let mut more = Vec::new();
    for (name, glue) in delegated.servers.iter().take(MOST_SERVERS) {
        match known.iter().find(|server| server.name == *name) {
            Some(server) => {
                let new = glue.iter().filter(|address| !server.addresses.contains(address));
                more.push(Server {
                    name: name.clone(),
                    addresses: new.copied().collect(),
                    why_none: None,
                });
            }
            None => unknown.push(name.clone()),
        }
    }
    let glue: BTreeMap<_, _> = delegated.servers.iter().cloned().collect();
    let glue = glue.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    more.extend(locate(net, context, unknown, glue.collect(), deadline).await?);
    Ok(more)
}

/// Asks one server for its version of the zone, and whom it names as servers.
pub(super) async fn copy<N: Net>(
    net: &N,
    apex: &DomainName,
    server: &DomainName,
    address: IpAddr,
    limit: Duration,
) -> Option<ZoneCopy> {
    let at = SocketAddr::new(address, PORT);
    let (soa, ns) = (
        Question::direct(apex, RecordType::Soa),
        Question::direct(apex, RecordType::Ns),
    );
    let (soa, ns) = join(net.ask(at, &soa, limit), net.ask(at, &ns, limit)).await;
    Some(ZoneCopy {
        server: server.clone(),
        address,
        version: version(apex, &soa.ok()?)?,
        servers: ns.map(|answer| named(apex, &answer)).unwrap_or_default(),
    })
}

fn version(apex: &DomainName, answer: &Answer) -> Option<ZoneVersion> {
    let own = answer.answers.iter().filter(|_| answer.authoritative);
    own.filter(|record| record.name.as_ref() == Some(apex))
        .find_map(|record| match &record.data {
            RecordData::Soa {
                origin,
                serial,
                refresh,
                retry,
                ..
            } => Some(ZoneVersion {
                origin: origin.clone(),
                serial: *serial,
                refresh: *refresh,
                retry: *retry,
            }),
            _ => None,
        })
}

fn named(apex: &DomainName, answer: &Answer) -> Vec<DomainName> {
    let mut names: Vec<DomainName> = name_servers(&answer.answers)
        .filter(|(owner, _)| answer.authoritative && *owner == Some(apex))
        .map(|(_, server)| server.clone())
        .collect();
    names.sort();
    names.dedup();
    names.truncate(MOST_SERVERS);
    names
}
