//! What bounces and mail logs say of routes.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};

use super::sim::{Sim, World};
use crate::model::{
    ClientId, Code, Confidence, DomainName, Fate, Owner, Proof, Report, ReportSource, RootKind, State,
};

const CONFIG: &str = include_str!("worlds/routes.toml");

/// A daemon that has watched a healthy world for a while.
fn watched() -> Sim {
    static WATCHED: LazyLock<Sim> = LazyLock::new(|| {
        let mut sim = Sim::started_in(World::healthy(), CONFIG);
        sim.run(20.0);
        sim
    });
    WATCHED.clone()
}

fn report(client: &str, code: Code, whom: &str, at: Timestamp) -> Report {
    Report {
        client: ClientId::parse(client).unwrap(),
        to: DomainName::parse("partner.test").unwrap(),
        at,
        source: ReportSource::Bounce,
        fate: Fate::Bounced,
        code: Some(code),
        recipient: Some(format!("{whom}@partner.test")),
        by: Some("mx.partner.test".into()),
        said: "554 5.7.1 no".into(),
    }
}

fn sent(client: &str, at: Timestamp) -> Report {
    Report {
        source: ReportSource::Log,
        fate: Fate::Sent,
        code: None,
        ..report(client, Code::RecipientUnknown, "who", at)
    }
}

fn hear(sim: &mut Sim, report: &Report) {
    let now = sim.now;
    sim.monitor.hear(report, now);
}

#[test]
fn a_bounce_impairs_the_route_that_it_concerns_and_no_other() {
    let mut sim = watched();
    let bounce = report("acme", Code::ReputationSenderBlocked, "who", sim.now);
    hear(&mut sim, &bounce);
    let route = sim.route("acme", "partner.test");
    let cause = route.cause.unwrap();
    assert_eq!(
        (route.state, cause.code, cause.owner),
        (State::Degraded, Code::ReputationSenderBlocked, Owner::Client)
    );
    assert_eq!(cause.confidence, Confidence::Probable);
    assert_eq!(
        cause.confidence_reason.as_deref(),
        Some(
            "told by a bounce; 1 other client reaches it; our own look at ACME's addresses and records finds nothing \
             wrong"
        )
    );
    assert_eq!(cause.evidence[0].probe.as_str(), "bounce");
    assert!(
        cause.detail.contains("mx.partner.test said \"554 5.7.1 no\""),
        "{}",
        cause.detail
    );
    assert_eq!(route.proven_by, [Proof::Dialogue, Proof::Rcpt, Proof::Bounce]);
    assert_eq!(sim.route("beta", "partner.test").state, State::Flowing);
}

#[test]
fn two_recipients_make_it_as_bad_as_the_catalogue_says() {
    let mut sim = watched();
    for whom in ["who", "somebody"] {
        let bounce = report("acme", Code::ReputationSenderBlocked, whom, sim.now);
        hear(&mut sim, &bounce);
    }
    assert_eq!(sim.route("acme", "partner.test").state, State::Broken);
}

/// A mailbox, a message, and a server that we can look at ourselves: told, and no more.
#[test]
fn what_is_about_one_mailbox_is_told_beside_the_state() {
    for code in [
        Code::RecipientUnknown,
        Code::MessageContent,
        Code::HostUnreachable,
        Code::QueueExpired,
    ] {
        let mut sim = watched();
        let bounce = report("acme", code, "who", sim.now);
        hear(&mut sim, &bounce);
        let route = sim.route("acme", "partner.test");
        assert_eq!(route.state, State::Flowing, "{code}");
        assert!(
            route.also.iter().any(|one| one.code == code),
            "{code}: {:?}",
            route.also
        );
    }
}

#[test]
fn it_ends_with_time_and_with_the_next_message_that_gets_through() {
    let mut sim = watched();
    let bounce = report("acme", Code::ReputationSenderBlocked, "who", sim.now);
    hear(&mut sim, &bounce);
    let later = sent("acme", sim.now + SignedDuration::from_secs(1));
    hear(&mut sim, &later);
    let route = sim.route("acme", "partner.test");
    assert_eq!(route.state, State::Flowing);
    assert!(route.proven_by.contains(&Proof::Log));
    let old = report(
        "acme",
        Code::ReputationSenderBlocked,
        "who",
        sim.now - SignedDuration::from_hours(5),
    );
    hear(&mut sim, &old);
    assert_eq!(sim.route("acme", "partner.test").state, State::Flowing, "too old");
    let fresh = sim.now - SignedDuration::from_mins(239);
    let mut sim = watched();
    let aging = report("beta", Code::ReputationSenderBlocked, "who", fresh);
    hear(&mut sim, &aging);
    assert_eq!(sim.route("beta", "partner.test").state, State::Degraded);
    sim.run(80.0);
    assert_eq!(
        sim.route("beta", "partner.test").state,
        State::Flowing,
        "by itself"
    );
}

