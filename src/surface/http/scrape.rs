//! Metrics for whoever scrapes them. Those of very many domains are written only as fast as they are taken.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::Server;
use super::error::ApiError;
use crate::snapshot::Snapshot;
use crate::surface::metrics::{self, Format, ProcessFacts, Wanted};

/// How many scrapes are written at a time.
pub(super) const AT_ONCE: usize = 8;
/// How many pieces are written ahead of those that were taken.
const AHEAD: usize = 4;
/// How long a piece may wait to be taken, before whoever asked has gone for all we know.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// A piece; the end is one that is none.
type Piece = Option<String>;

/// `GET /metrics`
pub(super) async fn metrics(Shared(server): Shared<Server>, headers: HeaderMap) -> Response {
    let Ok(place) = Arc::clone(&server.scrapes).acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let snapshot = server.snapshot();
    let facts = ProcessFacts::read(snapshot.started);
    let wanted = Wanted::All(facts, server.external_url.clone());
    let format = accepted(&headers);
    let (pieces, taken) = mpsc::channel(AHEAD);
    let runtime = Handle::current();
    // With very many domains it takes a while, in which this thread would start no probe.
    tokio::task::spawn_blocking(move || {
        let mut hand_on = |piece| runtime.block_on(hand_on(&pieces, piece));
        written(&snapshot, wanted, format, &mut hand_on, place);
    });
    (head(format), Body::from_stream(body(taken))).into_response()
}

/// Waits until there is room for a piece; an error once whoever takes them has gone.
async fn hand_on(pieces: &mpsc::Sender<Piece>, piece: Piece) -> fmt::Result {
    match timeout(TAKEN_WITHIN, pieces.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(fmt::Error),
    }
}

/// Writes all pieces and the end; nothing after whoever takes them has gone.
fn written(
    snapshot: &Arc<Snapshot>,
    wanted: Wanted,
    format: Format,
    hand_on: &mut dyn FnMut(Piece) -> fmt::Result,
    _place: OwnedSemaphorePermit,
) {
    let all = metrics::write(snapshot, wanted, format, &mut |piece| hand_on(Some(piece)));
    if all.and_then(|()| hand_on(None)).is_err() {
        tracing::debug!("whoever asked for metrics did not take them");
    }
}

/// What comes without its end was not taken in time: that has to be seen, or half of the metrics would be taken for all.
fn body(taken: mpsc::Receiver<Piece>) -> impl Stream<Item = io::Result<String>> {
    let pieces = stream::unfold(Some(taken), |taken| async {
        let mut taken = taken?;
        match taken.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(taken))),
            Some(None) => None,
            None => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    });
    // What compresses asks once more after the end.
    pieces.fuse()
}

/// The metrics of one domain, which are few.
pub(super) fn of_domain(
    snapshot: &Arc<Snapshot>,
    wanted: Wanted,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let format = accepted(headers);
    let text = metrics::render(snapshot, wanted, format).map_err(|_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics could not be written",
        )
    })?;
    Ok((head(format), text).into_response())
}

fn head(format: Format) -> [(axum::http::HeaderName, &'static str); 2] {
    [(CONTENT_TYPE, format.content_type()), (VARY, "accept")]
}

/// The form that `headers` ask for.
fn accepted(headers: &HeaderMap) -> Format {
    let accept: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    Format::accepted(&accept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn metrics_without_their_end_are_an_error() {
        let (pieces, taken) = mpsc::channel(AHEAD);
        pieces.send(Some("half".to_owned())).await.unwrap();
        drop(pieces);
        let mut body = Box::pin(body(taken));
        assert_eq!(body.next().await.unwrap().unwrap(), "half");
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_that_nobody_takes_ends_the_writing() {
        let (pieces, _taken) = mpsc::channel(1);
        hand_on(&pieces, Some("first".to_owned())).await.unwrap();
        let second = hand_on(&pieces, Some("second".to_owned()));
        tokio::pin!(second);
        let moment = Duration::from_millis(10);
        timeout(TAKEN_WITHIN.saturating_sub(moment), &mut second)
            .await
            .unwrap_err();
        timeout(2 * moment, second).await.unwrap().unwrap_err();
    }

    #[tokio::test]
    async fn metrics_with_their_end_are_none() {
        let (pieces, taken) = mpsc::channel(AHEAD);
        pieces.send(Some("all".to_owned())).await.unwrap();
        pieces.send(None).await.unwrap();
        let mut body = Box::pin(body(taken));
        assert_eq!(body.next().await.unwrap().unwrap(), "all");
        assert!(body.next().await.is_none());
    }
}
