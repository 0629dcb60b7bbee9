//! Plays the cases under `cases/`, each at several moments of the schedule.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rstest::rstest;

use super::case::{Case, Step, Turn};
use super::sim::{Fault, Sim, is_thorough, moments};
use crate::model::{Code, State, Subject, Target};

/// Moments of the schedule's round of 5 s at which things happen: steps that fall between its own.
const PHASES: u32 = 3;
const PHASE: f64 = 1.61;

/// How long everything is watched after what was expected had to come.
const HOLD: f64 = 10.0;
/// Usual seconds until everything is as it was, once all is healed.
const HEALED: f64 = 30.0;

/// One process plays many: a world that has settled serves every case that begins in it.
#[rstest]
fn cases_hold(
    #[values(
        "canary",
        "dns",
        "gateway",
        "host",
        "policy",
        "provider",
        "reputation",
        "route",
        "service",
        "several",
        "smtp",
        "tls",
        "vantage"
    )]
    folder: &str,
) {
    let only = std::env::var("CASE").unwrap_or_default();
    let mut settled = Settled::default();
    let mut wrong = Vec::new();
    for case in Case::all_of(folder)
        .iter()
        .filter(|case| case.name.contains(&only))
    {
        let sim = settled.start_of(case);
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(case, &sim)));
        wrong.extend(played.is_err().then(|| case.name.clone()));
    }
    assert_eq!(wrong, Vec::<String>::new(), "these do not hold: see above");
}

#[test]
fn every_folder_is_played() {
    let source = include_str!("cases.rs");
    for folder in Case::folders() {
        assert!(source.contains(&format!("\"{folder}\"")), "name {folder} above");
    }
}

/// What a settled world goes by: configuration, time watched, what is given.
type Setting = (String, u64, Vec<Fault>);

/// Worlds that have been watched for as long as a case wants.
#[derive(Default)]
struct Settled(Vec<(Setting, Sim)>);

impl Settled {
    fn start_of(&mut self, case: &Case) -> Sim {
        let key = (case.world.clone(), case.watched.to_bits(), case.given.clone());
        if let Some((_, known)) = self.0.iter().find(|(known, _)| *known == key) {
            return known.clone();
        }
        let mut sim = Sim::started_in(case.world_at_rest(), &case.config());
        sim.run(case.watched);
        self.0.push((key, sim.clone()));
        sim
    }
}

fn play(case: &Case, settled: &Sim) {
    let first_sight = case.steps[0].inject.is_empty();
    for name in settled.domains().iter().filter(|_| !first_sight) {
        let state = settled.state(name);
        assert_eq!(state, (State::Flowing, None), "{}: {name} at first", case.name);
    }
    for phase in moments(PHASES) {
        let mut sim = settled.clone();
        sim.run(f64::from(phase + 1) * PHASE);
        sim.forget();
        let label = format!("{}, phase {phase}", case.name);
        Playing { case, label, sim }.play();
    }
}

/// How something with a verdict is.
type Shown = (State, Option<Code>);

/// How everything with a verdict is.
type States = BTreeMap<String, Shown>;

/// A case while it is played.
struct Playing<'a> {
    case: &'a Case,
    label: String,
    sim: Sim,
}

