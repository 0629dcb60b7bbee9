//! The rules one by one, then random histories.

mod hands;
mod histories;

use std::time::Duration;

use rstest::rstest;

use super::sample::{at, cause, domain, root, router, vantage, verdict};
use super::{Announcement, Flapping, Lifecycle, Policy, Restored};
use crate::model::{Code, Event, Incident, IncidentState, Root, RootKind, Severity, State, Target};

/// A lifecycle at work: it is driven, what it announces is noted, and everything announced is taken care of.
struct Bench {
    life: Lifecycle,
    now: u64,
    heard: Vec<String>,
}

impl Bench {
    /// Everything in the tests' small world was seen flowing before.
    fn new(policy: Policy) -> Self {
        let mut bench = Self {
            life: Lifecycle::new(policy),
            now: 0,
            heard: Vec::new(),
        };
        for target in [domain("a.test"), domain("b.test"), router(), vantage()] {
            bench.flows(&target);
        }
        bench
    }

    fn prompt() -> Self {
        Self::new(Policy {
            group_wait: Duration::ZERO,
            critical_after: Duration::ZERO,
            warning_after: Duration::ZERO,
            reopen_within: Duration::ZERO,
            flapping: None,
            ..Policy::default()
        })
    }

    fn flows(&mut self, target: &Target) {
        self.life
            .judge(&verdict(target, State::Flowing, None), at(self.now));
    }

    fn fails(&mut self, target: &Target, state: State, code: Code, root: Root) {
        let verdict = verdict(target, state, Some(cause(code, root)));
        self.life.judge(&verdict, at(self.now));
    }

    fn breaks(&mut self, target: &Target, code: Code, root: Root) {
        self.fails(target, State::Broken, code, root);
    }

    /// Lets time pass up to `now` and returns what is told then.
    fn settle(&mut self, now: u64) -> Vec<String> {
        self.now = now;
        let due = self.life.settle(at(now));
        let heard: Vec<String> = due
            .iter()
            .map(|Announcement { event, incident }| format!("#{} {}", incident.id, event.as_str()))
            .collect();
        for announcement in due {
            self.life.told(&announcement, vec!["oncall".into()], &[], at(now));
        }
        self.heard.extend(heard.clone());
        heard
    }

    fn open(&self) -> Vec<Incident> {
        self.life.open().map(|row| (**row).clone()).collect()
    }

    fn rows(&mut self) -> Vec<Incident> {
        let rows = self.life.take_rows().incidents;
        rows.iter().map(|row| (**row).clone()).collect()
    }
}

fn router_root() -> Root {
    root(RootKind::Gateway, "hq-router")
}

fn server_root() -> Root {
    root(RootKind::MxSet, "mx.a.test")
}

#[test]
fn domains_behind_one_router_are_one_incident() {
    let mut bench = Bench::prompt();
    for target in [domain("a.test"), router(), domain("b.test")] {
        bench.breaks(&target, Code::GatewayDown, router_root());
    }
    assert_eq!(bench.settle(1), ["#1 opened"]);
    let open = bench.open();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].affected.len(), 3);
    assert_eq!(open[0].severity, Severity::Critical);
    assert_eq!(bench.life.incident_of(&domain("b.test")), Some(open[0].id));

    bench.flows(&domain("a.test"));
    bench.flows(&router());
    assert!(bench.settle(2).is_empty(), "one domain is still down");
    bench.flows(&domain("b.test"));
    assert_eq!(bench.settle(3), ["#1 resolved"]);
    assert!(bench.open().is_empty());
}

