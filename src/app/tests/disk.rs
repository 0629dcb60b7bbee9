//! A store that fails: alerts go out all the same, it is shown, and what was missed is written when it is well again.

use std::time::Duration;

use rusqlite::Connection;

use super::*;

/// An outage and its end, told while nothing can be written.
async fn an_outage(bench: &Bench, daemon: &mut Daemon) {
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.run(14.0).await;
    assert_eq!(events(bench), [Event::Opened]);
    let health = daemon.snapshots.borrow().store.clone();
    assert!(health.failing.is_some(), "it is shown");
    assert!(metrics_text(daemon).contains("mailflow_store_writable 0"));
    bench.net.listen((MX_BETA, 25), Peer::mail("mx.beta.test"));
    daemon.run(9.0).await;
    assert_eq!(events(bench), [Event::Opened, Event::Resolved]);
}

#[tokio::test(start_paused = true)]
async fn a_locked_database_keeps_no_alert_back() {
    let bench = Bench::new();
    // It does not wait in earnest, as the test does.
    let mut daemon = bench.start_with(CONFIG, |store| {
        store.connection().busy_timeout(Duration::ZERO).unwrap();
    });
    daemon.run(8.0).await;
    assert_eq!(daemon.snapshots.borrow().store.failing, None);
    let other = Connection::open(bench.path()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    an_outage(&bench, &mut daemon).await;
    let health = daemon.snapshots.borrow().store.clone();
    let (_, reason) = health.failing.unwrap();
    assert_eq!(&*reason, "the database is locked by another process");

    other.execute_batch("ROLLBACK").unwrap();
    daemon.run(11.0).await;
    assert_eq!(daemon.snapshots.borrow().store.failing, None);
    assert!(metrics_text(&daemon).contains("mailflow_store_writable 1"));
    one_story(&bench);
    assert_eq!(bench.store().load(Timestamp::MAX).unwrap().outbox, []);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_keeps_no_alert_back() {
    let bench = Bench::new();
    // Pages so small that nothing fits into what is there.
    let blank = Connection::open(bench.path()).unwrap();
    blank.execute_batch("PRAGMA page_size = 512; VACUUM").unwrap();
    drop(blank);
    let mut daemon = bench.start_with(CONFIG, |store| {
        let connection = store.connection();
        let pages: i64 = connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        connection.pragma_update(None, "max_page_count", pages).unwrap();
        let full = "INSERT INTO fact VALUES ('a', 'b', zeroblob(40000))";
        connection.execute(full, []).unwrap_err();
    });
    daemon.run(8.0).await;
    an_outage(&bench, &mut daemon).await;
    let health = daemon.snapshots.borrow().store.clone();
    assert_eq!(
        health.failing.map(|(_, reason)| reason).as_deref(),
        Some("the disk is full")
    );
}

/// What is no database, and what was one until somebody wrote into it.
#[rstest]
#[case::garbage(None)]
#[case::a_page_overwritten(Some(4096))]
fn a_damaged_database_is_set_aside_and_a_new_one_begun(#[case] keep: Option<usize>) {
    let bench = Bench::new();
    let mut bytes = Vec::new();
    if let Some(keep) = keep {
        drop(bench.store());
        bytes = std::fs::read(bench.path()).unwrap();
        bytes[keep..].fill(0xa5);
    } else {
        bytes.extend(b"This is no database. ".repeat(1000));
    }
    std::fs::write(bench.path(), &bytes).unwrap();
    let open = || start::store(&bench.config(CONFIG), &bench.clock()).unwrap();
    let (store, memory) = open();
    let aside = store.state().aside.unwrap();
    assert_eq!(std::fs::read(&*aside).unwrap(), bytes, "the evidence is kept");
    assert!(aside.contains("mailflow.db.damaged-2"), "{aside}");
    assert_eq!((memory.next_incident, memory.next_message), (1, 1));
    drop(store);
    assert_eq!(open().0.state().aside, None, "the new one is well");
}

/// What was told, but for the store itself.
fn told_of_others(bench: &Bench) -> Vec<Event> {
    let received = bench.received();
    let others = received.iter().filter(|message| {
        let incident = message.notice.incident.as_ref();
        incident.is_none_or(|incident| incident.cause.code != Code::VantageStoreUnwritable)
    });
    others.map(|message| message.notice.event).collect()
}

/// One that nobody else may even read, an incident being open in it from before.
#[tokio::test(start_paused = true)]
async fn a_start_with_a_locked_database_goes_on_from_what_is_in_it() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(8.0).await;
    bench.net.listen((MX_ACME, 25), Peer::Refuse);
    daemon.run(14.0).await;
    daemon.kill();
    let other = Connection::open(bench.path()).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
        .unwrap();

    let mut daemon = bench.start(CONFIG);
    assert!(
        metrics_text(&daemon).contains("mailflow_store_writable 0"),
        "from the first moment"
    );
    daemon.run(12.0).await;
    assert_eq!(
        told_of_others(&bench),
        [Event::Opened],
        "what was told is not told again"
    );
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.run(14.0).await;
    bench.net.listen((MX_ACME, 25), Peer::mail("mx.acme.test"));
    daemon.run(9.0).await;
    let all = [Event::Opened, Event::Opened, Event::Resolved];
    assert_eq!(told_of_others(&bench), all, "and all else is told");

    drop(other);
    daemon.run(11.0).await;
    assert!(metrics_text(&daemon).contains("mailflow_store_writable 1"));
    let kept: Vec<_> = bench
        .incidents()
        .iter()
        .map(|one| (one.id.0, one.is_open()))
        .collect();
    assert_eq!(
        kept,
        [(3, false), (2, true), (1, false)],
        "the last is about the store itself"
    );
    daemon.kill();
    let mut daemon = bench.start(CONFIG);
    daemon.run(12.0).await;
    assert_eq!(told_of_others(&bench), all);
}

/// Whoever is to make room may look at no page.
#[tokio::test(start_paused = true)]
async fn a_store_that_takes_nothing_for_long_is_an_incident_of_our_own() {
    let bench = Bench::new();
    drop(bench.store());
    let other = Connection::open(bench.path()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut daemon = bench.start(CONFIG);
    daemon.run(20.0).await;
    assert_eq!(events(&bench), [], "a backup may hold it for a while");
    daemon.run(20.0).await;
    let told = bench.received();
    let incident = told[0].notice.incident.clone().unwrap();
    assert_eq!(
        (incident.cause.code, incident.severity),
        (Code::VantageStoreUnwritable, crate::model::Severity::Warning)
    );
    other.execute_batch("ROLLBACK").unwrap();
    daemon.run(12.0).await;
    assert_eq!(events(&bench), [Event::Opened, Event::Resolved]);
    one_story(&bench);
}

#[test]
fn another_programs_database_is_left_alone() {
    let bench = Bench::new();
    let other = Connection::open(bench.path()).unwrap();
    other.execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    drop(other);
    assert!(start::store(&bench.config(CONFIG), &bench.clock()).is_err());
    assert!(bench.path().exists());
}
