//! `mailflow explain CODE` and `mailflow explain --all`: what a cause means and what to do about it.

use anyhow::bail;
use serde_json::{Value, json};

use crate::model::{Code, catalogue};

use super::args::Explain;
use super::{output, style};

/// Prints what the catalogue says of a code, or of all.
pub fn run(explain: &Explain) -> anyhow::Result<u8> {
    let text = match &explain.code {
        Some(typed) => one(find(typed)?, explain.json),
        None if explain.json => {
            let all: Vec<Value> = Code::ALL.iter().map(|code| document(*code)).collect();
            format!("{:#}\n", json!({ "causes": all }))
        }
        None => catalogue::page(),
    };
    output::show(&text)?;
    Ok(0)
}

fn find(typed: &str) -> anyhow::Result<Code> {
    if let Ok(code) = typed.parse::<Code>() {
        return Ok(code);
    }
    let nearest = catalogue::nearest(typed)
        .map(|code| format!("; did you mean \"{code}\"?"))
        .unwrap_or_default();
    let typed = crate::model::text::clean(typed.as_bytes(), 80);
    bail!("\"{typed}\" is no cause that mailflow knows{nearest}");
}

fn one(code: Code, as_json: bool) -> String {
    if as_json {
        format!("{:#}\n", document(code))
    } else {
        catalogue::render(code, style::stdout_is_coloured(), style::width())
    }
}

fn document(code: Code) -> Value {
    let entry = code.entry();
    json!({
        "code": code, "layer": code.layer(), "state": entry.state, "title": entry.title,
        "explanation": entry.explanation, "action": entry.action, "seen": entry.seen,
        "refuted": entry.refuted,
    })
}
