//! The path that mail takes to a domain, hop by hop, as the evidence shows it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::smtp::SmtpEvidence;
use crate::model::{Code, Evidence, Hop, HopKind, SmtpStage, State, Subject};

use super::address::{AddressState, AddressView};
use super::dns::DnsState;
use super::domain::Parts;
use super::host::{HostState, HostView};
use super::line::impairment;
use super::note::{brief, summary};
use super::service::ServiceView;

/// Draws the path: our side, DNS, then each address of each host with what stands before and behind it.
pub(super) fn draw(parts: &Parts<'_>) -> Vec<Hop> {
    let mut hops = vec![vantage(parts)];
    hops.extend(parts.route.iter().flat_map(|route| route.hops.iter().cloned()));
    hops.push(dns(parts));
    for host in &parts.hosts {
        if host.addresses.is_empty() {
            hops.push(bare_host(host));
        }
        for view in &host.addresses {
            address(parts, host, view, &mut hops);
        }
    }
    hops.push(policy(parts));
    hops.extend(parts.services.iter().map(service));
    hops.extend(reputation(parts));
    hops.extend(parts.asked.hop.clone());
    hops
}

fn policy(parts: &Parts<'_>) -> Hop {
    let policies = &parts.policies;
    let summary = match policies.findings.first() {
        Some(finding) => finding.detail.clone(),
        None => policies.words.clone(),
    };
    hop(
        HopKind::Policy,
        parts.domain.name.shared(),
        policies.state,
        summary,
    )
}

fn service(view: &ServiceView) -> Hop {
    let seen = view
        .observation
        .as_ref()
        .map_or_else(|| "not looked at yet".to_owned(), |seen| summary(seen));
    let certificate = view.finding.as_ref().or(view.warning.as_ref());
    let said = match certificate.filter(|found| found.code != Code::ServiceUnreachable) {
        Some(found) => found.detail.clone(),
        None => seen,
    };
    let elapsed = view.observation.as_ref().map(|seen| seen.elapsed);
    timed(
        hop(HopKind::Service, view.service.label(), view.state, said),
        elapsed.unwrap_or_default(),
    )
}

/// What blocklists say, once any has said anything.
fn reputation(parts: &Parts<'_>) -> Option<Hop> {
    let told = &parts.reputation;
    told.checked?;
    let subject = match told.addresses {
        1 => "1 address".to_owned(),
        more => format!("{more} addresses"),
    };
    let lists = match told.lists {
        1 => "the one blocklist".to_owned(),
        more => format!("any of {more} blocklists"),
    };
    Some(match told.listed.first() {
        Some((finding, _)) => hop(
            HopKind::Reputation,
            subject,
            State::Degraded,
            finding.detail.clone(),
        ),
        None => hop(
            HopKind::Reputation,
            subject,
            State::Flowing,
            format!("not on {lists}"),
        ),
    })
}

fn hop(hop: HopKind, subject: impl Into<Arc<str>>, state: State, summary: impl Into<Arc<str>>) -> Hop {
    Hop {
        hop,
        subject: subject.into(),
        state,
        elapsed: None,
        summary: summary.into(),
    }
}

fn vantage(parts: &Parts<'_>) -> Hop {
    let name = Arc::clone(&parts.picture.inventory.vantage);
    match parts.own.worst() {
        Some(finding) => hop(HopKind::Vantage, name, State::Broken, finding.detail.clone()),
        None if parts.own.proven => hop(HopKind::Vantage, name, State::Flowing, "our own line works"),
        None => hop(
            HopKind::Vantage,
            name,
            State::Unknown,
            "nothing has answered us yet",
        ),
    }
}

fn dns(parts: &Parts<'_>) -> Hop {
    let name = || parts.domain.name.shared();
    let track = parts.picture.track(&Subject::Mx(parts.domain.name.clone()));
    let seen = track.map(|track| summary(&track.latest)).unwrap_or_default();
    let mut drawn = match &parts.dns {
        DnsState::Known(findings) => match findings.first() {
            None => hop(HopKind::Dns, name(), State::Flowing, seen),
            Some(finding) => hop(HopKind::Dns, name(), State::Degraded, finding.detail.clone()),
        },
        DnsState::Broken(finding) => hop(HopKind::Dns, name(), State::Broken, finding.detail.clone()),
        DnsState::Unknown(Some(finding)) => hop(HopKind::Dns, name(), State::Unknown, finding.detail.clone()),
        DnsState::Unknown(None) => hop(HopKind::Dns, name(), State::Unknown, seen),
    };
    drawn.elapsed = track.map(|track| track.latest.elapsed.into());
    drawn
}

fn bare_host(host: &HostView) -> Hop {
    let (state, summary) = match &host.state {
        HostState::Failed(finding) => (State::Broken, finding.detail.clone()),
        HostState::Unknown(Some(finding)) => (State::Unknown, finding.detail.clone()),
        _ => (State::Unknown, "no address that we can try is known".to_owned()),
    };
    hop(HopKind::Host, host.name.shared(), state, summary)
}

