//! Canaries: what they prove, what is counted of them, and when they are sent.

use super::sim::{CanaryIs, Sim, World};
use crate::model::{Code, Owner, Proof, RootKind, State, Subject};

const CONFIG: &str = include_str!("worlds/canaries.toml");

fn watched(world: World) -> Sim {
    let mut sim = Sim::started_in(world, CONFIG);
    sim.run(60.0);
    sim
}

/// An EHLO proves that a server lives; a canary that mail to the domain arrives.
#[test]
fn a_canary_proves_the_domain_that_it_is_sent_to() {
    let mut sim = watched(World::healthy());
    assert_eq!(
        sim.verdict("acme.test").proven_by,
        [Proof::Dialogue, Proof::Canary]
    );
    assert_eq!(sim.verdict("beta.test").proven_by, [Proof::Dialogue]);
    sim.world.canary = Some(CanaryIs::Lost);
    sim.run(60.0);
    let domain = sim.verdict("acme.test");
    assert_eq!(
        (domain.state, domain.proven_by),
        (State::Flowing, vec![Proof::Dialogue])
    );
}

#[test]
fn what_becomes_of_canaries_is_counted() {
    let mut sim = watched(World::healthy());
    let counted = |sim: &Sim| {
        let canary = sim.monitor.view().canaries[0].clone();
        (canary.sent, canary.failed, canary.took.count())
    };
    let (sent, failed, arrived) = counted(&sim);
    assert!((10..=13).contains(&sent), "{sent}");
    assert_eq!((failed, arrived), (0, sent));
    sim.world.canary = Some(CanaryIs::WrongPassword);
    sim.run(30.0);
    // One may still have been on its way.
    let (still, failed, _) = counted(&sim);
    assert!(
        still <= sent + 1 && failed == 0,
        "nothing was sent, and nobody failed"
    );
    sim.world.canary = Some(CanaryIs::Lost);
    sim.run(60.0);
    let (more, failed, _) = counted(&sim);
    assert_eq!(more - still, failed);
    assert!(failed >= 4, "{failed}");
}

/// Our own wrong password is ours, and a message that its own server does not take is the client's.
#[test]
fn whose_it_is() {
    let cause = |is| {
        let mut world = World::healthy();
        world.canary = Some(is);
        let sim = watched(world);
        let verdict = sim
            .verdicts()
            .find(|verdict| verdict.target.to_string() == "canary round-trip of acme");
        verdict.unwrap().cause.clone().unwrap()
    };
    let ours = cause(CanaryIs::WrongPassword);
    assert_eq!((ours.code, ours.owner), (Code::CanaryCredentials, Owner::Us));
    let theirs = cause(CanaryIs::Refused);
    assert_eq!(
        (theirs.code, theirs.owner),
        (Code::SenderSubmissionFailed, Owner::Client)
    );
    assert_eq!(
        (theirs.root.kind, &*theirs.root.name),
        (RootKind::Canary, "round-trip")
    );
}

/// A canary that goes takes its verdict with it, and none is sent any more.
#[test]
fn a_reload_forgets_canaries_that_are_gone() {
    let mut sim = watched(World::healthy());
    let (before, after) = CONFIG.split_once("[[clients.canaries]]").unwrap();
    let (_, rest) = after.split_once("[[clients]]").unwrap();
    sim.reload(&format!("{before}[[clients]]{rest}"));
    sim.run(10.0);
    sim.forget();
    sim.run(30.0);
    assert!(
        sim.probes
            .keys()
            .all(|subject| !matches!(subject, Subject::Canary(..)))
    );
    assert!(sim.monitor.view().canaries.is_empty());
    assert!(
        sim.verdicts()
            .all(|verdict| !verdict.target.to_string().starts_with("canary"))
    );
}
