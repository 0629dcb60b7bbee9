//! What happened since a time, for whoever comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Json;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Server;
use super::error::{ApiError, Params, quoted};
use super::incidents::base;
use super::views::IncidentView;
use crate::model::{ClientId, Incident, Owner};
use crate::surface::digest::{Digest, Episode};

/// The most incidents that a look back takes from the store; the newest count.
const MOST: usize = 10_000;
/// The most incidents that are listed; all are counted.
const LISTED: usize = 1000;

/// What a look back takes.
#[derive(Debug, Deserialize)]
pub(super) struct DigestQuery {
    since: Option<String>,
    until: Option<String>,
    client: Option<String>,
}

/// `GET /api/v1/digest`
pub(super) async fn digest(
    Shared(server): Shared<Server>,
    Params(query): Params<DigestQuery>,
) -> Result<Json<Value>, ApiError> {
    let since = query.since.as_deref().ok_or_else(|| {
        ApiError::bad_request(
            "since is missing: a day, such as 2026-11-20, or a time, such as 2026-11-20T18:00:00Z",
        )
    })?;
    let (since, until) = (moment(since)?, query.until.as_deref().map(moment).transpose()?);
    let now = (server.now)();
    let until = until.unwrap_or(now).min(now);
    if since > until {
        return Err(ApiError::bad_request("since is later than until, or than now"));
    }
    let client = query.client.as_deref().map(|id| known(&server, id)).transpose()?;
    let incidents = incidents(&server, since).await?;
    let incidents = incidents.iter().map(AsRef::as_ref);
    let digest = Digest::of(incidents, client.as_ref(), since, until);
    Ok(Json(document(&digest, base(&server))))
}

/// The open ones, and those that ended in that time.
pub(super) async fn incidents(server: &Server, since: Timestamp) -> Result<Vec<Arc<Incident>>, ApiError> {
    let mut found = server.snapshot().open_incidents.clone();
    let open: BTreeSet<_> = found.iter().map(|incident| incident.id).collect();
    let history = Arc::clone(&server.history);
    let over = tokio::task::spawn_blocking(move || history.over_since(since, MOST)).await??;
    // One that ended a moment ago may still be among the open ones of the snapshot.
    let over = over.into_iter().filter(|incident| !open.contains(&incident.id));
    found.extend(over.map(Arc::new));
    Ok(found)
}

fn known(server: &Server, id: &str) -> Result<ClientId, ApiError> {
    let snapshot = server.snapshot();
    let client = snapshot.clients.iter().find(|client| client.id.as_str() == id);
    let id_of = |client: &crate::snapshot::ClientView| client.id.clone();
    client
        .map(id_of)
        .ok_or_else(|| ApiError::not_found(format!("there is no client \"{}\"", quoted(id))))
}

/// A time, or the first moment of a day in UTC.
fn moment(text: &str) -> Result<Timestamp, ApiError> {
    let day = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let time = text.parse::<Timestamp>().ok();
    let time = time.or_else(|| text.parse::<Date>().ok().and_then(day));
    time.ok_or_else(|| {
        let what = quoted(text);
        ApiError::bad_request(format!(
            "\"{what}\" is neither a day, such as 2026-11-20, nor a time, such as 2026-11-20T18:00:00Z"
        ))
    })
}

/// One incident, with what it cost.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    incident: IncidentView<'a>,
    seconds: u64,
    domain_seconds: u64,
}

/// An owner, with what was theirs.
#[derive(Serialize)]
struct OwnerRow {
    owner: Owner,
    incidents: usize,
    domain_seconds: u64,
}

fn document(digest: &Digest<'_>, base: &str) -> Value {
    let row = |one: &Episode<'_>| {
        json!(Row {
            incident: IncidentView::brief(one.incident, base).of_those(&one.touched),
            seconds: one.seconds,
            domain_seconds: one.domain_seconds,
        })
    };
    let owners = digest.owners().into_iter().map(|(owner, share)| OwnerRow {
        owner,
        incidents: share.incidents,
        domain_seconds: share.domain_seconds,
    });
    json!({
        "since": digest.since,
        "until": digest.until,
        "text": digest.sentence(),
        "incidents_total": digest.episodes.len(),
        "incidents_open": digest.open(),
        "domains_hit": digest.domains().len(),
        "clients_hit": digest.clients().len(),
        "domain_seconds": digest.domain_seconds(),
        "owners": owners.collect::<Vec<_>>(),
        "incidents": digest.episodes.iter().take(LISTED).map(row).collect::<Vec<_>>(),
    })
}