#[test]
fn what_ends_before_it_is_due_is_not_told() {
    let mut bench = Bench::new(Policy::default());
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert!(bench.settle(0).is_empty());
    assert_eq!(bench.life.next_due(), Some(at(300)));
    assert!(bench.settle(299).is_empty());
    bench.flows(&router());
    assert!(bench.settle(300).is_empty());
    let row = bench.rows().pop().unwrap();
    assert_eq!(row.state, IncidentState::Resolved);
    assert!(row.announced.is_none());
    insta::assert_snapshot!(log_of(&row), @"
    2026-11-22T02:00:00Z opened: gateway.down at hq-router
    2026-11-22T02:00:00Z joined: gateway hq-router of acme
    2026-11-22T02:00:00Z severity critical
    2026-11-22T02:00:00Z is told at 2026-11-22T02:05:00Z unless it ends before
    2026-11-22T02:05:00Z ended: recovered
    2026-11-22T02:05:00Z nobody is told of the end, as nobody was told of it
    ");
}

fn log_of(row: &Incident) -> String {
    let lines: Vec<String> = row
        .log
        .iter()
        .map(|entry| format!("{} {}", entry.at, entry.text))
        .collect();
    lines.join("\n")
}

#[test]
fn warnings_wait_longer_and_info_is_never_told() {
    let policy = Policy {
        severity: [(Code::TlsNotOffered, Severity::Info)].into(),
        ..Policy::default()
    };
    let mut bench = Bench::new(policy);
    bench.fails(
        &domain("a.test"),
        State::Degraded,
        Code::SmtpSlowGreeting,
        server_root(),
    );
    bench.fails(
        &domain("b.test"),
        State::Degraded,
        Code::TlsNotOffered,
        root(RootKind::MxSet, "mx.b.test"),
    );
    assert!(bench.settle(0).is_empty());
    assert!(bench.settle(1799).is_empty());
    assert_eq!(bench.settle(1800), ["#1 opened"]);
    assert_eq!(bench.settle(90_000), ["#1 repeated"], "and nothing of the other");
}

#[test]
fn the_same_group_wait_gathers_and_holds_back_changes() {
    let policy = Policy {
        critical_after: Duration::ZERO,
        ..Policy::default()
    };
    let mut bench = Bench::new(policy);
    bench.breaks(&domain("a.test"), Code::HostRefused, server_root());
    assert!(bench.settle(0).is_empty());
    bench.breaks(&domain("b.test"), Code::HostRefused, server_root());
    assert_eq!(bench.settle(10), ["#1 opened"]);
    assert_eq!(bench.open()[0].affected.len(), 2);

    bench.fails(
        &domain("a.test"),
        State::Broken,
        Code::HostUnreachable,
        server_root(),
    );
    assert!(bench.settle(12).is_empty(), "the change has not held yet");
    assert_eq!(bench.life.next_due(), Some(at(22)));
    assert_eq!(bench.settle(22), ["#1 updated"]);
    assert!(bench.settle(40).is_empty(), "told once");

    bench.breaks(&domain("a.test"), Code::HostRefused, server_root());
    assert!(bench.settle(41).is_empty());
    bench.breaks(&domain("a.test"), Code::HostUnreachable, server_root());
    assert!(bench.settle(60).is_empty(), "what was told is true again");
}

#[test]
fn a_changed_severity_is_an_update_of_the_same_incident() {
    let mut bench = Bench::prompt();
    bench.fails(
        &domain("a.test"),
        State::Degraded,
        Code::SmtpSlowGreeting,
        server_root(),
    );
    assert_eq!(bench.settle(1), ["#1 opened"]);
    bench.breaks(&domain("a.test"), Code::SmtpNoGreeting, server_root());
    assert_eq!(bench.settle(2), ["#1 updated"]);
    assert_eq!(bench.open()[0].severity, Severity::Critical);
}

#[test]
fn a_router_found_behind_a_dead_server_takes_over_its_incident() {
    let mut bench = Bench::prompt();
    bench.breaks(&domain("a.test"), Code::HostUnreachable, server_root());
    assert_eq!(bench.settle(1), ["#1 opened"]);
    let key = bench.open()[0].dedup_key.clone();
    bench.breaks(&domain("a.test"), Code::GatewayDown, router_root());
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(2), ["#1 updated"]);
    let open = bench.open();
    assert_eq!((open.len(), open[0].dedup_key.clone()), (1, key));
    assert_eq!(open[0].cause.root, router_root());
}

#[test]
fn of_two_incidents_with_one_root_the_older_lives_on() {
    let mut bench = Bench::prompt();
    bench.breaks(&domain("a.test"), Code::HostUnreachable, server_root());
    assert_eq!(bench.settle(1), ["#1 opened"]);
    bench.breaks(&domain("b.test"), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(2), ["#2 opened"]);
    bench.breaks(&domain("a.test"), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(3), ["#2 resolved", "#1 updated"]);
    let absorbed = bench.rows().into_iter().find(|row| row.id.0 == 2).unwrap();
    assert_eq!(absorbed.ended_by.as_deref(), Some("merged into #1"));
    assert_eq!(bench.open()[0].affected.len(), 2);
}

