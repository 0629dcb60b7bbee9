//! What the notifiers stand on of all that is watched, from the configuration and from what DNS says of their hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{Config, ExpectMx, Notifier, NotifierKind};
use crate::inventory::{Inventory, Surroundings};
use crate::model::{DomainName, Endpoint};
use crate::notify::{Reliance, Way};

/// Where names lead, as far as that is known.
pub type Resolved = BTreeMap<DomainName, Vec<IpAddr>>;

/// The ways of all notifiers, as far as the configuration shows them.
pub fn configured(config: &Config) -> BTreeMap<Arc<str>, Way> {
    let inventory = Inventory::new(config, &Surroundings::default());
    Ways::new(config, Arc::new(inventory)).all(&Resolved::new())
}

/// What it takes to work the ways out, again and again as DNS changes.
#[derive(Debug, Clone)]
pub struct Ways {
    notifiers: Vec<Needs>,
    inventory: Arc<Inventory>,
    hosts: Vec<(DomainName, DomainName)>,
}

/// What one notifier needs.
#[derive(Debug, Clone)]
struct Needs {
    name: Arc<str>,
    fallback: Option<Arc<str>>,
    /// Where it connects to; one that lives is enough.
    endpoints: Vec<Endpoint>,
    /// The domains that it sends mail to.
    recipients: Vec<DomainName>,
    port25: bool,
}

impl Ways {
    /// From a configuration, and what it comes to.
    pub fn new(config: &Config, inventory: Arc<Inventory>) -> Self {
        let expected = config.domains().flat_map(|(_, domain)| {
            let hosts = match &domain.expect_mx {
                Some(ExpectMx::Hosts(hosts)) => hosts.clone(),
                Some(ExpectMx::Null) | None => Vec::new(),
            };
            hosts.into_iter().map(|host| (host, domain.name.clone()))
        });
        Self {
            notifiers: config.notifiers.iter().map(needs).collect(),
            inventory,
            hosts: expected.collect(),
        }
    }

    /// The names that have to be looked up to know more.
    pub fn names(&self) -> BTreeSet<DomainName> {
        let endpoints = self.notifiers.iter().flat_map(|needs| &needs.endpoints);
        let named = endpoints.filter_map(|endpoint| match endpoint {
            Endpoint::Name(name) => Some(name.clone()),
            Endpoint::Address(_) => None,
        });
        let gateways = self.inventory.gateways.iter();
        let named = named.chain(gateways.filter_map(|gateway| match &gateway.address {
            Endpoint::Name(name) => Some(name.clone()),
            Endpoint::Address(_) => None,
        }));
        named.collect()
    }

    /// The ways, as `resolved` shows them.
    pub fn all(&self, resolved: &Resolved) -> BTreeMap<Arc<str>, Way> {
        let ways = self.notifiers.iter().map(|needs| {
            let way = Way {
                stands_on: self.reliances(needs, resolved),
                fallback: needs.fallback.clone(),
            };
            (Arc::clone(&needs.name), way)
        });
        ways.collect()
    }

    fn reliances(&self, needs: &Needs, resolved: &Resolved) -> Vec<(Reliance, String)> {
        let mut found: Vec<(Reliance, String)> = Vec::new();
        for domain in &needs.recipients {
            if self.inventory.domains.contains_key(domain) {
                let how = format!("its recipients are in {domain}");
                found.push((Reliance::Domain(domain.clone()), how));
            }
        }
        let mut each = needs
            .endpoints
            .iter()
            .map(|endpoint| self.of_endpoint(endpoint, resolved));
        // What every one of them stands on; for most notifiers there is but one.
        if let Some(first) = each.next() {
            let shared = each.fold(first, |mut shared, other| {
                shared.retain(|(one, _)| other.iter().any(|(also, _)| also == one));
                shared
            });
            found.extend(shared);
        }
        if needs.port25 {
            found.push((Reliance::Port25, "it sends over our port 25".into()));
        }
        found
    }

    fn of_endpoint(&self, endpoint: &Endpoint, resolved: &Resolved) -> Vec<(Reliance, String)> {
        let mut found = Vec::new();
        let addresses = match endpoint {
            Endpoint::Address(address) => vec![*address],
            Endpoint::Name(name) => {
                let served = self.inventory.domains.keys().filter(|domain| {
                    let expected = self.hosts.iter().any(|(host, of)| host == name && of == *domain);
                    expected || name.is_within(domain)
                });
                for domain in served {
                    let how = format!("its server {name} belongs to {domain}");
                    found.push((Reliance::Domain(domain.clone()), how));
                }
                resolved.get(name).cloned().unwrap_or_default()
            }
        };
        for gateway in &self.inventory.gateways {
            let own = match &gateway.address {
                Endpoint::Name(name) => resolved.get(name).and_then(|all| all.first()).copied(),
                Endpoint::Address(_) => None,
            };
            // One address in front of which nothing stands is enough to get through.
            let behind = !addresses.is_empty() && addresses.iter().all(|one| gateway.fronts(*one, own));
            if behind {
                let how = format!("its server {endpoint} lies behind {}", gateway.label());
                let reliance = Reliance::Gateway(gateway.client.clone(), Arc::clone(&gateway.name));
                found.push((reliance, how));
            }
        }
        if !addresses.iter().any(IpAddr::is_loopback) {
            found.push((Reliance::Line, "its messages leave over our own line".into()));
        }
        found
    }
}

fn needs(notifier: &Notifier) -> Needs {
    let hosts = |urls: &[&crate::config::HttpUrl]| urls.iter().filter_map(|url| url.host()).collect();
    let mut needs = Needs {
        name: notifier.name.as_str().into(),
        fallback: notifier.fallback.as_deref().map(Into::into),
        endpoints: Vec::new(),
        recipients: Vec::new(),
        port25: false,
    };
    match &notifier.kind {
        NotifierKind::Email(email) => {
            needs.endpoints = vec![email.server.host.clone()];
            needs.recipients = email.to.iter().map(|to| to.domain().clone()).collect();
            needs.recipients.sort();
            needs.recipients.dedup();
            needs.port25 = email.server.port == 25;
        }
        NotifierKind::Webhook(webhook) => needs.endpoints = hosts(&[&webhook.url]),
        NotifierKind::Ntfy(ntfy) => needs.endpoints = hosts(&[&ntfy.url]),
        NotifierKind::Pagerduty(pagerduty) => {
            needs.endpoints = pagerduty
                .url
                .iter()
                .filter_map(crate::config::HttpUrl::host)
                .collect();
        }
        NotifierKind::Alertmanager(alertmanager) => {
            needs.endpoints = hosts(&alertmanager.urls.iter().collect::<Vec<_>>());
        }
        // Somebody else's cloud; their addresses are secrets.
        NotifierKind::Slack(_) | NotifierKind::Teams(_) => {}
    }
    needs
}

#[cfg(test)]
mod tests;
