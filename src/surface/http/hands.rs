//! What people do: acknowledge, note, silence, maintain, accept, have something watched.

use std::sync::Arc;

use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use axum::response::Json;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, Zoned};
use serde::Deserialize;
use serde_json::{Value, json};

use super::buttons::taken_on;
use super::door::{Done, Who};
use super::error::{ApiError, Name, Sent, quoted};
use super::incidents::{base, find};
use super::views::IncidentView;
use super::{OperateError, Server, check};
use crate::model::text::clean;
use crate::model::{
    ClientId, Code, DomainName, Hand, HandId, HandKind, Hours, Matchers, Measure, Target, When,
};
use crate::snapshot::Snapshot;

/// The most characters of a note and of a name.
const NOTE: usize = 2000;
const NAME: usize = 80;

/// What came of it, and what the book says.
type Answer = Result<(Extension<Done>, Json<Value>), ApiError>;
type Made = Result<(StatusCode, Extension<Done>, Json<Value>), ApiError>;

/// Who does it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Doer {
    by: String,
}

/// `POST /api/v1/incidents/{id}/ack`
pub(super) async fn acknowledge(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Name(id): Name,
    Sent(doer): Sent<Doer>,
) -> Answer {
    let incident = find(&server, &id).await?;
    if !incident.is_open() {
        return Err(refused(&OperateError::Over));
    }
    let by = named(&who, &doer.by);
    let answer = server.operator.acknowledge(incident.id, by.clone()).await;
    let incident = answer.map_err(|error| refused(&error))?;
    let done = Extension(Done::new(taken_on(incident.id, &by)));
    Ok((done, Json(json!(IncidentView::brief(&incident, base(&server))))))
}

/// In whose name something is done.
pub(super) fn named(who: &Who, by: &str) -> String {
    clean(who.named(by.trim()).as_bytes(), NAME)
}

/// A note.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    text: String,
    #[serde(default)]
    by: String,
}

/// `POST /api/v1/incidents/{id}/note`
pub(super) async fn note(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Name(id): Name,
    Sent(note): Sent<Note>,
) -> Answer {
    let incident = find(&server, &id).await?;
    let text = clean(note.text.trim().as_bytes(), NOTE);
    if text.is_empty() {
        return Err(ApiError::bad_request("a note says something: `text` is empty"));
    }
    let by = named(&who, &note.by);
    let line = if by.is_empty() {
        format!("note: {text}")
    } else {
        format!("note by {by}: {text}")
    };
    let written = server.operator.note(incident.id, line.clone()).await;
    written.map_err(|error| refused(&error))?;
    let done = Extension(Done::new(format!("incident #{}: {line}", incident.id)));
    Ok((done, Json(json!({ "incident": incident.id, "text": line }))))
}

/// `GET /api/v1/silences`
pub(super) async fn silences(Shared(server): Shared<Server>) -> Json<Value> {
    Json(json!({ "silences": list(&server, HandKind::Silence) }))
}

/// `GET /api/v1/maintenance`
pub(super) async fn windows(Shared(server): Shared<Server>) -> Json<Value> {
    Json(json!({ "maintenance": list(&server, HandKind::Maintenance) }))
}

/// `GET /api/v1/acceptances`
pub(super) async fn acceptances(Shared(server): Shared<Server>) -> Json<Value> {
    Json(json!({ "acceptances": list(&server, HandKind::Acceptance) }))
}

/// `GET /api/v1/watches`
pub(super) async fn watches(Shared(server): Shared<Server>) -> Json<Value> {
    Json(json!({ "watches": list(&server, HandKind::Watch) }))
}

fn list(server: &Server, kind: HandKind) -> Vec<Value> {
    let now = (server.now)();
    let snapshot = server.snapshot();
    let hands = snapshot
        .hands
        .iter()
        .filter(|hand| hand.kind() == kind && !hand.is_over(now));
    hands.map(|hand| view(hand, now)).collect()
}

