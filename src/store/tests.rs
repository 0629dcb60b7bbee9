//! What every store must do, as functions over the trait, and what only SQLite can get wrong.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rstest::rstest;
use rusqlite::Connection;
use serde_json::json;

use super::{Batch, Fact, IncidentFilter, SqliteStore, Store, StoreError, Turn};
use crate::incident::sample::{at, domain, incident, router};
use crate::model::{
    ClientId, Code, Event, Incident, IncidentId, IncidentState, Message, MessageId, Notice, Outcome, State,
};

fn message(id: u64, event: Event, incident: &Incident) -> Message {
    Message {
        id: MessageId(id),
        notifier: "oncall".into(),
        notice: Arc::new(Notice {
            event,
            dedup_key: incident.dedup_key.clone(),
            at: at(id),
            incident: Some(Arc::new(incident.clone())),
            affected: incident.affected.len(),
            subject: "ACME".into(),
            text: "ACME: \u{1F4E8} \"quoted\"\nsecond line".into(),
            body: String::new(),
            url: None,
            take_url: None,
        }),
    }
}

fn outcome(id: u64, failed: Option<&str>) -> Outcome {
    Outcome {
        id: MessageId(id),
        notifier: "oncall".into(),
        incident: Some(IncidentId(1)),
        event: Event::Opened,
        at: at(100 + id),
        attempts: 3,
        failed: failed.map(str::to_owned),
        captured: None,
    }
}

fn ended(id: u64, at: Timestamp) -> Incident {
    Incident {
        state: IncidentState::Resolved,
        resolved: Some(at),
        ended_by: Some("recovered".into()),
        ..incident(id)
    }
}

fn turn(seconds: u64, state: State, code: Option<Code>) -> Turn {
    Turn {
        target: router(),
        at: at(seconds),
        state,
        since: at(seconds),
        code,
    }
}

fn rows(incidents: impl IntoIterator<Item = Incident>) -> Batch {
    Batch {
        incidents: incidents.into_iter().map(Arc::new).collect(),
        ..Batch::default()
    }
}

fn an_empty_store_counts_from_one(store: &mut dyn Store) {
    let loaded = store.load(at(0)).unwrap();
    assert_eq!((loaded.next_incident, loaded.next_message), (1, 1));
    assert!(loaded.open.is_empty() && loaded.outbox.is_empty() && loaded.unreadable.is_empty());
}

