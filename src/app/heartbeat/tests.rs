use super::*;

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
