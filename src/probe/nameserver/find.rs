//! Which zone holds a domain, and who serves it: as our resolver knows, else as the delegation says, else as we
//! remember.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::super::Context;
use super::super::ask::{Deadline, LocalFault, Told, addresses, ask_resolvers, name_servers};
use super::{MOST_SERVERS, PORT};
use crate::model::DomainName;
use crate::model::dns::{FoundBy, Lookup};
use crate::net::Net;
use crate::net::dns::{Answer, Question, RecordData, RecordType};

/// Labels that are walked up from the domain.
const HIGHEST_CLIMB: usize = 6;
/// Delegations that are walked down from the zone that the resolver knows.
const DEEPEST_WALK: usize = 4;
/// Servers of a parent zone that are asked for a delegation, at the same time.
const PARENTS_ASKED: usize = 4;

/// One name server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Server {
    /// Its name.
    pub name: DomainName,
    /// Its addresses, IPv6 ones also where we cannot speak it.
    pub addresses: Vec<IpAddr>,
    /// What came instead of an address, where there is none.
    pub why_none: Option<Lookup<()>>,
}

/// A zone and its servers.
#[derive(Debug)]
pub(super) struct Zone {
    /// Its name.
    pub apex: Option<DomainName>,
    /// How the servers were found.
    pub found_by: FoundBy,
    /// At most sixteen.
    pub servers: Vec<Server>,
    /// The zone above it, where our resolver knows both for certain.
    pub above: Option<Delegation>,
}

/// Finds the zone that holds `domain`.
///
/// # Errors
/// [`LocalFault`] when we could not ask at all.
pub(super) async fn zone<N: Net>(
    net: &N,
    context: &Context,
    domain: &DomainName,
    known: &[(DomainName, Vec<IpAddr>)],
    deadline: Deadline,
) -> Result<Zone, LocalFault> {
    let climb = climb(net, context, domain, deadline.left_of(net, 1, 3)).await?;
    let memory = || Zone {
        apex: None,
        found_by: if known.is_empty() {
            FoundBy::Nothing
        } else {
            FoundBy::Memory
        },
        servers: known
            .iter()
            .map(|(name, addresses)| Server {
                name: name.clone(),
                addresses: addresses.clone(),
                why_none: None,
            })
            .collect(),
        above: None,
    };
    let Some(top) = climb.found else {
        return Ok(memory());
    };
    let mut zone = if climb.certain {
        Zone {
            apex: Some(top.zone),
            found_by: FoundBy::Resolver,
            servers: locate(net, context, top.servers, top.glue, deadline).await?,
            above: climb.above,
        }
    } else {
        match descend(net, context, domain, top, deadline).await? {
            Some(zone) => zone,
            None => return Ok(memory()),
        }
    };
    remember(&mut zone.servers, known);
    Ok(zone)
}

/// Gives servers whose names nobody could look up now the addresses that they had before: that the look-up failed
/// (one server of the zone that holds their names is dead, say) is no fault of theirs.
fn remember(servers: &mut [Server], known: &[(DomainName, Vec<IpAddr>)]) {
    for server in servers {
        let untold = server.why_none.as_ref().is_some_and(|why| !why.is_definite());
        let before = known.iter().find(|(name, _)| *name == server.name);
        if let (true, Some((_, addresses))) = (untold, before) {
            server.addresses.clone_from(addresses);
            server.why_none = None;
        }
    }
}

/// A zone with the names of its servers, and the addresses that came along.
#[derive(Debug)]
pub(super) struct Delegation {
    pub(super) zone: DomainName,
    pub(super) servers: Vec<DomainName>,
    pub(super) glue: BTreeMap<DomainName, Vec<IpAddr>>,
}

/// What the walk up found.
struct Climb {
    /// The lowest zone at or above the domain that the resolver can name servers of.
    found: Option<Delegation>,
    /// The next one above that.
    above: Option<Delegation>,
    /// Whether it holds the domain for certain: nothing below it failed.
    certain: bool,
}

/// Asks our resolver for the name servers of the domain and of each name above it, all at the same time.
async fn climb<N: Net>(
    net: &N,
    context: &Context,
    domain: &DomainName,
    limit: Duration,
) -> Result<Climb, LocalFault> {
    let names: Vec<DomainName> = std::iter::successors(Some(domain.clone()), DomainName::parent)
        .take(HIGHEST_CLIMB)
        .collect();
    let told = join_all(names.iter().map(async |name| {
        let question = Question::recursive(name, RecordType::Ns);
        ask_resolvers(net, context, &question, limit).await
    }))
    .await;
    let mut climb = Climb {
        found: None,
        above: None,
        certain: true,
    };
    for (name, told) in names.iter().zip(told) {
        let told: Told = match told {
            Err(_) if climb.found.is_some() => break,
            told => told?,
        };
        let answer = told.outcome.as_ref().ok();
        let here = answer.and_then(|answer| delegation(name, &answer.answers, answer));
        match here {
            Some(here) if climb.found.is_none() => climb.found = Some(here),
            Some(here) => {
                climb.above = Some(here);
                break;
            }
            None if climb.found.is_none() => {
                climb.certain &= told.lookup(name, |_| Some(())).is_definite();
            }
            // A zone cut may hide behind what failed.
            None if !told.lookup(name, |_| Some(())).is_definite() => break,
            None => {}
        }
    }
    climb.certain &= climb.found.is_some();
    Ok(climb)
}

