use std::sync::atomic::{AtomicI64, Ordering};

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::store::SqliteStore;
use crate::surface::sample;

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn heartbeat(require: &[Requirement]) -> Heartbeat {
    Heartbeat {
        url: "http://127.0.0.1:9/".into(),
        interval: Duration::from_mins(1),
        require: require.to_vec(),
        spoken_within: SignedDuration::from_mins(16),
    }
}

fn counts(delivered: u64, pending: u64) -> BTreeMap<Arc<str>, NotifierCounts> {
    let count = NotifierCounts {
        delivered,
        pending,
        ..NotifierCounts::default()
    };
    [("oncall".into(), count)].into()
}

/// All is well, two hours after the start.
fn well(counts: &BTreeMap<Arc<str>, NotifierCounts>) -> Signs<'_> {
    Signs {
        now: at(7200),
        turned: at(7198),
        started: at(0),
        vitals: Vitals {
            due: Some(at(7199)),
            unanswered_since: Some(at(7190)),
            spoken: Some(at(7100)),
        },
        written: true,
        deliveries: Some(counts),
    }
}

use Requirement::{Loop, Outbox, Port25, Store};

type Change = fn(&mut Signs<'_>);

#[test]
fn whatever_stands_still_holds_it_back() {
    let cases: [(Change, &str); 10] = [
        (|_| (), ""),
        (|signs| signs.turned = at(7100), "the loop stands still"),
        (
            |signs| signs.vitals.due = Some(at(7100)),
            "probes do not start in time",
        ),
        (|signs| signs.vitals.due = None, ""),
        (
            |signs| signs.vitals.unanswered_since = Some(at(6500)),
            "probes start and none comes back",
        ),
        (|signs| signs.written = false, "the store takes no writes"),
        (
            |signs| signs.deliveries = None,
            "nobody delivers messages any more",
        ),
        (
            |signs| signs.vitals.spoken = Some(at(6000)),
            "no mail server speaks to us",
        ),
        (|signs| signs.vitals.spoken = None, "no mail server speaks to us"),
        (
            |signs| {
                signs.written = false;
                signs.vitals.spoken = None;
            },
            "the store takes no writes; no mail server speaks to us",
        ),
    ];
    for (change, failing) in cases {
        let counts = counts(3, 0);
        let mut signs = well(&counts);
        change(&mut signs);
        let heartbeat = heartbeat(&[Loop, Store, Outbox, Port25]);
        assert_eq!(Heart::default().failing(&heartbeat, &signs).join("; "), failing);
    }
}

#[test]
fn only_what_is_required_matters() {
    let counts = counts(3, 0);
    let mut signs = well(&counts);
    signs.vitals.spoken = None;
    assert!(
        Heart::default()
            .failing(&heartbeat(&[Loop, Store]), &signs)
            .is_empty()
    );
}

#[test]
fn messages_that_wait_are_stuck_once_none_leaves() {
    let mut heart = Heart::default();
    let heartbeat = heartbeat(&[Outbox]);
    let mut look = |now, delivered, pending| {
        let counts = counts(delivered, pending);
        let signs = Signs {
            now: at(now),
            ..well(&counts)
        };
        heart.failing(&heartbeat, &signs).join("; ")
    };
    assert_eq!(look(0, 3, 2), "");
    assert_eq!(look(299, 3, 5), "");
    assert_eq!(look(300, 3, 5), "messages wait and none leaves at oncall");
    assert_eq!(look(310, 4, 4), "", "one has left");
    assert_eq!(look(620, 4, 4), "messages wait and none leaves at oncall");
    assert_eq!(look(630, 8, 0), "");
}

/// What is asked of whoever listens for us, one beat after the other: only while everything makes progress.
#[tokio::test]
async fn nobody_hears_from_us_unless_all_is_well() {
    let server = MockServer::start().await;
    let fine = ResponseTemplate::new(200);
    Mock::given(any()).respond_with(fine).mount(&server).await;
    let (keeper, thread) = Keeper::start(Box::new(SqliteStore::in_memory().unwrap())).unwrap();
    let (snapshots, seen) = watch::channel(Arc::new(alive()));
    let (counting, counted) = watch::channel(counts(3, 0));
    let clock = Arc::new(AtomicI64::new(7200));
    let hand = Arc::clone(&clock);
    let wires = Wires {
        snapshots: seen,
        counts: counted,
        keeper: keeper.clone(),
        clock: Arc::new(move || at(hand.load(Ordering::Relaxed))),
    };
    let heartbeat = Heartbeat {
        url: format!("{}/uuid", server.uri()),
        ..heartbeat(&[Loop, Store, Outbox, Port25])
    };
    let mut heart = Heart::default();
    assert!(beat(&mut heart, &heartbeat, &wires).await.is_empty());
    assert_eq!(heard(&server).await, 1);

    let mut deaf = alive();
    deaf.vitals.spoken = Some(at(6000));
    snapshots.send_replace(Arc::new(deaf));
    assert_eq!(
        beat(&mut heart, &heartbeat, &wires).await,
        ["no mail server speaks to us"]
    );
    let mut asleep = alive();
    asleep.at = at(7000);
    snapshots.send_replace(Arc::new(asleep));
    assert_eq!(
        beat(&mut heart, &heartbeat, &wires).await,
        ["the loop stands still"]
    );
    snapshots.send_replace(Arc::new(alive()));
    counting.send_replace(counts(3, 1));
    assert!(
        beat(&mut heart, &heartbeat, &wires).await.is_empty(),
        "it may leave soon"
    );
    assert_eq!(heard(&server).await, 2);

    clock.store(7510, Ordering::Relaxed);
    let mut later = alive();
    (later.at, later.vitals.unanswered_since, later.vitals.due) = (at(7509), None, None);
    snapshots.send_replace(Arc::new(later));
    let stuck = "messages wait and none leaves at oncall";
    assert_eq!(beat(&mut heart, &heartbeat, &wires).await, [stuck]);
    counting.send_replace(counts(4, 0));
    assert!(beat(&mut heart, &heartbeat, &wires).await.is_empty());
    assert_eq!(heard(&server).await, 3);

    drop(counting);
    assert_eq!(
        beat(&mut heart, &heartbeat, &wires).await,
        ["nobody delivers messages any more"]
    );
    keeper.close(tokio::sync::mpsc::unbounded_channel().1);
    thread.join().unwrap();
    let failing = beat(&mut heart, &heartbeat, &wires).await;
    assert_eq!(failing[0], "the store takes no writes");
    assert_eq!(heard(&server).await, 3);
}

/// All is well, as a snapshot.
fn alive() -> Snapshot {
    let counts = counts(3, 0);
    let signs = well(&counts);
    Snapshot {
        at: signs.turned,
        started: signs.started,
        vitals: signs.vitals,
        ..sample::calm()
    }
}

async fn heard(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}
