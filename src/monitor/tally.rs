//! What an observation leaves behind besides a verdict: counts for the metrics, and facts that outlive a restart.

use std::sync::Arc;

use super::Monitor;
use crate::model::policy::PolicyPart;
use crate::model::{DomainName, Evidence, Observation, Subject, Target};
use crate::picture::{Health, Line, MxSet, Offered};

impl Monitor {
    pub(super) fn count(&mut self, observation: &Observation) {
        let kind = observation.subject.probe();
        *self.counts.probes.entry(kind).or_default() += 1;
        if matches!(observation.evidence, Evidence::Unrunnable(_)) {
            *self.counts.errors.entry(kind).or_default() += 1;
        }
        match (&observation.subject, &observation.evidence) {
            (Subject::Smtp(address), Evidence::Smtp(smtp)) => {
                let provider = self.picture.provider_of_address(*address);
                let provider = provider.map_or_else(|| "self-hosted".into(), |one| Arc::clone(&one.name));
                let failed = smtp.failed_stage();
                for timing in smtp.stages.iter().filter(|timing| Some(timing.stage) != failed) {
                    let key = (Arc::clone(&provider), timing.stage);
                    self.counts.phases.entry(key).or_default().record(timing.elapsed);
                }
            }
            (Subject::Gateway(client, name), Evidence::Gateway(gateway)) => {
                let target = Target::Gateway(client.clone(), Arc::clone(name));
                self.counts.pings.entry(target).or_default().add(gateway);
            }
            (Subject::Canary(client, name), _) => {
                let target = Target::Canary(client.clone(), Arc::clone(name));
                self.counts.flights.entry(target).or_default().add(observation);
            }
            _ => {}
        }
    }

    /// Whoever approves a domain's mail servers approves what they offer.
    pub(super) fn approve_offers(&mut self, domain: &DomainName) {
        let hosts = self.picture.host_names(domain);
        let addresses: Vec<_> = hosts
            .iter()
            .flat_map(|host| self.picture.reachable_addresses(host))
            .collect();
        let learnt = &mut self.picture.learnt;
        let facts = addresses
            .into_iter()
            .filter_map(|address| learnt.approve_offers(address));
        self.changes.facts.extend(facts);
    }

    /// Facts that outlive a restart (`semantics` 8).
    pub(super) fn learn(&mut self, observation: &Observation, health: Health) {
        // Who changes hosts at a destination asks nobody here.
        let destination = |domain: &DomainName| {
            let known = self.picture.domain(domain);
            known.is_some_and(|domain| domain.is_destination)
        };
        if matches!(&observation.subject, Subject::Mx(domain) if destination(domain)) {
            return;
        }
        let learnt = &mut self.picture.learnt;
        if let (Subject::Smtp(address), Evidence::Smtp(smtp)) = (&observation.subject, &observation.evidence)
            && let Some(capabilities) = &smtp.capabilities
        {
            let offered = Offered {
                size: capabilities.size,
                eight_bit_mime: capabilities.eight_bit_mime,
            };
            self.changes.facts.extend(learnt.see_offers(*address, offered));
        }
        let fact = match (&observation.subject, &observation.evidence) {
            (Subject::Mx(domain), Evidence::Mx(mx)) if health == Health::Good && mx.answer.is_definite() => {
                let set = mx
                    .answer
                    .records()
                    .map(|records| MxSet::of(records))
                    .unwrap_or_default();
                learnt.see_mx(domain, &set)
            }
            (Subject::Smtp(address), Evidence::Smtp(smtp))
                if smtp.capabilities.as_ref().is_some_and(|offered| offered.starttls) =>
            {
                learnt.see_starttls(*address)
            }
            (Subject::Gateway(client, name), Evidence::Gateway(gateway)) if gateway.answered() => {
                learnt.see_gateway(client, name)
            }
            (Subject::Policy(domain, PolicyPart::Sts), Evidence::Sts(sts)) => {
                let gone = sts.held.is_none().then(|| learnt.forget_sts(domain));
                self.changes.unlearnt.extend(gone.flatten());
                sts.held.as_ref().and_then(|held| learnt.see_sts(domain, held))
            }
            _ => None,
        };
        self.changes.facts.extend(fact);
    }

    /// How long a gateway usually takes to answer, and when it started.
    pub(super) fn learn_habits(&mut self, subject: &Subject) {
        let Subject::Gateway(client, name) = subject else {
            return;
        };
        let Some(gateway) = self.picture.inventory.gateway(client, name).cloned() else {
            return;
        };
        let usual = self.picture.line(subject).and_then(Line::usual);
        let boot = self.picture.boot(subject);
        let learnt = &mut self.picture.learnt;
        let delay = usual.and_then(|usual| learnt.see_delay(&gateway, usual));
        let uptime = boot.and_then(|boot| learnt.see_boot(&gateway, boot));
        self.changes.facts.extend(delay.into_iter().chain(uptime));
    }
}
