//! `POST /api/v1/explain`: a message in, its explanation out.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Json;

use super::Server;
use super::error::ApiError;
use crate::message::{self, Explanation};

/// The largest message that is taken, in bytes.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;
/// How many messages are read at a time.
pub(super) const AT_ONCE: usize = 4;

/// Takes the message itself as the body, of whatever type; nothing of it is kept.
pub(super) async fn explain(
    Shared(server): Shared<Server>,
    request: Request,
) -> Result<Json<Explanation>, ApiError> {
    let busy = |_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "other messages are being read at the moment: try again",
        )
    };
    let permit = Arc::clone(&server.explaining).try_acquire_owned().map_err(busy)?;
    let body = to_bytes(request.into_body(), LARGEST).await.map_err(|_| {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the message did not arrive whole, or is larger than {} MiB",
                LARGEST >> 20
            ),
        )
    })?;
    if body.trim_ascii().is_empty() {
        return Err(ApiError::bad_request(
            "send the message itself as the body, with its headers",
        ));
    }
    let explained = tokio::task::spawn_blocking(move || {
        let explanation = message::explain(&body);
        drop(permit);
        explanation
    });
    Ok(Json(explained.await?))
}
