//! What happened in a period, for whoever comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::cards::{client_name, owner_in_words};
use super::words::{self, Moment, count};
use super::{Frame, View};
use crate::model::{Incident, State};
use crate::snapshot::Snapshot;
use crate::surface::digest::{Digest, Episode};

/// How many incidents the page lists; more are only counted.
const LISTED: usize = 200;

/// The periods that have a link: their name in it, how many hours they are long, and how the link reads.
const PERIODS: [(&str, i64, &str); 5] = [
    ("8h", 8, "8 hours"),
    ("1d", 24, "24 hours"),
    ("3d", 72, "3 days"),
    ("7d", 168, "7 days"),
    ("30d", 720, "30 days"),
];

/// A period, and the name of the link that chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::surface) struct Period {
    /// Its beginning; it ends now.
    pub(in crate::surface) since: Timestamp,
    name: &'static str,
}

impl Period {
    /// As a link names it, or a day or a time that somebody typed; else since the last visit.
    pub(in crate::surface) fn of(asked: Option<&str>, visit: Timestamp, now: Timestamp) -> Self {
        let asked = asked.unwrap_or_default();
        if let Some((name, hours, _)) = PERIODS.iter().find(|(name, ..)| *name == asked) {
            let since = now.checked_sub(SignedDuration::from_hours(*hours)).unwrap_or(now);
            return Self { since, name };
        }
        let day = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
        let typed = asked.parse::<Timestamp>().ok();
        let typed = typed.or_else(|| asked.parse::<Date>().ok().and_then(day));
        match typed.filter(|since| *since <= now) {
            Some(since) => Self { since, name: "typed" },
            None => Self {
                since: visit,
                name: "visit",
            },
        }
    }
}

/// A link to a period.
struct Choice {
    name: &'static str,
    label: String,
    chosen: bool,
}

/// An incident in the list.
struct Row {
    id: String,
    tone: State,
    title: &'static str,
    subject: String,
    whom: String,
    began: Moment,
    /// `went on for 6 min`, `goes on, 6 min so far`.
    lasted: String,
    open: bool,
}

#[derive(Template)]
#[template(path = "digest.html")]
pub(super) struct DigestPage {
    frame: Frame,
    choices: Vec<Choice>,
    since: Moment,
    tone: State,
    sentence: String,
    /// Whose it was, with what it cost: `the client's own side`, `3 incidents, 2 h of mail`.
    owners: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    more: usize,
}

impl DigestPage {
    pub(super) fn new(
        view: &View<'_>,
        incidents: &[Arc<Incident>],
        period: Period,
        before: Option<Timestamp>,
    ) -> Self {
        let View { snapshot, now, .. } = *view;
        let digest = Digest::of(incidents.iter().map(AsRef::as_ref), None, period.since, now);
        let owners = digest.owners().into_iter().map(|(owner, share)| {
            let incidents = count(share.incidents, "incident", "incidents");
            let cost = match share.domain_seconds {
                0 => incidents,
                seconds => format!("{incidents}, {} of mail trouble", words::span(seconds)),
            };
            (owner_in_words(owner), cost)
        });
        Self {
            frame: Frame::new("What happened · mailflow", tone(&digest), view).here("digest"),
            choices: choices(period, before, now),
            since: Moment::new(period.since, now),
            tone: tone(&digest),
            sentence: digest.sentence(),
            owners: owners.collect(),
            more: digest.episodes.len().saturating_sub(LISTED),
            rows: digest
                .episodes
                .iter()
                .take(LISTED)
                .map(|one| row(snapshot, one, now))
                .collect(),
        }
    }
}

/// What is new to somebody, in a line of the front page: as far as the snapshot reaches, which holds the last hundred.
pub(super) fn news(snapshot: &Snapshot, since: Timestamp, now: Timestamp) -> String {
    let known = snapshot.open_incidents.iter().chain(&snapshot.closed_incidents);
    Digest::of(known.map(AsRef::as_ref), None, since, now).sentence()
}

fn tone(digest: &Digest<'_>) -> State {
    match (digest.episodes.is_empty(), digest.open()) {
        (true, _) | (_, 0) => State::Flowing,
        _ => State::Degraded,
    }
}

fn choices(period: Period, before: Option<Timestamp>, now: Timestamp) -> Vec<Choice> {
    let visit = before.map(|before| Choice {
        name: "visit",
        label: format!("your last visit, {} ago", words::duration(before, now)),
        chosen: period.name == "visit",
    });
    // Who was never here before looks back a day.
    let chosen = |name| period.name == name || (before.is_none() && period.name == "visit" && name == "1d");
    let named = PERIODS.iter().map(|(name, _, label)| Choice {
        name,
        label: (*label).to_owned(),
        chosen: chosen(*name),
    });
    visit.into_iter().chain(named).collect()
}

fn row(snapshot: &Snapshot, one: &Episode<'_>, now: Timestamp) -> Row {
    let incident = one.incident;
    let clients: BTreeSet<_> = one.touched.iter().filter_map(|one| one.client.as_ref()).collect();
    let domains = one.domains().count();
    let clients = match clients.first() {
        Some(client) if clients.len() == 1 => Some(client_name(snapshot, client)),
        None => None,
        Some(_) => Some(count(clients.len(), "client", "clients")),
    };
    let domains = (domains > 0).then(|| count(domains, "domain", "domains"));
    let whom: Vec<String> = clients.into_iter().chain(domains).collect();
    let lasted = words::duration(incident.opened, incident.resolved.unwrap_or(now));
    Row {
        id: incident.id.to_string(),
        tone: super::incident::tone(incident),
        title: incident.cause.code.entry().title,
        subject: incident.cause.subject.clone(),
        whom: whom.join(", "),
        began: Moment::new(incident.opened, now),
        lasted: if incident.is_open() {
            format!("goes on, {lasted} so far")
        } else {
            format!("over after {lasted}")
        },
        open: incident.is_open(),
    }
}
