//! What bounces and mail logs mean for a route. They tell what a receiver said to the client's own server, which no look
//! of ours can see; but also of single mailboxes and messages, which say nothing of the route, and of servers that do not
//! answer, which we can see ourselves. So only what is about the sender or about all mail there changes the state, and
//! the rest is told beside it.
//!
//! Where our own look at the sender's side finds nothing that would explain a refusal, that is said. One report impairs;
//! what two recipients' mail met has the state that the catalogue gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::inventory::Route;
use crate::model::{Code, EvidenceNote, Fate, ProbeKind, Proof, Report, ReportSource, Root, RootKind, State};
use crate::picture::Picture;

use super::super::finding::Finding;
use super::Beside;

/// Two clients' reports no further apart than this have one cause.
const TOGETHER: SignedDuration = SignedDuration::from_hours(1);
/// So many deferrals in a row are no mere delay.
const DEFERRALS: usize = 3;
/// The most reports that are shown as evidence.
const SHOWN: usize = 5;

/// What is said of a route.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// What is wrong, where that is said.
    pub(super) finding: Option<Finding>,
    /// What somebody should know of it.
    pub(super) warnings: Vec<Finding>,
    /// What it rests on.
    pub(super) proofs: BTreeSet<Proof>,
}

/// Judges what is said of a route. `side` is what our own look at the sender's side shows.
pub(super) fn said(picture: &Picture, route: &Route, side: &Beside<'_>, now: Timestamp) -> Said {
    let to = &route.destination.name;
    let mut said = Said::default();
    if picture.is_proven_by_log(&route.client, to, now) {
        said.proofs.insert(Proof::Log);
    }
    let mut by_code: BTreeMap<Code, Vec<&Report>> = BTreeMap::new();
    for report in picture.failures(&route.client, to, now) {
        if let Some(code) = report.code {
            by_code.entry(code).or_default().push(report);
        }
    }
    for (code, reports) in by_code {
        let state = state(code, &reports);
        let finding = finding(picture, route, code, &reports, side, now).giving(state);
        if state == State::Flowing {
            said.warnings.push(finding);
            continue;
        }
        said.proofs
            .extend(reports.iter().map(|report| report.source.proof()));
        let worst = said.finding.as_ref().map(|known| known.state.urgency());
        if worst.is_none_or(|worst| state.urgency() > worst) {
            said.warnings.extend(said.finding.replace(finding));
        } else {
            said.warnings.push(finding);
        }
    }
    said
}

/// Whether a refusal is about the sender or about all mail there, rather than about one mailbox, one message, or a
/// server that we can look at ourselves.
fn is_of_the_route(code: Code) -> bool {
    matches!(
        code,
        Code::ReputationSenderBlocked
            | Code::ReputationNoReverseDns
            | Code::SenderAuthentication
            | Code::SenderRateLimited
            | Code::SenderAccountBlocked
            | Code::RoutingRelayDenied
            | Code::RoutingLoop
    )
}

fn state(code: Code, reports: &[&Report]) -> State {
    let bounced: Vec<_> = reports.iter().filter(|one| one.fate == Fate::Bounced).collect();
    if !is_of_the_route(code) || (bounced.is_empty() && reports.len() < DEFERRALS) {
        return State::Flowing;
    }
    let recipients: BTreeSet<_> = bounced.iter().map(|one| &one.recipient).collect();
    if recipients.len() > 1 {
        code.entry().state
    } else {
        State::Degraded
    }
}

fn finding(
    picture: &Picture,
    route: &Route,
    code: Code,
    reports: &[&Report],
    side: &Beside<'_>,
    now: Timestamp,
) -> Finding {
    let (root, shared) = root(picture, route, code, reports, now);
    let mut finding = Finding::new(
        code,
        root,
        route.label(&picture.inventory),
        detail(picture, route, reports),
    );
    let told = told_by(reports);
    let mut reasons = vec![format!("told by {told}")];
    if shared > 0 {
        reasons.push(format!(
            "mail of {} clients met the like there within an hour",
            shared + 1
        ));
    }
    match side.others.flowing {
        _ if shared > 0 => {}
        0 => {}
        1 => reasons.push("1 other client reaches it".to_owned()),
        flowing => reasons.push(format!("{flowing} other clients reach it")),
    }
    let about_sender = matches!(code.layer(), "sender" | "reputation");
    let looked = picture
        .inventory
        .clients
        .get(&route.client)
        .is_some_and(|client| !client.senders.is_empty());
    if about_sender && looked {
        let name = picture.inventory.client_name(&route.client);
        reasons.push(match side.sender.first() {
            Some((found, _)) => format!("our own look at {name}'s side finds: {}", found.detail),
            None => format!("our own look at {name}'s addresses and records finds nothing wrong"),
        });
    }
    finding.notes = reports
        .iter()
        .rev()
        .take(SHOWN)
        .map(|one| note(picture, one))
        .collect();
    finding.probable(reasons.join("; "))
}

