//! What domains publish about their mail, watched: faults are found, healed and never told of for our own sake.

use std::time::Duration;

use rstest::rstest;

use super::sim::{CONFIG, Sim, World, start};
use crate::model::dns::Lookup;
use crate::model::policy::{
    DkimAnswer, DkimEvidence, DmarcEvidence, HeldPolicy, PolicyPart, SpfEvidence, SpfOutcome, StsEvidence,
    StsFetch, StsMode, StsOutcome, StsPolicy, TlsaRecord,
};
use crate::model::tls::{CertificateHashes, ChainVerdict};
use crate::model::{Code, Evidence, RootKind, State};

use Code::*;
use PolicyPart::*;
use State::*;

const TTL: Duration = Duration::from_secs(5);

fn found<T>(records: Vec<T>) -> Lookup<Vec<T>> {
    Lookup::Found {
        records,
        ttl: TTL,
        authentic: false,
    }
}

fn texts(text: &str) -> Lookup<Vec<String>> {
    found(vec![text.to_owned()])
}

fn spf() -> Evidence {
    Evidence::Spf(SpfEvidence {
        own: texts("v=spf1 mxx -all"),
        read: vec![("acme.test".parse().unwrap(), "v=spf1 mxx -all".into())],
        lookups: 0,
        void: vec![],
        outcome: SpfOutcome::Invalid {
            at: "acme.test".parse().unwrap(),
            term: Some("mxx".into()),
            problem: "there is no such mechanism".into(),
        },
    })
}

fn dmarc() -> Evidence {
    Evidence::Dmarc(DmarcEvidence {
        own: texts("v=DMARC1; p=nothing"),
        inherited: None,
        untold: None,
    })
}

fn dkim() -> Evidence {
    Evidence::Dkim(DkimEvidence {
        keys: vec![DkimAnswer {
            selector: "s1".into(),
            configured: true,
            answer: Lookup::NoData { ttl: TTL },
        }],
    })
}

fn sts(mode: StsMode, mx: &str, outcome: StsOutcome) -> Evidence {
    Evidence::Sts(Box::new(StsEvidence {
        record: texts("v=STSv1; id=1;"),
        fetch: Some(StsFetch {
            url: "https://mta-sts.acme.test/.well-known/mta-sts.txt".into(),
            address: None,
            outcome,
        }),
        held: Some(HeldPolicy {
            policy: StsPolicy {
                mode,
                max_age: Duration::from_hours(24),
                mx: vec![mx.to_owned()],
            },
            fetched: start(),
        }),
        tls_rpt: Lookup::NoData { ttl: TTL },
    }))
}

fn read() -> StsOutcome {
    StsOutcome::Read { text: String::new() }
}

fn failed() -> StsOutcome {
    StsOutcome::Failed {
        reason: "it answers with status 404".into(),
        text: Some("not found".into()),
    }
}

/// Policies are looked at as often as everything else.
fn watched() -> Sim {
    let mut sim =
        Sim::configured(&CONFIG.replace("[budgets]", "[probes.policy]\ninterval = \"5s\"\n[budgets]"));
    sim.run(60.0);
    for name in sim.domains() {
        assert_eq!(sim.state(&name), (Flowing, None), "{name} after a minute");
    }
    sim.forget();
    sim
}

/// Breaks one thing of acme.test, expects one turn of it and of nobody else, heals it and expects one turn back.
fn turns_and_heals(state: State, code: Code, inject: impl Fn(&mut World)) {
    let mut sim = watched();
    let from = sim.now;
    inject(&mut sim.world);
    sim.run(40.0);
    let turns = sim.turns_of("acme.test", from);
    assert_eq!(turns.len(), 1, "{turns:?}");
    assert_eq!((turns[0].1, turns[0].2), (state, Some(code)), "{turns:?}");
    assert!(turns[0].0 <= 15.0, "it took {} s", turns[0].0);
    assert_eq!(sim.turns.len(), 1, "{:?}", sim.turns);
    let cause = sim.verdict("acme.test").cause.unwrap();
    if code.layer() == "policy" {
        assert_eq!(
            (cause.root.kind, &*cause.root.name),
            (RootKind::Domain, "acme.test")
        );
        assert!(!cause.evidence[0].transcript.is_empty());
    }
    sim.forget();
    let healed = sim.now;
    sim.world.policies.clear();
    sim.world.certificates.clear();
    sim.run(30.0);
    let turns = sim.turns_of("acme.test", healed);
    assert_eq!(turns.len(), 1, "{turns:?}");
    assert_eq!((turns[0].1, turns[0].2), (Flowing, None));
}

