//! Incidents: the open ones from the snapshot, older ones from the store.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, Name, Params, quoted};
use super::paging::document;
use super::views::IncidentView;
use super::{Server, Surface};
use crate::model::{Incident, IncidentId};

/// How many incidents a page has without `limit`, and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// What the list takes.
#[derive(Debug, Deserialize)]
pub(super) struct IncidentQuery {
    limit: Option<usize>,
    after: Option<String>,
    state: Option<Which>,
}

/// Which incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Open,
    #[serde(alias = "resolved")]
    Closed,
}

/// `GET /api/v1/incidents`: the open ones, worst and newest first; then those that are over, newest first.
pub(super) async fn list(
    Shared(server): Shared<Server>,
    Params(query): Params<IncidentQuery>,
) -> Result<Json<Value>, ApiError> {
    let limit = match query.limit {
        Some(0) => return Err(ApiError::bad_request("limit must be at least 1")),
        limit => limit.unwrap_or(USUAL).min(MOST),
    };
    let after = query.after.as_deref().map(parse_id).transpose()?;
    let snapshot = server.snapshot();
    let open = &snapshot.open_incidents;
    let last_open = open.iter().position(|incident| Some(incident.id) == after);
    let mut found: Vec<Arc<Incident>> = Vec::new();
    // Once a page has ended among the closed, no open one follows.
    if query.state != Some(Which::Closed) && (after.is_none() || last_open.is_some()) {
        let start = last_open.map_or(0, |place| place + 1);
        found.extend(open.iter().skip(start).take(limit + 1).cloned());
    }
    if query.state != Some(Which::Open) && found.len() <= limit {
        let before = if last_open.is_some() { None } else { after };
        let wanted = limit + 1 - found.len();
        found.extend(closed(&server, before, wanted).await?.into_iter().map(Arc::new));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|incident| incident.id.to_string());
    let views: Vec<_> = found
        .iter()
        .map(|incident| IncidentView::brief(incident, base(&server)))
        .collect();
    Ok(Json(document("incidents", &views, next)))
}

/// `GET /api/v1/incidents/{id}`
pub(super) async fn one(Shared(server): Shared<Server>, Name(id): Name) -> Result<Json<Value>, ApiError> {
    let incident = find(&server, &id).await?;
    Ok(Json(json!(IncidentView::full(&incident, base(&server)))))
}

/// Looks an incident up by what somebody typed for its number.
pub(super) async fn find(surface: &Surface, id: &str) -> Result<Arc<Incident>, ApiError> {
    let id = parse_id(id)?;
    let snapshot = surface.snapshot();
    let known = snapshot.open_incidents.iter().chain(&snapshot.closed_incidents);
    if let Some(incident) = known.into_iter().find(|incident| incident.id == id) {
        return Ok(Arc::clone(incident));
    }
    let history = Arc::clone(&surface.history);
    let stored = tokio::task::spawn_blocking(move || history.incident(id)).await??;
    stored
        .map(Arc::new)
        .ok_or_else(|| ApiError::not_found(format!("there is no incident #{id}")))
}

async fn closed(
    surface: &Surface,
    before: Option<IncidentId>,
    limit: usize,
) -> Result<Vec<Incident>, ApiError> {
    let history = Arc::clone(&surface.history);
    Ok(tokio::task::spawn_blocking(move || history.closed(before, limit)).await??)
}

fn parse_id(text: &str) -> Result<IncidentId, ApiError> {
    text.trim_start_matches('#')
        .parse()
        .map(IncidentId)
        .map_err(|_| ApiError::not_found(format!("\"{}\" is no incident's number", quoted(text))))
}

/// What links start with.
pub(super) fn base(surface: &Surface) -> &str {
    surface.external_url.as_deref().unwrap_or_default()
}
