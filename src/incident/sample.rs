//! Samples for tests: a small world with a client, a router and some domains.

use std::time::Duration;

use jiff::Timestamp;

use super::record::after;
use crate::model::{
    Affected, Cause, ClientId, Code, Confidence, DomainName, Incident, IncidentId, IncidentState, LogEntry,
    Owner, Root, RootKind, Severity, State, Target, Verdict,
};

/// A moment, in seconds after an arbitrary start.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let start: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
    after(start, Duration::from_secs(seconds))
}

pub(crate) fn domain(name: &str) -> Target {
    Target::Domain(DomainName::parse(name).unwrap())
}

pub(crate) fn router() -> Target {
    Target::Gateway(acme(), "hq-router".into())
}

pub(crate) fn vantage() -> Target {
    Target::Vantage("hq".into())
}

pub(crate) fn acme() -> ClientId {
    ClientId::parse("acme").unwrap()
}

pub(crate) fn root(kind: RootKind, name: &str) -> Root {
    Root {
        kind,
        client: (kind == RootKind::Gateway).then(acme),
        name: name.into(),
    }
}

pub(crate) fn cause(code: Code, root: Root) -> Cause {
    Cause {
        on_route: false,
        code,
        subject: root.name.to_string(),
        root,
        detail: "It does not answer.".into(),
        owner: Owner::Client,
        contact: None,
        confidence: Confidence::Probable,
        confidence_reason: None,
        evidence: std::sync::Arc::default(),
        stands_on: Vec::new(),
    }
}

pub(crate) fn verdict(target: &Target, state: State, cause: Option<Cause>) -> Verdict {
    Verdict {
        target: target.clone(),
        client: matches!(target, Target::Domain(_) | Target::Gateway(..)).then(acme),
        state,
        since: at(0),
        checked: None,
        proven_by: Vec::new(),
        cause: cause.map(std::sync::Arc::new),
        symptoms: Vec::new(),
        also: Vec::new(),
        provider: None,
        incident: None,
        flapping: None,
        path: Box::default(),
    }
}

/// Two of ACME's domains behind its dead router.
pub(crate) fn incident(id: u64) -> Incident {
    let affected = ["acme.test", "acme-shop.test"].map(|name| Affected {
        target: domain(name),
        client: Some(acme()),
        state: State::Broken,
        first_sight: false,
        since: at(840),
        flapping: None,
    });
    let mut cause = cause(Code::GatewayDown, root(RootKind::Gateway, "hq-router"));
    cause.subject = "hq-router (198.51.100.1)".into();
    cause.detail =
        "Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect.".into();
    cause.contact = Some("Telekom business line, 0800 1234567, circuit 4711".into());
    Incident {
        id: IncidentId(id),
        dedup_key: format!("mailflow-{id}-1795414440"),
        state: IncidentState::Open,
        severity: Severity::Critical,
        opened: at(840),
        reopened: None,
        resolved: None,
        ended_by: None,
        cause,
        affected: affected.into(),
        announced: None,
        told: None,
        acknowledged: None,
        held: None,
        log: vec![LogEntry {
            at: at(840),
            text: "opened: gateway.down at hq-router (198.51.100.1)".into(),
        }],
    }
}
