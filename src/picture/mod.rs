//! The latest evidence by subject, its freshness, and who stands on what. No judgement lives here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use foldhash::HashMap;
use jiff::Timestamp;

use crate::config::ResolvedProbe;
use crate::inventory::{Domain, Gateway, Inventory, Provider};
use crate::model::dns::{Exchange, Lookup, MxRecord};
use crate::model::{Accepted, BySubject, DomainName, Evidence, Observation, Service, Subject};
use crate::net::Routes;

mod boot;
mod canaries;
#[cfg(test)]
pub(crate) mod fixtures;
mod graph;
mod learnt;
mod line;
mod mx_set;
mod offers;
mod outside;
mod reports;
mod reputation;
mod routes;
mod services;
mod track;
mod users;
mod zone;

pub use graph::Change;
pub use graph::Leads;
pub use learnt::{FactKey, Learnt, NewFact};
pub use line::{Impaired, Line};
pub use mx_set::MxSet;
pub use offers::Offered;
pub use track::{Health, Settled, Streak, Taking, Track};
pub use users::Users;
pub use zone::Lag;

/// The port of mail between servers (RFC 5321 4.5.4.2).
pub const SMTP_PORT: u16 = 25;

/// All that is known at one moment, with who stands on what.
#[derive(Debug, Clone)]
pub struct Picture {
    /// What is watched.
    pub inventory: Arc<Inventory>,
    /// Facts that outlive a restart.
    pub learnt: Learnt,
    /// Conditions that somebody has accepted by hand, by domain; those of the configuration stand in the inventory.
    pub accepted: std::collections::HashMap<DomainName, Vec<Accepted>>,
    /// The machine's own default routes.
    pub routes: Routes,
    tracks: BySubject<Track>,
    lines: line::Lines,
    boots: boot::Boots,
    zones: zone::Zones,
    leads: Leads,
    users: users::AllUsers,
    sessions: HashMap<SocketAddr, BTreeMap<DomainName, Arc<Observation>>>,
    last_success: BTreeMap<outside::Kind, Timestamp>,
    own_addresses: Vec<IpAddr>,
    paces: HashMap<SocketAddr, ResolvedProbe>,
    services: BTreeMap<Service, BTreeSet<DomainName>>,
    reports: reports::Reports,
}

/// Where a domain's mail goes, as far as DNS tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailHosts<'a> {
    /// These MX records.
    Records(&'a [MxRecord]),
    /// No MX: the domain's own address stands in (RFC 5321 5.1).
    Implicit,
    /// Nothing is known, or there is nothing.
    None,
}

impl Picture {
    /// A picture of an inventory that holds nothing but what was learnt before.
    pub fn new(inventory: Arc<Inventory>, learnt: Learnt, routes: Routes) -> Self {
        let gateways = || inventory.gateways.iter();
        let lines = gateways().filter_map(|gateway| {
            let usual = learnt.usual_delay(gateway)?;
            Some((gateway.subject(), Line::usually(usual)))
        });
        let boots = gateways().filter_map(|gateway| Some((gateway.subject(), learnt.boot(gateway)?)));
        Self {
            lines: lines.collect(),
            boots: boots.collect(),
            services: services::index(&inventory),
            inventory,
            learnt,
            accepted: std::collections::HashMap::new(),
            routes,
            tracks: BySubject::default(),
            zones: zone::Zones::default(),
            leads: Leads::default(),
            users: users::AllUsers::default(),
            sessions: HashMap::default(),
            last_success: BTreeMap::new(),
            own_addresses: Vec::new(),
            paces: HashMap::default(),
            reports: reports::Reports::default(),
        }
    }

    /// What is known of a subject.
    pub fn track(&self, subject: &Subject) -> Option<&Track> {
        self.tracks.get(subject)
    }

    /// All that is known.
    pub fn tracks(&self) -> impl Iterator<Item = (&Subject, &Track)> {
        self.tracks.iter().map(|track| (&track.latest.subject, track))
    }

    /// Who leads where.
    pub fn leads(&self) -> &Leads {
        &self.leads
    }

    /// Takes in an observation with what it means, and says what is to be watched besides or no longer.
    pub fn record(&mut self, observation: &Arc<Observation>, health: Health, taking: Taking) -> Change {
        self.note_success(observation, health);
        if let Some(source) = observation
            .source
            .filter(|source| !self.own_addresses.contains(source))
        {
            self.own_addresses.push(source);
            // A machine has a few; one behind a pool of many must not make this grow.
            self.own_addresses.truncate(8);
        }
        if let (Subject::Smtp(address), Evidence::Smtp(evidence)) =
            (&observation.subject, &observation.evidence)
            && let (Some(name), true) = (&evidence.server_name, evidence.tls.is_some())
        {
            self.sessions
                .entry(*address)
                .or_default()
                .insert(name.clone(), Arc::clone(observation));
        }
        let id = self.tracks.id(&observation.subject);
        let id = id.unwrap_or_else(|| self.tracks.insert(Track::new(observation)));
        if let Some(track) = self.tracks.at_mut(id) {
            track.record(observation, health, taking);
        }
        match &observation.subject {
            Subject::Mx(domain) => self.relink_domain(&domain.clone(), observation.ended()),
            Subject::Addresses(host) => self.relink_host(&host.clone(), observation.ended()),
            _ => Change::default(),
        }
    }

