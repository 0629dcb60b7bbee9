//! The fleet on bad days: ourselves blind, just started, and with an enemy about.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{calm, cause, client, fleet, incident, minutes_ago, root, router_down};
use crate::model::*;
use crate::snapshot::*;

fn our_own(code: Code, name: &str, detail: &str) -> Cause {
    Cause {
        confidence: Confidence::Certain,
        confidence_reason: None,
        ..cause(code, root(RootKind::Vantage, None, "hq"), name, detail, Owner::Us)
    }
}

/// Our own port 25 is closed: nothing can be said of anybody's mail.
pub(crate) fn blind() -> Snapshot {
    let because = our_own(
        Code::VantagePort25Blocked,
        "this machine (192.0.2.10)",
        "None of 3 independent mail hosts could be reached on port 25, while DNS and pings work.",
    );
    let mut snapshot = calm();
    for verdict in snapshot.domains.values_mut() {
        let verdict = Arc::make_mut(verdict);
        verdict.state = State::Unknown;
        verdict.since = minutes_ago(3);
        verdict.cause = Some(Arc::new(because.clone()));
        verdict.incident = Some(IncidentId(483));
    }
    let vantage = Arc::make_mut(&mut snapshot.vantage);
    vantage.state = State::Unknown;
    vantage.since = minutes_ago(3);
    vantage.incident = Some(IncidentId(483));
    vantage.cause = Some(Arc::new(because.clone()));
    snapshot.open_incidents = vec![Arc::new(incident(
        483,
        Severity::Critical,
        3,
        because,
        Vec::new(),
    ))];
    snapshot
}

/// Just started: four domains are not judged yet.
pub(crate) fn warming() -> Snapshot {
    let mut snapshot = calm();
    for verdict in snapshot.domains.values_mut().take(4) {
        let verdict = Arc::make_mut(verdict);
        verdict.state = State::Unknown;
        verdict.checked = None;
        verdict.proven_by.clear();
        verdict.path = Box::default();
        verdict.since = minutes_ago(0);
        verdict.cause = Some(Arc::new(our_own(
            Code::VantageNoEvidence,
            "hq",
            "The first round of checks is still running.",
        )));
    }
    snapshot.pending_domains = 4;
    snapshot
}

/// What an enemy would write wherever text comes from outside or from a careless hand.
pub(crate) const HOSTILE: &str = "<script>alert(\"x\")</script>'\\\n</details>\u{1b}[31m &amp; {{ 7*7 }}";

/// A fleet whose every free text is hostile.
pub(crate) fn hostile() -> Snapshot {
    let mut snapshot = fleet();
    snapshot.clients.iter_mut().for_each(|client| {
        client.name = HOSTILE.into();
        client.contact = Some(HOSTILE.into());
    });
    let mut bad = router_down();
    bad.subject = HOSTILE.into();
    bad.detail = HOSTILE.into();
    bad.contact = Some(HOSTILE.into());
    bad.root.name = HOSTILE.into();
    bad.confidence_reason = Some(HOSTILE.into());
    for note in Arc::make_mut(&mut bad.evidence) {
        note.peer = HOSTILE.into();
        note.summary = HOSTILE.into();
        note.transcript = vec![HOSTILE.into()];
        note.control = Some(HOSTILE.into());
    }
    for verdict in snapshot.domains.values_mut() {
        let verdict = Arc::make_mut(verdict);
        verdict.cause = Some(Arc::new(bad.clone()));
        verdict.provider = Some(HOSTILE.into());
        verdict.also = vec![Warning {
            code: Code::TlsCertificateExpiring,
            subject: HOSTILE.into(),
            summary: HOSTILE.into(),
            accepted: false,
        }];
        for hop in &mut verdict.path {
            hop.subject = HOSTILE.into();
            hop.summary = HOSTILE.into();
        }
    }
    for open in &mut snapshot.open_incidents {
        let open = Arc::make_mut(open);
        open.cause = bad.clone();
        open.ended_by = Some(HOSTILE.into());
        open.log.iter_mut().for_each(|entry| entry.text = HOSTILE.into());
    }
    for gateway in &mut snapshot.gateways {
        let gateway = Arc::make_mut(gateway);
        gateway.address = HOSTILE.into();
        gateway.verdict.target = Target::Gateway(client("acme"), HOSTILE.into());
        gateway.verdict.cause = Some(Arc::new(bad.clone()));
    }
    snapshot.gateways.truncate(1);
    for host in &mut snapshot.hosts {
        let host = Arc::make_mut(host);
        host.greeting = Some(HOSTILE.into());
        host.summary = HOSTILE.into();
        host.transcript = Arc::new(vec![HOSTILE.into()]);
    }
    let counts = snapshot.counters.notifications.values().next().cloned().unwrap();
    snapshot.counters.notifications = BTreeMap::from([(HOSTILE.into(), counts)]);
    let vantage = Arc::make_mut(&mut snapshot.vantage);
    vantage.target = Target::Vantage(HOSTILE.into());
    snapshot
}

/// The fleet with a router that comes and goes.
pub(crate) fn flapping() -> Snapshot {
    let router = IncidentId(482);
    let flaps = Some(Flaps {
        turns: 7,
        since: minutes_ago(20),
    });
    let mut snapshot = fleet();
    for incident in snapshot.open_incidents.iter_mut().filter(|one| one.id == router) {
        for one in &mut Arc::make_mut(incident).affected {
            one.flapping = flaps;
        }
    }
    for verdict in snapshot.domains.values_mut() {
        if verdict.incident == Some(router) {
            Arc::make_mut(verdict).flapping = flaps.map(Box::new);
        }
    }
    for gateway in &mut snapshot.gateways {
        if gateway.verdict.incident == Some(router) {
            Arc::make_mut(gateway).verdict.flapping = flaps.map(Box::new);
        }
    }
    snapshot
}
