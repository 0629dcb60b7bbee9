//! A monitor that watches the simulated world, driven through time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::world::World;
use crate::config;
use crate::inventory::{Inventory, Surroundings};
use crate::model::{Code, Observation, State, Subject, Target};
use crate::monitor::{Mode, Monitor};
use crate::net::Routes;
use crate::picture::{FactKey, Learnt, NewFact};
use crate::probe::Task;

/// The configuration that most is watched with.
pub const CONFIG: &str = include_str!("../worlds/plain.toml");

pub fn start() -> Timestamp {
    "2026-11-22T02:00:00Z".parse().unwrap()
}

fn inventory(config: &str, ipv6: bool) -> Arc<Inventory> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mailflow.toml");
    std::fs::write(&path, config).unwrap();
    let loaded = config::load(Some(&path), std::iter::empty())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let surroundings = Surroundings {
        ipv6,
        ..Surroundings::default()
    };
    Arc::new(Inventory::new(&loaded.config, &surroundings))
}

/// The default routes of our machine.
fn routes(world: &World) -> Routes {
    let v4 = !world.cut;
    Routes {
        v4,
        v6: v4 && world.ipv6,
    }
}

/// The inventory of [`CONFIG`].
static INVENTORY: LazyLock<Arc<Inventory>> = LazyLock::new(|| inventory(CONFIG, false));

/// A daemon that has watched a healthy world for a minute.
static SETTLED: LazyLock<Sim> = LazyLock::new(|| {
    let mut sim = Sim::new(Mode::Watch);
    sim.run(60.0);
    for name in sim.domains() {
        assert_eq!(sim.state(&name), (State::Flowing, None), "{name} after a minute");
    }
    sim.forget();
    sim
});

/// A monitor, its world, and what was seen.
#[derive(Clone)]
pub struct Sim {
    pub world: World,
    pub monitor: Monitor,
    pub now: Timestamp,
    running: BinaryHeap<Reverse<(Timestamp, u64)>>,
    flights: HashMap<u64, Observation>,
    next: u64,
    routes_due: Timestamp,
    /// Makes each probe take up to 0.4 s longer, as on a busy machine; the seed of how long.
    pub jitter: Option<u64>,
    /// Every turn of a verdict, in order.
    pub turns: Vec<(Timestamp, Target, State, Option<Code>)>,
    /// What was learnt, as the store keeps it.
    pub store: BTreeMap<FactKey, NewFact>,
    /// When each subject's probes began and end.
    pub probes: HashMap<Subject, Vec<(Timestamp, Timestamp)>>,
}

impl Sim {
    pub fn new(mode: Mode) -> Self {
        Self::of(mode, &INVENTORY, World::healthy())
    }

    /// A daemon with a configuration of its own.
    pub fn configured(config: &str) -> Self {
        Self::started_in(World::healthy(), config)
    }

    /// A daemon that starts in a world which is as it is.
    pub fn started_in(world: World, config: &str) -> Self {
        let inventory = inventory(config, world.ipv6);
        Self::of(Mode::Watch, &inventory, world)
    }

    fn of(mode: Mode, inventory: &Arc<Inventory>, world: World) -> Self {
        let routes = routes(&world);
        let monitor = Monitor::new(
            mode,
            inventory,
            Learnt::default(),
            HashMap::new(),
            routes,
            start(),
        );
        Self {
            world,
            monitor,
            now: start(),
            running: BinaryHeap::new(),
            flights: HashMap::new(),
            next: 0,
            routes_due: start(),
            jitter: None,
            turns: Vec::new(),
            store: BTreeMap::new(),
            probes: HashMap::new(),
        }
    }

    /// A daemon that has watched a healthy world for a minute.
    pub fn settled() -> Self {
        SETTLED.clone()
    }

    /// Takes over another configuration.
    pub fn reload(&mut self, config: &str) {
        self.monitor.reload(inventory(config, self.world.ipv6), self.now);
    }

    /// Forgets what was seen so far.
    pub fn forget(&mut self) {
        self.turns.clear();
        self.probes.clear();
    }

    pub fn domains(&self) -> Vec<String> {
        self.monitor
            .picture()
            .inventory
            .watched()
            .map(|domain| domain.name.to_string())
            .collect()
    }

    pub fn run(&mut self, seconds: f64) {
        let until = self
            .now
            .checked_add(SignedDuration::from_secs_f64(seconds))
            .unwrap();
        loop {
            self.look_at_routes();
            for (task, _) in self.monitor.due(self.now) {
                self.launch(&task);
            }
            self.collect();
            let flight = self.running.peek().map(|Reverse((when, _))| *when);
            let wake = self.monitor.next_wake();
            let Some(next) = flight.into_iter().chain(wake).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = next.max(self.now);
            while let Some(Reverse((when, id))) = self
                .running
                .peek()
                .copied()
                .filter(|Reverse((when, _))| *when <= self.now)
            {
                self.running.pop();
                let observation = self.flights.remove(&id).unwrap();
                self.monitor.observe(observation, when);
            }
            self.monitor.tick(self.now);
            self.collect();
        }
        self.now = until;
    }

    /// As the daemon does, every five seconds.
    fn look_at_routes(&mut self) {
        if self.now < self.routes_due {
            return;
        }
        self.routes_due = self.now.checked_add(SignedDuration::from_secs(5)).unwrap();
        self.monitor.set_routes(routes(&self.world), self.now);
    }

    fn launch(&mut self, task: &Task) {
        self.world.clock = self.now;
        let (evidence, mut elapsed) = self.world.answer(task);
        if self.world.cut {
            elapsed = elapsed.min(Duration::from_millis(1));
        }
        if let Some(state) = &mut self.jitter {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            elapsed += Duration::from_micros((*state >> 33) % 400_000);
        }
        let observation = Observation {
            subject: task.subject.clone(),
            at: self.now,
            elapsed,
            source: self.world.source,
            evidence,
        };
        let span = (self.now, observation.ended());
        self.probes.entry(task.subject.clone()).or_default().push(span);
        let id = self.next;
        self.next += 1;
        self.running.push(Reverse((observation.ended(), id)));
        self.flights.insert(id, observation);
    }

    /// Ends the daemon and starts another one that knows what the store keeps, `pause` seconds later.
    pub fn restart(&mut self, config: &str, pause: f64) {
        self.now = self
            .now
            .checked_add(SignedDuration::from_secs_f64(pause))
            .unwrap();
        let learnt = Learnt::restore(self.store.values().cloned());
        self.monitor = Monitor::new(
            Mode::Watch,
            &inventory(config, self.world.ipv6),
            learnt,
            HashMap::new(),
            routes(&self.world),
            self.now,
        );
        self.running.clear();
        self.flights.clear();
        self.forget();
    }

    fn collect(&mut self) {
        let changes = self.monitor.take_changes();
        for key in &changes.unlearnt {
            self.store.remove(key);
        }
        self.store
            .extend(changes.facts.into_iter().map(|fact| (fact.key(), fact)));
        for verdict in changes.verdicts {
            let code = verdict.cause.as_ref().map(|cause| cause.code);
            self.turns
                .push((self.now, verdict.target.clone(), verdict.state, code));
        }
    }
}
