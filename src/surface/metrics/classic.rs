//! The classic text format, version 0.0.4.

use std::fmt::{Error, Write};

use super::Pieces;
use super::family::{Family, Kind, Label, Sample, Value};
use crate::snapshot::Histogram;

/// Writes all families that have a series.
pub(super) fn write(families: Vec<Family<'_>>, out: &mut Pieces<'_>) -> Result<(), Error> {
    for family in families {
        let mut samples = family.samples.peekable();
        if samples.peek().is_none() {
            continue;
        }
        let (name, kind) = match family.kind {
            Kind::Gauge => (family.name.to_owned(), "gauge"),
            Kind::Counter => (format!("{}_total", family.name), "counter"),
            Kind::Histogram => (family.name.to_owned(), "histogram"),
        };
        writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help)?;
        for sample in samples {
            write_sample(out, &name, &sample)?;
        }
    }
    Ok(())
}

fn write_sample(out: &mut Pieces<'_>, name: &str, sample: &Sample<'_>) -> Result<(), Error> {
    match sample.value {
        Value::Histogram(histogram) => write_histogram(out, name, &sample.labels, histogram),
        Value::Whole(value) => {
            write_series(out, name, "", &sample.labels, None)?;
            writeln!(out, "{value}")
        }
        Value::Real(value) => {
            write_series(out, name, "", &sample.labels, None)?;
            writeln!(out, "{value}")
        }
    }
}

fn write_histogram(
    out: &mut Pieces<'_>,
    name: &str,
    labels: &[Label<'_>],
    histogram: &Histogram,
) -> Result<(), Error> {
    let mut cumulated = 0;
    for (index, count) in histogram.counts.iter().enumerate() {
        cumulated += count;
        // 1.0, not 1: as OpenMetrics writes it, so that the series are the same in both forms.
        let bound = histogram
            .bounds
            .get(index)
            .map_or_else(|| "+Inf".to_owned(), |bound| format!("{bound:?}"));
        write_series(out, name, "_bucket", labels, Some(&bound))?;
        writeln!(out, "{cumulated}")?;
    }
    write_series(out, name, "_sum", labels, None)?;
    writeln!(out, "{}", histogram.sum)?;
    write_series(out, name, "_count", labels, None)?;
    writeln!(out, "{cumulated}")
}

/// Writes everything of a line but the value, with the blank before it.
fn write_series(
    out: &mut Pieces<'_>,
    name: &str,
    suffix: &str,
    labels: &[Label<'_>],
    bound: Option<&str>,
) -> Result<(), Error> {
    out.write_str(name)?;
    out.write_str(suffix)?;
    let labels = labels.iter().map(|(name, value)| (*name, &**value));
    let all = labels.chain(bound.map(|bound| ("le", bound)));
    let mut separator = '{';
    for (label, value) in all {
        out.write_char(separator)?;
        out.write_str(label)?;
        out.write_str("=\"")?;
        // What has to be escaped is rare: the text between goes as it is.
        for part in value.split_inclusive(['\\', '"', '\n']) {
            let (plain, escaped) = match part.as_bytes().last() {
                Some(b'\\') => (part.strip_suffix('\\'), "\\\\"),
                Some(b'"') => (part.strip_suffix('"'), "\\\""),
                Some(b'\n') => (part.strip_suffix('\n'), "\\n"),
                _ => (None, ""),
            };
            out.write_str(plain.unwrap_or(part))?;
            out.write_str(escaped)?;
        }
        out.write_char('"')?;
        separator = ',';
    }
    out.write_str(if separator == '{' { " " } else { "} " })
}
