//! `webhook`: posts JSON (`contract`, HTTP), or whatever a template makes of it, signed where a secret is set.
//!
//! A field of an answer can be kept, a ticket's number: it is there for the template and the address of every later
//! message about the same incident.

mod fields;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{Failure, Secret, SetupError, http};
use crate::model::Message;
use crate::model::template::{Field, Template};
use crate::model::text::clean;

/// The header with the signature: `sha256=` and the HMAC of the body in hexadecimal.
const SIGNATURE: HeaderName = HeaderName::from_static("x-mailflow-signature");
/// The most characters of what is kept of an answer.
const KEPT: usize = 200;

/// What a webhook needs.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where to post to.
    pub url: Template,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
    /// The key to sign with.
    pub secret: Option<Secret>,
    /// A body other than ours.
    pub template: Option<Template>,
    /// Which part of the answer to keep, as a JSON pointer (RFC 6901).
    pub capture: Option<String>,
}

/// Posts JSON, or whatever a template makes of it.
#[derive(Debug)]
pub struct Webhook {
    client: Client,
    url: Template,
    headers: Vec<(HeaderName, Secret)>,
    secret: Option<Secret>,
    template: Option<Template>,
    capture: Option<String>,
}

impl Webhook {
    /// A webhook.
    ///
    /// # Errors
    /// [`SetupError`] when the address or a header's name is none, or TLS cannot be set up.
    pub fn new(settings: WebhookSettings) -> Result<Self, SetupError> {
        let headers = settings
            .headers
            .into_iter()
            .map(|(name, value)| match name.parse::<HeaderName>() {
                Ok(name) => Ok((name, value)),
                Err(error) => Err(SetupError(format!("header \"{name}\": {error}"))),
            })
            .collect::<Result<_, _>>()?;
        let url = settings.url.fill(&|_| Value::Null);
        url.parse::<Url>()
            .map_err(|error| SetupError(error.to_string()))?;
        Ok(Self {
            client: http::client()?,
            url: settings.url,
            headers,
            secret: settings.secret,
            template: settings.template,
            capture: settings.capture,
        })
    }

    /// Posts one message. `captured` is what was kept of an earlier answer; returns what is to be kept of this one.
    ///
    /// # Errors
    /// [`Failure`]: passing for everything on the way, 408, 425, 429 and 5xx; permanent for every other refusal.
    pub(super) async fn deliver(
        &self,
        message: &Message,
        captured: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<String>, Failure> {
        let field = |field: Field| fields::value(message, captured, field);
        let url: Url = self
            .url
            .fill(&field)
            .parse()
            .map_err(|error| Failure::permanent(format!("the filled address is none: {error}")))?;
        let body = match &self.template {
            Some(template) => template.fill(&field),
            None => fields::document(message).to_string(),
        };
        let headers = self.headers(&body).await?;
        let hidden = headers.iter().filter(|(_, value)| value.is_sensitive());
        let hidden = hidden.filter_map(|(_, value)| Some(value.to_str().ok()?.to_owned()));
        let hidden: Vec<String> = hidden.chain(http::secrets_of(&url)).collect();
        let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
        let request = self.client.post(url).headers(headers).body(body);
        let answer = http::send(request, &hidden, now).await?;
        Ok(self.kept(&answer, captured))
    }

    /// What is to be kept of an answer. One that lacks it costs the reference, not the message.
    fn kept(&self, answer: &[u8], captured: Option<&str>) -> Option<String> {
        let pointer = self.capture.as_deref().filter(|_| captured.is_none())?;
        let document: Option<Value> = serde_json::from_slice(answer).ok();
        let kept = match document.as_ref().and_then(|document| document.pointer(pointer)) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        // It may become part of an address, where dots climb up.
        let usable = !kept.is_empty() && kept.chars().count() <= KEPT && kept.chars().any(|c| c != '.');
        if !usable {
            tracing::warn!(
                pointer,
                "the answer has nothing to keep there: later messages cannot refer to it"
            );
            return None;
        }
        Some(clean(kept.as_bytes(), KEPT))
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
