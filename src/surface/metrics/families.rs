//! The list of all metrics: what each is called, what it says, and where in the snapshot it stands.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::domains::SELF_HOSTED;
use super::family::{Family, Labels, Sample, Value};
use super::{ProcessFacts, domains, outbound};
use crate::model::{ProbeKind, Severity, State, Target, catalogue};
use crate::snapshot::{Histogram, NotifierCounts, NotifierHealth, Snapshot};

/// Every family of one scrape. A counter and a state are there from the start, a measured fact once measured.
pub(super) fn families<'a>(
    snapshot: &'a Snapshot,
    process: &ProcessFacts,
    page: Option<&'a str>,
) -> Vec<Family<'a>> {
    let mut all = domains::families(snapshot, None);
    all.extend(outbound::routes(snapshot));
    all.extend(outbound::canaries(snapshot));
    all.extend(outbound::told(snapshot));
    all.extend(gateways(snapshot));
    all.extend(vantage(snapshot));
    all.push(providers(snapshot));
    all.push(listings(snapshot));
    all.extend(smtp(snapshot));
    all.extend(alerting(snapshot));
    all.extend(probes(snapshot));
    all.extend(infos(snapshot));
    all.extend(own(snapshot));
    all.push(Family::gauges(
        "mailflow_page_info",
        "Where people find the page (server.external_url), for links from dashboards.",
        page.map(|url| Sample::new([("url", url)], Value::Whole(1))),
    ));
    all.extend(ours(process));
    all
}

fn gateways(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let each = || {
        snapshot.gateways.iter().filter_map(|gateway| {
            let Target::Gateway(client, name) = &gateway.verdict.target else {
                return None;
            };
            let labels: [(_, &str); 2] = [("client", client.as_str()), ("gateway", name)];
            Some((labels, &**gateway))
        })
    };
    vec![
        Family::gauges(
            "mailflow_gateway_state",
            "Whether the gateway is in this state (1) or not (0).",
            each().flat_map(|([client, name], gateway)| {
                states(gateway.verdict.state)
                    .map(move |(state, value)| Sample::new([client, name, ("state", state)], value))
            }),
        ),
        Family::counters(
            "mailflow_gateway_pings",
            "Echo requests sent to the gateway.",
            each().map(|(labels, gateway)| Sample::new(labels, Value::Whole(gateway.pings))),
        ),
        Family::counters(
            "mailflow_gateway_pings_lost",
            "Echo requests to the gateway that nothing came back for.",
            each().map(|(labels, gateway)| Sample::new(labels, Value::Whole(gateway.pings_lost))),
        ),
        Family::histograms(
            "mailflow_gateway_round_trip_seconds",
            "Round-trip times of pings to the gateway.",
            each().map(|(labels, gateway)| Sample::new(labels, Value::Histogram(&gateway.round_trips))),
        ),
    ]
}

fn listings(snapshot: &Snapshot) -> Family<'_> {
    let listed = snapshot.listings.iter().map(|listing| {
        let labels = [
            ("client", listing.client.as_str()),
            ("address", listing.address.as_str()),
            ("blocklist", listing.blocklist.as_str()),
        ];
        Sample::new(labels, Value::Whole(u64::from(listing.listed)))
    });
    Family::gauges(
        "mailflow_blocklist_listed",
        "Whether a blocklist that passed its self-test has the address (1) or not (0).",
        listed,
    )
}

/// The recognised providers, each judged by the addresses that it takes the clients' mail at.
fn providers(snapshot: &Snapshot) -> Family<'_> {
    let each = snapshot.providers.iter().filter_map(|verdict| {
        let Target::Provider(name) = &verdict.target else {
            return None;
        };
        Some((&**name, verdict.state))
    });
    Family::gauges(
        "mailflow_provider_state",
        "Whether the provider is in this state (1) or not (0), by the addresses that the domains here use.",
        each.flat_map(|(name, state)| {
            states(state)
                .map(move |(state, value)| Sample::new([("provider", name), ("state", state)], value))
        }),
    )
}