#[test]
fn two_clients_within_an_hour_are_one_thing() {
    let mut sim = watched();
    let first = report(
        "acme",
        Code::ReputationSenderBlocked,
        "who",
        sim.now - SignedDuration::from_mins(50),
    );
    hear(&mut sim, &first);
    let second = report("beta", Code::SenderRateLimited, "who", sim.now);
    hear(&mut sim, &second);
    let roots: Vec<_> = ["acme", "beta"]
        .map(|client| sim.route(client, "partner.test").cause.unwrap().root.clone())
        .into();
    assert_eq!(roots[0], roots[1]);
    assert_eq!((roots[0].kind, &roots[0].client), (RootKind::Domain, &None));
    let mut sim = watched();
    let first = report(
        "acme",
        Code::ReputationSenderBlocked,
        "who",
        sim.now - SignedDuration::from_mins(70),
    );
    hear(&mut sim, &first);
    hear(&mut sim, &second);
    let roots = ["acme", "beta"].map(|client| sim.route(client, "partner.test").cause.unwrap().root.clone());
    assert_ne!(roots[0], roots[1]);
}

/// What two clients' mail meets at two destinations of one provider within an hour is the provider's, and one incident.
#[test]
fn two_destinations_of_one_provider_are_one_thing() {
    let route = |to: &str| format!("[[clients.routes]]\nto = \"{to}\"\n");
    let (acme, beta) = CONFIG.split_once("[[clients]]\nname = \"BETA\"").unwrap();
    let config = format!(
        "{acme}{}[[clients]]\nname = \"BETA\"{beta}{}[[providers]]\nname = \"BIGMAIL\"\nmx = [\"*.bigmail.test\"]\n",
        route("gamma.test"),
        route("delta.test")
    );
    let mut sim = Sim::started_in(World::healthy(), &config);
    sim.run(20.0);
    let to = |client: &str, to: &str, ago: i64, now: Timestamp| Report {
        to: DomainName::parse(to).unwrap(),
        ..report(
            client,
            Code::ReputationSenderBlocked,
            "who",
            now - SignedDuration::from_mins(ago),
        )
    };
    let root = |sim: &Sim, client: &str, to: &str| sim.route(client, to).cause.unwrap().root.clone();
    let now = sim.now;
    // At another provider's, or by itself, it is the route's own.
    hear(&mut sim, &to("acme", "gamma.test", 50, now));
    hear(&mut sim, &to("beta", "partner.test", 0, now));
    for (client, to) in [("acme", "gamma.test"), ("beta", "partner.test")] {
        assert_eq!(root(&sim, client, to).kind, RootKind::Route);
    }
    hear(&mut sim, &to("beta", "delta.test", 0, now));
    let shared = root(&sim, "beta", "delta.test");
    assert_eq!(
        (shared.kind, &shared.client, &*shared.name),
        (RootKind::Provider, &None, "BIGMAIL")
    );
    assert_eq!(root(&sim, "acme", "gamma.test"), shared);
    assert_eq!(root(&sim, "beta", "partner.test").kind, RootKind::Route);
}

#[test]
fn a_few_deferrals_in_a_row_impair_and_one_does_not() {
    let mut sim = watched();
    for index in 0..3 {
        let deferred = Report {
            source: ReportSource::Log,
            fate: Fate::Deferred,
            ..report(
                "acme",
                Code::SenderRateLimited,
                "who",
                sim.now + SignedDuration::from_millis(index),
            )
        };
        assert_eq!(sim.route("acme", "partner.test").state, State::Flowing, "{index}");
        hear(&mut sim, &deferred);
    }
    let route = sim.route("acme", "partner.test");
    assert_eq!(route.state, State::Degraded);
    assert!(route.proven_by.contains(&Proof::Log));
}

#[test]
fn what_is_nobodys_route_is_no_evidence() {
    let mut sim = watched();
    let stray = Report {
        to: DomainName::parse("elsewhere.test").unwrap(),
        ..report("acme", Code::ReputationSenderBlocked, "who", sim.now)
    };
    let now = sim.now;
    assert!(!sim.monitor.hear(&stray, now));
}
