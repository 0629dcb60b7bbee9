//! When something recovers, failures of what stood on it say nothing any more: a router that was away for
//! twelve seconds must not leave a "dead server" behind, nor our own line forty.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::diagnosis::{self, Doubt, GatewayState};
use crate::inventory::Gateway;
use crate::model::policy::PolicyPart;
use crate::model::{Anchor, DomainName, Service, State, Subject};
use crate::picture::{SMTP_PORT, Settled};

use super::dependents::gateway_target;
use super::{Monitor, freshness};

impl Monitor {
    /// A subject is good again after a row of failures. `good_before` is when the probe began that last found it
    /// good: from then on it may have been away.
    pub(super) fn recovered(&mut self, subject: &Subject, good_before: Option<Timestamp>, now: Timestamp) {
        let from = good_before.unwrap_or(Timestamp::MIN);
        let standing: Vec<Subject> = match subject {
            Subject::Gateway(client, name) => {
                let Some(gateway) = self.picture.inventory.gateway(client, name) else {
                    return;
                };
                let services = self.picture.services_behind(gateway);
                let canaries = self.canaries_of(client);
                self.picture
                    .addresses_behind(gateway)
                    .into_iter()
                    .map(Subject::Smtp)
                    .chain(canaries.iter().map(|canary| canary.subject()))
                    .chain(services.into_iter().map(Subject::Service))
                    .collect()
            }
            Subject::Resolver(_) => {
                let everything = self.everything_resolved();
                // While another one answers, little can have failed for want of this one.
                let from = from.max(self.last_resolved(subject));
                return self.look_again(&everything, from, now);
            }
            Subject::Smtp(address) => {
                // Its siblings may have recovered with it: they are asked, their failures stand until then.
                for sibling in diagnosis::siblings(&self.picture, *address) {
                    let sibling = Subject::Smtp(sibling);
                    if self
                        .picture
                        .track(&sibling)
                        .is_some_and(|track| track.streak().is_some())
                    {
                        self.agenda.ask(&sibling, now, now);
                    }
                }
                let services = self.picture.services_at(address.ip());
                self.ask_failing(services.into_iter().map(Subject::Service), now);
                self.ask_behind_the_same(&[address.ip()], now);
                self.ask_at_the_same_provider(*address, now);
                return;
            }
            Subject::Host(address) => {
                // What the mail port did before says nothing now, but a host that comes and goes must not keep its
                // failures from being confirmed: it is asked, and judged by what it says then.
                self.agenda
                    .ask(&Subject::Smtp(SocketAddr::new(*address, SMTP_PORT)), now, now);
                return;
            }
            Subject::Service(service) => {
                // So may the others of the same domains.
                let domains = self.picture.domains_with(service);
                let domains = domains.filter_map(|name| self.picture.domain(name));
                let others: Vec<Service> = domains
                    .flat_map(|domain| domain.services.iter().cloned())
                    .collect();
                self.ask_failing(others.into_iter().map(Subject::Service), now);
                let places = self.picture.service_addresses(service);
                self.ask_behind_the_same(&places, now);
                return;
            }
            Subject::Mx(domain) => {
                let within = |host: &&DomainName| {
                    let zone = self.picture.watched_zone(host);
                    zone.is_some_and(|zone| zone.name == *domain)
                };
                let within = self.picture.leads().hosts().filter(within).cloned();
                let hosts = self.picture.host_names(domain).into_iter().chain(within);
                hosts.map(Subject::Addresses).collect()
            }
            _ => return,
        };
        self.look_again(&standing, from, now);
    }

    /// Asks what fails behind the gateways of an address: what they have let through again may let them be seen too.
    fn ask_behind_the_same(&mut self, addresses: &[IpAddr], now: Timestamp) {
        let fronts: Vec<_> = addresses
            .iter()
            .flat_map(|address| self.picture.gateways_of(*address).cloned())
            .collect();
        for front in fronts {
            let mail = self
                .picture
                .addresses_behind(&front)
                .into_iter()
                .map(Subject::Smtp);
            let services = self
                .picture
                .services_behind(&front)
                .into_iter()
                .map(Subject::Service);
            let behind: Vec<Subject> = mail.chain(services).collect();
            self.ask_failing(behind, now);
        }
    }

    /// Asks what fails at an address's provider, where it is called down as a whole: all of it may be back.
    fn ask_at_the_same_provider(&mut self, address: SocketAddr, now: Timestamp) {
        let provider = self.picture.provider_of_address(address);
        if let Some(provider) = provider.filter(|one| self.outages.contains_key(&one.name)) {
            let addresses: Vec<SocketAddr> = self.picture.users_of(provider).keys().copied().collect();
            self.ask_failing(addresses.into_iter().map(Subject::Smtp), now);
        }
    }

    /// Asks those that fail; their failures stand until then.
    fn ask_failing(&mut self, subjects: impl IntoIterator<Item = Subject>, now: Timestamp) {
        for subject in subjects {
            let track = self.picture.track(&subject);
            if track.is_some_and(|track| track.streak().is_some()) {
                self.agenda.ask(&subject, now, now);
            }
        }
    }

