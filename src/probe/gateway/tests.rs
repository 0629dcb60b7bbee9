use super::*;
use crate::net::fake::{DnsMode, FakeNet, Peer, Reach};
use crate::probe::fixtures::*;

async fn look(net: &FakeNet, address: &str, ping: bool, ports: &[u16]) -> Seen {
    let address = match address.parse() {
        Ok(address) => Endpoint::Address(address),
        Err(_) => Endpoint::Name(name(address)),
    };
    run(net, &context(), &address, ping, ports, None, LIMIT).await
}

fn evidence(seen: Seen) -> GatewayEvidence {
    match seen.evidence {
        Evidence::Gateway(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_configured_checks_run_and_no_others() {
    let net = world();
    net.listen((MX, 443), Peer::Silent);
    let both = evidence(look(&net, "198.51.100.10", true, &[443]).await);
    assert_eq!((both.address, both.checks.len()), (Some(MX), 2));
    assert!(both.answered());
    assert_eq!(net.counts(MX).pings, 1);
    let one = evidence(look(&net, "198.51.100.10", false, &[443]).await);
    assert_eq!((one.checks.len(), net.counts(MX).pings), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_router_answers_nothing() {
    let net = world();
    net.set_reach(MX, Reach::Silent);
    let seen = evidence(look(&net, "198.51.100.10", true, &[443]).await);
    assert!(!seen.answered());
    net.set_reach(MX, Reach::Answers);
    assert!(evidence(look(&net, "198.51.100.10", true, &[443]).await).answered());
}

#[tokio::test(start_paused = true)]
async fn a_name_is_resolved_at_each_use() {
    let net = world();
    net.host(MX);
    let seen = evidence(look(&net, "mx.acme.test", true, &[]).await);
    assert_eq!((seen.address, seen.answered()), (Some(MX), true));
    net.remove(&name("mx.acme.test"), None);
    let gone = evidence(look(&net, "mx.acme.test", true, &[]).await);
    assert_eq!((gone.address, gone.checks.len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_can_tell_says_nothing_of_the_router() {
    let net = world();
    net.set_dns(RESOLVER, DnsMode::Silent);
    let before = net.now();
    assert_eq!(
        look(&net, "mx.acme.test", true, &[443]).await,
        Seen::unrunnable("mx.acme.test: no answer")
    );
    assert!(net.now().duration_since(before).as_secs() <= 12);
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_ping_a_ping_alone_is_no_evidence() {
    let net = world();
    net.host(MX);
    net.set_ping_permitted(false);
    let Evidence::Unrunnable(obstacle) = look(&net, "198.51.100.10", true, &[]).await.evidence else {
        panic!()
    };
    assert!(obstacle.reason.contains("ping_group_range") && obstacle.reason.contains("CAP_NET_RAW"));
}
