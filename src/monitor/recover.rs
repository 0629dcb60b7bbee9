//! When something recovers, failures of what stood on it say nothing any more: a router that was away for
//! twelve seconds must not leave a "dead server" behind, nor our own line forty.

use jiff::{SignedDuration, Timestamp};

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
            Subject::Anchor(_) if self.all_anchors_failed_since(streak.first_seen) => {
                self.everything_outside()
            }
            Subject::Resolver(_) => self.everything_resolved(),
            _ => return,
        };
        self.look_again(&standing, from, now);
    }

    /// Our own side is good again: whatever failed meanwhile is looked at anew.
    pub(super) fn own_side_recovered(&mut self, since: Timestamp, now: Timestamp) {
        let everything = self.everything_outside();
        let settings = &self.picture.inventory.vantage_settings;
        let slack = SignedDuration::try_from(settings.timeout).unwrap_or_default();
        let from = since.checked_sub(slack).unwrap_or(since);
        self.look_again(&everything, from, now);
    }

    fn look_again(&mut self, subjects: &[Subject], from: Timestamp, now: Timestamp) {
        for subject in subjects {
            let settings = self.settings(subject);
            let good_until = self
                .picture
                .track(subject)
                .and_then(|track| track.last_good.clone())
                .map_or(now, |good| self.fresh_until(&good, &settings, None));
            if self.picture.drop_failures_since(subject, from, good_until) {
                self.agenda.ask(subject, now, now);
            }
        }
    }

    /// Whether all anchors were failing at the same time as the one that has just recovered.
    fn all_anchors_failed_since(&self, first_seen: Timestamp) -> bool {
        let inventory = &self.picture.inventory;
        inventory.anchors.iter().all(|anchor| {
            self.picture
                .track(&Subject::Anchor(anchor.clone()))
                .is_none_or(|track| track.streak.is_some() || track.latest.at >= first_seen)
        })
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
