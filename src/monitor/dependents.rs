//! What stands on what: an observation has only those judged again whose verdict it can change.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Mode, Monitor};
use crate::diagnosis::Suspicion;
use crate::inventory::Gateway;
use crate::model::dns::{Lookup, NameServerAnswer, NameServerEvidence};
use crate::model::{ClientId, DomainName, Evidence, State, Subject, Target, Verdict};
use crate::picture::{SMTP_PORT, Track};

/// More dependents than this are not judged anew for an observation that says what the last one said: each
/// domain's own MX question brings it up to date within its interval.
const MANY: usize = 50;

/// How long an observation that says what the last one said may wait for others of its kind, so that a domain is judged
/// once for all of them.
const GATHERING: Duration = Duration::from_secs(15);

impl Monitor {
    /// Whether a subject's newest observation changes nothing that anybody's verdict stands on.
    pub(super) fn says_the_same(&self, before: &Track, subject: &Subject) -> bool {
        let Some(after) = self.picture.track(subject) else {
            return false;
        };
        let health = |track: &Track| track.settled.as_ref().map(|settled| settled.health);
        health(before) == health(after)
            && !before.is_in_doubt()
            && !after.is_in_doubt()
            && same_facts(&before.latest.evidence, &after.latest.evidence)
    }

    /// Whether a subject's newest observation can change which addresses blocklists are asked for: a list is believed or
    /// no longer, a gateway's name leads elsewhere.
    pub(super) fn changes_listings(&self, before: Option<&Track>, subject: &Subject) -> bool {
        let Some((before, after)) = before.zip(self.picture.track(subject)) else {
            return matches!(subject, Subject::Blocklist(_) | Subject::Gateway(..));
        };
        match (&before.latest.evidence, &after.latest.evidence) {
            (Evidence::Gateway(before), Evidence::Gateway(after)) => before.address != after.address,
            (Evidence::Gateway(_), _) | (_, Evidence::Gateway(_)) => true,
            (old, new) => {
                let health = |track: &Track| track.settled.as_ref().map(|settled| settled.health);
                matches!(subject, Subject::Blocklist(_)) && (old != new || health(before) != health(after))
            }
        }
    }

    pub(super) fn judge_dependents(&mut self, subject: &Subject, quiet: bool, now: Timestamp) {
        if !quiet {
            self.news = true;
            return self.judge_with(self.dependents_beside(subject, false), mail_address(subject), now);
        }
        let mut targets = self.dependents(subject, true);
        let patient = targets.extract_if(.., |target| self.is_calm(target));
        for target in patient.collect::<Vec<_>>() {
            self.judge_within(GATHERING, &target, now);
        }
        self.judge(targets, now);
    }

    /// Whether it makes no difference to anybody that a domain's verdict shows its newest timings a little later: it
    /// flows, or nothing can be said of it until our own side turns, and then it is judged at once.
    fn is_calm(&self, target: &Target) -> bool {
        let blind = self.own.worst().map(|finding| finding.code);
        let calm = |verdict: &Verdict| match verdict.state {
            State::Flowing => true,
            State::Unknown => blind.is_some() && verdict.cause.as_ref().map(|cause| cause.code) == blind,
            State::Degraded | State::Broken => false,
        };
        self.mode == Mode::Watch
            && matches!(target, Target::Domain(_))
            && !self.held.contains(target)
            && self.verdicts.get(target).is_some_and(|verdict| calm(verdict))
    }

    fn judge_within(&mut self, wait: Duration, target: &Target, now: Timestamp) {
        let wait = SignedDuration::try_from(wait).unwrap_or_default();
        let at = now.checked_add(wait).unwrap_or(now);
        if self
            .recheck_at
            .get(target)
            .is_none_or(|before| *before > at.into())
        {
            self.recheck(target, at);
        }
    }

    pub(super) fn judge_everything(&mut self, now: Timestamp) {
        let inventory = Arc::clone(&self.picture.inventory);
        let mut targets = BTreeSet::from([self.vantage_target()]);
        targets.extend(inventory.gateways.iter().map(|one| gateway_target(one)));
        targets.extend(inventory.domains.keys().cloned().map(Target::Domain));
        targets.extend(inventory.canaries.iter().map(|canary| canary.target()));
        let providers = inventory
            .domains
            .keys()
            .filter_map(|name| self.picture.provider_of(name));
        targets.extend(providers.map(|one| Target::Provider(Arc::clone(&one.name))));
        self.judge(targets, now);
    }

