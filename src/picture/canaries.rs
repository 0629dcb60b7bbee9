//! Canaries: which servers they were handed to and looked for at, and whose mail they prove.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::model::{ClientId, DomainName, Evidence, Subject};

use super::{Health, Picture};

impl Picture {
    /// The addresses of the servers that a canary was last handed to and looked for at.
    pub fn canary_addresses(&self, client: &ClientId, name: &str) -> BTreeSet<IpAddr> {
        let track = self.track(&Subject::Canary(client.clone(), name.into()));
        let newest = track
            .into_iter()
            .flat_map(|track| std::iter::once(&track.latest).chain(track.last_good()));
        let seen = newest.filter_map(|observation| match &observation.evidence {
            Evidence::Canary(evidence) => Some(evidence),
            _ => None,
        });
        seen.flat_map(|evidence| evidence.peer.into_iter().chain(evidence.mailbox))
            .map(|peer| peer.ip())
            .collect()
    }

    /// Whether a canary to a domain has arrived lately: of `client`, where one is named, else of anybody.
    pub fn is_proven_by_canary(
        &self,
        domain: &DomainName,
        client: Option<&ClientId>,
        now: Timestamp,
    ) -> bool {
        let canaries = self.inventory.canaries.iter();
        let mut wanted =
            canaries.filter(|canary| canary.to == *domain && client.is_none_or(|one| canary.client == *one));
        wanted.any(|canary| {
            let track = self.track(&canary.subject());
            let settled = track.and_then(|track| track.fresh(now));
            settled.is_some_and(|settled| settled.health == Health::Good)
        })
    }
}
