use super::*;
use crate::incident::sample::at;

fn counts(health: NotifierHealth) -> BTreeMap<Arc<str>, NotifierCounts> {
    let counts = NotifierCounts {
        health,
        ..NotifierCounts::default()
    };
    [("oncall".into(), counts)].into()
}

fn failing(since: u64, for_good: bool) -> NotifierHealth {
    NotifierHealth::Failing {
        since: at(since),
        reason: "the receiver answered 503".into(),
        for_good,
    }
}

/// What is said of one notifier at a time: its state, and why.
fn said(watch: &mut Watch, health: NotifierHealth, blind: bool, now: u64) -> Option<(State, String)> {
    let mut verdicts = watch.judge(&counts(health), |_| true, blind, at(now));
    let verdict = verdicts.pop()?;
    let detail = verdict
        .cause
        .map_or_else(String::new, |cause| cause.detail.clone());
    Some((verdict.state, detail))
}

#[test]
fn one_that_fails_for_long_has_failed_until_something_arrives() {
    let mut watch = Watch::default();
    assert_eq!(said(&mut watch, failing(0, false), false, 299), None);
    let (state, detail) = said(&mut watch, failing(0, false), false, 300).unwrap();
    assert_eq!(state, State::Degraded);
    assert_eq!(
        detail,
        "No message has got through since 02:00 UTC: the receiver answered 503"
    );
    assert_eq!(said(&mut watch, failing(0, false), false, 301), None, "once");
    let (state, _) = said(&mut watch, NotifierHealth::Well, false, 400).unwrap();
    assert_eq!(state, State::Flowing);
    assert_eq!(said(&mut watch, NotifierHealth::Well, false, 401), None);
}

#[test]
fn one_that_refuses_for_good_has_failed_at_once() {
    let (state, detail) = said(&mut Watch::default(), failing(0, true), false, 0).unwrap();
    assert_eq!(state, State::Degraded);
    assert_eq!(
        detail,
        "A message was refused for good: the receiver answered 503"
    );
}

#[test]
fn what_nothing_is_known_of_stays_what_it_was() {
    assert_eq!(
        said(&mut Watch::default(), NotifierHealth::Unproven, false, 1000),
        None
    );
}

#[test]
fn while_our_own_line_is_down_nobody_else_is_at_fault() {
    let mut watch = Watch::default();
    for now in (0..1000).step_by(5) {
        assert_eq!(said(&mut watch, failing(0, false), true, now), None);
    }
    assert_eq!(said(&mut watch, failing(0, false), false, 1294), None);
    assert!(said(&mut watch, failing(0, false), false, 1296).is_some());
}

#[test]
fn one_that_is_gone_is_not_spoken_of() {
    let verdicts = Watch::default().judge(&counts(failing(0, true)), |_| false, false, at(0));
    assert_eq!(verdicts, []);
}
