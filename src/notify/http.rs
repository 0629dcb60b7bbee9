//! What all notifiers that post over HTTP share: one way to ask, and one way to take the answer.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Failure, Secret, SetupError};
use crate::model::text::clean;

/// How long the connection, and the whole exchange, may take.
const CONNECT: Duration = Duration::from_secs(10);
const EXCHANGE: Duration = Duration::from_secs(25);
/// How much is read of an answer that takes the message, in bytes: enough for a ticket with all its fields.
const ANSWER: usize = 64 * 1024;
/// How much is read of a refusal, in bytes, and the most characters of it that are shown: enough to say why.
const REFUSAL: usize = 512;
const SHOWN: usize = 128;

/// A client for posting to somebody else's service.
///
/// # Errors
/// [`SetupError`] when TLS cannot be set up.
pub(super) fn client() -> Result<Client, SetupError> {
    Client::builder()
        .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
        // Somebody else's redirect is no place for our keys and signatures.
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .timeout(EXCHANGE)
        .build()
        .map_err(|error| SetupError(error.to_string()))
}

/// Sends a request and gives what the other side said when it took it, bounded. What is `hidden` is blotted out
/// where the other side repeats it.
///
/// # Errors
/// [`Failure`]: passing for everything on the way, 408, 425, 429 and 5xx; permanent for every other refusal.
pub(super) async fn send(
    request: RequestBuilder,
    hidden: &[&str],
    now: Timestamp,
) -> Result<Vec<u8>, Failure> {
    let response = request
        .send()
        .await
        .map_err(|error| Failure::passing(without_secrets(error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(beginning(response, ANSWER).await);
    }
    let retry_after = retry_after(response.headers(), now);
    let said = said(&beginning(response, REFUSAL).await, hidden);
    let reason = format!("the receiver answered {status}{said}");
    Err(if passes(status) {
        Failure::passing(reason).asking_to_wait(retry_after)
    } else {
        Failure::permanent(reason)
    })
}

/// Whether a refusal with this status may not be the last word.
pub(super) fn passes(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// What the other side said, to be put after what it did.
pub(super) fn said(answer: &[u8], hidden: &[&str]) -> String {
    let mut text = String::from_utf8_lossy(answer.trim_ascii()).into_owned();
    for secret in hidden.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(*secret, "…");
    }
    if text.is_empty() {
        text
    } else {
        format!(": {}", clean(text.as_bytes(), SHOWN))
    }
}

/// What of an address may let others post, and must not be shown when the other side repeats it.
pub(super) fn secrets_of(url: &Url) -> Vec<String> {
    let path = Some(url.path()).filter(|path| path.len() > 1);
    [Some(url.as_str()), path, url.query(), url.password()]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

/// A URL that is a secret, as who has it can post.
pub(super) struct SecretUrl {
    pub(super) url: Url,
    text: SecretString,
}

impl SecretUrl {
    /// Fetches it.
    ///
    /// # Errors
    /// [`Failure::Passing`] when it cannot be had, or is no URL at the moment.
    pub(super) async fn reveal(secret: &Secret) -> Result<Self, Failure> {
        let text = secret.reveal().await?;
        let url: Option<Url> = text.expose_secret().trim().parse().ok();
        match url.filter(|url| matches!(url.scheme(), "http" | "https")) {
            Some(url) => Ok(Self { url, text }),
            None => Err(Failure::passing(
                "the secret that should be the hook's URL is none",
            )),
        }
    }

    /// What must not be shown of it.
    pub(super) fn hidden(&self) -> [&str; 2] {
        let path = self.url.path();
        [
            self.text.expose_secret().trim(),
            if path.len() > 1 { path } else { "" },
        ]
    }
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

/// The first bytes of what the receiver says.
async fn beginning(mut response: Response, most: usize) -> Vec<u8> {
    let mut said = Vec::new();
    while said.len() < most {
        match response.chunk().await {
            Ok(Some(chunk)) => said.extend_from_slice(&chunk[..chunk.len().min(most - said.len())]),
            _ => break,
        }
    }
    said
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
