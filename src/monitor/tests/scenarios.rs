//! What the monitor says when things break, and that it says nothing else on the way.

use rstest::rstest;

use super::sim::{CONFIG, NameServers, Server, Sim, World, moments};
use crate::model::{Code, DomainName, RootKind, State, Target};
use crate::monitor::Mode;

use Code::*;
use State::*;

const PROVIDER: &[&str] = &["gamma.test", "delta.test", "epsilon.test", "zeta.test"];
const ACME: &[&str] = &["acme.test", "acme-shop.test"];

/// A round of the schedule, 5 s, in steps that fall between its own.
const PHASES: u32 = 5;
const PHASE: f64 = 1.03;

/// Once half of a provider's addresses refuse us, the others are left alone as well, and what they showed stands.
#[test]
fn a_provider_that_has_had_enough_of_us_is_left_alone_as_a_whole() {
    let config = CONFIG.replace("refused_backoff = \"5s\"", "refused_backoff = \"2m\"");
    let mut sim = Sim::configured(&config);
    sim.run(60.0);
    sim.world
        .servers
        .insert("192.0.2.61", Server::Greets("421 4.7.0 too many"));
    sim.run(10.0);
    sim.forget();
    sim.run(100.0);
    let sessions: std::collections::BTreeMap<_, _> = sim
        .sessions()
        .map(|(peer, n)| (peer.ip().to_string(), n))
        .collect();
    assert_eq!(
        sessions.keys().collect::<Vec<_>>(),
        ["198.51.100.10", "203.0.113.10"]
    );
    assert_eq!(
        sim.turns,
        [],
        "what the other showed stands, although it is older than usual"
    );
    sim.world = World::healthy();
    sim.run(60.0);
    sim.forget();
    sim.run(60.0);
    assert!(
        sim.sessions().all(|(_, sessions)| sessions >= 11),
        "and then all is as before"
    );
    assert_eq!(sim.sessions().count(), 4);
}

/// Two clients fail at every address that they use, a third at the same provider flows: it is the provider's outage, and
/// who flows is named as the control group.
#[test]
fn a_provider_is_down_for_some_of_its_clients() {
    let mut sim = Sim::new(Mode::Watch);
    sim.world.servers.insert("192.0.2.63", Server::Up);
    for (host, address) in [("a", "192.0.2.61"), ("b", "192.0.2.62"), ("c", "192.0.2.63")] {
        let host = &*format!("{host}.bigmail.test").leak();
        sim.world.hosts.insert(host, vec![address]);
    }
    for domain in ["gamma.test", "delta.test"] {
        sim.world.mx.insert(domain, vec!["a.bigmail.test"]);
    }
    for domain in ["epsilon.test", "zeta.test"] {
        sim.world.mx.insert(domain, vec!["b.bigmail.test"]);
    }
    sim.world.mx.insert("beta.test", vec!["c.bigmail.test"]);
    sim.run(60.0);
    assert_eq!(sim.state("beta.test"), (Flowing, None));
    sim.forget();
    sim.world.servers.insert("192.0.2.61", Server::LineDown);
    sim.world.servers.insert("192.0.2.62", Server::LineDown);
    sim.run(40.0);
    for domain in PROVIDER {
        assert_eq!(sim.state(domain), (Broken, Some(ProviderOutage)), "{domain}");
        assert_eq!(sim.turns_of(domain, sim.now).len(), 1, "{domain}");
    }
    assert_eq!(sim.state("beta.test"), (Flowing, None));
    let cause = sim.verdict("gamma.test").cause.unwrap();
    assert!(
        cause
            .detail
            .contains("All 2 addresses of BIGMAIL that GAMMA and ZETA use"),
        "{}",
        cause.detail
    );
    let control = cause.evidence[0].control.as_deref();
    assert_eq!(control, Some("at the same provider mail still flows for BETA"));
}

/// Who else answered is the control group of a failed router or host.
#[test]
fn evidence_names_who_else_answered() {
    let mut sim = Sim::settled();
    sim.world.routers.insert("198.51.100.1", false);
    sim.world.servers.insert("203.0.113.10", Server::Stopped);
    sim.run(40.0);
    for domain in ["acme.test", "beta.test"] {
        let cause = sim.verdict(domain).cause.unwrap();
        let control = cause.evidence[0].control.as_deref();
        let expected = if domain == "beta.test" { 4 } else { 5 };
        assert!(
            control.unwrap().starts_with(|c: char| c.is_ascii_digit()),
            "{domain}: {control:?} ({expected})"
        );
    }
}

