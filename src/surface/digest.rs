//! What happened in a time, for whoever was away: which causes there were, what they cost, whose they were, and what
//! still goes on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::words::{count, span};
use crate::model::{Affected, ClientId, Incident, Owner, Target};

/// A time, looked back at.
#[derive(Debug)]
pub(super) struct Digest<'a> {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    /// First what goes on, then what is over; among these what cost most first.
    pub(super) episodes: Vec<Episode<'a>>,
}

/// An incident, as far as it lies in that time and touches those that are asked for.
#[derive(Debug)]
pub(super) struct Episode<'a> {
    pub(super) incident: &'a Incident,
    /// What it touched.
    pub(super) touched: Vec<&'a Affected>,
    /// Seconds of that time that it went on.
    pub(super) seconds: u64,
    /// The same for each domain that it touched, together.
    pub(super) domain_seconds: u64,
}

/// What an owner's incidents cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// How many.
    pub(super) incidents: usize,
    /// Seconds, for each domain that they touched, together.
    pub(super) domain_seconds: u64,
}

impl<'a> Digest<'a> {
    /// Looks back at the time between `since` and `until`; for one client, only at what touched it. What was merged
    /// into another incident is told there.
    pub(super) fn of(
        incidents: impl IntoIterator<Item = &'a Incident>,
        client: Option<&ClientId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Self {
        let mut episodes: Vec<Episode<'_>> = incidents
            .into_iter()
            .filter(|incident| !was_merged(incident))
            .filter_map(|incident| Episode::of(incident, client, since, until))
            .collect();
        episodes.sort_by_key(|one| {
            let cost = std::cmp::Reverse((one.domain_seconds, one.seconds));
            (!one.incident.is_open(), cost, one.incident.id)
        });
        Self {
            since,
            until,
            episodes,
        }
    }

    /// How many still go on.
    pub(super) fn open(&self) -> usize {
        self.episodes.iter().filter(|one| one.incident.is_open()).count()
    }

    /// The domains that were hit.
    pub(super) fn domains(&self) -> BTreeSet<&Target> {
        let touched = self.episodes.iter().flat_map(Episode::domains);
        touched.map(|one| &one.target).collect()
    }

    /// The clients that were hit.
    pub(super) fn clients(&self) -> BTreeSet<&ClientId> {
        let touched = self.episodes.iter().flat_map(|one| &one.touched);
        touched.filter_map(|one| one.client.as_ref()).collect()
    }

    /// Seconds for each domain that was hit, together.
    pub(super) fn domain_seconds(&self) -> u64 {
        self.episodes.iter().map(|one| one.domain_seconds).sum()
    }

    /// What each owner's incidents cost, the dearest first.
    pub(super) fn owners(&self) -> Vec<(Owner, Share)> {
        let mut shares: BTreeMap<&str, (Owner, Share)> = BTreeMap::new();
        for one in &self.episodes {
            let owner = one.incident.cause.owner;
            let (_, share) = shares.entry(owner.as_str()).or_insert((owner, Share::default()));
            share.incidents += 1;
            share.domain_seconds += one.domain_seconds;
        }
        let mut shares: Vec<(Owner, Share)> = shares.into_values().collect();
        shares.sort_by_key(|(_, share)| std::cmp::Reverse((share.domain_seconds, share.incidents)));
        shares
    }

    /// How many of what happened still go on: `all are over`.
    pub(super) fn open_in_words(&self) -> String {
        match (self.open(), self.episodes.len()) {
            (0, 1) => "which is over".to_owned(),
            (0, _) => "all are over".to_owned(),
            (1, 1) => "which still goes on".to_owned(),
            (1, _) => "1 still goes on".to_owned(),
            (open, all) if open == all => "all still go on".to_owned(),
            (open, _) => format!("{open} still go on"),
        }
    }

    /// All of it in a sentence or two.
    pub(super) fn sentence(&self) -> String {
        if self.episodes.is_empty() {
            return "Nothing happened.".to_owned();
        }
        let happened = count(self.episodes.len(), "incident", "incidents");
        let open = self.open_in_words();
        let (domains, clients) = (self.domains().len(), self.clients().len());
        if domains == 0 {
            return format!("{happened}, {open}. No domain was hit.");
        }
        format!(
            "{happened}, {open}. {} of {} {} hit, for {} altogether.",
            count(domains, "domain", "domains"),
            count(clients, "client", "clients"),
            if domains == 1 { "was" } else { "were" },
            span(self.domain_seconds())
        )
    }
}

impl<'a> Episode<'a> {
    fn of(
        incident: &'a Incident,
        client: Option<&ClientId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Option<Self> {
        let end = incident.resolved.unwrap_or(until).min(until);
        if incident.opened > until || end < since {
            return None;
        }
        let whose = |one: &&Affected| client.is_none() || one.client.as_ref() == client;
        let touched: Vec<&Affected> = incident.affected.iter().filter(whose).collect();
        let root = incident.cause.root.client.as_ref();
        if client.is_some() && touched.is_empty() && root != client {
            return None;
        }
        let lasted = |from: Timestamp| {
            let seconds = end.duration_since(from.max(since)).as_secs();
            u64::try_from(seconds).unwrap_or(0)
        };
        let seconds = lasted(incident.opened);
        let domains = touched.iter().filter(|one| is_domain(one));
        let domain_seconds = domains.map(|one| lasted(one.since)).sum();
        Some(Self {
            incident,
            touched,
            seconds,
            domain_seconds,
        })
    }

    /// The domains that it touched.
    pub(super) fn domains(&self) -> impl Iterator<Item = &'a Affected> + '_ {
        self.touched.iter().copied().filter(|one| is_domain(one))
    }
}

fn is_domain(one: &Affected) -> bool {
    matches!(one.target, Target::Domain(_))
}

fn was_merged(incident: &Incident) -> bool {
    let why = incident.ended_by.as_deref().unwrap_or_default();
    why.starts_with("merged into ")
}

#[cfg(test)]
mod tests;
