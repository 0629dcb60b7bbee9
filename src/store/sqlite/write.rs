//! What is written.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::model::{Deed, Hand, Incident, Message, Outcome, Target};
use crate::store::{Batch, Fact, StoreError, Turn};

/// How many rows that were refused are kept, and how much of each.
const MISFITS: i64 = 1000;
const MISFIT: usize = 64 * 1024;

/// One row of a batch.
#[derive(Debug, Clone, Copy)]
enum Row<'a> {
    Forgotten(&'a Target),
    Incident(&'a Incident),
    Message(&'a Message),
    Outcome(&'a Outcome),
    Turn(&'a Turn),
    Seen(&'a Target),
    Fact(&'a Fact),
    Hand(&'a Hand),
    Deed(&'a Deed),
}

/// The rows of a batch, in the order in which they are written.
fn rows(batch: &Batch) -> impl Iterator<Item = Row<'_>> {
    let forgotten = batch.forgotten.iter().map(Row::Forgotten);
    forgotten
        .chain(batch.incidents.iter().map(|row| Row::Incident(row)))
        .chain(batch.messages.iter().map(Row::Message))
        .chain(batch.outcomes.iter().map(Row::Outcome))
        .chain(batch.turns.iter().map(Row::Turn))
        .chain(batch.seen.iter().map(Row::Seen))
        .chain(batch.facts.iter().map(Row::Fact))
        .chain(batch.hands.iter().map(Row::Hand))
        .chain(batch.deeds.iter().map(Row::Deed))
}

impl Row<'_> {
    fn write(self, connection: &Connection) -> Result<(), StoreError> {
        match self {
            Self::Forgotten(row) => forget(connection, row),
            Self::Incident(row) => incident(connection, row),
            Self::Message(row) => message(connection, row),
            Self::Outcome(row) => outcome(connection, row),
            Self::Turn(row) => turn(connection, row),
            Self::Seen(row) => seen(connection, row),
            Self::Fact(row) => fact(connection, row),
            Self::Hand(row) => hand(connection, row),
            Self::Deed(row) => deed(connection, row),
        }
    }

    /// What it is, for people.
    fn name(self) -> String {
        match self {
            Self::Forgotten(row) => format!("that {row} is gone"),
            Self::Incident(row) => format!("incident #{}", row.id),
            Self::Message(row) => format!("message {} to {}", row.id.0, row.notifier),
            Self::Outcome(row) => format!("what became of message {} to {}", row.id.0, row.notifier),
            Self::Turn(row) => format!("that {} turned", row.target),
            Self::Seen(row) => format!("that {row} was seen"),
            Self::Fact(row) => format!("the fact {} of {}", row.name, row.subject),
            Self::Hand(row) => format!("what {} set by hand", row.by),
            Self::Deed(row) => format!("what {} did", row.who),
        }
    }
}

/// Writes a whole batch; the caller holds the transaction.
pub(super) fn batch(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    rows(batch).try_for_each(|row| row.write(connection))
}

/// Writes what the database takes of a batch, and sets aside each row that it refuses; gives how many. The caller holds
/// the transaction.
pub(super) fn each(connection: &Connection, batch: &Batch) -> Result<u64, StoreError> {
    let mut refused = 0_u64;
    for row in rows(batch) {
        connection.execute_batch("SAVEPOINT one")?;
        if let Err(error) = row.write(connection) {
            let StoreError::Row(reason) = error else {
                return Err(error);
            };
            connection.execute_batch("ROLLBACK TO one")?;
            set_aside(connection, row, &reason)?;
            refused = refused.saturating_add(1);
        }
        connection.execute_batch("RELEASE one")?;
    }
    Ok(refused)
}

fn set_aside(connection: &Connection, row: Row<'_>, reason: &str) -> Result<(), StoreError> {
    let what = row.name();
    tracing::error!(
        "the database refuses {what}: {reason}; it lies in the table `misfit`, and all else is written"
    );
    let mut body = format!("{row:?}");
    body.truncate(body.floor_char_boundary(MISFIT));
    connection.execute(
        "INSERT INTO misfit (what, reason, body) VALUES (?1, ?2, ?3)",
        params![what, reason, body],
    )?;
    connection.execute(
        "DELETE FROM misfit WHERE id <= (SELECT max(id) FROM misfit) - ?1",
        [MISFITS],
    )?;
    Ok(())
}

fn seen(connection: &Connection, target: &Target) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO seen (target) VALUES (?1)")?
        .execute([key(target)?])?;
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

/// No number that was given before is given again, though none of its rows are here.
pub(super) fn count_on(connection: &Connection, table: &str, next: u64) -> Result<(), StoreError> {
    let last = number(next.saturating_sub(1));
    let known = connection.execute(
        "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
        params![table, last],
    )?;
    if known == 0 {
        connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
            params![table, last],
        )?;
    }
    Ok(())
}
