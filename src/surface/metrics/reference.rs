//! The list of all metrics for people, `docs/metrics.md`: written from a sample, and held against it.

use std::fmt::Write as _;
use std::time::Duration;

use super::family::{Family, Kind, Value};
use super::*;
use crate::surface::sample;

const HEAD: &str = "# Metrics

Every metric of `/metrics`, with its labels. The names are as Prometheus stores them; a histogram has `_bucket`, `_sum` and
`_count`. No label holds what an outsider can choose without a bound; `client` is the client's id.

A counter and a state are there from the start, a measured fact once it was measured; a target that leaves the
configuration takes its series with it. This page is written by a test: `MAILFLOW_WRITE=1 cargo test --lib metrics::reference`.

| metric | type | labels | says |
|---|---|---|---|
";

const PROBE: &str = "
`/probe?target=DOMAIN` answers with what is said of one domain (`mailflow_domain_*`, its certificate and services), and:

| metric | type | labels | says |
|---|---|---|---|
";

fn line(out: &mut String, family: Family<'_>) {
    let (suffix, kind) = match family.kind {
        Kind::Gauge => ("", "gauge"),
        Kind::Counter => ("_total", "counter"),
        Kind::Histogram => ("", "histogram"),
    };
    // As they stand in the series, none twice.
    let mut labels: Vec<String> = Vec::new();
    let mut samples = 0;
    for sample in family.samples {
        samples += 1;
        for (name, _) in sample.labels.iter() {
            let name = format!("`{name}`");
            if !labels.contains(&name) {
                labels.push(name);
            }
        }
    }
    assert!(samples > 0, "the sample shows no {}", family.name);
    let (labels, name, help) = (labels.join(", "), family.name, family.help);
    let _ = writeln!(out, "| `{name}{suffix}` | {kind} | {labels} | {help} |");
}

fn page() -> String {
    let mut snapshot = sample::fleet();
    snapshot.vitals.spoken = Some(snapshot.at);
    let facts = ProcessFacts {
        cpu: Some(0.0),
        resident: Some(0),
        virtual_memory: Some(0),
        open_files: Some(0),
        max_files: Some(0),
        started: Some(snapshot.at),
    };
    let mut out = HEAD.to_owned();
    for family in Wanted::All(facts, Some("".into())).families(&snapshot) {
        line(&mut out, family);
    }
    out.push_str(PROBE);
    let name = snapshot.domains.keys().next().unwrap().clone();
    let wanted = Wanted::Domain(name, Duration::ZERO);
    for family in wanted.families(&snapshot) {
        if family.name.starts_with("probe_") {
            line(&mut out, family);
        }
    }
    out
}

#[test]
fn the_page_of_metrics_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("MAILFLOW_WRITE").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == page(),
        "docs/metrics.md is out of date: MAILFLOW_WRITE=1 cargo test --lib metrics::reference"
    );
}

/// Every series of one metric has the same labels, in a bounded number.
#[test]
fn the_labels_of_a_metric_are_always_the_same() {
    let snapshot = sample::fleet();
    for family in Wanted::All(ProcessFacts::default(), None).families(&snapshot) {
        let names = |sample: &super::family::Sample<'_>| -> Vec<&'static str> {
            sample.labels.iter().map(|(name, _)| *name).collect()
        };
        let samples: Vec<_> = family.samples.collect();
        let first = samples.first().map(names).unwrap_or_default();
        assert!(
            samples.iter().all(|sample| names(sample) == first),
            "{}",
            family.name
        );
        assert!(first.len() <= 4, "{}", family.name);
        let finite = |value: Value<'_>| !matches!(value, Value::Real(value) if !value.is_finite());
        assert!(
            samples.iter().all(|sample| finite(sample.value)),
            "{}",
            family.name
        );
    }
}
