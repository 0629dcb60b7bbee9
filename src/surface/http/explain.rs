//! A message in, its explanation out: `POST /api/v1/explain`, and the page's box.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use super::error::{ApiError, quoted};
use super::{Server, pages};
use crate::message::{self, Explanation};
use crate::surface::page;

/// The largest message that is taken, in bytes.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;
/// How many messages are read at a time.
pub(super) const AT_ONCE: usize = 4;

/// Takes the message itself as the body, of whatever type; nothing of it is kept.
pub(super) async fn explain(
    Shared(server): Shared<Server>,
    request: Request,
) -> Result<Json<Explanation>, ApiError> {
    let body = to_bytes(request.into_body(), LARGEST).await.map_err(|_| {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the message did not arrive whole, or is larger than {} MiB",
                LARGEST >> 20
            ),
        )
    })?;
    Ok(Json(explained(&server, body.to_vec()).await?))
}

async fn explained(server: &Server, body: Vec<u8>) -> Result<Explanation, ApiError> {
    let busy = |_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "other messages are being read at the moment: try again",
        )
    };
    let permit = Arc::clone(&server.explaining).try_acquire_owned().map_err(busy)?;
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
    Ok(explained.await?)
}

/// What somebody pastes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pasted {
    message: String,
}

/// `GET /explain`: the box alone.
pub(super) async fn form(Shared(server): Shared<Server>) -> Response {
    let snapshot = server.snapshot();
    pages::html(page::explain(&server.view(&snapshot), "", None))
}

/// `POST /explain`: the box, and what the message says.
pub(super) async fn page(
    Shared(server): Shared<Server>,
    sent: Result<Form<Pasted>, FormRejection>,
) -> Response {
    let (message, found) = match sent {
        Ok(Form(Pasted { message })) => {
            let found = explained(&server, message.clone().into_bytes()).await;
            (message, found)
        }
        Err(error) => {
            let refused = ApiError::new(error.status(), quoted(&error.body_text()));
            (String::new(), Err(refused))
        }
    };
    let status = found.as_ref().err().map_or(StatusCode::OK, ApiError::status);
    let found = found.as_ref().map_err(ApiError::message);
    let snapshot = server.snapshot();
    let page = page::explain(&server.view(&snapshot), &message, Some(found));
    (status, pages::html(page)).into_response()
}
