//! Whoever the demo's alerts are sent to: a webhook's other end, which tells them on.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{Narrator, Told};
use crate::model::text::clean;

/// The most characters of an alert that are told.
const WORDS: usize = 600;

/// Takes alerts on a port of loopback, for as long as the process lives.
///
/// # Errors
/// When the machine gives no port.
pub(super) async fn open(narrator: Narrator) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    let router = Router::new().route("/", post(take)).with_state(narrator);
    tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(at)
}

async fn take(State(narrator): State<Narrator>, Json(alert): Json<Value>) -> StatusCode {
    let word = |name: &str| clean(alert[name].as_str().unwrap_or_default().as_bytes(), WORDS);
    narrator(&Told::Alert {
        event: word("event"),
        text: word("text"),
    });
    StatusCode::NO_CONTENT
}