fn vantage(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let Target::Vantage(name) = &snapshot.vantage.target else {
        return Vec::new();
    };
    let samples = states(snapshot.vantage.state)
        .map(move |(state, value)| Sample::new([("vantage", &**name), ("state", state)], value));
    let spoken = snapshot
        .vitals
        .spoken
        .map(|at| Sample::new([("vantage", &**name)], seconds(at)));
    vec![
        Family::gauges(
            "mailflow_vantage_state",
            "Whether our own side, where probes run from, is in this state (1) or not (0).",
            samples,
        ),
        Family::gauges(
            "mailflow_vantage_last_smtp_reply_timestamp_seconds",
            "When a mail server somewhere last spoke to us.",
            spoken,
        ),
    ]
}

fn smtp(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let samples = snapshot
        .counters
        .smtp_phases
        .iter()
        .map(|((provider, stage), histogram)| {
            let labels = [("provider", &**provider), ("phase", stage.as_str())];
            Sample::new(labels, Value::Histogram(histogram))
        });
    vec![
        Family::histograms(
            "mailflow_smtp_phase_duration_seconds",
            "How long each stage of SMTP sessions took.",
            samples,
        ),
        hosts(snapshot),
    ]
}

/// Each address for itself, where `[metrics] per_host` asks for it: there may be thousands.
fn hosts(snapshot: &Snapshot) -> Family<'_> {
    let hosts = snapshot.hosts.iter().filter(|_| snapshot.per_host);
    Family::gauges(
        "mailflow_smtp_host_phase_duration_seconds",
        "How long each stage of the last SMTP session with this address took.",
        hosts.flat_map(|host| {
            host.stages.iter().map(|(stage, elapsed)| Sample {
                labels: Labels::new([
                    ("address", Cow::Owned(host.address.to_string())),
                    (
                        "provider",
                        Cow::Borrowed(host.provider.as_deref().unwrap_or(SELF_HOSTED)),
                    ),
                    ("phase", Cow::Borrowed(stage.as_str())),
                ]),
                value: Value::Real(*elapsed),
            })
        }),
    )
}

fn alerting(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let open = &snapshot.counters.incidents_open;
    let notifiers = |count: fn(&NotifierCounts) -> u64| {
        snapshot
            .counters
            .notifications
            .iter()
            .map(move |(name, counts)| Sample::new([("notifier", &**name)], Value::Whole(count(counts))))
    };
    vec![
        Family::gauges(
            "mailflow_incidents_open",
            "Open incidents.",
            Severity::ALL.into_iter().map(|severity| {
                let count = open.get(&severity).copied().unwrap_or_default();
                Sample::new([("severity", severity.as_str())], Value::Whole(count))
            }),
        ),
        Family::counters(
            "mailflow_notifications",
            "Messages that the notifier's other side took.",
            notifiers(|counts| counts.delivered),
        ),
        Family::counters(
            "mailflow_notifications_failed",
            "Attempts to deliver a message that failed.",
            notifiers(|counts| counts.failed),
        ),
        Family::gauges(
            "mailflow_notifications_pending",
            "Messages that wait in the outbox.",
            notifiers(|counts| counts.pending),
        ),
        Family::gauges(
            "mailflow_notifier_failing",
            "Whether the last attempt to deliver a message by this notifier failed.",
            notifiers(|counts| u64::from(matches!(counts.health, NotifierHealth::Failing { .. }))),
        ),
    ]
}

fn probes(snapshot: &Snapshot) -> Vec<Family<'_>> {
    static NONE: LazyLock<Histogram> = LazyLock::new(Histogram::default);
    let counters = &snapshot.counters;
    let label = |kind: ProbeKind| [("probe", kind.as_str())];
    vec![
        Family::counters(
            "mailflow_probes",
            "Probes run.",
            ProbeKind::ALL.map(|kind| {
                let count = counters.probes.get(&kind).copied().unwrap_or_default();
                Sample::new(label(kind), Value::Whole(count))
            }),
        ),
        Family::counters(
            "mailflow_probe_errors",
            "Probes that could not be run, for a reason on our side.",
            ProbeKind::ALL.map(|kind| {
                let count = counters.probe_errors.get(&kind).copied().unwrap_or_default();
                Sample::new(label(kind), Value::Whole(count))
            }),
        ),
        Family::histograms(
            "mailflow_probe_lag_seconds",
            "How much later than due probes started.",
            ProbeKind::ALL.map(|kind| {
                let lag = counters.probe_lag.get(&kind).unwrap_or(&*NONE);
                Sample::new(label(kind), Value::Histogram(lag))
            }),
        ),
    ]
}

