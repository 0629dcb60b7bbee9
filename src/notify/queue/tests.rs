use proptest::prelude::*;

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
        }),
    }
}

fn queue() -> Queue {
    let mut queue = Queue::default();
    let names: Vec<Arc<str>> = vec!["oncall".into(), "mail".into()];
    assert!(queue.configure(names.iter(), at(0)).is_empty());
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
    let counts = queue.counts()["oncall"];
    assert_eq!((counts.delivered, counts.failed, counts.pending), (0, 1, 1));
}

#[test]
fn messages_for_notifiers_that_are_gone_are_given_up() {
    let mut queue = queue();
    queue.add(message(1, 1, "oncall"), at(0));
    let mail: Arc<str> = "mail".into();
    let given_up = queue.configure([&mail].into_iter(), at(1));
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
    queue.configure(std::iter::empty(), at(1));
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
