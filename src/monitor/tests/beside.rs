//! Services and blocklists: what stands beside the way that mail comes in.

use std::sync::LazyLock;

use rstest::rstest;

use super::sim::{CONFIG, List, Server, Sim, World, moments};
use crate::model::{Code, DomainName, ProbeKind, RootKind, State, Subject};

use Code::*;
use State::*;

const BETA: &[&str] = &["beta.test"];

/// ACME's services run on a machine of their own behind its router, BETA's on the machine that takes its mail.
static SETTLED: LazyLock<Sim> = LazyLock::new(|| {
    let mut sim = Sim::configured(include_str!("worlds/beside.toml"));
    sim.run(60.0);
    for name in sim.domains() {
        assert_eq!(sim.state(&name), (Flowing, None), "{name} after a minute");
    }
    sim.forget();
    sim
});

/// The state and the code of every service of a domain, as the surfaces show them.
fn services(sim: &Sim, domain: &str) -> Vec<(State, Option<Code>)> {
    let view = sim.monitor.view();
    let of = view.services.iter().find(|(name, _)| name.as_str() == domain);
    of.into_iter()
        .flat_map(|(_, services)| services)
        .map(|service| (service.state, service.code))
        .collect()
}

/// A router that is down in front of services alone (mail goes to a provider) degrades, as the router's fault.
#[test]
fn a_router_in_front_of_services_alone() {
    let config = CONFIG.replace(
        "\"gamma.test\", \"delta.test\"",
        "{ name = \"gamma.test\", services = [\"imaps:mail.acme.test\"] }, \"delta.test\"",
    );
    let mut settled = Sim::configured(&config);
    settled.run(60.0);
    for phase in moments(4) {
        let mut sim = settled.clone();
        sim.run(f64::from(phase + 1) * 1.29);
        sim.forget();
        sim.world.routers.insert("198.51.100.1", false);
        sim.run(45.0);
        let turns = sim.turns_of("gamma.test", settled.now);
        assert_eq!(turns.len(), 1, "phase {phase}: {turns:?}");
        assert_eq!(
            sim.state("gamma.test"),
            (Degraded, Some(GatewayDown)),
            "phase {phase}"
        );
        assert_eq!(
            sim.verdict("gamma.test").cause.unwrap().root.kind,
            RootKind::Gateway
        );
        sim.forget();
        sim.world = World::healthy();
        sim.run(60.0);
        assert!(
            sim.turns.iter().all(|(_, _, state, _)| *state == Flowing),
            "{:?}",
            sim.turns
        );
        assert_eq!(sim.state("gamma.test"), (Flowing, None));
    }
}

/// However long our own line, cable, resolver or a router was away, no service is ever blamed for it.
#[rstest]
#[case::line(|world: &mut World, up| world.uplink = up)]
#[case::cable(|world: &mut World, up: bool| world.cut = !up)]
#[case::resolver(|world: &mut World, up| world.resolver = up)]
#[case::router(|world: &mut World, up| { world.routers.insert("198.51.100.1", up); })]
#[case::port_25(|world: &mut World, up| world.port25 = up)]
fn no_service_is_blamed_for_what_it_stands_on(#[case] set: fn(&mut World, bool)) {
    for tenths in moments(13).map(|moment| 5 + 31 * moment) {
        let mut sim = SETTLED.clone();
        set(&mut sim.world, false);
        for _ in 0..tenths {
            sim.run(0.1);
            let shown = services(&sim, "acme.test");
            assert!(
                shown.iter().all(|(_, code)| *code != Some(ServiceUnreachable)),
                "{shown:?}"
            );
        }
        set(&mut sim.world, true);
        sim.run(60.0);
        let wrong: Vec<_> = sim
            .turns
            .iter()
            .filter(|(.., code)| code.is_some_and(|code| matches!(code.layer(), "service" | "reputation")))
            .collect();
        assert!(
            wrong.is_empty(),
            "away for {tenths} tenths of a second: {wrong:?}"
        );
        assert_eq!(sim.state("acme.test"), (Flowing, None));
        assert_eq!(services(&sim, "acme.test"), [(Flowing, None), (Flowing, None)]);
    }
}

/// A second service that fails later joins the cause; it does not take its place.
#[test]
fn the_cause_stays_while_another_service_joins_it() {
    let mut sim = SETTLED.clone();
    sim.world.services.insert(587, Server::Stopped);
    sim.run(30.0);
    let root = sim.verdict("acme.test").cause.unwrap().root.clone();
    assert_eq!(
        (root.kind, &*root.name),
        (RootKind::Service, "submission:mail.acme.test:587")
    );
    assert_eq!(root.client.unwrap().as_str(), "acme");
    sim.forget();
    sim.world.services.insert(993, Server::Stopped);
    let from = sim.now;
    sim.run(30.0);
    assert_eq!(sim.turns_of("acme.test", from), []);
    assert_eq!(sim.verdict("acme.test").also[0].code, ServiceUnreachable);
    assert_eq!(
        services(&sim, "acme.test"),
        [(Broken, Some(ServiceUnreachable)); 2]
    );
}

#[rstest]
#[case::mx("198.51.100.10", &["acme.test", "acme-shop.test"])]
#[case::sender("198.51.100.20", &["acme.test", "acme-shop.test"])]
#[case::gateway("203.0.113.1", BETA)]
fn an_address_is_listed(#[case] address: &'static str, #[case] domains: &[&str]) {
    let mut sim = SETTLED.clone();
    sim.world.list = List::Of(vec![address]);
    sim.run(30.0);
    let cause = sim.verdict(domains[0]).cause.unwrap();
    assert_eq!((cause.root.kind, &*cause.root.name), (RootKind::Sender, address));
    let listed: Vec<String> = sim
        .monitor
        .view()
        .listings
        .iter()
        .filter(|one| one.listed)
        .map(|one| one.address.clone())
        .collect();
    assert_eq!(listed, [address]);
}

