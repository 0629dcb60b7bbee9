use std::time::Duration;

use proptest::prelude::*;

use super::outlet::wait_after;
use super::*;
use crate::incident::sample::{at, incident};
use crate::model::{Event, MessageId, Notice};

fn message(id: u64, lane: u64, notifier: &str) -> Message {
    Message {
        id: MessageId(id),
        notifier: notifier.into(),
        notice: Arc::new(Notice {
            event: Event::Opened,
            dedup_key: format!("key-{lane}"),
            at: at(0),
            incident: Some(Arc::new(incident(lane))),
            affected: 2,
            subject: String::new(),
            text: String::new(),
            body: String::new(),
            url: None,
            take_url: None,
        }),
    }
}

fn configure(queue: &mut Queue, names: &[Arc<str>], now: Timestamp) -> Vec<Outcome> {
    queue.configure(names.iter().map(|name| (name, Manner::default())), now)
}

fn queue() -> Queue {
    let mut queue = Queue::default();
    let names: Vec<Arc<str>> = vec!["oncall".into(), "mail".into()];
    assert!(configure(&mut queue, &names, at(0)).is_empty());
    queue
}

fn next_id(queue: &mut Queue, now: u64) -> Option<u64> {
    queue.next(at(now)).map(|message| message.id.0)
}

fn fail() -> Result<(), Failure> {
    Err(Failure::passing("connection refused"))
}

#[test]
fn a_lane_is_served_in_order_and_one_at_a_time() {
    let mut queue = queue();
    for id in [1, 2] {
        queue.add(message(id, 7, "oncall"), at(0));
    }
    assert_eq!(next_id(&mut queue, 0), Some(1));
    assert_eq!(next_id(&mut queue, 0), None, "the second waits for the first");
    let done = queue
        .finished(&message(1, 7, "oncall"), &Ok(()), at(1), 0.0)
        .unwrap();
    assert_eq!((done.id.0, done.attempts, done.failed), (1, 1, None));
    assert_eq!(next_id(&mut queue, 1), Some(2));
}

#[test]
fn a_receiver_that_was_away_gets_everything_in_order() {
    let mut queue = queue();
    queue.add(message(1, 7, "oncall"), at(0));
    let mut now = 0;
    for _ in 0..10 {
        assert_eq!(next_id(&mut queue, now), Some(1));
        assert!(
            queue
                .finished(&message(1, 7, "oncall"), &fail(), at(now), 1.0)
                .is_none()
        );
        assert_eq!(next_id(&mut queue, now), None);
        now = u64::try_from(queue.next_due().unwrap().duration_since(at(0)).as_secs()).unwrap();
    }
    assert_eq!(now, 1 + 2 + 4 + 8 + 16 + 32 + 60 * 4);
    queue.add(message(2, 7, "oncall"), at(now));
    assert_eq!(next_id(&mut queue, now), Some(1));
    let done = queue
        .finished(&message(1, 7, "oncall"), &Ok(()), at(now), 1.0)
        .unwrap();
    assert_eq!(done.attempts, 11);
    assert_eq!(next_id(&mut queue, now), Some(2));
}

#[test]
fn one_failing_lane_holds_up_nobody_and_new_ones_go_first() {
    let mut queue = queue();
    for lane in 1..=4 {
        queue.add(message(lane, lane, "oncall"), at(0));
        assert_eq!(next_id(&mut queue, 0), Some(lane));
        queue.finished(&message(lane, lane, "oncall"), &fail(), at(0), 1.0);
    }
    queue.add(message(9, 9, "oncall"), at(100));
    assert_eq!(next_id(&mut queue, 100), Some(9));
    assert_eq!(next_id(&mut queue, 100), Some(1));
}