#[test]
fn several_incidents_that_turn_out_to_be_one_merge_into_the_oldest() {
    let mut bench = Bench::prompt();
    bench.breaks(
        &domain("b.test"),
        Code::HostUnreachable,
        root(RootKind::MxSet, "mx.b.test"),
    );
    bench.settle(1);
    bench.breaks(&domain("a.test"), Code::HostUnreachable, server_root());
    bench.settle(2);
    for target in [domain("a.test"), domain("b.test")] {
        bench.breaks(&target, Code::ProviderOutage, root(RootKind::Provider, "BIGMAIL"));
    }
    assert_eq!(bench.settle(3), ["#2 resolved", "#1 updated"]);
}

#[test]
fn an_incident_that_falls_apart_goes_with_the_most() {
    let mut bench = Bench::prompt();
    let provider = root(RootKind::Provider, "BIGMAIL");
    for target in [domain("a.test"), domain("b.test"), router()] {
        bench.breaks(&target, Code::HostUnreachable, server_root());
    }
    bench.settle(1);
    bench.breaks(&domain("a.test"), Code::ProviderOutage, provider);
    bench.breaks(&domain("b.test"), Code::GatewayDown, router_root());
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(2), ["#1 updated", "#2 opened"]);
    assert_eq!(bench.life.incident_of(&domain("a.test")).unwrap().0, 2);
}

#[test]
fn no_page_is_lost_when_the_survivor_had_not_been_told() {
    let policy = Policy {
        group_wait: Duration::ZERO,
        critical_after: Duration::from_secs(100),
        page_after: [(Code::GatewayDown, Duration::ZERO)].into(),
        ..Policy::default()
    };
    let mut bench = Bench::new(policy);
    bench.breaks(&domain("a.test"), Code::HostUnreachable, server_root());
    assert!(bench.settle(0).is_empty());
    bench.breaks(&domain("b.test"), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(1), ["#2 opened"]);
    bench.breaks(&domain("a.test"), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(2), ["#2 resolved", "#1 opened"]);
}

#[test]
fn first_sight_is_never_told_until_it_gets_worse_or_comes_back() {
    let mut bench = Bench::prompt();
    let new = domain("new.test");
    bench.fails(&new, State::Degraded, Code::TlsCertificateExpired, server_root());
    assert!(bench.settle(1).is_empty());
    assert!(bench.open()[0].affected[0].first_sight);
    bench.flows(&new);
    assert!(bench.settle(2).is_empty(), "nor is its end");
    bench.fails(&new, State::Degraded, Code::TlsCertificateExpired, server_root());
    assert_eq!(bench.settle(3), ["#2 opened"]);

    let other = domain("other.test");
    let other_root = root(RootKind::MxSet, "mx.other.test");
    bench.fails(
        &other,
        State::Degraded,
        Code::TlsCertificateExpired,
        other_root.clone(),
    );
    assert!(bench.settle(4).is_empty());
    bench.breaks(&other, Code::HostRefused, other_root);
    assert_eq!(bench.settle(5), ["#3 opened"]);
}

#[test]
fn nothing_but_unknowns_is_no_first_sight() {
    let mut bench = Bench::prompt();
    let new = domain("new.test");
    let ours = root(RootKind::Vantage, "hq");
    bench.fails(&new, State::Unknown, Code::VantageNoEvidence, ours);
    bench.settle(1);
    bench.breaks(&new, Code::HostRefused, server_root());
    assert!(bench.settle(2).is_empty());
}

#[test]
fn what_gets_worse_is_waited_for_anew() {
    let mut bench = Bench::new(Policy::default());
    bench.fails(
        &domain("a.test"),
        State::Degraded,
        Code::SmtpSlowGreeting,
        server_root(),
    );
    bench.settle(0);
    bench.now = 1000;
    bench.breaks(&domain("a.test"), Code::SmtpNoGreeting, server_root());
    assert!(bench.settle(1299).is_empty());
    assert_eq!(bench.settle(1300), ["#1 opened"]);
}

