//! A message that somebody sent to a mailbox for bounces, from outside: who sent it, whether an answer is allowed, and
//! when the bounce that it brings is from.

use jiff::Timestamp;

use super::authentication_results::{findings, results, vouches};
use super::mime::{Headers, Part};
use super::{LONGEST, address};
use crate::model::text::clean;

/// Characters of a Message-ID that are kept (RFC 5322 2.1.1: no line is longer).
const LONGEST_ID: usize = 998;
/// Message-IDs that an answer refers to besides the message's own.
const MOST_REFERENCES: usize = 20;

/// Checks of where a message comes from that are kept.
const MOST_CHECKS: usize = 10;

/// What a server says that checked where a message comes from (RFC 8601). Anybody can write that into a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What that server calls itself, in lower case; empty: it does not say.
    pub server: String,
    /// Whether it vouches for the domain in From.
    pub vouches: bool,
}

/// What a message is from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// Who sent it, where that is one address.
    pub from: Option<String>,
    /// Its Message-ID, in its brackets.
    pub id: Option<String>,
    /// What it answers itself, the oldest first.
    pub references: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Whether a machine wrote it, so that nobody may answer (RFC 3834 2).
    pub by_machine: bool,
    /// Whether the mailbox's own server found that it does not come from whom it names.
    pub is_forged: bool,
    /// Every check of where it comes from that is written in it, that of the last server first.
    pub checks: Vec<Check>,
    /// When the bounce was written that it is or brings attached, where that is said.
    pub bounced: Option<Timestamp>,
}

/// Reads a message from outside. Never fails: what is not there is not there.
pub fn letter(message: &[u8]) -> Letter {
    let whole = Part::parse(&message[..message.len().min(LONGEST)]);
    let headers = &whole.headers;
    let from = sender(headers);
    let ids = |name: &str| -> Vec<String> {
        let value = headers.get(name).unwrap_or_default();
        value.split_ascii_whitespace().filter_map(id).collect()
    };
    let mut references = ids("references");
    references.drain(..references.len().saturating_sub(MOST_REFERENCES));
    let checks = checks(headers, from.as_deref().unwrap_or_default());
    Letter {
        checks,
        by_machine: from.is_none() || is_by_machine(&whole, from.as_deref().unwrap_or_default()),
        from,
        id: ids("message-id").into_iter().next(),
        references,
        subject: clean(headers.get("subject").unwrap_or_default().as_bytes(), 200),
        is_forged: is_forged(headers),
        bounced: bounced(&whole),
    }
}

/// The one address in From.
fn sender(headers: &Headers<'_>) -> Option<String> {
    let mut senders = headers.all("from");
    let (only, None) = (senders.next()?, senders.next()) else {
        return None;
    };
    // A display name may hold another address: that in brackets counts.
    let bare = match only.rsplit_once('<') {
        Some((_, bracketed)) => bracketed.split('>').next()?,
        None => only.as_str(),
    };
    let mut found = address::all(bare);
    let (address, None) = (found.next()?, found.next()) else {
        return None;
    };
    let (local, domain) = address.rsplit_once('@')?;
    let plain = address.is_ascii() && !address.contains(['"', ' ', '<', '>', '\\']);
    plain.then(|| format!("{local}@{}", domain.to_ascii_lowercase()))
}

/// A Message-ID in its brackets, without anything that could end a header.
fn id(word: &str) -> Option<String> {
    let inner = word.strip_prefix('<')?.strip_suffix('>')?;
    let plain = inner
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte));
    (plain && !inner.is_empty() && inner.len() <= LONGEST_ID - 20).then(|| word.to_owned())
}

/// RFC 3834 2, and what else says that nobody reads an answer.
fn is_by_machine(whole: &Part<'_>, from: &str) -> bool {
    let headers = &whole.headers;
    let submitted = headers.lower("auto-submitted");
    let precedence = headers.lower("precedence");
    let suppressed = headers.lower("x-auto-response-suppress");
    let null_path = headers.get("return-path").is_some_and(|path| path.trim() == "<>");
    let local = from.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let nobody = [
        "mailer-daemon",
        "postmaster",
        "noreply",
        "no-reply",
        "donotreply",
        "do-not-reply",
    ];
    !matches!(submitted.split(';').next().map(str::trim), Some("" | "no"))
        || matches!(precedence.trim(), "bulk" | "junk" | "list" | "auto_reply")
        || ["all", "autoreply", "oof"]
            .iter()
            .any(|word| suppressed.contains(word))
        || [
            "list-id",
            "list-unsubscribe",
            "x-loop",
            "x-autoreply",
            "x-autorespond",
        ]
        .iter()
        .any(|name| headers.has(name))
        || null_path
        || nobody.contains(&local.as_str())
        || local.starts_with("bounce")
        || whole.kind() == "multipart/report"
}

fn checks(headers: &Headers<'_>, from: &str) -> Vec<Check> {
    let domain = from.rsplit('@').next().unwrap_or_default();
    let all = headers.all("authentication-results").take(MOST_CHECKS);
    let read = all.filter_map(|value| findings(&value));
    read.map(|(server, found)| Check {
        server: server.to_ascii_lowercase(),
        vouches: vouches(&found, domain),
    })
    .collect()
}

/// Whether the server that took it, whose stamp stands on top, found it forged: DMARC says so, or where there is no DMARC,
/// SPF does and no signature says otherwise.
fn is_forged(headers: &Headers<'_>) -> bool {
    let Some((_, found)) = headers
        .get("authentication-results")
        .and_then(|value| results(&value))
    else {
        return false;
    };
    let is = |method: &str, result: &str| {
        found
            .iter()
            .any(|one| one.method == method && one.result == result)
    };
    let dmarc_passes = is("dmarc", "pass");
    is("dmarc", "fail") || (is("spf", "fail") && !is("dkim", "pass") && !dmarc_passes)
}

/// The date of the first attached message, or of the message itself where it is a report.
fn bounced(whole: &Part<'_>) -> Option<Timestamp> {
    if whole.kind() == "multipart/report" {
        return date(&whole.headers);
    }
    let leaves = whole.leaves();
    let attached = leaves
        .iter()
        .find(|leaf| matches!(leaf.kind(), "message/rfc822" | "message/global"))?;
    let bytes = attached.bytes(LONGEST);
    date(&Part::parse(&bytes).headers)
}

fn date(headers: &Headers<'_>) -> Option<Timestamp> {
    let seconds = mailparse::dateparse(&headers.get("date")?).ok()?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests;
