//! The tables, and the way from each version of them to the next.

use rusqlite::Connection;

use super::StoreError;

/// Says that a file is ours (`PRAGMA application_id`): "mflw".
const APPLICATION: i64 = 0x6d66_6c77;

/// Each entry brings the tables one version further. Entries are only ever added.
///
/// Times are microseconds since 1970. Targets are their JSON. Incidents and notices are kept whole as JSON, with
/// columns beside it for what is looked up. `AUTOINCREMENT` so that no number is ever used twice.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE incident (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        open     INTEGER NOT NULL,
        opened   INTEGER NOT NULL,
        resolved INTEGER,
        severity TEXT NOT NULL,
        code     TEXT NOT NULL,
        body     TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incident_open ON incident (open, id);
    CREATE INDEX incident_resolved ON incident (resolved);

    CREATE TABLE incident_client (
        client   TEXT NOT NULL,
        incident INTEGER NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
        PRIMARY KEY (client, incident)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX incident_client_incident ON incident_client (incident);

    CREATE TABLE outbox (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        incident INTEGER,
        notifier TEXT NOT NULL,
        event    TEXT NOT NULL,
        queued   INTEGER NOT NULL,
        body     TEXT,
        done     INTEGER,
        attempts INTEGER NOT NULL DEFAULT 0,
        failed   TEXT
    ) STRICT;
    CREATE INDEX outbox_done ON outbox (done, id);
    CREATE INDEX outbox_incident ON outbox (incident, id);

    CREATE TABLE verdict (
        target TEXT PRIMARY KEY,
        at     INTEGER NOT NULL,
        state  TEXT NOT NULL,
        since  INTEGER NOT NULL,
        code   TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE turn (
        id     INTEGER PRIMARY KEY,
        target TEXT NOT NULL,
        at     INTEGER NOT NULL,
        state  TEXT NOT NULL,
        since  INTEGER NOT NULL,
        code   TEXT
    ) STRICT;
    CREATE INDEX turn_target ON turn (target, at);
    CREATE INDEX turn_at ON turn (at);
    CREATE TABLE seen (target TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

    CREATE TABLE fact (
        subject TEXT NOT NULL,
        name    TEXT NOT NULL,
        value   TEXT NOT NULL,
        PRIMARY KEY (subject, name)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE hand (
        id   INTEGER PRIMARY KEY AUTOINCREMENT,
        over INTEGER,
        body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE beat (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        at INTEGER NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE deed (
        id   INTEGER PRIMARY KEY AUTOINCREMENT,
        at   INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deed_at ON deed (at);
",
    "
    CREATE TABLE misfit (
        id     INTEGER PRIMARY KEY,
        what   TEXT NOT NULL,
        reason TEXT NOT NULL,
        body   TEXT NOT NULL
    ) STRICT;
",
];

/// The newest version that we know.
pub(super) const NEWEST: usize = MIGRATIONS.len();

/// Checks that a database is ours and not from the future; gives its version, 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<usize, StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let found = number("user_version")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && number("application_id")? != APPLICATION {
        return Err(StoreError::Foreign);
    }
    match usize::try_from(found) {
        Ok(found) if found <= NEWEST => Ok(found),
        _ => Err(StoreError::Newer {
            found,
            known: i64::try_from(NEWEST).unwrap_or(i64::MAX),
        }),
    }
}

/// Brings a database to the newest version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let from = version(connection)?;
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        let reached = i64::try_from(step).unwrap_or(i64::MAX).saturating_add(1);
        transaction.pragma_update(None, "user_version", reached)?;
        transaction.commit()?;
    }
    Ok(())
}
