//! `mailflow status`: what a running daemon knows, worst first.

mod document;
mod incident;
mod overview;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use futures_util::try_join;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::Status;
use super::daemon::{Daemon, Error};
use super::{output, style};

pub use document::{Client, Incident, Names, Words};

/// How many incidents, and domains, a terminal shows; more are counted.
const ON_TERMINAL: usize = 50;

/// How wide the lines are, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Sheet {
    /// For paragraphs.
    pub width: usize,
    /// For tables, which may use the whole terminal.
    pub columns: usize,
    pub coloured: bool,
    /// The most of each list.
    pub most: usize,
}

impl Sheet {
    /// As standard output is.
    pub fn of_stdout() -> Self {
        let most = if std::io::stdout().is_terminal() {
            ON_TERMINAL
        } else {
            usize::MAX
        };
        Self {
            width: style::width(),
            columns: style::columns(),
            coloured: style::stdout_is_coloured(),
            most,
        }
    }
}

/// Shows the whole, or one incident; 0 where it could be read, however bad it is.
pub fn run(status: &Status) -> anyhow::Result<u8> {
    let daemon = Daemon::at(&status.daemon.url)?;
    let runtime = super::runtime()?;
    let sheet = Sheet::of_stdout();
    let text = match status.incident {
        None => {
            let whole = runtime.block_on(all(&daemon))?;
            let overview = understood(&daemon, &whole)?;
            if status.json {
                format!("{whole:#}\n")
            } else {
                overview::render(&overview, daemon.url(), sheet)
            }
        }
        Some(id) => {
            let whole = runtime.block_on(one(&daemon, id))?;
            let single = understood(&daemon, &whole)?;
            if status.json {
                format!("{:#}\n", whole["incident"])
            } else {
                incident::render(&single, daemon.url(), sheet)
            }
        }
    };
    output::show(&text)?;
    Ok(0)
}

/// All that the whole is told from.
async fn all(daemon: &Daemon) -> Result<Value, Error> {
    let worst = [("order", "worst")];
    let (summary, vantages, incidents, domains, gateways, clients) = try_join!(
        daemon.get(&["summary"], &[]),
        daemon.get(&["vantages"], &worst),
        daemon.get(&["incidents"], &[("state", "open"), ("limit", "1000")]),
        daemon.get(&["domains"], &worst),
        daemon.get(&["gateways"], &worst),
        daemon.get(&["clients"], &[]),
    )?;
    Ok(json!({
        "summary": summary,
        "vantages": vantages["vantages"],
        "incidents": incidents["incidents"],
        "domains": domains["domains"],
        "gateways": gateways["gateways"],
        "clients": clients["clients"],
    }))
}

/// All that one incident is told from.
async fn one(daemon: &Daemon, id: u64) -> Result<Value, Error> {
    let id = id.to_string();
    let path = ["incidents", &id];
    let (summary, incident, clients) = try_join!(
        daemon.get(&["summary"], &[]),
        daemon.get(&path, &[]),
        daemon.get(&["clients"], &[]),
    )?;
    Ok(json!({ "summary": summary, "incident": incident, "clients": clients["clients"] }))
}

/// A document as we know it. Some other program may answer with JSON as well, and a daemon may be newer than we are.
fn understood<'a, T: Deserialize<'a>>(daemon: &Daemon, whole: &'a Value) -> Result<T, Error> {
    T::deserialize(whole).map_err(|error| daemon.stranger(error.to_string()))
}
