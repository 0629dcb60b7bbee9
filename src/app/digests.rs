//! The look back as a daily or weekly e-mail.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::engine::{Command, Engine, Lines};
use super::keeper::Keeper;
use crate::config::Config;
use crate::model::{Event, Incident, IncidentState, Notice, Times};
use crate::net::Net;
use crate::notify::Clock;
use crate::snapshot::Snapshot;
use crate::store::{Batch, Fact, IncidentFilter, Loaded};
use crate::surface::letter;

/// How often the clock is looked at: a machine may sleep, and clocks are set.
const EVERY: Duration = Duration::from_secs(30);
/// The most incidents that one looks back at; the newest count.
const MOST: usize = 10_000;
/// How far back one looks at the most, however long nobody was there to write one.
const FURTHEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// What marks the fact that one was sent.
const SUBJECT: &str = "mailflow";
const NAME: &str = "digest sent";

/// When it is written, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Digests {
    times: Times,
    notify: Vec<Arc<str>>,
    url: Option<String>,
}

impl Digests {
    /// As configured, if it is.
    pub fn configured(config: &Config) -> Option<Self> {
        let digest = config.alerting.digest.as_ref()?;
        let url = config.server.external_url.as_ref();
        Some(Self {
            times: digest.at.clone(),
            notify: digest.notify.iter().map(|name| name.as_str().into()).collect(),
            url: url.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        })
    }
}

/// Takes out of what a store remembers when the last one was sent.
pub(super) fn last_sent(memory: &mut Loaded) -> Option<Timestamp> {
    let is_ours = |fact: &mut Fact| fact.subject == SUBJECT && fact.name == NAME;
    let kept: Vec<Fact> = memory.facts.extract_if(.., is_ours).collect();
    kept.first().and_then(|fact| fact.value.as_str()?.parse().ok())
}

/// One that is to be sent.
pub struct Post {
    /// The moment that it was due.
    due: Timestamp,
    notice: Notice,
    notify: Vec<Arc<str>>,
}

/// What whoever writes them is wired to.
pub(super) struct Desk {
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) keeper: Keeper,
    pub(super) clock: Clock,
    /// Up to when everything was told.
    pub(super) sent: Option<Timestamp>,
}

/// Writes one whenever it is due, until told to stop. One that fell due while nobody was there is written late; of
/// several the last, looking back all the time.
pub(super) async fn run(
    mut settings: watch::Receiver<Option<Digests>>,
    mut desk: Desk,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
) {
    let started = (desk.clock)();
    loop {
        let configured = settings.borrow_and_update().clone();
        if let Some(post) = write(configured, &desk, started).await {
            desk.sent = Some(post.due);
            if commands.send(Command::Post(Box::new(post))).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = settings.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// The one that is due, if any.
async fn write(configured: Option<Digests>, desk: &Desk, started: Timestamp) -> Option<Post> {
    let configured = configured?;
    let now = (desk.clock)();
    let due = configured.times.last(now)?;
    if due <= desk.sent.unwrap_or(started) {
        return None;
    }
    let usual = || configured.times.before_last(now);
    let since = desk.sent.or_else(usual)?.max(due.checked_sub(FURTHEST).ok()?);
    let snapshot = Arc::clone(&desk.snapshots.borrow());
    let incidents = incidents(&snapshot, desk.keeper.clone(), since).await?;
    let told = letter(
        &incidents,
        &snapshot.clients,
        (since, due),
        configured.url.as_deref(),
    );
    let notice = Notice {
        event: Event::Digest,
        dedup_key: format!("mailflow-digest-{}", due.as_second()),
        at: now,
        incident: None,
        affected: 0,
        subject: told.subject,
        text: told.short,
        body: told.long,
        url: None,
    };
    Some(Post {
        due,
        notice,
        notify: configured.notify,
    })
}

/// The open ones, and those that ended since. `None`: the store cannot be read at the moment.
async fn incidents(snapshot: &Snapshot, keeper: Keeper, since: Timestamp) -> Option<Vec<Arc<Incident>>> {
    let mut found = snapshot.open_incidents.clone();
    let filter = IncidentFilter {
        state: Some(IncidentState::Resolved),
        lasted_until: Some(since),
        ..IncidentFilter::default()
    };
    let asked = tokio::task::spawn_blocking(move || {
        keeper.ask(move |store| {
            store
                .incidents(&filter, None, MOST)
                .map_err(|error| error.to_string())
        })
    });
    let over = match asked.await.ok()?? {
        Ok(over) => over,
        Err(error) => {
            tracing::error!("the digest waits, as the store cannot be read: {error}");
            return None;
        }
    };
    let over = over
        .into_iter()
        .filter(|one| found.iter().all(|open| open.id != one.id));
    let over: Vec<_> = over.map(Arc::new).collect();
    found.extend(over);
    Some(found)
}

impl<N: Net> Engine<N> {
    /// Puts one into the outbox, and writes down that it was.
    pub(super) async fn post(&mut self, post: Post, lines: &Lines) {
        let known = post
            .notify
            .into_iter()
            .filter(|name| self.notifiers.contains(name));
        let messages = self.pipeline.post(post.notice, known);
        tracing::info!(
            messages = messages.len(),
            "the digest that was due at {} goes out",
            post.due
        );
        let batch = Batch {
            messages: messages.clone(),
            facts: vec![Fact {
                subject: SUBJECT.into(),
                name: NAME.into(),
                value: post.due.to_string().into(),
            }],
            ..Batch::default()
        };
        let written = self.keeper.commit(batch);
        self.send(written, messages, lines).await;
    }
}

#[cfg(test)]
mod tests;
