//! What is said of each domain: all of them at `/metrics`, one of them at `/probe`.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use super::families::{seconds, states};
use super::family::{Family, Sample, Value};
use crate::model::{ClientId, Code, DomainName, State, Verdict};
use crate::snapshot::Snapshot;

/// What stands in place of a provider's name where mail goes to servers of one's own.
pub(super) const SELF_HOSTED: &str = "self-hosted";

/// A domain with its client's id and its verdict.
type Watched<'a> = (&'a str, &'a DomainName, &'a Verdict);

/// The families of all domains, or of `only` this one.
pub(super) fn families<'a>(snapshot: &'a Snapshot, only: Option<&'a DomainName>) -> Vec<Family<'a>> {
    let bounds = only.map_or((Bound::Unbounded, Bound::Unbounded), |name| {
        (Bound::Included(name), Bound::Included(name))
    });
    let watched = snapshot
        .domains
        .range::<DomainName, _>(bounds)
        .map(|(name, verdict)| (client_of(verdict), name, &**verdict));
    let mut all = verdicts(&watched);
    all.push(mx_addresses(snapshot, watched.clone()));
    all.push(certificates(snapshot, watched.clone()));
    all.push(services(snapshot, watched));
    all
}

/// The families of one domain, under them how the look at it went, by the names that all Prometheus' probers use.
pub(super) fn probed<'a>(snapshot: &'a Snapshot, name: &'a DomainName, took: Duration) -> Vec<Family<'a>> {
    let state = snapshot.domains.get(name).map(|verdict| verdict.state);
    let delivered = matches!(state, Some(State::Flowing | State::Degraded));
    let mut all = families(snapshot, Some(name));
    all.push(Family::gauges(
        "probe_success",
        "Whether mail to the domain can be delivered, flowing or degraded (1), or is broken or unknown (0).",
        [Sample::new([], Value::Whole(u64::from(delivered)))],
    ));
    all.push(Family::gauges(
        "probe_duration_seconds",
        "How long it took to find this answer.",
        [Sample::new([], Value::Real(took.as_secs_f64()))],
    ));
    all
}

fn verdicts<'a>(watched: &(impl Iterator<Item = Watched<'a>> + Clone + 'a)) -> Vec<Family<'a>> {
    let each = || watched.clone();
    vec![
        Family::gauges(
            "mailflow_domain_state",
            "Whether mail to the domain is in this state (1) or not (0).",
            each().flat_map(|(client, domain, verdict)| {
                states(verdict.state).map(move |(state, value)| {
                    let domain = ("domain", domain.as_str());
                    Sample::new([("client", client), domain, ("state", state)], value)
                })
            }),
        ),
        Family::gauges(
            "mailflow_domain_cause",
            "The one root cause of the domain's state, while it holds.",
            each().filter_map(|(client, domain, verdict)| {
                let code = verdict.cause.as_ref()?.code;
                Some(coded(client, domain, code))
            }),
        ),
        Family::gauges(
            "mailflow_domain_warning",
            "What somebody should know of the domain that does not change its state, while it holds.",
            each().flat_map(|(client, domain, verdict)| {
                let codes: BTreeSet<Code> = verdict.also.iter().map(|warning| warning.code).collect();
                codes.into_iter().map(move |code| coded(client, domain, code))
            }),
        ),
        Family::gauges(
            "mailflow_domain_info",
            "Who operates the domain's mail hosts: a recognised provider, or self-hosted.",
            each().map(|(client, domain, verdict)| {
                let provider = verdict.provider.as_deref().unwrap_or(SELF_HOSTED);
                let domain = ("domain", domain.as_str());
                Sample::new(
                    [("client", client), domain, ("provider", provider)],
                    Value::Whole(1),
                )
            }),
        ),
        Family::gauges(
            "mailflow_domain_last_check_timestamp_seconds",
            "When the newest evidence that the domain's verdict rests on was seen.",
            each().filter_map(|(client, domain, verdict)| {
                let checked = seconds(verdict.checked?);
                Some(Sample::new(of(client, domain), checked))
            }),
        ),
    ]
}

fn mx_addresses<'a>(snapshot: &'a Snapshot, watched: impl Iterator<Item = Watched<'a>> + 'a) -> Family<'a> {
    const RESULTS: [&str; 4] = ["usable", "failed", "refused", "unknown"];
    let samples = watched.filter_map(|(client, domain, _)| {
        let counts = snapshot.counters.mx_addresses.get(domain)?;
        let [client, domain] = of(client, domain);
        Some(RESULTS.iter().zip(counts).map(move |(result, count)| {
            let labels = [client, domain, ("result", *result)];
            Sample::new(labels, Value::Whole(u64::from(*count)))
        }))
    });
    Family::gauges(
        "mailflow_domain_mx_addresses",
        "Addresses of the domain's mail hosts, by what came of the last look at them.",
        samples.flatten(),
    )
}

fn certificates<'a>(snapshot: &'a Snapshot, watched: impl Iterator<Item = Watched<'a>> + 'a) -> Family<'a> {
    let samples = watched.filter_map(|(client, domain, _)| {
        let expiry = snapshot.counters.certificate_expiry.get(domain)?;
        Some(Sample::new(of(client, domain), seconds(*expiry)))
    });
    Family::gauges(
        "mailflow_tls_certificate_expiry_timestamp_seconds",
        "The earliest end of any certificate of the domain's mail hosts.",
        samples,
    )
}

fn services<'a>(snapshot: &'a Snapshot, watched: impl Iterator<Item = Watched<'a>> + 'a) -> Family<'a> {
    let all = watched.flat_map(|(client, domain, _)| {
        let services = snapshot.services.get(domain).into_iter().flatten();
        let [client, domain] = of(client, domain);
        services.flat_map(move |service| {
            states(service.state).map(move |(state, value)| {
                let service = ("service", service.service.as_str());
                Sample::new([client, domain, service, ("state", state)], value)
            })
        })
    });
    Family::gauges(
        "mailflow_service_state",
        "Whether a service that people use beside MX is in this state (1) or not (0).",
        all,
    )
}

fn of<'a>(client: &'a str, domain: &'a DomainName) -> [(&'static str, &'a str); 2] {
    [("client", client), ("domain", domain.as_str())]
}

fn coded<'a>(client: &'a str, domain: &'a DomainName, code: Code) -> Sample<'a> {
    let [client, domain] = of(client, domain);
    Sample::new([client, domain, ("code", code.as_str())], Value::Whole(1))
}

fn client_of(verdict: &Verdict) -> &str {
    verdict.client.as_ref().map_or("", ClientId::as_str)
}
