//! One domain: what is on the way of its mail.

use super::explained;
use crate::board::{Board, Variable};
use crate::panel::{Panel, state};

const DOMAIN: &str = "client=~\"$client\", domain=~\"$domain\"";

pub fn board() -> Board {
    let variables = vec![
        Variable::one("client", "Client", "label_values(mailflow_domain_state, client)"),
        Variable::one(
            "domain",
            "Domain",
            "label_values(mailflow_domain_state{client=~\"$client\"}, domain)",
        ),
    ];
    Board::new("domain", "One domain: state, cause, mail hosts, certificate, stages of SMTP, policies.", variables)
        .row(4, now())
        .row(7, [cause(), warnings()])
        .row(
            7,
            [
                Panel::timeline("On the way", "The domain, its client's routers and our own side over time: what broke first is the suspect.", 24)
                    .ask(state("mailflow_domain_state", DOMAIN, "domain"), "{{domain}}")
                    .ask(state("mailflow_gateway_state", "client=~\"$client\"", "gateway"), "router {{gateway}}")
                    .ask(state("mailflow_vantage_state", "", "vantage"), "our own side {{vantage}}"),
            ],
        )
        .row(9, [addresses(), stages()])
        .row(
            7,
            [
                Panel::timeline("Services", "Submission, IMAP and the like.", 12)
                    .ask(state("mailflow_service_state", DOMAIN, "service"), "{{service}}"),
                Panel::timeline("Causes and policies", "Which causes and warnings held when, those of policies among them.", 12)
                    .ask(format!("max by (code) (3 * mailflow_domain_cause{{{DOMAIN}}} or 1 * mailflow_domain_warning{{{DOMAIN}}})"), "{{code}}"),
            ],
        )
}

fn now() -> Vec<Panel> {
    vec![
        Panel::stat("State", "Whether mail reaches the domain.", 5)
            .ask(state("mailflow_domain_state", DOMAIN, "domain"), "")
            .states(),
        Panel::stat("Provider", "Who operates its mail hosts.", 5)
            .ask(format!("max by (provider) (mailflow_domain_info{{{DOMAIN}}})"), "{{provider}}")
            .named(),
        Panel::stat("Looked at", "How old the newest evidence is.", 4)
            .ask(format!("time() - max(mailflow_domain_last_check_timestamp_seconds{{{DOMAIN}}})"), "")
            .unit("s")
            .thresholds(&[(None, "green"), (Some(900.0), "yellow"), (Some(3600.0), "red")]),
        Panel::stat("Certificate ends in", "The earliest end of any certificate of its mail hosts.", 5)
            .ask(format!("min(mailflow_tls_certificate_expiry_timestamp_seconds{{{DOMAIN}}}) - time()"), "")
            .unit("s")
            .thresholds(&[(None, "red"), (Some(3.0 * 86_400.0), "orange"), (Some(14.0 * 86_400.0), "green")]),
        Panel::stat("Usable addresses", "Of all addresses of its mail hosts, the part that takes mail.", 5)
            .ask(
                format!(
                    "sum(mailflow_domain_mx_addresses{{{DOMAIN}, result=\"usable\"}}) / (sum(mailflow_domain_mx_addresses{{{DOMAIN}}}) > 0)"
                ),
                "",
            )
            .unit("percentunit")
            .thresholds(&[(None, "red"), (Some(0.01), "yellow"), (Some(1.0), "green")]),
    ]
}

fn cause() -> Panel {
    let columns = [
        ("title", "Cause"),
        ("action", "What to do"),
        ("code", "Code"),
        ("layer", "Layer"),
    ];
    let selected = format!("mailflow_domain_cause{{{DOMAIN}}}");
    Panel::table(
        "Cause",
        "The one root cause of its state. Evidence, whose it is and whom to call stand on the status page.",
        12,
        &["Value"],
        &columns,
    )
    .ask(
        explained(&selected, "code, layer, title, action")
            .replace("(title, action)", "(layer, title, action)"),
        "",
    )
}

fn warnings() -> Panel {
    let columns = [("title", "Warning"), ("action", "What to do"), ("code", "Code")];
    let selected = format!("mailflow_domain_warning{{{DOMAIN}}}");
    Panel::table("Warnings", "What changes no state.", 12, &["Value"], &columns)
        .ask(explained(&selected, "code, title, action"), "")
}

fn addresses() -> Panel {
    Panel::stacked(
        "Addresses of its mail hosts",
        "By what came of the last look at each.",
        12,
    )
    .ask(
        format!("sum by (result) (mailflow_domain_mx_addresses{{{DOMAIN}}})"),
        "{{result}}",
    )
}

fn stages() -> Panel {
    Panel::lines(
        "Stages of SMTP",
        "How long nine of ten sessions took at each stage, with the domain's provider, or with all self-hosted servers where it has none.",
        12,
    )
    .ask(
        format!(
            "histogram_quantile(0.9, sum by (provider, phase, le) (rate(mailflow_smtp_phase_duration_seconds_bucket[$__rate_interval])) \
             and on (provider) mailflow_domain_info{{{DOMAIN}}})"
        ),
        "{{provider}} {{phase}}",
    )
    .unit("s")
}