/// The mail host of one domain lies in the zone of another: its name servers are the one cause for both, while they
/// are away and while the resolver still remembers that they were.
#[test]
fn a_host_in_a_zone_that_fails_is_that_zones_fault() {
    for phase in moments(PHASES) {
        let mut sim = Sim::settled();
        sim.run(f64::from(phase) * PHASE);
        sim.forget();
        sim.world.name_servers.insert("acme.test", NameServers::Down);
        sim.run(45.0);
        let root = |domain: &str| sim.verdict(domain).cause.unwrap().root.clone();
        for domain in ACME {
            assert_eq!(
                sim.state(domain),
                (Broken, Some(DnsNameserversUnreachable)),
                "phase {phase}"
            );
            assert_eq!(root(domain), root("acme.test"));
            assert_eq!(root(domain).kind, RootKind::NameServerSet);
        }
        assert!(
            sim.turns
                .iter()
                .all(|(.., state, code)| *state == Broken && *code == Some(DnsNameserversUnreachable)),
            "phase {phase}: {:?}",
            sim.turns
        );
    }
}

/// Name servers are back, the domain resolves again, and our resolver still holds that its host does not.
#[test]
fn what_a_resolver_remembers_of_dead_name_servers_opens_nothing_new() {
    for phase in moments(PHASES) {
        let mut sim = Sim::settled();
        sim.run(f64::from(phase) * PHASE);
        sim.world.name_servers.insert("beta.test", NameServers::Down);
        sim.run(45.0);
        sim.forget();
        sim.world.name_servers.clear();
        sim.world.remembered.insert("mx.beta.test");
        sim.run(40.0);
        sim.world.remembered.clear();
        sim.run(20.0);
        let told = sim
            .turns
            .iter()
            .filter(|(_, _, state, _)| matches!(state, Broken | Degraded));
        assert_eq!(told.collect::<Vec<_>>(), Vec::<&_>::new(), "phase {phase}");
        assert_eq!(sim.state("beta.test"), (Flowing, None));
    }
}

/// Our own line is back, and our resolver still holds that a domain cannot be resolved: that it fails is said of it only
/// once it lasts.
#[test]
fn what_a_resolver_remembers_of_our_own_dead_line_is_not_held_against_it() {
    let mut sim = Sim::settled();
    sim.world.uplink = false;
    sim.run(45.0);
    sim.forget();
    sim.world.uplink = true;
    sim.world.remembered.insert("beta.test");
    sim.run(60.0);
    let failed = Some(VantageResolverFailed);
    let told = |sim: &Sim| sim.turns.iter().any(|(_, _, _, code)| *code == failed);
    assert!(!told(&sim), "{:?}", sim.turns);
    sim.run(300.0);
    assert_eq!(sim.state("beta.test"), (Unknown, failed));
    sim.world.remembered.clear();
    sim.run(30.0);
    assert_eq!(sim.state("beta.test"), (Flowing, None));
}

#[test]
fn a_short_break_of_anything_alarms_nobody() {
    for seconds in 1..=6 {
        for phase in moments(PHASES) {
            let mut sim = Sim::settled();
            sim.run(f64::from(phase) * 0.91);
            sim.turns.clear();
            sim.world.uplink = false;
            sim.run(f64::from(seconds));
            sim.world.uplink = true;
            sim.run(30.0);
            sim.world.routers.insert("198.51.100.1", false);
            sim.run(f64::from(seconds));
            sim.world.routers.insert("198.51.100.1", true);
            sim.run(60.0);
            let blamed: Vec<_> = sim
                .turns
                .iter()
                .filter(|(_, _, state, _)| matches!(state, Broken | Degraded))
                .collect();
            assert!(blamed.is_empty(), "{seconds} s, phase {phase}: {blamed:?}");
        }
    }
}

/// However long our own line was away, and at whatever moment it comes back, no client is ever blamed for it.
#[test]
fn no_client_is_blamed_for_our_own_line() {
    for tenths in moments(36).map(|moment| 5 + 11 * moment) {
        let mut sim = Sim::settled();
        sim.turns.clear();
        sim.world.uplink = false;
        sim.run(f64::from(tenths) / 10.0);
        sim.world.uplink = true;
        sim.run(60.0);
        let blamed: Vec<_> = sim
            .turns
            .iter()
            .filter(|(_, _, state, _)| matches!(state, Broken | Degraded))
            .collect();
        assert!(
            blamed.is_empty(),
            "away for {tenths} tenths of a second: {blamed:?}"
        );
        for domain in sim.domains() {
            assert_eq!(sim.state(&domain), (Flowing, None), "{domain}");
        }
    }
}

/// However long a router was away, the server behind it is never blamed.
#[test]
fn no_server_is_blamed_for_its_router() {
    for tenths in moments(36).map(|moment| 5 + 11 * moment) {
        let mut sim = Sim::settled();
        sim.turns.clear();
        sim.world.routers.insert("198.51.100.1", false);
        sim.run(f64::from(tenths) / 10.0);
        sim.world.routers.insert("198.51.100.1", true);
        sim.run(60.0);
        let wrong: Vec<_> = sim
            .turns
            .iter()
            .filter(|(_, _, state, code)| *state != Flowing && *code != Some(GatewayDown))
            .collect();
        assert!(
            wrong.is_empty(),
            "away for {tenths} tenths of a second: {wrong:?}"
        );
    }
}

