//! What is watched, how often, under which budgets, and what each probe needs to know.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::ResolvedProbe;
use crate::inventory::Inventory;
use crate::model::policy::PolicyPart;
use crate::model::smtp::{SmtpEvidence, SmtpFailureKind};
use crate::model::{Code, DomainName, Evidence, Service, Subject, Target};
use crate::picture::{Change, SMTP_PORT, Settled};
use crate::probe::{Detail, Task};
use crate::schedule::{Allowance, Budget, Pace};

use super::{Mode, Monitor, freshness};

/// The first round of a fleet is spread: this much time a subject, so that a hundred start at once in effect.
const SPREAD: Duration = Duration::from_millis(5);

impl Monitor {
    pub(super) fn vantage_target(&self) -> Target {
        Target::Vantage(Arc::clone(&self.picture.inventory.vantage))
    }

    /// Watches all that the inventory names.
    pub(super) fn watch_everything(&mut self, now: Timestamp) {
        let inventory = Arc::clone(&self.picture.inventory);
        for resolver in inventory.resolvers.iter() {
            self.watch(&Subject::Resolver(*resolver), now);
        }
        for anchor in inventory.anchors.iter().chain(&inventory.witnesses) {
            self.watch(&Subject::Anchor(anchor.clone()), now);
        }
        for gateway in &inventory.gateways {
            self.watch(&gateway.subject(), now);
        }
        for zone in &inventory.blocklists {
            self.watch(&Subject::Blocklist(zone.clone()), now);
        }
        let services: Vec<Service> = self.picture.services().cloned().collect();
        for (index, service) in services.into_iter().enumerate() {
            let first = self.spread(index, Duration::MAX, now);
            self.watch(&Subject::Service(service), first);
        }
        for (index, domain) in inventory.domains.values().enumerate() {
            let first = self.spread(index, domain.probes.dns.interval, now);
            self.watch(&Subject::Mx(domain.name.clone()), first);
            self.watch(&Subject::NameServers(domain.name.clone()), first);
            for part in PolicyPart::ALL {
                self.watch(&Subject::Policy(domain.name.clone(), part), first);
            }
        }
        self.watch_canaries(now);
        for (index, sender) in self.sending_addresses().into_iter().enumerate() {
            let first = self.spread(index, Duration::MAX, now);
            self.watch(&sender, first);
        }
    }

    /// When the first probe of one of many is due: they are spread, no further than `most`.
    pub(super) fn spread(&self, index: usize, most: Duration, now: Timestamp) -> Timestamp {
        let wait = SPREAD
            .saturating_mul(u32::try_from(index).unwrap_or(u32::MAX))
            .min(most);
        match self.mode {
            Mode::OneLook => now,
            Mode::Watch => now.checked_add(signed(wait)).unwrap_or(now),
        }
    }

    pub(super) fn watch(&mut self, subject: &Subject, first: Timestamp) {
        if !self.matters(subject) {
            self.agenda.unwatch(subject);
            self.picture.forget(subject);
            return;
        }
        let settings = self.settings(subject);
        let routine = self.is_routine(subject);
        let pace = Pace {
            interval: Some(settings.interval).filter(|_| routine && self.mode == Mode::Watch),
            confirm_interval: settings.confirm_interval,
        };
        let budgets = self.budgets(subject);
        self.agenda.watch(subject, pace, budgets, first);
        if routine && self.mode == Mode::OneLook {
            self.agenda.ask(subject, Timestamp::MIN, first);
        }
    }

