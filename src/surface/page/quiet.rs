//! What people keep quiet or have accepted, and the form that keeps something quiet.

use askama::Template;
use jiff::Timestamp;

use super::cards::client_name;
use super::words::Moment;
use super::{Frame, View};
use crate::model::{Hand, HandKind, Matchers, Measure, State, Target, When};
use crate::snapshot::Snapshot;

/// How many clients and gateways the form offers by name; the others can be typed.
const OFFERED: usize = 200;

/// How long something can be kept quiet by a choice.
const SPANS: [(&str, &str); 6] = [
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("8h", "8 hours"),
    ("1d", "1 day"),
    ("3d", "3 days"),
    ("7d", "7 days"),
];

/// What somebody filled in.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::surface) struct Wished<'a> {
    /// A maintenance, not a silence.
    pub(in crate::surface) maintenance: bool,
    /// A client, by id or name.
    pub(in crate::surface) client: &'a str,
    /// A domain.
    pub(in crate::surface) domain: &'a str,
    /// A gateway's name.
    pub(in crate::surface) gateway: &'a str,
    /// How long.
    pub(in crate::surface) lasting: &'a str,
    /// Hours, again and again.
    pub(in crate::surface) recurring: &'a str,
    /// Why.
    pub(in crate::surface) reason: &'a str,
    /// Who.
    pub(in crate::surface) by: &'a str,
}

/// Something that was set, in words.
pub(super) struct HandCard {
    pub(super) id: String,
    /// `silence`, `maintenance`, `acceptance`, `watch`.
    pub(super) kind: &'static str,
    /// `ACME Ltd`, `policy.dkim-missing of acme.test`.
    pub(super) what: String,
    /// `until 06:20 UTC`, `Sun 02:00-04:00 Europe/Berlin`.
    pub(super) when: String,
    pub(super) reason: String,
    pub(super) by: String,
    /// Whether it keeps something quiet, or accepts something, just now.
    pub(super) active: bool,
}

/// All that keeps something quiet or accepts it, what is at work now first, by number within that.
pub(super) fn hands(snapshot: &Snapshot, now: Timestamp) -> Vec<HandCard> {
    let quiet = |hand: &&Hand| hand.kind() != HandKind::Watch;
    let holding = snapshot.hands.iter().filter(|hand| !hand.is_over(now));
    let holding = holding.filter(quiet);
    let mut cards: Vec<HandCard> = holding.map(|hand| HandCard::new(snapshot, hand, now)).collect();
    cards.sort_by_key(|card| !card.active);
    cards
}

/// What is watched for a while, by hand.
fn watches(snapshot: &Snapshot, now: Timestamp) -> Vec<HandCard> {
    let holding = snapshot.hands.iter().filter(|hand| !hand.is_over(now));
    let watches = holding.filter(|hand| hand.kind() == HandKind::Watch);
    watches.map(|hand| HandCard::new(snapshot, hand, now)).collect()
}

impl HandCard {
    fn new(snapshot: &Snapshot, hand: &Hand, now: Timestamp) -> Self {
        let moment = |at: Timestamp| Moment::new(at, now).human;
        let (what, when) = match &hand.measure {
            Measure::Silence { of, until } => (about(snapshot, of), format!("until {}", moment(*until))),
            Measure::Maintenance { of, when } => (about(snapshot, of), hours(when, now)),
            Measure::Acceptance { code, domain, until } => {
                (format!("{code} of {domain}"), format!("until {}", moment(*until)))
            }
            Measure::Watch {
                client,
                domain,
                until,
            } => {
                let from = client_name(snapshot, client);
                (
                    format!("from {from} to {domain}"),
                    format!("until {}", moment(*until)),
                )
            }
        };
        Self {
            id: hand.id.to_string(),
            kind: hand.kind().as_str(),
            what,
            when,
            reason: hand.reason.clone(),
            by: hand.by.clone(),
            active: matches!(hand.kind(), HandKind::Acceptance | HandKind::Watch)
                || hand.quiet_until(now).is_some(),
        }
    }
}

/// `ACME Ltd, router hq-router`.
fn about(snapshot: &Snapshot, of: &Matchers) -> String {
    let client = of.client.as_ref().map(|client| client_name(snapshot, client));
    let domain = of.domain.as_ref().map(ToString::to_string);
    let gateway = of.gateway.as_ref().map(|gateway| format!("router {gateway}"));
    let parts = [client, domain, gateway, of.code.clone()];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

fn hours(when: &When, now: Timestamp) -> String {
    let moment = |at: Timestamp| Moment::new(at, now).human;
    match when {
        When::Recurring {
            recurring,
            until: None,
        } => recurring.to_string(),
        When::Recurring {
            recurring,
            until: Some(until),
        } => format!("{recurring}, until {}", moment(*until)),
        When::Once { from, until } if *from <= now => format!("until {}", moment(*until)),
        When::Once { from, until } => format!("from {} until {}", moment(*from), moment(*until)),
    }
}

#[derive(Template)]
#[template(path = "quiet.html")]
pub(super) struct QuietPage {
    frame: Frame,
    hands: Vec<HandCard>,
    watches: Vec<HandCard>,
    problem: Option<String>,
    maintenance: bool,
    client: String,
    domain: String,
    gateway: String,
    recurring: String,
    reason: String,
    by: String,
    spans: Vec<(&'static str, &'static str, bool)>,
    clients: Vec<String>,
    gateways: Vec<String>,
}

impl QuietPage {
    pub(super) fn new(view: &View<'_>, wished: &Wished<'_>, problem: Option<&str>) -> Self {
        let snapshot = view.snapshot;
        let short = |text: &str| text.chars().take(500).collect::<String>();
        let known = SPANS.iter().any(|(span, _)| *span == wished.lasting);
        let chosen = if known { wished.lasting } else { "4h" };
        let gateways = snapshot
            .gateways
            .iter()
            .filter_map(|one| match &one.verdict.target {
                Target::Gateway(_, name) => Some(name.to_string()),
                _ => None,
            });
        let clients = snapshot.clients.iter().map(|client| client.name.clone());
        Self {
            frame: Frame::new("Kept quiet · mailflow", State::Unknown, view).here("quiet"),
            hands: hands(snapshot, view.now),
            watches: watches(snapshot, view.now),
            problem: problem.map(str::to_owned),
            maintenance: wished.maintenance,
            client: short(wished.client),
            domain: short(wished.domain),
            gateway: short(wished.gateway),
            recurring: short(wished.recurring),
            reason: short(wished.reason),
            by: short(wished.by),
            spans: SPANS
                .iter()
                .map(|(span, label)| (*span, *label, *span == chosen))
                .collect(),
            clients: clients.take(OFFERED).collect(),
            gateways: gateways.take(OFFERED).collect(),
        }
    }
}
