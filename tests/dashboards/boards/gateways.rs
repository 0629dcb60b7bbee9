//! The routers in front of the clients' servers.

use crate::board::{Board, Variable};
use crate::panel::{Panel, state};

const GATEWAY: &str = "client=~\"$client\", gateway=~\"$gateway\"";

pub fn board() -> Board {
    let variables = vec![
        Variable::many("client", "Client", "label_values(mailflow_gateway_state, client)"),
        Variable::many(
            "gateway",
            "Router",
            "label_values(mailflow_gateway_state{client=~\"$client\"}, gateway)",
        ),
    ];
    let by = "client, gateway";
    let quantile = |quantile: &str| {
        format!(
            "histogram_quantile({quantile}, sum by ({by}, le) (rate(mailflow_gateway_round_trip_seconds_bucket{{{GATEWAY}}}[$__rate_interval])))"
        )
    };
    Board::new("gateways", "The routers in front of the clients' servers: whether they answer, lose and delay.", variables)
        .row(
            4,
            [
                Panel::stat("Broken", "Routers that do not answer, nor anything behind them.", 6)
                    .ask(format!("sum(mailflow_gateway_state{{{GATEWAY}, state=\"broken\"}})"), "")
                    .none_is_good("red"),
                Panel::stat("Degraded", "Routers whose line loses packets or has become slow.", 6)
                    .ask(format!("sum(mailflow_gateway_state{{{GATEWAY}, state=\"degraded\"}})"), "")
                    .none_is_good("yellow"),
                Panel::stat("Unknown", "Routers of which nothing can be said.", 6)
                    .ask(format!("sum(mailflow_gateway_state{{{GATEWAY}, state=\"unknown\"}})"), "")
                    .none_is_good("blue"),
                Panel::stat("Routers", "How many are watched.", 6)
                    .ask(format!("count(mailflow_gateway_state{{{GATEWAY}, state=\"flowing\"}})"), ""),
            ],
        )
        .row(
            9,
            [Panel::timeline("States", "The state of each router over time.", 24)
                .ask(state("mailflow_gateway_state", GATEWAY, by), "{{client}} {{gateway}}")],
        )
        .row(
            9,
            [
                Panel::lines("Lost pings", "The part of the pings that nothing came back for.", 12)
                    .ask(
                        format!(
                            "sum by ({by}) (rate(mailflow_gateway_pings_lost_total{{{GATEWAY}}}[$__rate_interval])) \
                             / (sum by ({by}) (rate(mailflow_gateway_pings_total{{{GATEWAY}}}[$__rate_interval])) > 0)"
                        ),
                        "{{client}} {{gateway}}",
                    )
                    .unit("percentunit")
                    .between(0.0, 1.0),
                Panel::lines("Round trips", "How long half of the pings took at most, and nine of ten.", 12)
                    .ask(quantile("0.5"), "{{client}} {{gateway}} half")
                    .ask(quantile("0.9"), "{{client}} {{gateway}} nine of ten")
                    .unit("s"),
            ],
        )
}
