//! What the monitor says when things break, and that it says nothing else on the way.

use rstest::rstest;

use super::sim::{CONFIG, NameServers, Server, Sim, World};
use crate::model::tls::ChainVerdict;
use crate::model::{Code, DomainName, RootKind, State, Subject, Target};
use crate::monitor::Mode;

use Code::*;
use State::*;

const PROVIDER: &[&str] = &["gamma.test", "delta.test", "epsilon.test", "zeta.test"];
const ACME: &[&str] = &["acme.test", "acme-shop.test"];

/// A round of the schedule, 5 s, in steps that fall between its own.
const PHASES: u32 = 5;
const PHASE: f64 = 1.03;

/// A failure asks for more evidence, but never sets probes after one another without end: in the 45 s that
/// something is broken, each subject is looked at in its rounds, for confirmation, and at half its pace besides;
/// what could explain everything, also with each failure that is still in doubt.
fn probes_stay_within_bounds(sim: &Sim) {
    for (subject, spans) in &sim.probes {
        let most = match subject {
            Subject::Anchor(_) | Subject::Resolver(_) => 50,
            _ => 9 * 2 + 8,
        };
        assert!(spans.len() <= most, "{subject}: {} probes in 45 s", spans.len());
    }
}

/// Breaks the world at different phases of the schedule, and expects exactly one turn of the domains that
/// are named, within the time of `semantics` 5, and none of any other; then heals it and expects them flowing.
fn scenario(domains: &[&str], state: State, code: Code, fail: f64, inject: impl Fn(&mut World)) {
    scenario_from(Sim::settled(), domains, state, code, fail, inject);
}

/// The same from a world of its own.
pub(super) fn scenario_from(
    mut settled: Sim,
    domains: &[&str],
    state: State,
    code: Code,
    fail: f64,
    inject: impl Fn(&mut World),
) {
    for phase in 0..PHASES {
        settled.run(PHASE);
        let mut sim = settled.clone();
        let from = sim.now;
        sim.forget();
        inject(&mut sim.world);
        sim.run(45.0);
        probes_stay_within_bounds(&sim);
        // interval + (confirm + 1) × fail + confirm × 1 s + 1 s, and the TTL for DNS.
        let mut bound = 5.0 + 3.0 * fail + 2.0 * 1.0 + 1.0;
        if code.layer() == "dns" {
            bound += 5.0;
        }
        for domain in sim.domains() {
            let turns = sim.turns_of(&domain, from);
            if domains.contains(&domain.as_str()) {
                assert_eq!(turns.len(), 1, "phase {phase}: {domain}: {turns:?}");
                assert_eq!(
                    (turns[0].1, turns[0].2),
                    (state, Some(code)),
                    "phase {phase}: {domain}"
                );
                assert!(
                    turns[0].0 <= bound,
                    "phase {phase}: {domain} took {} s, not {bound} s",
                    turns[0].0
                );
            } else {
                assert!(turns.is_empty(), "phase {phase}: {domain}: {turns:?}");
            }
        }
        let healed = sim.now;
        sim.world = World::healthy();
        sim.turns.clear();
        sim.run(60.0);
        for domain in domains {
            let turns = sim.turns_of(domain, healed);
            let last = turns
                .last()
                .unwrap_or_else(|| panic!("phase {phase}: {domain} did not recover"));
            assert_eq!(
                (last.1, last.2),
                (Flowing, None),
                "phase {phase}: {domain}: {turns:?}"
            );
            let blamed: Vec<_> = turns
                .iter()
                .filter(|(_, state, _)| !matches!(state, Flowing | Unknown))
                .collect();
            assert!(
                blamed.is_empty(),
                "phase {phase}: {domain} while healing: {turns:?}"
            );
        }
    }
}

#[test]
fn the_clients_router_is_down() {
    scenario(ACME, Broken, GatewayDown, 4.0, |world| {
        world.routers.insert("198.51.100.1", false);
    });
}

#[rstest]
#[case::stopped(Server::Stopped, HostRefused, 0.0)]
#[case::line_down(Server::LineDown, HostUnreachable, 4.0)]
#[case::filtered(Server::Filtered, HostPort25Filtered, 4.0)]
#[case::shutting_down(Server::Greets("421 4.3.2 shutting down"), SmtpUnavailable, 0.0)]
#[case::no_service(Server::Greets("554 no service here"), SmtpRejectsConnections, 0.0)]
#[case::closes(Server::Closes, SmtpDisconnects, 0.0)]
#[case::babbles(Server::Babbles, SmtpProtocolError, 0.0)]
fn the_clients_server_fails(#[case] server: Server, #[case] code: Code, #[case] fail: f64) {
    scenario(ACME, Broken, code, fail, |world| {
        world.servers.insert("198.51.100.10", server.clone());
    });
}

