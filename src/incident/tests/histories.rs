//! Random histories with restarts and crashes: whatever happens, who was told of a beginning is told of its end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::incident::sample::{at, cause, domain, root, router, vantage, verdict};
use crate::incident::{Flapping, Lifecycle, Policy, Restored};
use crate::model::{Code, Event, Incident, IncidentId, RootKind, State, Target};

#[derive(Debug, Clone)]
enum Step {
    /// A verdict on a target: its state, and which of the roots it blames.
    Judge(usize, State, usize),
    /// Nothing is known of a target.
    Unknown(usize, bool),
    /// Time passes, in seconds.
    Wait(u64),
    /// Everything is written down, then the process starts anew.
    Restart,
    /// The process dies before what it decided is written down, then starts anew.
    Crash,
    /// A target leaves the configuration.
    Remove(usize),
}

fn targets() -> Vec<Target> {
    let mut all = vec![router(), Target::Provider("BIGMAIL".into()), vantage()];
    all.extend(["a.test", "b.test", "c.test", "d.test"].map(domain));
    all
}

fn roots() -> [(Code, crate::model::Root); 4] {
    [
        (Code::GatewayDown, root(RootKind::Gateway, "hq-router")),
        (Code::ProviderOutage, root(RootKind::Provider, "BIGMAIL")),
        (Code::HostRefused, root(RootKind::MxSet, "mx.a.test")),
        (Code::HostUnreachable, root(RootKind::MxSet, "mx.a.test")),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = prop_oneof![
        3 => Just(State::Flowing),
        3 => Just(State::Broken),
        1 => Just(State::Degraded),
    ];
    let step = prop_oneof![
        8 => (0..7_usize, state, 0..4_usize).prop_map(|(t, s, r)| Step::Judge(t, s, r)),
        2 => (0..7_usize, any::<bool>()).prop_map(|(t, blind)| Step::Unknown(t, blind)),
        4 => (0..900_u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
        1 => (0..7_usize).prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 1..80)
}

fn policies() -> impl Strategy<Value = Policy> {
    (0..3_u64, 0..3_u64, 0..3_u64, any::<bool>()).prop_map(|(wait, page, reopen, flap)| Policy {
        group_wait: Duration::from_secs(wait * 10),
        critical_after: Duration::from_secs(page * 150),
        warning_after: Duration::from_secs(page * 600),
        reopen_within: Duration::from_secs(reopen * 300),
        flapping: flap.then(|| Flapping::of_interval(Duration::from_mins(2))),
        ..Policy::default()
    })
}

/// The daemon around the lifecycle: a disk, and receivers that hear exactly what was written down.
struct World {
    policy: Policy,
    life: Lifecycle,
    now: u64,
    disk: BTreeMap<IncidentId, String>,
    seen: BTreeSet<Target>,
    heard: BTreeMap<IncidentId, Vec<Event>>,
}

impl World {
    fn new(policy: Policy) -> Self {
        Self {
            life: Lifecycle::new(policy.clone()),
            policy,
            now: 0,
            disk: BTreeMap::new(),
            seen: BTreeSet::new(),
            heard: BTreeMap::new(),
        }
    }

    fn play(&mut self, step: &Step) {
        let targets = targets();
        match step {
            Step::Judge(target, state, blamed) => {
                let (code, root) = roots()[*blamed].clone();
                let cause = (*state != State::Flowing).then(|| cause(code, root));
                let verdict = verdict(&targets[*target], *state, cause);
                self.life.judge(&verdict, at(self.now));
                self.commit();
            }
            Step::Unknown(target, blind) => self.blind(&targets[*target], *blind),
            Step::Wait(seconds) => {
                self.now += seconds;
                self.look(u32::try_from(seconds / 120).unwrap());
                self.commit();
            }
            Step::Restart => {
                self.commit();
                self.start();
            }
            Step::Crash => {
                self.life.settle(at(self.now));
                self.start();
            }
            Step::Remove(target) => {
                self.life.remove(&targets[*target]);
                self.commit();
            }
        }
    }

    /// What is well for now is found so in some observations in a row.
    fn look(&mut self, observations: u32) {
        for target in self.life.held() {
            self.life.found_well(&target, observations);
        }
    }

    /// A verdict that says nothing opens nothing and closes nothing.
    fn blind(&mut self, target: &Target, blind: bool) {
        let code = if blind && !matches!(target, Target::Vantage(_)) {
            Code::VantageOffline
        } else {
            Code::VantageNoEvidence
        };
        let before = self.open();
        let ours = cause(code, root(RootKind::Vantage, "hq"));
        self.life
            .judge(&verdict(target, State::Unknown, Some(ours)), at(self.now));
        self.commit();
        assert_eq!(before, self.open());
    }

    fn open(&self) -> Vec<(IncidentId, usize)> {
        let open = self.life.open();
        open.map(|row| (row.id, row.affected.len())).collect()
    }

    /// One step of the daemon: conclusions, messages and rows in one transaction.
    fn commit(&mut self) {
        for announcement in self.life.settle(at(self.now)) {
            let incident = &announcement.incident;
            if announcement.event == Event::Opened {
                assert!(incident.affected.iter().any(|one| !one.first_sight));
            }
            self.heard
                .entry(incident.id)
                .or_default()
                .push(announcement.event);
            self.life
                .told(&announcement, vec!["oncall".into()], &[], at(self.now));
        }
        assert!(self.life.settle(at(self.now)).is_empty());
        let rows = self.life.take_rows();
        for row in rows.incidents {
            self.disk.insert(row.id, serde_json::to_string(&*row).unwrap());
        }
        self.seen.extend(rows.seen);
        for target in rows.forgotten {
            self.seen.remove(&target);
        }
        self.check_targets();
    }

    fn check_targets(&self) {
        let mut members = BTreeSet::new();
        for row in self.life.open() {
            assert!(row.is_open() && !row.affected.is_empty());
            for one in &row.affected {
                assert!(
                    members.insert(one.target.clone()),
                    "{} is in two incidents",
                    one.target
                );
            }
        }
    }

    fn start(&mut self) {
        let all: Vec<Incident> = self
            .disk
            .values()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        let next_id = all.iter().map(|row| row.id.0 + 1).max().unwrap_or(1);
        let (open, ended) = all.into_iter().partition(Incident::is_open);
        self.life = Lifecycle::restore(
            self.policy.clone(),
            Restored {
                open,
                ended,
                seen: self.seen.iter().cloned().collect(),
                next_id,
            },
        );
    }

    /// Everything flows again, and enough time passes for whatever is still held.
    fn heal(&mut self) {
        for target in targets() {
            self.life
                .judge(&verdict(&target, State::Flowing, None), at(self.now));
        }
        self.commit();
        self.now += 100_000;
        self.look(5);
        self.commit();
    }
}

/// Opened once, then updates, then resolved, and the same again for each reopening.
fn is_in_order(events: &[Event]) -> bool {
    let mut told = false;
    events.iter().enumerate().all(|(position, event)| {
        let fits = match event {
            Event::Opened => position == 0,
            Event::Reopened => position > 0 && !told,
            _ => told,
        };
        told = *event != Event::Resolved;
        fits
    }) && !told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_beginning_that_was_told_is_ended(policy in policies(), steps in steps()) {
        let mut world = World::new(policy);
        for step in &steps {
            world.play(step);
        }
        world.heal();
        prop_assert!(world.open().is_empty());
        for (id, events) in &world.heard {
            prop_assert!(is_in_order(events), "#{id}: {events:?}");
        }
    }

    #[test]
    fn what_was_told_before_a_crash_is_not_told_again(steps in steps()) {
        let policy = Policy { critical_after: Duration::ZERO, group_wait: Duration::ZERO, ..Policy::default() };
        let mut world = World::new(policy);
        for step in &steps {
            world.play(step);
        }
        let heard = world.heard.clone();
        world.play(&Step::Crash);
        world.commit();
        prop_assert_eq!(heard, world.heard);
    }
}
