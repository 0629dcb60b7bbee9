//! The clients, each in the worst state of its domains.

use std::collections::BTreeMap;

use crate::model::{ClientId, State};
use crate::snapshot::Snapshot;
use crate::surface::words::count;

/// A client in the list.
pub(super) struct ClientCard {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) state: State,
    /// `2 of 3 domains`, `4 domains`.
    pub(super) domains: String,
}

/// All clients that have domains, the worst first, by name within each state.
pub(super) fn by_state(snapshot: &Snapshot) -> Vec<ClientCard> {
    let mut states: BTreeMap<&ClientId, Vec<State>> = BTreeMap::new();
    for verdict in snapshot.domains.values() {
        if let Some(client) = &verdict.client {
            states.entry(client).or_default().push(verdict.state);
        }
    }
    let card = |client: &crate::snapshot::ClientView| {
        let states = states.get(&client.id)?;
        let worst = states.iter().copied().max_by_key(|state| state.urgency())?;
        let so = states.iter().filter(|state| **state == worst).count();
        let all = count(states.len(), "domain", "domains");
        Some(ClientCard {
            id: client.id.to_string(),
            name: client.name.clone(),
            state: worst,
            domains: if so == states.len() {
                all
            } else {
                format!("{so} of {all}")
            },
        })
    };
    let mut cards: Vec<ClientCard> = snapshot.clients.iter().filter_map(card).collect();
    cards.sort_by(|a, b| {
        let worst_first = b.state.urgency().cmp(&a.state.urgency());
        worst_first.then_with(|| a.name.to_lowercase().cmp(&b.name.to_lowercase()))
    });
    cards
}