/// A list that cannot be believed blames nobody, also when it was believed before; we are told.
#[rstest]
#[case(List::Everything)]
#[case(List::Refusing)]
fn a_list_that_is_not_to_be_believed(#[case] list: List) {
    for phase in moments(4) {
        let mut sim = SETTLED.clone();
        sim.run(f64::from(phase) * 1.29);
        sim.forget();
        sim.world.list = list.clone();
        sim.run(60.0);
        assert_eq!(sim.turns, [], "phase {phase}");
        let view = sim.monitor.view();
        assert_eq!(view.listings, [], "no series of a list that is not believed");
        assert!(
            view.vantage
                .also
                .iter()
                .any(|one| &*one.subject == "the blocklist bl.test")
        );
        assert!(sim.monitor.view().counters.probes[&ProbeKind::Blocklist] > 0);
    }
}

/// A provider's shared hosts are not asked for, and nothing is without lists.
#[test]
fn only_own_addresses_are_asked_for() {
    let mut sim = SETTLED.clone();
    sim.run(30.0);
    let asked: std::collections::BTreeSet<String> = sim
        .probes
        .keys()
        .filter_map(|subject| match subject {
            Subject::Listing(_, address) => Some(address.to_string()),
            _ => None,
        })
        .collect();
    let own = [
        "198.51.100.1",
        "198.51.100.10",
        "198.51.100.20",
        "203.0.113.1",
        "203.0.113.10",
    ];
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), own);
    let mut without = Sim::settled();
    without.run(30.0);
    assert!(
        without
            .probes
            .keys()
            .all(|subject| subject.probe() != ProbeKind::Blocklist)
    );
}

/// Services are shared by whoever names them, and leave with the last who does.
#[test]
fn one_look_serves_every_domain_and_series_vanish_with_the_target() {
    let services = "services = [\"imaps:mail.acme.test\"]";
    let config = CONFIG.replace(
        "\"acme.test\", \"acme-shop.test\"",
        &format!("{{ name = \"acme.test\", {services} }}, {{ name = \"acme-shop.test\", {services} }}"),
    );
    let mut sim = Sim::configured(&config);
    sim.run(60.0);
    let looks: Vec<usize> = sim
        .probes
        .iter()
        .filter(|(subject, _)| subject.probe() == ProbeKind::Service)
        .map(|(_, spans)| spans.len())
        .collect();
    assert!(matches!(looks[..], [12..=14]), "{looks:?}");
    assert_eq!(sim.monitor.view().services.len(), 2);
    sim.reload(CONFIG);
    assert_eq!(sim.monitor.view().services.len(), 0);
    sim.forget();
    sim.run(30.0);
    assert!(
        sim.probes
            .keys()
            .all(|subject| subject.probe() != ProbeKind::Service)
    );
}

/// A server had stopped before its router went. When the router is back, a service may say so before the router's own
/// checks do: what the server did meanwhile is no news of it.
#[test]
fn a_router_that_is_back_is_first_shown_by_a_service() {
    for phase in moments(8) {
        let mut sim = SETTLED.clone();
        sim.jitter = Some(phase.into());
        sim.world.servers.insert("198.51.100.10", Server::Stopped);
        sim.run(20.0);
        sim.world.routers.insert("198.51.100.1", false);
        sim.run(25.0 + f64::from(phase) * 0.67);
        sim.forget();
        sim.world.routers.insert("198.51.100.1", true);
        sim.run(40.0);
        let wrong = sim.turns.iter().find(|(.., code)| *code == Some(HostUnreachable));
        assert_eq!(wrong, None, "phase {phase}");
    }
}

#[test]
fn what_a_server_no_longer_offers_is_a_warning_until_it_is_approved() {
    let mut sim = Sim::settled();
    let lost = |sim: &Sim| -> Vec<String> {
        let also = sim.verdict("beta.test").also;
        also.iter()
            .map(|one| format!("{}: {}", one.code, one.summary))
            .collect()
    };
    assert_eq!(lost(&sim), Vec::<String>::new());
    sim.world.offered = (Some(10_000_000), false);
    sim.run(30.0);
    insta::assert_snapshot!(lost(&sim).join("\n"), @r"
    message.too-large: mx.beta.test (203.0.113.10) takes messages of 10 MB at most (SIZE); it was 50 MB. A changed setting, or a firewall that rewrites the conversation, does this; if it is meant, approve the domain's servers.
    message.content: mx.beta.test (203.0.113.10) no longer offers 8BITMIME, which it did: some messages with umlauts come back to their senders. A changed setting, or a firewall that rewrites the conversation, does this; if it is meant, approve the domain's servers.
    ");
    assert_eq!(sim.state("beta.test"), (Flowing, None));
    let approved = sim
        .monitor
        .approve(&DomainName::parse("beta.test").unwrap(), sim.now);
    assert!(approved.is_ok());
    sim.run(30.0);
    assert_eq!(lost(&sim), Vec::<String>::new());
    // More again is learnt by itself.
    sim.world.offered = (Some(50_000_000), true);
    sim.run(30.0);
    sim.world.offered = (None, true);
    sim.run(30.0);
    assert_eq!(lost(&sim).len(), 1);
}
