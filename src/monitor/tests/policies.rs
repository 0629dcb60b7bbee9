//! What domains publish about their mail, watched: faults are found, healed and never told of for our own sake.

use std::time::Duration;

use rstest::rstest;

use super::sim::published::{hashes, invalid_spf, read, sts, tlsa};
use super::sim::{CONFIG, Sim, World, moments, start};
use crate::model::policy::{PolicyPart, StsMode, StsOutcome};
use crate::model::tls::ChainVerdict;
use crate::model::{Code, Evidence, State};

use Code::*;
use PolicyPart::*;
use State::*;

/// The policy host answers, and has no policy.
fn not_found() -> StsOutcome {
    StsOutcome::Failed {
        reason: "it answers with status 404".into(),
        text: Some("not found".into()),
    }
}

fn spf() -> Evidence {
    invalid_spf("acme.test", "v=spf1 mxx -all", "there is no such mechanism")
}

/// Policies are looked at as often as everything else.
fn watched() -> Sim {
    let mut sim = Sim::configured(include_str!("worlds/policies.toml"));
    sim.run(60.0);
    for name in sim.domains() {
        assert_eq!(sim.state(&name), (Flowing, None), "{name} after a minute");
    }
    sim.forget();
    sim
}

/// What is wrong from the start is part of the first verdict: a turn after it would page (`semantics` 23).
#[test]
fn what_is_wrong_at_first_sight_is_no_turn() {
    let mut sim = Sim::configured(CONFIG);
    sim.world.policies.insert(("acme.test", Spf), spf());
    sim.run(60.0);
    let turns = sim.turns_of("acme.test", start());
    let states: Vec<_> = turns.iter().map(|(_, state, code)| (*state, *code)).collect();
    assert_eq!(
        states,
        [
            (Unknown, Some(VantageNoEvidence)),
            (Degraded, Some(PolicySpfInvalid))
        ],
        "{turns:?}"
    );
}

/// While nobody can tell us, nothing is found and nothing is healed.
#[test]
fn a_resolver_that_fails_neither_finds_nor_heals() {
    let mut sim = watched();
    sim.world.policies.insert(("acme.test", Spf), spf());
    sim.run(30.0);
    sim.forget();
    sim.world.resolver = false;
    sim.run(60.0);
    for (_, target, state, code) in &sim.turns {
        let policy = code.is_some_and(|code| code.layer() == "policy");
        assert!(*state == Unknown && !policy, "{target:?}: {state:?} {code:?}");
    }
    sim.forget();
    sim.world.resolver = true;
    sim.run(60.0);
    assert_eq!(sim.state("acme.test"), (Degraded, Some(PolicySpfInvalid)));
    let flowed = sim
        .turns_of("acme.test", start())
        .iter()
        .any(|(_, state, _)| *state == Flowing);
    assert!(!flowed, "{:?}", sim.turns);
}

/// A line that is cut blames no policy host, even while the policy is fetched.
#[test]
fn a_cut_line_blames_no_policy_host() {
    let mut sim = watched();
    sim.world.policies.insert(
        ("acme.test", Sts),
        sts("acme.test", StsMode::Testing, "mx.acme.test", read()),
    );
    sim.run(10.0);
    let silent = StsOutcome::Silent {
        reason: "no answer".into(),
    };
    let silent = sts("acme.test", StsMode::Testing, "mx.acme.test", silent);
    sim.world.policies.insert(("acme.test", Sts), silent);
    sim.world.uplink = false;
    sim.run(60.0);
    sim.world = World::healthy();
    sim.run(60.0);
    let blamed = sim
        .turns
        .iter()
        .any(|(.., code)| *code == Some(PolicyStsUnavailable));
    assert!(!blamed, "{:?}", sim.turns);
    assert_eq!(sim.state("acme.test"), (Flowing, None));
}

