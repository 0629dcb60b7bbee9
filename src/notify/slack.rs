//! `slack`: posts into a channel by an incoming webhook.
//!
//! All that others wrote stands in plain text blocks, in which nothing is a link or a mention; the three characters
//! that Slack obeys are escaped everywhere.

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};

use super::text::Signal;
use super::{Failure, Pace, Secret, SetupError, http};
use crate::model::{Message, Notice};

/// Slack takes about one message a second for each channel.
pub(super) const PACE: Pace = Pace {
    at_once: 1,
    every: Duration::from_secs(1),
};
/// The most characters of a heading, of a block, and of the text that a phone shows, once they are escaped. Slack
/// takes 150, 3,000 and 40,000.
const HEADING: usize = 150;
const BLOCK: usize = 3000;

/// Posts into a channel.
#[derive(Debug)]
pub struct Slack {
    client: Client,
    url: Secret,
}

impl Slack {
    /// A channel, by the URL of its hook.
    ///
    /// # Errors
    /// [`SetupError`] when TLS cannot be set up.
    pub fn new(url: Secret) -> Result<Self, SetupError> {
        Ok(Self {
            client: http::client()?,
            url,
        })
    }

    /// Posts one message.
    ///
    /// # Errors
    /// [`Failure`]: permanent for what Slack refuses, such as a channel that is gone; passing for 429 and 5xx, and
    /// for an answer that is not Slack's.
    pub(super) async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let hook = http::SecretUrl::reveal(&self.url).await?;
        let request = self.client.post(hook.url.clone()).json(&post(&message.notice));
        let answer = http::send(request, &hook.hidden(), now).await?;
        if answer.trim_ascii() == b"ok" {
            return Ok(());
        }
        let said = http::said(&answer, &hook.hidden());
        Err(Failure::passing(format!("what answers there is not Slack{said}")))
    }
}

fn post(notice: &Notice) -> Value {
    let sign = match Signal::of(notice) {
        Signal::Alarm => "🔴",
        Signal::Warning => "🟡",
        Signal::Seen => "👀",
        Signal::Over => "✅",
        Signal::Note => "ℹ️",
    };
    let heading = format!("{sign} {}", notice.subject);
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(&heading, HEADING) }),
        json!({ "type": "section", "text": plain(&notice.text, BLOCK) }),
    ];
    if let Some(url) = &notice.url {
        // Nothing in a link's address may end it.
        let link = |url: &str, name: &str| {
            let url = escape(url, BLOCK / 2 - 50).replace('|', "%7C");
            format!("<{url}|{name}>")
        };
        let take = notice.take_url.iter().map(|url| link(url, "Take it on"));
        let links: Vec<String> = std::iter::once(link(url, "Open in mailflow"))
            .chain(take)
            .collect();
        let link = links.join(" · ");
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": link }] }));
    }
    json!({ "text": escape(&heading, BLOCK), "blocks": blocks })
}

fn plain(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": escape(text, most), "emoji": false })
}

/// A text in which Slack obeys nothing, of at most so many characters.
fn escape(text: &str, most: usize) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut left = most.saturating_sub(1);
    for character in text.chars() {
        let mut bytes = [0; 4];
        let shown = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            other => other.encode_utf8(&mut bytes),
        };
        let size = shown.chars().count();
        if size > left {
            escaped.push('…');
            break;
        }
        left -= size;
        escaped.push_str(shown);
    }
    escaped
}
