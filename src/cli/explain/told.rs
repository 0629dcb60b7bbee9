//! An explained message for a terminal: who, why, whose it is, what to do, and the server's words, in this order.

use std::fmt::Write;

use anstyle::Style;

use crate::message::Explanation;
use crate::model::State;
use crate::surface::bounce::{self, Told};

use super::super::layout::{field, mark};
use super::super::style::{FAINT, STRONG, of_state, paint};

/// The most recipients that are shown in full.
const MOST_SHOWN: usize = 20;

/// The whole, at most `width` columns wide; `seen` is what a daemon sees itself of each recipient's domain.
pub(super) fn render(
    explanation: &Explanation,
    seen: &[Option<String>],
    width: usize,
    coloured: bool,
) -> String {
    let mut out = String::new();
    if let Some(line) = bounce::no_bounce(explanation) {
        let line = paint(&line, STRONG, coloured);
        let _ = writeln!(out, "{} {line}", mark(State::Flowing));
    } else {
        recipients(&mut out, explanation, seen, width, coloured);
    }
    lines(&mut out, &bounce::about(explanation), width, coloured);
    out
}

fn recipients(
    out: &mut String,
    explanation: &Explanation,
    seen: &[Option<String>],
    width: usize,
    coloured: bool,
) {
    for (number, recipient) in explanation.recipients.iter().take(MOST_SHOWN).enumerate() {
        let seen = seen.get(number).and_then(Option::as_deref);
        one(
            out,
            &Told::new(recipient, explanation.kind, seen),
            width,
            coloured,
        );
        out.push('\n');
    }
    let more = explanation.recipients.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        let _ = writeln!(out, "And {more} more recipients: --json shows them all.\n");
    }
}

fn one(out: &mut String, told: &Told, width: usize, coloured: bool) {
    let _ = writeln!(
        out,
        "{} {} {}",
        paint(mark(told.state), of_state(told.state), coloured),
        paint(&format!("{}:", told.what), of_state(told.state), coloured),
        paint(&told.who, STRONG, coloured)
    );
    lines(out, &told.lines, width, coloured);
}

fn lines(out: &mut String, lines: &[bounce::Line], width: usize, coloured: bool) {
    for (label, text) in lines {
        field(out, label, text, style(label), width, coloured);
    }
}

fn style(label: &str) -> Option<Style> {
    match label {
        "Why" => Some(STRONG),
        "Code" | "Note" => Some(FAINT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    fn told(name: &str) -> String {
        let path = format!("{}/tests/messages/{name}.eml", env!("CARGO_MANIFEST_DIR"));
        render(&message::explain(&std::fs::read(path).unwrap()), &[], 80, false)
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
        let shown = render(&message::explain(message.as_bytes()), &[], 80, false);
        assert!(shown.contains("550 5.1.1 \\x1b[31mred\\x202e"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}