    pub(super) fn dependents(&self, subject: &Subject, quiet: bool) -> BTreeSet<Target> {
        let mut targets = self.dependents_beside(subject, quiet);
        if let Some(address) = mail_address(subject) {
            targets.extend(domains(&mut self.picture.led_to(address), quiet));
        }
        targets
    }

    /// The same without the domains whose mail goes to the subject's address.
    fn dependents_beside(&self, subject: &Subject, quiet: bool) -> BTreeSet<Target> {
        let picture = &self.picture;
        let domains = |names: &mut dyn Iterator<Item = &DomainName>| domains(names, quiet);
        let mut targets = BTreeSet::new();
        match subject {
            Subject::Mx(name) | Subject::NameServers(name) => {
                targets.insert(Target::Domain(name.clone()));
            }
            Subject::Policy(name, _) => {
                targets.insert(Target::Domain(name.clone()));
                let client = picture.domain(name).and_then(|domain| domain.client.clone());
                targets.extend(client.into_iter().flat_map(|client| self.routes_from(&client)));
            }
            Subject::Canary(client, name) => {
                targets.insert(Target::Canary(client.clone(), Arc::clone(name)));
                let to = picture
                    .inventory
                    .canary(client, name)
                    .map(|canary| canary.to.clone());
                targets.extend(to.map(Target::Domain));
            }
            Subject::Sender(client, _) => targets.extend(self.routes_from(client)),
            Subject::Recipient(recipient) => {
                targets.insert(Target::Domain(recipient.domain.clone()));
            }
            Subject::Addresses(host) | Subject::Tlsa(host) => {
                targets.extend(domains(&mut picture.leads().domains(host)));
            }
            Subject::Smtp(address) | Subject::Trace(address) => {
                targets.extend(picture.gateways_of(address.ip()).map(|one| gateway_target(one)));
                targets.extend(self.provider_concerned(*address, subject));
            }
            Subject::Host(address) => {
                targets.extend(picture.gateways_of(*address).map(|one| gateway_target(one)));
            }
            Subject::Gateway(client, name) => {
                targets.insert(Target::Gateway(client.clone(), Arc::clone(name)));
                targets.extend(self.canaries_of(client).iter().map(|canary| canary.target()));
                if let Some(gateway) = picture.inventory.gateway(client, name) {
                    targets.extend(domains(&mut self.domains_behind(gateway).iter()));
                }
            }
            Subject::Service(service) => {
                targets.extend(domains(&mut picture.domains_with(service)));
                for address in picture.service_addresses(service) {
                    targets.extend(picture.gateways_of(address).map(|one| gateway_target(one)));
                }
            }
            Subject::Blocklist(_) => {
                targets.extend(domains(&mut picture.inventory.domains.keys()));
                targets.insert(self.vantage_target());
            }
            Subject::Listing(_, address) => {
                let whose = self.listable.get(address);
                let theirs = |client: &ClientId| whose.is_some_and(|whose| whose.contains(client));
                let own = picture.inventory.domains.values();
                let own = own.filter(|domain| domain.client.as_ref().is_some_and(theirs));
                let own = own.filter(|domain| picture.own_mail_addresses(domain).contains(address));
                targets.extend(domains(&mut own.map(|domain| &domain.name)));
                let senders = picture.inventory.clients.values();
                let senders = senders.filter(|client| client.senders.contains(address));
                targets.extend(senders.flat_map(|client| self.routes_from(&client.id)));
            }
            Subject::Anchor(_) | Subject::Resolver(_) => {}
        }
        // Any answer from outside may refute that we are blind.
        if matches!(subject, Subject::Anchor(_) | Subject::Resolver(_))
            || self.own.worst().is_some()
            || self.suspected != Suspicion::default()
            || !self.own.proven
        {
            targets.insert(self.vantage_target());
        }
        targets
    }

    /// The provider of an address, where what was seen of the address can change what is said of the provider as a whole:
    /// while it flows, only failures can.
    fn provider_concerned(&self, address: SocketAddr, subject: &Subject) -> Option<Target> {
        let provider = self.picture.provider_of_address(address)?;
        let target = Target::Provider(Arc::clone(&provider.name));
        let verdict = self.verdicts.get(&target);
        let flows = verdict.is_some_and(|verdict| verdict.state == State::Flowing);
        let fails = self
            .picture
            .track(subject)
            .is_some_and(|track| track.streak().is_some());
        (fails || !flows || self.held.contains(&target)).then_some(target)
    }

