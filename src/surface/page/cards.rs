//! The parts that pages are made of, in the words that they show.

use std::time::Duration;

use jiff::Timestamp;

use super::words::{self, Moment};
use crate::model::{
    Cause, ClientId, Code, Confidence, EvidenceNote, Flaps, Hop, HopKind, IncidentId, Owner, State, Target,
    Verdict,
};
use crate::snapshot::{GatewayView, Snapshot};

/// A cause, explained.
pub(super) struct CauseCard {
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) subject: String,
    pub(super) detail: String,
    pub(super) explanation: &'static str,
    pub(super) action: &'static str,
    pub(super) whose: String,
    pub(super) contact: Option<String>,
    pub(super) confidence: String,
    pub(super) evidence: Vec<EvidenceCard>,
}

impl CauseCard {
    pub(super) fn new(snapshot: &Snapshot, cause: &Cause, client: Option<&ClientId>, now: Timestamp) -> Self {
        let entry = cause.code.entry();
        Self {
            code: cause.code.as_str(),
            title: entry.title,
            subject: cause.subject.clone(),
            detail: cause.detail.clone(),
            explanation: cause.explanation(),
            action: cause.action(),
            whose: whose(snapshot, cause, client),
            contact: cause.contact.clone(),
            confidence: confidence(cause),
            evidence: cause
                .evidence
                .iter()
                .map(|note| EvidenceCard::new(note, now))
                .collect(),
        }
    }
}

fn whose(snapshot: &Snapshot, cause: &Cause, client: Option<&ClientId>) -> String {
    match cause.owner {
        Owner::Client => match cause.root.client.as_ref().or(client) {
            Some(client) => client_name(snapshot, client),
            None => "the client".to_owned(),
        },
        Owner::Recipient => "the recipient's organisation".to_owned(),
        Owner::Provider => "the mail provider".to_owned(),
        Owner::Network => "whoever runs the line or network between".to_owned(),
        Owner::Us => "ours".to_owned(),
    }
}

fn confidence(cause: &Cause) -> String {
    let word = match cause.confidence {
        Confidence::Certain => "Certain",
        Confidence::Probable => "Probable",
        Confidence::Possible => "Possible",
    };
    match &cause.confidence_reason {
        Some(reason) => format!("{word}: {reason}"),
        None => word.to_owned(),
    }
}

/// Whose something was, over all clients.
pub(super) fn owner_in_words(owner: Owner) -> &'static str {
    match owner {
        Owner::Client => "Our clients",
        Owner::Recipient => "Recipients",
        Owner::Provider => "Mail providers",
        Owner::Network => "Lines and networks between",
        Owner::Us => "Ourselves",
    }
}

/// A client's name, or its id while no name is known.
pub(super) fn client_name(snapshot: &Snapshot, client: &ClientId) -> String {
    snapshot
        .clients
        .iter()
        .find(|view| view.id == *client)
        .map_or_else(|| client.to_string(), |view| view.name.clone())
}

/// One piece of evidence.
pub(super) struct EvidenceCard {
    pub(super) probe: &'static str,
    pub(super) peer: String,
    pub(super) from: String,
    pub(super) at: Moment,
    pub(super) summary: String,
    pub(super) control: Option<String>,
    pub(super) transcript: Vec<String>,
}

impl EvidenceCard {
    fn new(note: &EvidenceNote, now: Timestamp) -> Self {
        let from = match note.source_address {
            Some(address) => format!("{} ({address})", note.vantage),
            None => note.vantage.to_string(),
        };
        Self {
            probe: note.probe.as_str(),
            peer: note.peer.clone(),
            from,
            at: Moment::new(note.at, now),
            summary: note.summary.clone(),
            control: note.control.clone(),
            transcript: note.transcript.clone(),
        }
    }
}

/// One step of the path.
pub(super) struct HopCard {
    pub(super) label: &'static str,
    pub(super) subject: String,
    pub(super) state: State,
    pub(super) elapsed: Option<String>,
    pub(super) summary: String,
}

impl HopCard {
    pub(super) fn all(path: &[Hop]) -> Vec<Self> {
        path.iter().map(Self::new).collect()
    }

    fn new(hop: &Hop) -> Self {
        Self {
            label: match hop.hop {
                HopKind::Vantage => "Our side",
                HopKind::Dns => "DNS",
                HopKind::Gateway => "Router",
                HopKind::Host => "Host",
                HopKind::Smtp => "Mail server",
                HopKind::Tls => "Encryption",
                HopKind::Policy => "Policy",
                HopKind::Service => "Service",
                HopKind::Reputation => "Reputation",
                HopKind::Delivery => "Delivery",
            },
            subject: hop.subject.to_string(),
            state: hop.state,
            elapsed: hop
                .elapsed
                .map(|elapsed| words::elapsed(Duration::from(elapsed).as_secs_f64())),
            summary: hop.summary.to_string(),
        }
    }
}

