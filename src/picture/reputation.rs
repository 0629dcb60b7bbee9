//! The addresses that blocklists are asked for, whose they are, and which lists are believed (`semantics` 19).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::{Domain, Gateway};
use crate::model::{ClientId, DomainName, Endpoint, Evidence, Subject};

use super::{Health, Picture};

impl Picture {
    /// Whether a blocklist has passed its self-test for addresses of this family.
    pub fn believes(&self, zone: &DomainName, address: IpAddr) -> bool {
        let settled = self
            .track(&Subject::Blocklist(zone.clone()))
            .and_then(|track| track.settled.as_ref())
            .filter(|settled| settled.health == Health::Good);
        settled.is_some_and(|settled| match &settled.observation.evidence {
            Evidence::Blocklist(evidence) => evidence.is_believed_of(address),
            _ => false,
        })
    }

    /// The addresses that a domain's mail leaves from or arrives at, as far as they are its client's own: configured
    /// senders, MX hosts that no recognised provider operates, and gateways in front of these.
    pub fn own_mail_addresses(&self, domain: &Domain) -> BTreeSet<IpAddr> {
        let Some(id) = domain.client.as_ref().filter(|_| !domain.is_destination) else {
            return BTreeSet::new();
        };
        let mut found: BTreeSet<IpAddr> = self
            .host_names(&domain.name)
            .iter()
            .filter(|host| domain.receives && self.inventory.providers.of_host(host).is_none())
            .flat_map(|host| self.addresses(host))
            .collect();
        let fronts: Vec<IpAddr> = self
            .inventory
            .gateways
            .iter()
            .filter(|gateway| gateway.client == *id)
            .filter(|gateway| {
                let resolved = self.gateway_address(gateway);
                found.iter().any(|address| gateway.fronts(*address, resolved))
            })
            .filter_map(|gateway| self.place_of(gateway))
            .collect();
        found.extend(fronts);
        if domain.sends
            && let Some(client) = self.inventory.clients.get(id)
        {
            found.extend(&client.senders);
        }
        found.retain(|address| is_public(*address));
        found
    }

    /// Every address that blocklists are asked for, with the clients whose it is.
    pub fn listable_addresses(&self) -> BTreeMap<IpAddr, BTreeSet<ClientId>> {
        let mut found: BTreeMap<IpAddr, BTreeSet<ClientId>> = BTreeMap::new();
        let mut add = |address: IpAddr, client: &ClientId| {
            if is_public(address) {
                found.entry(address).or_default().insert(client.clone());
            }
        };
        for gateway in &self.inventory.gateways {
            if let Some(address) = self.place_of(gateway) {
                add(address, &gateway.client);
            }
        }
        for client in self.inventory.clients.values() {
            for address in &client.senders {
                add(*address, &client.id);
            }
        }
        for domain in self.inventory.domains.values() {
            if let Some(client) = &domain.client {
                for address in self.own_mail_addresses(domain) {
                    add(address, client);
                }
            }
        }
        found
    }

    fn place_of(&self, gateway: &Gateway) -> Option<IpAddr> {
        match gateway.address {
            Endpoint::Address(address) => Some(address),
            Endpoint::Name(_) => self.gateway_address(gateway),
        }
    }
}

/// Whether the world can see an address at all: nobody lists one of a private network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}