    /// Whether a subject is looked at by itself, or only when something fails.
    pub(super) fn is_routine(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Host(_) | Subject::Trace(_) => false,
            Subject::Anchor(anchor) => self.picture.inventory.anchors.contains(anchor),
            // One look asks the servers of a domain only when the resolver cannot tell.
            Subject::NameServers(_) => self.mode == Mode::Watch,
            _ => true,
        }
    }

    /// The settings that hold for a subject.
    pub(super) fn settings(&self, subject: &Subject) -> ResolvedProbe {
        let inventory = &self.picture.inventory;
        let of_domain = |name: &DomainName, pick: fn(&crate::inventory::Domain) -> &ResolvedProbe| {
            inventory
                .domains
                .get(name)
                .map_or_else(|| inventory.fallback().clone(), |domain| pick(domain).clone())
        };
        match subject {
            Subject::Mx(name) => of_domain(name, |domain| &domain.probes.dns),
            Subject::NameServers(name) => of_domain(name, |domain| &domain.probes.nameserver),
            Subject::Addresses(host) => self.picture.host_settings(host, |domain| &domain.probes.dns),
            Subject::Smtp(address) | Subject::Trace(address) => self.picture.smtp_settings(*address),
            Subject::Host(address) => self.picture.smtp_settings(SocketAddr::new(*address, SMTP_PORT)),
            Subject::Gateway(client, name) => inventory.gateway(client, name).map_or_else(
                || inventory.fallback().clone(),
                |gateway| gateway.settings.clone(),
            ),
            Subject::Anchor(_) | Subject::Resolver(_) => inventory.vantage_settings.clone(),
            Subject::Policy(name, _) => of_domain(name, |domain| &domain.probes.policy),
            Subject::Sender(..) => inventory.sender_settings.clone(),
            Subject::Canary(client, name) => inventory
                .canary(client, name)
                .map_or_else(|| inventory.fallback().clone(), |canary| canary.settings.clone()),
            Subject::Recipient(recipient) => {
                let known = inventory.recipients.get(recipient);
                known.unwrap_or_else(|| inventory.fallback()).clone()
            }
            Subject::Tlsa(host) => self.picture.host_settings(host, |domain| &domain.probes.policy),
            Subject::Service(service) => self.picture.service_settings(service),
            Subject::Blocklist(_) | Subject::Listing(..) => inventory.blocklist_settings.clone(),
        }
    }

    fn budgets(&self, subject: &Subject) -> Vec<(Budget, Allowance)> {
        let budgets = &self.picture.inventory.budgets;
        let asked = match subject {
            Subject::Recipient(recipient) => self.asked_at.get(recipient).copied(),
            Subject::Smtp(address) => Some(*address),
            _ => None,
        };
        if let Some(address) = asked {
            return self.session_budgets(address);
        }
        match subject {
            Subject::NameServers(domain) => self.name_server_budgets(domain),
            // One question after the other, however many addresses there are.
            Subject::Blocklist(zone) | Subject::Listing(zone, _) => {
                let per_second = budgets.per_nameserver.per_second.get();
                let allowance = Allowance {
                    concurrent: per_second,
                    burst: 1,
                    period: SignedDuration::from_secs(1) / i32::try_from(per_second).unwrap_or(i32::MAX),
                };
                vec![(Budget::Blocklist(zone.clone()), allowance)]
            }
            _ => Vec::new(),
        }
    }

    /// The budgets of an SMTP session with an address.
    fn session_budgets(&self, address: SocketAddr) -> Vec<(Budget, Allowance)> {
        let budgets = &self.picture.inventory.budgets;
        let own = Allowance {
            concurrent: budgets.per_address.concurrent.get(),
            burst: 1,
            period: signed(budgets.per_address.interval),
        };
        let mut list = vec![(Budget::Address(address), own)];
        if let Some(provider) = self
            .picture
            .provider_of_address(address)
            .filter(|_| !self.is_slow(address))
        {
            let concurrent = provider
                .concurrent
                .unwrap_or(budgets.per_provider.concurrent)
                .get();
            let per_minute = provider
                .per_minute
                .unwrap_or(budgets.per_provider.per_minute)
                .get();
            let shared = Allowance {
                concurrent,
                burst: concurrent,
                period: SignedDuration::from_mins(1) / i32::try_from(per_minute).unwrap_or(i32::MAX),
            };
            list.push((Budget::Provider(Arc::clone(&provider.name)), shared));
        }
        list
    }

    /// Whether an address answers so slowly that it has a lane of its own (`semantics` 14): also one that was waited for
    /// there, in vain.
    fn is_slow(&self, address: SocketAddr) -> bool {
        let track = self.picture.track(&Subject::Smtp(address));
        let Some(settled) = track.and_then(|track| track.settled.as_ref()) else {
            return false;
        };
        let in_vain = |smtp: &SmtpEvidence| {
            let failure = smtp.failure.as_ref().filter(|_| smtp.slow_lane);
            failure
                .is_some_and(|failure| failure.kind == SmtpFailureKind::Timeout && failure.stage.is_opening())
        };
        settled.health.code() == Some(Code::SmtpSlowGreeting)
            || matches!(&settled.observation.evidence, Evidence::Smtp(smtp) if in_vain(smtp))
    }

    /// What a probe of a subject needs to know.
    pub(super) fn task(&self, subject: Subject) -> Task {
        let settings = self.settings(&subject);
        let detail = match &subject {
            Subject::Smtp(address) => {
                let slow_lane = self.is_slow(*address);
                let patience = if slow_lane {
                    settings.greeting_timeout.max(settings.timeout)
                } else {
                    settings.timeout
                };
                Detail::Smtp {
                    server_name: self.picture.next_server_name(*address),
                    patience,
                    slow_lane,
                }
            }
            Subject::Gateway(client, name) => match self.picture.inventory.gateway(client, name) {
                Some(gateway) => Detail::Gateway {
                    address: gateway.address.clone(),
                    ping: gateway.ping,
                    ports: gateway.ports.clone(),
                },
                None => Detail::Plain,
            },
            Subject::NameServers(domain) => self.name_server_detail(domain),
            Subject::Sender(client, address) => self.sender_detail(client, *address),
            Subject::Recipient(recipient) => self.recipient_detail(recipient),
            Subject::Policy(name, PolicyPart::Dkim) => Detail::Dkim {
                selectors: self.selectors(name),
            },
            Subject::Policy(name, PolicyPart::Sts) => Detail::Sts {
                held: self.picture.learnt.sts(name).cloned(),
            },
            _ => Detail::Plain,
        };
        Task {
            subject,
            timeout: settings.timeout,
            detail,
        }
    }

    /// Watches what an answer led to, and forgets what nothing leads to any more.
    pub(super) fn follow(&mut self, change: &Change, now: Timestamp) {
        for subject in &change.removed {
            self.agenda.unwatch(subject);
            self.picture.forget(subject);
            self.refusals.remove(subject);
            if let Subject::Smtp(address) = subject {
                self.host_views.remove(address);
            }
        }
        for subject in &change.added {
            self.watch(subject, now);
            if let Subject::Smtp(address) = subject {
                self.watch(&Subject::Host(address.ip()), now);
            }
        }
    }

    /// Asks the blocklists that are believed for every address that is anybody's, and no other any more.
    pub(super) fn follow_listings(&mut self, now: Timestamp) {
        let zones = self.picture.inventory.blocklists.clone();
        if zones.is_empty() && self.listings.is_empty() {
            return;
        }
        self.listable = self.picture.listable_addresses();
        let wanted: BTreeSet<Subject> = zones
            .iter()
            .flat_map(|zone| self.listable.keys().map(move |address| (zone, *address)))
            .filter(|(zone, address)| self.picture.believes(zone, *address))
            .map(|(zone, address)| Subject::Listing(zone.clone(), address))
            .collect();
        let before = std::mem::replace(&mut self.listings, wanted.clone());
        for subject in before.difference(&wanted) {
            self.agenda.unwatch(subject);
            self.picture.forget(subject);
        }
        for subject in wanted.difference(&before) {
            self.watch(subject, now);
        }
    }

    /// Takes over a changed configuration.
    pub(super) fn replace_inventory(&mut self, inventory: Arc<Inventory>, now: Timestamp) {
        let before = Arc::clone(&self.picture.inventory);
        for name in before
            .domains
            .keys()
            .filter(|name| !inventory.domains.contains_key(*name))
        {
            let change = self.picture.remove_domain(name);
            self.follow(&change, now);
            Arc::make_mut(&mut self.addresses).remove(name);
            self.set_expiry(name, None);
            Arc::make_mut(&mut self.services).remove(name);
            self.drop_target(&Target::Domain(name.clone()));
        }
        for domain in inventory.domains.values().filter(|one| one.is_destination) {
            self.drop_target(&Target::Domain(domain.name.clone()));
        }
        let strangers = self.picture.learnt.forget_strangers(&inventory);
        self.changes.unlearnt.extend(strangers);
        self.drop_gateways(&before, &inventory);
        let anchors = before.anchors.iter().chain(&before.witnesses);
        let kept = |anchor: &&crate::model::Anchor| {
            inventory.anchors.contains(*anchor) || inventory.witnesses.contains(*anchor)
        };
        let mut gone: Vec<Subject> = anchors
            .filter(|anchor| !kept(anchor))
            .cloned()
            .map(Subject::Anchor)
            .collect();
        let resolvers = before
            .resolvers
            .iter()
            .filter(|one| !inventory.resolvers.contains(one));
        gone.extend(resolvers.copied().map(Subject::Resolver));
        let lists = before.blocklists.iter();
        let lists = lists.filter(|zone| !inventory.blocklists.contains(zone));
        gone.extend(lists.cloned().map(Subject::Blocklist));
        let services: BTreeSet<Service> = self.picture.services().cloned().collect();
        for subject in gone {
            self.agenda.unwatch(&subject);
            self.picture.forget(&subject);
        }
        if before.vantage != inventory.vantage {
            self.drop_target(&Target::Vantage(Arc::clone(&before.vantage)));
        }
        self.picture.set_inventory(inventory);
        let kept: BTreeSet<Service> = self.picture.services().cloned().collect();
        for service in services.difference(&kept) {
            let subject = Subject::Service(service.clone());
            self.agenda.unwatch(&subject);
            self.picture.forget(&subject);
            self.refusals.remove(&subject);
        }
        self.drop_routes(&before);
        self.drop_canaries(&before);
        self.drop_reports();
        self.watch_everything(now);
        self.follow_listings(now);
        let hosts: Vec<Subject> = self
            .picture
            .leads()
            .hosts()
            .cloned()
            .map(Subject::Addresses)
            .collect();
        let addresses: Vec<Subject> = self
            .picture
            .leads()
            .addresses()
            .copied()
            .map(Subject::Smtp)
            .collect();
        let records: Vec<Subject> = self.picture.leads().hosts().cloned().map(Subject::Tlsa).collect();
        for subject in hosts.iter().chain(&addresses).chain(&records) {
            self.watch(subject, now);
        }
        self.stretch_freshness();
        self.agenda.tidy(now);
    }

    /// What was seen at the pace of before counts until it is due at the pace of now: a longer interval must not leave
    /// us without evidence.
    fn stretch_freshness(&mut self) {
        let subjects: Vec<Subject> = self
            .picture
            .tracks()
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in subjects {
            let settings = self.settings(&subject);
            let effective = self.agenda.effective_interval(&subject);
            let fresh_until = |settled: &Settled| freshness(&settled.observation, &settings, effective);
            self.picture.stretch_freshness(&subject, fresh_until);
        }
    }

    /// Forgets the gateways that are no longer there, and what is usual of those that are elsewhere now.
    fn drop_gateways(&mut self, before: &Inventory, inventory: &Inventory) {
        for gateway in &before.gateways {
            let now_at = inventory.gateway(&gateway.client, &gateway.name);
            if now_at.is_some_and(|now_at| now_at.address != gateway.address) {
                self.picture.forget_habits(&gateway.subject());
            }
            if now_at.is_none() {
                let target = Target::Gateway(gateway.client.clone(), Arc::clone(&gateway.name));
                self.counts.pings.remove(&target);
                self.drop_target(&target);
                self.agenda.unwatch(&gateway.subject());
                self.picture.forget(&gateway.subject());
            }
        }
    }

    pub(super) fn drop_target(&mut self, target: &Target) {
        self.turning.remove(target);
        self.release(target);
        if let Some(at) = self.recheck_at.remove(target) {
            self.rechecks.remove(&(at, target.clone()));
        }
        if self.verdicts.remove(target).is_some() {
            self.changes.removed.push(target.clone());
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