fn address(parts: &Parts<'_>, host: &HostView, view: &AddressView, hops: &mut Vec<Hop>) {
    let label = format!("{} ({})", host.name, view.address.ip());
    if let Some(front) = parts.picture.gateways_of(view.address.ip()).next() {
        let down = matches!(view.state, AddressState::Behind(_));
        let seen = parts
            .picture
            .track(&front.subject())
            .map(|track| summary(&track.latest));
        let answers = parts.picture.track(&front.subject()).is_some_and(
            |track| matches!(&track.latest.evidence, Evidence::Gateway(gateway) if gateway.answered()),
        );
        let impaired = impairment(parts.picture, front).filter(|_| !down);
        let state = match (down, answers || view.is_usable()) {
            (true, _) => State::Broken,
            (false, true) if impaired.is_some() => State::Degraded,
            (false, true) => State::Flowing,
            (false, false) => State::Unknown,
        };
        let seen = impaired.map(|finding| finding.detail).or(seen);
        hops.push(hop(
            HopKind::Gateway,
            front.label(),
            state,
            seen.unwrap_or_default(),
        ));
        if down {
            hops.push(hop(
                HopKind::Host,
                label,
                State::Unknown,
                "behind the gateway that is down",
            ));
            return;
        }
    }
    let smtp = view
        .observation
        .as_ref()
        .and_then(|observation| match &observation.evidence {
            Evidence::Smtp(smtp) => Some(&**smtp),
            _ => None,
        });
    let Some(smtp) = smtp else {
        hops.push(hop(HopKind::Host, label, State::Unknown, "not looked at yet"));
        return;
    };
    hops.extend(session(parts, host, view, smtp, &label));
}

fn session(
    parts: &Parts<'_>,
    host: &HostView,
    view: &AddressView,
    smtp: &SmtpEvidence,
    label: &str,
) -> Vec<Hop> {
    let failed = smtp.failed_stage();
    let seen = view
        .observation
        .as_ref()
        .map(|observation| summary(observation))
        .unwrap_or_default();
    let bad = if view.state == AddressState::Refused {
        State::Unknown
    } else {
        State::Broken
    };
    let mut hops = Vec::new();
    if failed == Some(SmtpStage::Connect) {
        hops.push(timed(
            hop(HopKind::Host, label, bad, seen),
            time(smtp, &[SmtpStage::Connect]),
        ));
        return hops;
    }
    let connect = time(smtp, &[SmtpStage::Connect]);
    hops.push(timed(
        hop(HopKind::Host, label, State::Flowing, "port 25 open"),
        connect,
    ));
    let dialogue = time(smtp, &[SmtpStage::Greeting, SmtpStage::Ehlo]);
    if matches!(failed, Some(SmtpStage::Greeting | SmtpStage::Ehlo)) {
        let state = if view.is_usable() { State::Degraded } else { bad };
        hops.push(timed(hop(HopKind::Smtp, label, state, seen), dialogue));
        return hops;
    }
    let greeting = smtp
        .greeting
        .as_ref()
        .map(|reply| reply.code.to_string())
        .unwrap_or_default();
    hops.push(timed(
        hop(HopKind::Smtp, label, State::Flowing, format!("{greeting}, EHLO")),
        dialogue,
    ));
    let handshake = time(smtp, &[SmtpStage::StartTls, SmtpStage::Handshake]);
    let finding = host
        .impaired
        .iter()
        .find(|finding| finding.code.layer() == "tls" && finding.subject == label);
    let expiry = expiry(smtp).map(|at| format!(", certificate until {}", at.strftime("%Y-%m-%d")));
    let tls = match (&smtp.tls, finding) {
        (_, Some(finding)) => hop(HopKind::Tls, label, finding.state, finding.detail.clone()),
        (Some(tls), None) => hop(
            HopKind::Tls,
            label,
            State::Flowing,
            format!("{}{}", tls.version, expiry.unwrap_or_default()),
        ),
        (None, None) if failed.is_some() => hop(HopKind::Tls, label, State::Degraded, seen),
        (None, None) => hop(HopKind::Tls, label, State::Flowing, "not offered, not required"),
    };
    hops.push(timed(tls, handshake));
    let _ = parts;
    hops
}

fn timed(mut drawn: Hop, elapsed: Duration) -> Hop {
    drawn.elapsed = (!elapsed.is_zero()).then(|| elapsed.into());
    drawn
}

fn time(smtp: &SmtpEvidence, stages: &[SmtpStage]) -> Duration {
    smtp.stages
        .iter()
        .filter(|timing| stages.contains(&timing.stage))
        .map(|timing| timing.elapsed)
        .sum()
}

fn expiry(smtp: &SmtpEvidence) -> Option<Timestamp> {
    Some(smtp.tls.as_ref()?.certificate.as_ref()?.not_after)
}

/// The earliest end of a certificate at any address of a domain.
pub(super) fn earliest_expiry(parts: &Parts<'_>) -> Option<Timestamp> {
    let views = parts.hosts.iter().flat_map(|host| &host.addresses);
    let evidence = views.filter_map(|view| match &view.observation.as_ref()?.evidence {
        Evidence::Smtp(smtp) => expiry(smtp),
        _ => None,
    });
    evidence.min()
}

/// The last times of a session's stages, for people: `connect 12 ms, greeting 30 ms`.
pub fn stages(smtp: &SmtpEvidence) -> String {
    let list: Vec<String> = smtp
        .stages
        .iter()
        .map(|timing| format!("{} {}", timing.stage, brief(timing.elapsed)))
        .collect();
    list.join(", ")
}