/// What was set, and whether it keeps anything quiet just now.
fn view(hand: &Hand, now: Timestamp) -> Value {
    let mut view = json!(hand);
    if let Some(map) = view.as_object_mut()
        && hand.kind() == HandKind::Maintenance
    {
        map.insert("active".into(), json!(hand.quiet_until(now).is_some()));
    }
    view
}

/// What a silence or a maintenance is about, and what comes with it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quiet {
    client: Option<String>,
    domain: Option<String>,
    gateway: Option<String>,
    code: Option<String>,
    from: Option<String>,
    until: Option<String>,
    #[serde(rename = "for")]
    lasting: Option<String>,
    recurring: Option<String>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/silences`
pub(super) async fn silence(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Sent(quiet): Sent<Quiet>,
) -> Made {
    let measure = silence_of(&server, &quiet)?;
    set(&server, measure, named(&who, &quiet.by), quiet.reason).await
}

/// The silence that somebody asks for.
pub(super) fn silence_of(server: &Server, quiet: &Quiet) -> Result<Measure, ApiError> {
    if quiet.from.is_some() || quiet.recurring.is_some() {
        let instead = "a silence begins now: `from` and `recurring` belong to /api/v1/maintenance";
        return Err(ApiError::bad_request(instead));
    }
    let now = (server.now)();
    let of = quiet.matchers(&server.snapshot())?;
    let until = quiet
        .end(now, now)?
        .ok_or_else(|| ApiError::bad_request("a silence needs an end: `until` or `for`"))?;
    Ok(Measure::Silence { of, until })
}

/// `POST /api/v1/maintenance`
pub(super) async fn maintain(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Sent(quiet): Sent<Quiet>,
) -> Made {
    let measure = maintenance_of(&server, &quiet)?;
    set(&server, measure, named(&who, &quiet.by), quiet.reason).await
}

/// The maintenance that somebody asks for.
pub(super) fn maintenance_of(server: &Server, quiet: &Quiet) -> Result<Measure, ApiError> {
    let now = (server.now)();
    let of = quiet.matchers(&server.snapshot())?;
    let from = quiet.from.as_deref().map(|text| moment("from", text, false));
    let from = from.transpose()?;
    let end = quiet.end(from.unwrap_or(now), now)?;
    let when = match (&quiet.recurring, end) {
        (Some(_), _) if from.is_some() => {
            let instead = "what recurs begins at its own hours: leave `from` out";
            return Err(ApiError::bad_request(instead));
        }
        (Some(hours), until) => {
            let recurring: Hours = hours
                .parse()
                .map_err(|error| ApiError::bad_request(format!("`recurring`: {error}")))?;
            When::Recurring { recurring, until }
        }
        (None, Some(until)) => When::Once {
            from: from.unwrap_or(now),
            until,
        },
        (None, None) => {
            let missing = "a maintenance needs an end, `until` or `for`, or `recurring` hours";
            return Err(ApiError::bad_request(missing));
        }
    };
    Ok(Measure::Maintenance { of, when })
}

impl Quiet {
    /// About what, as a form names it.
    pub(super) fn about(client: Option<String>, domain: Option<String>, gateway: Option<String>) -> Self {
        Self {
            client,
            domain,
            gateway,
            ..Self::default()
        }
    }

    /// How long from now, or in which hours again and again.
    pub(super) fn lasting(self, lasting: Option<String>, recurring: Option<String>) -> Self {
        Self {
            lasting,
            recurring,
            ..self
        }
    }

    /// What it is about; what nobody knows would keep nothing quiet, and nobody would notice.
    fn matchers(&self, snapshot: &Snapshot) -> Result<Matchers, ApiError> {
        let client = self.client.as_ref().map(|id| {
            let known = snapshot.clients.iter().find(|client| client.id.as_str() == *id);
            known
                .map(|client| client.id.clone())
                .ok_or_else(|| unknown("client", id))
        });
        let domain = self.domain.as_ref().map(|name| watched(snapshot, name));
        let gateway = self.gateway.as_ref().map(|name| {
            let mut targets = snapshot.gateways.iter().map(|gateway| &gateway.verdict.target);
            targets
                .find_map(|target| match target {
                    Target::Gateway(_, known) if **known == **name => Some(Arc::clone(known)),
                    _ => None,
                })
                .ok_or_else(|| unknown("gateway", name))
        });
        Ok(Matchers {
            client: client.transpose()?,
            domain: domain.transpose()?,
            gateway: gateway.transpose()?,
            code: self.code.clone(),
        })
    }

    /// When it ends: at `until`, or so long after `from`.
    fn end(&self, from: Timestamp, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
        let end = match (&self.until, &self.lasting) {
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_request("`until` and `for` say the same: give one"));
            }
            (Some(until), None) => moment("until", until, true)?,
            (None, Some(span)) => after(from, span)?,
            (None, None) => return Ok(None),
        };
        if end <= now {
            return Err(ApiError::bad_request("it ends in the past"));
        }
        Ok(Some(end))
    }
}

/// What is accepted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    code: String,
    domain: String,
    until: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/acceptances`
