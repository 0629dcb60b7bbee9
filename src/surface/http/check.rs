//! A diagnosis now, of a domain or of the way of a client's mail to one: `POST /api/v1/check`, and the page's box.
//!
//! What is watched is known already, and better than one look could tell; anything else is looked at once. Only a POST
//! looks: links are followed by machines (`semantics` 27).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Extension, Form, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::buttons::written;
use super::door::Who;
use super::error::{ApiError, Sent, quoted};
use super::{ANSWER_WITHIN, ProbeError, Server, hands, pages};
use crate::model::{ClientId, DomainName, Hand, Target, Verdict};
use crate::snapshot::Snapshot;
use crate::surface::page;

/// How long a look may take: what is unanswered then is unknown.
const WITHIN: Duration = ANSWER_WITHIN.saturating_sub(Duration::from_secs(3));

/// What somebody wants to know.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    /// The domain, or an address there.
    domain: String,
    /// The client whose mail goes there, by id or name.
    from: String,
}

/// `POST /api/v1/check`
pub(super) async fn api(
    Shared(server): Shared<Server>,
    Sent(question): Sent<Question>,
) -> Result<Json<Value>, ApiError> {
    let (verdict, _) = look(&server, &question).await?;
    Ok(Json(json!({ "verdicts": [verdict] })))
}

/// `GET /check`: the box alone, filled in as the link wants it.
pub(super) async fn form(
    Shared(server): Shared<Server>,
    query: Result<Query<Question>, QueryRejection>,
) -> Response {
    let question = query.map(|Query(question)| question).unwrap_or_default();
    shown(&server, &question, None)
}

/// `POST /check`: the box, and what was found.
pub(super) async fn page(
    Shared(server): Shared<Server>,
    sent: Result<Form<Question>, FormRejection>,
) -> Response {
    let question = sent.map(|Form(question)| question).unwrap_or_default();
    let found = look(&server, &question).await;
    shown(&server, &question, Some(&found))
}

type Found = Result<(Arc<Verdict>, bool), ApiError>;

fn shown(server: &Server, question: &Question, found: Option<&Found>) -> Response {
    let snapshot = server.snapshot();
    let status = match found {
        Some(Err(error)) => error.status(),
        _ => StatusCode::OK,
    };
    let asked = page::Asked {
        domain: &question.domain,
        from: &question.from,
    };
    let found = found.map(|found| match found {
        Ok((verdict, watched)) => Ok((&**verdict, *watched)),
        Err(error) => Err(error.message()),
    });
    (
        status,
        pages::html(page::check(&server.view(&snapshot), &asked, found)),
    )
        .into_response()
}

/// The verdict, and whether it is one of those that are watched all the time.
async fn look(server: &Server, question: &Question) -> Found {
    let snapshot = server.snapshot();
    let target = target(&snapshot, question)?;
    if let Some(known) = watched(&snapshot, &target) {
        return Ok((known, true));
    }
    let looked = server.prober.check(target, WITHIN).await;
    let verdict = looked.map_err(|error| match error {
        ProbeError::Unwatched => ApiError::bad_request("no such client is configured any more"),
        ProbeError::Busy => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    })?;
    Ok((verdict, false))
}

/// `POST /check/watch`: has watched for a week what was asked for, and shows what is.
pub(super) async fn watch(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    sent: Result<Form<Question>, FormRejection>,
) -> Response {
    let question = sent.map(|Form(question)| question).unwrap_or_default();
    match question.watch(&server, &who).await {
        Ok(hand) => {
            server.shows_hand(hand.id, true).await;
            let note = format!("set: {}", hand.in_words());
            written(Some(note), Redirect::to("/quiet#watches").into_response())
        }
        Err(error) => shown(&server, &question, Some(&Err(error))),
    }
}

impl Question {
    async fn watch(&self, server: &Server, who: &Who) -> Result<Hand, ApiError> {
        let snapshot = server.snapshot();
        let (client, domain) = way(&snapshot, &self.domain, &self.from)?;
        let until = hands::a_week_from((server.now)())?;
        let measure = hands::watch_of(&snapshot, client, domain, until)?;
        let by = hands::named(who, "");
        let set = server
            .operator
            .set(measure, by, "asked for after a look".to_owned());
        set.await.map_err(|error| hands::refused(&error))
    }
}

/// The way of a client's mail that is meant.
pub(super) fn way(snapshot: &Snapshot, to: &str, from: &str) -> Result<(ClientId, DomainName), ApiError> {
    let question = Question {
        domain: to.to_owned(),
        from: from.to_owned(),
    };
    match target(snapshot, &question)? {
        Target::Route(client, to) => Ok((client, to)),
        _ => Err(ApiError::bad_request("whose mail? Give a client")),
    }
}

fn target(snapshot: &Snapshot, question: &Question) -> Result<Target, ApiError> {
    let typed = question.domain.trim();
    if typed.is_empty() {
        return Err(ApiError::bad_request(
            "which domain? Give one, such as partner.example, or an address there",
        ));
    }
    // People paste addresses.
    let domain = typed.rsplit_once('@').map_or(typed, |(_, domain)| domain);
    let name = DomainName::parse(domain.trim_end_matches('>')).map_err(|error| {
        let typed = quoted(typed);
        ApiError::bad_request(format!("\"{typed}\" is no domain: {error}"))
    })?;
    Ok(match question.from.trim() {
        "" => Target::Domain(name),
        from => Target::Route(client(snapshot, from)?, name),
    })
}

/// The client that is meant, by id or by name.
pub(super) fn client(snapshot: &Snapshot, wanted: &str) -> Result<ClientId, ApiError> {
    let named = |client: &&crate::snapshot::ClientView| {
        client.id.as_str() == wanted || client.name.to_lowercase() == wanted.to_lowercase()
    };
    let found = snapshot
        .clients
        .iter()
        .find(named)
        .map(|client| client.id.clone());
    found.ok_or_else(|| ApiError::bad_request(format!("no client \"{}\" is configured", quoted(wanted))))
}

fn watched(snapshot: &Snapshot, target: &Target) -> Option<Arc<Verdict>> {
    match target {
        Target::Domain(name) => snapshot.domains.get(name).cloned(),
        Target::Route(client, to) => snapshot.routes.get(&(client.clone(), to.clone())).cloned(),
        _ => None,
    }
}
