//! Live events: what changed from one snapshot to the next, as server-sent events.
//!
//! A reader that is slow skips snapshots, never changes of state: each comparison is with the last snapshot that
//! this reader was told of, so nothing piles up for it.

mod changes;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::error::ApiError;
use super::{Server, incidents};
use crate::snapshot::Snapshot;
use changes::{Change, changes};

/// How often a sign of life is sent.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// `GET /api/v1/events`
pub(super) async fn stream(
    Shared(server): Shared<Server>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let permit = Arc::clone(&server.streams).try_acquire_owned().map_err(|_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many event streams are open; try again later",
        )
    })?;
    let base = incidents::base(&server).to_owned();
    let mut snapshots = server.snapshots.clone();
    let told = Arc::clone(&snapshots.borrow_and_update());
    let reader = Reader {
        snapshots,
        told,
        waiting: VecDeque::new(),
        _permit: permit,
    };
    let alive = || Event::default().event("alive").data("{}");
    let events = stream::unfold(reader, Reader::next)
        .map(move |change| Ok(change.event(&base)))
        .take_until(server.stop.clone().cancelled_owned());
    // The first sign of life comes at once, so that a reader knows that the stream stands.
    let events = stream::once(async move { Ok(alive()) }).chain(events);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY).event(alive())))
}

/// One open stream.
struct Reader {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    told: Arc<Snapshot>,
    waiting: VecDeque<Change>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    async fn next(mut self) -> Option<(Change, Self)> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                return Some((change, self));
            }
            self.snapshots.changed().await.ok()?;
            let newest = Arc::clone(&self.snapshots.borrow_and_update());
            self.waiting = changes(&self.told, &newest);
            self.told = newest;
        }
    }
}

impl Change {
    fn event(&self, base: &str) -> Event {
        let event = Event::default().event(self.name());
        let data = self.data(base).to_string();
        event.data(data)
    }
}