fn what_is_written_is_read(store: &mut dyn Store) {
    let batch = Batch {
        incidents: vec![Arc::new(incident(7)), Arc::new(ended(6, at(900)))],
        messages: vec![message(4, Event::Opened, &incident(7))],
        turns: vec![
            turn(1, State::Flowing, None),
            turn(840, State::Broken, Some(Code::GatewayDown)),
        ],
        seen: vec![router(), domain("acme.test")],
        facts: vec![Fact {
            subject: "acme.test".into(),
            name: "mx".into(),
            value: json!(["mx.acme.test"]),
        }],
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    let loaded = store.load(at(0)).unwrap();
    assert_eq!(loaded.open, [incident(7)]);
    assert_eq!(loaded.ended, [ended(6, at(900))]);
    assert_eq!(loaded.outbox, batch.messages);
    assert_eq!(
        loaded.verdicts,
        [turn(840, State::Broken, Some(Code::GatewayDown))]
    );
    assert_eq!(loaded.seen.len(), 2);
    assert_eq!(loaded.facts, batch.facts);
    assert_eq!((loaded.next_incident, loaded.next_message), (8, 5));
    assert_eq!(store.incident(IncidentId(7)).unwrap(), Some(incident(7)));
    assert_eq!(store.incident(IncidentId(99)).unwrap(), None);
    assert_eq!(store.history(&router(), at(2), 10).unwrap(), batch.turns[1..]);
}

fn a_row_is_replaced_by_its_newer_self(store: &mut dyn Store) {
    store.commit(&rows([incident(1)])).unwrap();
    store.commit(&rows([ended(1, at(1000))])).unwrap();
    let loaded = store.load(at(0)).unwrap();
    assert!(loaded.open.is_empty());
    assert_eq!(loaded.ended, [ended(1, at(1000))]);
}

fn messages_stay_in_order_until_they_are_done(store: &mut dyn Store) {
    let messages: Vec<_> = [Event::Opened, Event::Updated, Event::Resolved]
        .into_iter()
        .zip(1..)
        .map(|(event, id)| message(id, event, &incident(1)))
        .collect();
    store
        .commit(&Batch {
            messages: messages.clone(),
            ..Batch::default()
        })
        .unwrap();
    store
        .commit(&Batch {
            outcomes: vec![outcome(1, None), outcome(2, Some("404 Not Found"))],
            ..Batch::default()
        })
        .unwrap();
    assert_eq!(store.load(at(0)).unwrap().outbox, messages[2..]);
    let deliveries = store.deliveries(IncidentId(1)).unwrap();
    let told: Vec<_> = deliveries
        .iter()
        .map(|one| (one.event.as_str(), one.done.is_some(), one.failed.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("opened", true, None),
            ("updated", true, Some("404 Not Found")),
            ("resolved", false, None)
        ]
    );
}

fn incidents_are_paged_and_filtered(store: &mut dyn Store) {
    store.commit(&rows((1..=5).map(incident))).unwrap();
    store.commit(&rows([ended(2, at(1)), ended(4, at(2))])).unwrap();
    let mut ids = |filter: IncidentFilter, after: Option<u64>, limit| -> Vec<u64> {
        let found = store.incidents(&filter, after.map(IncidentId), limit).unwrap();
        found.iter().map(|row| row.id.0).collect()
    };
    let state = |state| IncidentFilter {
        state: Some(state),
        ..IncidentFilter::default()
    };
    let client = |name: &str| IncidentFilter {
        client: Some(ClientId::parse(name).unwrap()),
        ..IncidentFilter::default()
    };
    assert_eq!(ids(IncidentFilter::default(), None, 2), [5, 4]);
    assert_eq!(ids(IncidentFilter::default(), Some(4), 2), [3, 2]);
    assert_eq!(ids(state(IncidentState::Open), None, 9), [5, 3, 1]);
    assert_eq!(ids(state(IncidentState::Resolved), None, 9), [4, 2]);
    assert_eq!(ids(client("acme"), Some(3), 9), [2, 1]);
    let since = |seconds| IncidentFilter {
        lasted_until: Some(at(seconds)),
        ..IncidentFilter::default()
    };
    assert_eq!(ids(since(2), None, 9), [5, 4, 3, 1]);
    assert_eq!(ids(since(3), None, 9), [5, 3, 1]);
    assert!(ids(client("nobody"), None, 9).is_empty());
}

fn a_forgotten_target_is_new_again(store: &mut dyn Store) {
    let known = Batch {
        seen: vec![router()],
        turns: vec![turn(1, State::Flowing, None)],
        ..Batch::default()
    };
    store.commit(&known).unwrap();
    let gone = Batch {
        forgotten: vec![router()],
        ..Batch::default()
    };
    store.commit(&gone).unwrap();
    let loaded = store.load(at(0)).unwrap();
    assert!(loaded.seen.is_empty() && loaded.verdicts.is_empty());
    assert_eq!(store.history(&router(), at(0), 9).unwrap().len(), 1);
}

fn a_null_fact_is_no_fact(store: &mut dyn Store) {
    for value in [json!({"set": ["a"]}), json!({"set": ["b"]}), json!(null)] {
        let fact = Fact {
            subject: "acme.test".into(),
            name: "mx".into(),
            value: value.clone(),
        };
        let batch = Batch {
            facts: vec![fact.clone()],
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
        let expected: Vec<Fact> = Some(fact).filter(|_| !value.is_null()).into_iter().collect();
        assert_eq!(store.load(at(0)).unwrap().facts, expected);
    }
}

fn pruning_leaves_what_goes_on(store: &mut dyn Store) {
    let batch = Batch {
        incidents: vec![
            Arc::new(incident(1)),
            Arc::new(ended(2, at(10))),
            Arc::new(ended(3, at(99))),
        ],
        messages: vec![
            message(1, Event::Opened, &incident(1)),
            message(2, Event::Resolved, &incident(2)),
        ],
        outcomes: vec![outcome(1, None)],
        turns: vec![turn(10, State::Flowing, None), turn(99, State::Flowing, None)],
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    store.prune(at(50)).unwrap();
    let all = store.incidents(&IncidentFilter::default(), None, 9).unwrap();
    assert_eq!(all.iter().map(|row| row.id.0).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(store.load(at(0)).unwrap().outbox.len(), 1, "what waits stays");
    assert_eq!(store.history(&router(), at(0), 9).unwrap().len(), 1);
    assert_eq!(store.deliveries(IncidentId(1)).unwrap().len(), 1);
    store.prune(at(500)).unwrap();
    let loaded = store.load(at(0)).unwrap();
    assert_eq!(
        (loaded.next_incident, loaded.next_message),
        (4, 3),
        "no number comes twice"
    );
}

#[rstest]
#[case::empty(an_empty_store_counts_from_one)]
#[case::written(what_is_written_is_read)]
#[case::replaced(a_row_is_replaced_by_its_newer_self)]
#[case::ordered(messages_stay_in_order_until_they_are_done)]
#[case::paged(incidents_are_paged_and_filtered)]
#[case::forgotten(a_forgotten_target_is_new_again)]
#[case::facts(a_null_fact_is_no_fact)]
#[case::pruned(pruning_leaves_what_goes_on)]
fn sqlite_conforms(#[case] conforms: fn(&mut dyn Store)) {
    conforms(&mut SqliteStore::in_memory().unwrap());
    let folder = tempfile::tempdir().unwrap();
    conforms(&mut SqliteStore::open(&folder.path().join("made/for/it.db")).unwrap());
}

/// Copies a database as the disk holds it at this moment, as a killed process would leave it behind.
fn as_after_a_kill(path: &Path) -> std::path::PathBuf {
    let copy = path.with_file_name("copy.db");
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(name(path), name(&copy)).unwrap();
    }
    copy
}

#[test]
fn what_was_committed_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.db");
    let mut store = SqliteStore::open(&path).unwrap();
    let batch = Batch {
        messages: vec![message(1, Event::Opened, &incident(1))],
        ..rows([incident(1)])
    };
    store.commit(&batch).unwrap();
    let loaded = SqliteStore::open(&as_after_a_kill(&path))
        .unwrap()
        .load(at(0))
        .unwrap();
    assert_eq!((loaded.open.len(), loaded.outbox.len()), (1, 1));
}

#[test]
fn a_batch_that_fails_leaves_nothing_behind() {
    let mut store = SqliteStore::in_memory().unwrap();
    store
        .connection
        .execute_batch("PRAGMA max_page_count = 40")
        .unwrap();
    let mut last = Ok(());
    let mut written = 0;
    while last.is_ok() && written < 1000 {
        written += 1;
        last = store.commit(&Batch {
            messages: vec![message(written, Event::Opened, &incident(written))],
            ..rows([incident(written)])
        });
    }
    assert!(matches!(last, Err(StoreError::Full)), "{last:?}");
    assert!(last.unwrap_err().is_passing());
    let loaded = store.load(at(0)).unwrap();
    assert_eq!(loaded.open.len(), loaded.outbox.len());
    assert_eq!(loaded.next_incident, written, "nothing of the last batch");
}

#[test]
fn a_locked_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.db");
    let mut store = SqliteStore::open(&path).unwrap();
    store.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(
        store.commit(&rows([incident(1)])),
        Err(StoreError::Busy)
    ));
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(&rows([incident(1)])).unwrap();
}

