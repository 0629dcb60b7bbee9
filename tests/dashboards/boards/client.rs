//! One client: its domains, routers and services, its mail to others, its addresses.

use super::explained;
use crate::board::{Board, Variable};
use crate::panel::{Panel, state};

const CLIENT: &str = "client=~\"$client\"";
const TO_DOMAIN: &str =
    "/d/mailflow-domain?var-client=${client}&var-domain=${__data.fields.Domain}&${datasource:queryparam}";

pub fn board() -> Board {
    let client = Variable::one("client", "Client", "label_values(mailflow_client_info, client)");
    Board::new(
        "client",
        "One client: each domain, each router, each service, and its mail to others.",
        vec![client],
    )
    .row(4, counts())
    .row(
        8,
        [
            Panel::timeline("Domains", "The state of each domain over time.", 24)
                .ask(state("mailflow_domain_state", CLIENT, "domain"), "{{domain}}"),
        ],
    )
    .row(9, [domains(), causes()])
    .row(
        8,
        [
            Panel::timeline("Routers", "The state of each router over time.", 12)
                .ask(state("mailflow_gateway_state", CLIENT, "gateway"), "{{gateway}}"),
            Panel::timeline(
                "Services",
                "Submission, IMAP and the like: they change no domain's state to broken.",
                12,
            )
            .ask(state("mailflow_service_state", CLIENT, "service"), "{{service}}"),
        ],
    )
    .row(
        8,
        [
            Panel::timeline("Mail to others", "Whether the client's mail gets to the destinations that are watched (routes).", 12)
                .ask(state("mailflow_route_state", CLIENT, "destination"), "{{destination}}"),
            Panel::lines(
                "Put off or returned",
                "Mail of the client's own server that was deferred or bounced, by its log, and bounces that people forwarded: an hour.",
                12,
            )
            .ask(
                format!(
                    "sum by (destination, result) (increase(mailflow_mail_log_deliveries_total{{{CLIENT}, result!=\"sent\"}}[1h]))"
                ),
                "{{destination}} {{result}}",
            )
            .ask(
                format!("sum by (destination) (increase(mailflow_bounces_total{{{CLIENT}}}[1h]))"),
                "{{destination}} forwarded",
            ),
        ],
    )
    .row(8, [warnings(), listings()])
}

fn counts() -> Vec<Panel> {
    let count = |state: &str, title: &str, bad: &str| {
        Panel::stat(title, "How many of the client's domains.", 6)
            .ask(
                format!("sum(mailflow_domain_state{{{CLIENT}, state=\"{state}\"}})"),
                "",
            )
            .none_is_good(bad)
    };
    vec![
        count("broken", "Broken", "red"),
        count("degraded", "Degraded", "yellow"),
        count("unknown", "Unknown", "blue"),
        Panel::stat("Mail could get in", "The part of the known time of this page in which mail could be delivered, over all domains.", 6)
            .ask(
                format!(
                    "sum(sum_over_time(mailflow_domain_state{{{CLIENT}, state=~\"flowing|degraded\"}}[$__range])) \
                     / (sum(sum_over_time(mailflow_domain_state{{{CLIENT}, state=~\"flowing|degraded|broken\"}}[$__range])) > 0)"
                ),
                "",
            )
            .unit("percentunit")
            .thresholds(&[(None, "red"), (Some(0.99), "yellow"), (Some(0.999), "green")]),
    ]
}

fn domains() -> Panel {
    let columns = [
        ("domain", "Domain"),
        ("provider", "Provider"),
        ("Value #A", "State"),
        ("Value #C", "Looked at"),
    ];
    Panel::table(
        "Domains now",
        "A click leads to the domain.",
        12,
        &["Value #B", "client"],
        &columns,
    )
    .ask(state("mailflow_domain_state", CLIENT, "domain"), "")
    .ask(
        format!("max by (domain, provider) (mailflow_domain_info{{{CLIENT}}})"),
        "",
    )
    .ask(
        format!("1000 * max by (domain) (mailflow_domain_last_check_timestamp_seconds{{{CLIENT}}})"),
        "",
    )
    .state_column("State")
    .column("Looked at", &[("unit", serde_json::json!("dateTimeFromNow"))])
    .linked_column("Domain", "Show this domain", TO_DOMAIN)
    .sorted("State", true)
}

fn causes() -> Panel {
    let columns = [
        ("domain", "Domain"),
        ("title", "Cause"),
        ("action", "What to do"),
        ("code", "Code"),
    ];
    let selected = format!("mailflow_domain_cause{{{CLIENT}}}");
    Panel::table(
        "Causes now",
        "The one root cause of each domain's state, and what to do.",
        12,
        &["Value"],
        &columns,
    )
    .ask(explained(&selected, "domain, code, title, action"), "")
}

fn warnings() -> Panel {
    let columns = [
        ("domain", "Domain"),
        ("title", "Warning"),
        ("action", "What to do"),
        ("code", "Code"),
    ];
    let selected = format!("mailflow_domain_warning{{{CLIENT}}}");
    Panel::table(
        "Warnings",
        "What somebody should know of, and what changes no state.",
        14,
        &["Value"],
        &columns,
    )
    .ask(explained(&selected, "domain, code, title, action"), "")
}

fn listings() -> Panel {
    let columns = [
        ("address", "Address"),
        ("blocklist", "Blocklist"),
        ("Value", "Listed"),
    ];
    Panel::table(
        "Blocklists",
        "The client's addresses, on the lists that passed their self-test.",
        10,
        &[],
        &columns,
    )
    .ask(
        format!("max by (address, blocklist) (mailflow_blocklist_listed{{{CLIENT}}})"),
        "",
    )
    .either(("listed", "red"), ("not listed", "green"))
    .sorted("Listed", true)
}
