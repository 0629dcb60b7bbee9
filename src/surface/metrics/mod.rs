//! Metrics for Prometheus: a projection of one snapshot, made anew for each scrape, so that a target that goes
//! away takes its series with it.
//!
//! The families are listed once ([`families`]) and written in two forms: OpenMetrics by `prometheus-client`,
//! for whoever asks for it, and the classic text for everybody else.

mod classic;
mod families;
mod family;
mod negotiate;
mod openmetrics;
mod outbound;
mod process;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::snapshot::Snapshot;

pub use negotiate::Format;
pub use process::ProcessFacts;

/// Writes the metrics of `snapshot` in `format`.
///
/// # Errors
/// Only if formatting itself fails, which text in memory does not.
pub fn render(
    snapshot: &Arc<Snapshot>,
    process: ProcessFacts,
    format: Format,
) -> Result<String, std::fmt::Error> {
    match format {
        Format::OpenMetrics => openmetrics::write(Arc::clone(snapshot), process),
        Format::Classic => classic::write(&families::families(snapshot, &process)),
    }
}
