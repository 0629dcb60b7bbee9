use std::sync::Arc;

use rstest::rstest;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::incident::sample::{at, incident, router};
use crate::model::{Deed, Event, Message, MessageId, Notice};

/// Where a database lies, or will.
struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("what? 100%.db");
        Self { folder, path }
    }

    /// With a database in it in which an incident is open.
    fn used() -> Self {
        let place = Self::new();
        let mut store = SqliteStore::open(&place.path).unwrap();
        let batch = Batch {
            seen: vec![router()],
            ..told(7, "oncall")
        };
        store.commit(&batch).unwrap();
        place
    }

    fn open(&self) -> Result<LastingStore, StoreError> {
        LastingStore::open(&self.path, || at(0))
    }

    /// Nobody else may even read it; with `busy`, not all that was committed is in the file itself.
    fn locked(&self, busy: bool) -> Connection {
        let other = Connection::open(&self.path).unwrap();
        other
            .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
            .unwrap();
        if busy {
            other.execute_batch("DELETE FROM beat").unwrap();
            other
                .execute_batch("INSERT INTO beat (id, at) VALUES (1, 2)")
                .unwrap();
        }
        other
    }
}

fn told(id: u64, notifier: &str) -> Batch {
    let incident = Arc::new(incident(id));
    let notice = Notice {
        event: Event::Opened,
        dedup_key: incident.dedup_key.clone(),
        at: at(id),
        incident: Some(Arc::clone(&incident)),
        affected: 1,
        subject: "ACME".into(),
        text: "ACME".into(),
        body: String::new(),
        url: None,
        take_url: None,
    };
    Batch {
        incidents: vec![incident],
        messages: vec![Message {
            id: MessageId(id),
            notifier: notifier.into(),
            notice: Arc::new(notice),
        }],
        ..Batch::default()
    }
}

/// That all of [`Place::used`] is remembered.
fn assert_whole(memory: &Loaded) {
    assert_eq!(memory.open, [incident(7)]);
    assert_eq!((memory.outbox.len(), memory.seen.len()), (1, 1));
    assert_eq!((memory.next_incident, memory.next_message), (8, 8));
}

#[rstest]
#[case::at_rest(false)]
#[case::in_use(true)]
fn a_locked_database_is_read_now_and_written_later(#[case] busy: bool) {
    let place = Place::used();
    let other = place.locked(busy);
    let mut store = place.open().unwrap();
    assert_eq!(
        store.state().failing.as_deref(),
        Some("the database is locked by another process")
    );
    assert_whole(&store.load(at(0)).unwrap());
    assert!(matches!(store.commit(&told(8, "oncall")), Err(StoreError::Busy)));
    assert!(store.incident(IncidentId(7)).is_err(), "and nobody waits for it");
    drop(other);
    store.commit(&told(8, "oncall")).unwrap();
    assert_eq!(store.state(), StoreState::default());
    assert_eq!(store.load(at(0)).unwrap().open, [incident(7), incident(8)]);
    let left = std::fs::read_dir(place.folder.path()).unwrap();
    let copies = left.filter(|one| {
        one.as_ref()
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .contains("reading")
    });
    assert_eq!(copies.count(), 0);
}

/// What nobody can make beside the database: as where the disk is full, or the folder read-only.
#[rstest]
#[case::no_room_to_share("-shm")]
#[case::no_journal("-wal")]
fn a_database_beside_which_nothing_can_be_made_is_read(#[case] part: &str) {
    let place = Place::used();
    let obstacle = with_ending(&place.path, part);
    std::fs::create_dir(&obstacle).unwrap();
    let mut store = place.open().unwrap();
    assert!(store.state().failing.is_some());
    assert_whole(&store.load(at(0)).unwrap());
    store.commit(&told(8, "oncall")).unwrap_err();
    std::fs::remove_dir(&obstacle).unwrap();
    store.commit(&told(8, "oncall")).unwrap();
    assert_eq!(store.load(at(0)).unwrap().open.len(), 2);
}

