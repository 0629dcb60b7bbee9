//! `mailflow digest`: what happened meanwhile, for whoever comes back.

use std::fmt::Write;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::Digest;
use super::daemon::Daemon;
use super::layout::{field, wrap};
use super::output;
use super::status::{Incident, Names, Sheet, Words};
use super::style::{FAINT, STRONG, paint};
use crate::config::value::duration;
use crate::model::Owner;
use crate::surface::words::{Moment as Told, span};

/// How many domains of a client an incident names.
const NAMED: usize = 8;

/// A time, as somebody types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Exactly then.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

/// Reads a day or a time of this machine's zone, a time by RFC 3339, or how long ago.
pub fn moment(text: &str) -> Result<Moment, String> {
    let here = |time: DateTime| {
        time.to_zoned(TimeZone::system())
            .ok()
            .map(|time| time.timestamp())
    };
    let typed = text.trim();
    let time = typed.parse::<Timestamp>().ok();
    let time = time.or_else(|| typed.parse::<DateTime>().ok().and_then(here));
    let time = time.or_else(|| typed.parse::<Date>().ok().and_then(|day| here(day.into())));
    if let Some(time) = time {
        return Ok(Moment::At(time));
    }
    duration::parse(typed).map(Moment::Ago).map_err(|_| {
        "this is neither a day (2026-11-20), nor a time (2026-11-20T18:00), nor how long ago (3d, 12h)"
            .to_owned()
    })
}

impl Moment {
    fn timestamp(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => {
                let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
                now.checked_sub(span).unwrap_or(Timestamp::UNIX_EPOCH)
            }
        }
    }
}

/// What the daemon tells.
#[derive(Deserialize)]
struct Document {
    digest: Look,
    clients: Vec<super::status::Client>,
    at: Timestamp,
}

#[derive(Deserialize)]
struct Look {
    since: Timestamp,
    until: Timestamp,
    text: Words,
    owners: Vec<Share>,
    incidents: Vec<Row>,
}

#[derive(Deserialize)]
struct Share {
    owner: Owner,
    incidents: usize,
    domain_seconds: u64,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    incident: Incident,
    seconds: u64,
    domain_seconds: u64,
}

/// Looks back; 0 where that could be done, however bad it was.
pub fn run(digest: &Digest) -> anyhow::Result<u8> {
    let daemon = Daemon::at(&digest.daemon.url)?;
    let whole = super::runtime()?.block_on(ask(&daemon, digest))?;
    let text = if digest.json {
        format!("{:#}\n", whole["digest"])
    } else {
        let document: Document =
            serde_json::from_value(whole).map_err(|error| daemon.stranger(error.to_string()))?;
        render(&document, Sheet::of_stdout())
    };
    output::show(&text)?;
    Ok(0)
}

async fn ask(daemon: &Daemon, digest: &Digest) -> anyhow::Result<Value> {
    let summary = daemon.get(&["summary"], &[]).await?;
    // What is so long ago is reckoned by the daemon's clock, as all that it tells is.
    let now: Timestamp =
        serde_json::from_value(summary["at"].clone()).map_err(|error| daemon.stranger(error.to_string()))?;
    let since = digest.since.timestamp(now).to_string();
    let until = digest.until.map(|until| until.timestamp(now).to_string());
    let mut query = vec![("since", since.as_str())];
    query.extend(until.as_deref().map(|until| ("until", until)));
    query.extend(digest.client.as_deref().map(|client| ("client", client)));
    let told = daemon.get(&["digest"], &query).await?;
    let clients = daemon.get(&["clients"], &[]).await?;
    Ok(json!({ "digest": told, "clients": clients["clients"], "at": now }))
}

