//! `GET /probe?target=DOMAIN`: one domain's diagnosis as metrics, for Prometheus' multi-target pattern.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::error::{ApiError, Params, quoted};
use super::{ANSWER_WITHIN, ProbeError, Server, scrape};
use crate::model::DomainName;
use crate::snapshot::Snapshot;
use crate::surface::metrics::Wanted;

/// How long Prometheus says that it waits.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";
/// What writing the answer and its way back may take of that.
const WAY_BACK: Duration = Duration::from_millis(500);
/// The shortest time in which a look makes sense.
const SHORTEST: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize)]
pub(super) struct Question {
    target: String,
}

/// `GET /probe`
pub(super) async fn probe(
    Shared(server): Shared<Server>,
    Params(question): Params<Question>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let domain = DomainName::parse(&question.target).map_err(|error| {
        let target = quoted(&question.target);
        ApiError::bad_request(format!("target=\"{target}\" is no domain: {error}"))
    })?;
    let asked = (server.now)();
    let snapshot = known_or_looked_at(&server, &domain, time_left(&headers)).await?;
    let took = (server.now)().duration_since(asked);
    let took = Duration::try_from(took).unwrap_or_default();
    scrape::of_domain(&snapshot, Wanted::Domain(domain, took), &headers)
}

/// What is watched is known already; anything else is looked at now, where that is allowed.
async fn known_or_looked_at(
    server: &Server,
    domain: &DomainName,
    within: Duration,
) -> Result<Arc<Snapshot>, ApiError> {
    let snapshot = server.snapshot();
    if snapshot.domains.contains_key(domain) {
        return Ok(snapshot);
    }
    let looked = server.prober.probe(domain.clone(), within).await;
    looked.map_err(|error| match error {
        ProbeError::Unwatched => ApiError::not_found(format!("no domain \"{domain}\" is watched: {error}")),
        ProbeError::Busy => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    })
}

/// How long a look may take: as long as whoever asks waits, less the way back.
fn time_left(headers: &HeaderMap) -> Duration {
    let most = ANSWER_WITHIN.saturating_sub(WAY_BACK);
    headers
        .get(SCRAPE_TIMEOUT)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map_or(most, |wait| wait.saturating_sub(WAY_BACK).clamp(SHORTEST, most))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ten_seconds("10", 9_500)]
    #[case::with_a_fraction("4.25", 3_750)]
    #[case::longer_than_we_answer("120", 29_500)]
    #[case::no_time_at_all("0.1", 500)]
    #[case::nothing("", 29_500)]
    #[case::no_number("soon", 29_500)]
    #[case::not_a_number("NaN", 29_500)]
    #[case::negative("-5", 29_500)]
    #[case::for_ever("inf", 29_500)]
    fn a_look_ends_before_prometheus_gives_up(#[case] header: &str, #[case] milliseconds: u64) {
        let mut headers = HeaderMap::new();
        headers.insert(SCRAPE_TIMEOUT, header.parse().unwrap());
        assert_eq!(time_left(&headers), Duration::from_millis(milliseconds));
    }
}
