//! An explained message for a terminal: who, why, whose it is, what to do, and the server's words, in this order.

use std::fmt::Write;

use crate::message::{Action, Explanation, Forwarded, Kind, Recipient, Sort};
use crate::model::catalogue::Role;
use crate::model::{Owner, State};

use super::super::layout::{field, mark};
use super::super::style::{FAINT, STRONG, of_state, paint};

/// The most recipients that are shown in full.
const MOST_SHOWN: usize = 20;

/// The whole, at most `width` columns wide.
pub(super) fn render(explanation: &Explanation, width: usize, coloured: bool) -> String {
    let mut out = String::new();
    match explanation.kind {
        Kind::Bounce | Kind::Delay => {
            for recipient in explanation.recipients.iter().take(MOST_SHOWN) {
                one(&mut out, recipient, explanation.kind, width, coloured);
                out.push('\n');
            }
            let more = explanation.recipients.len().saturating_sub(MOST_SHOWN);
            if more > 0 {
                let _ = writeln!(out, "And {more} more recipients: --json shows them all.\n");
            }
        }
        _ => {
            let what = explanation
                .sort
                .map_or("a message like any other", Sort::in_words);
            let line = format!("No bounce: {what}.");
            let _ = writeln!(out, "{} {}", mark(State::Flowing), paint(&line, STRONG, coloured));
        }
    }
    about(&mut out, explanation, width, coloured);
    out
}

fn one(out: &mut String, recipient: &Recipient, kind: Kind, width: usize, coloured: bool) {
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
    let who = recipient
        .recipient
        .as_deref()
        .unwrap_or("a recipient that is not named");
    let _ = writeln!(
        out,
        "{} {} {}",
        paint(mark(state), of_state(state), coloured),
        paint(&format!("{what}:"), of_state(state), coloured),
        paint(who, STRONG, coloured)
    );
    if let Some(original) = &recipient.original_recipient {
        field(
            out,
            "Sent",
            &format!("to {original}, and forwarded from there"),
            None,
            width,
            coloured,
        );
    }
    if delivered {
        return;
    }
    if let Some(cause) = recipient.cause {
        let entry = cause.0.entry();
        let why = format!("{}.", entry.title);
        field(out, "Why", &why, Some(STRONG), width, coloured);
        let whose = whose(entry.role, cause.owner());
        field(out, "Whose", whose, None, width, coloured);
        field(out, "Do", entry.route_action(), None, width, coloured);
    } else {
        let why = "The message does not say why.";
        field(out, "Why", why, Some(STRONG), width, coloured);
        let action = "Ask whoever runs the server that reports what its log says of this message.";
        field(out, "Do", action, None, width, coloured);
    }
    if let Some(reply) = &recipient.reply {
        field(out, "Said", &format!("\"{reply}\""), None, width, coloured);
    }
    if let Some(place) = place(recipient) {
        field(out, "Where", &place, None, width, coloured);
    }
    field(out, "Code", &codes(recipient, late), Some(FAINT), width, coloured);
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

/// The mail that it is about.
fn about(out: &mut String, explanation: &Explanation, width: usize, coloured: bool) {
    let subject = explanation
        .subject
        .as_deref()
        .map(|subject| format!("\"{subject}\""));
    let sender = explanation
        .sender
        .as_deref()
        .map(|sender| format!("from {sender}"));
    let id = explanation.message_id.as_deref().map(|id| format!("<{id}>"));
    let parts: Vec<String> = [subject, sender, id].into_iter().flatten().collect();
    if !parts.is_empty() {
        field(out, "Mail", &parts.join(" "), None, width, coloured);
    }
    if !explanation.hops.is_empty() {
        field(
            out,
            "Way",
            &format!("through {}", explanation.hops.join(", ")),
            None,
            width,
            coloured,
        );
    }
    if let Some(forwarded) = explanation.forwarded {
        let how = match forwarded {
            Forwarded::Attached => "read from the message that is attached",
            Forwarded::Inline => {
                "read from the text that somebody forwarded: it may have been changed on the way"
            }
        };
        field(out, "Note", how, Some(FAINT), width, coloured);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    fn told(name: &str) -> String {
        let path = format!("{}/tests/messages/{name}.eml", env!("CARGO_MANIFEST_DIR"));
        render(&message::explain(&std::fs::read(path).unwrap()), 80, false)
    }

    #[test]
    fn a_bounce_says_who_why_whose_and_what_to_do() {
        insta::assert_snapshot!(told("postfix-unknown"));
    }

    #[test]
    fn several_recipients_stand_apart() {
        insta::assert_snapshot!(told("postfix-several"));
    }

    #[test]
    fn a_delay_is_no_failure() {
        insta::assert_snapshot!(told("postfix-delay"));
    }

    #[test]
    fn what_was_forwarded_is_said_to_be() {
        insta::assert_snapshot!(told("forwarded-outlook-de"));
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        insta::assert_snapshot!(told("aws"));
    }

    #[test]
    fn what_is_no_bounce_is_said_to_be_none() {
        insta::assert_snapshot!(told("out-of-office"));
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_obey() {
        let message = "From: MAILER-DAEMON@a.test\nReturn-Path: <>\nSubject: failure notice\n\nThis is the \
                       qmail-send program\n\n<who@partner.test>:\n550 5.1.1 \x1b[31mred\u{202e}\n";
        let shown = render(&message::explain(message.as_bytes()), 80, false);
        assert!(shown.contains("550 5.1.1 \\x1b[31mred\\x202e"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}
