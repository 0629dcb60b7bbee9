//! The status page: written by the server, whole in one request, of use without JavaScript; a small script then
//! keeps it up to date from the event stream.
//!
//! Every text goes through the templates' escaping; nothing here marks a text as safe but our own style sheet
//! and script, which the security policy names by their hashes.

mod bars;
mod cards;
mod check;
mod clients;
mod detail;
mod digest;
mod door;
mod explain;
mod incident;
mod index;
mod outside;
mod plain;
mod quiet;
mod report;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest as hash_of};
use jiff::Timestamp;

use super::ours::Explained;
use super::words;
use crate::model::{ClientId, Incident, State, Verdict, base64};
use crate::snapshot::{ClientView, Snapshot};

pub(super) use check::Asked;
pub(super) use digest::Period;
pub(super) use door::Login;
pub(super) use incident::silenced_by;
pub(super) use index::IndexQuery;
pub(super) use quiet::Wished;

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/live.js");
/// For whoever comes by a link: no events, nothing but times and the page anew.
const OUTSIDE_SCRIPT: &str = include_str!("assets/outside.js");

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
    /// What every page says on top.
    notice: Option<String>,
    /// The name of the page in the list of pages, where it is there.
    here: &'static str,
    /// Whether people sign in.
    account: bool,
}

impl Frame {
    fn new(title: impl Into<String>, tone: State, view: &View<'_>) -> Self {
        Self {
            title: title.into(),
            tone,
            style: STYLE,
            script: SCRIPT,
            version: env!("CARGO_PKG_VERSION"),
            at: words::Moment::new(view.snapshot.at, view.now),
            uptime: words::duration(view.snapshot.started, view.now),
            notice: view.notice.map(str::to_owned),
            here: "",
            account: view.account,
        }
    }

    /// Marks the page in the list of pages.
    fn here(self, here: &'static str) -> Self {
        Self { here, ..self }
    }
}

/// What a page is written from.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// What is known.
    pub(super) snapshot: &'a Snapshot,
    /// What every page says on top.
    pub(super) notice: Option<&'a str>,
    /// The time.
    pub(super) now: Timestamp,
    /// Whether people sign in.
    pub(super) account: bool,
}

/// The front page, for somebody who has seen what was before `since`.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn index(view: &View<'_>, query: &IndexQuery, since: Timestamp) -> askama::Result<String> {
    index::Index::new(view, query, since).render()
}

/// What happened in a period, for somebody who looked last at `before`.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn digest(
    view: &View<'_>,
    incidents: &[Arc<Incident>],
    period: Period,
    before: Option<Timestamp>,
) -> askama::Result<String> {
    digest::DigestPage::new(view, incidents, period, before).render()
}

/// The box that asks whether somebody can mail a domain, and what was found, or why nothing was. What was found comes
/// with whether it is watched all the time.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn check(
    view: &View<'_>,
    asked: &Asked<'_>,
    found: Option<Result<(&Verdict, bool), &str>>,
) -> askama::Result<String> {
    check::CheckPage::new(view, asked, found).render()
}

/// The box that takes a message, and what it says, or why nothing can be said.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn explain(
    view: &View<'_>,
    message: &str,
    found: Option<Result<&Explained, &str>>,
) -> askama::Result<String> {
    explain::ExplainPage::new(view, message, found).render()
}

/// What people keep quiet, and the form that does; `problem` says why what was filled in was not taken.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn quiet(view: &View<'_>, wished: &Wished<'_>, problem: Option<&str>) -> askama::Result<String> {
    quiet::QuietPage::new(view, wished, problem).render()
}

/// The page of one domain, with the turns that its history is drawn from, the oldest first.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn domain(
    view: &View<'_>,
    verdict: &Verdict,
    turns: &[(Timestamp, State)],
) -> askama::Result<String> {
    detail::DomainPage::new(view, verdict, turns).render()
}

/// The page of one incident.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn incident(view: &View<'_>, incident: &Incident) -> askama::Result<String> {
    detail::IncidentPage::new(view, incident).render()
}

/// What is known of one incident, to be printed and handed on.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn report(view: &View<'_>, incident: &Incident) -> askama::Result<String> {
    report::Report::new(view, incident).render()
}

/// The page for what does not exist; `what` says so in a sentence.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn missing(view: &View<'_>, what: &str) -> askama::Result<String> {
    detail::MissingPage::new(view, what).render()
}

/// The page at the door.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn login(login: &Login) -> askama::Result<String> {
    door::LoginPage::new(login).render()
}

/// What a client sees of its own mail; `over` are incidents that have ended, the latest first.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn client(view: &View<'_>, client: &ClientView, over: &[Incident]) -> askama::Result<String> {
    outside::ClientPage::new(view, client, over).render()
}

/// The page by which an incident is taken on.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn take(view: &View<'_>, incident: &Incident) -> askama::Result<String> {
    outside::TakePage::new(view, incident).render()
}

/// What a link that opens nothing leads to.
///
/// # Errors
/// Only if formatting itself fails.
pub(super) fn closed(why: &str) -> askama::Result<String> {
    outside::ClosedPage::new(why).render()
}

/// The verdicts on a client's domains, by name.
fn parts_of<'a>(snapshot: &'a Snapshot, client: &ClientId) -> impl Iterator<Item = &'a Verdict> {
    let domains = snapshot.domains.values().map(|verdict| &**verdict);
    domains.filter(move |verdict| verdict.client.as_ref() == Some(client))
}

/// The content security policy of everything that we serve: our own style and script by their hashes, our own
/// event stream, and nothing else from anywhere.
pub(super) fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}' 'sha256-{}'; connect-src 'self'; \
             img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT),
            hash(OUTSIDE_SCRIPT)
        )
    });
    &POLICY
}

fn hash(text: &str) -> String {
    base64::encode(hash_of(&SHA256, text.as_bytes()).as_ref())
}
