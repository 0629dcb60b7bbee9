//! Where the way to an unreachable server ends: found out once, and told.

use super::sim::{Server, Sim, World};
use crate::model::{Code, State, Subject};

use Code::*;
use State::*;

const MX: &str = "198.51.100.10";
const LAST: &str = "The last hop that answered is 192.0.2.99, 7 hops away.";

/// When the ways were followed, from the start of the simulation.
fn traces(sim: &Sim) -> Vec<(String, usize)> {
    let of = |(subject, spans): (&Subject, &Vec<_>)| match subject {
        Subject::Trace(address) => Some((address.to_string(), spans.len())),
        _ => None,
    };
    sim.probes.iter().filter_map(of).collect()
}

fn broken(change: impl Fn(&mut World)) -> Sim {
    let mut sim = Sim::settled();
    change(&mut sim.world);
    sim.run(120.0);
    sim
}

#[rstest::rstest]
#[case::line_down(Server::LineDown, HostUnreachable)]
#[case::filtered(Server::Filtered, HostPort25Filtered)]
fn the_way_to_a_server_is_followed_once_and_told(#[case] server: Server, #[case] code: Code) {
    let sim = broken(|world| {
        world.servers.insert(MX, server.clone());
    });
    assert_eq!(traces(&sim), [(format!("{MX}:25"), 1)]);
    for domain in ["acme.test", "acme-shop.test"] {
        assert_eq!(sim.state(domain), (Broken, Some(code)));
        let cause = sim.verdict(domain).cause.unwrap();
        assert!(cause.detail.ends_with(LAST), "{}", cause.detail);
        let note = cause.evidence.iter().find(|note| note.summary == LAST).unwrap();
        assert_eq!(note.transcript, ["1  192.0.2.1  9.0 ms", "7  192.0.2.99  9.0 ms"]);
    }
}

#[test]
fn the_way_to_what_lies_behind_a_dead_router_is_followed_once() {
    let sim = broken(|world| {
        world.routers.insert("198.51.100.1", false);
    });
    assert_eq!(traces(&sim), [(format!("{MX}:25"), 1)]);
    let cause = sim.verdict("acme.test").cause.unwrap();
    assert_eq!(cause.code, GatewayDown);
    assert!(cause.detail.ends_with(LAST), "{}", cause.detail);
}

#[test]
fn no_way_is_followed_to_what_answers_or_while_we_are_blind() {
    for change in [
        |world: &mut World| {
            world.servers.insert(MX, Server::Stopped);
        },
        |world: &mut World| world.uplink = false,
        |world: &mut World| world.port25 = false,
        |world: &mut World| world.resolver = false,
    ] {
        assert_eq!(traces(&broken(change)), []);
    }
}

#[test]
fn an_address_that_comes_and_goes_is_followed_to_every_ten_minutes_at_most() {
    let mut sim = Sim::settled();
    for _ in 0..10 {
        sim.world.servers.insert(MX, Server::LineDown);
        sim.run(90.0);
        sim.world = World::healthy();
        sim.run(90.0);
    }
    let count: usize = traces(&sim).iter().map(|(_, count)| count).sum();
    assert!((2..=3).contains(&count), "{count} in half an hour");
}
