//! Who leads where: domains to MX hosts, hosts to addresses, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use foldhash::HashMap;
use jiff::Timestamp;

use crate::config::ResolvedProbe;
use crate::model::policy::PolicyPart;
use crate::model::{DomainName, Subject};

use super::Picture;

/// What is to be watched besides, and what no longer, after an answer changed who leads where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Subjects that somebody now stands on.
    pub added: Vec<Subject>,
    /// Subjects that nobody stands on any more.
    pub removed: Vec<Subject>,
}

/// Who leads where, both ways.
#[derive(Debug, Clone, Default)]
pub struct Leads {
    domain_hosts: HashMap<DomainName, Vec<DomainName>>,
    host_domains: BTreeMap<DomainName, BTreeSet<DomainName>>,
    host_addresses: HashMap<DomainName, Vec<SocketAddr>>,
    address_names: BTreeMap<SocketAddr, BTreeSet<DomainName>>,
    since: HashMap<Subject, Timestamp>,
}

impl Leads {
    /// The MX names that lead to an address.
    pub fn names(&self, address: SocketAddr) -> impl Iterator<Item = &DomainName> {
        self.address_names.get(&address).into_iter().flatten()
    }

    /// The domains whose mail goes to a host.
    pub fn domains(&self, host: &DomainName) -> impl Iterator<Item = &DomainName> {
        self.host_domains.get(host).into_iter().flatten()
    }

    /// All addresses that somebody's mail goes to.
    pub fn addresses(&self) -> impl Iterator<Item = &SocketAddr> {
        self.address_names.keys()
    }

    /// All hosts that somebody's mail goes to.
    pub fn hosts(&self) -> impl Iterator<Item = &DomainName> {
        self.host_domains.keys()
    }

    /// The addresses that a host leads to.
    pub fn host_addresses(&self, host: &DomainName) -> &[SocketAddr] {
        self.host_addresses.get(host).map_or(&[], Vec::as_slice)
    }

    /// When somebody first led to a subject: before that, nobody can have looked at it.
    pub fn since(&self, subject: &Subject) -> Option<Timestamp> {
        self.since.get(subject).copied()
    }

    fn link_domain(&mut self, domain: &DomainName, hosts: &[DomainName]) -> Change {
        let before = self
            .domain_hosts
            .insert(domain.clone(), hosts.to_vec())
            .unwrap_or_default();
        let mut change = Change::default();
        for host in hosts {
            let domains = self.host_domains.entry(host.clone()).or_default();
            if domains.is_empty() {
                change.added.push(Subject::Addresses(host.clone()));
                change.added.push(Subject::Tlsa(host.clone()));
            }
            domains.insert(domain.clone());
        }
        for host in before.iter().filter(|host| !hosts.contains(host)) {
            if let Some(domains) = self.host_domains.get_mut(host) {
                domains.remove(domain);
                if domains.is_empty() {
                    self.host_domains.remove(host);
                    change.removed.push(Subject::Addresses(host.clone()));
                    change.removed.push(Subject::Tlsa(host.clone()));
                    let gone = self.link_host(host, &[]);
                    change.removed.extend(gone.removed);
                }
            }
        }
        change
    }

    fn link_host(&mut self, host: &DomainName, addresses: &[SocketAddr]) -> Change {
        let mut change = Change::default();
        for address in addresses {
            let names = self.address_names.entry(*address).or_default();
            if names.is_empty() {
                change.added.push(Subject::Smtp(*address));
            }
            names.insert(host.clone());
        }
        let before = if addresses.is_empty() {
            self.host_addresses.remove(host)
        } else {
            self.host_addresses.insert(host.clone(), addresses.to_vec())
        };
        for address in before
            .into_iter()
            .flatten()
            .filter(|address| !addresses.contains(address))
        {
            if let Some(names) = self.address_names.get_mut(&address) {
                names.remove(host);
                if names.is_empty() {
                    self.address_names.remove(&address);
                    change.removed.push(Subject::Smtp(address));
                    change.removed.push(Subject::Host(address.ip()));
                    change.removed.push(Subject::Trace(address));
                }
            }
        }
        change
    }

