//! Metric families as plain data, before any form of writing them.

use std::borrow::Cow;

use crate::snapshot::Histogram;

/// What kind of numbers a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Histogram,
}

/// A metric with all its series.
pub(super) struct Family<'a> {
    /// The name without `_total`, which both forms add to counters.
    pub(super) name: &'static str,
    /// One line, without quotes or backslashes.
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    /// Made one by one as they are written: of a hundred thousand domains there are a million.
    pub(super) samples: Box<dyn Iterator<Item = Sample<'a>> + 'a>,
}

impl<'a> Family<'a> {
    /// Gauges.
    pub(super) fn gauges(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = Sample<'a>, IntoIter: 'a>,
    ) -> Self {
        Self::new(name, help, Kind::Gauge, samples)
    }

    /// Counters; `name` is without `_total`.
    pub(super) fn counters(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = Sample<'a>, IntoIter: 'a>,
    ) -> Self {
        Self::new(name, help, Kind::Counter, samples)
    }

    /// Histograms.
    pub(super) fn histograms(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = Sample<'a>, IntoIter: 'a>,
    ) -> Self {
        Self::new(name, help, Kind::Histogram, samples)
    }

    /// The unit that the name ends with, which OpenMetrics says apart.
    pub(super) fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes"].into_iter().find(|unit| {
            self.name
                .strip_suffix(unit)
                .is_some_and(|rest| rest.ends_with('_'))
        })
    }

    fn new(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        samples: impl IntoIterator<Item = Sample<'a>, IntoIter: 'a>,
    ) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Box::new(samples.into_iter()),
        }
    }
}

/// A label's name and value.
pub(super) type Label<'a> = (&'static str, Cow<'a, str>);

/// The most labels of a series.
const MOST_LABELS: usize = 4;

/// A series' labels, in place: no scrape leaves a heap of little lists behind.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    all: [Label<'a>; MOST_LABELS],
    count: usize,
}

impl<'a> Labels<'a> {
    /// These labels.
    pub(super) fn new<const N: usize>(labels: [Label<'a>; N]) -> Self {
        const { assert!(N <= MOST_LABELS, "a series with so many labels") };
        let mut all = [const { ("", Cow::Borrowed("")) }; MOST_LABELS];
        for (place, label) in all.iter_mut().zip(labels) {
            *place = label;
        }
        Self { all, count: N }
    }
}

impl<'a> std::ops::Deref for Labels<'a> {
    type Target = [Label<'a>];

    fn deref(&self) -> &[Label<'a>] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

/// One series' present value.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) value: Value<'a>,
}

impl<'a> Sample<'a> {
    /// A series with these labels.
    pub(super) fn new<const N: usize>(labels: [(&'static str, &'a str); N], value: Value<'a>) -> Self {
        Self {
            labels: Labels::new(labels.map(|(name, value)| (name, Cow::Borrowed(value)))),
            value,
        }
    }
}

/// A number, or a histogram's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Whole(u64),
    Real(f64),
    Histogram(&'a Histogram),
}
