//! What is written.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::model::{Deed, Hand, Incident, Message, Outcome, Target};
use crate::store::{Batch, Fact, StoreError, Turn};

/// Writes a whole batch; the caller holds the transaction.
pub(super) fn batch(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    for target in &batch.forgotten {
        forget(connection, target)?;
    }
    for row in &batch.incidents {
        incident(connection, row)?;
    }
    for row in &batch.messages {
        message(connection, row)?;
    }
    for row in &batch.outcomes {
        outcome(connection, row)?;
    }
    for row in &batch.turns {
        turn(connection, row)?;
    }
    for target in &batch.seen {
        connection
            .prepare_cached("INSERT OR IGNORE INTO seen (target) VALUES (?1)")?
            .execute([key(target)?])?;
    }
    for row in &batch.facts {
        fact(connection, row)?;
    }
    for row in &batch.hands {
        hand(connection, row)?;
    }
    for row in &batch.deeds {
        deed(connection, row)?;
    }
    Ok(())
}

fn incident(connection: &Connection, row: &Incident) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO incident (id, open, opened, resolved, severity, code, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (id) DO UPDATE SET open = excluded.open, opened = excluded.opened,
                 resolved = excluded.resolved, severity = excluded.severity, code = excluded.code,
                 body = excluded.body",
        )?
        .execute(params![
            number(row.id.0),
            row.is_open(),
            row.opened.as_microsecond(),
            row.resolved.map(Timestamp::as_microsecond),
            row.severity.as_str(),
            row.cause.code.as_str(),
            serde_json::to_string(row)?,
        ])?;
    let clients: BTreeSet<&str> = row
        .affected
        .iter()
        .filter_map(|one| Some(one.client.as_ref()?.as_str()))
        .collect();
    for client in clients {
        connection
            .prepare_cached("INSERT OR IGNORE INTO incident_client (client, incident) VALUES (?1, ?2)")?
            .execute(params![client, number(row.id.0)])?;
    }
    Ok(())
}

fn message(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO outbox (id, incident, notifier, event, queued, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            number(row.id.0),
            row.incident().map(|id| number(id.0)),
            &*row.notifier,
            row.notice.event.as_str(),
            row.notice.at.as_microsecond(),
            serde_json::to_string(&*row.notice)?,
        ])?;
    Ok(())
}

/// Marks a message as done. Its text is dropped: what is worth keeping of it is in the incident.
fn outcome(connection: &Connection, row: &Outcome) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET done = ?2, attempts = ?3, failed = ?4, body = NULL WHERE id = ?1")?
        .execute(params![
            number(row.id.0),
            row.at.as_microsecond(),
            row.attempts,
            row.failed,
        ])?;
    Ok(())
}

fn turn(connection: &Connection, row: &Turn) -> Result<(), StoreError> {
    let target = key(&row.target)?;
    let values = params![
        target,
        row.at.as_microsecond(),
        row.state.as_str(),
        row.since.as_microsecond(),
        row.code.map(crate::model::Code::as_str),
    ];
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO verdict (target, at, state, since, code) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(values)?;
    connection
        .prepare_cached("INSERT INTO turn (target, at, state, since, code) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(values)?;
    Ok(())
}

fn fact(connection: &Connection, row: &Fact) -> Result<(), StoreError> {
    if row.value.is_null() {
        connection
            .prepare_cached("DELETE FROM fact WHERE subject = ?1 AND name = ?2")?
            .execute(params![row.subject, row.name])?;
    } else {
        connection
            .prepare_cached("INSERT OR REPLACE INTO fact (subject, name, value) VALUES (?1, ?2, ?3)")?
            .execute(params![row.subject, row.name, row.value.to_string()])?;
    }
    Ok(())
}

fn hand(connection: &Connection, row: &Hand) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO hand (id, over, body) VALUES (?1, ?2, ?3)")?
        .execute(params![
            number(row.id.0),
            row.ends().map(Timestamp::as_microsecond),
            serde_json::to_string(row)?,
        ])?;
    Ok(())
}

fn deed(connection: &Connection, row: &Deed) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO deed (at, body) VALUES (?1, ?2)")?
        .execute(params![row.at.as_microsecond(), serde_json::to_string(row)?])?;
    Ok(())
}

fn forget(connection: &Connection, target: &Target) -> Result<(), StoreError> {
    let target = key(target)?;
    for table in [
        "DELETE FROM seen WHERE target = ?1",
        "DELETE FROM verdict WHERE target = ?1",
    ] {
        connection.prepare_cached(table)?.execute([&target])?;
    }
    Ok(())
}

/// Forgets what ended before a time.
pub(super) fn prune(connection: &Connection, before: Timestamp) -> Result<(), StoreError> {
    let before = before.as_microsecond();
    for table in [
        "DELETE FROM outbox WHERE done < ?1",
        "DELETE FROM turn WHERE at < ?1",
        "DELETE FROM incident WHERE open = 0 AND resolved < ?1",
        "DELETE FROM hand WHERE over < ?1",
        "DELETE FROM deed WHERE at < ?1",
    ] {
        connection.execute(table, [before])?;
    }
    Ok(())
}

/// That we were alive at a time.
pub(super) fn beat(connection: &Connection, at: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO beat (id, at) VALUES (1, ?1)")?
        .execute([at.as_microsecond()])?;
    Ok(())
}

/// A target as a key.
pub(super) fn key(target: &Target) -> Result<String, StoreError> {
    Ok(serde_json::to_string(target)?)
}

/// A number of ours as SQLite's, which has no unsigned ones.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
