//! Observations as evidence that a provider's support can read: who, from where, when, what, word for word.

use std::sync::Arc;
use std::time::Duration;

use crate::model::blocklist::{Listing, ListingEvidence};
use crate::model::dns::{AddressEvidence, Lookup, MxEvidence, NameServerAnswer, NameServerEvidence, NamedBy};
use crate::model::reach::{AnchorOutcome, LifeCheck};
use crate::model::service::{ServiceEvidence, ServiceFailureKind};
use crate::model::smtp::{SmtpEvidence, SmtpFailureKind};
use crate::model::tls::TlsFailure;
use crate::model::trace::TraceHop;
use crate::model::{Evidence, EvidenceNote, Observation, Subject};

use super::canary;
use super::records::{published, records};
use super::route;
use super::zone::zone_look;

/// An observation as a piece of evidence.
pub fn note(vantage: &Arc<str>, observation: &Observation) -> EvidenceNote {
    let transcript = match &observation.evidence {
        Evidence::Smtp(smtp) | Evidence::Recipient(smtp) => smtp.transcript.to_vec(),
        Evidence::Service(service) => service.transcript.to_vec(),
        Evidence::Canary(canary) => canary.transcript.clone(),
        Evidence::NameServers(servers) => {
            let closer = servers.closer.iter().flat_map(|look| zone_look(look));
            servers.servers.iter().map(name_server).chain(closer).collect()
        }
        Evidence::Trace(trace) => trace.hops.iter().map(trace_hop).collect(),
        evidence => records(&observation.subject, evidence),
    };
    EvidenceNote {
        probe: observation.subject.probe(),
        vantage: Arc::clone(vantage),
        source_address: observation.source,
        peer: peer(observation),
        at: observation.at,
        summary: summary(observation),
        transcript,
        control: None,
    }
}

/// One line of a trace, as the programs write it that people know.
fn trace_hop(hop: &TraceHop) -> String {
    format!("{}  {}  {}", hop.distance, hop.address, brief(hop.after))
}

/// What was asked, as people name it.
fn peer(observation: &Observation) -> String {
    match (&observation.subject, &observation.evidence) {
        (_, Evidence::Mx(evidence)) => format!("{} (resolver)", evidence.server),
        (_, Evidence::Addresses(evidence)) => format!("{} (resolver)", evidence.server),
        (Subject::Smtp(address) | Subject::Trace(address), _) => address.to_string(),
        (Subject::Host(address), _) => address.to_string(),
        (Subject::Recipient(recipient), Evidence::Recipient(smtp)) => {
            format!("{} at {}", recipient.address, smtp.peer)
        }
        (Subject::Service(service), Evidence::Service(evidence)) => match evidence.peer {
            Some(peer) => format!("{} ({})", service.label(), peer.ip()),
            None => service.label(),
        },
        (Subject::Gateway(_, name), Evidence::Gateway(evidence)) => match evidence.address {
            Some(address) => address.to_string(),
            None => name.to_string(),
        },
        (subject, _) => subject.to_string(),
    }
}

