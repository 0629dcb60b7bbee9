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

fn labels(canary: &CanaryView) -> Option<[(&'static str, &str); 2]> {
    match &canary.verdict.target {
        Target::Canary(client, name) => Some([("client", client.as_str()), ("canary", name)]),
        _ => None,
    }
}