fn infos(snapshot: &Snapshot) -> Vec<Family<'_>> {
    vec![
        Family::gauges(
            "mailflow_cause_info",
            "What each cause's code means and what to do.",
            catalogue::all().iter().map(|entry| {
                let labels = [
                    ("code", entry.code.as_str()),
                    ("layer", entry.code.layer()),
                    ("title", entry.title),
                    ("action", entry.action),
                ];
                Sample::new(labels, Value::Whole(1))
            }),
        ),
        Family::gauges(
            "mailflow_client_info",
            "The clients' names by their ids.",
            snapshot.clients.iter().map(|client| {
                let labels = [("client", client.id.as_str()), ("name", client.name.as_str())];
                Sample::new(labels, Value::Whole(1))
            }),
        ),
    ]
}

fn own(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let one = |value: Value<'static>| [Sample::new([], value)];
    vec![
        Family::gauges(
            "mailflow_config_last_reload_successful",
            "Whether the last reload of the configuration was taken (1) or refused (0).",
            one(Value::Whole(u64::from(snapshot.reload.successful))),
        ),
        Family::gauges(
            "mailflow_config_last_reload_success_timestamp_seconds",
            "When a configuration was last taken.",
            one(seconds(snapshot.reload.last_success)),
        ),
        Family::gauges(
            "mailflow_store_writable",
            "Whether incidents and messages are written down (1) or wait in memory, as the store takes nothing (0).",
            one(Value::Whole(u64::from(snapshot.store.failing.is_none()))),
        ),
        Family::counters(
            "mailflow_store_rows_refused",
            "Rows that the database refused for what they are; they lie in its table misfit.",
            one(Value::Whole(snapshot.store.misfits)),
        ),
        Family::gauges(
            "mailflow_domains_pending",
            "Domains that are still looked at for the first time.",
            one(Value::Whole(
                u64::try_from(snapshot.pending_domains).unwrap_or(u64::MAX),
            )),
        ),
        Family::gauges(
            "mailflow_build_info",
            "The version that runs.",
            [Sample::new(
                [("version", env!("CARGO_PKG_VERSION"))],
                Value::Whole(1),
            )],
        ),
    ]
}

/// What every Prometheus client library says of its process.
fn ours<'a>(process: &ProcessFacts) -> Vec<Family<'a>> {
    let maybe = |value: Option<Value<'a>>| value.map(|value| Sample::new([], value));
    vec![
        Family::counters(
            "process_cpu_seconds",
            "Processor time that this process used, in user and kernel mode.",
            maybe(process.cpu.map(Value::Real)),
        ),
        Family::gauges(
            "process_resident_memory_bytes",
            "Resident memory of this process.",
            maybe(process.resident.map(Value::Whole)),
        ),
        Family::gauges(
            "process_virtual_memory_bytes",
            "Virtual memory of this process.",
            maybe(process.virtual_memory.map(Value::Whole)),
        ),
        Family::gauges(
            "process_open_fds",
            "Open file descriptors of this process.",
            maybe(process.open_files.map(Value::Whole)),
        ),
        Family::gauges(
            "process_max_fds",
            "The most file descriptors that this process may have open.",
            maybe(process.max_files.map(Value::Whole)),
        ),
        Family::gauges(
            "process_start_time_seconds",
            "When this process started.",
            maybe(process.started.map(seconds)),
        ),
    ]
}

/// Each state's name, with 1 for the one that holds.
pub(super) fn states(holds: State) -> impl Iterator<Item = (&'static str, Value<'static>)> {
    State::ALL
        .into_iter()
        .map(move |state| (state.as_str(), Value::Whole(u64::from(state == holds))))
}

pub(super) fn seconds(at: Timestamp) -> Value<'static> {
    Value::Real(at.as_duration().as_secs_f64())
}
