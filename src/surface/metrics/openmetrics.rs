//! OpenMetrics 1.0, by the Prometheus project's own encoder.

use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::family::{Family, Kind, Value};
use super::{Pieces, Wanted};
use crate::snapshot::{Histogram, Snapshot};

/// Writes the metrics of one scrape.
pub(super) fn write(snapshot: Arc<Snapshot>, wanted: Wanted, out: &mut Pieces<'_>) -> Result<(), Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { snapshot, wanted }));
    text::encode(out, &registry)
}

/// What one scrape reads.
#[derive(Debug)]
struct Scrape {
    snapshot: Arc<Snapshot>,
    wanted: Wanted,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for mut family in self.wanted.families(&self.snapshot) {
            let Some(first) = family.samples.next() else {
                continue;
            };
            let kind = match family.kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
                Kind::Histogram => MetricType::Histogram,
            };
            let (name, unit) = split(&family);
            let mut metric = encoder.encode_descriptor(name, family.help, unit.as_ref(), kind)?;
            for sample in std::iter::once(first).chain(family.samples) {
                if sample.labels.is_empty() {
                    write_value(&mut metric, family.kind, sample.value)?;
                } else {
                    let labels = &*sample.labels;
                    let mut series = metric.encode_family(&labels)?;
                    write_value(&mut series, family.kind, sample.value)?;
                }
            }
        }
        Ok(())
    }
}

/// The encoder puts a unit's name behind the metric's by itself.
fn split(family: &Family<'_>) -> (&'static str, Option<Unit>) {
    let whole = (family.name, None);
    let Some(word) = family.unit() else {
        return whole;
    };
    let unit = match word {
        "seconds" => Unit::Seconds,
        "bytes" => Unit::Bytes,
        _ => return whole,
    };
    let name = family.name.trim_end_matches(word).trim_end_matches('_');
    (name, Some(unit))
}

fn write_value(encoder: &mut MetricEncoder<'_>, kind: Kind, value: Value<'_>) -> Result<(), Error> {
    match (kind, value) {
        (Kind::Counter, Value::Whole(value)) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        (Kind::Counter, Value::Real(value)) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        (_, Value::Whole(value)) => encoder.encode_gauge(&value),
        (_, Value::Real(value)) => encoder.encode_gauge(&value),
        (_, Value::Histogram(histogram)) => write_histogram(encoder, histogram),
    }
}

/// Without exemplars: those that the encoder takes are made by its own live histograms alone, and a scrape reads a snapshot.
fn write_histogram(encoder: &mut MetricEncoder<'_>, histogram: &Histogram) -> Result<(), Error> {
    let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(histogram.counts.iter().copied()).collect();
    encoder.encode_histogram::<NoLabelSet>(histogram.sum, histogram.count(), &buckets, None)
}
