//! How often something turns and how steadily it is well, in observations of what it turns for.

use std::time::Duration;

use super::sim::{CONFIG, Server, Sim};
use crate::incident::{Flapping, Lifecycle, Policy};
use crate::model::{Flaps, State, Target};

const SERVER: &str = "203.0.113.10";
const HOSTED: [&str; 2] = ["192.0.2.61", "192.0.2.62"];

fn beta() -> Target {
    Target::Domain("beta.test".parse().unwrap())
}

/// The engine's part between the monitor and the incidents.
fn conclude(sim: &mut Sim, life: &mut Lifecycle) {
    for (_, target, ..) in std::mem::take(&mut sim.turns) {
        let verdict = sim.monitor.verdict(&target).unwrap().clone();
        life.judge_paced(&verdict, sim.monitor.pace(&target), sim.now);
    }
    for target in life.held() {
        let observations = sim.monitor.well_in_a_row(&target);
        life.found_well(&target, observations);
    }
    life.settle(sim.now);
}

fn lives(sim: &mut Sim, life: &mut Lifecycle, seconds: u32) {
    for _ in 0..seconds {
        sim.run(1.0);
        conclude(sim, life);
    }
}

fn life(sim: &Sim) -> Lifecycle {
    let mut life = Lifecycle::new(Policy {
        flapping: Some(Flapping::of_interval(Duration::from_secs(5))),
        ..Policy::default()
    });
    for name in sim.domains() {
        let target = Target::Domain(name.parse().unwrap());
        life.judge(sim.monitor.verdict(&target).unwrap(), sim.now);
    }
    life
}

fn set(sim: &mut Sim, addresses: &[&'static str], how: &Server) {
    for address in addresses {
        sim.world.servers.insert(address, how.clone());
    }
}

/// A server that toggles is one incident, that says so, from the sixth turn until five good sessions in a row.
#[test]
fn a_server_that_toggles_is_one_incident() {
    let mut sim = Sim::settled();
    let mut life = life(&sim);
    for _ in 0..8 {
        set(&mut sim, &[SERVER], &Server::Stopped);
        lives(&mut sim, &mut life, 8);
        assert_eq!(sim.state("beta.test").0, State::Broken);
        set(&mut sim, &[SERVER], &Server::Up);
        lives(&mut sim, &mut life, 7);
        assert_eq!(sim.state("beta.test").0, State::Flowing);
    }
    let open: Vec<_> = life.open().cloned().collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].id.0, 1);
    let Some(Flaps { turns, .. }) = open[0].flapping() else {
        panic!("not flapping: {open:?}")
    };
    assert_eq!(turns, 16);
    // Well in some observations already, but while nothing is seen there are no more of them.
    assert_eq!(sim.monitor.pace(&beta()), Some(Duration::from_secs(5)));
    sim.world.uplink = false;
    lives(&mut sim, &mut life, 60);
    assert_eq!(sim.monitor.well_in_a_row(&beta()), 0);
    assert_eq!(life.incident_of(&beta()), Some(open[0].id));
    sim.world.uplink = true;
    lives(&mut sim, &mut life, 15);
    assert_eq!(life.incident_of(&beta()), Some(open[0].id));
    lives(&mut sim, &mut life, 30);
    assert_eq!(life.open().count(), 0, "{}", sim.monitor.well_in_a_row(&beta()));
}

/// What a provider hosts is looked at every five minutes unless configured otherwise: what comes and goes within ten of
/// those flaps, and is held for five of them.
#[test]
fn a_slow_pace_is_reckoned_with() {
    let mut sim =
        Sim::configured(&CONFIG.replace("[budgets]", "[probes.smtp]\ninterval = \"60s\"\n[budgets]"));
    sim.run(120.0);
    sim.forget();
    let mut life = life(&sim);
    let gamma = Target::Domain("gamma.test".parse().unwrap());
    for _ in 0..3 {
        set(&mut sim, &HOSTED, &Server::Stopped);
        lives(&mut sim, &mut life, 90);
        assert_eq!(sim.state("gamma.test").0, State::Broken);
        set(&mut sim, &HOSTED, &Server::Up);
        lives(&mut sim, &mut life, 90);
        assert_eq!(sim.state("gamma.test").0, State::Flowing);
    }
    assert!(sim.monitor.pace(&gamma).unwrap() >= Duration::from_mins(1));
    assert_eq!(life.held().len(), 5, "{:?}", life.held());
    lives(&mut sim, &mut life, 100);
    assert_eq!(life.open().count(), 1);
    lives(&mut sim, &mut life, 240);
    assert_eq!(life.open().count(), 0);
}

/// What was seen at the pace of before counts until the first look at the new pace.
#[test]
fn a_reload_to_a_slower_pace_leaves_nobody_without_evidence() {
    let mut sim = Sim::settled();
    sim.reload(&CONFIG.replace("\ninterval = \"5s\"", "\ninterval = \"1m\""));
    sim.run(150.0);
    assert_eq!(sim.turns, []);
}
