//! What clients' own side says of their mail: bounces and mail logs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Monitor;
use crate::model::{ClientId, DomainName, Fate, Report, Target};

/// Deliveries by client, destination (`None`: no watched route) and what became of them.
pub type Deliveries = BTreeMap<(ClientId, Option<DomainName>, Fate), u64>;

/// Recipients in bounces that were read, by client and destination (`None`: no watched route).
pub type Bounces = BTreeMap<(ClientId, Option<DomainName>), u64>;

impl Monitor {
    /// Takes in what is said of mail to a destination, and judges whom that touches: what two clients met at one provider
    /// is one thing. Says whether there is something to be written down.
    pub fn hear(&mut self, report: &Report, now: Timestamp) -> bool {
        if !self.picture.hear_report(report, now) {
            return false;
        }
        let own = Target::Route(report.client.clone(), report.to.clone());
        let mut targets = BTreeSet::from([own]);
        let provider = self.picture.provider_of(&report.to);
        let provider = provider.map(|provider| provider.name.clone());
        for (client, to) in self.picture.inventory.routes.keys() {
            let near = *to == report.to
                || provider.is_some()
                    && self.picture.provider_of(to).map(|one| &one.name) == provider.as_ref();
            if near && self.picture.failures(client, to, now).next().is_some() {
                targets.insert(Target::Route(client.clone(), to.clone()));
            }
        }
        self.judge(targets, now);
        true
    }

    /// Counts what a mail log says.
    pub fn count_deliveries(&mut self, deliveries: &Deliveries) {
        for ((client, to, fate), count) in deliveries {
            let to = self.watched_destination(client, to.as_ref());
            *self
                .counts
                .deliveries
                .entry((client.clone(), to, *fate))
                .or_default() += count;
        }
    }

    /// Counts bounces that were read.
    pub fn count_bounces(&mut self, bounces: &Bounces) {
        for ((client, to), count) in bounces {
            let to = self.watched_destination(client, to.as_ref());
            *self.counts.bounces.entry((client.clone(), to)).or_default() += count;
        }
    }

    /// Forgets what was counted of whom nobody reads any more.
    pub fn keep_counts(&mut self, logs: &BTreeSet<ClientId>, mailboxes: bool) {
        self.counts
            .deliveries
            .retain(|(client, ..), _| logs.contains(client));
        self.counts.bounces.retain(|_, _| mailboxes);
    }

    fn watched_destination(&self, client: &ClientId, to: Option<&DomainName>) -> Option<DomainName> {
        to.filter(|to| self.picture.inventory.route(client, to).is_some())
            .cloned()
    }

    /// Forgets what is said and counted of whom the configuration no longer names.
    pub(super) fn drop_reports(&mut self) {
        self.picture.drop_reports();
        let inventory = &self.picture.inventory;
        let kept = |client: &ClientId, to: &Option<DomainName>| match to {
            Some(to) => inventory.route(client, to).is_some(),
            None => inventory.clients.contains_key(client),
        };
        self.counts
            .deliveries
            .retain(|(client, to, _), _| kept(client, to));
        self.counts.bounces.retain(|(client, to), _| kept(client, to));
    }
}