#[test]
fn an_earlier_versions_database_is_read_too() {
    let place = Place::used();
    let old = Connection::open(&place.path).unwrap();
    old.execute_batch("DROP TABLE misfit; DROP TABLE deed; PRAGMA user_version = 2")
        .unwrap();
    drop(old);
    let other = place.locked(false);
    let mut store = place.open().unwrap();
    assert_whole(&store.load(at(0)).unwrap());
    drop(other);
    store.commit(&Batch::default()).unwrap();
    assert_whole(&store.load(at(0)).unwrap());
}

/// Of a damaged one whatever can be read goes on, be it found at the start or in use.
#[rstest]
#[case::at_the_start(false)]
#[case::in_use(true)]
fn what_can_be_read_of_a_damaged_database_goes_on(#[case] in_use: bool) {
    let place = Place::used();
    let mut store = in_use.then(|| place.open().unwrap());
    let raw = Connection::open(&place.path).unwrap();
    let root: i64 = raw
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'seen'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    raw.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(raw);
    let mut bytes = std::fs::read(&place.path).unwrap();
    let page = usize::try_from(root - 1).unwrap() * 4096;
    bytes[page..page + 4096].fill(0xa5);
    std::fs::write(&place.path, bytes).unwrap();
    if let Some(open) = store.as_mut().and_then(|store| store.store.as_ref()) {
        open.connection.execute_batch("PRAGMA shrink_memory").unwrap();
    }
    let mut store = store.unwrap_or_else(|| place.open().unwrap());
    let later = Batch {
        seen: vec![crate::incident::sample::vantage()],
        ..told(8, "oncall")
    };
    if in_use {
        store.commit(&later).unwrap();
    }
    let memory = store.load(at(0)).unwrap();
    if !in_use {
        store.commit(&later).unwrap();
    }
    let aside = store.state().aside.unwrap();
    assert!(Path::new(&*aside).exists());
    assert_eq!(memory.open[0], incident(7));
    assert_eq!(memory.outbox.len(), 1 + usize::from(in_use));
    assert_eq!(store.load(at(0)).unwrap().next_incident, 9);
    drop(store);
    let again = place.open().unwrap().load(at(0)).unwrap();
    assert_eq!((again.open.len(), again.seen.len()), (2, 1));
}

/// Where there is no database yet, a place that cannot be is somebody's mistake, who stands by.
#[test]
fn a_first_start_in_no_place_is_refused() {
    let place = Place::new();
    std::fs::write(&place.path, "").unwrap();
    let within = place.path.join("mailflow.db");
    assert!(matches!(
        LastingStore::open(&within, || at(0)),
        Err(StoreError::Open { .. })
    ));
}

/// A row that the database never takes, for what it is.
#[test]
fn one_row_that_is_refused_holds_back_no_other() {
    let place = Place::used();
    let mut store = place.open().unwrap();
    let raw = Connection::open(&place.path).unwrap();
    raw.execute_batch(
        "CREATE TRIGGER refuse BEFORE INSERT ON outbox WHEN NEW.notifier = 'odd'
         BEGIN SELECT RAISE(ABORT, 'odd'); END",
    )
    .unwrap();
    let mut batch = told(8, "odd");
    batch.absorb(told(9, "oncall"));
    batch.deeds.push(Deed {
        at: at(1),
        who: "anna".into(),
        from: None,
        what: "looked".into(),
    });
    store.commit(&batch).unwrap();
    assert_eq!(store.state().misfits, 1);
    let memory = store.load(at(0)).unwrap();
    assert_eq!((memory.open.len(), memory.outbox.len()), (3, 2));
    assert_eq!(store.deeds(None, 9).unwrap().len(), 1);
    let (what, reason): (String, String) = raw
        .query_row("SELECT what, reason FROM misfit", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((what.as_str(), reason.as_str()), ("message 8 to odd", "odd"));
}