    /// The domains with a mail server or a service behind a gateway.
    pub(super) fn domains_behind(&self, gateway: &Gateway) -> BTreeSet<DomainName> {
        let picture = &self.picture;
        let mut names: BTreeSet<DomainName> = picture
            .addresses_behind(gateway)
            .into_iter()
            .flat_map(|address| picture.domains_at(address))
            .collect();
        for service in picture.services_behind(gateway) {
            names.extend(picture.domains_with(&service).cloned());
        }
        names
    }
}

/// The address whose mail port an observation of `subject` says something of.
fn mail_address(subject: &Subject) -> Option<SocketAddr> {
    match subject {
        Subject::Smtp(address) | Subject::Trace(address) => Some(*address),
        Subject::Host(address) => Some(SocketAddr::new(*address, SMTP_PORT)),
        _ => None,
    }
}

pub(super) fn gateway_target(gateway: &Gateway) -> Target {
    Target::Gateway(gateway.client.clone(), Arc::clone(&gateway.name))
}

/// Domains to be judged: all of them, or, where there is nothing new for them, none of too many.
fn domains(names: &mut dyn Iterator<Item = &DomainName>, quiet: bool) -> Vec<Target> {
    let mut few = BTreeSet::new();
    for name in names {
        few.insert(name);
        if quiet && few.len() > MANY {
            return Vec::new();
        }
    }
    few.into_iter().cloned().map(Target::Domain).collect()
}

/// Whether two pieces of evidence differ in nothing but when and how fast it came. Health that is the same says the rest
/// for most kinds; what DNS publishes, and a certificate, can change in ways that leave it as it was.
fn same_facts(before: &Evidence, after: &Evidence) -> bool {
    match (before, after) {
        (Evidence::Mx(before), Evidence::Mx(after)) => same_answer(&before.answer, &after.answer),
        (Evidence::Addresses(before), Evidence::Addresses(after)) => {
            same_answer(&before.v4, &after.v4)
                && same_answer(&before.v6, &after.v6)
                && before.alias_of == after.alias_of
        }
        (Evidence::NameServers(before), Evidence::NameServers(after)) => same_servers(before, after),
        (Evidence::Smtp(_), Evidence::Smtp(_)) | (Evidence::Service(_), Evidence::Service(_)) => {
            certificate(before) == certificate(after)
        }
        (Evidence::Host(_), Evidence::Host(_))
        | (Evidence::Gateway(_), Evidence::Gateway(_))
        | (Evidence::Anchor(_), Evidence::Anchor(_))
        | (Evidence::Resolver(_), Evidence::Resolver(_)) => true,
        _ => before == after,
    }
}

fn same_servers(before: &NameServerEvidence, after: &NameServerEvidence) -> bool {
    let same = |(before, after): (&NameServerAnswer, &NameServerAnswer)| {
        before.name == after.name
            && before.address == after.address
            && before.named_by == after.named_by
            && before.authoritative == after.authoritative
            && same_answer(&before.answer, &after.answer)
    };
    before.closer == after.closer
        && before.zone == after.zone
        && before.servers.len() == after.servers.len()
        && before.servers.iter().zip(&after.servers).all(same)
}

/// Whether two answers differ in nothing but how long they may be remembered.
fn same_answer<T: PartialEq>(before: &Lookup<T>, after: &Lookup<T>) -> bool {
    match (before, after) {
        (
            Lookup::Found {
                records, authentic, ..
            },
            Lookup::Found {
                records: others,
                authentic: other,
                ..
            },
        ) => authentic == other && records == others,
        (Lookup::NoData { .. }, Lookup::NoData { .. }) => true,
        (Lookup::NxDomain { authentic, .. }, Lookup::NxDomain { authentic: other, .. }) => authentic == other,
        _ => before == after,
    }
}

/// The certificate that a session showed, by its fingerprint.
pub(super) fn certificate(evidence: &Evidence) -> Option<&str> {
    match evidence {
        Evidence::Smtp(smtp) => Some(&smtp.tls.as_ref()?.certificate.as_ref()?.fingerprint),
        Evidence::Service(service) => Some(&service.tls.as_ref()?.certificate.as_ref()?.fingerprint),
        _ => None,
    }
}
