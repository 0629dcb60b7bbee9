use std::net::SocketAddr;

use super::*;
use crate::model::dns::{Exchange, ExtendedError, Lookup, MxRecord};
use crate::net::fake::{DnsMode, FakeNet, Reach, Uplink};
use crate::probe::fixtures::*;

async fn ask_mx(net: &FakeNet, context: &Context, domain: &str) -> MxEvidence {
    match mx(net, context, &name(domain), LIMIT).await.evidence {
        Evidence::Mx(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

async fn ask_addresses(net: &FakeNet, host: &str) -> AddressEvidence {
    match addresses(net, &context(), &name(host), LIMIT).await.evidence {
        Evidence::Addresses(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn mx_records_come_sorted_with_the_shortest_time_to_live() {
    let host = |preference, host: &str| MxRecord {
        preference,
        exchange: Exchange::Host(name(host)),
    };
    assert_eq!(
        ask_mx(&world(), &context(), "acme.test").await.answer,
        Lookup::Found {
            records: vec![host(10, "mx.acme.test"), host(20, "mx2.acme.test")],
            ttl: seconds(60),
            authentic: false
        }
    );
}

#[tokio::test(start_paused = true)]
async fn odd_exchanges_are_told_apart() {
    let exchanges = async |domain| {
        let answer = ask_mx(&world(), &context(), domain).await.answer;
        answer
            .records()
            .unwrap()
            .iter()
            .map(|record| record.exchange.clone())
            .collect::<Vec<_>>()
    };
    let invalid = |text: &str| Exchange::Invalid(text.into());
    assert_eq!(exchanges("null.acme.test").await, [Exchange::Null]);
    assert_eq!(
        exchanges("odd.acme.test").await,
        [Exchange::Null, invalid("192.0.2.1"), invalid("localhost")]
    );
}

#[tokio::test(start_paused = true)]
async fn absence_is_told_apart_and_carries_the_negative_time_to_live() {
    let net = world();
    assert_eq!(
        ask_mx(&net, &context(), "web.acme.test").await.answer,
        Lookup::NoData { ttl: seconds(30) }
    );
    assert_eq!(
        ask_mx(&net, &context(), "gone.acme.test").await.answer,
        Lookup::NxDomain {
            ttl: seconds(30),
            authentic: false
        }
    );
}

#[tokio::test(start_paused = true)]
async fn names_of_invalid_go_to_the_wire() {
    let net = world();
    net.add("example.invalid. A 192.0.2.9").unwrap();
    let evidence = ask_addresses(&net, "example.invalid").await;
    assert_eq!(evidence.addresses().collect::<Vec<_>>(), [v4(192, 0, 2, 9)]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_looked_into_with_checking_disabled() {
    let net = world();
    net.set_bogus(&name("acme.test"), true);
    let Lookup::ServFail {
        extended,
        answers_unchecked,
    } = ask_mx(&net, &context(), "acme.test").await.answer
    else {
        panic!()
    };
    assert!(extended[0].is_bogus() && answers_unchecked);
    assert_eq!(net.counts(RESOLVER).asks, 2);

    let net = world();
    for server in NAME_SERVERS {
        net.set_reach(server, Reach::Silent);
    }
    let failed = ask_mx(&net, &context(), "acme.test").await.answer;
    let unreachable = ExtendedError {
        code: 22,
        text: String::new(),
    };
    assert_eq!(
        failed,
        Lookup::ServFail {
            extended: vec![unreachable],
            answers_unchecked: false
        }
    );
}

#[tokio::test(start_paused = true)]
async fn every_way_to_fail_is_its_own() {
    let net = world();
    let expected = [
        (DnsMode::Refuses, Lookup::Refused { rcode: 5 }),
        (DnsMode::Silent, Lookup::Timeout),
        (
            DnsMode::Closed,
            Lookup::Unreachable {
                reason: "connection refused".into(),
            },
        ),
        (
            DnsMode::Malformed,
            Lookup::Malformed {
                reason: "no DNS message".into(),
            },
        ),
    ];
    for (mode, expected) in expected {
        net.set_dns(RESOLVER, mode);
        assert_eq!(ask_mx(&net, &context(), "acme.test").await.answer, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_resolver_is_asked_when_one_fails_or_is_slow() {
    let net = world();
    let second = SocketAddr::new(SECOND_RESOLVER, 53);
    for mode in [DnsMode::Refuses, DnsMode::Closed, DnsMode::Silent] {
        net.set_dns(RESOLVER, mode.clone());
        let before = net.now();
        let evidence = ask_mx(&net, &two_resolvers(), "acme.test").await;
        assert_eq!(evidence.server, second, "{mode:?}");
        assert!(evidence.answer.is_definite(), "{mode:?}");
        assert!(net.now().duration_since(before).as_secs() <= 2, "{mode:?}");
    }
    // Slow is not lost: the first one's answer still counts when the second has none.
    net.set_dns(RESOLVER, DnsMode::Resolver);
    net.set_latency(RESOLVER, seconds(2));
    net.set_dns(SECOND_RESOLVER, DnsMode::Silent);
    let evidence = ask_mx(&net, &two_resolvers(), "acme.test").await;
    assert_eq!(evidence.server, SocketAddr::new(RESOLVER, 53));
    assert!(evidence.answer.is_definite());
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_a_word_says_more_than_silence() {
    let net = world();
    net.set_dns(RESOLVER, DnsMode::Refuses);
    net.set_dns(SECOND_RESOLVER, DnsMode::Silent);
    let before = net.now();
    let evidence = ask_mx(&net, &two_resolvers(), "acme.test").await;
    assert_eq!(
        (evidence.server.ip(), evidence.answer),
        (RESOLVER, Lookup::Refused { rcode: 5 })
    );
    assert!(net.now().duration_since(before).as_secs() <= 12);
}

#[tokio::test(start_paused = true)]
async fn addresses_of_both_families_are_asked_for_at_once() {
    let net = world();
    net.set_latency(RESOLVER, Duration::from_millis(25));
    let before = net.now();
    let evidence = ask_addresses(&net, "mx.acme.test").await;
    assert_eq!(net.now().duration_since(before).as_millis(), 50, "one round trip");
    let found: Vec<String> = evidence.addresses().map(|address| address.to_string()).collect();
    assert_eq!(found, ["198.51.100.10", "2001:db8::10"]);
    assert_eq!(evidence.alias_of, None);
}

#[tokio::test(start_paused = true)]
async fn the_order_in_which_addresses_come_means_nothing() {
    let net = world();
    net.add("mx.acme.test. A 198.51.100.9\nmx.acme.test. A 198.51.100.10")
        .unwrap();
    assert_eq!(
        ask_addresses(&net, "mx.acme.test").await.v4.records().unwrap(),
        &[
            [198, 51, 100, 9].into(),
            std::net::Ipv4Addr::from([198, 51, 100, 10])
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_followed_and_said() {
    let evidence = ask_addresses(&world(), "mx2.acme.test").await;
    assert_eq!(evidence.alias_of, Some(name("real.acme.test")));
    assert_eq!(
        evidence.v4,
        Lookup::Found {
            records: vec![[198, 51, 100, 11].into()],
            ttl: seconds(45),
            authentic: false
        }
    );
    assert_eq!(evidence.v6, Lookup::NoData { ttl: seconds(30) });
}

#[tokio::test(start_paused = true)]
async fn our_own_faults_blame_nobody() {
    let net = world();
    net.set_local_fault(Some("too many open files"));
    let unrunnable = |reason: &str| Seen::unrunnable(reason);
    assert_eq!(
        mx(&net, &context(), &name("acme.test"), LIMIT).await,
        unrunnable("too many open files")
    );
    assert_eq!(
        addresses(&net, &context(), &name("acme.test"), LIMIT).await,
        unrunnable("too many open files")
    );
    net.set_local_fault(None);
    let nobody = Context {
        resolvers: [].into(),
        ..context()
    };
    assert_eq!(
        mx(&net, &nobody, &name("acme.test"), LIMIT).await,
        unrunnable("no resolver is configured, and this machine has none of its own")
    );
    // A line that is down is a fact, not a fault of the probe.
    net.set_uplink(Uplink::NoRoute);
    assert!(matches!(
        ask_mx(&net, &context(), "acme.test").await.answer,
        Lookup::Unreachable { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn records_beyond_many_are_left_out() {
    let net = world();
    for number in 0..200 {
        net.add(&format!("many.acme.test. MX {number} mx{number}.acme.test."))
            .unwrap();
    }
    let answer = ask_mx(&net, &context(), "many.acme.test").await.answer;
    assert_eq!(answer.records().map(Vec::len), Some(50));
}
