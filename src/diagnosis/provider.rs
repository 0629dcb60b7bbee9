//! Providers: an outage is one when a recognised provider fails at least two clients, at every address that
//! they use of it (`semantics` 17). Who is at the same provider and still flows is the control group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Provider;
use crate::model::{ClientId, Code, Root, RootKind, Subject};
use crate::picture::Picture;

use super::address::{AddressView, address};
use super::doubt::Doubt;
use super::finding::Finding;
use super::note::summary;

/// The most addresses of a failing provider that an incident shows as evidence.
const MOST_EVIDENCE: usize = 6;

/// The most clients that a sentence names; the incident lists them all.
const MOST_NAMED: usize = 5;

/// The most addresses of other clients at the same provider that one failure asks: where they fail too, they ask others
/// in their turn.
const MOST_NEIGHBOURS: usize = 3;

/// Judges a provider: an outage, or nothing to say. With one client failing, `doubt` tells whether others may be.
pub fn outage(picture: &Picture, provider: &Provider, now: Timestamp, doubt: &mut Doubt) -> Option<Finding> {
    let views: BTreeMap<SocketAddr, AddressView> = picture
        .provider_addresses(provider)
        .into_iter()
        .map(|socket| (socket, address(picture, socket, now, doubt)))
        .collect();
    if !views.values().any(AddressView::has_failed) {
        return None;
    }
    let used = used_by_clients(picture, views.keys());
    let (failing, spared): (BTreeMap<_, _>, BTreeMap<_, _>) = used
        .into_iter()
        .partition(|(_, addresses)| addresses.iter().all(|socket| views[socket].has_failed()));
    if failing.len() < 2 {
        for socket in failing.values().flatten() {
            wait_for_neighbours(picture, *socket, doubt);
        }
        return None;
    }
    let failed: BTreeSet<SocketAddr> = failing.values().flatten().copied().collect();
    let evidence = failed
        .iter()
        .filter_map(|socket| views[socket].observation.clone());
    let evidence: Vec<_> = evidence.take(MOST_EVIDENCE).collect();
    let first = evidence
        .first()
        .map(|observation| summary(observation))
        .unwrap_or_default();
    let detail = format!(
        "All {} addresses of {} that {} use have failed; the first: {first}.",
        failed.len(),
        provider.name,
        named(picture, failing.keys()),
    );
    let flowing: Vec<&ClientId> = spared
        .iter()
        .filter(|(_, addresses)| addresses.iter().any(|socket| views[socket].is_usable()))
        .map(|(client, _)| client)
        .collect();
    let control = (!flowing.is_empty()).then(|| {
        format!(
            "at the same provider mail still flows for {}",
            named(picture, flowing.iter().copied())
        )
    });
    let root = Root {
        kind: RootKind::Provider,
        client: None,
        name: Arc::clone(&provider.name),
    };
    Some(
        Finding::new(Code::ProviderOutage, root, provider.name.to_string(), detail)
            .on(evidence)
            .beside(control.or_else(|| super::control::others(picture, &failed, now)))
            .seen_from(picture),
    )
}

/// Addresses at the same provider that other clients use: what they show tells whether it is the provider as a whole.
pub fn neighbours(picture: &Picture, address: SocketAddr) -> Vec<SocketAddr> {
    let Some(provider) = picture.provider_of_address(address) else {
        return Vec::new();
    };
    let own = picture.clients_at(address);
    picture
        .provider_addresses(provider)
        .into_iter()
        .filter(|other| picture.clients_at(*other).is_disjoint(&own))
        .take(MOST_NEIGHBOURS)
        .collect()
}

fn wait_for_neighbours(picture: &Picture, address: SocketAddr, doubt: &mut Doubt) {
    let track = picture.track(&Subject::Smtp(address));
    let Some(settled) = track.and_then(|track| track.settled.as_ref()) else {
        return;
    };
    for other in neighbours(picture, address) {
        doubt.want(
            picture,
            &Subject::Smtp(other),
            settled.doubted,
            &picture.smtp_settings(other),
        );
    }
}

/// The addresses that each client's domains use.
fn used_by_clients<'a>(
    picture: &Picture,
    addresses: impl Iterator<Item = &'a SocketAddr>,
) -> BTreeMap<ClientId, BTreeSet<SocketAddr>> {
    let mut used: BTreeMap<ClientId, BTreeSet<SocketAddr>> = BTreeMap::new();
    for socket in addresses {
        for client in picture.clients_at(*socket) {
            used.entry(client.clone()).or_default().insert(*socket);
        }
    }
    used
}

/// `ACME Ltd, Beta and 3 other clients`.
fn named<'a>(picture: &Picture, clients: impl ExactSizeIterator<Item = &'a ClientId>) -> String {
    let all = clients.len();
    let mut names: Vec<String> = clients
        .take(MOST_NAMED)
        .map(|id| {
            let client = picture.inventory.clients.get(id);
            client.map_or_else(|| id.to_string(), |client| client.name.clone())
        })
        .collect();
    match all.saturating_sub(names.len()) {
        0 => {}
        1 => names.push("1 other client".to_owned()),
        more => names.push(format!("{more} other clients")),
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() {
        last
    } else {
        format!("{} and {last}", names.join(", "))
    }
}
