use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::snapshot::NotifierCounts;
use crate::surface::sample;

fn facts() -> ProcessFacts {
    ProcessFacts {
        cpu: Some(1.5),
        resident: Some(4096),
        virtual_memory: Some(8192),
        open_files: Some(12),
        max_files: Some(1024),
        started: Some(sample::at("2026-11-19T07:59:30Z")),
    }
}

fn text(snapshot: crate::snapshot::Snapshot, format: Format) -> String {
    render(
        &Arc::new(snapshot),
        Wanted::All(facts(), Some("https://mail.msp.example/".into())),
        format,
    )
    .unwrap()
}

/// Only the lines of the families with these names, so that a snapshot of the text stays readable.
fn only(text: &str, names: &[&str]) -> String {
    let wanted = |line: &&str| {
        let name = line
            .trim_start_matches("# HELP ")
            .trim_start_matches("# TYPE ")
            .trim_start_matches("# UNIT ");
        names.iter().any(|wanted| {
            name.strip_prefix(wanted)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
        })
    };
    text.lines().filter(wanted).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_domain_in_the_classic_text() {
    let mut snapshot = sample::fleet();
    snapshot
        .domains
        .retain(|name, _| name.as_str() == "acme.test" || name.as_str() == "hooli.test");
    let text = text(snapshot, Format::Classic);
    insta::assert_snapshot!(only(&text, &[
        "mailflow_domain_state", "mailflow_domain_cause", "mailflow_domain_warning",
        "mailflow_domain_last_check_timestamp_seconds", "mailflow_domain_mx_addresses",
        "mailflow_tls_certificate_expiry_timestamp_seconds",
    ]), @r#"
    # HELP mailflow_domain_state Whether mail to the domain is in this state (1) or not (0).
    # TYPE mailflow_domain_state gauge
    mailflow_domain_state{client="acme",domain="acme.test",state="flowing"} 0
    mailflow_domain_state{client="acme",domain="acme.test",state="degraded"} 0
    mailflow_domain_state{client="acme",domain="acme.test",state="broken"} 1
    mailflow_domain_state{client="acme",domain="acme.test",state="unknown"} 0
    mailflow_domain_state{client="hooli",domain="hooli.test",state="flowing"} 1
    mailflow_domain_state{client="hooli",domain="hooli.test",state="degraded"} 0
    mailflow_domain_state{client="hooli",domain="hooli.test",state="broken"} 0
    mailflow_domain_state{client="hooli",domain="hooli.test",state="unknown"} 0
    # HELP mailflow_domain_cause The one root cause of the domain's state, while it holds.
    # TYPE mailflow_domain_cause gauge
    mailflow_domain_cause{client="acme",domain="acme.test",code="gateway.down"} 1
    # HELP mailflow_domain_warning What somebody should know of the domain that does not change its state, while it holds.
    # TYPE mailflow_domain_warning gauge
    mailflow_domain_warning{client="hooli",domain="hooli.test",code="tls.certificate-expiring"} 1
    # HELP mailflow_domain_last_check_timestamp_seconds When the newest evidence that the domain's verdict rests on was seen.
    # TYPE mailflow_domain_last_check_timestamp_seconds gauge
    mailflow_domain_last_check_timestamp_seconds{client="acme",domain="acme.test"} 1795314012
    mailflow_domain_last_check_timestamp_seconds{client="hooli",domain="hooli.test"} 1795314012
    # HELP mailflow_domain_mx_addresses Addresses of the domain's mail hosts, by what came of the last look at them.
    # TYPE mailflow_domain_mx_addresses gauge
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="usable"} 0
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="failed"} 1
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="refused"} 0
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="unknown"} 0
    mailflow_domain_mx_addresses{client="hooli",domain="hooli.test",result="usable"} 1
    mailflow_domain_mx_addresses{client="hooli",domain="hooli.test",result="failed"} 0
    mailflow_domain_mx_addresses{client="hooli",domain="hooli.test",result="refused"} 0
    mailflow_domain_mx_addresses{client="hooli",domain="hooli.test",result="unknown"} 0
    # HELP mailflow_tls_certificate_expiry_timestamp_seconds The earliest end of any certificate of the domain's mail hosts.
    # TYPE mailflow_tls_certificate_expiry_timestamp_seconds gauge
    mailflow_tls_certificate_expiry_timestamp_seconds{client="hooli",domain="hooli.test"} 1796083200
    "#);
}

