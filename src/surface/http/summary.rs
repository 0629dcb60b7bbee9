//! The whole in one sentence, for programs.

use axum::extract::State as Shared;
use axum::response::Json;
use serde_json::{Map, Value, json};

use super::Server;
use crate::model::State;
use crate::surface::headline::{Headline, Tally};

/// `GET /api/v1/summary`: what stands on top of the page, and how many domains are in which state.
pub(super) async fn summary(Shared(server): Shared<Server>) -> Json<Value> {
    let snapshot = server.snapshot();
    let headline = Headline::of(&snapshot);
    let tally = Tally::of(&snapshot);
    let mut domains: Map<String, Value> = State::ALL
        .into_iter()
        .map(|state| (state.as_str().to_owned(), json!(tally.in_state(state))))
        .collect();
    domains.insert("total".to_owned(), json!(tally.total));
    domains.insert("pending".to_owned(), json!(tally.pending));
    Json(json!({
        "at": (server.now)(),
        "version": env!("CARGO_PKG_VERSION"),
        "state": headline.tone,
        "text": headline.text,
        "remedy": headline.remedy,
        "notes": headline.notes,
        "domains": domains,
    }))
}