/// The NS records that `section` has for `zone`, with the addresses in the additional section.
fn delegation(zone: &DomainName, section: &[crate::net::dns::Record], answer: &Answer) -> Option<Delegation> {
    // Sorted, since servers turn their order at each answer.
    let servers: BTreeSet<DomainName> = name_servers(section)
        .filter(|(owner, _)| *owner == Some(zone))
        .map(|(_, server)| server.clone())
        .collect();
    let servers: Vec<DomainName> = servers.into_iter().take(MOST_SERVERS).collect();
    let mut glue: BTreeMap<DomainName, Vec<IpAddr>> = BTreeMap::new();
    for record in &answer.additional {
        let address = match record.data {
            RecordData::A(address) => IpAddr::V4(address),
            RecordData::Aaaa(address) => IpAddr::V6(address),
            _ => continue,
        };
        if let Some(name) = &record.name
            && servers.contains(name)
        {
            glue.entry(name.clone()).or_default().push(address);
        }
    }
    (!servers.is_empty()).then(|| Delegation {
        zone: zone.clone(),
        servers,
        glue,
    })
}

/// Walks down from `top` to the zone that holds the domain, without our resolver's help where glue allows: each
/// zone's servers are asked for the next delegation, until none below answers.
async fn descend<N: Net>(
    net: &N,
    context: &Context,
    domain: &DomainName,
    top: Delegation,
    deadline: Deadline,
) -> Result<Option<Zone>, LocalFault> {
    let mut at = top;
    at.servers.truncate(PARENTS_ASKED);
    let mut servers = locate(net, context, at.servers, at.glue, deadline).await?;
    let mut found_by = FoundBy::Resolver;
    for _ in 0..DEEPEST_WALK {
        let Some(answer) = ask_parents(net, context, domain, &servers, deadline).await else {
            break;
        };
        let Some(below) = referral(domain, &at.zone, &answer) else {
            break;
        };
        servers = locate(net, context, below.servers.clone(), below.glue.clone(), deadline).await?;
        at = Delegation {
            servers: Vec::new(),
            ..below
        };
        found_by = FoundBy::Delegation;
    }
    // Where no step down was possible, these are the parent's servers, which say nothing of the domain.
    Ok((found_by == FoundBy::Delegation).then_some(Zone {
        apex: Some(at.zone),
        found_by,
        servers,
        above: None,
    }))
}

/// The delegation in an answer that leads from `zone` towards `domain`.
pub(super) fn referral(domain: &DomainName, zone: &DomainName, answer: &Answer) -> Option<Delegation> {
    let below = name_servers(&answer.authority)
        .filter_map(|(owner, _)| owner)
        .find(|owner| *owner != zone && owner.is_within(zone) && domain.is_within(owner))?;
    delegation(below, &answer.authority, answer)
}

/// The first answer of any of some servers to the question who serves the domain.
async fn ask_parents<N: Net>(
    net: &N,
    context: &Context,
    domain: &DomainName,
    servers: &[Server],
    deadline: Deadline,
) -> Option<Answer> {
    let question = Question::direct(domain, RecordType::Ns);
    let limit = deadline.left_of(net, 2, 3);
    let mut asked: FuturesUnordered<_> = servers
        .iter()
        .flat_map(|server| &server.addresses)
        .filter(|address| context.ipv6 || address.is_ipv4())
        .take(PARENTS_ASKED)
        .map(|address| net.ask(SocketAddr::new(*address, PORT), &question, limit))
        .collect();
    while let Some(outcome) = asked.next().await {
        if let Ok(answer) = outcome
            && answer.rcode == crate::net::dns::rcode::NO_ERROR
        {
            return Some(answer);
        }
    }
    None
}

/// The addresses of servers: those that came along, else what our resolver says; all at the same time.
pub(super) async fn locate<N: Net>(
    net: &N,
    context: &Context,
    names: Vec<DomainName>,
    mut glue: BTreeMap<DomainName, Vec<IpAddr>>,
    deadline: Deadline,
) -> Result<Vec<Server>, LocalFault> {
    let limit = deadline.left_of(net, 2, 3);
    let found = join_all(names.into_iter().map(|name| {
        let glue = glue.remove(&name);
        async move {
            match glue {
                Some(addresses) => Ok(Server {
                    name,
                    addresses,
                    why_none: None,
                }),
                None => resolve(net, context, name, limit).await,
            }
        }
    }))
    .await;
    found.into_iter().collect()
}

async fn resolve<N: Net>(
    net: &N,
    context: &Context,
    name: DomainName,
    limit: Duration,
) -> Result<Server, LocalFault> {
    let told = addresses(net, context, &name, limit).await?;
    let (v4, v6) = (told.v4(&name), told.v6(&name));
    let mut addresses: Vec<IpAddr> = v4
        .records()
        .into_iter()
        .flatten()
        .map(|a| IpAddr::V4(*a))
        .collect();
    addresses.extend(v6.records().into_iter().flatten().map(|a| IpAddr::V6(*a)));
    Ok(Server {
        name,
        why_none: addresses.is_empty().then(|| v4.map(|_| ())),
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dns::Record;

    #[test]
    fn only_what_leads_down_towards_the_domain_is_a_referral() {
        let name = |text: &str| DomainName::parse(text).unwrap();
        let referred = |owner: &str| {
            let answer = Answer {
                authority: vec![Record {
                    name: Some(name(owner)),
                    ttl: Duration::ZERO,
                    data: RecordData::Ns(name("ns.elsewhere.test")),
                }],
                ..Answer::default()
            };
            referral(&name("mail.acme.test"), &name("test"), &answer).map(|below| below.zone)
        };
        assert_eq!(referred("acme.test"), Some(name("acme.test")));
        assert_eq!(referred("mail.acme.test"), Some(name("mail.acme.test")));
        for elsewhere in ["test", "other.test", "deep.mail.acme.test", "example"] {
            assert_eq!(referred(elsewhere), None, "{elsewhere}");
        }
    }
}
