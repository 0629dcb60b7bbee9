//! One incident on a terminal: the cause, what it touches, the evidence, the log.

use std::fmt::Write;

use jiff::Timestamp;
use reqwest::Url;

use super::Sheet;
use super::document::{Evidence, Names, Single, turns, unicode};
use crate::cli::layout::{Room, field, mark, table, wrap};
use crate::cli::style::{FAINT, STRONG, of_severity, of_state, paint};
use crate::model::{Confidence, State};
use crate::surface::words::{Moment, count, duration};

/// Draws it.
pub fn render(single: &Single, from: &Url, sheet: Sheet) -> String {
    let (incident, names) = (&single.incident, Names::new(&single.clients));
    let mut out = headline(single, sheet);
    out.push('\n');
    cause(&mut out, single, &names, sheet);
    hands(&mut out, single, sheet);
    // Without an external URL the daemon's links start at its root.
    if let Ok(page) = from.join(&incident.url) {
        let page = page.to_string();
        field(&mut out, "Page", &page, Some(FAINT), sheet.width, sheet.coloured);
    }
    domains(&mut out, single, &names, sheet);
    let page = Dated::new(single, sheet);
    if !incident.cause.evidence.is_empty() {
        heading(&mut out, "Evidence", sheet);
        for note in &incident.cause.evidence {
            page.evidence(&mut out, note);
        }
    }
    if !incident.log.is_empty() {
        heading(&mut out, "Log", sheet);
        for entry in &incident.log {
            page.line(&mut out, Some(entry.at), &entry.text);
        }
    }
    out
}

fn headline(single: &Single, sheet: Sheet) -> String {
    let (incident, now) = (&single.incident, single.summary.at);
    let opened = Moment::new(incident.opened, now);
    let id = paint(&format!("#{}", incident.id), STRONG, sheet.coloured);
    match incident.resolved {
        None => {
            let severity = paint(
                incident.severity.as_str(),
                of_severity(incident.severity),
                sheet.coloured,
            );
            format!("{id} {severity}, open since {} ({})\n", opened.human, opened.ago)
        }
        Some(resolved) => {
            let over = paint("over", of_state(State::Flowing), sheet.coloured);
            let why = incident.ended_by.as_deref().unwrap_or("ended");
            let end = Moment::new(resolved, now);
            let lasted = duration(incident.opened, resolved);
            format!(
                "{id} {over}, {why}: from {} to {} ({lasted})\n",
                opened.human, end.human
            )
        }
    }
}

/// Who has taken it on, and what keeps it quiet.
fn hands(out: &mut String, single: &Single, sheet: Sheet) {
    let (incident, now) = (&single.incident, single.summary.at);
    let mut say = |label: &str, text: &str| field(out, label, text, None, sheet.width, sheet.coloured);
    if let Some(taken) = &incident.acknowledged {
        let by = if taken.by.is_empty() {
            "somebody"
        } else {
            &*taken.by
        };
        let at = Moment::new(taken.at, now);
        say("Taken", &format!("by {by} at {} ({} ago)", at.human, at.ago));
    }
    if let Some(held) = &incident.held {
        let until = Moment::new(held.until, now).human;
        say("Quiet", &format!("until {until}: {}", held.reason));
    }
}

fn heading(out: &mut String, name: &str, sheet: Sheet) {
    let _ = writeln!(out, "\n{}", paint(name, STRONG, sheet.coloured));
}

fn cause(out: &mut String, single: &Single, names: &Names, sheet: Sheet) {
    let incident = &single.incident;
    let cause = &incident.cause;
    let mut say = |label: &str, text: &str, look| field(out, label, text, look, sheet.width, sheet.coloured);
    say("Cause", &format!("{}: {}", cause.subject, cause.title), None);
    say("Seen", &cause.detail, None);
    if let Some(flaps) = incident.flapping {
        say("Flaps", &turns(flaps, single.summary.at), None);
    }
    let reason = cause.confidence_reason.as_deref();
    let sure = match cause.confidence {
        Confidence::Certain => None,
        Confidence::Probable => Some("probable"),
        Confidence::Possible => Some("possible"),
    };
    if let Some(sure) = sure {
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        say("Sure", &format!("{sure}{reason}"), None);
    }
    say("Whose", &names.whose(cause, &incident.domains), None);
    if incident.resolved.is_none() {
        say("Do", &cause.action, Some(STRONG));
    }
    let code = format!("{} (more: mailflow explain {})", cause.code, cause.code);
    say("Code", &code, Some(FAINT));
}

fn domains(out: &mut String, single: &Single, names: &Names, sheet: Sheet) {
    let touched = &single.incident.domains;
    if touched.is_empty() {
        return;
    }
    heading(out, &count(touched.len(), "domain", "domains"), sheet);
    let rows: Vec<Vec<String>> = touched
        .iter()
        .take(sheet.most)
        .map(|one| {
            let state = format!("{} {}", mark(one.state), one.state);
            vec![
                paint(&state, of_state(one.state), sheet.coloured),
                unicode(&one.domain),
                one.client
                    .as_ref()
                    .map(|client| names.of(client))
                    .unwrap_or_default(),
                Moment::new(one.since, single.summary.at).human,
            ]
        })
        .collect();
    let columns = [
        ("state", Room::Whole),
        ("domain", Room::AtLeast(30)),
        ("client", Room::AtLeast(12)),
        ("since", Room::Whole),
    ];
    out.push_str(&table(&columns, &rows, sheet.columns, sheet.coloured));
    if touched.len() > sheet.most {
        let _ = writeln!(out, " … and {} more", touched.len() - sheet.most);
    }
}

/// Lines with their times in a column of its own.
struct Dated {
    now: Timestamp,
    column: usize,
    sheet: Sheet,
}

impl Dated {
    fn new(single: &Single, sheet: Sheet) -> Self {
        let (incident, now) = (&single.incident, single.summary.at);
        let evidence = incident.cause.evidence.iter().map(|note| note.at);
        let times = evidence.chain(incident.log.iter().map(|entry| entry.at));
        let column = times.map(|at| Moment::new(at, now).human.len()).max();
        Self {
            now,
            column: column.unwrap_or_default(),
            sheet,
        }
    }

    /// A line, with its time where it has one of its own; what does not fit stands below its text.
    fn line(&self, out: &mut String, at: Option<Timestamp>, text: &str) {
        let mut time = at.map(|at| Moment::new(at, self.now).human).unwrap_or_default();
        for line in wrap(text, self.sheet.width.saturating_sub(self.column + 3)) {
            let shown = format!("{time:<width$}", width = self.column);
            let shown = paint(&shown, FAINT, self.sheet.coloured);
            let _ = writeln!(out, " {shown}  {line}");
            time.clear();
        }
    }

    fn evidence(&self, out: &mut String, note: &Evidence) {
        let what = format!("{} {}: {}", note.probe, note.peer, note.summary);
        self.line(out, Some(note.at), &what);
        let from = match &note.source_address {
            Some(address) => format!("seen from {} ({address})", note.vantage),
            None => format!("seen from {}", note.vantage),
        };
        self.line(out, None, &from);
        if let Some(control) = &note.control {
            self.line(out, None, &format!("at the same time: {control}"));
        }
        for line in &note.transcript {
            self.line(out, None, &format!("| {line}"));
        }
    }
}
