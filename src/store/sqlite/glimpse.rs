//! What a database remembers that cannot be opened for writing: the disk is full, its folder is read-only, or somebody
//! else holds it.
//!
//! A daemon that forgot what it knew would take an old outage for how things always were, and would count its incidents
//! from one again. So it is read by whatever way is left.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::read::{self, Wanted};
use crate::store::{Loaded, StoreError, schema};

/// What SQLite keeps beside a database that belongs to it.
const PARTS: [&str; 2] = ["-wal", "-journal"];

/// A way to read it.
type Way = fn(&Path, Timestamp) -> Result<Loaded, StoreError>;

/// Reads everything, or of a damaged database whatever can be read. Nothing of it may be open in this process: a file
/// that is read past SQLite and closed takes the process' locks on it with it.
///
/// # Errors
/// [`StoreError`]: not ours, from a later version, or there is no way.
pub(super) fn load(path: &Path, ended_since: Timestamp) -> Result<Loaded, StoreError> {
    let ways: [Way; 4] = [beside_others, alone, as_it_lies, from_a_copy];
    let mut failed = None;
    for way in ways {
        match way(path, ended_since) {
            Err(error @ (StoreError::Foreign | StoreError::Newer { .. })) => return Err(error),
            Err(error) => failed = Some(failed.unwrap_or(error)),
            found => return found,
        }
    }
    Err(failed.unwrap_or(StoreError::Busy))
}

/// As any reader does.
fn beside_others(path: &Path, ended_since: Timestamp) -> Result<Loaded, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    everything(&open(path, flags)?, ended_since)
}

/// With nobody else at it, so that no file to share has to be made: that would need room.
fn alone(path: &Path, ended_since: Timestamp) -> Result<Loaded, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    everything(&connection, ended_since)
}

/// The file alone, past all locks, if all that was ever committed is in it and nobody changes it meanwhile.
fn as_it_lies(path: &Path, ended_since: Timestamp) -> Result<Loaded, StoreError> {
    let before = shape(path)?;
    if before[1..].iter().flatten().any(|(length, _)| *length > 0) {
        return Err(StoreError::Busy);
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let found = everything(&open(&address(path), flags)?, ended_since)?;
    unchanged(path, &before).map(|()| found)
}

/// A copy of its files, if nobody changes them meanwhile.
fn from_a_copy(path: &Path, ended_since: Timestamp) -> Result<Loaded, StoreError> {
    let copy = Copy(with_ending(path, ".reading"));
    let before = shape(path)?;
    for ending in [""].iter().chain(&PARTS) {
        let part = with_ending(path, ending);
        if part.exists() {
            copy_file(&part, &with_ending(&copy.0, ending)).map_err(|error| failed(&part, &error))?;
        }
    }
    unchanged(path, &before)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    everything(&open(&copy.0, flags)?, ended_since)
}

/// A copy that goes when it has been read.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        for ending in ["", "-wal", "-journal", "-shm"] {
            let _ = fs::remove_file(with_ending(&self.0, ending));
        }
    }
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags)?;
    // Whoever comes here has waited already.
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

fn everything(connection: &Connection, ended_since: Timestamp) -> Result<Loaded, StoreError> {
    let version = schema::version(connection)?;
    if version == 0 {
        return Ok(Loaded::nothing());
    }
    // An earlier version had fewer tables.
    if version == schema::NEWEST {
        match read::everything(connection, ended_since, Wanted::All) {
            Err(StoreError::Damaged(_)) => {}
            other => return other,
        }
    }
    read::everything(connection, ended_since, Wanted::Whatever)
}

/// Length and time of the last change of the database and of what lies beside it.
fn shape(path: &Path) -> Result<Vec<Option<(u64, SystemTime)>>, StoreError> {
    let one = |ending: &&str| match fs::metadata(with_ending(path, ending)) {
        Ok(found) if found.is_file() => Ok(Some((found.len(), found.modified()?))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let shapes: io::Result<_> = [""].iter().chain(&PARTS).map(one).collect();
    shapes.map_err(|error| failed(path, &error))
}

fn unchanged(path: &Path, before: &[Option<(u64, SystemTime)>]) -> Result<(), StoreError> {
    if shape(path)? == before {
        Ok(())
    } else {
        Err(StoreError::Busy)
    }
}

/// Only the owner may read a copy, as nobody else may read what was copied.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to)?;
    io::copy(&mut source, &mut target).map(drop)
}

/// A path as a URI that promises SQLite that nobody writes.
fn address(path: &Path) -> PathBuf {
    use std::fmt::Write as _;
    let mut address = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => address.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(byte)),
            byte => {
                let _ = write!(address, "%{byte:02X}");
            }
        }
    }
    address.push_str("?mode=ro&immutable=1");
    address.into()
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Open {
            path: path.into(),
            reason: error.to_string(),
        },
    }
}

/// A name with something at its end.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
