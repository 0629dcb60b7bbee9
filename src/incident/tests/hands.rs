//! What people do about incidents, and what is told again, and to whom besides.

use super::*;
use crate::incident::NotOpen;
use crate::model::{Held, HeldBy, IncidentId};

fn watched(policy: Policy) -> Bench {
    Bench::new(Policy {
        group_wait: Duration::ZERO,
        critical_after: Duration::ZERO,
        flapping: None,
        repeat_interval: Some(Duration::from_hours(1)),
        ..policy
    })
}

fn acknowledge(bench: &mut Bench, id: u64, by: &str) -> Result<String, NotOpen> {
    let taken = bench.life.acknowledge(IncidentId(id), by, at(bench.now))?;
    Ok(taken.acknowledged.clone().unwrap().by)
}

fn restart(bench: &mut Bench, policy: Policy) {
    let open = bench.open().into_iter().map(|row| {
        let text = serde_json::to_string(&row).unwrap();
        serde_json::from_str(&text).unwrap()
    });
    let restored = Restored {
        open: open.collect(),
        next_id: 9,
        ..Restored::default()
    };
    bench.life = Lifecycle::restore(policy, restored);
}

#[test]
fn what_nobody_takes_on_is_told_again() {
    let mut bench = watched(Policy::default());
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(0), ["#1 opened"]);
    assert_eq!(bench.life.next_due(), Some(at(3600)));
    assert!(bench.settle(3599).is_empty());
    assert_eq!(bench.settle(3600), ["#1 repeated"]);
    assert!(bench.settle(7199).is_empty());
    assert_eq!(bench.settle(7200), ["#1 repeated"]);
    assert_eq!(acknowledge(&mut bench, 1, "anna"), Ok("anna".into()));
    assert_eq!(bench.settle(7200), ["#1 acknowledged"]);
    assert!(bench.settle(100_000).is_empty());
    assert_eq!(bench.life.next_due(), None);
    bench.flows(&router());
    assert_eq!(bench.settle(100_001), ["#1 resolved"]);
}

#[test]
fn who_took_it_on_first_stays_also_over_a_restart() {
    let mut bench = watched(Policy::default());
    bench.breaks(&router(), Code::GatewayDown, router_root());
    bench.settle(0);
    assert_eq!(acknowledge(&mut bench, 1, "anna"), Ok("anna".into()));
    bench.settle(1);
    let policy = bench.life.policy.clone();
    restart(&mut bench, policy);
    assert!(bench.settle(100_000).is_empty());
    assert_eq!(acknowledge(&mut bench, 1, "ben"), Ok("anna".into()));
    assert_eq!(acknowledge(&mut bench, 7, "ben"), Err(NotOpen));
}

#[test]
fn what_is_taken_on_before_it_is_told_is_told_to_nobody() {
    let mut bench = watched(Policy::default());
    bench.life.policy.critical_after = Duration::from_mins(5);
    bench.breaks(&router(), Code::GatewayDown, router_root());
    bench.settle(0);
    acknowledge(&mut bench, 1, "anna").unwrap();
    assert!(bench.settle(1000).is_empty());
    bench.flows(&router());
    assert!(bench.settle(1001).is_empty());
}

#[test]
fn it_is_nobodys_again_when_it_comes_back() {
    let mut bench = watched(Policy::default());
    bench.breaks(&router(), Code::GatewayDown, router_root());
    bench.settle(0);
    acknowledge(&mut bench, 1, "anna").unwrap();
    bench.settle(1);
    bench.flows(&router());
    bench.settle(2);
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(3), ["#1 reopened"]);
    assert_eq!(bench.open()[0].acknowledged, None);
    assert_eq!(bench.settle(3603), ["#1 repeated"]);
}

#[test]
fn each_step_of_the_escalation_is_told_in_its_time() {
    let mut bench = watched(Policy {
        escalate: [0, 15, 45].map(Duration::from_mins).into(),
        ..Policy::default()
    });
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(0), ["#1 opened"]);
    assert!(bench.settle(899).is_empty());
    assert_eq!(bench.settle(900), ["#1 escalated"]);
    let policy = bench.life.policy.clone();
    restart(&mut bench, policy);
    assert!(bench.settle(2699).is_empty());
    assert_eq!(bench.settle(2700), ["#1 escalated"]);
    assert!(bench.settle(2701).is_empty());
    assert_eq!(
        bench.settle(6300),
        ["#1 repeated"],
        "an hour after the last message"
    );
}

