//! Whether somebody who agreed to it would be given mail: what a server's answer to MAIL and RCPT means.
//!
//! The enhanced code first, then what the words say, then the reply code. Whatever may be about us, our address or our
//! name as a sender, is `vantage.refused` and nobody's fault: the client's own mail comes from elsewhere.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::inventory::{Domain, Provider};
use crate::message::{self, Stage};
use crate::model::smtp::{SmtpEvidence, SmtpFailureKind};
use crate::model::{
    ClientId, Code, EnhancedCode, Evidence, Hop, HopKind, Observation, Recipient, Reply, Root, RootKind,
    SmtpStage, State, Subject,
};
use crate::picture::{Health, Picture, SMTP_PORT, Settled};

use super::super::dns::domain_root;
use super::super::doubt::Doubt;
use super::super::finding::Finding;
use super::super::note::summary;
use super::super::refusal;

/// For how long greylisting is how things should be (`semantics` 15).
const GREYLISTED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What is known of a recipient.
#[derive(Debug, Clone, Default)]
pub(in crate::diagnosis) struct Asked {
    /// Mail would be taken.
    pub(in crate::diagnosis) accepted: bool,
    /// Mail would not be taken, or not yet.
    pub(in crate::diagnosis) finding: Option<Finding>,
    /// It refuses us.
    pub(in crate::diagnosis) warning: Option<Finding>,
    /// As a step of the path.
    pub(in crate::diagnosis) hop: Option<Hop>,
}

impl Asked {
    /// Takes in what else keeps mail from arriving, where it is worse than what is known.
    pub(in crate::diagnosis) fn outweigh(&mut self, other: Finding) {
        let known = self.finding.as_ref().map(|finding| finding.state.urgency());
        if known.is_none_or(|known| other.state.urgency() > known) {
            self.finding = Some(other);
        }
    }
}

/// What a session means by itself. One that did not come to MAIL says nothing: the dialogue's own probe judges that.
pub(in crate::diagnosis) fn classify(picture: &Picture, evidence: &SmtpEvidence) -> Health {
    let Some(failure) = evidence.failure.as_ref().filter(|_| evidence.has_asked()) else {
        return if evidence.accepted_recipient() {
            Health::Good
        } else {
            Health::Unrunnable
        };
    };
    match &failure.kind {
        SmtpFailureKind::Reply(reply) => {
            let provider = picture.provider_of_address(evidence.peer).map(AsRef::as_ref);
            read(reply, failure.stage, provider, picture)
        }
        SmtpFailureKind::Timeout | SmtpFailureKind::Closed { .. } => Health::Failed(Code::SmtpDisconnects),
        SmtpFailureKind::Protocol(_) => Health::Failed(Code::SmtpProtocolError),
        SmtpFailureKind::Dial(_) | SmtpFailureKind::Tls(_) => Health::Unrunnable,
    }
}

