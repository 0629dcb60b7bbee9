//! The front page: the sentence on top, open incidents, domains worst first, gateways, our own side.

use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::cards::{DomainCard, GatewayCard, WarningCard, client_name, warnings};
use super::check::{Asked, CheckBox};
use super::clients::{ClientCard, by_state};
use super::digest::news;
use super::incident::IncidentCard;
use super::quiet::{HandCard, hands};
use super::words::{Moment, count};
use super::{Frame, View};
use crate::model::{State, Target, Verdict};
use crate::snapshot::{NotifierCounts, NotifierHealth, Snapshot};
use crate::surface::headline::{Headline, Tally};

/// How many domains one page shows.
const PER_PAGE: usize = 100;
/// How many incidents the page shows; more are only counted.
const INCIDENTS: usize = 50;
/// How many clients the page shows; more are only counted.
const CLIENTS: usize = 60;
/// How many of the things that people keep quiet the page shows; more are only counted.
const HANDS: usize = 5;
/// How many domains of a client an incident's card names.
const NAMED: usize = 8;

/// What the front page can be asked for. Whatever makes no sense is taken for nothing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct IndexQuery {
    q: Option<String>,
    state: Option<String>,
    page: Option<String>,
}

/// A link that shows only the domains in one state.
struct Filter {
    label: &'static str,
    state: Option<State>,
    count: usize,
    chosen: bool,
}

/// A notifier's line.
struct Alerts {
    notifier: String,
    text: String,
}

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct Index {
    frame: Frame,
    headline: Headline,
    since: Moment,
    news: String,
    incidents: Vec<IncidentCard>,
    more_incidents: usize,
    hands: Vec<HandCard>,
    more_hands: usize,
    asking: CheckBox,
    filters: Vec<Filter>,
    query: String,
    state: Option<State>,
    domains: Vec<DomainCard>,
    found: String,
    previous: Option<usize>,
    next: Option<usize>,
    clients: Vec<ClientCard>,
    more_clients: usize,
    gateways: Vec<GatewayCard>,
    vantage: DomainCard,
    vantage_warnings: Vec<WarningCard>,
    alerts: Vec<Alerts>,
    reloaded: Moment,
}

impl Index {
    pub(super) fn new(view: &View<'_>, query: &IndexQuery, since: Timestamp) -> Self {
        let View { snapshot, now, .. } = *view;
        let headline = Headline::of(snapshot);
        let tally = Tally::of(snapshot);
        let text: String = query
            .q
            .as_deref()
            .unwrap_or_default()
            .trim()
            .chars()
            .take(100)
            .collect();
        let state = State::ALL
            .into_iter()
            .find(|state| Some(state.as_str()) == query.state.as_deref());
        let listed = listed(snapshot, &text, state);
        let pages = listed.len().div_ceil(PER_PAGE).max(1);
        let asked: Option<usize> = query.page.as_deref().and_then(|page| page.parse().ok());
        let page = asked.unwrap_or(1).clamp(1, pages);
        let shown = listed.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE);
        let open = &snapshot.open_incidents;
        let mut clients = by_state(snapshot);
        let more_clients = clients.len().saturating_sub(CLIENTS);
        clients.truncate(CLIENTS);
        let mut hands = hands(snapshot, now);
        let more_hands = hands.len().saturating_sub(HANDS);
        hands.truncate(HANDS);
        Self {
            frame: Frame::new(title(&tally, &headline), headline.tone, view).here("index"),
            headline,
            since: Moment::new(since, now),
            news: news(snapshot, since, now),
            hands,
            more_hands,
            asking: CheckBox::new(snapshot, &Asked::default()),
            incidents: open
                .iter()
                .take(INCIDENTS)
                .map(|incident| IncidentCard::new(snapshot, incident, NAMED, now))
                .collect(),
            more_incidents: open.len().saturating_sub(INCIDENTS),
            filters: filters(&tally, state),
            found: found(listed.len(), &text, page, pages),
            domains: shown
                .map(|verdict| DomainCard::new(snapshot, verdict, now))
                .collect(),
            query: text,
            state,
            previous: (page > 1).then(|| page - 1),
            next: (page < pages).then_some(page + 1),
            clients,
            more_clients,
            gateways: gateways(snapshot, now),
            vantage: DomainCard::new(snapshot, &snapshot.vantage, now),
            vantage_warnings: warnings(&snapshot.vantage),
            alerts: alerts(snapshot),
            reloaded: Moment::new(snapshot.reload.last_success, now),
        }
    }
}

