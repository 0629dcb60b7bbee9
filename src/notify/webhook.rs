//! `webhook`: posts JSON (`contract`, HTTP), signed where a secret is set.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Failure, Secret, SetupError};
use crate::model::text::clean;
use crate::model::{Incident, Message, Target};

/// How long the connection, and the whole exchange, may take.
const CONNECT: Duration = Duration::from_secs(10);
const EXCHANGE: Duration = Duration::from_secs(25);
/// How much of an answer is read, in bytes: enough to say why a message was not taken.
const ANSWER: usize = 512;
/// The header with the signature: `sha256=` and the HMAC of the body in hexadecimal.
const SIGNATURE: HeaderName = HeaderName::from_static("x-mailflow-signature");

/// What a webhook needs.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where to post to.
    pub url: String,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
    /// The key to sign with.
    pub secret: Option<Secret>,
}

/// Posts JSON.
#[derive(Debug)]
pub struct Webhook {
    client: Client,
    url: Url,
    headers: Vec<(HeaderName, Secret)>,
    secret: Option<Secret>,
}

impl Webhook {
    /// A webhook.
    ///
    /// # Errors
    /// [`SetupError`] when the address or a header's name is none, or TLS cannot be set up.
    pub fn new(settings: WebhookSettings) -> Result<Self, SetupError> {
        let failed = |error: &dyn std::fmt::Display| SetupError(error.to_string());
        let headers = settings
            .headers
            .into_iter()
            .map(|(name, value)| match name.parse::<HeaderName>() {
                Ok(name) => Ok((name, value)),
                Err(error) => Err(SetupError(format!("header \"{name}\": {error}"))),
            })
            .collect::<Result<_, _>>()?;
        let client = Client::builder()
            .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
            // Somebody else's redirect is no place for our headers and signature.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(EXCHANGE)
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self {
            client,
            url: settings.url.parse().map_err(|error| failed(&error))?,
            headers,
            secret: settings.secret,
        })
    }

    /// Posts one message.
    ///
    /// # Errors
    /// [`Failure`]: passing for everything on the way, 408, 425, 429 and 5xx; permanent for every other refusal.
    pub(super) async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let body = body(message).to_string();
        let headers = self.headers(&body).await?;
        let response = self
            .client
            .post(self.url.clone())
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(|error| Failure::passing(without_secrets(error)))?;
        judge(response, now).await
    }

    async fn headers(&self, body: &str) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, secret) in &self.headers {
            let value = secret.reveal().await?;
            let mut value = HeaderValue::from_str(value.expose_secret())
                .map_err(|_| Failure::permanent(format!("the value of the header {name} cannot be sent")))?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        if let Some(secret) = &self.secret {
            let key = secret.reveal().await?;
            let signature = format!("sha256={}", sign(key.expose_secret().as_bytes(), body.as_bytes()));
            let value = HeaderValue::try_from(signature)
                .map_err(|_| Failure::permanent("the signature cannot be sent"))?;
            headers.insert(SIGNATURE, value);
        }
        Ok(headers)
    }
}

/// The HMAC-SHA256 (RFC 2104) of a body, in hexadecimal.
fn sign(key: &[u8], body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, body);
    tag.as_ref().iter().fold(String::new(), |mut hexadecimal, byte| {
        let _ = write!(hexadecimal, "{byte:02x}");
        hexadecimal
    })
}

/// The document that is posted.
fn body(message: &Message) -> Value {
    let notice = &message.notice;
    json!({
        "event": notice.event,
        "dedup_key": notice.dedup_key,
        "incident": notice.incident.as_deref().map(|incident| incident_json(incident, message)),
        "text": notice.text,
        "sent": notice.at,
    })
}

fn incident_json(incident: &Incident, message: &Message) -> Value {
    let domains: Vec<Value> = incident
        .affected
        .iter()
        .filter_map(|one| match &one.target {
            Target::Domain(domain) => Some(json!({
                "client": one.client,
                "domain": domain,
                "state": one.state,
            })),
            _ => None,
        })
        .collect();
    json!({
        "id": incident.id,
        "state": incident.state,
        "severity": incident.severity,
        "opened": incident.opened,
        "resolved": incident.resolved,
        "ended_by": incident.ended_by,
        "flapping": incident.flapping(),
        "cause": incident.cause,
        "domains": domains,
        "routes": [],
        "affected": message.notice.affected,
        "url": message.notice.url,
    })
}

async fn judge(response: Response, now: Timestamp) -> Result<(), Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let retry_after = retry_after(response.headers(), now);
    let said = beginning(response).await;
    let reason = format!("the receiver answered {status}{said}");
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    Err(match Failure::passing(&reason) {
        Failure::Passing { reason, .. } if passing => Failure::Passing { reason, retry_after },
        _ => Failure::permanent(reason),
    })
}

/// What the receiver asks us to wait (RFC 9110 10.2.3): a number of seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(date.duration_since(now)).ok()
}

/// The beginning of what the receiver says, to be shown.
async fn beginning(mut response: Response) -> String {
    let mut said = Vec::new();
    while said.len() < ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => said.extend_from_slice(&chunk[..chunk.len().min(ANSWER)]),
            _ => break,
        }
    }
    let said = clean(said.trim_ascii(), ANSWER / 4);
    if said.is_empty() {
        said
    } else {
        format!(": {said}")
    }
}

/// An error in words, with what it stands on, and without the address, which may hold a token.
fn without_secrets(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    words
}
