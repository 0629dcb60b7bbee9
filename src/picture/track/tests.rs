//! Rows of failures: what counts, what is forgotten when something recovers, what goes on.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::model::{Evidence, Subject};

const CONFIRM: u32 = 2;

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

/// A probe that began at `second` and took half of one.
fn seen(second: i64) -> Arc<Observation> {
    Arc::new(Observation {
        subject: Subject::Resolver("192.0.2.52:53".parse().unwrap()),
        at: at(second),
        elapsed: Duration::from_millis(500),
        source: None,
        evidence: Evidence::unrunnable(""),
    })
}

fn taking(observation: &Observation) -> Taking {
    Taking {
        confirm: CONFIRM,
        seen: observation.ended(),
        fresh_until: observation.ended() + SignedDuration::from_secs(20),
    }
}

fn record(track: &mut Track, second: i64, health: Health) {
    let observation = seen(second);
    let taking = taking(&observation);
    track.record(&observation, health, taking);
}

/// What was seen at seconds 0, 10, 20 and so on.
fn track(healths: &[Health]) -> Track {
    let mut track = Track::new(&seen(0));
    for (second, health) in (0..).step_by(10).zip(healths) {
        record(&mut track, second, *health);
    }
    track
}

/// Something that it stands on has recovered at `now`, and may have been away since `from`.
fn recovered(track: &mut Track, from: i64, now: i64) -> bool {
    track.drop_failures_since(at(from), at(now), |settled| {
        settled.map_or(at(now), |settled| {
            settled.observation.ended() + SignedDuration::from_secs(20)
        })
    })
}

const GOOD: Health = Health::Good;
const GONE: Health = Health::Failed(Code::HostUnreachable);
const REFUSED: Health = Health::Failed(Code::HostRefused);

fn health(track: &Track) -> Option<Health> {
    track.settled.as_ref().map(|settled| settled.health)
}

#[test]
fn a_failure_counts_once_it_is_confirmed() {
    let mut track = track(&[GOOD, GONE, GONE]);
    assert_eq!(health(&track), Some(GOOD));
    assert!(track.is_in_doubt());
    record(&mut track, 30, REFUSED);
    assert_eq!(health(&track), Some(REFUSED), "three failures, of whatever kind");
    let settled = track.settled.as_ref().unwrap();
    assert_eq!(
        settled.since(),
        seen(10).ended(),
        "it failed from the first one on"
    );
    assert_eq!(
        settled.doubted(),
        seen(20).ended(),
        "and was in doubt until the second one"
    );
}

#[test]
fn a_failure_changes_its_kind_only_after_as_many_of_the_new_kind() {
    let mut track = track(&[GOOD, GONE, GONE, GONE, REFUSED, REFUSED]);
    assert_eq!(health(&track), Some(GONE));
    assert_eq!(track.in_doubt_since(), Some(seen(40).ended()));
    record(&mut track, 60, REFUSED);
    assert_eq!(health(&track), Some(REFUSED));
}

#[test]
fn what_failed_while_an_explainer_was_away_does_not_count() {
    let mut track = track(&[GOOD, GONE, GONE, GONE]);
    assert!(recovered(&mut track, 5, 35));
    assert_eq!(health(&track), Some(GOOD));
    assert!(!track.is_in_doubt());
    // A probe that was under way when it came back says nothing either.
    assert!(track.is_outdated(&seen(34)));
    assert!(!track.is_outdated(&seen(35)));
}

#[test]
fn what_failed_before_an_explainer_went_still_counts() {
    let mut track = track(&[GOOD, GONE, GONE, GONE]);
    assert!(recovered(&mut track, 25, 35), "it is to be looked at again");
    assert_eq!(health(&track), Some(GOOD), "two failures are not enough");
    assert!(track.is_in_doubt());
    record(&mut track, 40, GONE);
    assert_eq!(health(&track), Some(GONE), "with a third they are");

    let mut longer = self::track(&[GOOD, GONE, GONE, GONE, GONE, GONE, GONE]);
    recovered(&mut longer, 45, 65);
    assert_eq!(health(&longer), Some(GONE), "confirmed before");
    assert!(!longer.is_in_doubt());
}

#[test]
fn a_kind_that_showed_only_while_an_explainer_was_away_gives_way_to_the_one_before() {
    let mut track = track(&[GOOD, REFUSED, REFUSED, REFUSED, GONE, GONE, GONE]);
    assert_eq!(health(&track), Some(GONE));
    recovered(&mut track, 35, 65);
    assert_eq!(health(&track), Some(REFUSED));
    assert!(!track.is_in_doubt());
}

#[test]
fn a_doubtful_failure_does_not_revive_what_had_lapsed() {
    let mut track = track(&[GOOD]);
    record(&mut track, 15, GONE);
    assert!(
        track.fresh(at(30)).is_some(),
        "while it is being found out, what counted goes on"
    );
    let mut late = self::track(&[GOOD]);
    record(&mut late, 25, GONE);
    assert!(late.fresh(at(26)).is_none());
    record(&mut late, 30, GONE);
    record(&mut late, 35, GONE);
    assert_eq!(late.fresh(at(36)).map(|settled| settled.health), Some(GONE));
}

#[test]
fn nothing_to_drop_is_nothing_to_look_at_again() {
    assert!(!recovered(&mut track(&[GOOD]), 0, 5));
}

#[test]
fn trouble_that_nothing_came_of_takes_no_room_once_it_is_over() {
    let mut track = track(&[GOOD, Health::Failed(Code::HostUnreachable)]);
    recovered(&mut track, 5, 15);
    // It began before that, and says nothing of what is now.
    record(&mut track, 14, GOOD);
    assert!(track.trouble.is_some());
    record(&mut track, 20, GOOD);
    assert!(track.trouble.is_none());
}

fn any_health() -> impl Strategy<Value = Health> {
    prop_oneof![
        2 => Just(GOOD),
        4 => Just(GONE),
        2 => Just(REFUSED),
        1 => Just(Health::Failed(Code::SmtpDisconnects)),
        1 => Just(Health::Settled(Code::SmtpNoGreeting)),
        1 => Just(Health::Refused),
        1 => Just(Health::Unrunnable),
    ]
}

proptest! {
    #[test]
    fn the_newest_good_one_is_known_whatever_came_after(healths in prop::collection::vec(any_health(), 1..60)) {
        let track = track(&healths);
        let newest = healths.iter().rposition(|health| *health == GOOD);
        prop_assert_eq!(
            track.last_good().map(|good| good.at),
            newest.map(|index| at(10 * i64::try_from(index).unwrap())),
        );
    }

    /// However long a row is and whatever is cut from it: nothing counts that was not confirmed before the cut, and
    /// what is remembered is bounded.
    #[test]
    fn a_cut_leaves_only_what_was_seen_before(healths in prop::collection::vec(any_health(), 1..60), cut in 0..600_i64) {
        let mut track = track(&healths);
        let now = i64::try_from(healths.len()).unwrap() * 10;
        recovered(&mut track, cut, now);
        if let Some(settled) = &track.settled && settled.is_failure() {
            prop_assert!(settled.confirmed() < at(cut), "{:?}", settled.health);
        }
        if let Some(streak) = track.streak() {
            prop_assert!(streak.first_seen() < at(cut));
            prop_assert!(streak.runs.len() <= MOST_RUNS);
            prop_assert!(streak.runs.iter().all(|run| !run.seen.is_empty() && run.seen.len() <= 3));
            prop_assert!(streak.runs.windows(2).all(|pair| pair[0].seen.last() < pair[1].seen.first()));
        }
    }
}
