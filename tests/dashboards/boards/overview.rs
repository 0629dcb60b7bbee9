//! All clients at once, the worst first.

use super::explained;
use crate::board::Board;
use crate::panel::{Panel, state};

const TO_CLIENT: &str = "/d/mailflow-client?var-client=${__data.fields.Client}&${datasource:queryparam}";
const TO_DOMAIN: &str = "/d/mailflow-domain?var-client=${__data.fields.Client}&var-domain=${__data.fields.Domain}&${datasource:queryparam}";

pub fn board() -> Board {
    let count = |state: &str, title: &str, meaning: &str, bad: &str| {
        Panel::stat(title, meaning, 4)
            .ask(format!("sum(mailflow_domain_state{{state=\"{state}\"}})"), "")
            .none_is_good(bad)
    };
    Board::new(
        "overview",
        "Whether mail reaches the clients' domains; if not, where it breaks and what to do.",
        Vec::new(),
    )
    .row(
        4,
        [
            count("broken", "Broken", "Domains that cannot get mail.", "red"),
            count(
                "degraded",
                "Degraded",
                "Domains that get mail, where something needs mending.",
                "yellow",
            ),
            count(
                "unknown",
                "Unknown",
                "Domains of which nothing can be said; nobody is blamed.",
                "blue",
            ),
            Panel::stat("Flowing", "Domains that get mail.", 4)
                .ask("sum(mailflow_domain_state{state=\"flowing\"})", "")
                .thresholds(&[(None, "green")]),
            Panel::stat(
                "Open incidents",
                "One for each root cause, however many domains it touches.",
                4,
            )
            .ask("sum(mailflow_incidents_open{severity=~\"critical|warning\"})", "")
            .none_is_good("orange"),
            Panel::stat(
                "Our own side",
                "While this is not flowing, what it blocks is unknown.",
                4,
            )
            .ask(state("mailflow_vantage_state", "", "vantage"), "{{vantage}}")
            .states(),
        ],
    )
    .row(10, [worst_clients(), causes()])
    .row(
        9,
        [
            Panel::stacked("Domains by state", "How many domains were in each state.", 12)
                .ask("sum by (state) (mailflow_domain_state)", "{{state}}")
                .in_colours_of_states(),
            Panel::lines("Causes", "Domains by the cause of their state.", 12)
                .ask("count by (code) (mailflow_domain_cause)", "{{code}}"),
        ],
    )
    .row(
        9,
        [
            Panel::lines("Open incidents", "By severity.", 8)
                .ask("sum by (severity) (mailflow_incidents_open)", "{{severity}}"),
            Panel::lines(
                "Warnings",
                "What somebody should know of, and what changes no state.",
                8,
            )
            .ask("count by (code) (mailflow_domain_warning)", "{{code}}"),
            certificates(),
        ],
    )
}

fn worst_clients() -> Panel {
    let columns = [
        ("name", "Name"),
        ("client", "Client"),
        ("Value #A", "State"),
        ("Value #B", "Broken"),
        ("Value #C", "Degraded"),
        ("Value #D", "Unknown"),
        ("Value #E", "Domains"),
    ];
    let sum = |state: &str| format!("sum by (client) (mailflow_domain_state{{state=\"{state}\"}})");
    Panel::table(
        "Clients, worst first",
        "The worst state of each client's domains. A click leads to the client.",
        12,
        &["Value #F"],
        &columns,
    )
    .ask(state("mailflow_domain_state", "", "client"), "")
    .ask(sum("broken"), "")
    .ask(sum("degraded"), "")
    .ask(sum("unknown"), "")
    .ask("count by (client) (mailflow_domain_info)", "")
    .ask("max by (client, name) (mailflow_client_info)", "")
    .state_column("State")
    .linked_column("Client", "Show this client", TO_CLIENT)
    .sorted("State", true)
}

fn causes() -> Panel {
    let columns = [
        ("Value", "Domains"),
        ("title", "Cause"),
        ("action", "What to do"),
        ("code", "Code"),
    ];
    Panel::table(
        "Causes now",
        "What is wrong, in how many domains, and what to do.",
        12,
        &[],
        &columns,
    )
    .ask(explained("mailflow_domain_cause", "code, title, action"), "")
    .sorted("Domains", true)
}

fn certificates() -> Panel {
    let columns = [("client", "Client"), ("domain", "Domain"), ("Value", "Ends")];
    Panel::table(
        "Certificates that end next",
        "The earliest end of any certificate of a domain's mail hosts.",
        8,
        &[],
        &columns,
    )
    .ask(
        "1000 * bottomk(20, min by (client, domain) (mailflow_tls_certificate_expiry_timestamp_seconds))",
        "",
    )
    .unit("dateTimeFromNow")
    .linked_column("Domain", "Show this domain", TO_DOMAIN)
    .sorted("Ends", false)
}