#[test]
fn a_merger_after_a_restart_tells_the_cause_that_is_left() {
    let mut bench = Bench::prompt();
    bench.fails(
        &domain("a.test"),
        State::Degraded,
        Code::SmtpSlowGreeting,
        server_root(),
    );
    bench.settle(1);
    for name in ["b.test", "c.test"] {
        bench.flows(&domain(name));
        bench.breaks(&domain(name), Code::GatewayDown, router_root());
    }
    bench.settle(2);
    let restored = Restored {
        open: bench.rows(),
        seen: ["a.test", "b.test", "c.test"].map(domain).into(),
        ..Restored::default()
    };
    bench.life = Lifecycle::restore(bench.life.policy.clone(), restored);
    bench.now = 3;
    bench.flows(&domain("b.test"));
    bench.breaks(&domain("a.test"), Code::GatewayDown, router_root());
    assert_eq!(bench.settle(3), ["#2 resolved", "#1 updated"]);
    assert_eq!(bench.open()[0].cause.root, router_root());
    bench.breaks(&vantage(), Code::VantageOffline, root(RootKind::Vantage, "hq"));
    bench.settle(4);
    assert_eq!(
        bench.open().iter().map(|row| row.id.0).max(),
        Some(3),
        "numbers go on"
    );
}

#[test]
fn first_sight_survives_a_restart() {
    let mut bench = Bench::prompt();
    bench.breaks(&domain("new.test"), Code::HostRefused, server_root());
    bench.settle(1);
    let rows = bench.life.take_rows();
    assert!(rows.seen.contains(&domain("new.test")));
    bench.life = Lifecycle::restore(
        bench.life.policy.clone(),
        Restored {
            open: rows.incidents.iter().map(|row| (**row).clone()).collect(),
            seen: rows.seen,
            next_id: 2,
            ..Restored::default()
        },
    );
    bench.breaks(&domain("new.test"), Code::HostRefused, server_root());
    assert!(bench.settle(2).is_empty());
    bench.flows(&domain("new.test"));
    assert!(bench.settle(3).is_empty());
    bench.breaks(&domain("new.test"), Code::HostRefused, server_root());
    assert_eq!(bench.settle(4), ["#2 opened"]);
}

#[rstest]
#[case::blind(Code::VantageOffline)]
#[case::no_evidence(Code::VantageNoEvidence)]
#[case::refused(Code::VantageRefused)]
fn unknown_leaves_a_broken_domain_where_it_is(#[case] code: Code) {
    let mut bench = Bench::prompt();
    bench.breaks(&domain("a.test"), Code::HostRefused, server_root());
    bench.settle(1);
    bench.fails(
        &domain("a.test"),
        State::Unknown,
        code,
        root(RootKind::Vantage, "hq"),
    );
    assert!(bench.settle(2).is_empty());
    assert_eq!(bench.open()[0].cause.code, Code::HostRefused);
}

#[test]
fn being_blind_is_one_incident_of_ours_and_nobody_elses() {
    let mut bench = Bench::prompt();
    let ours = root(RootKind::Vantage, "hq");
    for target in [vantage(), domain("a.test"), domain("b.test"), router()] {
        bench.fails(&target, State::Unknown, Code::VantageOffline, ours.clone());
    }
    assert_eq!(bench.settle(1), ["#1 opened"]);
    let open = bench.open();
    assert_eq!((open.len(), open[0].affected.len()), (1, 1));
    assert_eq!(open[0].severity, Severity::Critical);
    bench.flows(&vantage());
    assert_eq!(bench.settle(2), ["#1 resolved"]);
}

#[test]
fn a_domain_that_refuses_us_is_a_warning() {
    let mut bench = Bench::prompt();
    bench.fails(
        &domain("a.test"),
        State::Unknown,
        Code::VantageRefused,
        server_root(),
    );
    assert_eq!(bench.settle(1), ["#1 opened"]);
    assert_eq!(bench.open()[0].severity, Severity::Warning);
    bench.fails(
        &domain("a.test"),
        State::Unknown,
        Code::VantageNoEvidence,
        root(RootKind::Vantage, "hq"),
    );
    assert!(bench.settle(2).is_empty());
    bench.breaks(&domain("a.test"), Code::HostRefused, server_root());
    assert_eq!(bench.settle(3), ["#1 updated"]);
}

