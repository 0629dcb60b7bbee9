//! A provider with many addresses, each looked at in its own turn: an outage shows itself piece by piece, and is one all
//! the same; so does its end.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use rstest::rstest;

use super::sim::{NameServers, Server, Sim, World, moments};
use crate::model::{Code, State, Subject};

use Code::*;
use State::*;

const ADDRESSES: usize = 10;
const CLIENTS: usize = 2;

/// How often a provider's address is looked at.
const INTERVAL: f64 = 300.0;

/// How long an outage may go unnoticed (`semantics` 5): an interval, three looks in vain of 4 s, 5 s between them, and one.
const TIME_TO_TURN: f64 = INTERVAL + 3.0 * 4.0 + 2.0 * 5.0 + 1.0;

/// Moments of that.
const PHASES: u32 = 12;
const PHASE: f64 = 25.03;

fn address(number: usize) -> &'static str {
    format!("192.0.2.{}", 70 + number).leak()
}

fn domain(client: usize, number: usize) -> String {
    format!("c{client}d{number}.test")
}

static SETTLED: LazyLock<Sim> = LazyLock::new(crowd);

/// Clients with a domain at each of a provider's addresses, each of which is looked at every five minutes.
fn crowd() -> Sim {
    let mut config = "[vantage]\nname = \"hq\"\nanchors = [\"ping:192.0.2.200\", \"smtp:192.0.2.200:25\"]\n\
         [resolver]\nservers = [\"192.0.2.52\"]\n\
         [probes]\ninterval = \"300s\"\n\
         [[providers]]\nname = \"BIGMAIL\"\nmx = [\"*.bigmail.test\"]\ncontact = \"BIGMAIL, +1 555 0100\"\n"
        .to_owned();
    let mut world = World::healthy();
    for number in 0..ADDRESSES {
        let host: &str = format!("mx{number}.bigmail.test").leak();
        world.servers.insert(address(number), Server::Up);
        world.hosts.insert(host, vec![address(number)]);
        for client in 0..CLIENTS {
            world.mx.insert(domain(client, number).leak(), vec![host]);
        }
    }
    for client in 0..CLIENTS {
        let domains: Vec<String> = (0..ADDRESSES).map(|number| domain(client, number)).collect();
        let _ = writeln!(config, "[[clients]]\nname = \"C{client}\"\ndomains = {domains:?}");
    }
    let mut sim = Sim::started_in(world, &config);
    // By then each address has a pace of its own.
    sim.run(20.0 * INTERVAL);
    for name in sim.domains() {
        assert_eq!(
            sim.state(&name),
            (Flowing, None),
            "{name} before anything happens"
        );
    }
    sim
}

/// The world at a moment of the provider's interval, with nothing seen of it yet.
fn at_phase(phase: u32) -> Sim {
    let mut sim = SETTLED.clone();
    sim.run(f64::from(phase) * PHASE);
    sim.forget();
    sim
}

fn set_all(sim: &mut Sim, addresses: impl Iterator<Item = usize>, how: &Server) {
    for number in addresses {
        sim.world.servers.insert(address(number), how.clone());
    }
}

/// Every domain at one of the addresses has turned like this, and the others have not.
fn turned(sim: &Sim, addresses: impl Iterator<Item = usize>, expected: &[(State, Option<Code>)], when: &str) {
    let touched: Vec<String> = addresses
        .flat_map(|number| (0..CLIENTS).map(move |client| domain(client, number)))
        .collect();
    for name in sim.domains() {
        let turns = sim.turns_of(&name, sim.now);
        let states: Vec<_> = turns.iter().map(|(_, state, code)| (*state, *code)).collect();
        let expected = if touched.contains(&name) { expected } else { &[] };
        assert_eq!(states, expected, "{name}, {when}: {turns:?}");
    }
}

const OUTAGE: (State, Option<Code>) = (Broken, Some(ProviderOutage));

#[rstest]
#[case::silent(Server::LineDown)]
#[case::closed(Server::Stopped)]
fn an_outage_of_many_addresses_is_one_in_time(#[case] how: Server) {
    let all = || 0..ADDRESSES;
    for phase in moments(PHASES) {
        let mut sim = at_phase(phase);
        set_all(&mut sim, all(), &how);
        sim.run(TIME_TO_TURN);
        turned(&sim, all(), &[OUTAGE], &format!("phase {phase}"));
        sim.run(INTERVAL + f64::from(phase) * PHASE);
        turned(&sim, all(), &[OUTAGE], &format!("phase {phase}, later"));
        sim.forget();
        set_all(&mut sim, all(), &Server::Up);
        sim.run(INTERVAL);
        turned(
            &sim,
            all(),
            &[(Flowing, None)],
            &format!("phase {phase}, it is back"),
        );
    }
}

