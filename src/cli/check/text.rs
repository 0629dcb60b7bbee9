//! A verdict for people: the path hop by hop, what is wrong, whose it is, what to do.

use std::fmt::Write;

use crate::cli::layout::{field, mark, wrap};
use crate::cli::style::{self, FAINT, STRONG, paint};
use crate::diagnosis::brief;
use crate::model::{Confidence, Hop, Owner, Proof, State, Verdict};

/// Draws a verdict, no line wider than `width`.
pub fn render(verdict: &Verdict, width: usize, coloured: bool) -> String {
    let mut out = headline(verdict, coloured);
    out.push('\n');
    let column = verdict
        .path
        .iter()
        .map(|hop| hop.hop.as_str().len())
        .max()
        .unwrap_or(0);
    for (index, hop) in verdict.path.iter().enumerate() {
        let last = index + 1 == verdict.path.len();
        draw_hop(&mut out, hop, column, last, width, coloured);
    }
    if let Some(cause) = &verdict.cause {
        let entry = cause.code.entry();
        let title = format!("{}: {}", cause.subject, entry.title);
        out.push('\n');
        field(
            &mut out,
            "Cause",
            &title,
            Some(style::of_state(verdict.state)),
            width,
            coloured,
        );
        field(&mut out, "Seen", &cause.detail, None, width, coloured);
        let sure = match (cause.confidence, &cause.confidence_reason) {
            (Confidence::Certain, _) => None,
            (Confidence::Probable, Some(reason)) => Some(format!("probable: {reason}")),
            (Confidence::Probable, None) => Some("probable".to_owned()),
            (Confidence::Possible, _) => Some("possible".to_owned()),
        };
        if let Some(sure) = sure {
            field(&mut out, "Sure", &sure, None, width, coloured);
        }
        let whose = match &cause.contact {
            Some(contact) => format!("{}, {contact}", whose(cause.owner)),
            None => whose(cause.owner).to_owned(),
        };
        field(&mut out, "Whose", &whose, None, width, coloured);
        field(&mut out, "Do", entry.action, Some(STRONG), width, coloured);
        field(
            &mut out,
            "Code",
            &format!("{} (more: mailflow explain {})", cause.code, cause.code),
            Some(FAINT),
            width,
            coloured,
        );
    }
    for warning in &verdict.also {
        let text = format!(
            "{}: {}: {}",
            warning.subject,
            warning.code.entry().title,
            warning.summary
        );
        field(&mut out, "Also", &text, None, width, coloured);
    }
    if verdict.state == State::Flowing && verdict.proven_by == [Proof::Dialogue] && verdict.provider.is_some()
    {
        let text =
            "The provider's servers live; that this domain's mailboxes take mail only a canary can prove.";
        field(&mut out, "Note", text, Some(FAINT), width, coloured);
    }
    out
}

fn headline(verdict: &Verdict, coloured: bool) -> String {
    let name = paint(&verdict.target.to_string(), STRONG, coloured);
    let state = paint(
        verdict.state.as_str(),
        style::of_state(verdict.state).bold(),
        coloured,
    );
    let provider = verdict
        .provider
        .as_ref()
        .map(|name| format!(", hosted by {name}"))
        .unwrap_or_default();
    format!("{name}  {state}{provider}\n")
}

fn draw_hop(out: &mut String, hop: &Hop, column: usize, last: bool, width: usize, coloured: bool) {
    let state = style::of_state(hop.state);
    let elapsed = hop
        .elapsed
        .map_or_else(String::new, |elapsed| brief(elapsed.into()));
    let indent = column + 14;
    let text = wrap(
        &format!("{}  {}", hop.subject, hop.summary),
        width.saturating_sub(indent),
    );
    let rail = if last { " " } else { "│" };
    for (index, line) in text.iter().enumerate() {
        if index == 0 {
            let _ = writeln!(
                out,
                " {} {:<column$} {} {line}",
                paint(mark(hop.state), state.bold(), coloured),
                hop.hop.as_str(),
                paint(&format!("{elapsed:>8}"), FAINT, coloured),
            );
        } else {
            let _ = writeln!(
                out,
                " {} {:<column$} {:>8} {line}",
                paint(rail, FAINT, coloured),
                "",
                ""
            );
        }
    }
}

fn whose(owner: Owner) -> &'static str {
    match owner {
        Owner::Client => "the domain's own side",
        Owner::Recipient => "the recipient's side",
        Owner::Provider => "the provider",
        Owner::Network => "a network between",
        Owner::Us => "ours",
    }
}

#[cfg(test)]
mod tests;
