//! Gateways: the router or firewall in front of a client's servers. Any passing check, or any reply from an
//! address behind it, means up (`semantics` 13).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Gateway;
use crate::model::smtp::SmtpFailureKind;
use crate::model::{Code, DialError, Evidence, Observation, Root, RootKind, Service, Subject};
use crate::picture::{Health, Picture, Track};

use super::control::Control;
use super::doubt::Doubt;
use super::finding::Finding;
use super::note::summary;

/// How a gateway is.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayState {
    /// It answers, or something behind it does.
    Up,
    /// Neither it nor anything behind it answers.
    Down(Box<Finding>),
    /// It has never answered a check, and nothing behind it proves that it works.
    Unproven,
    /// It is too early to say, or evidence is old.
    Unknown,
}

/// Judges a gateway.
pub fn gateway(picture: &Picture, gateway: &Gateway, now: Timestamp, doubt: &mut Doubt) -> GatewayState {
    let subject = gateway.subject();
    let Some(track) = picture.track(&subject) else {
        return GatewayState::Unknown;
    };
    if let Some(since) = track.in_doubt_since() {
        doubt.want(picture, &subject, since, &gateway.settings);
    }
    let Some(settled) = track.fresh(now) else {
        return GatewayState::Unknown;
    };
    let Health::Failed(code) = settled.health else {
        return GatewayState::Up;
    };
    let behind = picture.addresses_behind(gateway);
    if behind
        .iter()
        .any(|address| has_replied(picture, *address, settled.doubted()))
    {
        return GatewayState::Up;
    }
    let services = picture.services_behind(gateway);
    let answered = |service: &Service| service_has_replied(picture, gateway, service, settled.doubted());
    if services.iter().any(answered) {
        return GatewayState::Up;
    }
    for service in &services {
        let settings = picture.service_settings(service);
        doubt.want(
            picture,
            &Subject::Service(service.clone()),
            settled.doubted(),
            &settings,
        );
    }
    for address in &behind {
        let subject = Subject::Smtp(*address);
        doubt.want(
            picture,
            &subject,
            settled.doubted(),
            &picture.smtp_settings(*address),
        );
    }
    if code == Code::GatewayUnproven || (behind.is_empty() && is_known_by_agent_alone(track)) {
        return GatewayState::Unproven;
    }
    doubt.want_line(picture, settled.doubted());
    let others = Control::all_but(behind.iter().copied(), now);
    GatewayState::Down(Box::new(
        down(picture, gateway, &settled.observation, &behind).beside(others),
    ))
}

/// Whether its SNMP agent is all that has answered: with nothing behind it that could bear witness, an agent that is
/// off looks the same as a router that is.
fn is_known_by_agent_alone(track: &Track) -> bool {
    track.last_good().is_some_and(|good| match &good.evidence {
        Evidence::Gateway(gateway) => gateway
            .checks
            .iter()
            .all(|check| check.is_extra() || !check.answered()),
        _ => false,
    })
}

fn down(
    picture: &Picture,
    gateway: &Gateway,
    observation: &Arc<Observation>,
    behind: &[SocketAddr],
) -> Finding {
    let root = Root {
        kind: RootKind::Gateway,
        client: Some(gateway.client.clone()),
        name: Arc::clone(&gateway.name),
    };
    let servers = match behind {
        [] => String::new(),
        [_] => ", nor does the server behind it; the server is not the suspect".to_owned(),
        more => format!(
            ", nor do the {} addresses behind it; the servers are not the suspect",
            more.len()
        ),
    };
    let detail = format!(
        "{} does not answer ({}){servers}.",
        gateway.label(),
        summary(observation)
    );
    Finding::new(Code::GatewayDown, root, gateway.label(), detail)
        .on([Arc::clone(observation)])
        .seen_from(picture)
        .followed(picture, behind.iter().copied())
}

/// Whether anything came back from an address, in a probe that began at or after `since`.
pub fn has_replied(picture: &Picture, address: SocketAddr, since: Timestamp) -> bool {
    let newest = |subject: &Subject| {
        picture
            .track(subject)
            .map(|track| &track.latest)
            .filter(|observation| observation.at >= since)
    };
    newest(&Subject::Smtp(address)).is_some_and(|observation| is_reply(observation))
        || host_lives(picture, address.ip(), since)
}

/// When something behind a gateway was last found good again: the gateway may have been away until then, and what
/// failed behind it before may be over as well.
pub fn back_behind(picture: &Picture, gateway: &Gateway) -> Option<Timestamp> {
    let mail = picture.addresses_behind(gateway).into_iter().map(Subject::Smtp);
    let services = picture.services_behind(gateway).into_iter().map(Subject::Service);
    mail.chain(services)
        .filter_map(|subject| picture.track(&subject)?.recovered_at())
        .max()
}

/// Whether anything came back from a service behind a gateway, in a probe that began at or after `since`.
fn service_has_replied(picture: &Picture, front: &Gateway, service: &Service, since: Timestamp) -> bool {
    let Some(track) = picture.track(&Subject::Service(service.clone())) else {
        return false;
    };
    let Evidence::Service(evidence) = &track.latest.evidence else {
        return false;
    };
    let resolved = picture.gateway_address(front);
    track.latest.at >= since
        && evidence.has_replied()
        && evidence
            .peer
            .is_some_and(|peer| front.fronts(peer.ip(), resolved))
}

/// Whether a host has shown that it lives, in a probe that began at or after `since`.
pub fn host_lives(picture: &Picture, address: IpAddr, since: Timestamp) -> bool {
    picture.track(&Subject::Host(address)).is_some_and(|track| {
        track.latest.at >= since
            && matches!(&track.latest.evidence, Evidence::Host(evidence) if evidence.alive())
    })
}

/// Whether an SMTP session met the host itself, however it went on.
fn is_reply(observation: &Observation) -> bool {
    let Evidence::Smtp(smtp) = &observation.evidence else {
        return false;
    };
    match &smtp.failure {
        None => true,
        Some(failure) => {
            !matches!(&failure.kind, SmtpFailureKind::Dial(error) if *error != DialError::Refused)
        }
    }
}
