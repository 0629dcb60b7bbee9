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
use crate::message::{self, Explanation, Forwarded, Sort};
use crate::surface::ours::Explained;
use crate::surface::page;

/// The largest message that is taken, in bytes.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;
/// How many messages are read at a time.
pub(super) const AT_ONCE: usize = 4;

/// Takes the message itself as the body, of whatever type; nothing of it is kept.
pub(super) async fn explain(
    Shared(server): Shared<Server>,
    request: Request,
) -> Result<Json<Explained>, ApiError> {
    let body = to_bytes(request.into_body(), LARGEST).await.map_err(|_| {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the message did not arrive whole, or is larger than {} MiB",
                LARGEST >> 20
            ),
        )
    })?;
    Ok(Json(explained(&server, body.to_vec(), message::explain).await?))
}

async fn explained(
    server: &Server,
    body: Vec<u8>,
    explain: fn(&[u8]) -> Explanation,
) -> Result<Explained, ApiError> {
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
        let explanation = explain(&body);
        drop(permit);
        explanation
    });
    Ok(Explained::new(&server.snapshot(), explained.await?))
}

/// What somebody pastes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pasted {
    message: String,
}

/// What people paste is often only the text that they see. Where it has no headers and speaks of a bounce, it is read as
/// the text of one.
fn of_pasted(text: &[u8]) -> Explanation {
    const HEADERS: &[u8] = b"Return-Path: <>\nFrom: MAILER-DAEMON\nSubject: Undelivered mail\n\n";
    let found = message::explain(text);
    if found.sort != Some(Sort::AboutABounce) || has_headers(text) {
        return found;
    }
    let mut as_bounce = message::explain(&[HEADERS, text].concat());
    if as_bounce.recipients.is_empty() {
        return found;
    }
    // The headers are ours, and so is what was read from them.
    as_bounce.forwarded = Some(Forwarded::Inline);
    as_bounce.subject = None;
    as_bounce
}

/// Whether the first line is a header field (RFC 5322 2.2).
fn has_headers(text: &[u8]) -> bool {
    let first = text.trim_ascii_start().split(|byte| *byte == b'\n').next();
    let name = first.and_then(|line| {
        line.split(|byte| *byte == b':')
            .next()
            .filter(|name| name.len() < line.len())
    });
    name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
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
            let found = explained(&server, message.clone().into_bytes(), of_pasted).await;
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
