//! What is wrong at our own end blames nobody else.

use std::time::Duration;

use mailflow::model::State::{Broken, Flowing, Unknown};
use mailflow::net::fake::{DnsMode, Peer, Uplink};
use rstest::rstest;

use super::faults::run;
use super::world::{DEADLINE, MX, RESOLVER, World};

#[rstest]
#[case::line_cut(|w: &mut World| w.net.set_uplink(Uplink::Cut), "vantage.offline")]
#[case::no_route(|w: &mut World| w.net.set_uplink(Uplink::NoRoute), "vantage.offline")]
#[case::port_25_blocked(|w: &mut World| w.net.set_blocked(25, true), "vantage.port25-blocked")]
#[case::resolver_silent(|w: &mut World| w.net.set_dns(RESOLVER, DnsMode::Silent), "vantage.resolver-failed")]
#[case::resolver_closed(|w: &mut World| w.net.set_dns(RESOLVER, DnsMode::Closed), "vantage.resolver-failed")]
#[case::resolver_fails(|w: &mut World| w.net.set_dns(RESOLVER, DnsMode::ServFail(vec![])), "vantage.resolver-failed")]
#[case::resolver_refuses_us(|w: &mut World| w.net.set_dns(RESOLVER, DnsMode::Refuses), "vantage.resolver-failed")]
#[case::no_resolver(|w: &mut World| w.config.resolver.servers.clear(), "vantage.resolver-failed")]
#[case::no_descriptors(|w: &mut World| w.net.set_local_fault(Some("too many open files")), "vantage.no-evidence")]
fn we_say_so_and_know_nothing_else(#[case] fault: fn(&mut World), #[case] code: &str) {
    run(async {
        let mut world = World::healthy();
        world.router_known();
        fault(&mut world);
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (Unknown, code, 3), "{:#?}", looked.verdict);
        assert!(looked.elapsed < DEADLINE, "it took {:?}", looked.elapsed);
        let cause = looked.verdict.cause.as_ref().unwrap();
        assert_eq!(cause.owner.as_str(), "us");
    });
}

/// Port 25 alone says nothing about names: what they say stays.
#[test]
fn a_blocked_port_does_not_hide_a_missing_domain() {
    run(async {
        let world = World::healthy();
        world.net.set_blocked(25, true);
        world.net.load("test. 60 SOA 1 60").unwrap();
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (Broken, "dns.domain-not-found", 2));
    });
}

/// Without the right to ping, what can be said without pings is said.
#[test]
fn pings_are_not_needed_for_a_healthy_domain() {
    run(async {
        let world = World::healthy();
        world.net.set_ping_permitted(false);
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (Flowing, "", 0), "{:#?}", looked.verdict);
    });
}

/// A peer that never ends its part is cut off at the deadline, and that is no finding about anybody.
#[test]
fn what_is_unanswered_at_the_deadline_is_unknown() {
    run(async {
        let mut world = World::healthy();
        world.config.probes.all.timeout = Some(Duration::from_mins(5));
        world.net.listen((MX, 25), Peer::Silent);
        let looked = world.look().await;
        assert_eq!(
            looked.outcome(),
            (Unknown, "vantage.no-evidence", 3),
            "{:#?}",
            looked.verdict
        );
        assert!(looked.elapsed <= DEADLINE + Duration::from_millis(1));
    });
}
