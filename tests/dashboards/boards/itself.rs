//! mailflow itself: whether it sees, keeps up and tells.

use crate::board::Board;
use crate::panel::{Panel, state};

pub fn board() -> Board {
    Board::new("self", "Whether mailflow itself sees, keeps up and tells.", Vec::new())
        .row(4, now())
        .row(
            6,
            [Panel::timeline("Our own side", "While it is not flowing, what it blocks is unknown.", 24)
                .ask(state("mailflow_vantage_state", "", "vantage"), "{{vantage}}")],
        )
        .row(
            8,
            [
                Panel::lines("Probes", "How many ended a second.", 8)
                    .ask("sum by (probe) (rate(mailflow_probes_total[$__rate_interval]))", "{{probe}}")
                    .unit("ops"),
                Panel::lines("Late starts", "How much later than due 99 of 100 probes started at most.", 8)
                    .ask(
                        "histogram_quantile(0.99, sum by (probe, le) (rate(mailflow_probe_lag_seconds_bucket[$__rate_interval])))",
                        "{{probe}}",
                    )
                    .unit("s"),
                Panel::lines("Could not be run", "Probes that failed for a reason on our own side, a second.", 8)
                    .ask("sum by (probe) (rate(mailflow_probe_errors_total[$__rate_interval]))", "{{probe}}")
                    .unit("ops"),
            ],
        )
        .row(
            8,
            [
                Panel::lines("Messages", "That the other side took, in the time of one point.", 8)
                    .ask("sum by (notifier) (increase(mailflow_notifications_total[$__rate_interval]))", "{{notifier}}"),
                Panel::lines("Failed attempts", "To deliver a message.", 8)
                    .ask(
                        "sum by (notifier) (increase(mailflow_notifications_failed_total[$__rate_interval]))",
                        "{{notifier}}",
                    ),
                Panel::lines("Waiting messages", "In the outbox.", 8)
                    .ask("sum by (notifier) (mailflow_notifications_pending)", "{{notifier}}"),
            ],
        )
        .row(8, process())
}

fn now() -> Vec<Panel> {
    vec![
        Panel::stat("Version", "That runs.", 4)
            .ask("max by (version) (mailflow_build_info)", "{{version}}")
            .named(),
        Panel::stat("Configuration", "Whether the last reload was taken.", 5)
            .ask("min(mailflow_config_last_reload_successful)", "")
            .either(("taken", "green"), ("refused", "red")),
        Panel::stat("Last heard", "Since any mail server last spoke to us.", 5)
            .ask(
                "time() - max(mailflow_vantage_last_smtp_reply_timestamp_seconds)",
                "",
            )
            .unit("s")
            .thresholds(&[(None, "green"), (Some(600.0), "yellow"), (Some(1200.0), "red")]),
        Panel::stat(
            "First looks",
            "Domains that are still looked at for the first time.",
            5,
        )
        .ask("sum(mailflow_domains_pending)", ""),
        Panel::stat("Failing notifiers", "Whose last attempt to deliver failed.", 5)
            .ask("sum(mailflow_notifier_failing)", "")
            .none_is_good("red"),
    ]
}

fn process() -> Vec<Panel> {
    let of = "* on (job, instance) group_left () mailflow_build_info";
    vec![
        Panel::lines("Memory", "Resident memory of the daemon.", 8)
            .ask(format!("process_resident_memory_bytes {of}"), "{{instance}}")
            .unit("bytes"),
        Panel::lines("Processor", "Seconds of processor time a second.", 8)
            .ask(
                format!("rate(process_cpu_seconds_total[$__rate_interval]) {of}"),
                "{{instance}}",
            )
            .unit("percentunit"),
        Panel::lines("Open files", "File descriptors in use, of those that may be.", 8)
            .ask(format!("process_open_fds {of}"), "{{instance}}")
            .ask(format!("process_max_fds {of}"), "{{instance}} most")
            .unit("short"),
    ]
}
