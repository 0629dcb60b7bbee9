//! When something recovers, failures of what stood on it say nothing any more: a router that was away for
//! twelve seconds must not leave a "dead server" behind, nor our own line forty.

use jiff::{SignedDuration, Timestamp};

use crate::diagnosis;
use crate::model::{DomainName, Subject};
use crate::picture::Streak;

use super::Monitor;

impl Monitor {
    /// A subject is good again after a row of failures.
    pub(super) fn recovered(&mut self, subject: &Subject, streak: &Streak, now: Timestamp) {
        let from = began(streak, self.settings(subject).timeout);
        let standing: Vec<Subject> = match subject {
            Subject::Gateway(client, name) => {
                let Some(gateway) = self.picture.inventory.gateway(client, name) else {
                    return;
                };
                self.picture
                    .addresses_behind(gateway)
                    .into_iter()
                    .map(Subject::Smtp)
                    .collect()
            }
            Subject::Resolver(_) => self.everything_resolved(),
            Subject::Smtp(address) => {
                // Its siblings may have recovered with it: they are asked, their failures stand until then.
                for sibling in diagnosis::siblings(&self.picture, *address) {
                    let sibling = Subject::Smtp(sibling);
                    if self
                        .picture
                        .track(&sibling)
                        .is_some_and(|track| track.streak.is_some())
                    {
                        self.agenda.ask(&sibling, now, now);
                    }
                }
                return;
            }
            Subject::Mx(domain) => self
                .picture
                .host_names(domain)
                .into_iter()
                .map(Subject::Addresses)
                .collect(),
            _ => return,
        };
        self.look_again(&standing, from, now);
    }

    /// Our own side is good again: whatever failed meanwhile is looked at anew. So are the anchors, however long
    /// they have been silent: an old failure of theirs, refuted now, would say nothing when the line goes again.
    pub(super) fn own_side_recovered(&mut self, since: Timestamp, now: Timestamp) {
        let everything = self.everything_outside();
        let inventory = std::sync::Arc::clone(&self.picture.inventory);
        let settings = &inventory.vantage_settings;
        // The first failure asked the anchors at once; theirs was seen a timeout later, or with the next round.
        let slack = SignedDuration::try_from(settings.timeout * 2 + settings.interval).unwrap_or_default();
        let from = since.checked_sub(slack).unwrap_or(since);
        self.look_again(&everything, from, now);
        let anchors = inventory.anchors.iter().chain(&inventory.witnesses);
        let anchors: Vec<Subject> = anchors.cloned().map(Subject::Anchor).collect();
        self.look_again(&anchors, Timestamp::MIN, now);
    }

    fn look_again(&mut self, subjects: &[Subject], from: Timestamp, now: Timestamp) {
        for subject in subjects {
            let settings = self.settings(subject);
            let good_until = self
                .picture
                .track(subject)
                .and_then(|track| track.last_good.clone())
                .map_or(now, |good| self.fresh_until(&good, &settings, None));
            if self.picture.drop_failures_since(subject, from, good_until, now) {
                self.agenda.ask(subject, now, now);
            }
        }
    }

    fn everything_outside(&self) -> Vec<Subject> {
        let inventory = &self.picture.inventory;
        let addresses = self.picture.leads().addresses().copied().map(Subject::Smtp);
        let gateways = inventory.gateways.iter().map(|gateway| gateway.subject());
        let servers = inventory.domains.keys().cloned().map(Subject::NameServers);
        addresses
            .chain(gateways)
            .chain(servers)
            .chain(self.everything_resolved())
            .collect()
    }

    fn everything_resolved(&self) -> Vec<Subject> {
        let domains = self.picture.inventory.domains.keys().cloned().map(Subject::Mx);
        let hosts: Vec<DomainName> = self.picture.leads().hosts().cloned().collect();
        domains.chain(hosts.into_iter().map(Subject::Addresses)).collect()
    }
}

/// When the first failed probe of a row may have begun.
fn began(streak: &Streak, timeout: std::time::Duration) -> Timestamp {
    let slack = SignedDuration::try_from(timeout).unwrap_or_default();
    streak.first_seen.checked_sub(slack).unwrap_or(streak.first_seen)
}
