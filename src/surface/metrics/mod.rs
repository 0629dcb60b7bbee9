//! Metrics for Prometheus: a projection of one snapshot, made anew for each scrape, so that a target that goes
//! away takes its series with it.
//!
//! The families are listed once ([`families`]) and written in two forms: OpenMetrics by `prometheus-client`,
//! for whoever asks for it, and the classic text for everybody else.

mod classic;
mod domains;
mod families;
mod family;
mod negotiate;
mod openmetrics;
mod outbound;
mod pieces;
mod process;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::DomainName;
use crate::snapshot::Snapshot;

use family::Family;
pub use negotiate::Format;
use pieces::Pieces;
pub use process::ProcessFacts;

/// Which metrics are wanted.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// All of them, with facts of our own process, and where people find the page.
    All(ProcessFacts, Option<Arc<str>>),
    /// Those of one domain, for Prometheus' multi-target pattern, and how long it took to find them.
    Domain(DomainName, Duration),
}

impl Wanted {
    fn families<'a>(&'a self, snapshot: &'a Snapshot) -> Vec<Family<'a>> {
        match self {
            Self::All(process, page) => families::families(snapshot, process, page.as_deref()),
            Self::Domain(name, took) => domains::probed(snapshot, name, *took),
        }
    }
}

/// Writes the metrics of `snapshot` that are wanted, in `format`, and hands them on to `out` piece by piece.
///
/// # Errors
/// That of `out`, which ends the writing.
pub fn write(
    snapshot: &Arc<Snapshot>,
    wanted: Wanted,
    format: Format,
    out: &mut dyn FnMut(String) -> fmt::Result,
) -> fmt::Result {
    let mut pieces = Pieces::new(out);
    match format {
        Format::OpenMetrics => openmetrics::write(Arc::clone(snapshot), wanted, &mut pieces),
        Format::Classic => classic::write(wanted.families(snapshot), &mut pieces),
    }?;
    pieces.end()
}

/// The same as a whole.
///
/// # Errors
/// Only if formatting itself fails, which text in memory does not.
pub fn render(snapshot: &Arc<Snapshot>, wanted: Wanted, format: Format) -> Result<String, fmt::Error> {
    let mut whole = String::new();
    write(snapshot, wanted, format, &mut |piece| {
        whole.push_str(&piece);
        Ok(())
    })?;
    Ok(whole)
}
