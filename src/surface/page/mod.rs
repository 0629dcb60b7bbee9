//! The status page: written by the server, whole in one request, of use without JavaScript; a small script then
//! keeps it up to date from the event stream.
//!
//! Every text goes through the templates' escaping; nothing here marks a text as safe but our own style sheet
//! and script, which the security policy names by their hashes.

mod cards;
mod detail;
mod index;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest;
use jiff::Timestamp;

use super::words;
use crate::model::{Incident, State, Verdict};
use crate::snapshot::Snapshot;

pub(super) use index::IndexQuery;

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/live.js");

/// What every page has around its content.
struct Frame {
    title: String,
    /// The colour of the browser tab's icon.
    tone: State,
    style: &'static str,
    script: &'static str,
    version: &'static str,
    /// The moment of the page, to the second.
    at: words::Moment,
    /// How long the daemon has been running.
    uptime: String,
}

impl Frame {
    fn new(title: impl Into<String>, tone: State, snapshot: &Snapshot, now: Timestamp) -> Self {
        Self {
            title: title.into(),
            tone,
            style: STYLE,
            script: SCRIPT,
            version: env!("CARGO_PKG_VERSION"),
            at: words::Moment::new(snapshot.at, now),
            uptime: words::duration(snapshot.started, now),
        }
    }
}

/// The front page.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn index(snapshot: &Snapshot, query: &IndexQuery, now: Timestamp) -> askama::Result<String> {
    index::Index::new(snapshot, query, now).render()
}

/// The page of one domain.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn domain(snapshot: &Snapshot, verdict: &Verdict, now: Timestamp) -> askama::Result<String> {
    detail::DomainPage::new(snapshot, verdict, now).render()
}

/// The page of one incident.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn incident(snapshot: &Snapshot, incident: &Incident, now: Timestamp) -> askama::Result<String> {
    detail::IncidentPage::new(snapshot, incident, now).render()
}

/// The page for what does not exist; `what` says so in a sentence.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn missing(snapshot: &Snapshot, what: &str, now: Timestamp) -> askama::Result<String> {
    detail::MissingPage::new(snapshot, what, now).render()
}

/// The content security policy of everything that we serve: our own style and script by their hashes, our own
/// event stream, and nothing else from anywhere.
pub(super) fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
             img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT)
        )
    });
    &POLICY
}

fn hash(text: &str) -> String {
    base64(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// Base64 with padding (RFC 4648 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0_u8; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes(group);
        for place in 0..4 {
            let index = (number >> (18 - 6 * place)) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            out.push(if place <= chunk.len() { letter.into() } else { '=' });
        }
    }
    out
}
