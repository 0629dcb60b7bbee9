//! What is read.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::de::DeserializeOwned;

use super::write::{key, number};
use crate::model::{
    Code, Entry, Incident, IncidentId, IncidentState, Message, MessageId, Notice, State, Target,
};
use crate::store::{Delivery, Fact, IncidentFilter, Loaded, StoreError, Turn};

/// How many ended incidents come in any case.
const ENDED_AT_LEAST: u32 = 100;

/// How much has to be readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Every table.
    All,
    /// Whatever can be read of a database that is damaged.
    Whatever,
}

/// Reads table after table.
struct Reader<'a> {
    connection: &'a Connection,
    wanted: Wanted,
    bad: Vec<String>,
}

impl Reader<'_> {
    /// What `read` finds; where that is enough, up to where it failed.
    fn some<T: Default>(
        &mut self,
        read: impl FnOnce(&Connection, &mut T, &mut Vec<String>) -> Result<(), StoreError>,
    ) -> Result<T, StoreError> {
        let mut found = T::default();
        match read(self.connection, &mut found, &mut self.bad) {
            Err(error) if self.wanted == Wanted::Whatever => self.bad.push(error.to_string()),
            other => other?,
        }
        Ok(found)
    }

    fn next_number(&mut self, table: &str) -> Result<u64, StoreError> {
        let next = self.some(|connection, next, _| {
            *next = next_number(connection, table)?;
            Ok(())
        })?;
        Ok(next.max(1))
    }

    fn bodies<T: DeserializeOwned>(
        &mut self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<T>, StoreError> {
        self.some(|connection, found, bad| bodies(connection, sql, values, found, bad))
    }
}

/// Everything that a daemon needs to go on.
pub(super) fn everything(
    connection: &Connection,
    ended_since: Timestamp,
    wanted: Wanted,
) -> Result<Loaded, StoreError> {
    let mut reader = Reader {
        connection,
        wanted,
        bad: Vec::new(),
    };
    let mut loaded = Loaded {
        next_incident: reader.next_number("incident")?,
        next_message: reader.next_number("outbox")?,
        next_hand: reader.next_number("hand")?,
        open: reader.bodies("SELECT body FROM incident WHERE open = 1 ORDER BY id", [])?,
        ended: reader.bodies(
            "SELECT body FROM incident WHERE open = 0 AND (resolved >= ?1 OR id IN
                 (SELECT id FROM incident WHERE open = 0 ORDER BY resolved DESC LIMIT ?2))
             ORDER BY resolved DESC, id DESC",
            params![ended_since.as_microsecond(), ENDED_AT_LEAST],
        )?,
        seen: reader.bodies("SELECT target FROM seen ORDER BY target", [])?,
        verdicts: reader.some(|connection, found, bad| {
            let sql = "SELECT target, at, state, since, code FROM verdict ORDER BY target";
            turns(connection, sql, [], found, bad)
        })?,
        hands: reader.bodies("SELECT body FROM hand ORDER BY id", [])?,
        facts: reader.some(facts)?,
        outbox: reader.some(outbox)?,
        unreadable: Vec::new(),
    };
    loaded.unreadable = reader.bad;
    Ok(loaded)
}

/// The number after the highest that was ever used in a table.
fn next_number(connection: &Connection, table: &str) -> Result<u64, StoreError> {
    let last: Option<i64> = connection
        .query_row(
            "SELECT seq FROM sqlite_sequence WHERE name = ?1",
            [table],
            |row| row.get(0),
        )
        .optional()?;
    Ok(u64::try_from(last.unwrap_or(0)).unwrap_or(0).saturating_add(1))
}

/// The JSON of one column, read; what cannot be read is named in `bad`.
fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    found: &mut Vec<T>,
    bad: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(sql)?;
    let texts = statement.query_map(values, |row| row.get::<_, String>(0))?;
    for text in texts {
        found.extend(read_json(&text?, bad));
    }
    Ok(())
}

fn read_json<T: DeserializeOwned>(text: &str, bad: &mut Vec<String>) -> Option<T> {
    serde_json::from_str(text)
        .map_err(|error| bad.push(error.to_string()))
        .ok()
}

