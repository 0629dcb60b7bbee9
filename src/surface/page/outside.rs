//! What somebody sees who comes by a signed link: a client its own mail, whoever got a message the incident to take on.

use askama::Template;

use super::incident::IncidentCard;
use super::plain::{Past, Plain, Thing, domains};
use super::words::Moment;
use super::{OUTSIDE_SCRIPT, STYLE, View, parts_of};
use crate::model::{ClientId, Incident, State, Verdict};
use crate::snapshot::ClientView;

/// How much of the past a client sees.
const PAST: usize = 30;

/// A client's own page.
#[derive(Template)]
#[template(path = "client.html")]
pub(super) struct ClientPage<'a> {
    title: String,
    tone: State,
    style: &'static str,
    script: Option<&'static str>,
    name: &'a str,
    notice: Option<&'a str>,
    plain: Plain,
    at: Moment,
    number: String,
    domains: Vec<Thing>,
    routes: Vec<Thing>,
    past: Vec<Past>,
}

impl<'a> ClientPage<'a> {
    /// `over` are incidents that have ended, the latest first.
    pub(super) fn new(view: &View<'a>, client: &'a ClientView, over: &[Incident]) -> Self {
        let View { snapshot, now, .. } = *view;
        let mut own: Vec<&Verdict> = parts_of(snapshot, &client.id).collect();
        own.sort_by_key(|verdict| std::cmp::Reverse(verdict.state.urgency()));
        let routes = snapshot.routes.values().map(|verdict| &**verdict);
        let routes = routes.filter(|verdict| verdict.client.as_ref() == Some(&client.id));
        let plain = Plain::of(snapshot, &own, now);
        let thing = |verdict: &Verdict| {
            let thing = Thing::of(snapshot, verdict, now);
            // What stands on top is not said again.
            let why = thing.why.filter(|why| Some(why) != plain.why.as_ref());
            Thing { why, ..thing }
        };
        Self {
            title: format!("Mail of {}", client.name),
            tone: plain.tone,
            style: STYLE,
            script: Some(OUTSIDE_SCRIPT),
            name: &client.name,
            notice: view.notice,
            at: Moment::new(snapshot.at, now),
            number: domains(own.len()),
            domains: own.iter().copied().map(thing).collect(),
            routes: routes.map(thing).collect(),
            past: past(&client.id, over, now),
            plain,
        }
    }
}

fn past(client: &ClientId, over: &[Incident], now: jiff::Timestamp) -> Vec<Past> {
    let past = over.iter().filter_map(|incident| Past::of(incident, client, now));
    past.take(PAST).collect()
}

/// The page by which whoever got a message takes an incident on.
#[derive(Template)]
#[template(path = "take.html")]
pub(super) struct TakePage {
    title: String,
    tone: State,
    style: &'static str,
    script: Option<&'static str>,
    incident: IncidentCard,
}

impl TakePage {
    pub(super) fn new(view: &View<'_>, incident: &Incident) -> Self {
        let incident = IncidentCard::new(view.snapshot, incident, 8, view.now);
        Self {
            title: format!("#{}: {}", incident.id, incident.cause.title),
            tone: incident.tone,
            style: STYLE,
            script: Some(OUTSIDE_SCRIPT),
            incident,
        }
    }
}

/// What a link that no longer holds leads to.
#[derive(Template)]
#[template(path = "closed.html")]
pub(super) struct ClosedPage<'a> {
    title: &'static str,
    tone: State,
    style: &'static str,
    script: Option<&'static str>,
    why: &'a str,
}

impl<'a> ClosedPage<'a> {
    pub(super) fn new(why: &'a str) -> Self {
        Self {
            title: "This link leads nowhere",
            tone: State::Unknown,
            style: STYLE,
            script: None,
            why,
        }
    }
}
