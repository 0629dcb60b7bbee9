//! The whole on a terminal: the sentence on top, our own side if bad, incidents, domains, gateways.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::Style;
use reqwest::Url;

use super::Sheet;
use super::document::{Cause, Incident, Names, Overview, Verdict, Warning, turns, unicode};
use crate::cli::layout::{Room, field, mark, table, wrap};
use crate::cli::style::{FAINT, STRONG, of_severity, of_state, paint};
use crate::model::State;
use crate::surface::words::{Moment, count, duration};

/// How many domains of a client an incident names.
const NAMED: usize = 8;

/// Draws all of it.
pub fn render(overview: &Overview, from: &Url, sheet: Sheet) -> String {
    let names = Names::new(&overview.clients);
    let mut out = top(overview, from, sheet);
    incidents(&mut out, overview, &names, sheet);
    domains(&mut out, overview, &names, sheet);
    gateways(&mut out, overview, &names, sheet);
    out
}

/// The sentence, what is wrong with our own side, and when this was so.
fn top(overview: &Overview, from: &Url, sheet: Sheet) -> String {
    let summary = &overview.summary;
    let look = of_state(summary.state).bold();
    let mut out = String::new();
    line(&mut out, mark(summary.state), &summary.text, look, sheet);
    for note in &summary.notes {
        line(&mut out, " ", note, Style::new(), sheet);
    }
    let at = Moment::new(summary.at, summary.at).human;
    let source = format!("as of {at}, from mailflow {} at {from}", summary.version);
    line(&mut out, " ", &source, FAINT, sheet);
    let mut say =
        |label: &str, text: &str, look| field(&mut out, label, text, look, sheet.width, sheet.coloured);
    if let Some(remedy) = &summary.remedy {
        for cause in overview
            .vantages
            .iter()
            .filter_map(|vantage| vantage.cause.as_ref())
        {
            say("Seen", &cause.detail, None);
        }
        say("Do", remedy, Some(STRONG));
    }
    for warning in overview.vantages.iter().flat_map(|vantage| &vantage.also) {
        let text = format!("{}: {}", warning.subject, warning.summary);
        say("Also", &text, Some(FAINT));
    }
    out
}

/// A paragraph behind a sign.
fn line(out: &mut String, sign: &str, text: &str, look: Style, sheet: Sheet) {
    for (index, line) in wrap(text, sheet.width.saturating_sub(3)).iter().enumerate() {
        let sign = if index == 0 { sign } else { " " };
        let text = format!("{sign} {line}");
        let _ = writeln!(out, " {}", paint(&text, look, sheet.coloured));
    }
}

fn heading(out: &mut String, name: &str, rest: &str, sheet: Sheet) {
    let _ = writeln!(
        out,
        "\n{}  {}",
        paint(name, STRONG, sheet.coloured),
        paint(rest, FAINT, sheet.coloured)
    );
}

fn more(out: &mut String, length: usize, sheet: Sheet) {
    if length > sheet.most {
        let text = format!(" … and {} more", length - sheet.most);
        let _ = writeln!(out, "{}", paint(&text, FAINT, sheet.coloured));
    }
}

fn incidents(out: &mut String, overview: &Overview, names: &Names, sheet: Sheet) {
    let open = &overview.incidents;
    if open.is_empty() {
        heading(out, "Incidents", "none open", sheet);
        return;
    }
    heading(out, "Incidents", &format!("{} open", open.len()), sheet);
    for (index, incident) in open.iter().take(sheet.most).enumerate() {
        if index > 0 {
            out.push('\n');
        }
        draw_incident(out, overview, incident, names, sheet);
    }
    more(out, open.len(), sheet);
}

fn draw_incident(out: &mut String, overview: &Overview, incident: &Incident, names: &Names, sheet: Sheet) {
    let now = overview.summary.at;
    let opened = Moment::new(incident.opened, now);
    let severity = incident.severity;
    let _ = writeln!(
        out,
        " {} {}  since {} ({})",
        paint(&format!("#{}", incident.id), STRONG, sheet.coloured),
        paint(severity.as_str(), of_severity(severity), sheet.coloured),
        opened.human,
        opened.ago,
    );
    let cause = &incident.cause;
    let mut say = |label: &str, text: &str, look| field(out, label, text, look, sheet.width, sheet.coloured);
    say("Cause", &format!("{}: {}", cause.subject, cause.title), None);
    if let Some(flaps) = incident.flapping {
        say("Flaps", &turns(flaps, now), None);
    }
    if overview.summary.remedy.is_some() && matches!(&*cause.root.kind, "vantage" | "resolver") {
        // All else stands on top.
        return;
    }
    say("Whose", &names.whose(cause, &incident.domains), None);
    if !incident.domains.is_empty() {
        say("Hits", &names.touched(&incident.domains, NAMED), None);
    }
    say("Do", &cause.action, Some(STRONG));
}

