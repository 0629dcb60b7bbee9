//! What is known of an incident, to be handed to whoever has to mend it.

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::json;

use super::Server;
use super::error::{ApiError, Name, Params};
use super::incidents::{base, find};
use super::pages::html;
use super::views::IncidentView;
use crate::surface::page;

/// What the report takes.
#[derive(Debug, Deserialize)]
pub(super) struct ReportQuery {
    #[serde(default)]
    format: Format,
}

/// How it is written.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Html,
    Json,
}

/// `GET /api/v1/incidents/{id}/report`
pub(super) async fn report(
    Shared(server): Shared<Server>,
    Name(id): Name,
    Params(query): Params<ReportQuery>,
) -> Result<Response, ApiError> {
    let incident = find(&server, &id).await?;
    Ok(match query.format {
        Format::Json => {
            let written = (server.now)();
            let incident = IncidentView::full(&incident, base(&server));
            Json(json!({ "written": written, "incident": incident })).into_response()
        }
        Format::Html => {
            let snapshot = server.snapshot();
            html(page::report(&server.view(&snapshot), &incident))
        }
    })
}