/// What it is wrong with, and how many other clients met it too: what two clients' mail meets at one provider within an
/// hour, or at one destination, is one thing.
fn root(picture: &Picture, route: &Route, code: Code, reports: &[&Report], now: Timestamp) -> (Root, usize) {
    let to = &route.destination.name;
    let own = Root {
        kind: RootKind::Route,
        client: Some(route.client.clone()),
        name: to.as_str().into(),
    };
    if !is_of_the_route(code) {
        return (own, 0);
    }
    let provider = picture.provider_of(to).map(|provider| Arc::clone(&provider.name));
    let same_place = |other: &Route| match &provider {
        Some(name) => picture
            .provider_of(&other.destination.name)
            .is_some_and(|other| other.name == *name),
        None => other.destination.name == *to,
    };
    let together = |other: &Report| {
        other.code.is_some_and(is_of_the_route)
            && reports
                .iter()
                .any(|one| other.at.duration_since(one.at).abs() <= TOGETHER)
    };
    let routes = picture.inventory.routes.values();
    let others: BTreeSet<_> = routes
        .filter(|other| other.client != route.client && same_place(other))
        .filter(|other| {
            let mut failures = picture.failures(&other.client, &other.destination.name, now);
            failures.any(together)
        })
        .map(|other| &other.client)
        .collect();
    if others.is_empty() {
        return (own, 0);
    }
    let shared = Root {
        kind: if provider.is_some() {
            RootKind::Provider
        } else {
            RootKind::Domain
        },
        client: None,
        name: provider.unwrap_or_else(|| to.as_str().into()),
    };
    (shared, others.len())
}

fn told_by(reports: &[&Report]) -> &'static str {
    let logs = reports.iter().any(|one| one.source == ReportSource::Log);
    let bounces = reports.iter().any(|one| one.source == ReportSource::Bounce);
    match (logs, bounces) {
        (true, true) => "a bounce and by the log of the client's server",
        (true, false) => "the log of the client's server",
        _ => "a bounce",
    }
}

/// `Mail to who@partner.test was given up at 09:12 UTC: mx.partner.test said "550 ...".`
fn detail(picture: &Picture, route: &Route, reports: &[&Report]) -> String {
    let Some(last) = reports.iter().max_by_key(|one| one.at) else {
        return String::new();
    };
    let name = picture.inventory.client_name(&route.client);
    let whom = last
        .recipient
        .as_deref()
        .unwrap_or(route.destination.name.as_str());
    let fate = match last.fate {
        Fate::Bounced => "came back",
        Fate::Deferred => "was put off",
        Fate::Sent => "was taken",
    };
    let by = last.by.as_deref().unwrap_or("a server on its way");
    let more = match reports.len() {
        1 => String::new(),
        count => format!(" ({count} times)"),
    };
    let clock = last.at.strftime("%H:%M UTC");
    format!(
        "Mail of {name} to {whom} {fate}{more}, last at {clock}: {by} said \"{}\".",
        last.said
    )
}

fn note(picture: &Picture, report: &Report) -> EvidenceNote {
    let (probe, from) = match report.source {
        ReportSource::Bounce => (ProbeKind::Bounce, "a bounce"),
        ReportSource::Log => (ProbeKind::Log, "the log of the client's server"),
    };
    let by = report.by.as_deref().unwrap_or("a server on its way");
    EvidenceNote {
        probe,
        vantage: Arc::clone(&picture.inventory.vantage),
        source_address: None,
        peer: report.recipient.clone().unwrap_or_else(|| report.to.to_string()),
        at: report.at,
        summary: format!("{} by {from}: {by} said \"{}\"", report.fate, report.said),
        transcript: Vec::new(),
        control: None,
    }
}
