//! `teams`: posts an adaptive card into a channel, by a webhook of Workflows.
//!
//! All that others wrote stands in runs of rich text, in which Teams reads no Markdown.

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::text::Signal;
use super::{Failure, Pace, Secret, SetupError, http};
use crate::model::{Message, Notice};

/// Teams slows down who posts more than four messages in a second.
pub(super) const PACE: Pace = Pace {
    at_once: 4,
    every: Duration::from_secs(1),
};
/// The most bytes of a message. Our texts are bounded far below it, unless every character needs an escape.
const MESSAGE: usize = 28_000;

/// Posts cards.
#[derive(Debug)]
pub struct Teams {
    client: Client,
    url: Secret,
}

impl Teams {
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

    /// Posts one card.
    ///
    /// # Errors
    /// [`Failure`]: also when the answer says 2xx, and in its text that the card did not get through.
    pub(super) async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let hook = http::SecretUrl::reveal(&self.url).await?;
        let request = self.client.post(hook.url.clone()).json(&post(&message.notice));
        let answer = http::send(request, &hook.hidden(), now).await?;
        let Some(Complaint { status }) = complaint(&answer) else {
            return Ok(());
        };
        let reason = format!("Teams did not take it{}", http::said(&answer, &hook.hidden()));
        Err(match status {
            Some(status) if !http::passes(status) => Failure::permanent(reason),
            _ => Failure::passing(reason),
        })
    }
}

/// An answer with 2xx that refuses the message all the same.
struct Complaint {
    /// What the channel behind answered, where it says so.
    status: Option<StatusCode>,
}

/// What an answer complains of: nothing, a `1` and JSON without an `error` mean that the message was taken, every
/// other text is a complaint.
fn complaint(answer: &[u8]) -> Option<Complaint> {
    let text = String::from_utf8_lossy(answer.trim_ascii());
    if text.is_empty() || text == "1" {
        return None;
    }
    if let Ok(json) = serde_json::from_str::<Value>(&text) {
        let error = json.get("error")?;
        let code = error.get("code").or_else(|| json.get("statusCode"));
        let code = code.and_then(Value::as_u64);
        let status = code.and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
        return Some(Complaint { status });
    }
    // "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ..."
    let status = text
        .split_once("HTTP error ")
        .and_then(|(_, rest)| rest.get(..3)?.parse().ok());
    Some(Complaint { status })
}

fn post(notice: &Notice) -> Value {
    let mut text = notice.text.clone();
    loop {
        let post = card(notice, &text);
        let (size, length) = (post.to_string().len(), text.chars().count());
        if size <= MESSAGE || length < 2 {
            return post;
        }
        text = text.chars().take(length / 2).chain(['…']).collect();
    }
}

fn card(notice: &Notice, text: &str) -> Value {
    let colour = match Signal::of(notice) {
        Signal::Alarm => "attention",
        Signal::Warning => "warning",
        Signal::Seen => "accent",
        Signal::Over => "good",
        Signal::Note => "default",
    };
    let heading = json!({ "type": "TextRun", "text": notice.subject, "weight": "bolder", "size": "medium", "color": colour });
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": notice.subject,
        "msteams": { "width": "Full" },
        "body": [
            { "type": "RichTextBlock", "inlines": [heading] },
            { "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text }] },
        ],
    });
    if let Some(url) = &notice.url {
        let open = |title: &str, url: &str| json!({ "type": "Action.OpenUrl", "title": title, "url": url });
        let take = notice.take_url.iter().map(|url| open("Take it on", url));
        content["actions"] = std::iter::once(open("Open in mailflow", url))
            .chain(take)
            .collect();
    }
    json!({
        "type": "message",
        "summary": notice.subject,
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        }],
    })
}
