//! What the page's buttons do: as the API does, for forms, so that they work without JavaScript.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::SignedDuration;
use serde::Deserialize;

use super::error::{ApiError, quoted};
use super::incidents::find;
use super::{OperateError, Server, pages};
use crate::model::text::clean;
use crate::model::{Incident, Measure};
use crate::snapshot::Snapshot;
use crate::surface::page;

/// The most characters of a name.
const NAME: usize = 80;

/// How long the page's button silences.
const SILENCE: SignedDuration = SignedDuration::from_hours(4);

/// Who presses a button.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Presser {
    #[serde(default)]
    by: String,
}

type Pressed = Result<Form<Presser>, FormRejection>;

/// `POST /incidents/{id}/ack`
pub(super) async fn acknowledge(
    Shared(server): Shared<Server>,
    Path(id): Path<String>,
    pressed: Pressed,
) -> Response {
    let incident = match open(&server, &id).await {
        Ok(incident) => incident,
        Err(answer) => return answer,
    };
    let done = server.operator.acknowledge(incident.id, name(pressed)).await;
    if done.is_ok() {
        let taken = |snapshot: &Snapshot| {
            let mut open = snapshot.open_incidents.iter();
            let open = open.find(|one| one.id == incident.id);
            open.is_none_or(|incident| incident.acknowledged.is_some())
        };
        server.shows(taken).await;
    }
    back(&server, &incident, done.map(drop))
}

/// `POST /incidents/{id}/silence`
pub(super) async fn silence(
    Shared(server): Shared<Server>,
    Path(id): Path<String>,
    pressed: Pressed,
) -> Response {
    let incident = match open(&server, &id).await {
        Ok(incident) => incident,
        Err(answer) => return answer,
    };
    let Some(of) = page::silenced_by(&incident) else {
        let what = "This incident cannot be silenced without silencing others: take it on instead.";
        return (StatusCode::CONFLICT, pages::not_found(&server, what)).into_response();
    };
    let until = (server.now)().checked_add(SILENCE).unwrap_or_default();
    let (measure, reason) = (
        Measure::Silence { of, until },
        format!("incident #{}", incident.id),
    );
    let done = server.operator.set(measure, name(pressed), reason).await;
    if let Ok(hand) = &done {
        server.shows_hand(hand.id, true).await;
    }
    back(&server, &incident, done.map(drop))
}

/// The incident, where it goes on; else the page that says why not.
async fn open(server: &Server, id: &str) -> Result<std::sync::Arc<Incident>, Response> {
    match find(server, id).await {
        Ok(incident) if incident.is_open() => Ok(incident),
        Ok(_) => Err(Redirect::to(&format!("/incidents/{}", quoted(id))).into_response()),
        Err(error) if error.is_missing() => Err(pages::not_found(
            server,
            &format!("There is no incident “{}”.", quoted(id)),
        )),
        Err(error) => Err(error.into_response()),
    }
}

fn name(pressed: Pressed) -> String {
    let by = pressed.map(|Form(presser)| presser.by).unwrap_or_default();
    clean(by.trim().as_bytes(), NAME)
}

/// To the incident, where what was done stands; a GET never does anything (`semantics` 27).
fn back(server: &Server, incident: &Incident, done: Result<(), OperateError>) -> Response {
    match done {
        // What is over needs no button any more: its page says so.
        Ok(()) | Err(OperateError::Over) => {
            Redirect::to(&format!("/incidents/{}", incident.id)).into_response()
        }
        Err(error) => {
            let page = pages::not_found(server, &format!("Nothing was done: {error}."));
            let answer = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response();
            (answer.status(), page).into_response()
        }
    }
}