#[test]
fn the_same_root_reopens_its_incident() {
    let policy = Policy {
        critical_after: Duration::from_mins(1),
        ..Policy::default()
    };
    let mut bench = Bench::new(policy);
    bench.breaks(&router(), Code::GatewayDown, router_root());
    bench.settle(0);
    assert_eq!(bench.settle(60), ["#1 opened"]);
    bench.flows(&router());
    assert_eq!(bench.settle(70), ["#1 resolved"]);
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert!(bench.settle(100).is_empty(), "also a reopening has to last");
    assert_eq!(bench.open()[0].id.0, 1);
    assert_eq!(bench.settle(160), ["#1 reopened"]);
    bench.flows(&router());
    assert_eq!(bench.settle(170), ["#1 resolved"]);
    bench.now = 771;
    bench.breaks(&router(), Code::GatewayDown, router_root());
    bench.settle(771);
    assert_eq!(bench.open()[0].id.0, 2, "ten minutes are over");
}

#[test]
fn a_target_that_leaves_the_configuration_ends_its_incident() {
    let mut bench = Bench::prompt();
    bench.breaks(&domain("a.test"), Code::HostRefused, server_root());
    assert_eq!(bench.settle(1), ["#1 opened"]);
    bench.life.retain(|target| *target != domain("a.test"));
    assert_eq!(bench.settle(2), ["#1 resolved"]);
    let rows = bench.life.take_rows();
    assert_eq!(rows.incidents[0].ended_by.as_deref(), Some("removed"));
    assert_eq!(rows.forgotten, [domain("a.test")]);
}

/// Lets the router fail and come back `times`, a turn every `every` seconds from `from` on, observed at `pace`.
fn toggles(bench: &mut Bench, times: u64, every: u64, pace: Option<Duration>) {
    for turn in 0..times * 2 {
        let state = if turn % 2 == 0 {
            State::Broken
        } else {
            State::Flowing
        };
        let broken = (state == State::Broken).then(|| cause(Code::GatewayDown, router_root()));
        bench
            .life
            .judge_paced(&verdict(&router(), state, broken), pace, at(bench.now));
        bench.settle(bench.now + every);
    }
}

#[test]
fn a_flapping_target_is_one_incident_until_it_is_well_five_times_in_a_row() {
    let mut bench = Bench::prompt();
    bench.life.policy.flapping = Some(Flapping::of_interval(Duration::from_mins(1)));
    bench.life.policy.repeat_interval = None;
    toggles(&mut bench, 3, 50, None);
    assert_eq!(
        bench.heard,
        [
            "#1 opened",
            "#1 resolved",
            "#2 opened",
            "#2 resolved",
            "#3 opened"
        ],
        "the third end is held back"
    );
    assert_eq!(bench.life.held(), [router()]);
    assert_eq!(bench.life.next_due(), None);
    let flaps = bench.life.flaps(&router()).unwrap();
    assert_eq!((flaps.turns, flaps.since), (6, at(0)));
    assert_eq!(bench.open()[0].flapping(), Some(flaps));
    bench.heard.clear();
    toggles(&mut bench, 20, 10, None);
    assert_eq!(bench.life.flaps(&router()).map(|flaps| flaps.turns), Some(46));
    bench.life.found_well(&router(), 4);
    assert!(bench.settle(100_000).is_empty(), "time alone ends nothing");
    bench.life.found_well(&router(), 5);
    assert_eq!(bench.settle(100_001), ["#3 resolved"]);
    assert_eq!(bench.life.held(), []);
    let row = bench.rows().into_iter().find(|row| row.id.0 == 3).unwrap();
    assert_eq!(row.flapping().map(|flaps| flaps.turns), Some(46));
    let told = row
        .log
        .iter()
        .filter(|entry| entry.text.starts_with("flapping: "));
    assert_eq!(told.count(), 1, "{}", log_of(&row));
    // From here on turns are counted anew.
    toggles(&mut bench, 1, 10, None);
    assert_eq!(bench.life.held(), []);
}

