//! A zone whose parent and servers do not agree: told where it lasts, and alarming only where mail can be harmed.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::sim::{CONFIG, Sim, start};
use crate::model::dns::{Delegated, ZoneCopy, ZoneLook, ZoneVersion};
use crate::model::{Code, DomainName, State, Subject};

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn copy(server: &str, last: u8, serial: u32) -> ZoneCopy {
    ZoneCopy {
        server: name(server),
        address: IpAddr::from([192, 0, 2, last]),
        version: ZoneVersion {
            origin: Some(name("ns1.test")),
            serial,
            refresh: Duration::from_hours(1),
            retry: Duration::from_mins(10),
        },
        servers: vec![name("ns1.test"), name("ns2.test")],
    }
}

fn minutes(count: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_mins(count)).unwrap()
}

/// A closer look so many minutes after the first one.
fn look(at: i64, parent: &[&str], serials: [u32; 2]) -> ZoneLook {
    ZoneLook {
        at: minutes(at),
        delegation: Some(Delegated {
            by: IpAddr::from([192, 0, 2, 40]),
            servers: parent.iter().map(|server| (name(server), vec![])).collect(),
        }),
        copies: vec![copy("ns1.test", 53, serials[0]), copy("ns2.test", 54, serials[1])],
    }
}

/// What is told beside acme.test while each of some looks is the last one for a while.
fn told(looks: &[ZoneLook]) -> Vec<String> {
    let mut sim = Sim::settled();
    for look in looks {
        sim.world.closer.insert("acme.test", look.clone());
        sim.run(20.0);
    }
    let verdict = sim.verdict("acme.test");
    assert_eq!(
        (verdict.state, sim.turns_of("acme.test", minutes(0)).len()),
        (State::Flowing, 0)
    );
    let also = verdict.also.iter();
    also.map(|one| {
        assert_eq!(one.code, Code::DnsNameserversDisagree);
        format!("{}: {}", one.subject, one.summary)
    })
    .collect()
}

#[test]
fn a_delegation_that_differs_is_a_warning_once_it_lasts() {
    let other = ["ns1.test", "old.test"];
    assert_eq!(told(&[look(0, &other, [7, 7])]), Vec::<String>::new());
    insta::assert_snapshot!(told(&[look(0, &other, [7, 7]), look(15, &other, [7, 7])]).join("\n"), @"name servers of acme.test: The zone above names ns1.test, old.test as name servers of acme.test; according to ns1.test and ns2.test, they are ns1.test, ns2.test. All of them give the same MX records, so mail is not harmed.");
    let same = ["ns1.test", "ns2.test"];
    assert_eq!(
        told(&[look(0, &other, [7, 7]), look(15, &same, [7, 7])]),
        Vec::<String>::new()
    );
}

#[test]
fn a_server_that_stays_behind_is_a_warning_after_refresh_and_retry() {
    let same = ["ns1.test", "ns2.test"];
    let moment = [look(0, &same, [8, 7]), look(60, &same, [8, 7])];
    assert_eq!(told(&moment), Vec::<String>::new());
    let lasting = [
        look(0, &same, [8, 7]),
        look(60, &same, [8, 7]),
        look(75, &same, [9, 7]),
    ];
    insta::assert_snapshot!(told(&lasting).join("\n"), @"ns2.test (name server of acme.test): ns2.test (192.0.2.54) still has version 7 of the zone acme.test, while ns1.test has 9. It was first seen behind at 2026-11-22 02:00 UTC, longer ago than it may take to look for a newer one (1 h 10 min). All of them give the same MX records, so mail is not harmed.");
}

#[test]
fn a_name_server_of_many_domains_is_asked_within_its_budget() {
    let domains: Vec<String> = (0..60).map(|index| format!("\"d{index}.test\"")).collect();
    let config = format!(
        "{CONFIG}\n[[clients]]\nname = \"MANY\"\ndomains = [{}]\n",
        domains.join(", ")
    );
    let mut sim = Sim::configured(&config.replace("per_second = 50", "per_second = 5"));
    sim.run(20.0);
    sim.forget();
    sim.run(60.0);
    let mut begun: Vec<Timestamp> = sim
        .probes
        .iter()
        .filter(|(subject, _)| matches!(subject, Subject::NameServers(_)))
        .flat_map(|(_, spans)| spans.iter().map(|(began, _)| *began))
        .collect();
    begun.sort_unstable();
    // Five a second, and five at once after a lull.
    for (index, began) in begun.iter().enumerate() {
        let until = began.checked_add(SignedDuration::from_secs(10)).unwrap();
        let within = begun[index..].iter().take_while(|other| **other < until).count();
        assert!(within <= 55, "{within} in ten seconds from {began} on");
    }
    // Nobody is forgotten either.
    assert!(begun.len() >= 290, "{}", begun.len());
}