/// A renewed certificate with a forgotten record is told of; one that is renewed together with its record is not, at
/// whatever moment.
#[test]
fn a_certificate_is_renewed() {
    let mut sim = watched();
    sim.world.keys.insert("198.51.100.10", hashes('1'));
    sim.world.tlsa.insert("mx.acme.test", tlsa('1'));
    sim.run(20.0);
    assert_eq!(sim.turns, []);
    let secured = sim.clone();
    for phase in moments(7) {
        let mut sim = secured.clone();
        sim.run(0.73 * f64::from(phase));
        sim.world.keys.insert("198.51.100.10", hashes('2'));
        sim.world.tlsa.insert("mx.acme.test", tlsa('2'));
        sim.run(30.0);
        assert_eq!(sim.turns, [], "phase {phase}");
        sim.world.keys.insert("198.51.100.10", hashes('3'));
        sim.run(30.0);
        for domain in ["acme.test", "acme-shop.test"] {
            assert_eq!(
                sim.state(domain),
                (Broken, Some(PolicyDaneMismatch)),
                "phase {phase}"
            );
        }
        sim.world.tlsa.insert("mx.acme.test", tlsa('3'));
        sim.run(30.0);
        assert_eq!(sim.state("acme.test"), (Flowing, None), "phase {phase}");
    }
}

/// A policy host that is silent from before our own restart on: senders go by what they remember, and so do we.
#[test]
fn a_policy_outlives_our_restart() {
    let mut sim = watched();
    let quick = CONFIG.replace("[budgets]", "[probes.policy]\ninterval = \"5s\"\n[budgets]");
    let enforced = |outcome| match sts("acme.test", StsMode::Enforce, "mx.acme.test", outcome) {
        Evidence::Sts(mut sts) => {
            let held = sts.held.as_mut().unwrap();
            held.policy.max_age = Duration::from_mins(5);
            Evidence::Sts(sts)
        }
        other => other,
    };
    sim.world.policies.insert(("acme.test", Sts), enforced(read()));
    sim.run(10.0);
    sim.world
        .policies
        .insert(("acme.test", Sts), enforced(not_found()));
    sim.world
        .certificates
        .insert("198.51.100.10", (ChainVerdict::Expired, "mx.acme.test", -1));
    sim.restart(&quick, 30.0);
    sim.run(40.0);
    let verdict = sim.verdict("acme.test");
    let code = verdict.cause.map(|cause| cause.code);
    assert_eq!((verdict.state, code), (Broken, Some(TlsCertificateExpired)));
    assert!(
        verdict.symptoms.contains(&PolicyStsUnavailable),
        "{:?}",
        verdict.symptoms
    );
    // When nobody remembers it any more, the store has forgotten it as well.
    sim.run(200.0);
    assert_eq!(sim.state("acme.test").0, Degraded);
    assert!(!sim.store.contains_key(&("acme.test".to_owned(), "sts")));
}

/// A policy whose record was taken away is still remembered by those who have read it (RFC 8461 5.1); one that was
/// ended as it should be is not.
#[rstest]
#[case::taken_away(false, Broken, Some(PolicyStsMismatch))]
#[case::ended(true, Flowing, None)]
fn a_policy_is_ended(#[case] announced: bool, #[case] state: State, #[case] code: Option<Code>) {
    let mut sim = watched();
    sim.world.policies.insert(
        ("acme.test", Sts),
        sts("acme.test", StsMode::Enforce, "mx.acme.test", read()),
    );
    sim.run(10.0);
    if announced {
        let Evidence::Sts(mut none) = sts("acme.test", StsMode::None, "mx.acme.test", read()) else {
            unreachable!()
        };
        none.held = None;
        sim.world.policies.insert(("acme.test", Sts), Evidence::Sts(none));
        sim.run(10.0);
    }
    sim.world.policies.clear();
    sim.run(10.0);
    assert_eq!(sim.state("acme.test"), (Flowing, None));
    sim.world.mx.insert("acme.test", vec!["mx.beta.test"]);
    sim.run(20.0);
    sim.monitor
        .approve(&"acme.test".parse().unwrap(), sim.now)
        .unwrap();
    sim.run(20.0);
    assert_eq!(sim.state("acme.test"), (state, code));
}