#[rstest]
#[case("421 4.7.0 too many")]
#[case("554 5.7.1 denied")]
fn a_refusal_of_us_is_no_outage(#[case] line: &'static str) {
    scenario(ACME, Unknown, VantageRefused, 0.0, |world| {
        world.servers.insert("198.51.100.10", Server::Greets(line));
    });
}

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

#[test]
fn the_providers_first_mx_is_down() {
    scenario(PROVIDER, Degraded, HostUnreachable, 4.0, |world| {
        world.servers.insert("192.0.2.61", Server::LineDown);
    });
}

#[test]
fn the_provider_is_down_as_a_whole() {
    scenario(PROVIDER, Broken, ProviderOutage, 4.0, |world| {
        world.servers.insert("192.0.2.61", Server::LineDown);
        world.servers.insert("192.0.2.62", Server::LineDown);
    });
    scenario(PROVIDER, Broken, ProviderOutage, 4.0, |world| {
        world.servers.insert("192.0.2.61", Server::Stopped);
        world.servers.insert("192.0.2.62", Server::LineDown);
    });
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

fn everybody() -> Vec<&'static str> {
    ACME.iter()
        .chain(PROVIDER)
        .chain(&["beta.test"])
        .copied()
        .collect()
}

#[test]
fn our_own_line_is_down() {
    scenario(&everybody(), Unknown, VantageOffline, 4.0, |world| {
        world.uplink = false;
    });
}

#[test]
fn port_25_is_closed_for_us_alone() {
    scenario(&everybody(), Unknown, VantagePort25Blocked, 4.0, |world| {
        world.port25 = false;
    });
}

#[test]
fn our_resolver_is_dead() {
    scenario(&everybody(), Unknown, VantageResolverFailed, 4.0, |world| {
        world.resolver = false;
    });
}

#[test]
fn dns_breaks() {
    scenario(&["beta.test"], Broken, DnsDomainNotFound, 0.0, |world| {
        world.missing.insert("beta.test");
    });
    scenario(&["beta.test"], Broken, DnsServfail, 0.0, |world| {
        world.name_servers.insert("beta.test", NameServers::Refusing);
    });
    scenario(&["beta.test"], Broken, DnsNameserversUnreachable, 4.0, |world| {
        world.name_servers.insert("beta.test", NameServers::Down);
    });
    scenario(&["beta.test"], Degraded, DnsNameserverFailed, 4.0, |world| {
        world.name_servers.insert("beta.test", NameServers::OneDown);
    });
}

