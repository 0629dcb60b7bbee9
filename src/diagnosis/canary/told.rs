//! What happened to canaries, in words and as a way hop by hop.

use std::time::Duration;

use super::super::note::brief;
use super::slow;
use crate::inventory::Canary;
use crate::model::smtp::SmtpFailureKind;
use crate::model::{
    CanaryEvidence, CanaryOutcome, Code, Evidence, Hop, HopKind, LateCanary, Length, Observation, State,
    Warning,
};

/// What happened to one, in whole sentences.
pub(super) fn detail(canary: &Canary, evidence: &CanaryEvidence) -> String {
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
        CanaryOutcome::LoginRefused {
            at_mailbox,
            said,
            token,
        } => {
            let place = if *at_mailbox { mailbox } else { submit };
            match token {
                None => format!("{place} refuses our own name and password: \"{said}\"."),
                Some(besides) => format!("{place} refuses our own token: \"{said}\". {besides}"),
            }
        }
        CanaryOutcome::NoToken { reason, .. } => format!("We cannot log in: {reason}."),
        CanaryOutcome::MailboxUnreachable { reason } => {
            format!("{submit} took it, and the mailbox at {mailbox} cannot be looked into: {reason}.")
        }
        CanaryOutcome::Lost { accepted, waited } => format!(
            "{submit} took the message {id} (\"{accepted}\"), and {} later it was neither in the inbox nor in the junk \
             folder.",
            brief(*waited)
        ),
        CanaryOutcome::Returned { after, by, said, .. } => format!(
            "{submit} took the message {id}, and it came back after {}: {} said \"{said}\".",
            brief(*after),
            by.as_deref().unwrap_or("a server on its way")
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
pub(in crate::diagnosis) fn summary(evidence: &CanaryEvidence) -> String {
    match &evidence.outcome {
        CanaryOutcome::NotSubmitted { stage, kind, .. } => {
            format!("not taken: {} at stage {stage}", kind_in_words(kind))
        }
        CanaryOutcome::NoServer { said, .. } => format!("its server cannot be found ({said})"),
        CanaryOutcome::NotTrusted { reason } => format!("not sent: {reason}"),
        CanaryOutcome::LoginRefused { said, .. } => format!("our own login is refused: \"{said}\""),
        CanaryOutcome::NoToken { reason, .. } => format!("we cannot log in: {reason}"),
        CanaryOutcome::MailboxUnreachable { reason } => {
            format!("the mailbox cannot be looked into: {reason}")
        }
        CanaryOutcome::Lost { waited, .. } => format!("taken, and not there after {}", brief(*waited)),
        CanaryOutcome::Returned { after, said, .. } => {
            format!("taken, and returned after {}: \"{said}\"", brief(*after))
        }
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
pub(super) fn late(canary: &Canary, latest: &Observation) -> Vec<Warning> {
    let Evidence::Canary(evidence) = &latest.evidence else {
        return Vec::new();
    };
    let told = |late: &LateCanary| {
        let slowest = late.slowest.as_ref();
        let slowest =
            slowest.map(|(name, took)| format!("; it took longest to come to {name}: {}", brief(*took)));
        Warning {
            code: Code::DeliverySlow,
            subject: format!("the test message {}", canary.name).into(),
            summary: format!(
                "The message {}, given up as lost, was there after {}{}.",
                late.id,
                brief(late.after),
                slowest.unwrap_or_default()
            )
            .into(),
            accepted: false,
        }
    };
    evidence.late.iter().take(3).map(told).collect()
}

/// Its way, hop by hop.
pub(super) fn path(canary: &Canary, latest: &Observation) -> Vec<Hop> {
    let Evidence::Canary(evidence) = &latest.evidence else {
        return Vec::new();
    };
    let hop = |subject: String, state, elapsed: Option<Duration>, summary: String| Hop {
        hop: HopKind::Delivery,
        subject: subject.into(),
        state,
        elapsed: elapsed.map(Length::from),
        summary: summary.into(),
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
        CanaryOutcome::Returned { by, .. } => vec![
            hop(
                canary.submit.to_string(),
                State::Flowing,
                None,
                "took it".to_owned(),
            ),
            hop(
                by.clone().unwrap_or_else(|| canary.to.to_string()),
                State::Broken,
                None,
                said,
            ),
        ],
        CanaryOutcome::LoginRefused { .. } | CanaryOutcome::NoToken { .. } => {
            vec![hop(canary.submit.to_string(), State::Unknown, None, said)]
        }
        _ => vec![hop(canary.submit.to_string(), State::Broken, None, said)],
    }
}
