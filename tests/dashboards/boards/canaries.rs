//! Test mails from end to end.

use crate::board::{Board, Variable};
use crate::panel::{Panel, state};

const CANARY: &str = "client=~\"$client\", canary=~\"$canary\"";

pub fn board() -> Board {
    let variables = vec![
        Variable::many(
            "client",
            "Client",
            "label_values(mailflow_canaries_total, client)",
        ),
        Variable::many(
            "canary",
            "Canary",
            "label_values(mailflow_canaries_total{client=~\"$client\"}, canary)",
        ),
    ];
    let by = "client, canary";
    let quantile = |quantile: &str| {
        format!(
            "histogram_quantile({quantile}, sum by ({by}, le) (rate(mailflow_canary_delivery_duration_seconds_bucket{{{CANARY}}}[$__rate_interval])))"
        )
    };
    Board::new(
        "canaries",
        "Test mails that are sent and looked for at the other end. It is empty as long as no canary is configured.",
        variables,
    )
    .row(
        6,
        [
            Panel::stat("Arrived", "The part of the canaries of this page's time that arrived in time.", 8)
                .ask(
                    format!(
                        "1 - sum(increase(mailflow_canaries_failed_total{{{CANARY}}}[$__range])) / (sum(increase(mailflow_canaries_total{{{CANARY}}}[$__range])) > 0)"
                    ),
                    "",
                )
                .unit("percentunit")
                .thresholds(&[(None, "red"), (Some(0.99), "yellow"), (Some(0.999), "green")]),
            Panel::stat("Since the last one arrived", "For each canary.", 16)
                .ask(
                    format!("time() - max by ({by}) (mailflow_canary_last_success_timestamp_seconds{{{CANARY}}})"),
                    "{{client}} {{canary}}",
                )
                .unit("s")
                .thresholds(&[(None, "green"), (Some(900.0), "yellow"), (Some(1800.0), "red")]),
        ],
    )
    .row(
        9,
        [
            Panel::timeline("States", "The state of each canary over time: whether mail gets there, late, or not.", 24)
                .ask(state("mailflow_canary_state", CANARY, by), "{{client}} {{canary}}"),
        ],
    )
    .row(
        9,
        [
            Panel::lines("On the way", "How long half of the canaries were on the way at most, and nine of ten.", 12)
                .ask(quantile("0.5"), "{{client}} {{canary}} half")
                .ask(quantile("0.9"), "{{client}} {{canary}} nine of ten")
                .unit("s"),
            Panel::lines("Failed", "Canaries that did not arrive in time, an hour.", 12)
                .ask(
                    format!("sum by ({by}) (increase(mailflow_canaries_failed_total{{{CANARY}}}[1h]))"),
                    "{{client}} {{canary}}",
                ),
        ],
    )
}