/// Six turns an hour are none of a server that is looked at every minute, but they are of one at every ten.
#[rstest]
#[case::by_the_minute(Some(60), false)]
#[case::by_default(None, false)]
#[case::every_ten_minutes(Some(600), true)]
fn turns_are_reckoned_in_effective_intervals(#[case] pace: Option<u64>, #[case] flapping: bool) {
    let mut bench = Bench::prompt();
    bench.life.policy.flapping = Some(Flapping::of_interval(Duration::from_mins(1)));
    toggles(&mut bench, 3, 600, pace.map(Duration::from_secs));
    assert_eq!(bench.life.flaps(&router()).is_some(), flapping);
    assert_eq!(bench.open().len(), usize::from(flapping));
}

/// What flaps goes on flapping over a restart: it ends no sooner than without one.
#[test]
fn flapping_outlives_a_restart() {
    let mut bench = Bench::prompt();
    bench.life.policy.flapping = Some(Flapping::of_interval(Duration::from_mins(1)));
    toggles(&mut bench, 3, 50, None);
    let restored = Restored {
        open: bench.open(),
        seen: vec![router()],
        next_id: 9,
        ..Restored::default()
    };
    bench.life = Lifecycle::restore(bench.life.policy.clone(), restored);
    bench.flows(&router());
    assert!(bench.settle(400).is_empty());
    bench.life.found_well(&router(), 5);
    assert_eq!(bench.settle(500), ["#3 resolved"]);
}

#[test]
fn a_policy_change_changes_what_is_open() {
    let mut bench = Bench::prompt();
    bench.breaks(&router(), Code::GatewayDown, router_root());
    bench.settle(1);
    let policy = Policy {
        severity: [(Code::GatewayDown, Severity::Warning)].into(),
        ..bench.life.policy.clone()
    };
    bench.life.set_policy(policy);
    assert_eq!(bench.settle(2), ["#1 updated"]);
}

#[test]
fn a_log_is_bounded_and_keeps_its_beginning() {
    let mut bench = Bench::prompt();
    bench.breaks(&router(), Code::GatewayDown, router_root());
    bench.settle(1);
    let id = bench.open()[0].id;
    for number in 0..500 {
        bench.life.note(id, at(2), &format!("note {number}"));
    }
    let log = bench.open().remove(0).log;
    assert_eq!(log.len(), 200);
    assert_eq!(log[0].text, "opened: gateway.down at hq-router");
    assert_eq!(log[199].text, "note 499");
}

#[test]
fn a_message_is_proposed_until_it_is_taken_care_of() {
    let mut bench = Bench::prompt();
    bench.breaks(&router(), Code::GatewayDown, router_root());
    assert_eq!(bench.life.settle(at(1)).len(), 1);
    assert_eq!(bench.life.settle(at(2)).len(), 1);
    assert_eq!(bench.settle(3), [format!("#1 {}", Event::Opened.as_str())]);
    assert!(bench.settle(4).is_empty());
}

#[test]
fn a_storm_with_one_cause_is_one_message() {
    let mut bench = Bench::new(Policy {
        critical_after: Duration::ZERO,
        ..Policy::default()
    });
    let provider = root(RootKind::Provider, "BIGMAIL");
    for number in 0..10_000 {
        let target = domain(&format!("d{number}.test"));
        bench.flows(&target);
        bench.breaks(&target, Code::ProviderOutage, provider.clone());
    }
    assert!(bench.settle(0).is_empty());
    assert_eq!(bench.settle(10), ["#1 opened"]);
    let rows = bench.rows();
    assert_eq!((rows.len(), rows[0].affected.len()), (1, 10_000));
    assert!(rows[0].log.len() < 10);
}

#[test]
fn what_is_trusted_has_no_first_sight() {
    let mut bench = Bench::prompt();
    let notifier = Target::Notifier("oncall".into());
    bench.rows();
    bench.life.trust(&notifier);
    assert_eq!(bench.life.take_rows().seen, std::slice::from_ref(&notifier));
    bench.life.trust(&notifier);
    assert!(bench.life.take_rows().is_empty());
    bench.breaks(
        &notifier,
        Code::NotifierFailed,
        root(RootKind::Notifier, "oncall"),
    );
    assert_eq!(bench.settle(1), ["#1 opened"]);
    bench.life.trust(&notifier);
    assert!(bench.settle(2).is_empty(), "what is known to be ill stays so");
    assert_eq!(bench.open().len(), 1);
}
