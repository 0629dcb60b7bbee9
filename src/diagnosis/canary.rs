//! Canaries: whether a message of a client's own server arrives where it should, and if not, whose it is. Our own wrong
//! password is never the client's outage, and a router that is down is called so.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::inventory::Canary;
use crate::message::{self, Reason, Stage};
use crate::model::smtp::SmtpFailureKind;
use crate::model::{
    CanaryEvidence, CanaryOutcome, CanaryStage, Cause, Code, Evidence, Hop, Observation, Proof, Reply, Root,
    RootKind, State, Subject, Warning,
};
use crate::picture::{Health, Picture, SMTP_PORT, Settled};

use super::address::address;
use super::doubt::Doubt;
use super::finding::Finding;
use super::gateway::{GatewayState, gateway};
use super::route::recipient::of_recipient;
use super::vantage::OwnSide;

mod told;

pub(super) use told::summary;
use told::{detail, late, path};

/// What the evidence says of a canary now.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryJudgement {
    /// How it is.
    pub state: State,
    /// Why; `None` when flowing.
    pub cause: Option<Arc<Cause>>,
    /// What else somebody should know.
    pub also: Vec<Warning>,
    /// What it rests on.
    pub proven_by: Vec<Proof>,
    /// The newest evidence.
    pub checked: Option<Timestamp>,
    /// Its way.
    pub path: Vec<Hop>,
}

/// What one canary means by itself.
pub(super) fn classify(picture: &Picture, observation: &Observation, evidence: &CanaryEvidence) -> Health {
    let Subject::Canary(client, name) = &observation.subject else {
        return Health::Unrunnable;
    };
    let Some(canary) = picture.inventory.canary(client, name) else {
        return Health::Unrunnable;
    };
    match &evidence.outcome {
        CanaryOutcome::NoServer { definite: false, .. } => Health::Unrunnable,
        CanaryOutcome::NotSubmitted {
            stage,
            kind: SmtpFailureKind::Reply(reply),
            ..
        } => Health::Failed(refused(*stage, reply)),
        // A bounce that does not say why says that much.
        CanaryOutcome::Returned { code, .. } => Health::Failed(code.unwrap_or(Code::DeliveryLost)),
        CanaryOutcome::NoServer { .. } | CanaryOutcome::NotSubmitted { .. } => {
            Health::Failed(Code::SenderSubmissionFailed)
        }
        CanaryOutcome::NotTrusted { .. } => Health::Failed(Code::ServiceCertificateUntrusted),
        CanaryOutcome::LoginRefused { .. } | CanaryOutcome::NoToken { .. } => {
            Health::Failed(Code::CanaryCredentials)
        }
        CanaryOutcome::MailboxUnreachable { .. } => Health::Failed(Code::DeliveryMailboxUnreachable),
        CanaryOutcome::Lost { .. } => Health::Failed(Code::DeliveryLost),
        CanaryOutcome::Arrived { junk: Some(_), .. } => Health::Failed(Code::DeliveryJunk),
        CanaryOutcome::Arrived { after, .. } if *after > slow(canary) => Health::Failed(Code::DeliverySlow),
        CanaryOutcome::Arrived { .. } => Health::Good,
    }
}

/// What it means that the client's own server does not take a message from somebody who has logged in.
fn refused(stage: CanaryStage, reply: &Reply) -> Code {
    let at = match stage {
        CanaryStage::Mail => Stage::Mail,
        CanaryStage::Rcpt => Stage::Rcpt,
        CanaryStage::Data => Stage::Data,
        // Before that nobody has said who sends.
        _ => return Code::SenderSubmissionFailed,
    };
    // It may know the recipient itself.
    let recipient = match at {
        Stage::Rcpt => of_recipient(reply, &reply.text().to_lowercase()),
        _ => None,
    };
    let meant = || message::meaning(reply, at).map(Reason::code);
    let is_precise = |code: &Code| {
        matches!(
            code,
            Code::SenderRateLimited
                | Code::SenderAccountBlocked
                | Code::MessageContent
                | Code::SmtpStorageFull
        )
    };
    recipient
        .or_else(|| meant().filter(is_precise))
        .unwrap_or(Code::SenderSubmissionFailed)
}

/// What takes longer than this is slow: half of what it may take.
fn slow(canary: &Canary) -> Duration {
    canary.deadline / 2
}