#[test]
fn only_so_many_are_on_their_way() {
    let mut queue = queue();
    for lane in 1..=6 {
        queue.add(message(lane, lane, "oncall"), at(0));
    }
    queue.add(message(7, 1, "mail"), at(0));
    let on_the_way: Vec<_> = std::iter::from_fn(|| next_id(&mut queue, 0)).collect();
    assert_eq!(on_the_way, [7, 1, 2, 3, 4]);
    assert_eq!(queue.next_due(), None);
    queue.finished(&message(3, 3, "oncall"), &Ok(()), at(0), 0.0);
    assert_eq!(next_id(&mut queue, 0), Some(5));
}

#[test]
fn what_the_receiver_asks_us_to_wait_holds_for_all_its_lanes() {
    let mut queue = queue();
    queue.add(message(1, 1, "oncall"), at(0));
    queue.add(message(2, 2, "oncall"), at(0));
    assert_eq!(next_id(&mut queue, 0), Some(1));
    let busy = Err(Failure::Passing {
        reason: "429".into(),
        retry_after: Some(Duration::from_mins(2)),
    });
    queue.finished(&message(1, 1, "oncall"), &busy, at(0), 1.0);
    assert_eq!(next_id(&mut queue, 119), None);
    assert_eq!(queue.next_due(), Some(at(120)));
    assert_eq!(next_id(&mut queue, 120), Some(2));
}

#[test]
fn no_receiver_can_put_us_off_for_ever() {
    let mut queue = queue();
    queue.add(message(1, 1, "oncall"), at(0));
    queue.next(at(0));
    let busy = Err(Failure::Passing {
        reason: String::new(),
        retry_after: Some(Duration::MAX),
    });
    queue.finished(&message(1, 1, "oncall"), &busy, at(0), 1.0);
    assert_eq!(queue.next_due(), Some(at(3600)));
}

#[test]
fn what_is_refused_for_good_makes_way_for_the_next() {
    let mut queue = queue();
    for id in [1, 2] {
        queue.add(message(id, 7, "oncall"), at(0));
    }
    queue.next(at(0));
    let refused = Err(Failure::permanent("404 Not Found"));
    let done = queue
        .finished(&message(1, 7, "oncall"), &refused, at(0), 0.0)
        .unwrap();
    assert_eq!(done.failed.as_deref(), Some("404 Not Found"));
    assert_eq!(next_id(&mut queue, 0), Some(2));
    let counts = queue.counts()["oncall"].clone();
    assert_eq!((counts.delivered, counts.failed, counts.pending), (0, 1, 1));
}

#[test]
fn messages_for_notifiers_that_are_gone_are_given_up() {
    let mut queue = queue();
    queue.add(message(1, 1, "oncall"), at(0));
    let mail: Arc<str> = "mail".into();
    let given_up = configure(&mut queue, &[mail], at(1));
    assert_eq!(
        given_up[0].failed.as_deref(),
        Some("the notifier is no longer configured")
    );
    assert_eq!(queue.add(message(2, 1, "oncall"), at(1)).len(), 1);
    assert!(queue.next(at(2)).is_none());
}

#[test]
fn a_delivery_that_ends_after_its_notifier_is_gone_is_nobodys() {
    let mut queue = queue();
    queue.add(message(1, 1, "oncall"), at(0));
    queue.next(at(0));
    configure(&mut queue, &[], at(1));
    assert!(
        queue
            .finished(&message(1, 1, "oncall"), &Ok(()), at(2), 0.0)
            .is_none()
    );
}

