//! What changed from one snapshot to another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::{Code, Incident, IncidentId, Root, State, Target, Verdict};
use crate::snapshot::Snapshot;
use crate::surface::http::views::{IncidentView, brief};

/// One thing that changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A verdict is new or another.
    Verdict {
        /// As it is now, without evidence and path.
        now: Box<Verdict>,
        /// The state before, if there was one.
        was: Option<State>,
    },
    /// A target is no longer watched.
    Removed(Target),
    /// An incident opened, changed, ended or came back.
    Incident {
        /// `opened`, `updated`, `resolved` or `reopened`.
        what: &'static str,
        /// As it is now.
        incident: Arc<Incident>,
    },
    /// Somebody set or lifted something: so many silences, maintenance windows and acceptances hold now.
    Hands(usize),
}

impl Change {
    /// The event's name on the stream.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Verdict { .. } => "verdict",
            Self::Removed(_) => "removed",
            Self::Incident { .. } => "incident",
            Self::Hands(_) => "hands",
        }
    }

    /// The event's data.
    pub(super) fn data(&self, base: &str) -> Value {
        match self {
            Self::Verdict { now, was } => json!({ "was": was, "verdict": now }),
            Self::Removed(target) => json!({ "target": target.to_string() }),
            Self::Hands(holding) => json!({ "holding": holding }),
            Self::Incident { what, incident } => {
                json!({ "event": what, "incident": IncidentView::brief(incident, base) })
            }
        }
    }
}

/// Everything that somebody who knows `before` must be told to know `after`.
pub(super) fn changes(before: &Snapshot, after: &Snapshot) -> VecDeque<Change> {
    let mut all = VecDeque::new();
    incident_changes(before, after, &mut all);
    if before.hands != after.hands {
        all.push_back(Change::Hands(after.hands.len()));
    }
    let old: BTreeMap<&Target, &Verdict> = verdicts(before).collect();
    let mut gone = old.clone();
    for (target, verdict) in verdicts(after) {
        gone.remove(target);
        let was = old.get(target);
        if was.is_none_or(|was| differs(was, verdict)) {
            all.push_back(Change::Verdict {
                now: Box::new(brief(verdict)),
                was: was.map(|was| was.state),
            });
        }
    }
    all.extend(gone.into_keys().cloned().map(Change::Removed));
    all
}

fn verdicts(snapshot: &Snapshot) -> impl Iterator<Item = (&Target, &Verdict)> {
    let domains = snapshot.domains.values().map(|verdict| &**verdict);
    let canaries = snapshot.canaries.iter().map(|canary| &canary.verdict);
    let routes = snapshot.routes.values().map(|verdict| &**verdict);
    let gateways = snapshot.gateways.iter().map(|gateway| &gateway.verdict);
    let providers = snapshot.providers.iter().map(|verdict| &**verdict);
    [&*snapshot.vantage]
        .into_iter()
        .chain(providers)
        .chain(gateways)
        .chain(domains)
        .chain(routes)
        .chain(canaries)
        .map(|verdict| (&verdict.target, verdict))
}

/// Whether people would want to know: another state, cause or incident. A newer check alone is nothing new.
fn differs(a: &Verdict, b: &Verdict) -> bool {
    a.state != b.state || a.incident != b.incident || why(a) != why(b) || a.also != b.also
}

fn why(verdict: &Verdict) -> Option<(Code, &Root, &str)> {
    let cause = verdict.cause.as_ref()?;
    Some((cause.code, &cause.root, &cause.subject))
}

