//! The mail itself: plain text and HTML, headers that make an incident one thread, and none that anybody else
//! could have written.

use std::time::SystemTime;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::model::text::clean;
use crate::model::{Event, Message};

/// The most characters of a subject.
const SUBJECT: usize = 200;

/// Says that a machine wrote this, so that no other answers (RFC 3834 5).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// The mail, ready to send. It is the same whenever it is made, so that a repeated one is recognised.
pub(super) fn mail(message: &Message, from: &Mailbox, to: &[Mailbox]) -> Result<Vec<u8>, String> {
    let notice = &message.notice;
    let domain = from.email.domain();
    let thread = format!("<{}@{domain}>", notice.dedup_key);
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .subject(clean(notice.subject.as_bytes(), SUBJECT))
        .date(SystemTime::from(notice.at))
        .header(AutoSubmitted);
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    let builder = if matches!(notice.event, Event::Opened | Event::Digest | Event::Test) {
        builder.message_id(Some(thread))
    } else {
        builder
            .message_id(Some(format!("<{}.{}@{domain}>", notice.dedup_key, message.id)))
            .in_reply_to(thread.clone())
            .references(thread)
    };
    let page = page(&notice.body, notice.url.as_deref());
    let mail = builder
        .multipart(MultiPart::alternative_plain_html(notice.body.clone(), page))
        .map_err(|error| error.to_string())?;
    Ok(mail.formatted())
}

/// The text as a page that looks like it, with one link.
fn page(body: &str, url: Option<&str>) -> String {
    let link = match url {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
            format!("<p><a href=\"{0}\">{0}</a></p>", escape(url))
        }
        _ => String::new(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><body><div style=\"font-family: sans-serif; white-space: pre-wrap\">{}</div>\
         {link}</body></html>",
        escape(body)
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