/// Judges a recipient at `domain`, asked for on behalf of `client`.
pub(in crate::diagnosis) fn asked(
    picture: &Picture,
    client: Option<&ClientId>,
    domain: &Domain,
    recipient: &Recipient,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Asked {
    let subject = Subject::Recipient(Box::new(recipient.clone()));
    let Some(track) = picture.track(&subject) else {
        return Asked::default();
    };
    let Some(settled) = track.fresh(now) else {
        return Asked {
            hop: Some(hop(recipient, State::Unknown, summary(&track.latest))),
            ..Asked::default()
        };
    };
    let seen = summary(&settled.observation);
    let about = |code: Code, detail: String| {
        let root = match code.layer() {
            "recipient" => Root {
                kind: RootKind::Route,
                client: client.cloned(),
                name: domain.name.as_str().into(),
            },
            _ => domain_root(domain),
        };
        Finding::new(code, root, recipient.address.as_ref(), detail).on([Arc::clone(&settled.observation)])
    };
    let (accepted, finding, warning, state) = match settled.health {
        Health::Good => (true, None, None, State::Flowing),
        Health::Refused if let Some(code) = of_sender(picture, client, &settled.observation) => {
            let detail = format!(
                "{} says of our address, from which mail of the sender leaves too: {seen}.",
                recipient.domain
            );
            let finding = about(code, detail).giving(code.entry().state);
            let state = finding.state;
            (false, Some(finding), None, state)
        }
        Health::Refused => {
            let detail = format!(
                "The recipient's server refuses to tell us about {}: {seen}. That is about us, not about the mail of \
                 others.",
                recipient.address
            );
            let refused = about(Code::VantageRefused, detail).giving(State::Flowing);
            (false, None, Some(refused), State::Unknown)
        }
        Health::Failed(code) | Health::Settled(code) => {
            wait_for_server(picture, settled, code, doubt);
            let finding = failed(picture, recipient, settled, code, now, &about);
            let state = finding.state;
            (false, Some(finding), None, state)
        }
        Health::Unrunnable => (false, None, None, State::Unknown),
    };
    Asked {
        accepted,
        finding,
        warning,
        hop: Some(hop(recipient, state, seen)),
    }
}

/// What a refusal of us means for a client whose mail leaves from our own address too.
fn of_sender(picture: &Picture, client: Option<&ClientId>, seen: &Observation) -> Option<Code> {
    let senders = &picture.inventory.clients.get(client?)?.senders;
    seen.source.filter(|source| senders.contains(source))?;
    let Evidence::Recipient(session) = &seen.evidence else {
        return None;
    };
    let failure = session.failure.as_ref()?;
    let SmtpFailureKind::Reply(reply) = &failure.kind else {
        return None;
    };
    let at = match failure.stage {
        SmtpStage::Mail => Stage::Mail,
        _ => Stage::Rcpt,
    };
    let code = message::meaning(reply, at)?.code();
    let is_of_address = matches!(
        code,
        Code::ReputationSenderBlocked | Code::ReputationNoReverseDns | Code::SenderRateLimited
    );
    is_of_address.then_some(code)
}

/// A server that broke off may be on its way out: it is heard first. What it says is a statement, and waits for nobody.
fn wait_for_server(picture: &Picture, settled: &Settled, code: Code, doubt: &mut Doubt) {
    let Evidence::Recipient(session) = &settled.observation.evidence else {
        return;
    };
    if matches!(code, Code::SmtpDisconnects | Code::SmtpProtocolError) {
        let settings = picture.smtp_settings(session.peer);
        doubt.want(
            picture,
            &Subject::Smtp(session.peer),
            settled.doubted(),
            &settings,
        );
        doubt.want_line(picture, settled.doubted());
    }
}

fn failed(
    picture: &Picture,
    recipient: &Recipient,
    settled: &Settled,
    code: Code,
    now: Timestamp,
    about: &impl Fn(Code, String) -> Finding,
) -> Finding {
    let seen = summary(&settled.observation);
    let finding = about(code, format!("Asked for {}, it {seen}.", recipient.address));
    match code {
        Code::SmtpGreylisted => {
            let since = now.duration_since(settled.doubted());
            let state = if since >= GREYLISTED_FOR {
                State::Degraded
            } else {
                State::Flowing
            };
            finding.giving(state).seen_from(picture)
        }
        // Others' mail may pass where ours does not.
        Code::SmtpDisconnects | Code::SmtpProtocolError | Code::SmtpTempfail => {
            finding.giving(State::Degraded).seen_from(picture)
        }
        Code::RecipientRefused => finding.seen_from(picture),
        _ => finding,
    }
}

fn hop(recipient: &Recipient, state: State, summary: String) -> Hop {
    Hop {
        hop: HopKind::Delivery,
        subject: Arc::clone(&recipient.address),
        state,
        elapsed: None,
        summary: summary.into(),
    }
}

/// Reads an answer to MAIL or RCPT.
fn read(reply: &Reply, stage: SmtpStage, provider: Option<&Provider>, picture: &Picture) -> Health {
    let text = reply.text().to_lowercase();
    let us = picture.own_addresses();
    let turned_away = provider.is_some_and(|provider| provider.turns_us_away(&text));
    if says(&text, GREYLISTING) && (400..500).contains(&reply.code) {
        return Health::Failed(Code::SmtpGreylisted);
    }
    if let (Some(code), SmtpStage::Rcpt) = (of_recipient(reply, &text), stage) {
        return Health::Failed(code);
    }
    let code = reply.enhanced;
    let about_us = turned_away || refusal::is_of_us(&reply.text(), code.filter(|code| code.0 == 5), us);
    let our_name = matches!(code, Some(EnhancedCode(_, 1, 7 | 8)));
    if about_us || our_name || says(&text, ABOUT_SENDER) {
        return Health::Refused;
    }
    match reply.code {
        452 => Health::Failed(Code::SmtpStorageFull),
        450 | 451 => Health::Failed(Code::SmtpGreylisted),
        400..500 => Health::Failed(Code::SmtpTempfail),
        // At MAIL nobody has been named yet but us.
        _ if stage == SmtpStage::Mail => Health::Refused,
        _ => Health::Failed(Code::RecipientRefused),
    }
}

/// What is said of the recipient, where `text` is the reply's in lower case: by the enhanced code (RFC 3463 3.2, 3.3; Microsoft's own), else by the words.
pub(in crate::diagnosis) fn of_recipient(reply: &Reply, text: &str) -> Option<Code> {
    let permanent = reply.code >= 500;
    match reply.enhanced {
        Some(EnhancedCode(4 | 5, 2, 2)) => return Some(Code::RecipientMailboxFull),
        Some(EnhancedCode(5, 1, 0 | 1 | 2 | 3 | 10)) => return Some(Code::RecipientUnknown),
        // What Microsoft says of an address that it does not have.
        Some(EnhancedCode(5, 4, 1)) if text.contains("recipient address rejected") => {
            return Some(Code::RecipientUnknown);
        }
        Some(EnhancedCode(5, 2, 1) | EnhancedCode(5, 1, 6)) => return Some(Code::RecipientRefused),
        Some(EnhancedCode(5, 7, 12 | 124 | 133..=136 | 513)) => return Some(Code::RecipientPolicy),
        _ => {}
    }
    if says(text, FULL) {
        return Some(Code::RecipientMailboxFull);
    }
    if permanent && says(text, INSIDERS) {
        return Some(Code::RecipientPolicy);
    }
    // X.7.Z is about rights: whoever may not ask is told little of the recipient.
    let security = matches!(reply.enhanced, Some(EnhancedCode(_, 7, _)));
    (permanent && !security && says(text, UNKNOWN)).then_some(Code::RecipientUnknown)
}

fn says(text: &str, words: &[(&str, &str)]) -> bool {
    words.iter().any(|(words, _)| text.contains(words))
}

/// Words of greylisting, in lower case, each with a reply that shows it.
const GREYLISTING: &[(&str, &str)] = &[
    (
        "greylist",
        "450 4.2.0 <a@b.test>: Recipient address rejected: Greylisted, see http://postgrey.test/",
    ),
    ("graylist", "451 4.7.1 Graylisted, please try again"),
    ("grey list", "451 Grey listing in action, please come back later"),
];

/// Words of a full mailbox.
const FULL: &[(&str, &str)] = &[
    ("mailbox full", "452 mailbox full"),
    ("mailbox is full", "552 The recipient's mailbox is full"),
    ("over quota", "452 4.2.2 user is over quota"),
    ("quota exceeded", "552 5.2.2 mailbox quota exceeded"),
    (
        "exceeded storage",
        "552 Requested mail action aborted: exceeded storage allocation",
    ),
];

/// Words of a recipient that takes mail from some senders only.
const INSIDERS: &[(&str, &str)] = &[
    (
        "only accepts messages from",
        "550 5.7.1 The group only accepts messages from people in its organization or on its allowed senders list",
    ),
    (
        "only accept messages from",
        "550 5.7.1 This address can only accept messages from its members",
    ),
    (
        "not authorized to send to this recipient",
        "550 5.7.1 RESOLVER.RST.NotAuthorized; You are not authorized to send to this recipient",
    ),
    (
        "resolver.rst.authrequired",
        "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
    ),
    (
        "resolver.rst.notauthorized",
        "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized",
    ),
    (
        "permission to post",
        "550 5.7.1 The group you tried to contact may not exist, or you may not have permission to post messages to it",
    ),
];

/// Words of an address that nobody has.
const UNKNOWN: &[(&str, &str)] = &[
    (
        "user unknown",
        "550 5.1.1 <a@b.test>: Recipient address rejected: User unknown in local recipient table",
    ),
    ("unknown user", "550 Unknown user"),
    ("unknown recipient", "550 Unknown recipient"),
    ("recipient unknown", "550 Recipient unknown"),
    ("no such user", "550 No such user here"),
    ("no such recipient", "550 no such recipient"),
    ("no such address", "550 No such address here"),
    ("no mailbox here", "550 No mailbox here by that name"),
    ("does not exist", "550 The account does not exist"),
    ("doesn't exist", "550 Mailbox doesn't exist"),
    ("unrouteable address", "550 Unrouteable address"),
];

/// Words about the envelope sender, which is ours.
const ABOUT_SENDER: &[(&str, &str)] = &[
    (
        "sender address rejected",
        "450 4.1.8 <x@y.test>: Sender address rejected: Domain not found",
    ),
    ("sender verif", "550 Sender verify failed"),
    ("sender rejected", "553 sender rejected"),
    ("spf", "550 SPF check failed"),
    ("dmarc", "550 rejected by DMARC policy"),
    ("relay", "554 5.7.1 <a@b.test>: Relay access denied"),
];

/// The address that was asked, where a recipient's failure is about the server rather than about the recipient.
pub(in crate::diagnosis) fn server(picture: &Picture, recipient: &Recipient) -> Option<Subject> {
    let track = picture.track(&Subject::Recipient(Box::new(recipient.clone())))?;
    match &track.latest.evidence {
        Evidence::Recipient(session) if !matches!(&session.failure, Some(failure) if matches!(failure.kind, SmtpFailureKind::Reply(_))) => {
            Some(Subject::Smtp(std::net::SocketAddr::new(
                session.peer.ip(),
                SMTP_PORT,
            )))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
