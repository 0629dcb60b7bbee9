//! Who could explain a failure, and so is asked at once (`semantics` 3).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::policy::PolicyPart;
use crate::model::{Anchor, ClientId, DomainName, Service, Subject};
use crate::picture::{Picture, SMTP_PORT};

use super::provider::peers;
use super::route;
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
            asked.extend(peers(picture, *address).into_iter().map(Subject::Smtp));
            asked.extend(services(picture.services_at(address.ip())));
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
                asked.extend(services(picture.services_behind(gateway)));
            }
        }
        Subject::Anchor(_) | Subject::Resolver(_) => {
            // Those that are found silent have said all that they can.
            let silent = |subject: &Subject| {
                let track = picture.track(subject);
                track.is_some_and(|track| track.streak().is_some() && !track.is_in_doubt())
            };
            asked.extend(refuters(picture).into_iter().filter(|subject| !silent(subject)));
        }
        Subject::Tlsa(host) => {
            let addresses = picture.reachable_addresses(host).into_iter().take(MOST_SIBLINGS);
            asked.extend(addresses.map(Subject::Smtp));
        }
        Subject::Service(service) => {
            for address in picture.service_addresses(service) {
                asked.push(Subject::Smtp(SocketAddr::new(address, SMTP_PORT)));
                asked.extend(picture.gateways_of(address).map(|gateway| gateway.subject()));
            }
            let beside = picture.domains_with(service).take(MOST_SIBLINGS);
            let beside = beside.filter_map(|name| picture.domain(name));
            let beside: BTreeSet<Service> = beside.flat_map(|domain| domain.services.clone()).collect();
            asked.extend(services(beside.into_iter().filter(|other| other != service)));
        }
        Subject::Listing(zone, _) => asked.push(Subject::Blocklist(zone.clone())),
        Subject::Recipient(recipient) => asked.extend(route::recipient::server(picture, recipient)),
        Subject::Host(_)
        | Subject::Trace(_)
        | Subject::Policy(..)
        | Subject::Blocklist(_)
        | Subject::Sender(..) => {}
        Subject::Canary(client, name) => asked.extend(canary_places(picture, client, name)),
    }
    asked
}

/// What stands before and beside the servers of a canary.
fn canary_places(picture: &Picture, client: &ClientId, name: &str) -> Vec<Subject> {
    let gateways = picture.inventory.gateways.iter();
    let own = gateways.filter(|gateway| gateway.client == *client);
    let mail = picture.canary_addresses(client, name).into_iter();
    let mail = mail.map(|address| Subject::Smtp(SocketAddr::new(address, SMTP_PORT)));
    own.map(|gateway| gateway.subject()).chain(mail).collect()
}

fn services(found: impl IntoIterator<Item = Service>) -> impl Iterator<Item = Subject> {
    found.into_iter().take(MOST_SIBLINGS).map(Subject::Service)
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
        // What a record says, it says whatever our line is like.
        Subject::Host(_)
        | Subject::Trace(_)
        | Subject::Tlsa(_)
        | Subject::Blocklist(_)
        | Subject::Listing(..)
        | Subject::Sender(..)
        | Subject::Policy(_, PolicyPart::Spf | PolicyPart::Dmarc | PolicyPart::Dkim) => Vec::new(),
        Subject::Gateway(..)
        | Subject::Smtp(_)
        | Subject::Anchor(_)
        | Subject::Policy(_, PolicyPart::Sts) => anchors.filter(|anchor| anchor != subject).collect(),
        // What a server says of a recipient, it says whatever our line is like; where it broke off, it does not.
        Subject::Recipient(recipient) if route::recipient::server(picture, recipient).is_none() => Vec::new(),
        Subject::Recipient(_) => anchors.collect(),
        // Its name may be what fails, and any anchor can clear or explain the rest.
        Subject::Service(_) | Subject::Canary(..) => anchors.chain(resolvers).collect(),
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