#[test]
fn roots_are_shared_by_what_shares_the_fault() {
    let mut sim = Sim::settled();
    sim.world.routers.insert("198.51.100.1", false);
    sim.world.servers.insert("192.0.2.61", Server::LineDown);
    sim.run(40.0);
    let root = |sim: &Sim, domain: &str| sim.verdict(domain).cause.unwrap().root.clone();
    assert_eq!(root(&sim, "acme.test"), root(&sim, "acme-shop.test"));
    assert_eq!(root(&sim, "acme.test").kind, RootKind::Gateway);
    assert_eq!(root(&sim, "gamma.test"), root(&sim, "zeta.test"));
    assert_eq!(root(&sim, "gamma.test").kind, RootKind::MxHost);
    let cause = sim.verdict("acme.test").cause.unwrap();
    assert_eq!(cause.contact.as_deref(), Some("Telekom business line"));
    assert_eq!(sim.verdict("acme.test").symptoms, [HostUnreachable]);
}

#[test]
fn one_session_serves_every_domain_on_an_address() {
    let mut sim = Sim::new(Mode::Watch);
    sim.run(60.0);
    for (address, sessions) in sim.sessions() {
        assert!(
            (12..=14).contains(&sessions),
            "{address}: {sessions} sessions in a minute at 5 s"
        );
    }
}

#[test]
fn one_look_sees_all_and_ends() {
    let mut sim = Sim::new(Mode::OneLook);
    sim.world.routers.insert("198.51.100.1", false);
    sim.world.servers.insert("203.0.113.10", Server::Stopped);
    sim.run(60.0);
    assert!(sim.monitor.is_quiet());
    sim.monitor.conclude(sim.now);
    assert_eq!(sim.state("beta.test"), (Broken, Some(HostRefused)));
    assert_eq!(sim.state("gamma.test"), (Flowing, None));
    for (address, sessions) in sim.sessions() {
        assert_eq!(sessions, 1, "{address}");
    }
}

#[test]
fn a_restart_keeps_the_time_since_when() {
    let target = Target::Domain(DomainName::parse("acme.test").unwrap());
    let mut sim = Sim::settled();
    let since = sim.monitor.verdict(&target).unwrap().since;
    sim.run(100.0);
    assert_eq!(sim.monitor.verdict(&target).unwrap().since, since);
}

/// A stopped server behind a router that goes and comes back: at no moment is anything else blamed.
#[test]
fn a_stopped_server_behind_a_router_that_comes_and_goes() {
    for tenths in moments(27).map(|moment| 5 + 11 * moment) {
        let mut sim = Sim::settled();
        sim.world.servers.insert("198.51.100.10", Server::Stopped);
        sim.run(20.0);
        sim.turns.clear();
        sim.world.routers.insert("198.51.100.1", false);
        sim.run(f64::from(tenths) / 10.0);
        sim.world.routers.insert("198.51.100.1", true);
        sim.run(60.0);
        let wrong: Vec<_> = sim
            .turns
            .iter()
            .filter(|(_, _, _, code)| {
                !matches!(code, None | Some(HostRefused | GatewayDown | VantageNoEvidence))
            })
            .collect();
        assert!(
            wrong.is_empty(),
            "away for {tenths} tenths of a second: {wrong:?}"
        );
        assert_eq!(sim.state("acme.test"), (Broken, Some(HostRefused)));
    }
}

/// A cable that is pulled and put back: our line is told of, and nothing else, at whatever moment.
#[test]
fn our_cable_is_out() {
    for tenths in moments(23).map(|moment| 5 + 13 * moment) {
        let mut sim = Sim::settled();
        sim.run(f64::from(tenths % 50) / 10.0);
        sim.turns.clear();
        sim.world.cut = true;
        sim.run(f64::from(tenths) / 10.0);
        sim.world.cut = false;
        sim.run(60.0);
        let wrong: Vec<_> = sim
            .turns
            .iter()
            .filter(|(.., code)| !matches!(code, None | Some(VantageOffline | VantageNoEvidence)))
            .collect();
        assert!(wrong.is_empty(), "out for {tenths} tenths of a second: {wrong:?}");
        for domain in sim.domains() {
            assert_eq!(sim.state(&domain), (Flowing, None), "{domain}");
        }
    }
}

/// A router and the domains behind it turn at the same moment: else two incidents are opened for one fault.
#[rstest]
#[case::its_server_flowed(Server::Up)]
#[case::its_server_had_stopped(Server::Stopped)]
fn a_router_and_the_domains_behind_it_turn_together(#[case] server: Server) {
    let mut settled = Sim::settled();
    settled.world.servers.insert("198.51.100.10", server);
    settled.run(20.0);
    for phase in moments(4 * PHASES) {
        let mut sim = settled.clone();
        sim.run(f64::from(phase + 1) * PHASE);
        sim.forget();
        sim.jitter = Some(phase.into());
        sim.world.routers.insert("198.51.100.1", false);
        sim.run(45.0);
        let moments: std::collections::BTreeSet<_> = sim.turns.iter().map(|(at, ..)| *at).collect();
        assert_eq!(moments.len(), 1, "phase {phase}: {:?}", sim.turns);
        assert_eq!(sim.turns.len(), 3, "phase {phase}: {:?}", sim.turns);
    }
}
