//! What the API says of things, where that differs from how they are kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    Affected, Cause, ClientId, Code, DomainName, Flaps, Held, Incident, IncidentId, IncidentState, LogEntry,
    Severity, State, Target, Verdict,
};
use crate::snapshot::{CanaryView, GatewayView, HostView, ServiceView};

/// A verdict for a list: without evidence and path, which the single one has.
pub(super) fn brief(verdict: &Verdict) -> Verdict {
    Verdict {
        path: Box::default(),
        cause: verdict.cause.as_deref().map(brief_cause).map(Arc::new),
        target: verdict.target.clone(),
        client: verdict.client.clone(),
        proven_by: verdict.proven_by.clone(),
        symptoms: verdict.symptoms.clone(),
        also: verdict.also.clone(),
        provider: verdict.provider.clone(),
        flapping: verdict.flapping.clone(),
        ..*verdict
    }
}

fn brief_cause(cause: &Cause) -> Cause {
    Cause {
        evidence: Arc::default(),
        stands_on: Vec::new(),
        root: cause.root.clone(),
        subject: cause.subject.clone(),
        detail: cause.detail.clone(),
        contact: cause.contact.clone(),
        confidence_reason: cause.confidence_reason.clone(),
        ..*cause
    }
}

/// A domain: its verdict, and its services with what was seen of each.
#[derive(Serialize)]
pub(super) struct Domain<'a> {
    #[serde(flatten)]
    verdict: &'a Verdict,
    services: Vec<&'a ServiceView>,
}

impl<'a> Domain<'a> {
    pub(super) fn new(verdict: &'a Verdict, services: Option<&'a Vec<Arc<ServiceView>>>) -> Self {
        Self {
            verdict,
            services: services.into_iter().flatten().map(|service| &**service).collect(),
        }
    }
}

/// A gateway: its verdict and what was measured of it.
#[derive(Serialize)]
pub(super) struct Gateway<'a> {
    #[serde(flatten)]
    verdict: &'a Verdict,
    address: &'a str,
    pings: u64,
    pings_lost: u64,
}

impl<'a> From<&'a GatewayView> for Gateway<'a> {
    fn from(gateway: &'a GatewayView) -> Self {
        Self {
            verdict: &gateway.verdict,
            address: &gateway.address,
            pings: gateway.pings,
            pings_lost: gateway.pings_lost,
        }
    }
}

/// A canary: its verdict and what was counted of it.
#[derive(Serialize)]
pub(super) struct Canary {
    #[serde(flatten)]
    verdict: Verdict,
    sent: u64,
    failed: u64,
    last_success: Option<Timestamp>,
}

impl Canary {
    /// As in the list: without evidence and path.
    pub(super) fn brief(canary: &CanaryView) -> Self {
        Self {
            verdict: brief(&canary.verdict),
            sent: canary.sent,
            failed: canary.failed,
            last_success: canary.last_success,
        }
    }

    /// With evidence and path.
    pub(super) fn full(canary: &CanaryView) -> Self {
        Self {
            verdict: canary.verdict.clone(),
            ..Self::brief(canary)
        }
    }
}

/// An address that takes mail.
#[derive(Serialize)]
pub(super) struct Host<'a> {
    address: SocketAddr,
    names: &'a [DomainName],
    provider: Option<&'a str>,
    state: State,
    code: Option<Code>,
    checked: Option<Timestamp>,
    greeting: Option<&'a str>,
    stages: Vec<Stage>,
    tls: Option<&'a str>,
    certificate_expiry: Option<Timestamp>,
    source: Option<IpAddr>,
    summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<&'a [String]>,
}

/// How long one stage of a session took.
#[derive(Serialize)]
struct Stage {
    stage: &'static str,
    /// In seconds.
    elapsed: f64,
}