fn turns(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    found: &mut Vec<Turn>,
    bad: &mut Vec<String>,
) -> Result<(), StoreError> {
    type Columns = (String, i64, String, i64, Option<String>);
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(values, |row| -> rusqlite::Result<Columns> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    for row in rows {
        let (target, at, state, since, code) = row?;
        let (Some(target), Some(state)) = (read_json::<Target>(&target, bad), state_named(&state)) else {
            continue;
        };
        found.push(Turn {
            target,
            at: moment(at),
            state,
            since: moment(since),
            code: code.and_then(|code| code.parse::<Code>().ok()),
        });
    }
    Ok(())
}

fn state_named(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.as_str() == name)
}

fn facts(connection: &Connection, found: &mut Vec<Fact>, bad: &mut Vec<String>) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT subject, name, value FROM fact ORDER BY subject, name")?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    for row in rows {
        let (subject, name, value) = row?;
        if let Some(value) = read_json(&value, bad) {
            found.push(Fact { subject, name, value });
        }
    }
    Ok(())
}

fn outbox(
    connection: &Connection,
    found: &mut Vec<Message>,
    bad: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT id, notifier, body FROM outbox WHERE done IS NULL ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    for row in rows {
        let (id, notifier, body) = row?;
        if let Some(notice) = read_json::<Notice>(&body, bad) {
            found.push(Message {
                id: MessageId(u64::try_from(id).unwrap_or(0)),
                notifier: notifier.into(),
                notice: Arc::new(notice),
            });
        }
    }
    Ok(())
}

/// A page of incidents, the newest first.
pub(super) fn incidents(
    connection: &Connection,
    filter: &IncidentFilter,
    after: Option<IncidentId>,
    limit: usize,
) -> Result<Vec<Incident>, StoreError> {
    let open = filter.state.map(|state| state == IncidentState::Open);
    let client = filter.client.as_ref().map(crate::model::ClientId::as_str);
    let mut found = Vec::new();
    bodies(
        connection,
        "SELECT body FROM incident
         WHERE id < ?1 AND (?2 IS NULL OR open = ?2)
           AND (?5 IS NULL OR open = 1 OR resolved >= ?5)
           AND (?3 IS NULL OR EXISTS
               (SELECT 1 FROM incident_client WHERE client = ?3 AND incident = incident.id))
         ORDER BY id DESC LIMIT ?4",
        params![
            after.map_or(i64::MAX, |id| number(id.0)),
            open,
            client,
            i64::try_from(limit).unwrap_or(i64::MAX),
            filter.lasted_until.map(Timestamp::as_microsecond),
        ],
        &mut found,
        &mut Vec::new(),
    )?;
    Ok(found)
}

/// One incident.
pub(super) fn incident(connection: &Connection, id: IncidentId) -> Result<Option<Incident>, StoreError> {
    let text: Option<String> = connection
        .query_row("SELECT body FROM incident WHERE id = ?1", [number(id.0)], |row| {
            row.get(0)
        })
        .optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| StoreError::Damaged(error.to_string())))
        .transpose()
}

/// The turns of one target.
pub(super) fn history(
    connection: &Connection,
    target: &Target,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<Turn>, StoreError> {
    let mut found = Vec::new();
    turns(
        connection,
        "SELECT target, at, state, since, code FROM turn WHERE target = ?1 AND at >= ?2 ORDER BY at, id LIMIT ?3",
        params![
            key(target)?,
            since.as_microsecond(),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        &mut found,
        &mut Vec::new(),
    )?;
    Ok(found)
}

/// What became of the messages about an incident.
pub(super) fn deliveries(connection: &Connection, id: IncidentId) -> Result<Vec<Delivery>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT notifier, event, queued, done, attempts, failed FROM outbox WHERE incident = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([number(id.0)], delivery)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        notifier: row.get::<_, String>(0)?.into(),
        event: row.get(1)?,
        queued: moment(row.get(2)?),
        done: row.get::<_, Option<i64>>(3)?.map(moment),
        attempts: row.get(4)?,
        failed: row.get(5)?,
    })
}

/// A page of what was done by hand, the latest first.
pub(super) fn deeds(
    connection: &Connection,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let mut statement =
        connection.prepare("SELECT id, body FROM deed WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
    let values = params![
        before.map_or(i64::MAX, number),
        i64::try_from(limit).unwrap_or(i64::MAX)
    ];
    let rows = statement.query_map(values, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (id, body) = row?;
        let deed = serde_json::from_str(&body).map_err(|error| StoreError::Damaged(error.to_string()))?;
        let id = u64::try_from(id).unwrap_or(0);
        found.push(Entry { id, deed });
    }
    Ok(found)
}

fn moment(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
