//! A look waits for nothing that it need not wait for: its time is that of the longest chain of steps that stand
//! on one another.

use std::time::Duration;

use mailflow::model::State::Flowing;
use mailflow::net::fake::MailServer;
use rstest::rstest;

use super::faults::run;
use super::world::{ANCHOR, MX, RESOLVER, ROUTER, World};

/// Each of these needs what the one before it brought.
const CHAIN: [&str; 9] = [
    "MX",
    "A and AAAA of each host",
    "TCP",
    "greeting",
    "EHLO",
    "STARTTLS",
    "TLS 1.3",
    "EHLO under TLS",
    "QUIT",
];

const SECOND_HOST: [[u8; 4]; 2] = [[198, 51, 100, 20], [198, 51, 100, 21]];
const FIRST_HOST: [[u8; 4]; 2] = [MX, [198, 51, 100, 11]];

/// A client with two MX hosts of two addresses each, everything this far away.
fn far_away(one_way: Duration) -> World {
    let world = World::healthy();
    world
        .net
        .add(
            "acme.test.     5 MX 20 mx2.acme.test.
             mx.acme.test.  5 A 198.51.100.11
             mx2.acme.test. 5 A 198.51.100.20
             mx2.acme.test. 5 A 198.51.100.21",
        )
        .unwrap();
    for (host, addresses) in [("mx.acme.test", FIRST_HOST), ("mx2.acme.test", SECOND_HOST)] {
        for address in addresses {
            let tls = world.authority.serves(host, 2027);
            world.mail_server(address, MailServer::new(host).with_tls(tls));
        }
    }
    for place in [RESOLVER, ANCHOR, ROUTER]
        .iter()
        .chain(&FIRST_HOST)
        .chain(&SECOND_HOST)
    {
        world.net.set_latency(*place, one_way);
    }
    world
}

#[rstest]
fn a_look_takes_as_many_round_trips_as_its_longest_chain(#[values(50, 200)] millis: u64) {
    run(async {
        let one_way = Duration::from_millis(millis);
        let world = far_away(one_way);
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (Flowing, "", 0), "{:#?}", looked.verdict);
        let most = one_way * 2 * u32::try_from(CHAIN.len()).unwrap();
        // The look's own waiting may round up by a fraction of a millisecond.
        assert!(
            looked.elapsed <= most + Duration::from_millis(1),
            "{:?} for {most:?}",
            looked.elapsed
        );
        for address in FIRST_HOST.iter().chain(&SECOND_HOST) {
            assert_eq!(world.net.counts(*address).dials, 1, "{address:?}");
        }
    });
}

/// Each question is asked once.
#[test]
fn nothing_is_asked_twice() {
    run(async {
        let world = far_away(Duration::from_millis(50));
        world.look().await;
        let mut asked: Vec<String> = world
            .net
            .questions()
            .iter()
            .map(|(server, question)| format!("{server} {question:?}"))
            .collect();
        let all = asked.len();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), all, "{asked:#?}");
        // The root's servers (whether the resolver lives), the MX, and two kinds of address of two hosts; of policies
        // SPF, DMARC, MTA-STS, TLS-RPT, and the TLSA of the hosts.
        assert_eq!(all, 6 + 6, "{asked:#?}");
    });
}
