//! Signed links: a client's own page, and the page by which whoever got a message takes an incident on. A link opens the
//! one thing that it names, until its time is over; a GET shows a page, and only a POST changes anything.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::buttons::{Pressed, name, taken_on};
use super::door::{Access, Done, Who};
use super::error::{ApiError, Name, Sent, quoted};
use super::hands::{after, moment};
use super::incidents::{base, find};
use super::pages::html;
use super::{OperateError, Server};
use crate::model::{Broken, Incident, links};
use crate::snapshot::ClientView;
use crate::surface::page;

/// How far back a client sees what happened.
const PAST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The most incidents that are looked through for that.
const LOOKED_THROUGH: usize = 2000;
/// How long a link holds that nothing is said about.
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The signature.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Signed {
    #[serde(default)]
    link: String,
}

type Signature = Result<Query<Signed>, QueryRejection>;

/// `GET /clients/{id}`
pub(super) async fn client(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    signed: Signature,
) -> Response {
    let seen = who.may >= Access::Read;
    if !seen && let Err(broken) = verify(&server, &links::client_parts(&id), signed) {
        return shut(StatusCode::FORBIDDEN, broken);
    }
    let snapshot = server.snapshot();
    let Some(client) = snapshot.clients.iter().find(|client| client.id.as_str() == id) else {
        let why = "There is nothing here that is still watched.";
        return (StatusCode::NOT_FOUND, html(page::closed(why))).into_response();
    };
    let over = over(&server).await;
    html(page::client(&server.view(&snapshot), client, &over))
}

/// What is over, as far back as a client sees; nothing where the store cannot say.
async fn over(server: &Server) -> Vec<Incident> {
    let since = (server.now)().checked_sub(PAST).unwrap_or_default();
    let history = Arc::clone(&server.history);
    let found = tokio::task::spawn_blocking(move || history.over_since(since, LOOKED_THROUGH)).await;
    match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!("a page is without what happened: {error}");
            Vec::new()
        }
        Err(error) => {
            tracing::error!(%error, "a task of the HTTP server failed");
            Vec::new()
        }
    }
}

/// `GET /take/{id}/{notifier}`: shows what there is to take on, and does nothing.
pub(super) async fn show(
    Shared(server): Shared<Server>,
    Path((id, notifier)): Path<(String, String)>,
    signed: Signature,
) -> Response {
    match meant(&server, &id, &notifier, signed).await {
        Ok(incident) => {
            let snapshot = server.snapshot();
            html(page::take(&server.view(&snapshot), &incident))
        }
        Err(answer) => answer,
    }
}

/// `POST /take/{id}/{notifier}`: takes it on, and leads back to the page that says so.
pub(super) async fn take(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Path((id, notifier)): Path<(String, String)>,
    signed: Signature,
    pressed: Pressed,
) -> Response {
    let link = signed.as_ref().map(|Query(signed)| signed.link.clone());
    let link = link.unwrap_or_default();
    let incident = match meant(&server, &id, &notifier, signed).await {
        Ok(incident) => incident,
        Err(answer) => return answer,
    };
    let back = Redirect::to(&links::take_path(incident.id, &notifier, &link));
    if !incident.is_open() {
        return back.into_response();
    }
    let by = name(&who, pressed);
    match server.operator.acknowledge(incident.id, by.clone()).await {
        Ok(_) | Err(OperateError::Over) => {
            server.shows_taken(incident.id).await;
            let done = Done {
                what: taken_on(incident.id, &by),
                who: Some(format!("the link in a message by {notifier}")),
            };
            (Extension(done), back).into_response()
        }
        Err(error) => {
            let why = format!("Nothing was done: {error}. Try again.");
            (StatusCode::SERVICE_UNAVAILABLE, html(page::closed(&why))).into_response()
        }
    }
}

/// The incident that a link names, or the page that says why it opens nothing.
async fn meant(
    server: &Server,
    id: &str,
    notifier: &str,
    signed: Signature,
) -> Result<Arc<Incident>, Response> {
    verify(server, &links::take_parts(id, notifier), signed)
        .map_err(|broken| shut(StatusCode::FORBIDDEN, broken))?;
    find(server, id).await.map_err(|error| {
        if error.is_missing() {
            let why = "This incident is so old that nothing is kept of it.";
            (StatusCode::NOT_FOUND, html(page::closed(why))).into_response()
        } else {
            error.into_response()
        }
    })
}

fn verify(server: &Server, parts: &[&str], signed: Signature) -> Result<Timestamp, Broken> {
    let link = signed.map(|Query(signed)| signed.link).unwrap_or_default();
    server.seal.verify(parts, &link, (server.now)())
}

/// Says why a link opens nothing; not whether what it names exists.
fn shut(status: StatusCode, broken: Broken) -> Response {
    let why = match broken {
        Broken::Forged => {
            "It is not complete, or it was taken back. Ask whoever gave it to you for a new one."
        }
        Broken::Over(_) => "Its time is over. Ask whoever gave it to you for a new one.",
    };
    (status, html(page::closed(why))).into_response()
}

/// Until when a link is to hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    until: Option<String>,
    #[serde(rename = "for")]
    lasting: Option<String>,
}

/// `POST /api/v1/clients/{id}/links`
pub(super) async fn make(
    Shared(server): Shared<Server>,
    Name(id): Name,
    Sent(wanted): Sent<Wanted>,
) -> Result<(StatusCode, Extension<Done>, Json<Value>), ApiError> {
    let snapshot = server.snapshot();
    let known = |client: &&ClientView| client.id.as_str() == id;
    let client = snapshot.clients.iter().find(known);
    let client =
        client.ok_or_else(|| ApiError::not_found(format!("there is no client \"{}\"", quoted(&id))))?;
    let now = (server.now)();
    let until = match (&wanted.until, &wanted.lasting) {
        (Some(_), Some(_)) => {
            return Err(ApiError::bad_request("`until` and `for` say the same: give one"));
        }
        (Some(until), None) => moment("until", until, true)?,
        (None, Some(span)) => after(now, span)?,
        (None, None) => now.checked_add(YEAR).unwrap_or(now),
    };
    if until <= now {
        return Err(ApiError::bad_request("it ends in the past"));
    }
    let path = links::client(&server.seal, &client.id, until);
    let url = format!("{}{path}", base(&server).trim_end_matches('/'));
    let done = Done::new(format!(
        "link to the page of {} made, until {until:.0}",
        client.id
    ));
    let answer = json!({ "client": client.id, "name": client.name, "url": url, "until": until });
    Ok((StatusCode::CREATED, Extension(done), Json(answer)))
}

/// `POST /api/v1/links/revoke`: all links and sessions end.
pub(super) async fn revoke(
    Shared(server): Shared<Server>,
) -> Result<(Extension<Done>, Json<Value>), ApiError> {
    let clerk = Arc::clone(&server.clerk);
    tokio::task::spawn_blocking(move || clerk.renew_seal()).await??;
    let done = Extension(Done::new("all links and sessions ended"));
    Ok((done, Json(json!({ "revoked": true }))))
}
