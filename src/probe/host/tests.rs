use super::*;
use crate::net::fake::{FakeNet, Peer, Reach};
use crate::probe::fixtures::{LIMIT, MX};

async fn look(net: &FakeNet) -> HostEvidence {
    match run(net, MX, LIMIT).await.evidence {
        Evidence::Host(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

fn said(evidence: &HostEvidence) -> Vec<String> {
    evidence.checks.iter().map(LifeCheck::summary).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_is_tried_at_once() {
    let net = FakeNet::new();
    let before = net.now();
    let evidence = look(&net).await;
    assert_eq!(net.now().duration_since(before).as_secs(), 12);
    assert!(!evidence.alive());
    insta::assert_debug_snapshot!(said(&evidence), @r#"
    [
        "5 of 5 pings lost",
        "port 443: no answer",
        "port 587: no answer",
        "port 993: no answer",
    ]
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_ping_a_port_or_a_reset_proves_life() {
    let net = FakeNet::new();
    net.host(MX);
    assert!(look(&net).await.alive());
    net.set_pings(MX, 0);
    let resets = look(&net).await;
    assert!(resets.alive());
    assert_eq!(said(&resets)[1], "port 443: connection refused");
    for port in [443, 587] {
        net.listen((MX, port), Peer::Drop);
    }
    net.listen((MX, 993), Peer::Silent);
    net.set_latency(MX, Duration::from_millis(10));
    let open = look(&net).await;
    assert_eq!(
        open.checks[3],
        LifeCheck::Tcp {
            port: 993,
            result: Ok(Duration::from_millis(20))
        }
    );
    assert!(run(&net, MX, LIMIT).await.source.is_some());
    net.listen((MX, 993), Peer::Drop);
    assert!(!look(&net).await.alive());
}

#[tokio::test(start_paused = true)]
async fn what_the_network_says_is_no_life() {
    let net = FakeNet::new();
    net.set_reach(MX, Reach::Unreachable);
    assert!(!look(&net).await.alive());
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_ping_the_ports_still_count() {
    let net = FakeNet::new();
    net.host(MX);
    net.set_ping_permitted(false);
    let evidence = look(&net).await;
    assert!(evidence.alive() && !evidence.checks[0].could_run());
}

#[tokio::test(start_paused = true)]
async fn our_own_fault_is_no_evidence() {
    let net = FakeNet::new();
    net.set_local_fault(Some("too many open files"));
    assert_eq!(
        run(&net, MX, LIMIT).await,
        Seen::unrunnable("too many open files")
    );
}
