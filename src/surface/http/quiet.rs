//! What is kept quiet, as a page: silences and maintenance windows are seen, made and lifted here.

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::error::ApiError;
use super::hands::{self, Quiet};
use super::{Server, check, pages};
use crate::model::{HandId, Measure};
use crate::surface::page;

/// What somebody fills in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    kind: String,
    client: String,
    domain: String,
    gateway: String,
    #[serde(rename = "for")]
    lasting: String,
    recurring: String,
    reason: String,
    by: String,
}

/// `GET /quiet`: what holds, and the form, filled in as the link wants it.
pub(super) async fn page(
    Shared(server): Shared<Server>,
    query: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let wish = query.map(|Query(wish)| wish).unwrap_or_default();
    shown(&server, &wish, None)
}

/// `POST /quiet`
pub(super) async fn set(Shared(server): Shared<Server>, sent: Result<Form<Wish>, FormRejection>) -> Response {
    let wish = sent.map(|Form(wish)| wish).unwrap_or_default();
    match wish.set(&server).await {
        Ok(id) => {
            server.shows_hand(id, true).await;
            Redirect::to("/quiet").into_response()
        }
        Err(error) => shown(&server, &wish, Some(&error)),
    }
}

/// `POST /quiet/{id}/lift`
pub(super) async fn lift(Shared(server): Shared<Server>, Path(id): Path<String>) -> Response {
    let snapshot = server.snapshot();
    let number: Option<HandId> = id.parse().ok();
    let hand = snapshot.hands.iter().find(|hand| Some(hand.id) == number);
    let Some(hand) = hand else {
        // Somebody else was faster, or it is over.
        return Redirect::to("/quiet").into_response();
    };
    match server.operator.lift(hand.id, hand.kind()).await {
        Ok(_) | Err(super::OperateError::Missing) => {
            server.shows_hand(hand.id, false).await;
            Redirect::to("/quiet").into_response()
        }
        Err(error) => shown(&server, &Wish::default(), Some(&hands::refused(&error))),
    }
}

fn shown(server: &Server, wish: &Wish, problem: Option<&ApiError>) -> Response {
    let snapshot = server.snapshot();
    let wished = page::Wished {
        maintenance: wish.kind == "maintenance",
        client: &wish.client,
        domain: &wish.domain,
        gateway: &wish.gateway,
        lasting: &wish.lasting,
        recurring: &wish.recurring,
        reason: &wish.reason,
        by: &wish.by,
    };
    let problem_text = problem.map(ApiError::message);
    let page = pages::html(page::quiet(&server.view(&snapshot), &wished, problem_text));
    match problem {
        Some(error) => (error.status(), page).into_response(),
        None => page,
    }
}

impl Wish {
    async fn set(&self, server: &Server) -> Result<HandId, ApiError> {
        let snapshot = server.snapshot();
        let given = |text: &str| {
            Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let client = given(&self.client).map(|wanted| check::client(&snapshot, &wanted));
        let recurring = given(&self.recurring).filter(|_| self.kind == "maintenance");
        let quiet = Quiet::about(
            client.transpose()?.map(|id| id.to_string()),
            given(&self.domain),
            given(&self.gateway),
        )
        // What recurs goes on until somebody lifts it.
        .lasting(given(&self.lasting).filter(|_| recurring.is_none()), recurring);
        let measure: Measure = if self.kind == "maintenance" {
            hands::maintenance_of(server, &quiet)?
        } else {
            hands::silence_of(server, &quiet)?
        };
        let set = server
            .operator
            .set(measure, self.by.clone(), self.reason.clone())
            .await;
        Ok(set.map_err(|error| hands::refused(&error))?.id)
    }
}
