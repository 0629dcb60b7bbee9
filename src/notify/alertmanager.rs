//! `alertmanager`: keeps an alert firing in every Alertmanager of a cluster (API v2), and ends it.
//!
//! An Alertmanager takes two alerts for the same when their labels are the same. So the labels say which incident
//! it is, how loud, and where it sits, as it was last told, and never why: the cause changes and stands in the
//! annotations. When an update changes a label, the alert with the old ones is ended in the same request.
//!
//! Each message says itself until when it holds: well beyond the next time that it is sent, so that an alert
//! lapses when we no longer stand behind it, whatever the Alertmanager's `resolve_timeout` is.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Url};
use serde_json::{Map, Value, json};

use super::{Failure, SetupError, http};
use crate::model::text::clean;
use crate::model::{Event, Incident, Message, Notice, Root, Severity};

/// How often an alert is sent again while it goes on.
pub(super) const RESEND: Duration = Duration::from_mins(1);
/// How long an alert holds without being sent again; a restart of ours does not end it.
const HOLDS: SignedDuration = SignedDuration::from_mins(5);
/// For how long after an update the alert that it replaces is ended again: an instance may have missed it.
const ENDED_FOR: SignedDuration = SignedDuration::from_mins(15);

/// The most characters of an annotation.
const ANNOTATION: usize = 2000;

/// Keeps alerts firing.
#[derive(Debug)]
pub struct Alertmanager {
    client: Client,
    peers: Vec<Peer>,
}

/// One Alertmanager: they do not tell each other of alerts, so that each is told.
#[derive(Debug)]
struct Peer {
    url: Url,
    failed: AtomicBool,
}

impl Alertmanager {
    /// An Alertmanager, by the URLs of all its instances.
    ///
    /// # Errors
    /// [`SetupError`] when a URL is none, there is none, or TLS cannot be set up.
    pub fn new(urls: &[String]) -> Result<Self, SetupError> {
        let peers: Vec<Peer> = urls.iter().map(|url| Peer::new(url)).collect::<Result<_, _>>()?;
        if peers.is_empty() {
            return Err(SetupError("an Alertmanager has at least one URL".into()));
        }
        Ok(Self {
            client: http::client()?,
            peers,
        })
    }

    /// Sends one message to every instance at once; one that takes it is enough.
    ///
    /// # Errors
    /// [`Failure`] when none takes it: passing when any of them may still do.
    pub(super) async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let body = alerts(&message.notice, now);
        let attempts = self.peers.iter().map(|peer| peer.tell(&self.client, &body, now));
        let mut failures = Vec::new();
        for attempt in join_all(attempts).await {
            failures.extend(attempt.err());
        }
        if failures.len() < self.peers.len() {
            return Ok(());
        }
        let passing = |failure: &Failure| matches!(failure, Failure::Passing { .. });
        let shown = failures.iter().position(passing).unwrap_or_default();
        Err(failures.swap_remove(shown))
    }
}

impl Peer {
    fn new(url: &str) -> Result<Self, SetupError> {
        let mut url: Url = url.parse().map_err(|error| SetupError(format!("{error}")))?;
        url.path_segments_mut()
            .map_err(|()| SetupError("an Alertmanager's URL starts with http:// or https://".into()))?
            .pop_if_empty()
            .extend(["api", "v2", "alerts"]);
        Ok(Self {
            url,
            failed: AtomicBool::new(false),
        })
    }

    async fn tell(&self, client: &Client, body: &Value, now: Timestamp) -> Result<(), Failure> {
        let result = http::send(client.post(self.url.clone()).json(body), &[], now).await;
        // Once for each turn: it is sent again every minute.
        let before = self.failed.swap(result.is_err(), Ordering::Relaxed);
        let host = self.url.host_str().unwrap_or_default();
        match &result {
            Err(failure) if !before => tracing::warn!(host, "an Alertmanager takes nothing: {failure}"),
            Ok(_) if before => tracing::info!(host, "the Alertmanager takes alerts again"),
            _ => {}
        }
        result.map(drop)
    }
}

/// The body of `POST /api/v2/alerts`.
fn alerts(notice: &Notice, now: Timestamp) -> Value {
    let Some(incident) = notice.incident.as_deref() else {
        return json!([test(notice)]);
    };
    let told = incident
        .told
        .as_ref()
        .filter(|told| told.event != Event::Resolved);
    let before = told.map(|told| labels(incident, told.severity, &told.root));
    let begun = incident.reopened.unwrap_or(incident.opened);
    let alert = |labels: &Value, end: Timestamp| {
        let mut alert = json!({
            "labels": labels,
            "annotations": annotations(notice, incident),
            "startsAt": begun,
            "endsAt": end,
        });
        if let Some(url) = &notice.url {
            alert["generatorURL"] = json!(url);
        }
        alert
    };
    let labels = labels(incident, incident.severity, &incident.cause.root);
    if notice.event == Event::Resolved {
        // The alert that fires is the one that was told.
        let end = incident.resolved.unwrap_or(notice.at);
        return json!([alert(&before.unwrap_or(labels), end)]);
    }
    let mut alerts = vec![alert(&labels, after(now, HOLDS))];
    if let Some(before) = before.filter(|before| *before != labels)
        && now <= after(notice.at, ENDED_FOR)
    {
        alerts.push(alert(&before, notice.at));
    }
    Value::Array(alerts)
}

/// What identifies an alert: enough to route by, and nothing that changes without a message of ours.
fn labels(incident: &Incident, severity: Severity, root: &Root) -> Value {
    let mut labels = json!({
        "alertname": "MailflowIncident",
        "incident": incident.id,
        "dedup_key": incident.dedup_key,
        "severity": severity.as_str(),
        "kind": root.kind.as_str(),
        "root": root.name,
    });
    if let Some(client) = &root.client {
        labels["client"] = json!(client);
    }
    labels
}

fn annotations(notice: &Notice, incident: &Incident) -> Value {
    let mut all = Map::new();
    for (name, text) in [
        ("summary", notice.subject.as_str()),
        ("description", notice.text.as_str()),
        ("event", notice.event.as_str()),
        ("code", incident.cause.code.as_str()),
        ("subject", incident.cause.subject.as_str()),
        ("owner", incident.cause.owner.as_str()),
        ("action", incident.cause.action()),
    ] {
        all.insert(name.to_owned(), json!(clean(text.as_bytes(), ANNOTATION)));
    }
    all.insert("affected".into(), json!(notice.affected.to_string()));
    Value::Object(all)
}

/// A test fires for as long as an alert holds, under labels of its own.
fn test(notice: &Notice) -> Value {
    json!({
        "labels": { "alertname": "MailflowTest", "severity": "info", "dedup_key": notice.dedup_key },
        "annotations": { "summary": notice.subject, "description": notice.text },
        "startsAt": notice.at,
        "endsAt": after(notice.at, HOLDS),
    })
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