#[test]
fn too_many_messages_cost_the_oldest_lane() {
    let mut queue = queue();
    let most = u64::try_from(MOST_WAITING).unwrap();
    for id in 1..=most {
        assert!(queue.add(message(id, id / 2, "oncall"), at(0)).is_empty());
    }
    let given_up = queue.add(message(most + 1, most, "oncall"), at(0));
    assert_eq!(given_up.iter().map(|one| one.id.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn waits_double_up_to_a_minute() {
    let waits: Vec<u64> = [1, 2, 3, 6, 7, 8, 1000, u32::MAX]
        .map(|attempts| wait_after(attempts, 1.0).as_secs())
        .into();
    assert_eq!(waits, [1, 2, 4, 32, 60, 60, 60, 60]);
    assert_eq!(wait_after(1, 0.0), Duration::from_millis(500));
}

proptest! {
    /// Whatever fails in between, each message is done exactly once, and those of one lane in order.
    #[test]
    fn nothing_is_lost_and_order_holds(
        lanes in prop::collection::vec(0..4_u64, 1..40),
        fates in prop::collection::vec(0..4_u8, 0..200),
    ) {
        let mut queue = queue();
        for (lane, id) in lanes.iter().zip(1..) {
            queue.add(message(id, *lane, "oncall"), at(0));
        }
        let (mut now, mut done, mut fates) = (0, Vec::new(), fates.into_iter());
        while let Some(due) = queue.next_due() {
            now = now.max(u64::try_from(due.duration_since(at(0)).as_secs()).unwrap() + 1);
            while let Some(message) = queue.next(at(now)) {
                let result = match fates.next() {
                    Some(0 | 1) => fail(),
                    Some(2) => Err(Failure::permanent("no")),
                    _ => Ok(()),
                };
                done.extend(queue.finished(&message, &result, at(now), 0.5));
            }
        }
        prop_assert_eq!(done.len(), lanes.len());
        for lane in 0..4 {
            let ids: Vec<u64> = done
                .iter()
                .filter(|one| one.incident.map(|id| id.0) == Some(lane))
                .map(|one| one.id.0)
                .collect();
            prop_assert!(ids.is_sorted());
        }
    }
}

/// A queue with one receiver of this manner.
fn mannered(manner: Manner) -> Queue {
    let mut queue = Queue::default();
    queue.configure([(&"oncall".into(), manner)].into_iter(), at(0));
    queue
}

fn resending() -> Queue {
    mannered(Manner {
        resend: Some(Duration::from_mins(1)),
        pace: None,
    })
}

fn told(id: u64, event: Event) -> Message {
    let mut message = message(id, 7, "oncall");
    Arc::make_mut(&mut message.notice).event = event;
    message
}

fn take(queue: &mut Queue, message: &Message, now: u64) -> Option<Outcome> {
    queue.finished(message, &Ok(()), at(now), 1.0)
}

#[test]
fn what_goes_on_is_sent_again_until_its_end_is_told_and_never_after() {
    let mut queue = resending();
    let opened = told(1, Event::Opened);
    queue.add(opened.clone(), at(0));
    assert_eq!(next_id(&mut queue, 0), Some(1));
    assert!(take(&mut queue, &opened, 0).is_some());
    assert_eq!(queue.next_due(), Some(at(60)));
    for minute in 1..=3 {
        assert_eq!(next_id(&mut queue, minute * 60 - 1), None);
        assert_eq!(next_id(&mut queue, minute * 60), Some(1));
        assert_eq!(
            take(&mut queue, &opened, minute * 60),
            None,
            "nothing to write down"
        );
    }
    let counts = queue.counts()["oncall"].clone();
    assert_eq!((counts.delivered, counts.failed, counts.pending), (1, 0, 0));
    // While it is on its way again, the end waits for it.
    assert_eq!(next_id(&mut queue, 240), Some(1));
    let resolved = told(2, Event::Resolved);
    queue.add(resolved.clone(), at(240));
    assert_eq!(next_id(&mut queue, 240), None);
    take(&mut queue, &opened, 241);
    assert_eq!(next_id(&mut queue, 241), Some(2));
    assert!(take(&mut queue, &resolved, 241).is_some());
    assert_eq!((queue.next_due(), next_id(&mut queue, 10_000)), (None, None));
}

#[test]
fn news_does_not_wait_until_old_news_is_due() {
    let mut queue = resending();
    queue.add(told(1, Event::Opened), at(0));
    queue.next(at(0));
    take(&mut queue, &told(1, Event::Opened), 0);
    queue.add(told(2, Event::Updated), at(10));
    assert_eq!(next_id(&mut queue, 10), Some(2));
    take(&mut queue, &told(2, Event::Updated), 10);
    assert_eq!(next_id(&mut queue, 70), Some(2), "the newer one stands");
}

#[test]
fn what_was_told_before_a_restart_is_sent_again() {
    let mut queue = resending();
    let before = told(0, Event::Opened);
    queue.stand(before.clone(), at(100));
    assert_eq!(next_id(&mut queue, 100), Some(0));
    queue.finished(&before, &fail(), at(100), 1.0);
    assert_eq!(next_id(&mut queue, 100), None, "it fails like any other");
    assert_eq!(next_id(&mut queue, 101), Some(0));
    take(&mut queue, &before, 101);
    queue.add(told(2, Event::Resolved), at(102));
    assert_eq!(next_id(&mut queue, 102), Some(2));
    take(&mut queue, &told(2, Event::Resolved), 102);
    assert_eq!(queue.next_due(), None);
    // Others need not hear it.
    let mut others = self::queue();
    others.stand(before, at(100));
    assert_eq!(others.next_due(), None);
}

#[test]
fn a_refusal_for_good_does_not_stand() {
    let mut queue = resending();
    queue.add(told(1, Event::Opened), at(0));
    queue.next(at(0));
    let refused = Err(Failure::permanent("400"));
    queue.finished(&told(1, Event::Opened), &refused, at(0), 1.0);
    assert_eq!(queue.next_due(), None);
}

#[test]
fn a_receiver_is_served_at_its_pace() {
    let mut queue = mannered(Manner {
        pace: Some(crate::notify::Pace {
            at_once: 1,
            every: Duration::from_secs(1),
        }),
        resend: None,
    });
    for lane in 1..=3 {
        queue.add(message(lane, lane, "oncall"), at(0));
    }
    assert_eq!(next_id(&mut queue, 0), Some(1));
    assert_eq!((next_id(&mut queue, 0), queue.next_due()), (None, Some(at(1))));
    assert_eq!(next_id(&mut queue, 1), Some(2));
    assert_eq!(next_id(&mut queue, 5), Some(3));
    assert_eq!(next_id(&mut queue, 5), None);
}

#[test]
fn a_receiver_that_takes_nothing_is_not_stormed_and_news_is_tried_all_the_same() {
    let mut queue = queue();
    for lane in 1..=40 {
        queue.add(message(lane, lane, "oncall"), at(0));
    }
    let mut tried = Vec::new();
    for now in 0..=600 {
        while let Some(message) = queue.next(at(now)) {
            queue.finished(&message, &fail(), at(now), 1.0);
            tried.push(now);
        }
    }
    let old = tried.iter().filter(|now| **now > 60).count();
    assert_eq!(tried.iter().filter(|now| **now == 0).count(), 40, "each once");
    assert!(old <= 12, "{old} tries in nine minutes");
    queue.add(message(99, 99, "oncall"), at(601));
    assert_eq!(next_id(&mut queue, 601), Some(99));
    take(&mut queue, &message(99, 99, "oncall"), 601);
    let rest: Vec<_> = std::iter::from_fn(|| {
        let message = queue.next(at(700))?;
        take(&mut queue, &message, 700).map(|outcome| outcome.id.0)
    })
    .collect();
    assert_eq!(rest.len(), 40);
}

#[test]
fn a_test_that_arrives_brings_everything_on_its_way_again() {
    let mut queue = queue();
    queue.add(message(1, 1, "oncall"), at(0));
    queue.next(at(0));
    let busy = Err(Failure::passing("503").asking_to_wait(Some(Duration::from_hours(1))));
    queue.finished(&message(1, 1, "oncall"), &busy, at(0), 1.0);
    assert!(matches!(
        queue.counts()["oncall"].health,
        crate::snapshot::NotifierHealth::Failing { .. }
    ));
    assert_eq!(next_id(&mut queue, 10), None);
    queue.proven("oncall", at(10));
    assert_eq!(
        queue.counts()["oncall"].health,
        crate::snapshot::NotifierHealth::Well
    );
    assert_eq!(next_id(&mut queue, 10), Some(1));
}
