//! Health, and what changes something.

use std::sync::atomic::Ordering;

use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use axum::response::Json;
use serde_json::{Value, json};

use super::door::Done;
use super::error::{ApiError, Name, quoted};
use super::{ApproveError, Server, TestError};
use crate::model::DomainName;

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
