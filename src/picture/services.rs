//! Services that people use beside MX: who stands on which, and where they were last found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::config::ResolvedProbe;
use crate::inventory::{Gateway, Inventory};
use crate::model::service::ServiceEvidence;
use crate::model::{DomainName, Endpoint, Evidence, Observation, Service, Subject};

use super::Picture;

/// The domains that stand on each service.
pub(super) fn index(inventory: &Inventory) -> BTreeMap<Service, BTreeSet<DomainName>> {
    let mut index: BTreeMap<Service, BTreeSet<DomainName>> = BTreeMap::new();
    for domain in inventory.domains.values() {
        for service in &domain.services {
            index
                .entry(service.clone())
                .or_default()
                .insert(domain.name.clone());
        }
    }
    index
}

impl Picture {
    /// Every service that somebody stands on.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.keys()
    }

    /// The domains that stand on a service.
    pub fn domains_with(&self, service: &Service) -> impl Iterator<Item = &DomainName> {
        self.services.get(service).into_iter().flatten()
    }

    /// How a service is probed: of all domains that stand on it, the strictest settings win.
    pub fn service_settings(&self, service: &Service) -> ResolvedProbe {
        let domains = self
            .domains_with(service)
            .filter_map(|name| self.inventory.domains.get(name));
        self.inventory
            .shared_settings(domains.map(|domain| &domain.probes.service), false)
    }

    /// Where a service was last found.
    pub fn service_addresses(&self, service: &Service) -> Vec<IpAddr> {
        if let Endpoint::Address(address) = service.host {
            return vec![address];
        }
        let Some(track) = self.track(&Subject::Service(service.clone())) else {
            return Vec::new();
        };
        let newest = [Some(&track.latest), track.last_good()];
        newest
            .into_iter()
            .flatten()
            .filter_map(|observation| seen(observation))
            .map(|evidence| evidence.addresses.clone())
            .find(|addresses| !addresses.is_empty())
            .unwrap_or_default()
    }

    /// The services at an address.
    pub fn services_at(&self, address: IpAddr) -> Vec<Service> {
        self.services()
            .filter(|service| self.service_addresses(service).contains(&address))
            .cloned()
            .collect()
    }

    /// The services behind a gateway.
    pub fn services_behind(&self, gateway: &Gateway) -> Vec<Service> {
        let resolved = self.gateway_address(gateway);
        let fronts = |address: &IpAddr| gateway.fronts(*address, resolved);
        self.services()
            .filter(|service| self.service_addresses(service).iter().any(fronts))
            .cloned()
            .collect()
    }
}

fn seen(observation: &Observation) -> Option<&ServiceEvidence> {
    match &observation.evidence {
        Evidence::Service(evidence) => Some(evidence),
        _ => None,
    }
}