/// A warning beside a verdict.
pub(super) struct WarningCard {
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) subject: String,
    pub(super) summary: String,
}

/// That something comes and goes: `Flapping: 7 turns since 02:14 UTC`.
pub(super) fn flapping(flaps: Option<&Flaps>, now: Timestamp) -> Option<String> {
    let flaps = flaps?;
    let since = Moment::new(flaps.since, now).human;
    Some(format!("Flapping: {} turns since {since}", flaps.turns))
}

/// A domain, in a list or on its own page.
pub(super) struct DomainCard {
    pub(super) name: String,
    /// The name as people read it, where that differs.
    pub(super) unicode: Option<String>,
    pub(super) client: Option<String>,
    pub(super) state: State,
    pub(super) since: Moment,
    pub(super) checked: Option<Moment>,
    pub(super) provider: Option<String>,
    pub(super) incident: Option<IncidentId>,
    pub(super) flapping: Option<String>,
    pub(super) cause: Option<CauseCard>,
    pub(super) symptoms: Vec<&'static str>,
    pub(super) warnings: Vec<WarningCard>,
    pub(super) path: Vec<HopCard>,
}

impl DomainCard {
    pub(super) fn new(snapshot: &Snapshot, verdict: &Verdict, now: Timestamp) -> Self {
        let (name, unicode) = match &verdict.target {
            Target::Domain(domain) | Target::Route(_, domain) => {
                (domain.to_string(), domain.display_unicode())
            }
            Target::Vantage(name)
            | Target::Provider(name)
            | Target::Gateway(_, name)
            | Target::Canary(_, name)
            | Target::Notifier(name)
            | Target::Source(name) => (name.to_string(), name.to_string()),
        };
        Self {
            unicode: (unicode != name).then_some(unicode),
            name,
            client: verdict
                .client
                .as_ref()
                .map(|client| client_name(snapshot, client)),
            state: verdict.state,
            since: Moment::new(verdict.since, now),
            checked: verdict.checked.map(|at| Moment::new(at, now)),
            provider: verdict.provider.as_deref().map(str::to_owned),
            incident: verdict.incident,
            flapping: flapping(verdict.flapping.as_deref(), now),
            cause: verdict
                .cause
                .as_ref()
                .map(|cause| CauseCard::new(snapshot, cause, verdict.client.as_ref(), now)),
            symptoms: verdict.symptoms.iter().map(|code| code.entry().title).collect(),
            warnings: warnings(verdict),
            path: HopCard::all(&verdict.path),
        }
    }
}

/// A verdict's warnings in words.
pub(super) fn warnings(verdict: &Verdict) -> Vec<WarningCard> {
    let card = |code: Code, subject: &str, summary: &str| WarningCard {
        code: code.as_str(),
        title: code.entry().title,
        subject: subject.to_owned(),
        summary: summary.to_owned(),
    };
    verdict
        .also
        .iter()
        .map(|warning| card(warning.code, &warning.subject, &warning.summary))
        .collect()
}

/// A gateway in its list.
pub(super) struct GatewayCard {
    pub(super) name: String,
    pub(super) client: Option<String>,
    pub(super) address: String,
    pub(super) state: State,
    pub(super) since: Moment,
    pub(super) title: Option<&'static str>,
    pub(super) incident: Option<IncidentId>,
    pub(super) flapping: Option<String>,
    /// `12 ms, 3% lost`.
    pub(super) pings: Option<String>,
    pub(super) warnings: Vec<WarningCard>,
}

impl GatewayCard {
    pub(super) fn new(snapshot: &Snapshot, gateway: &GatewayView, now: Timestamp) -> Self {
        let verdict = &gateway.verdict;
        let name = match &verdict.target {
            Target::Gateway(_, name) => name.to_string(),
            other => other.to_string(),
        };
        Self {
            name,
            client: verdict
                .client
                .as_ref()
                .map(|client| client_name(snapshot, client)),
            address: gateway.address.clone(),
            state: verdict.state,
            since: Moment::new(verdict.since, now),
            title: verdict.cause.as_ref().map(|cause| cause.code.entry().title),
            incident: verdict.incident,
            flapping: flapping(verdict.flapping.as_deref(), now),
            pings: pings(gateway),
            warnings: warnings(verdict),
        }
    }
}

fn pings(gateway: &GatewayView) -> Option<String> {
    if gateway.pings == 0 {
        return None;
    }
    // Counts of pings stay far below what a float holds exactly.
    #[allow(clippy::cast_precision_loss)]
    let (sent, lost, answered) = (
        gateway.pings as f64,
        gateway.pings_lost as f64,
        gateway.round_trips.count() as f64,
    );
    let loss = format!("{:.0}% of pings lost since the start", lost / sent * 100.0);
    Some(if answered > 0.0 {
        let mean = words::elapsed(gateway.round_trips.sum / answered);
        format!("{mean} on average, {loss}")
    } else {
        loss
    })
}
