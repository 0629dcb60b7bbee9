//! `mailflow explain CODE`: what a cause means and what to do about it.

use anyhow::bail;
use serde_json::json;

use crate::model::{Code, catalogue};

use super::args::Explain;
use super::{output, style};

/// Prints what the catalogue says of a code.
pub fn run(explain: &Explain) -> anyhow::Result<u8> {
    let Ok(code) = explain.code.parse::<Code>() else {
        let nearest = catalogue::nearest(&explain.code)
            .map(|code| format!("; did you mean \"{code}\"?"))
            .unwrap_or_default();
        let typed = crate::model::text::clean(explain.code.as_bytes(), 80);
        bail!("\"{typed}\" is no cause that mailflow knows{nearest}");
    };
    let text = if explain.json {
        let entry = code.entry();
        let document = json!({
            "code": code, "layer": code.layer(), "state": entry.state, "title": entry.title,
            "explanation": entry.explanation, "action": entry.action, "seen": entry.seen,
        });
        format!("{document:#}\n")
    } else {
        catalogue::render(code, style::stdout_is_coloured(), style::width())
    };
    output::show(&text)?;
    Ok(0)
}
