//! Who could explain a failure, and so is asked at once (`semantics` 3).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::{Anchor, DomainName, Subject};
use crate::picture::Picture;

use super::vantage::refuters;

/// The most siblings of an address, or addresses behind a gateway, that one failure asks.
const MOST_SIBLINGS: usize = 16;

/// Everything whose evidence could explain a failure of `subject`.
pub fn explainers(picture: &Picture, subject: &Subject) -> Vec<Subject> {
    let mut asked = own_side(picture, subject);
    match subject {
        Subject::Smtp(address) => {
            asked.push(Subject::Host(address.ip()));
            asked.extend(picture.gateways_of(address.ip()).map(|gateway| gateway.subject()));
            asked.extend(siblings(picture, *address).into_iter().map(Subject::Smtp));
        }
        Subject::Mx(domain) => asked.push(Subject::NameServers(domain.clone())),
        Subject::Addresses(host) => {
            let of: Vec<&DomainName> = picture.leads().domains(host).take(MOST_SIBLINGS).collect();
            asked.extend(of.into_iter().map(|domain| Subject::Mx(domain.clone())));
            if let Some(zone) = picture.watched_zone(host) {
                asked.push(Subject::Mx(zone.name.clone()));
                asked.push(Subject::NameServers(zone.name.clone()));
            }
        }
        Subject::NameServers(domain) => asked.push(Subject::Mx(domain.clone())),
        Subject::Gateway(client, name) => {
            if let Some(gateway) = picture.inventory.gateway(client, name) {
                let behind = picture.addresses_behind(gateway).into_iter().take(MOST_SIBLINGS);
                asked.extend(behind.map(Subject::Smtp));
            }
        }
        Subject::Anchor(_) | Subject::Resolver(_) => asked.extend(refuters(picture)),
        Subject::Host(_) | Subject::Trace(_) => {}
    }
    asked
}

/// The anchors and resolvers, which could explain anything; pings alone where only they matter.
fn own_side(picture: &Picture, subject: &Subject) -> Vec<Subject> {
    let inventory = &picture.inventory;
    let anchors = inventory
        .anchors
        .iter()
        .chain(&inventory.witnesses)
        .cloned()
        .map(Subject::Anchor);
    let resolvers = inventory.resolvers.iter().copied().map(Subject::Resolver);
    match subject {
        Subject::Host(_) | Subject::Trace(_) => Vec::new(),
        Subject::Gateway(..) | Subject::Smtp(_) | Subject::Anchor(_) => {
            anchors.filter(|anchor| anchor != subject).collect()
        }
        Subject::Mx(_) | Subject::Addresses(_) | Subject::NameServers(_) | Subject::Resolver(_) => anchors
            .filter(|anchor| {
                matches!(anchor, Subject::Anchor(Anchor::Ping { .. })) || !inventory.anchors.is_empty()
            })
            .chain(resolvers.filter(|resolver| resolver != subject))
            .collect(),
    }
}

/// The other addresses that take the mail of the same domains.
pub fn siblings(picture: &Picture, address: SocketAddr) -> BTreeSet<SocketAddr> {
    let mut found = BTreeSet::new();
    for domain in picture
        .leads()
        .names(address)
        .flat_map(|host| picture.leads().domains(host))
        .take(MOST_SIBLINGS)
    {
        for host in picture.host_names(domain) {
            found.extend(picture.reachable_addresses(&host));
            if found.len() > MOST_SIBLINGS {
                return found;
            }
        }
    }
    found.remove(&address);
    found
}
