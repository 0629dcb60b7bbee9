//! One entry as text for a terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::Entry;
use crate::model::{Code, State};

/// What the catalogue says of a code, for `mailflow explain CODE`: at most `width` columns (at least 40), with
/// colours where the reader is a terminal.
pub fn render(code: Code, colour: bool, width: usize) -> String {
    let entry = code.entry();
    let width = width.max(40);
    let bold = if colour { Style::new().bold() } else { Style::new() };
    let tint = if colour {
        state_style(entry.state)
    } else {
        Style::new()
    };
    let mut out = format!("{bold}{code}{bold:#}\n{}\n\n", entry.title);
    for (label, style, text) in [
        ("Layer", Style::new(), code.layer()),
        ("Whose", Style::new(), entry.role.in_words()),
        ("State", tint, state_in_words(entry)),
    ] {
        let _ = writeln!(out, "{label:<7}{style}{text}{style:#}");
    }
    let mut sections = vec![
        ("What it means", entry.explanation),
        ("What to do", entry.action),
        ("How it looks", entry.seen),
        ("What would prove it wrong", entry.refuted),
    ];
    if let Some(route) = entry.route {
        sections.push((
            "On a route (mail that a client sends to somebody)",
            route.explanation,
        ));
        sections.push(("What to do about a route", route.action));
    }
    for (heading, text) in sections {
        let _ = writeln!(out, "\n{bold}{heading}{bold:#}");
        for line in wrapped(text, width - 2) {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

pub(super) fn state_in_words(entry: &Entry) -> &'static str {
    match entry.state {
        State::Flowing => "flowing, with a warning",
        state => state.as_str(),
    }
}

fn state_style(state: State) -> Style {
    let colour = match state {
        State::Flowing => AnsiColor::Green,
        State::Degraded => AnsiColor::Yellow,
        State::Broken => AnsiColor::Red,
        State::Unknown => AnsiColor::Blue,
    };
    Style::new().fg_color(Some(colour.into()))
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
