//! The one sentence on top: of the page, of the API's summary, of `mailflow status`.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{Moment, count, joined};
use crate::model::{Code, Root, RootKind, State, Verdict};
use crate::snapshot::Snapshot;

/// What stands on top.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Headline {
    /// The worst of what is said.
    pub(super) tone: State,
    /// The sentence.
    pub(super) text: String,
    /// What to do, where it is ours to do.
    pub(super) remedy: Option<String>,
    /// What else to know before believing the rest.
    pub(super) notes: Vec<String>,
}

impl Headline {
    /// Sums a snapshot up. When our own side is bad that comes first: it decides what the rest is worth.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let tally = Tally::of(snapshot);
        let mut notes = Vec::new();
        let (tone, text, remedy) = if let Some((text, remedy)) = blindness(&snapshot.vantage) {
            notes.extend(tally.problems(snapshot));
            notes.extend(tally.unjudged());
            (State::Unknown, text, Some(remedy))
        } else {
            notes.extend(tally.unjudged());
            let (tone, text) = tally.sentence(snapshot, &mut notes);
            (tone, text, None)
        };
        notes.extend(store(snapshot));
        if !snapshot.reload.successful {
            notes.push("The last change of the configuration was refused; the one before is in use.".into());
        }
        Self {
            tone,
            text,
            remedy,
            notes,
        }
    }
}

/// What is wrong with the store.
fn store(snapshot: &Snapshot) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((since, reason)) = &snapshot.store.failing {
        let since = Moment::new(*since, snapshot.at).human;
        notes.push(format!(
            "Nothing can be written to the store since {since}: {reason}. Alerts go out all the same, but a restart \
             would forget what happened since."
        ));
    }
    if let Some(aside) = &snapshot.store.set_aside {
        notes.push(format!(
            "The database was damaged and lies aside at {aside}; history begins anew."
        ));
    }
    if snapshot.store.misfits > 0 {
        notes.push(format!(
            "The database refused {} rows, which lie in its table misfit: please report that, it is a bug.",
            snapshot.store.misfits
        ));
    }
    notes
}

/// What is wrong with our own side, and what to do; `None` while it is well, or not looked at yet.
fn blindness(vantage: &Verdict) -> Option<(String, String)> {
    let cause = vantage.cause.as_ref()?;
    if vantage.state == State::Flowing || cause.code == Code::VantageNoEvidence {
        return None;
    }
    let entry = cause.code.entry();
    Some((format!("{}.", entry.title), entry.action.to_owned()))
}

/// How many domains are in which state.
pub(super) struct Tally {
    pub(super) total: usize,
    pub(super) pending: usize,
    counts: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Counts a snapshot's domains.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut counts = BTreeMap::new();
        for verdict in snapshot.domains.values() {
            *counts.entry(verdict.state.as_str()).or_default() += 1;
        }
        Self {
            total: snapshot.domains.len(),
            pending: snapshot.pending_domains.min(snapshot.domains.len()),
            counts,
        }
    }

    /// How many are in this state.
    pub(super) fn in_state(&self, state: State) -> usize {
        self.counts.get(state.as_str()).copied().unwrap_or_default()
    }

    fn impaired(&self) -> usize {
        self.in_state(State::Broken) + self.in_state(State::Degraded)
    }

    fn sentence(&self, snapshot: &Snapshot, notes: &mut Vec<String>) -> (State, String) {
        let tone = match () {
            () if self.in_state(State::Broken) > 0 => State::Broken,
            () if self.impaired() > 0 => State::Degraded,
            () if self.in_state(State::Unknown) > 0 || self.total == 0 => State::Unknown,
            () => State::Flowing,
        };
        let text = if let Some(problems) = self.problems(snapshot) {
            problems
        } else if self.total == 0 {
            "No domain is watched yet; name some in the configuration.".to_owned()
        } else if !notes.is_empty() {
            notes.remove(0)
        } else if self.total == 1 {
            "Mail flows for the one domain.".to_owned()
        } else {
            format!("Mail flows for all {} domains.", self.total)
        };
        (tone, text)
    }

    /// `3 of 214 domains have a problem: 1 router, 1 provider.`
    fn problems(&self, snapshot: &Snapshot) -> Option<String> {
        if self.impaired() == 0 {
            return None;
        }
        let verb = if self.impaired() == 1 { "has" } else { "have" };
        let whole = count(self.total, "domain", "domains");
        let roots = roots(snapshot);
        let because = if roots.is_empty() {
            String::new()
        } else {
            format!(": {}", joined(&roots))
        };
        Some(format!(
            "{} of {whole} {verb} a problem{because}.",
            self.impaired()
        ))
    }

    /// What cannot be said yet, or at all.
    fn unjudged(&self) -> Option<String> {
        let unknown = self.in_state(State::Unknown);
        if self.pending > 0 {
            let whole = count(self.total, "domain", "domains");
            Some(format!("Still checking {} of {whole}.", self.pending))
        } else if unknown > 0 {
            let whole = count(unknown, "domain", "domains");
            Some(format!("{whole} cannot be judged at the moment."))
        } else {
            None
        }
    }
}

/// What the problems come from, each root counted once: `1 router`, `2 mail servers`.
fn roots(snapshot: &Snapshot) -> Vec<String> {
    let impaired = |verdict: &&Verdict| matches!(verdict.state, State::Broken | State::Degraded);
    let verdicts = snapshot.domains.values().map(|verdict| &**verdict);
    let roots: BTreeSet<&Root> = verdicts
        .filter(impaired)
        .filter_map(|verdict| Some(&verdict.cause.as_ref()?.root))
        .collect();
    let mut kinds: BTreeMap<RootKind, usize> = BTreeMap::new();
    for root in roots {
        *kinds.entry(root.kind).or_default() += 1;
    }
    kinds
        .into_iter()
        .map(|(kind, number)| {
            let (one, many) = in_words(kind);
            count(number, one, many)
        })
        .collect()
}

fn in_words(kind: RootKind) -> (&'static str, &'static str) {
    match kind {
        RootKind::Vantage => ("fault of our own", "faults of our own"),
        RootKind::Resolver => ("resolver", "resolvers"),
        RootKind::Gateway => ("router", "routers"),
        RootKind::Provider => ("provider", "providers"),
        RootKind::NameServerSet => ("set of name servers", "sets of name servers"),
        RootKind::MxSet => ("set of mail servers", "sets of mail servers"),
        RootKind::MxHost => ("mail server", "mail servers"),
        RootKind::Domain => ("domain's own records", "domains' own records"),
        RootKind::Route => ("route", "routes"),
        RootKind::Sender => ("sender", "senders"),
        RootKind::Service => ("service", "services"),
        RootKind::Canary => ("canary", "canaries"),
        RootKind::Notifier => ("notifier", "notifiers"),
        RootKind::Source => ("source", "sources"),
    }
}