    /// Something behind a router that is called down has answered: the router is back before its own checks say so, and
    /// what failed behind it meanwhile says no more than if they had.
    pub(super) fn hear_from_behind(&mut self, subject: &Subject, now: Timestamp) {
        let places = match subject {
            Subject::Smtp(address) => vec![address.ip()],
            Subject::Host(address) => vec![*address],
            Subject::Service(service) => self.picture.service_addresses(service),
            _ => return,
        };
        let fronts = places.iter().flat_map(|place| self.picture.gateways_of(*place));
        let fronts: Vec<Arc<Gateway>> = fronts.cloned().collect();
        for front in fronts {
            let verdict = self.verdicts.get(&gateway_target(&front));
            let down = verdict.is_some_and(|verdict| verdict.state == State::Broken);
            let is_up = || {
                let judged = diagnosis::gateway(&self.picture, &front, now, &mut Doubt::default());
                judged == GatewayState::Up
            };
            if down && is_up() {
                let track = self.picture.track(&front.subject());
                let good_before = track.and_then(|track| Some(track.last_good()?.at));
                self.recovered(&front.subject(), good_before, now);
            }
        }
    }

    /// Our line is good again: whatever failed meanwhile is looked at anew.
    pub(super) fn line_recovered(&mut self, since: Timestamp, now: Timestamp) {
        let everything = self.everything_outside();
        self.look_again(&everything, since, now);
        let anchors = self.anchors(|_| true);
        self.look_again(&anchors, Timestamp::MIN, now);
    }

    /// Our port 25 is open again: likewise for what uses it.
    pub(super) fn port25_recovered(&mut self, since: Timestamp, now: Timestamp) {
        let addresses = self.picture.leads().addresses().copied();
        let services = self
            .picture
            .services()
            .filter(|service| service.port == SMTP_PORT);
        let services = services.cloned().map(Subject::Service);
        let addresses: Vec<Subject> = addresses.map(Subject::Smtp).chain(services).collect();
        self.look_again(&addresses, since, now);
        let anchors = self.anchors(|anchor| matches!(anchor, Anchor::Smtp { .. }));
        self.look_again(&anchors, Timestamp::MIN, now);
    }

    pub(super) fn anchors(&self, which: fn(&Anchor) -> bool) -> Vec<Subject> {
        let inventory = &self.picture.inventory;
        let all = inventory.anchors.iter().chain(&inventory.witnesses);
        all.filter(|anchor| which(anchor))
            .cloned()
            .map(Subject::Anchor)
            .collect()
    }

    fn look_again(&mut self, subjects: &[Subject], from: Timestamp, now: Timestamp) {
        for subject in subjects {
            let settings = self.settings(subject);
            let interval = self.agenda.effective_interval(subject);
            // What is still fresh stays so until it has been looked at again.
            let look = settings.timeout.saturating_add(settings.interval);
            let again = SignedDuration::try_from(look).unwrap_or(SignedDuration::MAX);
            let again = now.checked_add(again).unwrap_or(Timestamp::MAX);
            let fresh_until = |settled: Option<&Settled>| {
                let until = settled.map(|settled| freshness(&settled.observation, &settings, interval));
                until.map_or(now, |until| if until < now { until } else { until.max(again) })
            };
            if self.picture.drop_failures_since(subject, from, now, fresh_until) {
                self.agenda.ask(subject, now, now);
            }
        }
    }

    /// When the probe began in which a resolver other than this one last answered.
    fn last_resolved(&self, but: &Subject) -> Timestamp {
        let resolvers = self.picture.inventory.resolvers.iter().copied();
        resolvers
            .map(Subject::Resolver)
            .filter(|resolver| resolver != but)
            .filter_map(|resolver| Some(self.picture.track(&resolver)?.last_good()?.at))
            .max()
            .unwrap_or(Timestamp::MIN)
    }

    fn everything_outside(&self) -> Vec<Subject> {
        let inventory = &self.picture.inventory;
        let addresses = self.picture.leads().addresses().copied().map(Subject::Smtp);
        let services = self.picture.services().filter(|service| service.name().is_none());
        let services = services.cloned().map(Subject::Service);
        let gateways = inventory.gateways.iter().map(|gateway| gateway.subject());
        let servers = inventory.domains.keys().cloned().map(Subject::NameServers);
        let resolvers = inventory.resolvers.iter().copied().map(Subject::Resolver);
        let policies = inventory.domains.keys().cloned();
        let policies = policies.map(|domain| Subject::Policy(domain, PolicyPart::Sts));
        addresses
            .chain(policies)
            .chain(resolvers)
            .chain(gateways)
            .chain(services)
            .chain(servers)
            .chain(self.everything_resolved())
            .chain(self.canary_subjects())
            .collect()
    }

    fn everything_resolved(&self) -> Vec<Subject> {
        let domains = self.picture.inventory.domains.keys().cloned().map(Subject::Mx);
        let services = self.picture.services().filter(|service| service.name().is_some());
        let services: Vec<Subject> = services.cloned().map(Subject::Service).collect();
        let hosts: Vec<DomainName> = self.picture.leads().hosts().cloned().collect();
        domains
            .chain(hosts.into_iter().map(Subject::Addresses))
            .chain(services)
            .collect()
    }
}
