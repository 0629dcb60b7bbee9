//! Errors as the API gives them: a status and `{"error": "..."}`.

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Json, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::HistoryError;
use crate::model::text;

/// An answer that says what went wrong.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    /// The request cannot be understood.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is no such thing: `no domain "x" is watched`.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Whether it says that there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// What went wrong, for a page.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The answer's status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Any other status.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        // The reason may name paths of our machine: that is for the log, not for whoever asks.
        tracing::error!(%error, "incidents could not be read");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "older incidents cannot be read at the moment; the log says why",
        )
    }
}

impl From<tokio::task::JoinError> for ApiError {
    fn from(error: tokio::task::JoinError) -> Self {
        tracing::error!(%error, "a task of the HTTP server failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something failed on our side; the log says what",
        )
    }
}

/// What somebody typed, safe and short enough to say back.
pub(super) fn quoted(input: &str) -> String {
    text::clean(input.as_bytes(), 100)
}

/// Query parameters, with errors as the API gives them.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Query::<T>::from_request_parts(parts, state)
            .await
            .map(|Query(params)| Self(params))
            .map_err(|error: QueryRejection| ApiError::bad_request(quoted(&error.body_text())))
    }
}

/// A JSON body, with errors as the API gives them; an empty one is an empty object.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| ApiError::new(error.status(), quoted(&error.body_text())))?;
        let body: &[u8] = if body.trim_ascii().is_empty() {
            b"{}"
        } else {
            &body
        };
        serde_json::from_slice(body).map(Self).map_err(|error| {
            ApiError::bad_request(quoted(&format!("this is not the JSON wanted here: {error}")))
        })
    }
}

/// The one parameter in the path, with errors as the API gives them.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<String>::from_request_parts(parts, state)
            .await
            .map(|Path(name)| Self(name))
            .map_err(|error: PathRejection| ApiError::bad_request(quoted(&error.body_text())))
    }
}

/// The two parameters in the path, likewise.
pub(super) struct Names(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Names {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map(|Path((first, second))| Self(first, second))
            .map_err(|error: PathRejection| ApiError::bad_request(quoted(&error.body_text())))
    }
}

/// What a known path answers to a method that it does not have.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not take this method",
    )
}
