//! Metrics of mail that clients send: routes and canaries.

use super::families::{seconds, states};
use super::family::{Family, Sample, Value};
use crate::model::Target;
use crate::snapshot::{CanaryView, Snapshot};

pub(super) fn routes(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let each = || {
        let routes = snapshot.routes.iter();
        routes.map(|((client, to), verdict)| (client.as_str(), to.as_str(), &**verdict))
    };
    vec![
        Family::gauges(
            "mailflow_route_state",
            "Whether mail from the client to the destination is in this state (1) or not (0).",
            each().flat_map(|(client, destination, verdict)| {
                states(verdict.state).map(move |(state, value)| {
                    let labels = [("client", client), ("destination", destination), ("state", state)];
                    Sample::new(labels, value)
                })
            }),
        ),
        Family::gauges(
            "mailflow_route_cause",
            "The one root cause of the route's state, while it holds.",
            each().filter_map(|(client, destination, verdict)| {
                let code = verdict.cause.as_ref()?.code.as_str();
                let labels = [("client", client), ("destination", destination), ("code", code)];
                Some(Sample::new(labels, Value::Whole(1)))
            }),
        ),
    ]
}

pub(super) fn canaries(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let each = || {
        snapshot
            .canaries
            .iter()
            .filter_map(|canary| Some((labels(canary)?, &**canary)))
    };
    vec![
        Family::gauges(
            "mailflow_canary_state",
            "Whether the canary is in this state (1) or not (0).",
            each().flat_map(|([client, name], canary)| {
                states(canary.verdict.state)
                    .map(move |(state, value)| Sample::new([client, name, ("state", state)], value))
            }),
        ),
        Family::counters(
            "mailflow_canaries",
            "Canaries that came to their end.",
            each().map(|(labels, canary)| Sample::new(labels, Value::Whole(canary.sent))),
        ),
        Family::counters(
            "mailflow_canaries_failed",
            "Canaries that were not taken, or were not in the mailbox in time.",
            each().map(|(labels, canary)| Sample::new(labels, Value::Whole(canary.failed))),
        ),
        Family::histograms(
            "mailflow_canary_delivery_duration_seconds",
            "How long canaries took from being handed in to lying in the mailbox.",
            each().map(|(labels, canary)| Sample::new(labels, Value::Histogram(&canary.took))),
        ),
        Family::gauges(
            "mailflow_canary_last_success_timestamp_seconds",
            "When a canary last arrived.",
            each().filter_map(|(labels, canary)| Some(Sample::new(labels, seconds(canary.last_success?)))),
        ),
    ]
}

/// What stands in place of a destination that no route leads to.
const OTHER: &str = "other";

/// What the clients' own side tells of their mail.
pub(super) fn told(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let counters = &snapshot.counters;
    vec![
        Family::counters(
            "mailflow_mail_log_deliveries",
            "Deliveries that the log of a client's mail server tells of, by destination (those of routes, else \"other\").",
            counters.deliveries.iter().map(|((client, to, fate), count)| {
                let destination = to.as_ref().map_or(OTHER, |to| to.as_str());
                let labels = [
                    ("client", client.as_str()),
                    ("destination", destination),
                    ("result", fate.as_str()),
                ];
                Sample::new(labels, Value::Whole(*count))
            }),
        ),
        Family::counters(
            "mailflow_bounces",
            "Recipients in bounces that people forwarded, by destination (those of routes, else \"other\").",
            counters.bounces.iter().map(|((client, to), count)| {
                let destination = to.as_ref().map_or(OTHER, |to| to.as_str());
                let labels = [("client", client.as_str()), ("destination", destination)];
                Sample::new(labels, Value::Whole(*count))
            }),
        ),
    ]
}

fn labels(canary: &CanaryView) -> Option<[(&'static str, &str); 2]> {
    match &canary.verdict.target {
        Target::Canary(client, name) => Some([("client", client.as_str()), ("canary", name)]),
        _ => None,
    }
}