impl<'a> Host<'a> {
    /// As in the list.
    pub(super) fn brief(host: &'a HostView) -> Self {
        Self {
            address: host.address,
            names: &host.names,
            provider: host.provider.as_deref(),
            state: host.state,
            code: host.code,
            checked: host.checked,
            greeting: host.greeting.as_deref(),
            stages: host
                .stages
                .iter()
                .map(|(stage, elapsed)| Stage {
                    stage: stage.as_str(),
                    elapsed: *elapsed,
                })
                .collect(),
            tls: host.tls.as_deref(),
            certificate_expiry: host.certificate_expiry,
            source: host.source,
            summary: &host.summary,
            transcript: None,
        }
    }

    /// With the last dialogue.
    pub(super) fn full(host: &'a HostView) -> Self {
        Self {
            transcript: Some(&host.transcript),
            ..Self::brief(host)
        }
    }
}

/// An incident.
#[derive(Serialize)]
pub(super) struct IncidentView<'a> {
    id: IncidentId,
    dedup_key: &'a str,
    state: IncidentState,
    severity: Severity,
    opened: Timestamp,
    resolved: Option<Timestamp>,
    ended_by: Option<&'a str>,
    announced: Option<Timestamp>,
    flapping: Option<Flaps>,
    acknowledged: Option<AcknowledgedView<'a>>,
    held: Option<&'a Held>,
    cause: Cause,
    domains: Vec<AffectedDomain<'a>>,
    routes: Vec<AffectedRoute<'a>>,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a [LogEntry]>,
}

/// Who has taken an incident on.
#[derive(Serialize)]
struct AcknowledgedView<'a> {
    at: Timestamp,
    by: &'a str,
}

/// A domain that an incident touches.
#[derive(Serialize)]
struct AffectedDomain<'a> {
    client: Option<&'a ClientId>,
    domain: &'a DomainName,
    state: State,
    since: Timestamp,
}

/// A route that an incident touches.
#[derive(Serialize)]
struct AffectedRoute<'a> {
    from: &'a ClientId,
    to: &'a DomainName,
    state: State,
    since: Timestamp,
}

impl<'a> IncidentView<'a> {
    /// As in lists and events. `base` is the external URL without its final slash, or empty.
    pub(super) fn brief(incident: &'a Incident, base: &str) -> Self {
        Self {
            id: incident.id,
            dedup_key: &incident.dedup_key,
            state: incident.state,
            severity: incident.severity,
            opened: incident.opened,
            resolved: incident.resolved,
            ended_by: incident.ended_by.as_deref(),
            announced: incident.announced,
            flapping: incident.flapping(),
            acknowledged: incident.acknowledged.as_ref().map(|one| AcknowledgedView {
                at: one.at,
                by: &one.by,
            }),
            held: incident.held.as_ref(),
            cause: brief_cause(&incident.cause),
            domains: incident.affected.iter().filter_map(affected_domain).collect(),
            routes: incident.affected.iter().filter_map(affected_route).collect(),
            url: format!("{}/incidents/{}", base.trim_end_matches('/'), incident.id),
            log: None,
        }
    }

    /// Told with only these of what it touches.
    pub(super) fn of_those(self, touched: &[&'a Affected]) -> Self {
        Self {
            domains: touched.iter().filter_map(|one| affected_domain(one)).collect(),
            ..self
        }
    }

    /// With log and evidence.
    pub(super) fn full(incident: &'a Incident, base: &str) -> Self {
        Self {
            cause: incident.cause.clone(),
            log: Some(&incident.log),
            ..Self::brief(incident, base)
        }
    }
}

fn affected_domain(affected: &Affected) -> Option<AffectedDomain<'_>> {
    match &affected.target {
        Target::Domain(domain) => Some(AffectedDomain {
            client: affected.client.as_ref(),
            domain,
            state: affected.state,
            since: affected.since,
        }),
        _ => None,
    }
}

fn affected_route(affected: &Affected) -> Option<AffectedRoute<'_>> {
    match &affected.target {
        Target::Route(from, to) => Some(AffectedRoute {
            from,
            to,
            state: affected.state,
            since: affected.since,
        }),
        _ => None,
    }
}
