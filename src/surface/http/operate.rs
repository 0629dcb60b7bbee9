//! Metrics, health, and what changes something.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Extension, State as Shared};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::door::Done;
use super::error::{ApiError, Name, quoted};
use super::{ApproveError, Server, TestError};
use crate::model::DomainName;
use crate::snapshot::Snapshot;
use crate::surface::metrics::{self, Format, ProcessFacts, Wanted};

/// `GET /metrics`
pub(super) async fn metrics(Shared(server): Shared<Server>, headers: HeaderMap) -> Response {
    let snapshot = server.snapshot();
    let facts = ProcessFacts::read(snapshot.started);
    let wanted = Wanted::All(facts, server.external_url.clone());
    // With very many domains it takes a while, in which this thread would start no probe.
    let writing = tokio::task::spawn_blocking(move || written(&snapshot, wanted, &headers));
    writing.await.unwrap_or_else(|error| {
        tracing::error!(%error, "metrics could not be written");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// Metrics in the form that `headers` ask for.
pub(super) fn written(snapshot: &Arc<Snapshot>, wanted: Wanted, headers: &HeaderMap) -> Response {
    let accept: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let format = Format::accepted(&accept.join(","));
    match metrics::render(snapshot, wanted, format) {
        Ok(text) => {
            let pieces = text.into_pieces();
            let length = pieces.iter().map(String::len).sum::<usize>();
            let headers = [
                (CONTENT_TYPE, format.content_type().to_owned()),
                (CONTENT_LENGTH, length.to_string()),
                (VARY, "accept".to_owned()),
            ];
            let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
            (headers, body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `GET /-/healthy`: the process lives and answers.
pub(super) async fn healthy() -> &'static str {
    "mailflow is healthy.\n"
}

/// `GET /-/ready`: what is known can be asked for.
pub(super) async fn ready(Shared(server): Shared<Server>) -> (StatusCode, &'static str) {
    if server.stop.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "mailflow is stopping.\n")
    } else if server.ready.load(Ordering::Acquire) {
        (StatusCode::OK, "mailflow is ready.\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "mailflow is starting.\n")
    }
}

/// `POST /-/reload`: nothing to say when taken; the problems, with 500 as in Prometheus, when not.
pub(super) async fn reload(Shared(server): Shared<Server>) -> (StatusCode, Extension<Done>, String) {
    match server.reloader.reload().await {
        Ok(()) => {
            let done = Extension(Done::new("configuration reloaded"));
            (StatusCode::OK, done, String::new())
        }
        Err(problems) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Extension(Done::new("configuration not reloaded: it has mistakes")),
            format!("the configuration was not taken; the old one stays:\n{problems}\n"),
        ),
    }
}

/// `POST /api/v1/notifiers/{name}/test`
pub(super) async fn test_notifier(
    Shared(server): Shared<Server>,
    Name(name): Name,
) -> Result<(Extension<Done>, Json<Value>), ApiError> {
    match server.notifiers.test(&name).await {
        Ok(()) => {
            let done = Extension(Done::new(format!("test message sent by {name}")));
            Ok((done, Json(json!({ "sent": true }))))
        }
        Err(error @ TestError::Unknown) => Err(ApiError::not_found(error.to_string())),
        Err(error @ TestError::Failed(_)) => Err(ApiError::new(StatusCode::BAD_GATEWAY, error.to_string())),
    }
}

/// `POST /api/v1/domains/{domain}/approve`
pub(super) async fn approve(
    Shared(server): Shared<Server>,
    Name(name): Name,
) -> Result<(Extension<Done>, Json<Value>), ApiError> {
    let unwatched = || ApiError::not_found(format!("no domain \"{}\" is watched", quoted(&name)));
    let domain = DomainName::parse(&name).map_err(|_| unwatched())?;
    match server.approver.approve(domain.clone()).await {
        Ok(mx) => {
            let done = Extension(Done::new(format!("mail servers of {domain} approved")));
            Ok((done, Json(json!({ "domain": domain, "mx": mx }))))
        }
        Err(ApproveError::Unwatched) => Err(unwatched()),
        Err(error @ (ApproveError::Configured | ApproveError::Unanswered)) => {
            Err(ApiError::new(StatusCode::CONFLICT, error.to_string()))
        }
        Err(error @ ApproveError::Stopping) => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
        }
    }
}