impl Playing<'_> {
    fn play(&mut self) {
        let at_rest = self.states();
        for step in &self.case.steps {
            self.step(step);
        }
        self.heal(&at_rest);
    }

    fn step(&mut self, step: &Step) {
        let before = self.states();
        let from = self.sim.now;
        self.sim.forget();
        self.change(step);
        let bound = step.bound();
        let seconds = self.watch(bound + HOLD, |playing| {
            let expected = playing.expected(step);
            step.services.is_empty()
                && expected
                    .iter()
                    .any(|(name, turn)| before.get(name) != Some(&(turn.state, turn.code)))
                && playing.is(&|name| expected.get(name).map(|turn| (turn.state, turn.code)))
        });
        self.probes_stay_within_bounds(seconds);
        let expected = self.expected(step);
        for (name, before) in before {
            let turns = self.turns_of(&name, from);
            let label = format!("{}: {}: {name}", self.label, step.does);
            match expected.get(&name) {
                Some(turn) => as_expected(&label, turn, before, &turns, bound),
                // Whoever is not named may not be blamed; that nobody can see a gateway just now is no blame.
                None if name.starts_with("gateway ") || name.starts_with("provider ") => {
                    assert_eq!(blamed(&turns), Vec::<&Seen>::new(), "{label}");
                }
                None => assert_eq!(turns, [], "{label}"),
            }
        }
        for (name, turn) in &expected {
            self.told_so(name, turn, step);
        }
        self.services(step);
    }

    fn change(&mut self, step: &Step) {
        let now = self.sim.now;
        if !step.heal.is_empty() {
            let mut world = self.case.world_at_rest();
            let so_far = self.case.steps.iter().take_while(|one| !std::ptr::eq(*one, step));
            let standing = so_far
                .flat_map(|one| &one.inject)
                .filter(|fault| !step.heal.contains(fault));
            for fault in standing {
                fault.inject(&mut world, now);
            }
            self.sim.world = world;
        }
        for fault in &step.inject {
            fault.inject(&mut self.sim.world, now);
        }
    }

    /// Lets time pass, and looks every five seconds that nothing stands anywhere that must not. Once everything is as it
    /// is to become, it is watched for [`HOLD`] more; where that takes no turn, or the run is thorough, for the whole
    /// time. Gives the seconds that it took.
    fn watch(&mut self, seconds: f64, has_turned: impl Fn(&Self) -> bool) -> f64 {
        let (mut passed, mut end, mut turned) = (0.0, seconds, is_thorough());
        while passed < end {
            let slice = f64::min(end - passed, 5.0);
            self.sim.run(slice);
            passed += slice;
            if !turned && has_turned(self) {
                turned = true;
                end = seconds.min(passed + HOLD);
            }
            for (code, why) in &self.case.instead_of {
                let shown: Vec<_> = self.sim.shown().filter(|(_, shown)| shown == code).collect();
                assert!(
                    shown.is_empty(),
                    "{}: {code} is shown of {shown:?}, but {why}",
                    self.label
                );
            }
        }
        let turned = self.sim.turns.iter().filter_map(|(.., code)| *code);
        for code in turned {
            if let Some(why) = self.case.instead_of.get(&code) {
                panic!(
                    "{}: {code} was shown, but {why}: {:#?}",
                    self.label, self.sim.turns
                );
            }
        }
        passed
    }

    /// Whether everything that something is wanted of is so.
    fn is(&self, wanted: &dyn Fn(&str) -> Option<Shown>) -> bool {
        self.states()
            .iter()
            .all(|(name, state)| wanted(name).is_none_or(|wanted| wanted == *state))
    }

    /// A failure asks for more evidence, but never sets probes after one another without end: each subject is looked
    /// at in its rounds, for confirmation, and at half its pace besides; what could explain everything, also with each
    /// failure that is still in doubt.
    fn probes_stay_within_bounds(&self, seconds: f64) {
        for (subject, spans) in &self.sim.probes {
            #[allow(clippy::cast_precision_loss, reason = "a few dozen")]
            let probes = spans.len() as f64;
            let most = match subject {
                Subject::Anchor(_) | Subject::Resolver(_) => seconds + 12.0,
                _ => seconds / 5.0 * 2.0 + 8.0,
            };
            assert!(probes <= most, "{}: {subject}: {probes} probes", self.label);
        }
    }

    fn heal(&mut self, at_rest: &States) {
        let healed = self.sim.now;
        self.sim.world = self.case.world_at_rest();
        self.sim.forget();
        self.watch(self.case.heal.within.unwrap_or(HEALED), |playing| {
            playing.is(&|name| at_rest.get(name).copied())
        });
        for (name, state) in self.states() {
            let turns = self.turns_of(&name, healed);
            assert_eq!(
                Some(&state),
                at_rest.get(&name),
                "{}: {name} healed: {turns:?}",
                self.label
            );
            let mut blamed = blamed(&turns);
            blamed.retain(|seen| Some(&(seen.state, seen.code)) != at_rest.get(&name));
            blamed.retain(|seen| seen.code.is_none_or(|code| !self.case.heal.via.contains(&code)));
            assert_eq!(
                blamed,
                Vec::<&Seen>::new(),
                "{}: {name} while healing",
                self.label
            );
        }
    }

    /// How everything is that has a verdict.
    fn states(&self) -> States {
        let verdicts = self.sim.verdicts();
        let state =
            |verdict: &crate::model::Verdict| (verdict.state, verdict.cause.as_ref().map(|cause| cause.code));
        verdicts
            .map(|verdict| (verdict.target.to_string(), state(verdict)))
            .collect()
    }

    fn turns_of(&self, name: &str, from: Timestamp) -> Vec<Seen> {
        let turns = self
            .sim
            .turns
            .iter()
            .filter(|(_, target, ..)| target.to_string() == name);
        let seen = |(at, _, state, code): &(Timestamp, Target, State, Option<Code>)| Seen {
            after: at.duration_since(from).as_secs_f64(),
            state: *state,
            code: *code,
        };
        turns.map(seen).collect()
    }

    /// What a step expects, by the names of targets.
    fn expected<'s>(&self, step: &'s Step) -> BTreeMap<String, &'s Turn> {
        let known: Vec<String> = self
            .sim
            .verdicts()
            .map(|verdict| verdict.target.to_string())
            .collect();
        let mut expected = BTreeMap::new();
        let mut expect = |turns: &'s [Turn], matches: &dyn Fn(&str, &str) -> bool| {
            for turn in turns {
                for name in &turn.names {
                    let mut targets = known.iter().filter(|known| matches(known, name)).peekable();
                    assert!(targets.peek().is_some(), "{}: {name} is not watched", self.label);
                    expected.extend(targets.map(|target| (target.clone(), turn)));
                }
            }
        };
        expect(&step.domains, &|known, name| {
            known == name || (name == "*" && !known.contains(' '))
        });
        expect(&step.gateways, &|known, name| {
            known.starts_with(&format!("gateway {name} of "))
        });
        expect(&step.providers, &|known, name| {
            known == format!("provider {name}")
        });
        expect(&step.canaries, &|known, name| {
            known.starts_with(&format!("canary {name} of "))
        });
        expect(&step.routes, &|known, name| known == format!("route from {name}"));
        expect(&step.vantages, &|known, name| known == format!("vantage {name}"));
        expected
    }

    /// The texts and the warnings.
    fn told_so(&self, name: &str, turn: &Turn, step: &Step) {
        let label = format!("{}: {}: {name}", self.label, step.does);
        let verdict = self
            .sim
            .verdicts()
            .find(|verdict| verdict.target.to_string() == name)
            .unwrap();
        let also: Vec<Code> = verdict.also.iter().map(|warning| warning.code).collect();
        for code in &turn.also {
            assert!(also.contains(code), "{label}: {code} is not among {also:?}");
        }
        if let Some(symptoms) = &turn.symptoms {
            assert_eq!(&verdict.symptoms, symptoms, "{label}");
        }
        let contains = |shown: Option<&String>, wanted: &Option<String>| {
            let found = wanted
                .as_ref()
                .is_none_or(|wanted| shown.is_some_and(|shown| shown.contains(wanted)));
            assert!(found, "{label}: {wanted:?} is not in {shown:?}");
        };
        let cause = verdict.cause.as_ref();
        contains(cause.map(|cause| &cause.subject), &turn.subject);
        contains(cause.map(|cause| &cause.detail), &turn.detail);
    }

    fn services(&self, step: &Step) {
        let shown = self.sim.services();
        for turn in &step.services {
            for name in &turn.names {
                let label = format!("{}: {}: {name}", self.label, step.does);
                let of: Vec<_> = shown.iter().filter(|(service, ..)| service == name).collect();
                assert!(!of.is_empty(), "{label} is not watched");
                for (_, state, code) in of {
                    assert_eq!((*state, *code), (turn.state, turn.code), "{label}");
                }
            }
        }
    }
}

