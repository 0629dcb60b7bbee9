//! The whole catalogue as one page of Markdown.

use std::fmt::Write;

use super::{Entry, all, render::state_in_words};

/// Every cause, layer by layer, as it stands in `docs/causes.md`.
pub fn page() -> String {
    let mut out = String::from(
        "# Causes\n\n\
         Every cause that mailflow names, by layer. This page is what `mailflow explain --all` prints; one cause alone is \
         `mailflow explain CODE`.\n",
    );
    let mut layer = "";
    for entry in all() {
        if entry.code.layer() != layer {
            layer = entry.code.layer();
            let _ = write!(out, "\n## {layer}\n");
        }
        section(&mut out, entry);
    }
    out
}

fn section(out: &mut String, entry: &Entry) {
    let _ = write!(out, "\n### `{}`\n\n**{}.**", entry.code, entry.title);
    let _ = write!(
        out,
        " Gives: {}. Whose: {}.\n\n{}\n\n",
        state_in_words(entry),
        entry.role.in_words(),
        entry.explanation
    );
    let _ = writeln!(out, "- **Do:** {}", entry.action);
    if let Some(route) = entry.route {
        let _ = writeln!(out, "- **On a route:** {} {}", route.explanation, route.action);
    }
    let _ = writeln!(out, "- **Looks like:** {}", entry.seen);
    let _ = writeln!(out, "- **Proven wrong by:** {}", entry.refuted);
}