#[test]
fn a_first_step_can_wait_and_taking_on_stops_the_others() {
    let mut bench = watched(Policy {
        escalate: [5, 20].map(Duration::from_mins).into(),
        ..Policy::default()
    });
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert!(bench.settle(299).is_empty());
    assert_eq!(bench.settle(300), ["#1 opened"]);
    assert_eq!(
        bench.life.next_due(),
        Some(at(1200)),
        "15 minutes after the first step"
    );
    acknowledge(&mut bench, 1, "anna").unwrap();
    assert_eq!(bench.settle(400), ["#1 acknowledged"]);
    assert!(bench.settle(5000).is_empty());
}

fn quiet(by: HeldBy, until: u64) -> Held {
    Held {
        by,
        until: at(until),
        reason: "why".into(),
    }
}

/// Holds back whatever is due at `now`, and gives it.
fn hold(bench: &mut Bench, held: &Held, now: u64) -> Vec<Event> {
    let due = bench.life.settle(at(now));
    for announcement in &due {
        bench
            .life
            .hold(announcement, held.clone(), &["mute: why".into()], at(now));
    }
    due.iter().map(|one| one.event).collect()
}

#[test]
fn what_is_held_back_comes_when_that_is_over() {
    let mut bench = watched(Policy::default());
    bench.breaks(&router(), Code::GatewayDown, router_root());
    let held = quiet(HeldBy::Silence, 500);
    assert_eq!(hold(&mut bench, &held, 0), [Event::Opened]);
    assert_eq!(bench.life.next_due(), Some(at(500)));
    assert!(hold(&mut bench, &held, 1).is_empty());
    assert_eq!(bench.open()[0].held, Some(held));
    assert_eq!(bench.settle(500), ["#1 opened"]);
    assert_eq!(bench.open()[0].held, None);
    let told = bench.open()[0]
        .log
        .iter()
        .filter(|line| line.text == "mute: why")
        .count();
    assert_eq!(told, 1, "said once");
}

#[test]
fn what_changes_is_decided_anew() {
    let mut bench = watched(Policy::default());
    bench.fails(&router(), State::Degraded, Code::GatewayLossy, router_root());
    bench.life.policy.warning_after = Duration::ZERO;
    hold(&mut bench, &quiet(HeldBy::Hours, 40_000), 0);
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(10), ["#1 opened"], "a warning may wait, not this");
}

#[test]
fn a_window_that_ends_repeats_nothing_at_once() {
    let mut bench = watched(Policy {
        escalate: [0, 15].map(Duration::from_mins).into(),
        ..Policy::default()
    });
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(0), ["#1 opened"]);
    let window = quiet(HeldBy::Maintenance, 8000);
    assert_eq!(hold(&mut bench, &window, 900), [Event::Escalated]);
    assert!(bench.settle(8000).is_empty());
    assert_eq!(
        bench.settle(8900),
        ["#1 escalated"],
        "its time counts from the window's end"
    );
    assert!(bench.settle(12_499).is_empty());
    assert_eq!(bench.settle(12_500), ["#1 repeated"]);
}

#[test]
fn what_somebody_accepts_does_not_recover() {
    let mut bench = watched(Policy::default());
    bench.breaks(&domain("a.test"), Code::HostRefused, server_root());
    assert_eq!(bench.settle(0), ["#1 opened"]);
    let mut verdict = verdict(&domain("a.test"), State::Flowing, None);
    verdict.also.push(crate::model::Warning {
        code: Code::HostRefused,
        subject: "mx.a.test".into(),
        summary: "accepted".into(),
        accepted: true,
    });
    bench.life.judge(&verdict, at(1));
    assert_eq!(bench.settle(1), ["#1 resolved"]);
    assert_eq!(bench.rows()[0].ended_by.as_deref(), Some("accepted"));
}