/// The mail host of one domain lies in the zone of another: its name servers are the one cause for both, while they
/// are away and while the resolver still remembers that they were.
#[test]
fn a_host_in_a_zone_that_fails_is_that_zones_fault() {
    for phase in 0..PHASES {
        let mut sim = Sim::settled();
        sim.run(f64::from(phase) * PHASE);
        sim.forget();
        sim.world.name_servers.insert("acme.test", NameServers::Down);
        sim.run(45.0);
        let root = |domain: &str| sim.verdict(domain).cause.unwrap().root;
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
    for phase in 0..PHASES {
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

#[test]
fn mx_records_change() {
    scenario(&["beta.test"], Broken, DnsNoMailHost, 0.0, |world| {
        world.mx.remove("beta.test");
    });
    scenario(&["beta.test"], Degraded, DnsMxChanged, 0.0, |world| {
        world.mx.insert("beta.test", vec!["mx.acme.test"]);
    });
    scenario(&["beta.test"], Broken, DnsMxDangling, 0.0, |world| {
        world.hosts.remove("mx.beta.test");
    });
    scenario(&["beta.test"], Broken, DnsNullMx, 0.0, |world| {
        world.mx.insert("beta.test", vec!["."]);
    });
}

#[rstest]
#[case::expired(ChainVerdict::Expired, "mx.beta.test", -1, TlsCertificateExpired)]
#[case::untrusted(ChainVerdict::UnknownIssuer, "mx.beta.test", 90, TlsCertificateUntrusted)]
#[case::wrong_name(ChainVerdict::Trusted, "other.test", 90, TlsCertificateNameMismatch)]
fn certificates_go_bad(
    #[case] chain: ChainVerdict,
    #[case] name: &'static str,
    #[case] days: i64,
    #[case] code: Code,
) {
    scenario(&["beta.test"], Degraded, code, 0.0, |world| {
        world
            .certificates
            .insert("203.0.113.10", (chain.clone(), name, days));
    });
}

#[test]
fn starttls_is_withdrawn() {
    scenario(&everybody(), Degraded, TlsNotOffered, 0.0, |world| {
        world.starttls = false;
    });
}

#[test]
fn a_silent_greeting_is_slow_first_and_broken_after_patience() {
    let mut sim = Sim::settled();
    let from = sim.now;
    sim.world.servers.insert("203.0.113.10", Server::Silent);
    sim.run(60.0);
    let turns: Vec<_> = sim
        .turns_of("beta.test", from)
        .into_iter()
        .map(|(_, state, code)| (state, code))
        .collect();
    assert_eq!(
        turns,
        [(Degraded, Some(SmtpSlowGreeting)), (Broken, Some(SmtpNoGreeting))]
    );
}

#[test]
fn a_router_that_stops_answering_pings_alarms_nobody() {
    let mut settled = Sim::settled();
    for phase in 0..PHASES {
        settled.run(PHASE);
        let mut sim = settled.clone();
        sim.forget();
        sim.world.router_pings = false;
        sim.run(120.0);
        assert_eq!(sim.turns, [], "phase {phase}");
    }
}

#[test]
fn a_short_break_of_anything_alarms_nobody() {
    for seconds in 1..=6 {
        for phase in 0..5 {
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
    for tenths in (5..400).step_by(11) {
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
    for tenths in (5..400).step_by(11) {
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
fn an_outage_outlives_our_own_blindness() {
    let mut sim = Sim::settled();
    sim.world.servers.insert("198.51.100.10", Server::Stopped);
    sim.run(30.0);
    assert_eq!(sim.state("acme.test"), (Broken, Some(HostRefused)));
    sim.world.uplink = false;
    sim.run(40.0);
    assert_eq!(sim.state("acme.test"), (Unknown, Some(VantageOffline)));
    sim.world.uplink = true;
    sim.run(40.0);
    assert_eq!(sim.state("acme.test"), (Broken, Some(HostRefused)));
    assert_eq!(sim.state("beta.test"), (Flowing, None));
}

#[test]
fn roots_are_shared_by_what_shares_the_fault() {
    let mut sim = Sim::settled();
    sim.world.routers.insert("198.51.100.1", false);
    sim.world.servers.insert("192.0.2.61", Server::LineDown);
    sim.run(40.0);
    let root = |sim: &Sim, domain: &str| sim.verdict(domain).cause.unwrap().root;
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
    for tenths in (5..300).step_by(11) {
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

/// What port 25 does not block is still judged: a domain that ceases to exist is gone.
#[test]
fn a_blocked_port_25_does_not_hide_a_domain_that_is_gone() {
    let mut sim = Sim::settled();
    sim.world.port25 = false;
    sim.run(40.0);
    sim.world.missing.insert("beta.test");
    let from = sim.now;
    sim.run(13.0);
    assert_eq!(
        sim.state("beta.test"),
        (Broken, Some(DnsDomainNotFound)),
        "{:?}",
        sim.turns_of("beta.test", from)
    );
    assert_eq!(sim.state("acme.test"), (Unknown, Some(VantagePort25Blocked)));
}

/// A cable that is pulled and put back: our line is told of, and nothing else, at whatever moment.
#[test]
fn our_cable_is_out() {
    for tenths in (5..300).step_by(13) {
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
    for phase in 0..4 * PHASES {
        settled.run(PHASE);
        let mut sim = settled.clone();
        sim.forget();
        sim.jitter = Some(phase.into());
        sim.world.routers.insert("198.51.100.1", false);
        sim.run(45.0);
        let moments: std::collections::BTreeSet<_> = sim.turns.iter().map(|(at, ..)| *at).collect();
        assert_eq!(moments.len(), 1, "phase {phase}: {:?}", sim.turns);
        assert_eq!(sim.turns.len(), 3, "phase {phase}: {:?}", sim.turns);
    }
}
