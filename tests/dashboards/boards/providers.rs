//! The recognised providers, and servers of one's own.

use crate::board::{Board, Variable};
use crate::panel::{Panel, state};

const PROVIDER: &str = "provider=~\"$provider\"";
const WITH_PROVIDER: &str = "* on (job, instance, client, domain) group_left (provider) mailflow_domain_info{provider=~\"$provider\"}";

pub fn board() -> Board {
    let provider = Variable::many(
        "provider",
        "Provider",
        "label_values(mailflow_domain_info, provider)",
    );
    let quantile = |by: &str| {
        format!(
            "histogram_quantile(0.9, sum by ({by}, le) (rate(mailflow_smtp_phase_duration_seconds_bucket{{{PROVIDER}}}[$__rate_interval])))"
        )
    };
    Board::new("providers", "Whether a provider fails as a whole, and how fast it answers.", vec![provider])
        .row(
            8,
            [Panel::timeline("Providers", "Broken only when every address that at least two clients use fails.", 24)
                .ask(state("mailflow_provider_state", PROVIDER, "provider"), "{{provider}}")],
        )
        .row(9, [domains(), addresses()])
        .row(
            9,
            [
                Panel::lines("Greeting", "How long nine of ten servers took to greet.", 12)
                    .ask(
                        format!(
                            "histogram_quantile(0.9, sum by (provider, le) (rate(mailflow_smtp_phase_duration_seconds_bucket{{{PROVIDER}, phase=\"greeting\"}}[$__rate_interval])))"
                        ),
                        "{{provider}}",
                    )
                    .unit("s"),
                Panel::lines("Stages of SMTP", "How long nine of ten sessions took at each stage.", 12)
                    .ask(quantile("provider, phase"), "{{provider}} {{phase}}")
                    .unit("s"),
            ],
        )
        .row(
            8,
            [Panel::lines("Sessions", "SMTP sessions a second that got as far as a connection.", 24)
                .ask(
                    format!(
                        "sum by (provider) (rate(mailflow_smtp_phase_duration_seconds_count{{{PROVIDER}, phase=\"connect\"}}[$__rate_interval]))"
                    ),
                    "{{provider}}",
                )
                .unit("reqps")],
        )
}

fn domains() -> Panel {
    let columns = [
        ("provider", "Provider"),
        ("Value #A", "Flowing"),
        ("Value #B", "Degraded"),
        ("Value #C", "Broken"),
        ("Value #D", "Unknown"),
    ];
    let count = |state: &str| {
        format!("sum by (provider) (mailflow_domain_state{{state=\"{state}\"}} {WITH_PROVIDER})")
    };
    Panel::table(
        "Domains",
        "Those whose mail each provider takes, by state.",
        12,
        &[],
        &columns,
    )
    .ask(count("flowing"), "")
    .ask(count("degraded"), "")
    .ask(count("broken"), "")
    .ask(count("unknown"), "")
    .sorted("Broken", true)
}

fn addresses() -> Panel {
    Panel::lines("Failing addresses", "Addresses of mail hosts that failed or refused us at the last look, counted for each domain on them.", 12)
        .ask(
            format!("sum by (provider, result) (mailflow_domain_mx_addresses{{result=~\"failed|refused\"}} {WITH_PROVIDER})"),
            "{{provider}} {{result}}",
        )
}
