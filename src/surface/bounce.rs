//! An explained message in the words that a terminal and the page show: who, why, whose it is, what to do, and the
//! server's words, in this order.

use std::fmt::Write as _;

use crate::message::{Action, Explanation, Forwarded, Kind, Recipient, Sort};
use crate::model::catalogue::Role;
use crate::model::{Owner, State};

use super::ours::{Ours, texts};

/// A line: what it is about, and what there is to say.
pub(crate) type Line = (&'static str, String);

/// What became of the mail to one recipient.
#[derive(Debug)]
pub(crate) struct Told {
    /// How good that is.
    pub(crate) state: State,
    /// `Not delivered`.
    pub(crate) what: &'static str,
    /// To whom.
    pub(crate) who: String,
    /// The rest, a line each.
    pub(crate) lines: Vec<Line>,
}

/// What a message is that is neither a bounce nor a delay: `No bounce: a newsletter or other bulk mail.`
pub(crate) fn no_bounce(explanation: &Explanation) -> Option<String> {
    if matches!(explanation.kind, Kind::Bounce | Kind::Delay) {
        return None;
    }
    let what = explanation
        .sort
        .map_or("a message like any other", Sort::in_words);
    Some(format!("No bounce: {what}."))
}

impl Told {
    /// Puts one recipient's part of a bounce or delay into words, with what we see ourselves, where that is known.
    pub(crate) fn new(recipient: &Recipient, kind: Kind, seen: Option<&str>) -> Self {
        let late = kind == Kind::Delay || recipient.action == Action::Delayed;
        let delivered = matches!(
            recipient.action,
            Action::Delivered | Action::Relayed | Action::Expanded
        );
        let (state, what) = if delivered {
            (State::Flowing, "Delivered")
        } else if late {
            (State::Degraded, "Late, still being tried")
        } else if recipient.expired {
            (State::Broken, "Given up after many tries")
        } else {
            (State::Broken, "Not delivered")
        };
        let mut lines = Vec::new();
        if let Some(original) = &recipient.original_recipient {
            lines.push(("Sent", format!("to {original}, and forwarded from there")));
        }
        if !delivered {
            lines.extend(why(recipient));
            let said = recipient.reply.as_ref();
            lines.extend(said.map(|reply| ("Said", format!("\"{reply}\""))));
            lines.extend(place(recipient).map(|place| ("Where", place)));
            lines.extend(seen.map(|seen| ("Seen", seen.to_owned())));
            lines.push(("Code", codes(recipient, late)));
        }
        let who = recipient.recipient.as_deref();
        Self {
            state,
            what,
            who: who.unwrap_or("a recipient that is not named").to_owned(),
            lines,
        }
    }
}

fn why(recipient: &Recipient) -> Vec<Line> {
    let Some(cause) = recipient.cause else {
        let action = "Ask whoever runs the server that reports what its log says of this message.";
        return vec![
            ("Why", "The message does not say why.".to_owned()),
            ("Do", action.to_owned()),
        ];
    };
    let entry = cause.0.entry();
    vec![
        ("Why", format!("{}.", entry.title)),
        ("Whose", whose(entry.role, cause.owner()).to_owned()),
        ("Do", entry.route_action().to_owned()),
    ]
}

/// Whose it is, for whoever looks after the sender.
fn whose(role: Role, owner: Owner) -> &'static str {
    match (role, owner) {
        (Role::Nobody, _) => "nobody's by itself",
        (_, Owner::Client) => "the sender's: our client, or our client's provider",
        (_, Owner::Recipient) => "the recipient's organisation",
        (_, Owner::Provider) => "the mail provider's",
        (_, Owner::Network) => "the line's or network's between",
        (_, Owner::Us) => "ours",
    }
}

/// Where it died, and who reports it.
fn place(recipient: &Recipient) -> Option<String> {
    let stage = recipient.hop.stage.map(|stage| format!(" {}", stage.in_words()));
    let stage = stage.unwrap_or_default();
    match (&recipient.remote_host, &recipient.reporting_host) {
        (Some(remote), Some(reporting)) => Some(format!("{remote}{stage}; {reporting} reports it")),
        (Some(remote), None) => Some(format!("{remote}{stage}")),
        (None, Some(reporting)) => Some(format!(
            "{reporting}{stage}, before any other server had the mail"
        )),
        (None, None) => None,
    }
}

fn codes(recipient: &Recipient, late: bool) -> String {
    let code = recipient
        .cause
        .map_or_else(|| "no cause".to_owned(), |cause| cause.0.to_string());
    let status = recipient.status.as_deref().map_or_else(
        || "no status given".to_owned(),
        |status| format!("status {status}"),
    );
    let again = match (late, recipient.permanent) {
        (true, _) => "nothing is lost yet",
        (false, true) => "sending it again would end the same",
        (false, false) => "may pass when it is sent again later",
    };
    if recipient.cause.is_none() && recipient.status.is_none() && !late {
        return format!("{code}, {status}");
    }
    format!("{code}, {status}, {again}")
}

/// The most recipients that a letter tells of.
const MOST_TOLD: usize = 20;

/// A letter to whoever forwarded the message.
pub(crate) fn letter(explanation: &Explanation, ours: &[Option<Ours>]) -> String {
    let mut text = String::new();
    if let Some(line) = no_bounce(explanation) {
        text.push_str(&line);
        text.push_str("\n\nTo have a message explained that came back, forward it as an attachment.\n");
    }
    for (recipient, seen) in explanation.recipients.iter().zip(texts(ours)).take(MOST_TOLD) {
        let told = Told::new(recipient, explanation.kind, seen);
        let _ = writeln!(text, "{}: {}\n", told.what, told.who);
        for (label, line) in &told.lines {
            let _ = writeln!(text, "{label}: {line}");
        }
        text.push('\n');
    }
    let more = explanation.recipients.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        let _ = writeln!(text, "And {more} more recipients.\n");
    }
    for (label, line) in about(explanation) {
        let _ = writeln!(text, "{label}: {line}");
    }
    text.push_str("\nThis is an automatic answer by mailflow; nobody reads answers to it.\n");
    text
}

/// The mail that it is about.
pub(crate) fn about(explanation: &Explanation) -> Vec<Line> {
    let mut lines = Vec::new();
    let quoted = |subject: &String| format!("\"{subject}\"");
    let subject = explanation.subject.as_ref().map(quoted);
    let sender = explanation.sender.as_ref().map(|sender| format!("from {sender}"));
    let id = explanation.message_id.as_ref().map(|id| format!("<{id}>"));
    let parts: Vec<String> = [subject, sender, id].into_iter().flatten().collect();
    if !parts.is_empty() {
        lines.push(("Mail", parts.join(" ")));
    }
    if !explanation.hops.is_empty() {
        lines.push(("Way", format!("through {}", explanation.hops.join(", "))));
    }
    let how = explanation.forwarded.map(|forwarded| match forwarded {
        Forwarded::Attached => "read from the message that is attached",
        Forwarded::Inline => {
            "read from the text that somebody forwarded: it may have been changed on the way"
        }
    });
    lines.extend(how.map(|how| ("Note", how.to_owned())));
    lines
}
