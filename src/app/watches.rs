//! What people have watched besides what the configuration names: where a client's mail to somebody goes, for a week.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::engine::Engine;
use crate::config::Config;
use crate::inventory::Inventory;
use crate::model::{ClientId, DomainName, Hand, Measure};
use crate::net::Net;

/// The ways that people have watched, by client and destination.
pub(super) type Watched = BTreeSet<(ClientId, DomainName)>;

/// What the configuration names, and what it takes to add to it.
#[derive(Clone)]
pub struct Plan {
    /// Without its domains, which stand in the inventory.
    config: Arc<Config>,
    inventory: Arc<Inventory>,
}

impl Plan {
    /// As configured.
    pub(super) fn new(config: Arc<Config>, inventory: Arc<Inventory>) -> Self {
        Self { config, inventory }
    }

    /// The configuration, without its domains.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    /// How many domains are configured.
    pub(super) fn domains(&self) -> usize {
        self.inventory.watched().count()
    }

    /// What is to be watched: all that is configured, and these.
    pub(super) fn with(&self, watched: &Watched) -> Arc<Inventory> {
        let mut inventory = Arc::clone(&self.inventory);
        for (client, to) in watched {
            // The configuration may have come to name it since, and knows better how.
            if self.inventory.route(client, to).is_none() {
                Arc::make_mut(&mut inventory).add_route(&self.config, client, to, None);
            }
        }
        inventory
    }
}

/// What is watched by hand at a time.
pub(super) fn watched(hands: &[Hand], now: Timestamp) -> Watched {
    let holding = hands.iter().filter(|hand| !hand.is_over(now));
    let watched = holding.filter_map(|hand| match &hand.measure {
        Measure::Watch { client, domain, .. } => Some((client.clone(), domain.clone())),
        _ => None,
    });
    watched.collect()
}

impl<N: Net> Engine<N> {
    /// Watches what is to be watched by hand now, and what is not any more no longer.
    pub(super) fn use_watches(&mut self, now: Timestamp) {
        let watched = watched(&self.hands, now);
        if watched != self.watched {
            self.watched = watched;
            self.watch_planned(now);
        }
    }

    /// Takes over what is configured and what is watched besides.
    pub(super) fn watch_planned(&mut self, now: Timestamp) {
        let inventory = self.plan.with(&self.watched);
        self.monitor.reload(inventory, now);
    }
}