#[test]
fn gateways_and_our_side_in_the_classic_text() {
    let mut snapshot = sample::fleet();
    snapshot.gateways.truncate(1);
    let text = text(snapshot, Format::Classic);
    insta::assert_snapshot!(only(&text, &[
        "mailflow_gateway_state", "mailflow_gateway_pings_total", "mailflow_gateway_pings_lost_total",
        "mailflow_gateway_round_trip_seconds", "mailflow_vantage_state",
    ]), @r#"
    # HELP mailflow_gateway_state Whether the gateway is in this state (1) or not (0).
    # TYPE mailflow_gateway_state gauge
    mailflow_gateway_state{client="acme",gateway="hq-router",state="flowing"} 0
    mailflow_gateway_state{client="acme",gateway="hq-router",state="degraded"} 0
    mailflow_gateway_state{client="acme",gateway="hq-router",state="broken"} 1
    mailflow_gateway_state{client="acme",gateway="hq-router",state="unknown"} 0
    # HELP mailflow_gateway_pings_total Echo requests sent to the gateway.
    # TYPE mailflow_gateway_pings_total counter
    mailflow_gateway_pings_total{client="acme",gateway="hq-router"} 120
    # HELP mailflow_gateway_pings_lost_total Echo requests to the gateway that nothing came back for.
    # TYPE mailflow_gateway_pings_lost_total counter
    mailflow_gateway_pings_lost_total{client="acme",gateway="hq-router"} 35
    # HELP mailflow_gateway_round_trip_seconds Round-trip times of pings to the gateway.
    # TYPE mailflow_gateway_round_trip_seconds histogram
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.001"} 0
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.0025"} 0
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.005"} 0
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.01"} 0
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.025"} 1
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.05"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.1"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.25"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="0.5"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="1.0"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="2.5"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="5.0"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="10.0"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="30.0"} 2
    mailflow_gateway_round_trip_seconds_bucket{client="acme",gateway="hq-router",le="+Inf"} 2
    mailflow_gateway_round_trip_seconds_sum{client="acme",gateway="hq-router"} 0.052000000000000005
    mailflow_gateway_round_trip_seconds_count{client="acme",gateway="hq-router"} 2
    # HELP mailflow_vantage_state Whether our own side, where probes run from, is in this state (1) or not (0).
    # TYPE mailflow_vantage_state gauge
    mailflow_vantage_state{vantage="hq",state="flowing"} 1
    mailflow_vantage_state{vantage="hq",state="degraded"} 0
    mailflow_vantage_state{vantage="hq",state="broken"} 0
    mailflow_vantage_state{vantage="hq",state="unknown"} 0
    "#);
}

#[test]
fn routes_in_openmetrics() {
    let text = text(sample::fleet(), Format::OpenMetrics);
    insta::assert_snapshot!(only(&text, &["mailflow_route_state", "mailflow_route_cause"]), @r#"
    # HELP mailflow_route_state Whether mail from the client to the destination is in this state (1) or not (0).
    # TYPE mailflow_route_state gauge
    mailflow_route_state{client="acme",destination="partner.test",state="flowing"} 1
    mailflow_route_state{client="acme",destination="partner.test",state="degraded"} 0
    mailflow_route_state{client="acme",destination="partner.test",state="broken"} 0
    mailflow_route_state{client="acme",destination="partner.test",state="unknown"} 0
    mailflow_route_state{client="initech",destination="partner.test",state="flowing"} 0
    mailflow_route_state{client="initech",destination="partner.test",state="degraded"} 0
    mailflow_route_state{client="initech",destination="partner.test",state="broken"} 1
    mailflow_route_state{client="initech",destination="partner.test",state="unknown"} 0
    # HELP mailflow_route_cause The one root cause of the route's state, while it holds.
    # TYPE mailflow_route_cause gauge
    mailflow_route_cause{client="initech",destination="partner.test",code="recipient.unknown"} 1
    "#);
}

#[test]
fn canaries_in_openmetrics() {
    let text = text(sample::fleet(), Format::OpenMetrics);
    let lines = |name: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines("mailflow_canary_state").len(), 4);
    assert_eq!(
        lines("mailflow_canaries_total"),
        ["mailflow_canaries_total{client=\"acme\",canary=\"round-trip\"} 2"]
    );
    assert_eq!(
        lines("mailflow_canaries_failed_total"),
        ["mailflow_canaries_failed_total{client=\"acme\",canary=\"round-trip\"} 1"]
    );
    assert_eq!(lines("mailflow_canary_delivery_duration_seconds_count").len(), 1);
    assert_eq!(lines("mailflow_canary_last_success_timestamp_seconds").len(), 1);
}

#[test]
fn alerting_in_openmetrics() {
    let text = text(sample::fleet(), Format::OpenMetrics);
    assert!(text.ends_with("# EOF\n"));
    insta::assert_snapshot!(only(&text, &[
        "mailflow_incidents_open", "mailflow_notifications", "mailflow_notifications_failed",
        "mailflow_notifications_pending", "mailflow_notifier_failing", "mailflow_smtp_phase_duration_seconds",
    ]), @r#"
    # HELP mailflow_smtp_phase_duration_seconds How long each stage of SMTP sessions took.
    # TYPE mailflow_smtp_phase_duration_seconds histogram
    # UNIT mailflow_smtp_phase_duration_seconds seconds
    mailflow_smtp_phase_duration_seconds_sum{provider="self-hosted",phase="connect"} 0.021
    mailflow_smtp_phase_duration_seconds_count{provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="0.001",provider="self-hosted",phase="connect"} 0
    mailflow_smtp_phase_duration_seconds_bucket{le="0.0025",provider="self-hosted",phase="connect"} 0
    mailflow_smtp_phase_duration_seconds_bucket{le="0.005",provider="self-hosted",phase="connect"} 0
    mailflow_smtp_phase_duration_seconds_bucket{le="0.01",provider="self-hosted",phase="connect"} 0
    mailflow_smtp_phase_duration_seconds_bucket{le="0.025",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="0.05",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="0.1",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="0.25",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="0.5",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="1.0",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="2.5",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="5.0",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="10.0",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="30.0",provider="self-hosted",phase="connect"} 1
    mailflow_smtp_phase_duration_seconds_bucket{le="+Inf",provider="self-hosted",phase="connect"} 1
    # HELP mailflow_incidents_open Open incidents.
    # TYPE mailflow_incidents_open gauge
    mailflow_incidents_open{severity="info"} 0
    mailflow_incidents_open{severity="warning"} 2
    mailflow_incidents_open{severity="critical"} 1
    # HELP mailflow_notifications Messages that the notifier's other side took.
    # TYPE mailflow_notifications counter
    mailflow_notifications_total{notifier="oncall"} 9
    # HELP mailflow_notifications_failed Attempts to deliver a message that failed.
    # TYPE mailflow_notifications_failed counter
    mailflow_notifications_failed_total{notifier="oncall"} 1
    # HELP mailflow_notifications_pending Messages that wait in the outbox.
    # TYPE mailflow_notifications_pending gauge
    mailflow_notifications_pending{notifier="oncall"} 0
    # HELP mailflow_notifier_failing Whether the last attempt to deliver a message by this notifier failed.
    # TYPE mailflow_notifier_failing gauge
    mailflow_notifier_failing{notifier="oncall"} 0
    "#);
}

#[test]
fn the_rest_in_openmetrics() {
    let text = text(sample::fleet(), Format::OpenMetrics);
    insta::assert_snapshot!(only(&text, &[
        "mailflow_probes", "mailflow_probe_errors",
        "mailflow_config_last_reload_successful", "mailflow_config_last_reload_success_timestamp_seconds",
        "mailflow_client_info", "process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds",
        "process_start_time_seconds",
    ]), @r#"
    # HELP mailflow_probes Probes run.
    # TYPE mailflow_probes counter
    mailflow_probes_total{probe="vantage"} 0
    mailflow_probes_total{probe="dns"} 2048
    mailflow_probes_total{probe="nameserver"} 0
    mailflow_probes_total{probe="host"} 0
    mailflow_probes_total{probe="smtp"} 5120
    mailflow_probes_total{probe="gateway"} 0
    mailflow_probes_total{probe="policy"} 0
    mailflow_probes_total{probe="blocklist"} 0
    mailflow_probes_total{probe="service"} 0
    mailflow_probes_total{probe="recipient"} 0
    mailflow_probes_total{probe="canary"} 0
    # HELP mailflow_probe_errors Probes that could not be run, for a reason on our side.
    # TYPE mailflow_probe_errors counter
    mailflow_probe_errors_total{probe="vantage"} 0
    mailflow_probe_errors_total{probe="dns"} 0
    mailflow_probe_errors_total{probe="nameserver"} 0
    mailflow_probe_errors_total{probe="host"} 2
    mailflow_probe_errors_total{probe="smtp"} 0
    mailflow_probe_errors_total{probe="gateway"} 0
    mailflow_probe_errors_total{probe="policy"} 0
    mailflow_probe_errors_total{probe="blocklist"} 0
    mailflow_probe_errors_total{probe="service"} 0
    mailflow_probe_errors_total{probe="recipient"} 0
    mailflow_probe_errors_total{probe="canary"} 0
    # HELP mailflow_client_info The clients' names by their ids.
    # TYPE mailflow_client_info gauge
    mailflow_client_info{client="acme",name="ACME Ltd"} 1
    mailflow_client_info{client="globex",name="Globex GmbH"} 1
    mailflow_client_info{client="hooli",name="Hooli"} 1
    mailflow_client_info{client="initech",name="Initech"} 1
    mailflow_client_info{client="stark",name="Stark & Söhne"} 1
    mailflow_client_info{client="umbrella",name="Umbrella Care"} 1
    mailflow_client_info{client="wayne",name="Wayne Logistics"} 1
    # HELP mailflow_config_last_reload_successful Whether the last reload of the configuration was taken (1) or refused (0).
    # TYPE mailflow_config_last_reload_successful gauge
    mailflow_config_last_reload_successful 1
    # HELP mailflow_config_last_reload_success_timestamp_seconds When a configuration was last taken.
    # TYPE mailflow_config_last_reload_success_timestamp_seconds gauge
    # UNIT mailflow_config_last_reload_success_timestamp_seconds seconds
    mailflow_config_last_reload_success_timestamp_seconds 1795075170.0
    # HELP process_cpu_seconds Processor time that this process used, in user and kernel mode.
    # TYPE process_cpu_seconds counter
    # UNIT process_cpu_seconds seconds
    process_cpu_seconds_total 1.5
    # HELP process_resident_memory_bytes Resident memory of this process.
    # TYPE process_resident_memory_bytes gauge
    # UNIT process_resident_memory_bytes bytes
    process_resident_memory_bytes 4096
    # HELP process_open_fds Open file descriptors of this process.
    # TYPE process_open_fds gauge
    process_open_fds 12
    # HELP process_start_time_seconds When this process started.
    # TYPE process_start_time_seconds gauge
    # UNIT process_start_time_seconds seconds
    process_start_time_seconds 1795075170.0
    "#);
}

#[test]
fn both_forms_have_the_same_series() {
    let series = |format| {
        let text = text(sample::fleet(), format);
        let mut all: Vec<Vec<String>> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, _)| {
                // The order of labels is free.
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let mut parts: Vec<String> = labels
                    .trim_end_matches("\"}")
                    .split("\",")
                    .map(str::to_owned)
                    .collect();
                parts.push(name.to_owned());
                parts.sort();
                parts
            })
            .collect();
        all.sort();
        all
    };
    let (classic, open) = (series(Format::Classic), series(Format::OpenMetrics));
    let differing = classic.iter().zip(&open).find(|(left, right)| left != right);
    assert_eq!(differing, None);
    assert_eq!(classic.len(), open.len());
}

#[test]
fn each_code_is_explained_and_nothing_is_said_twice() {
    let text = text(sample::fleet(), Format::Classic);
    let infos = text
        .lines()
        .filter(|line| line.starts_with("mailflow_cause_info{"));
    assert_eq!(infos.count(), crate::model::Code::ALL.len());
    let mut seen = std::collections::HashSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        assert!(seen.insert(series.to_owned()), "twice: {series}");
    }
}

