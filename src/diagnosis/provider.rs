//! Providers: an outage is one when a recognised provider fails at least two clients, at every address that
//! they use of it (`semantics` 17). Who is at the same provider and still flows is the control group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Provider;
use crate::model::{ClientId, Code, Root, RootKind, Subject};
use crate::picture::{Health, Picture, Settled, Users};

use super::address::{AddressView, address};
use super::control::Control;
use super::doubt::Doubt;
use super::finding::Finding;
use super::note::summary;

/// The most addresses of a failing provider that an incident shows as evidence.
const MOST_EVIDENCE: usize = 6;

/// The most clients that a sentence names; the incident lists them all.
const MOST_NAMED: usize = 5;

/// The most addresses that only other clients use which one failure asks.
const MOST_FOREIGN: usize = 3;

/// Each address of the provider, with what is still in doubt of it.
type Views = BTreeMap<SocketAddr, (AddressView, Doubt)>;

/// Judges a provider: an outage, or nothing to say. `doubt` tells whether it may yet be one, or, where one is `standing`,
/// whether it may be over.
pub fn outage(
    picture: &Picture,
    provider: &Provider,
    standing: bool,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Option<Finding> {
    let users = picture.users_of(provider);
    let view = |socket: &SocketAddr| {
        let mut doubt = Doubt::default();
        (*socket, (address(picture, *socket, now, &mut doubt), doubt))
    };
    let views: Views = users.keys().map(view).collect();
    let has_failed = |socket: &SocketAddr| views[socket].0.has_failed();
    if !views.keys().any(has_failed) {
        join_all(&views, doubt);
        return None;
    }
    let (failing, spared): (BTreeMap<_, _>, BTreeMap<_, _>) = used_by_clients(users)
        .into_iter()
        .partition(|(_, addresses)| addresses.iter().all(&has_failed));
    if failing.len() < 2 {
        join_all(&views, doubt);
        if standing {
            wait_for_recovery(picture, &views, doubt);
        } else {
            wait_for_peers(picture, users, &views, doubt);
        }
        return None;
    }
    let failed: BTreeSet<SocketAddr> = failing.values().flatten().copied().collect();
    for socket in &failed {
        doubt.join(&views[socket].1);
    }
    let evidence = failed
        .iter()
        .filter_map(|socket| views[socket].0.observation.clone());
    let evidence: Vec<_> = evidence.take(MOST_EVIDENCE).collect();
    let first = evidence
        .first()
        .map(|observation| summary(observation))
        .unwrap_or_default();
    let detail = format!(
        "All {} addresses of {} that {} use have failed; the first: {first}.",
        failed.len(),
        provider.name,
        named(picture, failing.keys().copied()),
    );
    let flowing: Vec<&ClientId> = spared
        .into_iter()
        .filter(|(_, addresses)| addresses.iter().any(|socket| views[socket].0.is_usable()))
        .map(|(client, _)| client)
        .collect();
    let control = (!flowing.is_empty()).then(|| {
        Control::Said(format!(
            "at the same provider mail still flows for {}",
            named(picture, flowing.iter().copied())
        ))
    });
    let root = Root {
        kind: RootKind::Provider,
        client: None,
        name: Arc::clone(&provider.name),
    };
    Some(
        Finding::new(Code::ProviderOutage, root, provider.name.to_string(), detail)
            .on(evidence)
            .beside(control.unwrap_or_else(|| Control::all_but(failed, now)))
            .seen_from(picture)
            .alike(picture, &provider.name),
    )
}

/// While it is not known to be an outage, anything that is in doubt may make it one.
fn join_all(views: &Views, doubt: &mut Doubt) {
    for (_, of_address) in views.values() {
        doubt.join(of_address);
    }
}

/// Addresses at the same provider that show whether it fails as a whole. Each that fails has others asked in its turn, so
/// that all of them are soon found out, and one that fails alone has few asked.
pub fn peers(picture: &Picture, address: SocketAddr) -> Vec<SocketAddr> {
    let provider = picture.provider_of_address(address);
    provider.map_or_else(Vec::new, |provider| {
        peers_among(picture, picture.users_of(provider), address)
    })
}

/// Of those that the same clients use, the first after it, the second, the fourth, the eighth and so on: each asks few, and
/// from any of them to any other it takes few steps. Of those that only other clients use, the first few.
fn peers_among(picture: &Picture, users: &Users, address: SocketAddr) -> Vec<SocketAddr> {
    let Some(own) = users.get(&address) else {
        return Vec::new();
    };
    let after = users.range((Bound::Excluded(address), Bound::Unbounded));
    let ring = after.chain(users.range(..address));
    // One that refuses us is left alone, and says nothing.
    let telling = ring.filter(|(other, _)| !refuses_us(picture, **other));
    let (shared, foreign): (Vec<_>, Vec<_>) = telling.partition(|(_, theirs)| !theirs.is_disjoint(own));
    let steps = (0..usize::BITS).map_while(|power| shared.get((1_usize << power) - 1));
    let foreign = foreign.iter().take(MOST_FOREIGN);
    steps.chain(foreign).map(|(other, _)| **other).collect()
}

fn refuses_us(picture: &Picture, address: SocketAddr) -> bool {
    let track = picture.track(&Subject::Smtp(address));
    let settled = track.and_then(|track| track.settled.as_ref());
    settled.is_some_and(|settled| settled.health == Health::Refused)
}

/// Whether the others fail too is being found out: budgets may have that take its time.
fn wait_for_peers(picture: &Picture, users: &Users, views: &Views, doubt: &mut Doubt) {
    for (view, _) in views.values() {
        let Some(since) = failing_since(picture, view) else {
            continue;
        };
        let asked = peers_among(picture, users, view.address);
        for other in asked.into_iter().chain([view.address]) {
            want(picture, other, since, doubt);
        }
    }
}

/// Since when it has been asked for whoever could explain an address's failures.
fn failing_since(picture: &Picture, view: &AddressView) -> Option<Timestamp> {
    let track = picture.track(&Subject::Smtp(view.address))?;
    let settled = track.settled.as_ref().filter(|_| view.has_failed());
    track.in_doubt_since().or_else(|| settled.map(Settled::doubted))
}

/// The first addresses of an outage are back: the others may be as well, and are not blamed by themselves before they
/// have been looked at since.
fn wait_for_recovery(picture: &Picture, views: &Views, doubt: &mut Doubt) {
    let usable = views
        .values()
        .map(|(view, _)| view)
        .filter(|view| view.is_usable());
    let back = usable.filter_map(|view| picture.track(&Subject::Smtp(view.address))?.recovered_at());
    let Some(since) = back.max() else {
        return;
    };
    let failed = views
        .values()
        .map(|(view, _)| view)
        .filter(|view| view.has_failed());
    for view in failed {
        want(picture, view.address, since, doubt);
    }
}

fn want(picture: &Picture, address: SocketAddr, since: Timestamp, doubt: &mut Doubt) {
    let settings = picture.smtp_settings(address);
    doubt.want_in_turn(picture, &Subject::Smtp(address), since, &settings);
}

/// The addresses that each client's domains use.
fn used_by_clients(users: &Users) -> BTreeMap<&ClientId, BTreeSet<SocketAddr>> {
    let mut used: BTreeMap<&ClientId, BTreeSet<SocketAddr>> = BTreeMap::new();
    for (socket, clients) in users {
        for client in clients {
            used.entry(client).or_default().insert(*socket);
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