#[rstest]
#[case::spf(Spf, spf(), Degraded, PolicySpfInvalid)]
#[case::dmarc(Dmarc, dmarc(), Degraded, PolicyDmarcInvalid)]
#[case::dkim(Dkim, dkim(), Degraded, PolicyDkimMissing)]
#[case::unavailable(
    Sts,
    sts(StsMode::Testing, "mx.acme.test", failed()),
    Degraded,
    PolicyStsUnavailable
)]
#[case::unlisted(
    Sts,
    sts(StsMode::Enforce, "old.acme.test", read()),
    Broken,
    PolicyStsMismatch
)]
fn a_fault_turns_the_domain_and_heals(
    #[case] part: PolicyPart,
    #[case] evidence: Evidence,
    #[case] state: State,
    #[case] code: Code,
) {
    turns_and_heals(state, code, |world| {
        world.policies.insert(("acme.test", part), evidence.clone());
    });
}

/// Under an enforced policy senders must not deliver to a server with a bad certificate; that other domain without a
/// policy at the same server is only degraded.
#[test]
fn an_enforced_policy_makes_a_bad_certificate_serious() {
    let mut sim = watched();
    let enforced = sts(StsMode::Enforce, "mx.acme.test", read());
    sim.world.policies.insert(("acme.test", Sts), enforced);
    sim.run(10.0);
    assert_eq!(sim.turns, []);
    sim.world
        .certificates
        .insert("198.51.100.10", (ChainVerdict::Expired, "mx.acme.test", -1));
    sim.run(20.0);
    assert_eq!(sim.state("acme.test"), (Broken, Some(TlsCertificateExpired)));
    assert_eq!(
        sim.state("acme-shop.test"),
        (Degraded, Some(TlsCertificateExpired))
    );
    assert_eq!(sim.state("beta.test"), (Flowing, None));
}

/// A policy that is only tested keeps nobody from delivering: a mismatch is told by its own name, and is no alarm.
#[test]
fn a_tested_policy_that_does_not_fit_is_a_warning() {
    let mut sim = watched();
    let tested = sts(StsMode::Testing, "old.acme.test", read());
    sim.world.policies.insert(("acme.test", Sts), tested);
    sim.run(20.0);
    assert_eq!(sim.turns, []);
    let also: Vec<Code> = sim.verdict("acme.test").also.iter().map(|one| one.code).collect();
    assert_eq!(also, [PolicyStsMismatch]);
}

/// Likewise for one that no longer offers encryption at all.
#[test]
fn an_enforced_policy_makes_missing_encryption_serious() {
    let mut sim = watched();
    let enforced = sts(StsMode::Enforce, "mx.acme.test", read());
    sim.world.policies.insert(("acme.test", Sts), enforced);
    sim.run(10.0);
    sim.world.starttls = false;
    sim.run(30.0);
    assert_eq!(sim.state("acme.test"), (Broken, Some(TlsNotOffered)));
    assert_eq!(sim.state("acme-shop.test"), (Degraded, Some(TlsNotOffered)));
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
    sim.world
        .policies
        .insert(("acme.test", Sts), sts(StsMode::Testing, "mx.acme.test", read()));
    sim.run(10.0);
    let silent = StsOutcome::Silent {
        reason: "no answer".into(),
    };
    let silent = sts(StsMode::Testing, "mx.acme.test", silent);
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

fn hashes(mark: char) -> CertificateHashes {
    let of = |length| mark.to_string().repeat(length);
    CertificateHashes {
        certificate_sha256: of(64),
        certificate_sha512: of(128),
        key_sha256: of(64),
        key_sha512: of(128),
    }
}

fn tlsa(mark: char) -> TlsaRecord {
    TlsaRecord {
        usage: 3,
        selector: 1,
        matching: 1,
        data: hashes(mark).key_sha256,
        length: 32,
        digest: String::new(),
    }
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
    for phase in 0..7 {
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