#[test]
fn a_database_from_the_future_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.db");
    let store = SqliteStore::open(&path).unwrap();
    store.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let error = SqliteStore::open(&path).unwrap_err();
    insta::assert_snapshot!(error, @"the database has schema 99, this mailflow knows up to 4: run the newer version that wrote it");
}

#[test]
fn somebody_elses_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs.db");
    Connection::open(&theirs)
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(matches!(SqliteStore::open(&theirs), Err(StoreError::Foreign)));
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "not a database at all, but long enough to be taken for one".repeat(20),
    )
    .unwrap();
    assert!(matches!(SqliteStore::open(&text), Err(StoreError::Damaged(_))));
    assert!(matches!(
        SqliteStore::open(folder.path()),
        Err(StoreError::Open { .. })
    ));
}

#[test]
fn a_row_that_cannot_be_read_stops_nobody() {
    let mut store = SqliteStore::in_memory().unwrap();
    store.commit(&rows([incident(1), incident(2)])).unwrap();
    store
        .connection
        .execute_batch("UPDATE incident SET body = '{\"odd\":1}' WHERE id = 1")
        .unwrap();
    let loaded = store.load(at(0)).unwrap();
    assert_eq!(loaded.open, [incident(2)]);
    assert_eq!(loaded.unreadable.len(), 1);
}