pub(super) async fn accept(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Sent(accepted): Sent<Accepted>,
) -> Made {
    let code: Code = accepted.code.parse().map_err(|_| {
        let code = quoted(&accepted.code);
        ApiError::bad_request(format!("there is no cause \"{code}\"; docs/causes.md lists all"))
    })?;
    let measure = Measure::Acceptance {
        code,
        domain: watched(&server.snapshot(), &accepted.domain)?,
        until: moment("until", &accepted.until, true)?,
    };
    set(&server, measure, named(&who, &accepted.by), accepted.reason).await
}

/// What is to be watched for a while.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Watching {
    client: String,
    domain: String,
    until: Option<String>,
    #[serde(rename = "for")]
    lasting: Option<String>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/watches`
pub(super) async fn watch(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    Sent(watching): Sent<Watching>,
) -> Made {
    let snapshot = server.snapshot();
    let (client, domain) = check::way(&snapshot, &watching.domain, &watching.client)?;
    let lasts = Quiet {
        until: watching.until,
        lasting: watching.lasting,
        ..Quiet::default()
    };
    let now = (server.now)();
    let until = lasts.end(now, now)?.map_or_else(|| a_week_from(now), Ok)?;
    let measure = watch_of(&snapshot, client, domain, until)?;
    let reason = Some(watching.reason).filter(|text| !text.trim().is_empty());
    let reason = reason.unwrap_or_else(|| NOT_SAID.to_owned());
    set(&server, measure, named(&who, &watching.by), reason).await
}

/// Why something is watched, where nobody says.
const NOT_SAID: &str = "nobody said why";

/// For how long something is watched by hand where nobody says for how long.
pub(super) fn a_week_from(now: Timestamp) -> Result<Timestamp, ApiError> {
    after(now, "7d")
}

/// The way of a client's mail, to be watched; what the configuration names is watched already.
pub(super) fn watch_of(
    snapshot: &Snapshot,
    client: ClientId,
    domain: DomainName,
    until: Timestamp,
) -> Result<Measure, ApiError> {
    let key = (client, domain);
    let by_hand = |hand: &Hand| matches!(&hand.measure, Measure::Watch { client, domain, .. } if *client == key.0 && *domain == key.1);
    if snapshot.routes.contains_key(&key) && !snapshot.hands.iter().any(by_hand) {
        let what = format!(
            "the configuration has mail from {} to {} watched already",
            key.0, key.1
        );
        return Err(ApiError::new(StatusCode::CONFLICT, what));
    }
    let (client, domain) = key;
    Ok(Measure::Watch {
        client,
        domain,
        until,
    })
}

async fn set(server: &Server, measure: Measure, by: String, reason: String) -> Made {
    let made = server.operator.set(measure, by, reason).await;
    let hand = made.map_err(|error| refused(&error))?;
    let done = Extension(Done::new(format!("set: {}", hand.in_words())));
    Ok((StatusCode::CREATED, done, Json(view(&hand, (server.now)()))))
}

/// `DELETE /api/v1/silences/{id}`
pub(super) async fn lift_silence(server: Shared<Server>, id: Name) -> Answer {
    lift(&server.0, &id.0, HandKind::Silence).await
}

/// `DELETE /api/v1/maintenance/{id}`
pub(super) async fn lift_maintenance(server: Shared<Server>, id: Name) -> Answer {
    lift(&server.0, &id.0, HandKind::Maintenance).await
}

/// `DELETE /api/v1/acceptances/{id}`
pub(super) async fn lift_acceptance(server: Shared<Server>, id: Name) -> Answer {
    lift(&server.0, &id.0, HandKind::Acceptance).await
}

/// `DELETE /api/v1/watches/{id}`
pub(super) async fn lift_watch(server: Shared<Server>, id: Name) -> Answer {
    lift(&server.0, &id.0, HandKind::Watch).await
}

async fn lift(server: &Server, id: &str, kind: HandKind) -> Answer {
    let missing = || {
        let what = format!("there is no {} \"{}\" that holds", kind.as_str(), quoted(id));
        ApiError::not_found(what)
    };
    let number: HandId = id.parse().map_err(|_| missing())?;
    match server.operator.lift(number, kind).await {
        Ok(hand) => {
            let done = Extension(Done::new(format!("lifted: {}", hand.in_words())));
            Ok((done, Json(view(&hand, (server.now)()))))
        }
        Err(OperateError::Missing) => Err(missing()),
        Err(error) => Err(refused(&error)),
    }
}

fn watched(snapshot: &Snapshot, name: &str) -> Result<DomainName, ApiError> {
    let parsed = DomainName::parse(name).ok();
    parsed
        .filter(|name| snapshot.domains.contains_key(name))
        .ok_or_else(|| ApiError::bad_request(format!("no domain \"{}\" is watched", quoted(name))))
}

fn unknown(what: &str, name: &str) -> ApiError {
    ApiError::bad_request(format!("no {what} \"{}\" is configured", quoted(name)))
}

/// A moment: RFC 3339 with a zone or an offset, or a day, which begins, or ends, at midnight UTC.
pub(super) fn moment(key: &str, text: &str, end: bool) -> Result<Timestamp, ApiError> {
    let text = text.trim();
    let day = || {
        let day: Date = text.parse().ok()?;
        let day = if end { day.tomorrow().ok()? } else { day };
        Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let zoned = || text.parse::<Zoned>().map(|zoned| zoned.timestamp()).ok();
    text.parse().ok().or_else(zoned).or_else(day).ok_or_else(|| {
        let wanted = "is a moment like 2027-01-31T18:00:00Z or a day like 2027-01-31";
        ApiError::bad_request(format!("`{key}` {wanted}, not \"{}\"", quoted(text)))
    })
}

/// So long after a moment: `4h`, `1h30m`, `2d`.
pub(super) fn after(from: Timestamp, text: &str) -> Result<Timestamp, ApiError> {
    let span: Option<Span> = text.trim().parse().ok();
    let span = span.filter(|span| span.is_positive() && !text.trim().starts_with('P'));
    let end = span.and_then(|span| from.to_zoned(TimeZone::UTC).checked_add(span).ok());
    let end = end.filter(|end| *end <= from.to_zoned(TimeZone::UTC).saturating_add(10.years()));
    end.map(|end| end.timestamp()).ok_or_else(|| {
        let wanted = "is a span like 4h, 1h30m or 2d, of ten years at the most";
        ApiError::bad_request(format!("`for` {wanted}, not \"{}\"", quoted(text)))
    })
}

pub(super) fn refused(error: &OperateError) -> ApiError {
    match error {
        OperateError::Over => ApiError::new(StatusCode::CONFLICT, error.to_string()),
        OperateError::Missing => ApiError::not_found(error.to_string()),
        OperateError::Wrong(_) => ApiError::bad_request(error.to_string()),
        OperateError::Stopping => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        OperateError::Store(reason) => {
            // The reason may name paths of our machine: that is for the log, not for whoever asks.
            tracing::error!(reason, "what somebody wished could not be written");
            let answer = "it could not be written at the moment; the log says why";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, answer)
        }
    }
}
