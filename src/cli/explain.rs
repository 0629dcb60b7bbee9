//! `mailflow explain CODE`: what a cause means and what to do about it.

use serde_json::json;

use crate::model::{Code, catalogue};

use super::FAULT;
use super::args::Explain;
use super::style;

/// Prints what the catalogue says of a code.
pub fn run(explain: &Explain) -> u8 {
    let Ok(code) = explain.code.parse::<Code>() else {
        let nearest = catalogue::nearest(&explain.code)
            .map(|code| format!("; did you mean \"{code}\"?"))
            .unwrap_or_default();
        eprintln!(
            "error: \"{}\" is no cause that mailflow knows{nearest}",
            clean(&explain.code)
        );
        return FAULT;
    };
    if explain.json {
        let entry = code.entry();
        let document = json!({
            "code": code, "layer": code.layer(), "state": entry.state, "title": entry.title,
            "explanation": entry.explanation, "action": entry.action, "seen": entry.seen,
        });
        println!("{document:#}");
    } else {
        print!(
            "{}",
            catalogue::render(code, style::stdout_is_coloured(), style::width())
        );
    }
    0
}

fn clean(text: &str) -> String {
    crate::model::text::clean(text.as_bytes(), 80)
}
