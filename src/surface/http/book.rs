//! The book: who changed what, from where and when.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Server;
use super::error::{ApiError, Params, quoted};
use super::paging::document;

/// How many entries come without `limit`, and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// What the list takes.
#[derive(Debug, Deserialize)]
pub(super) struct BookQuery {
    limit: Option<usize>,
    after: Option<String>,
}

/// `GET /api/v1/audit`: the latest first.
pub(super) async fn list(
    Shared(server): Shared<Server>,
    Params(query): Params<BookQuery>,
) -> Result<Json<Value>, ApiError> {
    let limit = match query.limit {
        Some(0) => return Err(ApiError::bad_request("limit must be at least 1")),
        limit => limit.unwrap_or(USUAL).min(MOST),
    };
    let before = query.after.map(|text| {
        text.parse::<u64>()
            .map_err(|_| ApiError::bad_request(format!("after is a number, not \"{}\"", quoted(&text))))
    });
    let (before, clerk) = (before.transpose()?, Arc::clone(&server.clerk));
    let mut entries = tokio::task::spawn_blocking(move || clerk.deeds(before, limit + 1)).await??;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|last| last.id.to_string());
    let views: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut view = json!(entry.deed);
            view["id"] = entry.id.to_string().into();
            view
        })
        .collect();
    Ok(Json(document("audit", &views, next)))
}
