//! `pagerduty`: triggers, acknowledges and resolves by the Events API v2.

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Url};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Failure, Pace, Secret, SetupError, http};
use crate::model::text::clean;
use crate::model::{Event, Incident, Message, Notice, Severity, Target};

/// Where events go unless the configuration says otherwise.
const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// One integration takes 120 events a minute.
pub(super) const PACE: Pace = Pace {
    at_once: 60,
    every: Duration::from_millis(500),
};
/// The most characters of a summary and of a key, and the most bytes of an event.
const SUMMARY: usize = 1024;
const KEY: usize = 255;
/// The most characters of what others wrote, among the details.
const DETAIL: usize = 2000;
const EVENT: usize = 512_000;

/// What PagerDuty needs.
#[derive(Debug, Clone)]
pub struct PagerdutySettings {
    /// The integration's key.
    pub routing_key: Secret,
    /// Where to; `None`: PagerDuty's own.
    pub url: Option<String>,
}

/// Triggers, acknowledges and resolves.
#[derive(Debug)]
pub struct Pagerduty {
    client: Client,
    routing_key: Secret,
    url: Url,
}

impl Pagerduty {
    /// A PagerDuty integration.
    ///
    /// # Errors
    /// [`SetupError`] when the address is none, or TLS cannot be set up.
    pub fn new(settings: PagerdutySettings) -> Result<Self, SetupError> {
        let url = settings.url.as_deref().unwrap_or(URL);
        Ok(Self {
            client: http::client()?,
            routing_key: settings.routing_key,
            url: url.parse().map_err(|error| SetupError(format!("{error}")))?,
        })
    }

    /// Sends one event.
    ///
    /// # Errors
    /// [`Failure`]: passing for 429 and 5xx, permanent for 400 and every other refusal.
    pub(super) async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let key = self.routing_key.reveal().await?;
        let key = key.expose_secret().trim();
        let request = self.client.post(self.url.clone()).json(&event(message, key));
        http::send(request, &[key], now).await.map(drop)
    }
}

/// The event, within the limits: of what it touches as much is listed as fits.
fn event(message: &Message, routing_key: &str) -> Value {
    let notice = &message.notice;
    let action = match notice.event {
        Event::Acknowledged => "acknowledge",
        Event::Resolved => "resolve",
        _ => "trigger",
    };
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": notice.dedup_key.chars().take(KEY).collect::<String>(),
    });
    if action != "trigger" {
        return event;
    }
    event["client"] = json!("mailflow");
    if let Some(url) = &notice.url {
        event["client_url"] = json!(url);
        event["links"] = json!([{ "href": url, "text": "Open in mailflow" }]);
    }
    let mut listed = usize::MAX;
    loop {
        let domains = domains(notice, listed);
        event["payload"] = payload(notice, &domains);
        if domains.is_empty() || event.to_string().len() <= EVENT {
            return event;
        }
        listed = domains.len() / 2;
    }
}

fn payload(notice: &Notice, domains: &[String]) -> Value {
    let mut payload = json!({
        "summary": clean(notice.subject.as_bytes(), SUMMARY - 1),
        "source": "mailflow",
        "severity": "info",
        "timestamp": notice.at,
        "custom_details": { "text": notice.text },
    });
    if let Some(incident) = notice.incident.as_deref() {
        payload["source"] = json!(clean(incident.cause.subject.as_bytes(), SUMMARY - 1));
        payload["severity"] = json!(severity(incident.severity));
        payload["component"] = json!(incident.cause.root.name);
        payload["group"] = json!(incident.cause.root.kind.as_str());
        payload["class"] = json!(incident.cause.code.as_str());
        payload["custom_details"] = details(notice, incident, domains);
    }
    payload
}

fn details(notice: &Notice, incident: &Incident, domains: &[String]) -> Value {
    let cause = &incident.cause;
    json!({
        "event": notice.event.as_str(),
        "text": notice.text,
        "seen": clean(cause.detail.as_bytes(), DETAIL),
        "whose": clean(cause.contact.as_deref().unwrap_or(cause.owner.as_str()).as_bytes(), DETAIL),
        "do": cause.action(),
        "affected": notice.affected,
        "domains": domains,
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn domains(notice: &Notice, most: usize) -> Vec<String> {
    let affected = notice.incident.iter().flat_map(|incident| &incident.affected);
    affected
        .filter_map(|one| match &one.target {
            Target::Domain(name) => Some(name.to_string()),
            Target::Route(..) => Some(one.target.to_string()),
            _ => None,
        })
        .take(most)
        .collect()
}
