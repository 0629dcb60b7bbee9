//! What the daemon says, by `docs/metrics.md`, which a test of its own keeps true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Metrics of Prometheus itself.
const PROMETHEUS: [&str; 1] = ["up"];

/// What the public surface promises of canaries, with their labels. Their dashboard waits for them.
const PROMISED: [&str; 4] = [
    "mailflow_canaries_total",
    "mailflow_canaries_failed_total",
    "mailflow_canary_delivery_duration_seconds",
    "mailflow_canary_last_success_timestamp_seconds",
];

/// Every metric with its labels; of a recording rule anything goes.
pub struct Known {
    metrics: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl Known {
    /// What the list of metrics says.
    pub fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        let page = std::fs::read_to_string(path).unwrap();
        let mut known = Self {
            metrics: BTreeMap::new(),
        };
        for line in page.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let labels = cells[3]
                .split(", ")
                .map(|label| label.trim_matches('`').to_owned());
            known.add(cells[1].trim_matches('`'), cells[2], labels.collect());
        }
        assert!(known.metrics.len() > 40);
        for name in PROMISED {
            let kind = if name.contains("duration") {
                "histogram"
            } else {
                ""
            };
            known.add(name, kind, ["client", "canary"].map(str::to_owned).into());
        }
        for name in PROMETHEUS {
            known.add(name, "", BTreeSet::new());
        }
        known
    }

    fn add(&mut self, name: &str, kind: &str, mut labels: BTreeSet<String>) {
        labels.extend(["job", "instance"].map(str::to_owned));
        if kind == "histogram" {
            for suffix in ["_sum", "_count"] {
                self.metrics
                    .insert(format!("{name}{suffix}"), Some(labels.clone()));
            }
            labels.insert("le".to_owned());
            self.metrics.insert(format!("{name}_bucket"), Some(labels));
        } else {
            self.metrics.insert(name.to_owned(), Some(labels));
        }
    }

    /// And what these rules record.
    pub fn with_records(mut self, rules: &str) -> Self {
        let records = rules.lines().filter_map(|line| line.split("- record: ").nth(1));
        self.metrics
            .extend(records.map(|name| (name.trim().to_owned(), None)));
        self
    }

    /// Whether every metric in `text` is said, with the labels that it is chosen by.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let mut named = 0;
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            for (name, rest) in names(line) {
                let said = self.metrics.get(name).ok_or(format!("nobody says {name}"))?;
                named += 1;
                let Some(labels) = said else { continue };
                if let Some(wrong) = matchers(rest).find(|label| !labels.contains(*label)) {
                    return Err(format!("{name} has no label {wrong}"));
                }
            }
        }
        if named == 0 && !text.is_empty() {
            return Err("no metric at all".to_owned());
        }
        Ok(())
    }
}

/// Every name of a metric in a line, with what follows it. File names, jobs and words in texts are none.
fn names(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let starts = ["mailflow_", "mailflow:", "process_"]
        .into_iter()
        .flat_map(move |prefix| line.match_indices(prefix).map(|(at, _)| at))
        .filter(move |at| !line[..*at].ends_with(|letter| is_part(letter) || letter == '"'));
    starts.map(move |at| {
        let rest = &line[at..];
        rest.split_at(rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()))
    })
}

/// The labels by which series are chosen: `{a="b", c=~"d"}`.
fn matchers(rest: &str) -> impl Iterator<Item = &str> {
    let inside = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .map_or("", |(inside, _)| inside);
    inside
        .split(',')
        .filter_map(|matcher| matcher.split_once('='))
        .map(|(label, _)| label.trim().trim_end_matches('!'))
}

#[test]
fn what_is_not_said_is_found() {
    let known = Known::new();
    assert!(
        known
            .check("sum(mailflow_domain_state{state=\"broken\", client=~\"a\"})")
            .is_ok()
    );
    assert!(
        known
            .check("rate(mailflow_probe_lag_seconds_bucket{le=\"1.0\"}[5m])")
            .is_ok()
    );
    for wrong in [
        "sum(mailflow_domain_states)",
        "mailflow_domain_state{status=\"broken\"}",
        "mailflow_probes",
        "mailflow_probe_lag_seconds",
        "mailflow:nobody:recorded",
        "mailflow_canaries_total{domain=\"a\"}",
        "1 + 1",
    ] {
        assert!(known.check(wrong).is_err(), "{wrong}");
    }
}