    fn unlink_domain(&mut self, domain: &DomainName) -> Change {
        let change = self.link_domain(domain, &[]);
        self.domain_hosts.remove(domain);
        change
    }
}

impl Picture {
    /// Brings the hosts of a domain up to date.
    pub(super) fn relink_domain(&mut self, domain: &DomainName, at: Timestamp) -> Change {
        let Some(settings) = self.domain(domain).map(|domain| domain.probes.smtp.clone()) else {
            return Change::default();
        };
        let hosts = self.host_names(domain);
        if self.leads.domain_hosts.get(domain) == Some(&hosts) {
            return Change::default();
        }
        let mut change = self.leads.link_domain(domain, &hosts);
        self.users.forget();
        for host in &hosts {
            // A host that another domain has led to before may already have its addresses.
            let known = self.relink_host(host, at);
            change.added.extend(known.added);
            change.removed.extend(known.removed);
            for address in self.leads.host_addresses(host).to_vec() {
                if self.join_pace(address, &settings) {
                    change.added.push(Subject::Smtp(address));
                }
            }
        }
        self.note_links(&change, at);
        change
    }

    /// Brings the addresses of a host up to date.
    pub(super) fn relink_host(&mut self, host: &DomainName, at: Timestamp) -> Change {
        if self.leads.domains(host).next().is_none() {
            return Change::default();
        }
        let addresses = self.reachable_addresses(host);
        if self.leads.host_addresses.get(host) == Some(&addresses) {
            return Change::default();
        }
        let change = self.leads.link_host(host, &addresses);
        self.users.forget();
        for address in addresses {
            self.settle_pace(address);
        }
        self.note_links(&change, at);
        change
    }

    fn note_links(&mut self, change: &Change, at: Timestamp) {
        for subject in &change.added {
            self.leads.since.entry(subject.clone()).or_insert(at);
        }
        self.forget_links(&change.removed);
    }

    /// Lets one more domain have its say in how an address is probed; whether that changed anything.
    fn join_pace(&mut self, address: SocketAddr, settings: &ResolvedProbe) -> bool {
        let provider = self.provider_of_address(address).is_some();
        let before = self.paces.get(&address);
        let joined = self
            .inventory
            .shared_settings(before.into_iter().chain([settings]), provider);
        if before == Some(&joined) {
            return false;
        }
        self.paces.insert(address, joined);
        true
    }

    /// Works out anew how an address is probed.
    fn settle_pace(&mut self, address: SocketAddr) {
        let provider = self.provider_of_address(address).is_some();
        let domains = self
            .leads
            .names(address)
            .flat_map(|host| self.leads.domains(host));
        let settings = domains
            .filter_map(|name| self.domain(name))
            .map(|domain| &domain.probes.smtp);
        let settled = self.inventory.shared_settings(settings, provider);
        self.paces.insert(address, settled);
    }

    fn forget_links(&mut self, removed: &[Subject]) {
        for subject in removed {
            self.leads.since.remove(subject);
            if let Subject::Smtp(address) = subject {
                self.paces.remove(address);
            }
        }
    }

    /// Takes a domain out.
    pub fn remove_domain(&mut self, domain: &DomainName) -> Change {
        let mut change = self.leads.unlink_domain(domain);
        self.users.forget();
        change.removed.push(Subject::Mx(domain.clone()));
        change.removed.push(Subject::NameServers(domain.clone()));
        let parts = PolicyPart::ALL.map(|part| Subject::Policy(domain.clone(), part));
        change.removed.extend(parts);
        self.forget_links(&change.removed);
        change
    }

    /// Takes over a changed inventory: settings and who belongs to whom are worked out anew.
    pub fn set_inventory(&mut self, inventory: std::sync::Arc<crate::inventory::Inventory>) {
        self.services = super::services::index(&inventory);
        self.inventory = inventory;
        self.users.forget();
        let addresses: Vec<SocketAddr> = self.leads.addresses().copied().collect();
        for address in addresses {
            self.settle_pace(address);
        }
    }
}
