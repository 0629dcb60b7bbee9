//! Reads logs of mail servers along: what became of the clients' mail, counted by destination, and what was last said on
//! the way to those that are watched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, MailLogFormat};
use crate::message::log::{Delivery, Writer, delivery};
use crate::model::{ClientId, DomainName, Fate, Report, ReportSource};
use crate::monitor::Deliveries;
use crate::net::Net;

use super::sources::{Health, Heard, Wires};

mod tail;

use tail::{Chunk, Tail};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);
/// How often is written down how far the log was read, while it grows.
const KEEP_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// What was written while we were away for longer than this is counted, and is no news.
const NEWS: SignedDuration = SignedDuration::from_mins(10);
/// Failures to one destination that are told of at one look; the last are the newest.
const MOST_TOLD: usize = 5;

/// A log that is read along.
#[derive(Debug)]
pub(super) struct Log {
    /// What it is called in alerts.
    pub(super) name: Arc<str>,
    pub(super) client: ClientId,
    path: PathBuf,
    writer: Writer,
    /// The destinations that are watched for this client.
    watched: BTreeSet<DomainName>,
}

/// How far a log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    place: tail::Place,
    at: Timestamp,
}

/// All logs of a configuration.
pub(super) fn configured(config: &Config) -> Vec<Arc<Log>> {
    let each = config.mail_logs.iter().map(|one| {
        let client = config.clients.iter().find(|client| client.id == one.client);
        let routes = client.into_iter().flat_map(|client| &client.routes);
        Arc::new(Log {
            name: format!("log {}", one.path.display()).into(),
            client: one.client.clone(),
            path: one.path.clone(),
            writer: match one.format {
                MailLogFormat::Postfix => Writer::Postfix,
                MailLogFormat::Exim => Writer::Exim,
            },
            watched: routes.map(|route| route.to.clone()).collect(),
        })
    });
    each.collect()
}

/// Follows a log until told to stop.
pub(super) async fn follow<N: Net>(net: Arc<N>, log: Arc<Log>, wires: Wires, stop: CancellationToken) {
    let mark: Option<Mark> = wires.marks.of(&log.name);
    let began = net.now();
    let mut is_news = mark.is_none_or(|mark| began.duration_since(mark.at) < NEWS);
    wires.tell(nothing_yet(&log)).await;
    let mut tail = Tail::new(&log.path, mark.map(|mark| mark.place));
    let mut health = Health::new(&log.name);
    let mut kept = (mark.map(|mark| mark.place), began);
    loop {
        let (now, own) = (net.now(), Arc::clone(&log));
        let read = tokio::task::spawn_blocking(move || {
            let read = tail
                .read()
                .map(|chunk| (tell(&own, &chunk, is_news, now), chunk.more));
            (tail, read)
        });
        let Ok((back, read)) = read.await else {
            tracing::error!(source = %log.name, "it is no longer read, by a fault of our own");
            return;
        };
        tail = back;
        let mut more = false;
        match read {
            Ok((heard, goes_on)) => {
                more = goes_on;
                is_news |= !goes_on;
                wires.tell(heard).await;
                wires.tell(health.succeeded()).await;
            }
            Err(error) => {
                let reason = format!("{}: {error}", log.path.display());
                wires.tell(health.failed(&reason, false, now)).await;
            }
        }
        let place = tail.place();
        let ends = stop.is_cancelled();
        if place != kept.0 && (ends || now.duration_since(kept.1) >= KEEP_EVERY || kept.0.is_none()) {
            kept = (place, now);
            if let Some(place) = place {
                drop(wires.marks.keep(&log.name, &Mark { place, at: now }));
            }
        }
        if ends {
            return;
        }
        if !more {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

/// What is counted from the start.
fn nothing_yet(log: &Log) -> Heard {
    let destinations = log.watched.iter().cloned().map(Some).chain([None]);
    let deliveries = destinations.flat_map(|to| {
        let key = move |fate| (log.client.clone(), to.clone(), fate);
        Fate::ALL.map(|fate| (key(fate), 0))
    });
    Heard {
        deliveries: deliveries.collect(),
        ..Heard::default()
    }
}

/// What the lines of a log tell: each is counted, and of the watched destinations the last failures and the last success
/// are told of, in their order.
fn tell(log: &Log, chunk: &Chunk, is_news: bool, now: Timestamp) -> Heard {
    let mut deliveries = Deliveries::new();
    let mut news: BTreeMap<DomainName, Vec<Report>> = BTreeMap::new();
    for (index, line) in chunk.lines.iter().enumerate() {
        let Some(delivery) = delivery(line, log.writer) else {
            continue;
        };
        let to = delivery.to.clone().filter(|to| log.watched.contains(to));
        let key = (log.client.clone(), to.clone(), delivery.fate);
        *deliveries.entry(key).or_default() += 1;
        let Some(to) = to.filter(|_| is_news) else {
            continue;
        };
        // Of one look all would be at the same time; their order matters.
        let later = SignedDuration::from_micros(i64::try_from(index).unwrap_or(0));
        let report = report(log, &to, delivery, now.saturating_add(later).unwrap_or(now));
        let told = news.entry(to).or_default();
        if report.fate == Fate::Sent {
            told.clear();
        } else if told.len() > MOST_TOLD {
            // The first may be a success, which what follows does not undo.
            let oldest = usize::from(told[0].fate == Fate::Sent);
            told.remove(oldest);
        }
        told.push(report);
    }
    Heard {
        reports: news.into_values().flatten().collect(),
        deliveries,
        ..Heard::default()
    }
}

fn report(log: &Log, to: &DomainName, delivery: Delivery, at: Timestamp) -> Report {
    Report {
        client: log.client.clone(),
        to: to.clone(),
        at,
        source: ReportSource::Log,
        fate: delivery.fate,
        code: delivery.code,
        recipient: Some(delivery.recipient),
        by: delivery.by,
        said: delivery.said,
    }
}

#[cfg(test)]
mod tests;
