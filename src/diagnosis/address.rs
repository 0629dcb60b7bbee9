//! One address of a mail host: usable or not, and why, once everything that explains it has been heard.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Gateway;
use crate::model::reach::LifeCheck;
use crate::model::{Code, Evidence, Observation, Subject};
use crate::picture::{Health, Picture, Settled, Track};

use super::doubt::Doubt;
use super::finding::Finding;
use super::gateway::{GatewayState, back_behind, gateway, host_lives};

/// How an address is.
#[derive(Debug, Clone, PartialEq)]
pub enum AddressState {
    /// It takes mail.
    Usable,
    /// It takes mail, with something wrong.
    Impaired(Code),
    /// It does not.
    Failed(Code),
    /// It does not, because the gateway in front of it is down.
    Behind(Box<Finding>),
    /// It refuses *us*.
    Refused,
    /// There is no evidence, or it is old.
    Unknown,
}

/// An address with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AddressView {
    /// Which.
    pub address: SocketAddr,
    /// How it is.
    pub state: AddressState,
    /// What that rests on.
    pub observation: Option<Arc<Observation>>,
}

impl AddressView {
    /// Whether mail can be delivered there.
    pub fn is_usable(&self) -> bool {
        matches!(self.state, AddressState::Usable | AddressState::Impaired(_))
    }

    /// Whether mail certainly cannot.
    pub fn has_failed(&self) -> bool {
        matches!(self.state, AddressState::Failed(_) | AddressState::Behind(_))
    }

    /// What is wrong with it.
    pub fn code(&self) -> Option<Code> {
        match &self.state {
            AddressState::Impaired(code) | AddressState::Failed(code) => Some(*code),
            AddressState::Behind(finding) => Some(finding.code),
            AddressState::Refused => Some(Code::VantageRefused),
            AddressState::Usable | AddressState::Unknown => None,
        }
    }
}

/// Judges an address.
pub fn address(picture: &Picture, address: SocketAddr, now: Timestamp, doubt: &mut Doubt) -> AddressView {
    let Some(track) = picture.track(&Subject::Smtp(address)) else {
        doubt.want_first_look(picture, &Subject::Smtp(address), &picture.smtp_settings(address));
        return AddressView {
            address,
            state: AddressState::Unknown,
            observation: None,
        };
    };
    wait_while_in_doubt(picture, address, track, doubt);
    let Some(settled) = track.fresh(now) else {
        return AddressView {
            address,
            state: AddressState::Unknown,
            observation: None,
        };
    };
    let state = match settled.health {
        Health::Good | Health::Unrunnable => AddressState::Usable,
        Health::Refused => AddressState::Refused,
        Health::Failed(code) | Health::Settled(code) if is_impairment(code) => AddressState::Impaired(code),
        Health::Failed(code) | Health::Settled(code) => failed(picture, address, code, settled, now, doubt),
    };
    AddressView {
        address,
        state,
        observation: Some(Arc::clone(&settled.observation)),
    }
}

/// Mail still passes: slowly, or without TLS (`semantics` 14, 16).
fn is_impairment(code: Code) -> bool {
    code == Code::SmtpSlowGreeting || code.layer() == "tls"
}

/// What is in doubt here, or has to be heard anew, holds back what others conclude from it; a first look is no doubt
/// but ignorance.
fn wait_while_in_doubt(picture: &Picture, address: SocketAddr, track: &Track, doubt: &mut Doubt) {
    if let Some(since) = track.being_found_out_since() {
        let settings = picture.smtp_settings(address);
        doubt.want(picture, &Subject::Smtp(address), since, &settings);
    }
}

fn failed(
    picture: &Picture,
    address: SocketAddr,
    code: Code,
    settled: &Settled,
    now: Timestamp,
    doubt: &mut Doubt,
) -> AddressState {
    let silent = matches!(code, Code::HostUnreachable | Code::HostPort25Filtered);
    if silent {
        for front in picture.gateways_of(address.ip()) {
            // That it is down explains enough; only to clear it takes newer evidence.
            if let GatewayState::Down(finding) = gateway(picture, front, now, doubt) {
                return AddressState::Behind(finding);
            }
            doubt.want(picture, &front.subject(), settled.doubted(), &front.settings);
            if let Some(back) = back_behind(picture, front) {
                let settings = picture.smtp_settings(address);
                doubt.want(picture, &Subject::Smtp(address), back, &settings);
            }
        }
    }
    doubt.want_port25(picture, settled.doubted());
    if !silent {
        return AddressState::Failed(code);
    }
    let settings = picture.smtp_settings(address);
    doubt.want(
        picture,
        &Subject::Host(address.ip()),
        settled.doubted(),
        &settings,
    );
    if code == Code::HostUnreachable && host_lives(picture, address.ip(), settled.doubted()) {
        // A host that has only just come back may well take mail again: what failed before says nothing.
        let lives = picture
            .track(&Subject::Host(address.ip()))
            .and_then(|track| track.settled.as_ref());
        let smtp = Subject::Smtp(address);
        if let Some(lives) = lives {
            doubt.want(picture, &smtp, lives.since(), &settings);
        }
        return AddressState::Failed(Code::HostPort25Filtered);
    }
    AddressState::Failed(code)
}

/// One sentence on what an address showed.
pub fn describe(picture: &Picture, label: &str, view: &AddressView) -> String {
    let Some(observation) = &view.observation else {
        return format!("{label} has not been looked at yet.");
    };
    let seen = super::note::summary(observation);
    let alive = picture
        .track(&Subject::Host(view.address.ip()))
        .filter(|_| matches!(view.state, AddressState::Failed(Code::HostPort25Filtered)));
    let life = alive.and_then(|track| match &track.latest.evidence {
        Evidence::Host(host) => host
            .checks
            .iter()
            .find(|check| check.answered())
            .map(LifeCheck::summary),
        _ => None,
    });
    let forwarded = picture
        .gateways_of(view.address.ip())
        .find(|front| front.is_itself(view.address.ip(), picture.gateway_address(front)))
        .map(|front| {
            format!(
                " The suspect is the mail server or its port forward behind {}.",
                front.name
            )
        });
    let doubtful = silent_gateway(picture, view).map(|front| {
        format!(
            " {} in front of it does not answer either, and was never seen to: the fault may be there.",
            front.label()
        )
    });
    let life = life
        .map(|life| format!(" The host itself lives: {life}."))
        .unwrap_or_default();
    format!(
        "{label}, port {}: {seen}.{life}{}",
        view.address.port(),
        forwarded.or(doubtful).unwrap_or_default()
    )
}

/// A gateway in front of a silent address that is silent itself, but has never answered: it proves nothing, and is
/// no less a suspect.
fn silent_gateway<'a>(picture: &'a Picture, view: &AddressView) -> Option<&'a Arc<Gateway>> {
    if view.state != AddressState::Failed(Code::HostUnreachable) {
        return None;
    }
    picture.gateways_of(view.address.ip()).find(|front| {
        let track = picture.track(&front.subject());
        track.is_some_and(
            |track| matches!(&track.latest.evidence, Evidence::Gateway(evidence) if !evidence.answered()),
        )
    })
}