/// What an observation showed, in one line.
pub fn summary(observation: &Observation) -> String {
    match &observation.evidence {
        Evidence::Mx(evidence) => mx(evidence),
        Evidence::Addresses(evidence) => addresses(&observation.subject, evidence),
        Evidence::NameServers(evidence) => name_servers(evidence),
        Evidence::Host(evidence) => checks(&evidence.checks),
        Evidence::Trace(trace) => trace.sentence(),
        Evidence::Gateway(evidence) if evidence.address.is_none() => "its name does not resolve".into(),
        Evidence::Gateway(evidence) => checks(&evidence.checks),
        Evidence::Anchor(evidence) => match &evidence.outcome {
            AnchorOutcome::Answered { after, .. } => format!("answered after {}", brief(*after)),
            AnchorOutcome::Silent { reason } => reason.clone(),
        },
        Evidence::Resolver(evidence) => match &evidence.answer {
            Lookup::Found { .. } => "it answers".into(),
            other => other.outcome(),
        },
        Evidence::Spf(_) | Evidence::Dmarc(_) | Evidence::Dkim(_) | Evidence::Sts(_) | Evidence::Tlsa(_) => {
            published(&observation.evidence)
        }
        Evidence::Service(evidence) => service(evidence),
        Evidence::Blocklist(evidence) => evidence
            .complaint()
            .unwrap_or_else(|| "it passes its self-test".into()),
        Evidence::Listing(evidence) => listing(evidence),
        Evidence::Canary(evidence) => canary::summary(evidence),
        Evidence::Sender(evidence) => route::sender::summary(evidence),
        Evidence::Recipient(evidence) if evidence.accepted_recipient() => "accepted".into(),
        Evidence::Smtp(evidence) | Evidence::Recipient(evidence) => smtp(evidence),
        Evidence::Unrunnable(obstacle) => format!("could not be probed: {}", obstacle.reason),
    }
}

fn checks(checks: &[LifeCheck]) -> String {
    checks
        .iter()
        .map(LifeCheck::summary)
        .collect::<Vec<_>>()
        .join(", ")
}

fn mx(evidence: &MxEvidence) -> String {
    match &evidence.answer {
        Lookup::Found { records, .. } => {
            let list: Vec<String> = records
                .iter()
                .take(10)
                .map(|record| format!("{} {}", record.preference, record.exchange))
                .collect();
            format!("MX {}", list.join(", "))
        }
        Lookup::NoData { .. } => "no MX record".into(),
        other => format!("MX: {}", other.outcome()),
    }
}

fn addresses(subject: &Subject, evidence: &AddressEvidence) -> String {
    let host = match subject {
        Subject::Addresses(host) => host.as_str(),
        _ => "",
    };
    let found: Vec<String> = evidence
        .addresses()
        .take(10)
        .map(|address| address.to_string())
        .collect();
    let odd = evidence
        .v4
        .records()
        .into_iter()
        .flatten()
        .map(ToString::to_string);
    let odd: Vec<String> = odd
        .chain(
            evidence
                .v6
                .records()
                .into_iter()
                .flatten()
                .map(ToString::to_string),
        )
        .take(5)
        .collect();
    if !found.is_empty() {
        format!("{host}: {}", found.join(", "))
    } else if !odd.is_empty() {
        format!("{host}: {}, which can be nobody's mail server", odd.join(", "))
    } else if evidence.v4.is_definite() && !matches!(evidence.v4, Lookup::NxDomain { .. }) {
        format!("{host} has no address")
    } else {
        format!("{host}: {}", evidence.v4.outcome())
    }
}

fn name_servers(evidence: &NameServerEvidence) -> String {
    let failing: Vec<String> = evidence
        .servers
        .iter()
        .filter(|server| !server.serves())
        .take(6)
        .map(name_server)
        .collect();
    match (evidence.servers.len(), failing.len()) {
        (0, _) => "no name server could be found".into(),
        (all, 0) => format!("all {all} name servers answer"),
        _ => failing.join("; "),
    }
}

/// What one name server said.
pub(super) fn name_server(server: &NameServerAnswer) -> String {
    let only = match server.named_by {
        NamedBy::Zone => "",
        NamedBy::ParentOnly => ", named by the zone above alone",
    };
    let at = match server.address {
        Some(address) => format!("{} ({address}{only})", server.name),
        None if server.answer.is_definite() => {
            return format!("{}{only}: the name has no address", server.name);
        }
        None => {
            return format!(
                "{}{only}: its address could not be looked up ({})",
                server.name,
                server.answer.outcome()
            );
        }
    };
    if server.answer.is_definite() && !server.authoritative {
        return format!("{at}: answers without authority for the domain");
    }
    match &server.answer {
        Lookup::Found { records, .. } => {
            let list: Vec<String> = records
                .iter()
                .take(10)
                .map(|record| record.exchange.to_string())
                .collect();
            format!("{at}: MX {}", list.join(", "))
        }
        other => format!("{at}: {}", other.outcome()),
    }
}

