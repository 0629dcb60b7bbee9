//! `mailflow explain FILE|-|CODE` and `mailflow explain --all`: what happened to a message, or what a cause means and
//! what to do about it.

mod told;

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use reqwest::Url;
use serde_json::{Value, json};

use crate::message;
use crate::model::text::clean;
use crate::model::{Code, catalogue};

use super::args::Explain;
use super::daemon::Daemon;
use super::{output, style};

/// The longest sentence of a daemon's that is shown, in characters.
const SEEN: usize = 1000;

/// Prints what became of a message, or what the catalogue says of a code, or of all.
pub fn run(explain: &Explain) -> anyhow::Result<u8> {
    let text = match explain.what.as_deref() {
        Some(what) => match what.parse::<Code>() {
            Ok(code) => one(code, explain.json),
            Err(_) => of_message(read(what)?, explain)?,
        },
        None if explain.json => {
            let all: Vec<Value> = Code::ALL.iter().map(|code| document(*code)).collect();
            format!("{:#}\n", json!({ "causes": all }))
        }
        None => catalogue::page(),
    };
    output::show(&text)?;
    Ok(0)
}

/// The bytes of a message: a file's, or standard input's; no more than are looked at.
fn read(what: &str) -> anyhow::Result<Vec<u8>> {
    let most = message::LONGEST as u64;
    let mut bytes = Vec::new();
    if what == "-" {
        let input = std::io::stdin().lock();
        input
            .take(most)
            .read_to_end(&mut bytes)
            .context("standard input")?;
    } else {
        let shown = crate::model::text::clean(what.as_bytes(), 200);
        if !Path::new(what).exists() && !what.contains(['/', '\\']) && !what.contains(".eml") {
            bail!(unknown(what));
        }
        let file = std::fs::File::open(what).with_context(|| shown.clone())?;
        file.take(most).read_to_end(&mut bytes).with_context(|| shown)?;
    }
    if bytes.trim_ascii().is_empty() {
        bail!("there is no message in it");
    }
    if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        bail!(
            "this is in Outlook's own format (.msg): save the message as .eml, or forward it as an attachment and save that"
        );
    }
    Ok(bytes)
}

/// What to say of something that is neither a code nor a file.
fn unknown(typed: &str) -> String {
    let nearest = catalogue::nearest(typed)
        .map(|code| format!("; did you mean \"{code}\"?"))
        .unwrap_or_default();
    let typed = crate::model::text::clean(typed.as_bytes(), 80);
    format!("\"{typed}\" is no cause that mailflow knows, and no file{nearest}")
}

fn of_message(bytes: Vec<u8>, explain: &Explain) -> anyhow::Result<String> {
    let explanation = message::explain(&bytes);
    let ours = if explanation.recipients.is_empty() {
        Value::Null
    } else {
        ask(bytes, explain.url.as_ref())?
    };
    if explain.json {
        let mut document = serde_json::to_value(&explanation)?;
        document["ours"] = ours;
        return Ok(format!("{document:#}\n"));
    }
    let texts: Vec<Option<String>> = (0..explanation.recipients.len())
        .map(|number| Some(clean(ours.get(number)?.get("text")?.as_str()?.as_bytes(), SEEN)))
        .collect();
    Ok(told::render(
        &explanation,
        &texts,
        style::width(),
        style::stdout_is_coloured(),
    ))
}

/// What a daemon sees itself of each recipient's domain; null where none is named, or it cannot be asked. A mail is handed to
/// nobody unless that is asked for.
fn ask(mail: Vec<u8>, url: Option<&Url>) -> anyhow::Result<Value> {
    let Some(url) = url else {
        return Ok(Value::Null);
    };
    let daemon = Daemon::at(url)?;
    match super::runtime()?.block_on(daemon.send_mail(&["explain"], mail)) {
        Ok(mut answer) => Ok(answer.get_mut("ours").map_or(Value::Null, Value::take)),
        Err(error) => {
            eprintln!("What the daemon sees itself is not known: {error}");
            Ok(Value::Null)
        }
    }
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
