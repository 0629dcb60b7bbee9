//! Providers: an outage is one when a recognised provider fails at least two clients, at every address that
//! they use of it (`semantics` 17).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Provider;
use crate::model::{Code, Root, RootKind};
use crate::picture::Picture;

use super::address::address;
use super::doubt::Doubt;
use super::finding::Finding;
use super::note::summary;

/// The most addresses of a failing provider that an incident shows as evidence.
const MOST_EVIDENCE: usize = 6;

/// Judges a provider: an outage, or nothing to say.
pub fn outage(picture: &Picture, provider: &Provider, now: Timestamp, doubt: &mut Doubt) -> Option<Finding> {
    let addresses: BTreeSet<SocketAddr> = picture.provider_addresses(provider);
    let mut evidence = Vec::new();
    for socket in &addresses {
        let view = address(picture, *socket, now, doubt);
        if !view.has_failed() {
            return None;
        }
        evidence.extend(view.observation);
    }
    if evidence.is_empty() {
        return None;
    }
    let domains: BTreeSet<_> = addresses
        .iter()
        .flat_map(|socket| picture.domains_at(*socket))
        .collect();
    let clients: BTreeSet<_> = domains
        .iter()
        .filter_map(|name| picture.domain(name)?.client.clone())
        .collect();
    if clients.len() < 2 {
        return None;
    }
    let root = Root {
        kind: RootKind::Provider,
        client: None,
        name: Arc::clone(&provider.name),
    };
    let first = evidence
        .first()
        .map(|observation| summary(observation))
        .unwrap_or_default();
    let detail = format!(
        "All {} addresses of {} that {} domains of {} clients use have failed; the first: {first}.",
        evidence.len(),
        provider.name,
        domains.len(),
        clients.len(),
    );
    evidence.truncate(MOST_EVIDENCE);
    Some(
        Finding::new(Code::ProviderOutage, root, provider.name.to_string(), detail)
            .on(evidence)
            .seen_from(picture),
    )
}