    /// Where a domain's mail goes: by what is settled, or while that is a failure, by what was last good.
    pub fn mail_hosts(&self, domain: &DomainName) -> MailHosts<'_> {
        let Some(track) = self.tracks.get(&Subject::Mx(domain.clone())) else {
            return MailHosts::None;
        };
        let settled = track.settled.as_ref().map(|settled| &settled.observation);
        // Before anything is settled, the first answer will do: there is nothing that it could contradict.
        let newest = settled
            .or(Some(&track.latest))
            .into_iter()
            .chain(track.last_good());
        for observation in newest {
            let Evidence::Mx(evidence) = &observation.evidence else {
                continue;
            };
            match &evidence.answer {
                Lookup::Found { records, .. } => return MailHosts::Records(records),
                Lookup::NoData { .. } => return MailHosts::Implicit,
                Lookup::NxDomain { .. } => return MailHosts::None,
                _ => {}
            }
        }
        MailHosts::None
    }

    /// The names of the hosts that take a domain's mail, by preference.
    pub fn host_names(&self, domain: &DomainName) -> Vec<DomainName> {
        match self.mail_hosts(domain) {
            MailHosts::Records(records) => {
                let mut names: Vec<DomainName> = Vec::with_capacity(records.len());
                for record in records {
                    if let Exchange::Host(name) = &record.exchange
                        && !names.contains(name)
                    {
                        names.push(name.clone());
                    }
                }
                names
            }
            MailHosts::Implicit => vec![domain.clone()],
            MailHosts::None => Vec::new(),
        }
    }

    /// The addresses of a mail host: by what is settled, or while that is a failure, by what was last good.
    pub fn addresses(&self, host: &DomainName) -> Vec<IpAddr> {
        let Some(track) = self.tracks.get(&Subject::Addresses(host.clone())) else {
            return Vec::new();
        };
        let settled = track.settled.as_ref().map(|settled| &settled.observation);
        for observation in settled
            .or(Some(&track.latest))
            .into_iter()
            .chain(track.last_good())
        {
            if let Evidence::Addresses(evidence) = &observation.evidence {
                let found: Vec<IpAddr> = evidence.addresses().collect();
                if !found.is_empty() {
                    return found;
                }
                if evidence.v4.is_definite() && evidence.v6.is_definite() {
                    return found;
                }
            }
        }
        Vec::new()
    }

    /// The addresses of a mail host that this vantage can try.
    pub fn reachable_addresses(&self, host: &DomainName) -> Vec<SocketAddr> {
        self.addresses(host)
            .into_iter()
            .filter(|address| address.is_ipv4() || self.inventory.ipv6)
            .map(|address| SocketAddr::new(address, SMTP_PORT))
            .collect()
    }

    /// The gateways that an address lies behind.
    pub fn gateways_of(&self, address: IpAddr) -> impl Iterator<Item = &Arc<Gateway>> {
        self.inventory
            .gateways
            .iter()
            .filter(move |gateway| gateway.fronts(address, self.gateway_address(gateway)))
    }

    /// Where a gateway that is known by name was last found.
    pub fn gateway_address(&self, gateway: &Gateway) -> Option<IpAddr> {
        let track = self.tracks.get(&gateway.subject())?;
        let found = |observation: &Arc<Observation>| match &observation.evidence {
            Evidence::Gateway(evidence) => evidence.address,
            _ => None,
        };
        found(&track.latest).or_else(|| track.last_good().and_then(found))
    }

    /// The addresses behind a gateway that some domain's mail goes to.
    pub fn addresses_behind(&self, gateway: &Gateway) -> Vec<SocketAddr> {
        let resolved = self.gateway_address(gateway);
        self.leads
            .addresses()
            .filter(|address| gateway.fronts(address.ip(), resolved))
            .copied()
            .collect()
    }

    /// The provider of a domain's mail hosts: that of the first host which has one.
    pub fn provider_of(&self, domain: &DomainName) -> Option<&Arc<Provider>> {
        let of = |host: &DomainName| self.inventory.providers.of_host(host);
        match self.mail_hosts(domain) {
            MailHosts::Records(records) => records.iter().find_map(|record| match &record.exchange {
                Exchange::Host(name) => of(name),
                _ => None,
            }),
            MailHosts::Implicit => of(domain),
            MailHosts::None => None,
        }
    }

    /// The provider of an address: that of any name that leads there.
    pub fn provider_of_address(&self, address: SocketAddr) -> Option<&Arc<Provider>> {
        self.leads
            .names(address)
            .find_map(|host| self.inventory.providers.of_host(host))
    }

    /// The session at an address in which `name` was sent as SNI.
    pub fn session(&self, address: SocketAddr, name: &DomainName) -> Option<&Arc<Observation>> {
        self.sessions.get(&address)?.get(name)
    }

    /// The name to send as SNI next: one that the newest certificate does not cover and that has waited
    /// longest, else the first (`semantics` 1).
    pub fn next_server_name(&self, address: SocketAddr) -> Option<DomainName> {
        let latest = self
            .tracks
            .get(&Subject::Smtp(address))
            .map(|track| &track.latest);
        let certificate = latest.and_then(|observation| match &observation.evidence {
            Evidence::Smtp(evidence) => evidence.tls.as_ref()?.certificate.as_ref(),
            _ => None,
        });
        let sent = |name: &DomainName| self.session(address, name).map(|observation| observation.at);
        let uncovered = self
            .leads
            .names(address)
            .filter(|name| certificate.is_some_and(|certificate| !certificate.covers(name)))
            .min_by_key(|name| sent(name));
        uncovered.or_else(|| self.leads.names(address).next()).cloned()
    }

    /// The addresses that we have spoken from.
    pub fn own_addresses(&self) -> &[IpAddr] {
        &self.own_addresses
    }

    /// How an address is probed: of all domains that lead there, the strictest settings win.
    pub fn smtp_settings(&self, address: SocketAddr) -> ResolvedProbe {
        self.paces
            .get(&address)
            .cloned()
            .unwrap_or_else(|| self.inventory.fallback().clone())
    }

    /// How a host's addresses are looked up: likewise.
    pub fn host_settings(&self, host: &DomainName, of: fn(&Domain) -> &ResolvedProbe) -> ResolvedProbe {
        let domains = self.leads.domains(host).filter_map(|name| self.domain(name));
        self.inventory
            .shared_settings(domains.map(|domain| of(domain)), false)
    }

    /// Drops failures of a subject that were seen since `from`, because what they stood on has recovered.
    pub fn drop_failures_since(
        &mut self,
        subject: &Subject,
        from: Timestamp,
        now: Timestamp,
        fresh_until: impl Fn(Option<&Settled>) -> Timestamp,
    ) -> bool {
        self.tracks
            .get_mut(subject)
            .is_some_and(|track| track.drop_failures_since(from, now, fresh_until))
    }

    /// What counts about a subject is to count for longer, because it is looked at less often than before.
    pub fn stretch_freshness(&mut self, subject: &Subject, fresh_until: impl Fn(&Settled) -> Timestamp) {
        if let Some(track) = self.tracks.get_mut(subject)
            && let Some(settled) = &track.settled
        {
            let until = fresh_until(settled);
            track.stretch_freshness(until);
        }
    }

    /// Forgets what is usual of a gateway that is elsewhere now.
    pub fn forget_habits(&mut self, gateway: &Subject) {
        self.lines.remove(gateway);
        self.boots.remove(gateway);
    }

    /// Forgets subjects that nobody watches any more.
    pub fn forget(&mut self, subject: &Subject) {
        if let Some(id) = self.tracks.id(subject) {
            self.tracks.remove(id);
        }
        self.forget_habits(subject);
        match subject {
            Subject::Smtp(address) => {
                self.sessions.remove(address);
            }
            Subject::NameServers(domain) => {
                self.zones.remove(domain);
            }
            _ => {}
        }
    }

    /// The watched domain of that name.
    pub fn domain(&self, name: &DomainName) -> Option<&Arc<Domain>> {
        self.inventory.domains.get(name)
    }

    /// The watched domain whose zone a name most likely lies in: itself, or the nearest one above it.
    pub fn watched_zone(&self, name: &DomainName) -> Option<&Arc<Domain>> {
        let above = std::iter::successors(Some(name.clone()), DomainName::parent);
        above.into_iter().find_map(|name| self.domain(&name))
    }

    /// The domains whose mail goes to an address.
    pub fn domains_at(&self, address: SocketAddr) -> BTreeSet<DomainName> {
        self.led_to(address).cloned().collect()
    }

    /// The same, one after the other; one that several hosts lead there comes as often.
    pub fn led_to(&self, address: SocketAddr) -> impl Iterator<Item = &DomainName> {
        let hosts = self.leads.names(address);
        hosts.flat_map(|host| self.leads.domains(host))
    }
}
