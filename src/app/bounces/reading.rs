//! What a message in a mailbox for bounces is worth: whom it may be held for, and what it says of which route. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::message::{Action, Explanation, Forwarded, Kind, Letter, Recipient};
use crate::model::text::clean;
use crate::model::{ClientId, DomainName, Fate, Report, ReportSource};

use super::Senders;
use crate::monitor::Bounces;

/// Clocks differ by no more than this.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);
/// Recipients of one bounce that are told of.
const MOST: usize = 20;
/// Characters of a server's words that are kept.
const WORDS: usize = 300;

/// What a message is worth.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    /// Nothing: we do not listen to whoever sent it.
    Ignored(&'static str),
    /// It is explained.
    Heard {
        /// Whose mail it is about, where that is known.
        client: Option<ClientId>,
        /// What it says of that client's routes.
        reports: Vec<Report>,
        /// The destinations that it tells of.
        bounces: Bounces,
        /// In words, for the log.
        remark: &'static str,
    },
}

impl Reading {
    pub(super) fn remark(&self) -> &'static str {
        match self {
            Self::Ignored(why) => why,
            Self::Heard { remark, .. } => remark,
        }
    }
}

/// What a message is worth that came in at `arrived`.
pub(super) fn read(
    senders: &Senders,
    letter: &Letter,
    explanation: &Explanation,
    arrived: Timestamp,
    now: Timestamp,
) -> Reading {
    let Some(from) = &letter.from else {
        return Reading::Ignored("it does not name one sender, and is ignored");
    };
    if letter.is_forged {
        return Reading::Ignored("the mailbox's server finds its sender forged, and it is ignored");
    }
    if !senders.allows(from) {
        return Reading::Ignored(
            "its sender is neither a client's nor named under `senders`, and it is ignored",
        );
    }
    let is_believed = senders.witness.believes(letter);
    let client = client(senders, from, explanation).filter(|_| is_believed);
    let is_bounce = matches!(explanation.kind, Kind::Bounce | Kind::Delay);
    let told: Vec<Report> = match &client {
        // Anybody can write a bounce: only what somebody forwards who may is believed.
        Some(client) if is_bounce && explanation.forwarded.is_some() => {
            let at = moment(letter, explanation, arrived, now);
            let each = explanation.recipients.iter().take(MOST);
            each.filter_map(|one| report(client, one, at)).collect()
        }
        _ => Vec::new(),
    };
    let mut bounces = Bounces::new();
    for one in &told {
        *bounces
            .entry((one.client.clone(), Some(one.to.clone())))
            .or_default() += 1;
    }
    Reading::Heard {
        bounces,
        remark: match (is_bounce, &client) {
            (true, Some(_)) => "a bounce, explained",
            (true, None) if !is_believed => {
                "a bounce, explained; no evidence, as no server vouches for whoever forwards it"
            }
            (true, None) => "a bounce of nobody's that we know, explained",
            (false, _) => "no bounce, explained",
        },
        client,
        reports: told,
    }
}

/// Whose mail it is about: that of the client from whom it came, else of whoever forwards it. A client is not believed
/// about another's mail.
fn client(senders: &Senders, from: &str, explanation: &Explanation) -> Option<ClientId> {
    let forwarder = senders.owner(from);
    let sender = explanation
        .sender
        .as_deref()
        .and_then(|sender| senders.owner(sender));
    match (forwarder, sender) {
        (Some(forwarder), Some(sender)) if forwarder != sender => None,
        (forwarder, sender) => sender.or(forwarder).cloned(),
    }
}

/// When it happened: as the bounce itself says, unless that cannot be right.
fn moment(letter: &Letter, explanation: &Explanation, arrived: Timestamp, now: Timestamp) -> Timestamp {
    let dated = letter
        .bounced
        .filter(|_| explanation.forwarded == Some(Forwarded::Attached));
    dated
        .filter(|at| now.duration_since(*at) > -AHEAD)
        .map_or(arrived, |at| at.min(now))
}

fn report(client: &ClientId, one: &Recipient, at: Timestamp) -> Option<Report> {
    let fate = match one.action {
        Action::Failed => Fate::Bounced,
        Action::Delayed => Fate::Deferred,
        Action::Delivered | Action::Relayed | Action::Expanded => return None,
    };
    // The sender's route leads to the address as it was written.
    let whom = one.original_recipient.as_ref().or(one.recipient.as_ref())?;
    let to = DomainName::parse(whom.rsplit_once('@')?.1).ok()?;
    let said = one.reply.as_deref().or(one.status.as_deref());
    let by = one.remote_host.as_ref().or(one.reporting_host.as_ref());
    Some(Report {
        client: client.clone(),
        to,
        at,
        source: ReportSource::Bounce,
        fate,
        code: one.cause.map(|cause| cause.0),
        recipient: Some(whom.clone()),
        by: by.cloned(),
        said: clean(said.unwrap_or("it does not say why").as_bytes(), WORDS),
    })
}