#[test]
fn two_warnings_of_one_code_are_one_series() {
    let mut snapshot = sample::fleet();
    for verdict in snapshot.domains.values_mut() {
        let verdict = Arc::make_mut(verdict);
        verdict.also.extend(verdict.also.clone());
    }
    let text = text(snapshot, Format::Classic);
    let warnings = text
        .lines()
        .filter(|line| line.starts_with("mailflow_domain_warning{"));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn a_removed_target_takes_its_series_with_it() {
    let mut snapshot = sample::fleet();
    snapshot.domains.retain(|name, _| name.as_str() != "hooli.test");
    snapshot.gateways.clear();
    let text = text(snapshot, Format::Classic);
    assert!(!text.contains("\"hooli.test\""));
    assert!(!text.contains("mailflow_gateway_"));
}

#[test]
fn hostile_labels_stay_inside_their_quotes() {
    for format in [Format::Classic, Format::OpenMetrics] {
        let text = text(sample::hostile(), format);
        let line = text
            .lines()
            .find(|line| line.starts_with("mailflow_notifications_pending{"))
            .unwrap();
        assert_eq!(
            line.replace('\u{1b}', "ESC"),
            r#"mailflow_notifications_pending{notifier="<script>alert(\"x\")</script>'\\\n</details>ESC[31m &amp; {{ 7*7 }}"} 0"#
        );
    }
}

#[test]
fn openmetrics_only_for_whoever_asks() {
    let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
    assert_eq!(
        Format::accepted("application/openmetrics-text"),
        Format::OpenMetrics
    );
    for accept in [
        "",
        "*/*",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "text/plain, application/openmetrics-text;q=0.5",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=many",
    ] {
        assert_eq!(Format::accepted(accept), Format::Classic, "{accept}");
    }
}

#[test]
fn openmetrics_says_the_unit_that_a_name_ends_with() {
    let text = text(sample::fleet(), Format::OpenMetrics);
    let units = text.lines().filter_map(|line| line.strip_prefix("# UNIT "));
    for unit in units.clone() {
        let (name, unit) = unit.split_once(' ').unwrap();
        assert!(name.ends_with(&format!("_{unit}")), "{name} {unit}");
    }
    let with_unit = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter(|line| {
            let name = line.split(' ').next().unwrap();
            name.ends_with("_seconds") || name.ends_with("_bytes")
        });
    assert_eq!(units.count(), with_unit.count());
}

#[test]
fn single_hosts_have_series_only_where_that_is_wanted() {
    let mut snapshot = sample::fleet();
    let series = "mailflow_smtp_host_phase_duration_seconds{address=\"203.0.113.80:25\",provider=\"self-hosted\",phase=\"connect\"} 0.021";
    assert!(text(snapshot.clone(), Format::Classic).contains(series));
    snapshot.per_host = false;
    assert!(!text(snapshot, Format::Classic).contains("mailflow_smtp_host_phase"));
}

#[test]
fn our_own_process_is_measured() {
    let facts = ProcessFacts::read(sample::at(sample::NOW));
    assert!(facts.resident > Some(1024 * 1024));
    assert!(facts.open_files > Some(2));
    assert!(facts.cpu.is_some() && facts.max_files.is_some());
}

/// Where Prometheus is installed, its own checker has nothing to say.
#[test]
fn promtool_is_silent() {
    for snapshot in [
        sample::fleet(),
        sample::calm(),
        sample::blind(),
        sample::hostile(),
    ] {
        let Ok(mut child) = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        else {
            return;
        };
        let mut input = child.stdin.take().unwrap();
        input
            .write_all(text(snapshot, Format::Classic).as_bytes())
            .unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success() && said.is_empty(),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
}

/// Reads a label's value back, as a scraper does.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next().unwrap() {
                'n' => out.push('\n'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_label_comes_back_as_it_was(name in any::<String>()) {
        let mut snapshot = sample::calm();
        snapshot.counters.notifications = [(name.as_str().into(), NotifierCounts::default())].into();
        let snapshot = Arc::new(snapshot);
        for format in [Format::Classic, Format::OpenMetrics] {
            let text = render(&snapshot, Wanted::All(facts(), Some("https://mail.msp.example/".into())), format).unwrap();
            let lines: Vec<&str> = text
                .split('\n')
                .filter(|line| line.starts_with("mailflow_notifications_pending{"))
                .collect();
            prop_assert_eq!(lines.len(), 1);
            let value = lines[0]
                .strip_prefix("mailflow_notifications_pending{notifier=\"")
                .and_then(|rest| rest.strip_suffix("\"} 0"));
            prop_assert_eq!(value.map(unescaped), Some(name.clone()));
        }
    }

    #[test]
    fn any_accept_header_has_an_answer(accept in "[ -~]{0,80}") {
        let format = Format::accepted(&accept);
        prop_assert!(format == Format::Classic || accept.to_lowercase().contains("openmetrics"));
    }
}
