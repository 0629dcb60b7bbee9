//! A changed MX set stays a finding until somebody approves it.

use super::sim::{NameServers, Sim};
use crate::model::{Code, DomainName, State};
use crate::monitor::Unapprovable;
use crate::picture::MxSet;

fn beta() -> DomainName {
    DomainName::parse("beta.test").unwrap()
}

fn moved() -> Sim {
    let mut sim = Sim::settled();
    sim.world.mx.insert("beta.test", vec!["mx.acme.test"]);
    sim.run(60.0);
    assert_eq!(
        sim.state("beta.test"),
        (State::Degraded, Some(Code::DnsMxChanged))
    );
    sim
}

#[test]
fn approval_ends_it_and_the_old_set_is_now_the_change() {
    let mut sim = moved();
    let set = sim.monitor.approve(&beta(), sim.now);
    assert_eq!(set, Ok(MxSet::from(vec!["mx.acme.test".into()])));
    let facts = sim.monitor.take_changes().facts;
    assert_eq!(facts.len(), 1, "it must outlive a restart: {facts:?}");
    sim.run(10.0);
    assert_eq!(sim.state("beta.test"), (State::Flowing, None));
    sim.world.mx.insert("beta.test", vec!["mx.beta.test"]);
    sim.run(60.0);
    assert_eq!(
        sim.state("beta.test"),
        (State::Degraded, Some(Code::DnsMxChanged))
    );
}

#[test]
fn an_outage_is_never_approved() {
    let mut sim = moved();
    sim.world.name_servers.insert("beta.test", NameServers::Down);
    sim.run(60.0);
    assert_eq!(
        sim.monitor.approve(&beta(), sim.now),
        Err(Unapprovable::Unanswered)
    );
    assert!(sim.monitor.take_changes().facts.is_empty());
}

#[test]
fn nobody_approves_for_a_domain_that_is_not_watched() {
    let mut sim = Sim::settled();
    let other = DomainName::parse("nobody.test").unwrap();
    assert_eq!(sim.monitor.approve(&other, sim.now), Err(Unapprovable::Unwatched));
}