fn title(tally: &Tally, headline: &Headline) -> String {
    let parts: Vec<String> = [State::Broken, State::Degraded, State::Unknown]
        .into_iter()
        .filter(|state| tally.in_state(*state) > 0)
        .map(|state| format!("{} {state}", tally.in_state(state)))
        .collect();
    match (parts.is_empty(), headline.tone) {
        (true, State::Flowing) => "All flowing · mailflow".to_owned(),
        (true, _) => "mailflow".to_owned(),
        (false, _) => format!("{} · mailflow", parts.join(", ")),
    }
}

/// The domains that are asked for, worst first, by name within each state.
fn listed<'a>(snapshot: &'a Snapshot, text: &str, state: Option<State>) -> Vec<&'a Verdict> {
    let needle = text.to_lowercase();
    let mut listed: Vec<&Verdict> = snapshot
        .domains
        .values()
        .map(|verdict| &**verdict)
        .filter(|verdict| state.is_none_or(|state| verdict.state == state))
        .filter(|verdict| needle.is_empty() || matches(snapshot, verdict, &needle))
        .collect();
    // The map is ordered by name and the sort is stable.
    listed.sort_by_key(|verdict| std::cmp::Reverse(verdict.state.urgency()));
    listed
}

fn matches(snapshot: &Snapshot, verdict: &Verdict, needle: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(needle);
    let named = match &verdict.target {
        Target::Domain(name) => has(name.as_str()) || has(&name.display_unicode()),
        other => has(&other.to_string()),
    };
    named
        || verdict
            .client
            .as_ref()
            .is_some_and(|client| has(client.as_str()) || has(&client_name(snapshot, client)))
        || verdict.provider.as_deref().is_some_and(has)
        || verdict.path.iter().any(|hop| has(&hop.subject))
        || verdict.cause.as_ref().is_some_and(|cause| {
            has(cause.code.as_str()) || has(cause.code.entry().title) || has(&cause.subject)
        })
}

fn found(number: usize, text: &str, page: usize, pages: usize) -> String {
    let mut words = count(number, "domain", "domains");
    if !text.is_empty() {
        words = format!("{words} found for “{text}”");
    }
    if pages > 1 {
        words = format!("{words}, page {page} of {pages}");
    }
    words
}

fn filters(tally: &Tally, chosen: Option<State>) -> Vec<Filter> {
    let all = Filter {
        label: "all",
        state: None,
        count: tally.total,
        chosen: chosen.is_none(),
    };
    let each = [State::Broken, State::Degraded, State::Unknown, State::Flowing].map(|state| Filter {
        label: state.as_str(),
        state: Some(state),
        count: tally.in_state(state),
        chosen: chosen == Some(state),
    });
    std::iter::once(all).chain(each).collect()
}

fn gateways(snapshot: &Snapshot, now: Timestamp) -> Vec<GatewayCard> {
    let mut cards: Vec<GatewayCard> = snapshot
        .gateways
        .iter()
        .map(|gateway| GatewayCard::new(snapshot, gateway, now))
        .collect();
    cards.sort_by(|a, b| {
        let worst_first = b.state.urgency().cmp(&a.state.urgency());
        worst_first.then_with(|| a.name.cmp(&b.name))
    });
    cards
}

fn alerts(snapshot: &Snapshot) -> Vec<Alerts> {
    let line = |(name, counts): (&std::sync::Arc<str>, &NotifierCounts)| Alerts {
        notifier: name.to_string(),
        text: format!(
            "{}{} delivered, {} waiting, {}",
            match counts.health {
                NotifierHealth::Failing { .. } => "failing; ",
                NotifierHealth::Unproven | NotifierHealth::Well => "",
            },
            counts.delivered,
            counts.pending,
            count(
                usize::try_from(counts.failed).unwrap_or(usize::MAX),
                "failed attempt",
                "failed attempts"
            )
        ),
    };
    snapshot.counters.notifications.iter().map(line).collect()
}
