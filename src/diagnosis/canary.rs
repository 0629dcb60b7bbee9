//! Canaries: whether a message of a client's own server arrives where it should, and if not, whose it is. Our own wrong
//! password is never the client's outage, and a router that is down is called so.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::inventory::Canary;
use crate::model::smtp::SmtpFailureKind;
use crate::model::{
    CanaryEvidence, CanaryOutcome, CanaryStage, Cause, Code, Evidence, Hop, LateCanary, Observation, Proof,
    Root, RootKind, State, Subject, Warning,
};
use crate::picture::{Health, Picture, SMTP_PORT, Settled};

use super::address::address;
use super::doubt::Doubt;
use super::finding::Finding;
use super::gateway::{GatewayState, gateway};
use super::note::brief;
use super::route::recipient::of_recipient;
use super::vantage::OwnSide;

/// What the evidence says of a canary now.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryJudgement {
    /// How it is.
    pub state: State,
    /// Why; `None` when flowing.
    pub cause: Option<Cause>,
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
        // The client's own server may know the recipient itself.
        CanaryOutcome::NotSubmitted {
            stage: CanaryStage::Rcpt,
            kind: SmtpFailureKind::Reply(reply),
            ..
        } => {
            let known = of_recipient(reply, &reply.text().to_lowercase());
            Health::Failed(known.unwrap_or(Code::SenderSubmissionFailed))
        }
        CanaryOutcome::NoServer { .. } | CanaryOutcome::NotSubmitted { .. } => {
            Health::Failed(Code::SenderSubmissionFailed)
        }
        CanaryOutcome::NotTrusted { .. } => Health::Failed(Code::ServiceCertificateUntrusted),
        CanaryOutcome::LoginRefused { .. } => Health::Failed(Code::CanaryCredentials),
        CanaryOutcome::MailboxUnreachable { .. } => Health::Failed(Code::DeliveryMailboxUnreachable),
        CanaryOutcome::Lost { .. } => Health::Failed(Code::DeliveryLost),
        CanaryOutcome::Arrived { junk: Some(_), .. } => Health::Failed(Code::DeliveryJunk),
        CanaryOutcome::Arrived { after, .. } if *after > slow(canary) => Health::Failed(Code::DeliverySlow),
        CanaryOutcome::Arrived { .. } => Health::Good,
    }
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
    let finding = Finding::new(
        code,
        root(canary),
        label(picture, canary),
        detail(canary, evidence),
    )
    .on([Arc::clone(&settled.observation)]);
    let Some(place) = silent_at(evidence) else {
        return finding;
    };
    doubt.want_line(picture, settled.doubted);
    for front in picture.gateways_of(place) {
        doubt.want(picture, &front.subject(), settled.doubted, &front.settings);
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
            settled.doubted,
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

fn detail(canary: &Canary, evidence: &CanaryEvidence) -> String {
    let (id, submit, mailbox) = (&evidence.id, &canary.submit, &canary.mailbox);
    match &evidence.outcome {
        CanaryOutcome::NotSubmitted { stage, after, kind } => format!(
            "Handed in at {submit}, it was not taken: {} at stage {stage} after {}.",
            kind_in_words(kind),
            brief(*after)
        ),
        CanaryOutcome::NoServer { said, .. } => format!("{submit} cannot be found ({said})."),
        CanaryOutcome::NotTrusted { reason } => {
            format!("We do not hand our password to {submit} or {mailbox}: {reason}.")
        }
        CanaryOutcome::LoginRefused { at_mailbox, said } => {
            let place = if *at_mailbox { mailbox } else { submit };
            format!("{place} refuses our own name and password: \"{said}\".")
        }
        CanaryOutcome::MailboxUnreachable { reason } => {
            format!("{submit} took it, and the mailbox at {mailbox} cannot be looked into: {reason}.")
        }
        CanaryOutcome::Lost { accepted, waited } => format!(
            "{submit} took the message {id} (\"{accepted}\"), and {} later it was neither in the inbox nor in the junk \
             folder.",
            brief(*waited)
        ),
        CanaryOutcome::Arrived {
            after,
            junk,
            hops,
            skewed,
            ..
        } => {
            let slowest = hops.iter().max_by_key(|(_, took)| *took);
            let slowest =
                slowest.map(|(name, took)| format!(" It took longest to come to {name}: {}.", brief(*took)));
            let wrong = match skewed.as_slice() {
                [] => String::new(),
                names => format!(" The clock of {} is wrong.", names.join(" and ")),
            };
            match junk {
                Some(folder) => format!(
                    "The message {id} lay in the folder \"{folder}\" after {}.",
                    brief(*after)
                ),
                None => format!(
                    "The message {id} took {}.{}{wrong}",
                    brief(*after),
                    slowest.unwrap_or_default()
                ),
            }
        }
    }
}

fn kind_in_words(kind: &SmtpFailureKind) -> String {
    match kind {
        SmtpFailureKind::Dial(error) => error.to_string(),
        SmtpFailureKind::Timeout => "no answer".to_owned(),
        SmtpFailureKind::Closed { reset: false } => "it closed the connection".to_owned(),
        SmtpFailureKind::Closed { reset: true } => "it reset the connection".to_owned(),
        SmtpFailureKind::Reply(reply) => format!("it answered \"{reply}\""),
        SmtpFailureKind::Protocol(error) => error.to_string(),
        SmtpFailureKind::Tls(failure) => format!("TLS failed ({})", failure.reason),
    }
}

/// What one canary came to, in one line.
pub(super) fn summary(evidence: &CanaryEvidence) -> String {
    match &evidence.outcome {
        CanaryOutcome::NotSubmitted { stage, kind, .. } => {
            format!("not taken: {} at stage {stage}", kind_in_words(kind))
        }
        CanaryOutcome::NoServer { said, .. } => format!("its server cannot be found ({said})"),
        CanaryOutcome::NotTrusted { reason } => format!("not sent: {reason}"),
        CanaryOutcome::LoginRefused { said, .. } => format!("our own login is refused: \"{said}\""),
        CanaryOutcome::MailboxUnreachable { reason } => {
            format!("the mailbox cannot be looked into: {reason}")
        }
        CanaryOutcome::Lost { waited, .. } => format!("taken, and not there after {}", brief(*waited)),
        CanaryOutcome::Arrived {
            after, junk, results, ..
        } => {
            let place = junk
                .as_deref()
                .map(|folder| format!(" in the folder \"{folder}\""));
            let checked: Vec<String> = results
                .iter()
                .map(|one| format!("{}={}", one.method, one.result))
                .collect();
            let checked = if checked.is_empty() {
                String::new()
            } else {
                format!(", {}", checked.join(" "))
            };
            format!(
                "there after {}{}{checked}",
                brief(*after),
                place.unwrap_or_default()
            )
        }
    }
}

/// Those that turned up after they were given up.
fn late(canary: &Canary, latest: &Observation) -> Vec<Warning> {
    let Evidence::Canary(evidence) = &latest.evidence else {
        return Vec::new();
    };
    let told = |late: &LateCanary| {
        let slowest = late.slowest.as_ref();
        let slowest =
            slowest.map(|(name, took)| format!("; it took longest to come to {name}: {}", brief(*took)));
        Warning {
            code: Code::DeliverySlow,
            subject: format!("the test message {}", canary.name),
            summary: format!(
                "The message {}, given up as lost, was there after {}{}.",
                late.id,
                brief(late.after),
                slowest.unwrap_or_default()
            ),
            accepted: false,
        }
    };
    evidence.late.iter().take(3).map(told).collect()
}

fn path(canary: &Canary, latest: &Observation) -> Vec<Hop> {
    let Evidence::Canary(evidence) = &latest.evidence else {
        return Vec::new();
    };
    let hop = |subject: String, state, elapsed: Option<Duration>, summary: String| Hop {
        hop: "delivery",
        subject,
        state,
        elapsed: elapsed.map(|elapsed| elapsed.as_secs_f64()),
        summary,
    };
    let said = summary(evidence);
    match &evidence.outcome {
        CanaryOutcome::Arrived { after, hops, .. } => {
            let slow = slow(canary);
            let stamped = hops.iter().map(|(name, took)| {
                let state = if *took > slow {
                    State::Degraded
                } else {
                    State::Flowing
                };
                hop(
                    name.clone(),
                    state,
                    Some(*took),
                    format!("came here after {}", brief(*took)),
                )
            });
            let whole = hop(canary.mailbox.to_string(), State::Flowing, Some(*after), said);
            stamped.chain([whole]).collect()
        }
        CanaryOutcome::Lost { .. } | CanaryOutcome::MailboxUnreachable { .. } => vec![
            hop(
                canary.submit.to_string(),
                State::Flowing,
                None,
                "took it".to_owned(),
            ),
            hop(canary.mailbox.to_string(), State::Broken, None, said),
        ],
        CanaryOutcome::LoginRefused { .. } => {
            vec![hop(canary.submit.to_string(), State::Unknown, None, said)]
        }
        _ => vec![hop(canary.submit.to_string(), State::Broken, None, said)],
    }
}