fn incident_changes(before: &Snapshot, after: &Snapshot, all: &mut VecDeque<Change>) {
    let old: BTreeMap<IncidentId, &Arc<Incident>> = by_id(&before.open_incidents);
    let was_over: BTreeMap<IncidentId, &Arc<Incident>> = by_id(&before.closed_incidents);
    let is_over: BTreeMap<IncidentId, &Arc<Incident>> = by_id(&after.closed_incidents);
    for incident in &after.open_incidents {
        let what = match old.get(&incident.id) {
            None if was_over.contains_key(&incident.id) => "reopened",
            None => "opened",
            Some(known) if touched(known, incident) => "updated",
            Some(_) => continue,
        };
        all.push_back(Change::Incident {
            what,
            incident: Arc::clone(incident),
        });
    }
    let open = by_id(&after.open_incidents);
    for (id, known) in old {
        if !open.contains_key(&id) {
            all.push_back(Change::Incident {
                what: "resolved",
                incident: Arc::clone(is_over.get(&id).copied().unwrap_or(known)),
            });
        }
    }
}

fn by_id(incidents: &[Arc<Incident>]) -> BTreeMap<IncidentId, &Arc<Incident>> {
    incidents.iter().map(|incident| (incident.id, incident)).collect()
}

fn touched(a: &Arc<Incident>, b: &Arc<Incident>) -> bool {
    !Arc::ptr_eq(a, b)
        && (a.severity != b.severity
            || a.cause.code != b.cause.code
            || a.cause.root != b.cause.root
            || a.affected != b.affected
            || a.acknowledged != b.acknowledged
            || a.held != b.held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;
    use crate::surface::sample;

    fn told(before: &Snapshot, after: &Snapshot) -> Vec<String> {
        let line = |change: Change| match change {
            Change::Verdict { now, was } => format!("{}: {:?} to {}", now.target, was, now.state),
            Change::Removed(target) => format!("{target} removed"),
            Change::Incident { what, incident } => format!("#{} {what}", incident.id),
            Change::Hands(holding) => format!("{holding} hold"),
        };
        changes(before, after).into_iter().map(line).collect()
    }

    #[test]
    fn what_is_only_newer_is_no_change() {
        let before = sample::fleet();
        let mut after = sample::fleet();
        for verdict in after.domains.values_mut() {
            Arc::make_mut(verdict).checked = Some(after.at);
        }
        for incident in &mut after.open_incidents {
            Arc::make_mut(incident).log.clear();
        }
        assert_eq!(told(&before, &after), [""; 0]);
    }

    #[test]
    fn what_people_set_is_told() {
        let mut before = sample::calm();
        let after = before.clone();
        before.hands = crate::surface::http::tests::standing();
        assert_eq!(told(&after, &before), [format!("{} hold", before.hands.len())]);
        assert_eq!(told(&before, &after), ["0 hold"]);
    }

    #[test]
    fn targets_come_turn_and_go() {
        let before = sample::calm();
        let mut after = before.clone();
        after.domains.retain(|name, _| name.as_str() != "wayne.test");
        after.gateways.clear();
        Arc::make_mut(&mut after.vantage).state = State::Unknown;
        assert_eq!(
            told(&before, &after),
            [
                "vantage hq: Some(Flowing) to unknown",
                "gateway office-fw of initech removed",
                "wayne.test removed"
            ]
        );
        assert_eq!(
            told(&after, &before).last().unwrap(),
            "wayne.test: None to flowing"
        );
    }

    #[test]
    fn incidents_live_their_lives() {
        let calm = sample::calm();
        let mut opened = calm.clone();
        opened.open_incidents = sample::fleet().open_incidents[..1].to_vec();
        assert_eq!(told(&calm, &opened), ["#482 opened"]);
        let mut louder = opened.clone();
        Arc::make_mut(&mut louder.open_incidents[0]).severity = Severity::Info;
        assert_eq!(told(&opened, &louder), ["#482 updated"]);
        let mut over = calm.clone();
        over.closed_incidents = vec![Arc::new(sample::closed(482))];
        assert_eq!(told(&opened, &over), ["#482 resolved"]);
        assert_eq!(told(&over, &opened), ["#482 reopened"]);
        // Even when it is already out of the last hundred.
        assert_eq!(told(&opened, &calm), ["#482 resolved"]);
    }
}