/// What stays away when the rest is back is blamed by itself, and only then.
#[test]
fn what_remains_of_an_outage_is_its_own() {
    let back = || 0..ADDRESSES - 1;
    for phase in moments(PHASES) {
        let mut sim = at_phase(phase);
        set_all(&mut sim, 0..ADDRESSES, &Server::LineDown);
        sim.run(TIME_TO_TURN);
        sim.forget();
        set_all(&mut sim, back(), &Server::Up);
        sim.run(INTERVAL);
        let away = sim.domains().into_iter().filter(|name| name.ends_with("d9.test"));
        for name in away {
            assert_eq!(
                sim.state(&name),
                (Broken, Some(HostUnreachable)),
                "{name}, phase {phase}"
            );
        }
        sim.turns
            .retain(|(_, target, ..)| !target.to_string().ends_with("d9.test"));
        turned(&sim, back(), &[(Flowing, None)], &format!("phase {phase}"));
    }
}

/// That the others are asked first holds nothing up where they answer.
#[test]
fn one_address_that_fails_alone_is_told_as_soon_as_anywhere() {
    for phase in moments(PHASES) {
        let mut sim = at_phase(phase);
        set_all(&mut sim, 4..5, &Server::LineDown);
        let began = sim.now;
        sim.run(INTERVAL + 40.0);
        turned(
            &sim,
            4..5,
            &[(Broken, Some(HostUnreachable))],
            &format!("phase {phase}"),
        );
        let sessions = &sim.probes[&Subject::Smtp(format!("{}:25", address(4)).parse().unwrap())];
        let third = sessions.iter().filter(|(at, _)| *at >= began).nth(2).unwrap();
        let (told, ..) = sim.turns_of(&domain(0, 4), third.1)[0];
        assert!(told < 6.0, "phase {phase}: {told} s after it was certain");
    }
}

/// However many domains a provider has, its outage is told of all in one and the same words.
#[test]
fn all_domains_that_turn_by_an_outage_share_its_cause() {
    let mut sim = at_phase(0);
    set_all(&mut sim, 0..ADDRESSES, &Server::LineDown);
    for _ in 0..600 {
        if sim.state(&domain(0, 0)).0 == Flowing {
            sim.run(1.0);
        }
    }
    let causes: Vec<_> = sim
        .domains()
        .iter()
        .map(|name| sim.verdict(name).cause.unwrap())
        .collect();
    assert_eq!(causes.len(), CLIENTS * ADDRESSES);
    assert!(causes.iter().all(|cause| Arc::ptr_eq(cause, &causes[0])));
    assert_eq!(causes[0].code, ProviderOutage);
    assert_eq!(causes[0].contact.as_deref(), Some("BIGMAIL, +1 555 0100"));
}

/// What a domain's own DNS shows does not wait for its provider.
#[test]
fn a_domain_whose_name_servers_fail_is_told_while_its_provider_does() {
    let failing = domain(0, 0);
    for phase in moments(PHASES) {
        let mut sim = at_phase(phase);
        set_all(&mut sim, 0..ADDRESSES, &Server::LineDown);
        sim.world
            .name_servers
            .insert(failing.clone().leak(), NameServers::Down);
        let began = sim.now;
        sim.run(2.0 * INTERVAL);
        let looks = &sim.probes[&Subject::Mx(failing.parse().unwrap())];
        let third = looks.iter().filter(|(at, _)| *at >= began).nth(2).unwrap();
        let (after, state, code) = sim.turns_of(&failing, third.1)[0];
        assert_eq!(
            (state, code),
            (Broken, Some(DnsNameserversUnreachable)),
            "phase {phase}"
        );
        assert!(after < 6.0, "phase {phase}: {after} s after it was certain");
    }
}

/// When our own line dies, those who answered last are asked, and nobody waits for all others to be found silent too.
#[test]
fn our_own_line_is_told_before_every_address_has_been_found_silent() {
    let mut sim = SETTLED.clone();
    sim.forget();
    let cut = sim.now;
    sim.world.uplink = false;
    sim.run(INTERVAL);
    let told = sim.turns_of("c0d0.test", cut);
    let (after, state, code) = told[0];
    assert_eq!((state, code), (Unknown, Some(VantageOffline)));
    assert!(after < 150.0, "{after} s");
}
