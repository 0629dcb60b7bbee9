//! The name servers that are known of a domain, and the budgets under which they are asked: a server that looks after
//! many domains is asked for one after the other, or its limit would look like its failure.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Monitor;
use crate::model::dns::{NameServerAnswer, NameServerEvidence, NamedBy, ZoneLook};
use crate::model::{DomainName, Evidence, Subject};
use crate::probe::Detail;
use crate::schedule::{Allowance, Budget};

impl Monitor {
    /// What earlier looks have found out, for the next one.
    pub(super) fn name_server_detail(&self, domain: &DomainName) -> Detail {
        let mut known: Vec<(DomainName, Vec<IpAddr>)> = Vec::new();
        let servers = self
            .known_servers(domain)
            .map(|evidence| evidence.servers.as_slice());
        let of_zone = |server: &&NameServerAnswer| server.named_by == NamedBy::Zone;
        for server in servers.unwrap_or_default().iter().filter(of_zone) {
            let Some(address) = server.address else { continue };
            match known.iter_mut().find(|(name, _)| *name == server.name) {
                Some((_, addresses)) => addresses.push(address),
                None => known.push((server.name.clone(), vec![address])),
            }
        }
        Detail::NameServers {
            known,
            closer: self.closer_look(domain).cloned(),
        }
    }

    /// The budgets of each server that is asked; of all that are not known yet, one together.
    pub(super) fn name_server_budgets(&self, domain: &DomainName) -> Vec<(Budget, Allowance)> {
        let per_second = self.picture.inventory.budgets.per_nameserver.per_second.get();
        let allowance = Allowance {
            // A silent server holds nobody up: what counts is how often it is asked.
            concurrent: u32::MAX,
            burst: per_second,
            period: SignedDuration::from_secs(1) / i32::try_from(per_second).unwrap_or(i32::MAX),
        };
        let servers = self
            .known_servers(domain)
            .map(|evidence| evidence.servers.as_slice());
        let servers = servers.unwrap_or_default().iter();
        let addresses: BTreeSet<IpAddr> = servers.filter_map(|server| server.address).collect();
        if addresses.is_empty() {
            return vec![(Budget::UnknownNameServers, allowance)];
        }
        let each = addresses.into_iter().map(Budget::NameServer);
        each.map(|budget| (budget, allowance)).collect()
    }

    /// The next look at a domain's name servers counts against those that this one has found.
    pub(super) fn settle_name_server_budgets(&mut self, subject: &Subject, now: Timestamp) {
        if matches!(subject, Subject::NameServers(_)) {
            self.watch(subject, now);
        }
    }

    fn known_servers(&self, domain: &DomainName) -> Option<&NameServerEvidence> {
        self.name_server_evidence(domain)
            .find(|evidence| !evidence.servers.is_empty())
    }

    fn closer_look(&self, domain: &DomainName) -> Option<&Arc<ZoneLook>> {
        self.name_server_evidence(domain)
            .filter_map(|evidence| evidence.closer.as_ref())
            .max_by_key(|look| look.at)
    }

    /// What was last good first: that is how the servers were found while all was well.
    fn name_server_evidence(&self, domain: &DomainName) -> impl Iterator<Item = &NameServerEvidence> {
        let track = self.picture.track(&Subject::NameServers(domain.clone()));
        let observations = track
            .into_iter()
            .flat_map(|track| track.last_good().into_iter().chain([&track.latest]));
        observations.filter_map(|observation| match &observation.evidence {
            Evidence::NameServers(evidence) => Some(&**evidence),
            _ => None,
        })
    }
}