fn smtp(evidence: &SmtpEvidence) -> String {
    let Some(failure) = &evidence.failure else {
        let total: Duration = evidence.stages.iter().map(|timing| timing.elapsed).sum();
        let tls = evidence
            .tls
            .as_ref()
            .map_or("without TLS", |tls| tls.version.as_str());
        return format!("whole dialogue in {}, {tls}", brief(total));
    };
    match &failure.kind {
        SmtpFailureKind::Dial(error) => format!("{error} after {}", brief(failure.after)),
        SmtpFailureKind::Timeout => {
            format!("nothing at stage {} for {}", failure.stage, brief(failure.after))
        }
        SmtpFailureKind::Closed { reset } => {
            let how = if *reset { "reset" } else { "closed" };
            format!(
                "connection {how} at stage {} after {}",
                failure.stage,
                brief(failure.after)
            )
        }
        SmtpFailureKind::Reply(reply) => format!("answered \"{reply}\" at stage {}", failure.stage),
        SmtpFailureKind::Protocol(error) => format!("{error}, at stage {}", failure.stage),
        SmtpFailureKind::Tls(tls) => tls_failure(tls),
    }
}

fn service(evidence: &ServiceEvidence) -> String {
    let Some(failure) = &evidence.failure else {
        let total: Duration = evidence.stages.iter().map(|timing| timing.elapsed).sum();
        let tls = evidence.tls.as_ref();
        let until = tls.and_then(|tls| Some(tls.certificate.as_ref()?.not_after));
        let until = until.map(|at| format!(", certificate until {}", at.strftime("%Y-%m-%d")));
        return format!(
            "answers in {}, {}{}",
            brief(total),
            tls.map_or("without TLS", |tls| tls.version.as_str()),
            until.unwrap_or_default()
        );
    };
    let (stage, after) = (failure.stage, brief(failure.after));
    match &failure.kind {
        ServiceFailureKind::NoAddress { said } => format!("its name has no address ({said})"),
        ServiceFailureKind::Untold { said } => format!("its address could not be found out ({said})"),
        ServiceFailureKind::Dial(error) => format!("{error} after {after}"),
        ServiceFailureKind::Timeout => format!("nothing at stage {stage} for {after}"),
        ServiceFailureKind::Closed { reset: true } => {
            format!("connection reset at stage {stage} after {after}")
        }
        ServiceFailureKind::Closed { reset: false } => {
            format!("connection closed at stage {stage} after {after}")
        }
        ServiceFailureKind::Refused { line, .. } => format!("answered \"{line}\" at stage {stage}"),
        ServiceFailureKind::Protocol { reason } => format!("{reason}, at stage {stage}"),
        ServiceFailureKind::Tls(tls) => tls_failure(tls),
    }
}

fn listing(evidence: &ListingEvidence) -> String {
    match (evidence.answer.listing(), &evidence.reason) {
        (Listing::Listed, Some(reason)) => format!("listed ({}): {reason}", evidence.answer.outcome()),
        (Listing::Listed, None) => format!("listed ({})", evidence.answer.outcome()),
        (Listing::NotListed, _) => "not listed".into(),
        (Listing::RefusesUs, _) => {
            format!(
                "the list turns our questions away ({})",
                evidence.answer.outcome()
            )
        }
        (Listing::Untold, _) => format!("the list could not be asked: {}", evidence.answer.outcome()),
    }
}

fn tls_failure(failure: &TlsFailure) -> String {
    match &failure.alert {
        Some(alert) => format!("TLS failed: the server's alert {alert}"),
        None => format!("TLS failed: {}", failure.reason),
    }
}

/// A duration as people read it: `38 ms`, `4.0 s`.
pub fn brief(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.0095 {
        format!("{:.1} ms", seconds * 1000.0)
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}
