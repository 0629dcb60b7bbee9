//! An incident in the words that pages show: what, whom it hits, who has it in hand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::cards::{CauseCard, client_name, flapping};
use super::words::{self, Moment};
use crate::model::{
    Affected, ClientId, Incident, IncidentId, IncidentState, Matchers, Owner, RootKind, Severity, State,
    Target,
};
use crate::snapshot::Snapshot;

/// An incident, in a list or on its own page.
pub(super) struct IncidentCard {
    pub(super) id: IncidentId,
    pub(super) severity: &'static str,
    /// The state whose colour and sign the severity shares.
    pub(super) tone: State,
    pub(super) opened: Moment,
    pub(super) lasted: String,
    pub(super) resolved: Option<Moment>,
    pub(super) ended_by: Option<String>,
    pub(super) flapping: Option<String>,
    pub(super) cause: CauseCard,
    pub(super) touched: Vec<Touched>,
    pub(super) domains: usize,
    /// Whom it hits, in a few words: `Aldergrove Dental, 2 domains`.
    pub(super) whom: String,
    pub(super) open: bool,
    pub(super) taken: bool,
    /// Who has taken it on, and what keeps it quiet.
    pub(super) hands: Vec<String>,
    pub(super) silenceable: bool,
}

/// What an incident touches of one client.
pub(super) struct Touched {
    pub(super) client: String,
    pub(super) domains: Vec<(String, State)>,
    /// How many more there are than are shown.
    pub(super) more: usize,
}

impl IncidentCard {
    /// With at most `most` domains of each client.
    pub(super) fn new(snapshot: &Snapshot, incident: &Incident, most: usize, now: Timestamp) -> Self {
        let open = incident.state == IncidentState::Open;
        let domains = |affected: &&Affected| matches!(affected.target, Target::Domain(_));
        Self {
            id: incident.id,
            severity: incident.severity.as_str(),
            tone: tone(incident),
            opened: Moment::new(incident.opened, now),
            lasted: words::duration(incident.opened, incident.resolved.unwrap_or(now)),
            resolved: incident.resolved.map(|at| Moment::new(at, now)),
            ended_by: incident.ended_by.clone(),
            flapping: flapping(incident.flapping().as_ref(), now),
            cause: CauseCard::new(snapshot, &incident.cause, only_client(&incident.affected), now),
            whom: whom(snapshot, incident),
            touched: touched(snapshot, &incident.affected, most),
            domains: incident.affected.iter().filter(domains).count(),
            open,
            taken: incident.acknowledged.is_some(),
            hands: hands(snapshot, incident, now),
            silenceable: silenced_by(incident).is_some() && kept_quiet(snapshot, incident, now).is_none(),
        }
    }
}

/// The state whose colour and sign an incident shares.
pub(super) fn tone(incident: &Incident) -> State {
    match incident.severity {
        _ if !incident.is_open() => State::Flowing,
        _ if incident.cause.owner == Owner::Us => State::Unknown,
        Severity::Critical => State::Broken,
        Severity::Warning | Severity::Info => State::Degraded,
    }
}

/// Who has taken an incident on, and what keeps it quiet.
fn hands(snapshot: &Snapshot, incident: &Incident, now: Timestamp) -> Vec<String> {
    let taken = incident.acknowledged.as_ref().map(|taken| {
        let by = if taken.by.is_empty() {
            "somebody"
        } else {
            &taken.by
        };
        format!("Taken on by {by} at {}.", Moment::new(taken.at, now).human)
    });
    let held = incident.held.as_ref().map(|held| {
        let until = Moment::new(held.until, now).human;
        format!(
            "Nobody is told until {until}: {}.",
            held.reason.trim_end_matches('.')
        )
    });
    let quiet = || kept_quiet(snapshot, incident, now).filter(|_| incident.is_open());
    taken.into_iter().chain(held.or_else(quiet)).collect()
}

/// What keeps an incident quiet that was told of already: nobody is told again meanwhile.
fn kept_quiet(snapshot: &Snapshot, incident: &Incident, now: Timestamp) -> Option<String> {
    let mut hands = snapshot.hands.iter();
    hands.find_map(|hand| {
        let (of, until) = hand.quiet_until(now)?;
        let until = Moment::new(until, now).human;
        let about = |one: &Affected| of.cover(incident, one);
        let all = !incident.affected.is_empty() && incident.affected.iter().all(about);
        all.then(|| {
            format!(
                "Kept quiet until {until} by {}.",
                hand.in_words().trim_end_matches('.')
            )
        })
    })
}

/// Whom an incident hits: `Aldergrove Dental, 2 domains`, `13 clients, 14 domains`.
fn whom(snapshot: &Snapshot, incident: &Incident) -> String {
    let domains = incident
        .affected
        .iter()
        .filter(|one| matches!(one.target, Target::Domain(_)))
        .count();
    let clients: BTreeSet<&ClientId> = incident
        .affected
        .iter()
        .filter_map(|one| one.client.as_ref())
        .chain(incident.cause.root.client.as_ref())
        .collect();
    let first = clients.first().map(|client| client_name(snapshot, client));
    let clients = match (clients.len(), first) {
        (1, Some(name)) => Some(name),
        (0, _) => None,
        (number, _) => Some(words::count(number, "client", "clients")),
    };
    let domains = (domains > 0).then(|| words::count(domains, "domain", "domains"));
    let parts: Vec<String> = clients.into_iter().chain(domains).collect();
    parts.join(", ")
}

/// What a silence has to be about to keep this incident quiet and nothing that it has nothing to do with; `None` where
/// that cannot be said.
pub(in crate::surface) fn silenced_by(incident: &Incident) -> Option<Matchers> {
    let root = &incident.cause.root;
    let code = Some(incident.cause.code.as_str().to_owned());
    if root.kind == RootKind::Gateway && root.client.is_some() {
        return Some(Matchers {
            client: root.client.clone(),
            gateway: Some(root.name.clone()),
            ..Matchers::default()
        });
    }
    if let [
        Affected {
            target: Target::Domain(domain),
            ..
        },
    ] = incident.affected.as_slice()
    {
        return Some(Matchers {
            domain: Some(domain.clone()),
            code,
            ..Matchers::default()
        });
    }
    let client = only_client(&incident.affected)?;
    Some(Matchers {
        client: Some(client.clone()),
        code,
        ..Matchers::default()
    })
}

/// The client of all that is touched, where that is one.
fn only_client(affected: &[Affected]) -> Option<&ClientId> {
    let (first, rest) = affected.split_first()?;
    let same = rest.iter().all(|other| other.client == first.client);
    first.client.as_ref().filter(|_| same)
}

fn touched(snapshot: &Snapshot, affected: &[Affected], most: usize) -> Vec<Touched> {
    let mut clients: BTreeMap<Option<&ClientId>, Vec<(String, State)>> = BTreeMap::new();
    for one in affected {
        if let Target::Domain(name) = &one.target {
            let entry = clients.entry(one.client.as_ref()).or_default();
            entry.push((name.to_string(), one.state));
        }
    }
    clients
        .into_iter()
        .map(|(client, mut domains)| {
            let more = domains.len().saturating_sub(most);
            domains.truncate(most);
            Touched {
                client: client.map_or_else(|| "Without a client".to_owned(), |id| client_name(snapshot, id)),
                domains,
                more,
            }
        })
        .collect()
}