/// Judges a canary.
pub fn canary(
    picture: &Picture,
    own: &OwnSide,
    canary: &Canary,
    now: Timestamp,
    doubt: &mut Doubt,
) -> CanaryJudgement {
    let track = picture.track(&canary.subject());
    let latest = track.map(|track| &track.latest);
    let mut judged = CanaryJudgement {
        state: State::Unknown,
        cause: None,
        also: latest.map(|latest| late(canary, latest)).unwrap_or_default(),
        proven_by: Vec::new(),
        checked: latest.map(|latest| latest.ended()),
        path: latest.map(|latest| path(canary, latest)).unwrap_or_default(),
    };
    let finding = if let Some(offline) = &own.offline {
        offline.clone()
    } else if let Some(settled) = track.and_then(|track| track.fresh(now)) {
        match settled.health {
            Health::Failed(code) | Health::Settled(code) => {
                let finding = explained(picture, canary, settled, code, now, doubt);
                judged.state = finding.state;
                finding
            }
            _ => {
                judged.state = State::Flowing;
                judged.proven_by = vec![Proof::Canary];
                return judged;
            }
        }
    } else {
        no_evidence(canary)
    };
    let receiver = picture
        .domain(&canary.to)
        .and_then(|domain| domain.client.as_ref());
    judged.cause = Some(if receiver == Some(&canary.client) {
        finding.cause(picture, Some(&canary.client), None)
    } else {
        finding.cause_on_route(picture, &canary.client, receiver, None)
    });
    judged
}

/// What the way to its destination is told by a canary that came back: it was the client's own server that was refused.
pub(super) fn returned(picture: &Picture, canary: &Canary, now: Timestamp) -> Option<Finding> {
    let settled = picture.track(&canary.subject())?.fresh(now)?;
    let (Health::Failed(code) | Health::Settled(code)) = settled.health else {
        return None;
    };
    match &settled.observation.evidence {
        Evidence::Canary(evidence) if matches!(evidence.outcome, CanaryOutcome::Returned { .. }) => {
            Some(by_itself(picture, canary, settled, code, evidence))
        }
        _ => None,
    }
}

/// What a failure is that nothing else explains. Whatever came back did not arrive.
fn by_itself(
    picture: &Picture,
    canary: &Canary,
    settled: &Settled,
    code: Code,
    evidence: &CanaryEvidence,
) -> Finding {
    let finding = Finding::new(
        code,
        root(canary),
        label(picture, canary),
        detail(canary, evidence),
    )
    .on([Arc::clone(&settled.observation)]);
    match evidence.outcome {
        CanaryOutcome::Returned { .. } if finding.state.urgency() < State::Degraded.urgency() => {
            finding.giving(State::Broken)
        }
        _ => finding,
    }
}

/// What a failure is: the canary's own, or that of what its servers stand on.
fn explained(
    picture: &Picture,
    canary: &Canary,
    settled: &Settled,
    code: Code,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Finding {
    let Evidence::Canary(evidence) = &settled.observation.evidence else {
        return no_evidence(canary);
    };
    let finding = by_itself(picture, canary, settled, code, evidence);
    let Some(place) = silent_at(evidence) else {
        return finding;
    };
    doubt.want_line(picture, settled.doubted());
    for front in picture.gateways_of(place) {
        doubt.want(picture, &front.subject(), settled.doubted(), &front.settings);
        if let GatewayState::Down(down) = gateway(picture, front, now, doubt) {
            return down.giving(finding.state);
        }
    }
    let socket = SocketAddr::new(place, SMTP_PORT);
    let known = picture.leads().names(socket).next().cloned();
    if let Some(host) = known {
        doubt.want(
            picture,
            &Subject::Smtp(socket),
            settled.doubted(),
            &picture.smtp_settings(socket),
        );
        let view = address(picture, socket, now, doubt);
        if let Some(why) = view.code().filter(|_| view.has_failed()) {
            let root = Root {
                kind: RootKind::MxHost,
                client: None,
                name: host.as_str().into(),
            };
            let state = finding.state;
            return Finding::new(why, root, format!("{host} ({place})"), finding.detail.clone())
                .on(view.observation.into_iter().chain(finding.evidence))
                .giving(state);
        }
    }
    finding.seen_from(picture)
}

/// The server that said nothing, where that is why: something in front of it may be the reason.
fn silent_at(evidence: &CanaryEvidence) -> Option<IpAddr> {
    match &evidence.outcome {
        CanaryOutcome::NotSubmitted {
            kind: SmtpFailureKind::Dial(_) | SmtpFailureKind::Timeout | SmtpFailureKind::Closed { .. },
            ..
        } => evidence.peer.map(|peer| peer.ip()),
        CanaryOutcome::MailboxUnreachable { .. } => evidence.mailbox.map(|peer| peer.ip()),
        _ => None,
    }
}

fn root(canary: &Canary) -> Root {
    Root {
        kind: RootKind::Canary,
        client: Some(canary.client.clone()),
        name: Arc::clone(&canary.name),
    }
}

fn label(picture: &Picture, canary: &Canary) -> String {
    let name = picture.inventory.client_name(&canary.client);
    format!("the test message {} of {name}", canary.name)
}

fn no_evidence(canary: &Canary) -> Finding {
    let detail = format!("No test message {} has come to its end lately.", canary.name);
    let name = format!("the test message {}", canary.name);
    Finding::new(Code::VantageNoEvidence, root(canary), name, detail)
}