/// A turn that was seen.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    /// In seconds since it could have been seen.
    after: f64,
    state: State,
    code: Option<Code>,
}

fn blamed(turns: &[Seen]) -> Vec<&Seen> {
    let blames = |seen: &&Seen| matches!(seen.state, State::Broken | State::Degraded);
    turns.iter().filter(blames).collect()
}

/// Exactly one turn, where there is one to make, and in time; nothing else on the way but what may be.
fn as_expected(label: &str, turn: &Turn, before: Shown, turns: &[Seen], bound: f64) {
    let wanted = (turn.state, turn.code);
    let last = turns.last().map_or(before, |last| (last.state, last.code));
    assert_eq!(last, wanted, "{label}: {turns:?}");
    let arrived = turns.iter().position(|seen| (seen.state, seen.code) == wanted);
    if let Some(arrived) = arrived {
        assert!(
            turns[arrived].after <= bound,
            "{label}: not within {bound} s: {turns:?}"
        );
        assert_eq!(arrived + 1, turns.len(), "{label}: it went on: {turns:?}");
    }
    let on_the_way = &turns[..arrived.unwrap_or(0)];
    let strange = on_the_way
        .iter()
        .find(|seen| seen.code.is_none_or(|code| !turn.via.contains(&code)));
    assert_eq!(strange, None, "{label}: {turns:?}");
}
