//! `ntfy`: pushes to phones, as JSON to the server of a topic.

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Url};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::text::Signal;
use super::{Failure, Pace, Secret, SetupError, http};
use crate::model::{Event, Message, Notice};

/// ntfy takes 60 messages at once, then one each five seconds.
pub(super) const PACE: Pace = Pace {
    at_once: 60,
    every: Duration::from_secs(5),
};
/// The most bytes of a message: a longer one would arrive as a file.
const MESSAGE: usize = 4096;

/// What ntfy needs.
#[derive(Debug, Clone)]
pub struct NtfySettings {
    /// The topic's URL.
    pub url: String,
    /// An access token.
    pub token: Option<Secret>,
}

/// Pushes to phones.
#[derive(Debug)]
pub struct Ntfy {
    client: Client,
    server: Url,
    topic: String,
    token: Option<Secret>,
}

impl Ntfy {
    /// A topic.
    ///
    /// # Errors
    /// [`SetupError`] when the URL has no topic at its end, or TLS cannot be set up.
    pub fn new(settings: NtfySettings) -> Result<Self, SetupError> {
        let failed = || SetupError("a topic's URL ends with the topic: https://ntfy.sh/TOPIC".into());
        let mut server: Url = settings.url.parse().map_err(|_| failed())?;
        server.set_query(None);
        server.set_fragment(None);
        let topic = server
            .path_segments()
            .and_then(|mut segments| segments.rfind(|segment| !segment.is_empty()))
            .map(str::to_owned)
            .ok_or_else(failed)?;
        server
            .path_segments_mut()
            .map_err(|()| failed())?
            .pop_if_empty()
            .pop();
        Ok(Self {
            client: http::client()?,
            server,
            topic,
            token: settings.token,
        })
    }

    /// Pushes one message.
    ///
    /// # Errors
    /// [`Failure`]: permanent for a token or topic that the server refuses; passing for 429 and 5xx.
    pub(super) async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let body = push(&message.notice, &self.topic);
        let mut request = self.client.post(self.server.clone()).json(&body);
        let token = match &self.token {
            Some(token) => Some(token.reveal().await?),
            None => None,
        };
        let token = token.as_ref().map_or("", |token| token.expose_secret().trim());
        if !token.is_empty() {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| Failure::permanent("the token cannot be sent"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        http::send(request, &[token], now).await.map(drop)
    }
}

fn push(notice: &Notice, topic: &str) -> Value {
    let signal = Signal::of(notice);
    let tag = match signal {
        Signal::Alarm => "rotating_light",
        Signal::Warning => "warning",
        Signal::Seen => "eyes",
        Signal::Over => "white_check_mark",
        Signal::Note => "information_source",
    };
    let mut push = json!({
        "topic": topic,
        "title": notice.subject,
        "message": cut(&notice.text, MESSAGE),
        "priority": priority(notice.event, signal),
        "tags": [tag],
    });
    if let Some(url) = &notice.url {
        push["click"] = json!(url);
        let view = |label: &str, url: &str| json!({ "action": "view", "label": label, "url": url });
        let take = notice.take_url.iter().map(|url| view("Take it on", url));
        push["actions"] = std::iter::once(view("Open", url)).chain(take).collect();
    }
    push
}

/// How loudly the phone tells it, from 1 to 5: what begins wakes, what merely changes is heard, and that somebody
/// has seen it, or that it is over, need wake nobody.
fn priority(event: Event, signal: Signal) -> u8 {
    match (signal, event) {
        (Signal::Alarm, Event::Updated) => 4,
        (Signal::Alarm, _) => 5,
        (Signal::Warning | Signal::Over | Signal::Note, _) => 3,
        (Signal::Seen, _) => 2,
    }
}

/// The beginning of a text, of at most so many bytes.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