fn render(document: &Document, sheet: Sheet) -> String {
    let (digest, names) = (&document.digest, Names::new(&document.clients));
    let mut out = String::new();
    let (from, to) = (digest.since, digest.until);
    let period = format!(
        "From {} to {} ({})",
        Told::new(from, document.at).human,
        Told::new(to, document.at).human,
        crate::surface::words::duration(from, to)
    );
    let _ = writeln!(out, "{}", paint(&period, FAINT, sheet.coloured));
    for line in wrap(&digest.text, sheet.width) {
        let _ = writeln!(out, "{}", paint(&line, STRONG, sheet.coloured));
    }
    if !digest.owners.is_empty() {
        let _ = writeln!(out, "{}", wrap(&whose(&digest.owners), sheet.width).join("\n"));
    }
    let (open, over): (Vec<&Row>, Vec<&Row>) = digest
        .incidents
        .iter()
        .partition(|one| one.incident.resolved.is_none());
    still_open(&mut out, &open, document, &names, sheet);
    what_is_over(&mut out, &over, document, &names, sheet);
    out
}

/// `Whose: the clients 2 (3 h 20 min), the mail providers 1 (5 min)`.
fn whose(owners: &[Share]) -> String {
    let share = |share: &Share| {
        let owner = match share.owner {
            Owner::Client => "our clients",
            Owner::Recipient => "recipients",
            Owner::Provider => "mail providers",
            Owner::Network => "lines and networks between",
            Owner::Us => "ourselves",
        };
        let cost = match share.domain_seconds {
            0 => "no domain hit".to_owned(),
            seconds => span(seconds),
        };
        format!("{owner} {} ({cost})", share.incidents)
    };
    format!(
        "Whose: {}.",
        owners.iter().map(share).collect::<Vec<_>>().join(", ")
    )
}

fn heading(out: &mut String, name: &str, sheet: Sheet) {
    let _ = writeln!(out, "\n{}", paint(name, STRONG, sheet.coloured));
}

fn still_open(out: &mut String, open: &[&Row], document: &Document, names: &Names, sheet: Sheet) {
    if open.is_empty() {
        return;
    }
    heading(out, "Still open", sheet);
    for (index, row) in open.iter().take(sheet.most).enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let (incident, cause) = (&row.incident, &row.incident.cause);
        let since = Told::new(incident.opened, document.at);
        let id = paint(&format!("#{}", incident.id), STRONG, sheet.coloured);
        let _ = writeln!(out, " {id} since {} ({})", since.human, since.ago);
        let mut say =
            |label: &str, text: &str, look| field(out, label, text, look, sheet.width, sheet.coloured);
        say("Cause", &format!("{}: {}", cause.subject, cause.title), None);
        say("Whose", &names.whose(cause, &incident.domains), None);
        if !incident.domains.is_empty() {
            say("Hits", &names.touched(&incident.domains, NAMED), None);
        }
        if let Some(taken) = &incident.acknowledged {
            let at = Told::new(taken.at, document.at).human;
            say("Taken", &format!("by {} at {at}", taken.by), None);
        }
        say("Do", &cause.action, Some(STRONG));
    }
    more(out, open.len(), sheet);
}

fn what_is_over(out: &mut String, over: &[&Row], document: &Document, names: &Names, sheet: Sheet) {
    if over.is_empty() {
        return;
    }
    heading(out, "Over", sheet);
    for (index, row) in over.iter().take(sheet.most).enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let (incident, cause) = (&row.incident, &row.incident.cause);
        let from = Told::new(incident.opened, document.at).human;
        let id = paint(&format!("#{}", incident.id), STRONG, sheet.coloured);
        let _ = writeln!(out, " {id} from {from}, for {}: {}", span(row.seconds), hit(row));
        let mut say =
            |label: &str, text: &str, look| field(out, label, text, look, sheet.width, sheet.coloured);
        say("Cause", &format!("{}: {}", cause.subject, cause.title), None);
        say("Whose", &names.whose(cause, &incident.domains), None);
        if !incident.domains.is_empty() {
            say("Hit", &names.touched(&incident.domains, NAMED), None);
        }
    }
    more(out, over.len(), sheet);
}

fn hit(row: &Row) -> String {
    match row.incident.domains.len() {
        0 => "no domain".to_owned(),
        1 => "1 domain".to_owned(),
        many => format!("{many} domains, {} altogether", span(row.domain_seconds)),
    }
}

fn more(out: &mut String, length: usize, sheet: Sheet) {
    if length > sheet.most {
        let text = format!(" … and {} more", length - sheet.most);
        let _ = writeln!(out, "{}", paint(&text, FAINT, sheet.coloured));
    }
}

#[cfg(test)]
mod tests;