fn domains(out: &mut String, overview: &Overview, names: &Names, sheet: Sheet) {
    let all = &overview.domains;
    heading(out, "Domains", &tally(all), sheet);
    let now = overview.summary.at;
    let row = |verdict: &Verdict| {
        vec![
            state(verdict, sheet),
            unicode(&verdict.name),
            client(verdict, names),
            why(verdict, sheet),
            duration(verdict.since, now),
        ]
    };
    let rows: Vec<_> = all.iter().take(sheet.most).map(row).collect();
    if !rows.is_empty() {
        let columns = [
            ("state", Room::Whole),
            ("domain", Room::AtLeast(30)),
            ("client", Room::AtLeast(12)),
            ("cause or provider", Room::AtLeast(15)),
            ("for", Room::Whole),
        ];
        out.push_str(&table(&columns, &rows, sheet.columns, sheet.coloured));
    }
    more(out, all.len(), sheet);
}

fn gateways(out: &mut String, overview: &Overview, names: &Names, sheet: Sheet) {
    let all = &overview.gateways;
    if all.is_empty() {
        return;
    }
    heading(out, "Gateways", &tally(all), sheet);
    let now = overview.summary.at;
    let row = |verdict: &Verdict| {
        vec![
            state(verdict, sheet),
            verdict.name.to_string(),
            client(verdict, names),
            verdict.address.as_deref().unwrap_or_default().to_owned(),
            why(verdict, sheet),
            duration(verdict.since, now),
        ]
    };
    let rows: Vec<_> = all.iter().take(sheet.most).map(row).collect();
    let columns = [
        ("state", Room::Whole),
        ("gateway", Room::AtLeast(16)),
        ("client", Room::AtLeast(12)),
        ("address", Room::AtLeast(15)),
        ("cause", Room::AtLeast(10)),
        ("for", Room::Whole),
    ];
    out.push_str(&table(&columns, &rows, sheet.columns, sheet.coloured));
    more(out, all.len(), sheet);
}

/// `2 broken, 10 flowing`, the worst first.
fn tally(verdicts: &[Verdict]) -> String {
    let mut counts: BTreeMap<std::cmp::Reverse<u8>, (State, usize)> = BTreeMap::new();
    for verdict in verdicts {
        let key = std::cmp::Reverse(verdict.state.urgency());
        counts.entry(key).or_insert((verdict.state, 0)).1 += 1;
    }
    let parts: Vec<String> = counts
        .values()
        .map(|(state, number)| count(*number, state.as_str(), state.as_str()))
        .collect();
    if parts.is_empty() {
        "none watched".to_owned()
    } else {
        parts.join(", ")
    }
}

fn state(verdict: &Verdict, sheet: Sheet) -> String {
    let text = format!("{} {}", mark(verdict.state), verdict.state);
    paint(&text, of_state(verdict.state), sheet.coloured)
}

fn client(verdict: &Verdict, names: &Names) -> String {
    verdict
        .client
        .as_ref()
        .map(|client| names.of(client))
        .unwrap_or_default()
}

/// The cause and its incident; else who operates it, and what somebody should know.
fn why(verdict: &Verdict, sheet: Sheet) -> String {
    let cause = |cause: &Cause| match &verdict.incident {
        Some(incident) => format!("#{incident} {}", cause.code),
        None => cause.code.to_string(),
    };
    let known = verdict.cause.as_ref().map(cause);
    let known = known.or_else(|| verdict.provider.as_ref().map(ToString::to_string));
    let warning = |warning: &Warning| {
        let text = format!("! {} ({})", warning.code, warning.summary);
        paint(&text, of_state(State::Degraded), sheet.coloured)
    };
    let flapping = verdict
        .flapping
        .map(|flaps| format!("flapping ({} turns)", flaps.turns));
    let parts: Vec<String> = known
        .into_iter()
        .chain(flapping)
        .chain(verdict.also.iter().map(warning))
        .collect();
    parts.join(", ")
}
