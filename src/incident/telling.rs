//! When somebody is to be told: which message about an incident is due next, and when.

use std::time::Duration;

use jiff::Timestamp;

use super::lifecycle::{Announcement, Lifecycle};
use super::record::{Record, after, clock, log};
use crate::incident::Policy;
use crate::model::{Event, Incident, Severity, Told};

/// What will come of an incident that nobody was told of yet, in words.
pub(super) fn outlook(policy: &Policy, record: &Record) -> String {
    if record.row.awaits_resolution() {
        return "it has been told already".into();
    }
    match opening_due(policy, record) {
        Ok(at) => format!("is told at {} unless it ends before", clock(at)),
        Err(Silence::Info) => "is not told: information only".into(),
        Err(Silence::FirstSight) => "is not told: it was so when first seen".into(),
        Err(Silence::Acknowledged) => "is not told: somebody has acknowledged it".into(),
    }
}

/// Why an incident is not told at all.
enum Silence {
    Info,
    FirstSight,
    Acknowledged,
}

/// When an incident's opening is to be told: once it has lasted for `page_after`, counted from the first of its
/// targets that were well before, and once `group_wait` has gathered the others.
fn opening_due(policy: &Policy, record: &Record) -> Result<Timestamp, Silence> {
    let row = &record.row;
    if row.acknowledged.is_some() {
        return Err(Silence::Acknowledged);
    }
    let wait = policy
        .page_after(row.cause.code, row.severity)
        .ok_or(Silence::Info)?
        .max(policy.group_wait);
    let wait = wait.saturating_add(policy.step_after(0).unwrap_or_default());
    let since = record.news_since.ok_or(Silence::FirstSight)?;
    Ok(after(since, wait))
}

/// The next message about an open incident, and when it is due.
pub(super) fn message_due(policy: &Policy, record: &Record) -> Option<(Event, Timestamp)> {
    let row = &record.row;
    let quiet = row.held.as_ref().filter(|_| record.hold_stands);
    let candidates = match row.told.as_ref().filter(|_| row.awaits_resolution()) {
        None => [opening(policy, record), None, None, None],
        Some(told) => [
            acknowledgement(row),
            update(policy, record),
            escalation_due(policy, row, told).map(|at| (Event::Escalated, at)),
            repeat_due(policy, row, told).map(|at| (Event::Repeated, at)),
        ],
    };
    candidates
        .into_iter()
        .flatten()
        .map(|(event, at)| match quiet {
            // Whoever was told hears at once that somebody has taken it on.
            Some(held) if event != Event::Acknowledged => (event, at.max(held.until)),
            _ => (event, at),
        })
        .min_by_key(|(_, at)| *at)
}

fn opening(policy: &Policy, record: &Record) -> Option<(Event, Timestamp)> {
    let event = if record.row.announced.is_some() {
        Event::Reopened
    } else {
        Event::Opened
    };
    Some((event, opening_due(policy, record).ok()?))
}

fn acknowledgement(row: &Incident) -> Option<(Event, Timestamp)> {
    let untold = row.acknowledged.as_ref().filter(|one| !one.told)?;
    Some((Event::Acknowledged, untold.at))
}

fn update(policy: &Policy, record: &Record) -> Option<(Event, Timestamp)> {
    let since = record.untrue_since?;
    (record.row.severity != Severity::Info).then(|| (Event::Updated, after(since, policy.group_wait)))
}

/// Whether nobody has taken care of an incident yet.
fn is_waiting(row: &Incident) -> bool {
    row.acknowledged.is_none() && row.severity != Severity::Info
}

/// When the next step of the escalation is to be told: its time counts from when the beginning was told.
fn escalation_due(policy: &Policy, row: &Incident, told: &Told) -> Option<Timestamp> {
    if !is_waiting(row) {
        return None;
    }
    let of_step = |step| policy.step_after(step);
    let next = of_step(told.step.saturating_add(1))?;
    let gap = |from: Option<Duration>| next.saturating_sub(from.unwrap_or_default());
    let planned = after(told.begun_at.unwrap_or(told.at), gap(of_step(0)));
    // What quiet it fell into is no time in which somebody could have acknowledged.
    let resumed = told.resumed.map(|end| after(end, gap(of_step(told.step))));
    Some(resumed.map_or(planned, |at| at.max(planned)))
}

/// When whoever was told is to be told again.
fn repeat_due(policy: &Policy, row: &Incident, told: &Told) -> Option<Timestamp> {
    if !is_waiting(row) {
        return None;
    }
    let last = told.resumed.map_or(told.at, |end| end.max(told.at));
    Some(after(last, policy.repeat_interval?))
}

/// The messages that are due: ends first, then what goes on.
pub(super) fn due(life: &mut Lifecycle, now: Timestamp) -> Vec<Announcement> {
    let mut due: Vec<Announcement> = life
        .ended
        .values()
        .filter(|incident| incident.awaits_resolution())
        .map(|incident| Announcement {
            event: Event::Resolved,
            incident: incident.clone(),
        })
        .collect();
    for record in life.open.values_mut() {
        if record.told_is_true() {
            record.untrue_since = None;
        } else {
            record.untrue_since.get_or_insert(now);
        }
        if let Some((event, at)) = message_due(&life.policy, record)
            && at <= now
        {
            due.push(Announcement {
                event,
                incident: record.row.clone(),
            });
        }
    }
    due
}

/// What was to be held back until now no longer is.
pub(super) fn release(life: &mut Lifecycle, now: Timestamp) {
    for record in life.open.values_mut() {
        if record.ask_again.is_some_and(|at| at <= now) {
            record.ask_again = None;
            life.look_again.insert(record.row.id);
        }
        if record.row.held.as_ref().is_some_and(|held| held.until <= now) {
            let row = record.edit();
            if let Some(held) = row.held.take() {
                log(row, now, format!("no longer held back: {} is over", held.what()));
            }
            life.changed.insert(record.row.id, record.row.clone());
        }
    }
}