#[test]
fn a_reader_reads_beside_the_writer_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.db");
    assert!(matches!(
        SqliteStore::open_read_only(&path),
        Err(StoreError::Open { .. })
    ));
    let mut writer = SqliteStore::open(&path).unwrap();
    writer.commit(&rows([incident(1)])).unwrap();
    let mut reader = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!(reader.load(at(0)).unwrap().open.len(), 1);
    assert!(matches!(
        reader.commit(&rows([incident(2)])),
        Err(StoreError::ReadOnly(_))
    ));
}

#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.db");
    let _store = SqliteStore::open(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_people_set_is_kept_until_long_after_its_end() {
    let mut store = SqliteStore::in_memory().unwrap();
    let of = crate::model::Matchers {
        code: Some("gateway.*".into()),
        ..crate::model::Matchers::default()
    };
    let measure = crate::model::Measure::Silence { of, until: at(500) };
    let mut hand = crate::model::Hand::new(crate::model::HandId(1), measure, "anna", "known", at(0)).unwrap();
    let write = |store: &mut SqliteStore, hand: &crate::model::Hand| {
        let batch = Batch {
            hands: vec![hand.clone()],
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
    };
    write(&mut store, &hand);
    hand.lifted = Some(at(100));
    write(&mut store, &hand);
    let loaded = store.load(at(0)).unwrap();
    assert_eq!((loaded.hands, loaded.next_hand), (vec![hand], 2));
    store.prune(at(101)).unwrap();
    let loaded = store.load(at(0)).unwrap();
    assert_eq!(
        (loaded.hands.len(), loaded.next_hand),
        (0, 2),
        "no number comes twice"
    );
    store.beat(at(200)).unwrap();
    store.beat(at(260)).unwrap();
}

/// Steps that waited for a disk together leave what they would have left one by one.
#[test]
fn batches_that_wait_are_one() {
    let fact = |value| Fact {
        subject: "acme.test".into(),
        name: "mx".into(),
        value,
    };
    let steps = [
        Batch {
            incidents: vec![Arc::new(incident(1))],
            messages: vec![message(1, Event::Opened, &incident(1))],
            turns: vec![turn(1, State::Broken, Some(Code::GatewayDown))],
            seen: vec![router(), domain("acme.test")],
            facts: vec![fact(json!(1))],
            ..Batch::default()
        },
        Batch {
            outcomes: vec![outcome(1, None)],
            forgotten: vec![router()],
            facts: vec![fact(json!(2))],
            ..Batch::default()
        },
        Batch {
            incidents: vec![Arc::new(ended(1, at(900))), Arc::new(incident(2))],
            messages: vec![message(2, Event::Resolved, &incident(1))],
            seen: vec![domain("beta.test")],
            ..Batch::default()
        },
    ];
    let mut one_by_one = SqliteStore::in_memory().unwrap();
    let mut together = Batch::default();
    for step in steps {
        one_by_one.commit(&step).unwrap();
        together.absorb(step);
    }
    assert_eq!(together.incidents.len(), 2, "each row once");
    let mut at_once = SqliteStore::in_memory().unwrap();
    at_once.commit(&together).unwrap();
    let (one_by_one, at_once) = (one_by_one.load(at(0)).unwrap(), at_once.load(at(0)).unwrap());
    assert_eq!(at_once, one_by_one);
    assert_eq!(at_once.seen, [domain("acme.test"), domain("beta.test")]);
}

#[test]
fn what_waits_for_long_is_bounded() {
    let mut waiting = Batch::default();
    for id in 1..=3000 {
        waiting.absorb(Batch {
            incidents: vec![Arc::new(incident(1))],
            messages: vec![message(id, Event::Updated, &incident(1))],
            outcomes: if id % 3 == 0 {
                Vec::new()
            } else {
                vec![outcome(id, None)]
            },
            ..Batch::default()
        });
    }
    assert_eq!(waiting.incidents.len(), 1);
    assert!(waiting.messages.len() < 2001, "{}", waiting.messages.len());
    let undone = waiting.messages.iter().filter(|message| message.id.0 % 3 == 0);
    assert_eq!(undone.count(), 1000, "and what is still to be sent is kept");
}
