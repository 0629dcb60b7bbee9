//! The pages for people.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

use jiff::Timestamp;
use serde::Deserialize;

use super::error::{ApiError, quoted};
use super::visit::Visit;
use super::{Server, digest, incidents};
use crate::model::{DomainName, State, Target};
use crate::snapshot::Snapshot;
use crate::surface::page::{self, IndexQuery, Period, View};

/// `GET /`
pub(super) async fn index(
    Shared(server): Shared<Server>,
    headers: HeaderMap,
    query: Result<Query<IndexQuery>, QueryRejection>,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let visit = Visit::of(&headers, (server.now)());
    let snapshot = server.snapshot();
    let page = page::index(&server.view(&snapshot), &query, visit.since());
    visit.keep(html(page))
}

/// How far somebody looks back.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Back {
    since: Option<String>,
}

/// `GET /digest`: what happened since they last looked, or in a period that a link names.
pub(super) async fn digest(
    Shared(server): Shared<Server>,
    headers: HeaderMap,
    query: Result<Query<Back>, QueryRejection>,
) -> Response {
    let back = query.map(|Query(back)| back).unwrap_or_default();
    let now = (server.now)();
    let visit = Visit::of(&headers, now);
    let period = Period::of(back.since.as_deref(), visit.since(), now);
    match digest::incidents(&server, period.since).await {
        Ok(incidents) => {
            let snapshot = server.snapshot();
            let page = page::digest(&server.view(&snapshot), &incidents, period, visit.before());
            visit.keep(html(page))
        }
        Err(error) => error.into_response(),
    }
}

/// `GET /domains/{domain}`
pub(super) async fn domain(Shared(server): Shared<Server>, Path(name): Path<String>) -> Response {
    let snapshot = server.snapshot();
    let verdict = DomainName::parse(&name)
        .ok()
        .and_then(|name| snapshot.domains.get(&name));
    match verdict {
        Some(verdict) => {
            let turns = turns(&server, &verdict.target).await;
            html(page::domain(&server.view(&snapshot), verdict, &turns))
        }
        None => not_found(&server, &format!("No domain “{}” is watched.", quoted(&name))),
    }
}

/// `GET /incidents/{id}`
pub(super) async fn incident(Shared(server): Shared<Server>, Path(id): Path<String>) -> Response {
    match incidents::find(&server, &id).await {
        Ok(incident) => {
            let snapshot = server.snapshot();
            html(page::incident(&server.view(&snapshot), &incident))
        }
        Err(error) if error.is_missing() => {
            not_found(&server, &format!("There is no incident “{}”.", quoted(&id)))
        }
        Err(error) => error.into_response(),
    }
}

/// Whatever is not served: as JSON below `/api/`, as a page elsewhere.
pub(super) async fn missing(Shared(server): Shared<Server>, uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        ApiError::not_found("there is no such path; /api/openapi.json lists all").into_response()
    } else {
        not_found(&server, "There is no such page.")
    }
}

/// How a target has been; nothing where the store cannot say, which is no reason to show nothing else.
async fn turns(server: &Server, target: &Target) -> Vec<(Timestamp, State)> {
    let (history, target) = (Arc::clone(&server.history), target.clone());
    match tokio::task::spawn_blocking(move || history.turns(&target)).await {
        Ok(Ok(turns)) => turns,
        Ok(Err(error)) => {
            tracing::warn!("a page is without its history: {error}");
            Vec::new()
        }
        Err(error) => {
            tracing::error!(%error, "a task of the HTTP server failed");
            Vec::new()
        }
    }
}

pub(super) fn not_found(server: &Server, what: &str) -> Response {
    let snapshot = server.snapshot();
    let page = page::missing(&server.view(&snapshot), what);
    (StatusCode::NOT_FOUND, html(page)).into_response()
}

impl Server {
    /// What pages are written from.
    pub(super) fn view<'a>(&'a self, snapshot: &'a Snapshot) -> View<'a> {
        View {
            snapshot,
            notice: self.notice.as_deref(),
            now: (self.now)(),
        }
    }
}

pub(super) fn html(page: askama::Result<String>) -> Response {
    match page {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
