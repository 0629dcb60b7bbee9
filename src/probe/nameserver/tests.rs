use super::*;
use crate::model::dns::FoundBy;
use crate::net::fake::{DnsMode, FakeNet, Reach, Zones};
use crate::probe::fixtures::*;

async fn look(net: &FakeNet, context: &Context, domain: &str) -> NameServerEvidence {
    look_after(net, context, domain, None).await
}

async fn look_after(
    net: &FakeNet,
    context: &Context,
    domain: &str,
    closer: Option<&Arc<ZoneLook>>,
) -> NameServerEvidence {
    let known = [
        (name("ns1.acme.test"), vec![NS1]),
        (name("ns2.other.test"), vec![NS2]),
    ];
    let earlier = Earlier {
        known: &known,
        closer,
    };
    match run(net, context, &name(domain), earlier, LIMIT).await.evidence {
        Evidence::NameServers(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

/// Each server and what it said, in a line.
fn said(evidence: &NameServerEvidence) -> Vec<String> {
    evidence
        .servers
        .iter()
        .map(|server| {
            let at = server
                .address
                .map_or("nowhere".into(), |address| address.to_string());
            let authority = if server.authoritative {
                ", with authority"
            } else {
                ""
            };
            format!("{} at {at}: {}{authority}", server.name, server.answer.outcome())
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_server_is_asked_directly_and_at_once() {
    let net = world();
    for address in [RESOLVER, NS1, NS2] {
        net.set_latency(address, Duration::from_millis(25));
    }
    let before = net.now();
    let evidence = look(&net, &context(), "acme.test").await;
    // Zone, addresses, servers; the zone above took no time.
    assert_eq!(net.now().duration_since(before).as_millis(), 200);
    assert_eq!(
        (evidence.zone.clone(), evidence.found_by),
        (Some(name("acme.test")), FoundBy::Resolver)
    );
    insta::assert_debug_snapshot!(said(&evidence), @r#"
    [
        "ns1.acme.test at 198.51.100.53: found, with authority",
        "ns2.other.test at 203.0.113.53: found, with authority",
    ]
    "#);
    assert!(evidence.servers.iter().all(NameServerAnswer::serves));
    assert_eq!(evidence.servers[0].elapsed.as_millis(), 50);
    let direct = net
        .questions()
        .into_iter()
        .filter(|(server, _)| server.ip() == NS1);
    assert!(
        direct
            .map(|(_, question)| question)
            .all(|question| !question.recursive)
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_within_a_zone_is_held_by_that_zone() {
    let evidence = look(&world(), &context(), "web.acme.test").await;
    assert_eq!(evidence.zone, Some(name("acme.test")));
    assert_eq!(
        said(&evidence)[0],
        "ns1.acme.test at 198.51.100.53: no such record, with authority"
    );
}

#[tokio::test(start_paused = true)]
async fn ipv6_is_asked_only_where_we_speak_it() {
    let with_ipv6 = Context {
        ipv6: true,
        ..context()
    };
    let evidence = look(&world(), &with_ipv6, "acme.test").await;
    assert_eq!(evidence.servers.len(), 3);
    assert_eq!(look(&world(), &context(), "acme.test").await.servers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_failing_server_is_named_with_its_way_of_failing() {
    let ways = [
        (DnsMode::Silent, "no answer"),
        (DnsMode::Closed, "not reachable: connection refused"),
        (DnsMode::Refuses, "REFUSED"),
        (DnsMode::ServFail(vec![]), "SERVFAIL"),
        (DnsMode::Empty, "no such record"),
        (DnsMode::Malformed, "malformed answer: no DNS message"),
        (
            DnsMode::NxDomain,
            "NXDOMAIN: the name does not exist, with authority",
        ),
    ];
    for (mode, expected) in ways {
        let net = world();
        net.set_dns(NS2, mode);
        let evidence = look(&net, &context(), "acme.test").await;
        assert_eq!(
            said(&evidence)[1],
            format!("ns2.other.test at 203.0.113.53: {expected}")
        );
        assert!(evidence.servers[0].serves());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_server_differs() {
    let net = world();
    net.set_dns(
        NS2,
        DnsMode::Own(Zones::parse("acme.test. SOA 6 30\nacme.test. MX 10 old.acme.test.").unwrap()),
    );
    let evidence = look(&net, &context(), "acme.test").await;
    assert!(evidence.servers.iter().all(NameServerAnswer::serves));
    assert_ne!(evidence.servers[0].answer, evidence.servers[1].answer);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_address_is_told() {
    let net = world();
    net.remove(&name("ns2.other.test"), None);
    let evidence = look(&net, &context(), "acme.test").await;
    assert_eq!(
        said(&evidence)[1],
        "ns2.other.test at nowhere: NXDOMAIN: the name does not exist"
    );
    assert!(!evidence.servers[1].serves());
}

/// That a server's name cannot be looked up now says nothing of the server: it is asked where it was before.
#[tokio::test(start_paused = true)]
async fn a_server_whose_name_nobody_can_tell_is_asked_where_it_was() {
    let net = world();
    net.set_bogus(&name("other.test"), true);
    let evidence = look(&net, &context(), "acme.test").await;
    assert_eq!(
        said(&evidence)[1],
        "ns2.other.test at 203.0.113.53: found, with authority"
    );
    let seen = run(&net, &context(), &name("acme.test"), Earlier::default(), LIMIT).await;
    let Evidence::NameServers(evidence) = seen.evidence else {
        panic!("{seen:?}");
    };
    assert!(said(&evidence)[1].starts_with("ns2.other.test at nowhere: SERVFAIL"));
}

#[tokio::test(start_paused = true)]
async fn when_the_zone_fails_the_delegation_names_its_servers() {
    for mode in [DnsMode::Silent, DnsMode::Refuses] {
        let net = world();
        for server in NAME_SERVERS {
            net.set_dns(server, mode.clone());
        }
        let before = net.now();
        let evidence = look(&net, &context(), "acme.test").await;
        assert!(net.now().duration_since(before).as_secs() <= 12);
        assert_eq!(
            (evidence.zone.clone(), evidence.found_by),
            (Some(name("acme.test")), FoundBy::Delegation)
        );
        // Also the one for which the parent has glue alone.
        assert_eq!(evidence.servers.len(), 2);
        assert!(
            evidence
                .servers
                .iter()
                .all(|server| server.address.is_some() && !server.serves())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn when_nobody_can_tell_memory_serves() {
    let net = world();
    net.set_dns(RESOLVER, DnsMode::Silent);
    let evidence = look(&net, &context(), "acme.test").await;
    assert_eq!(evidence.found_by, FoundBy::Memory);
    assert!(evidence.servers.iter().all(NameServerAnswer::serves));

    net.set_dns(RESOLVER, DnsMode::Resolver);
    net.set_reach(PARENT, Reach::Silent);
    for server in NAME_SERVERS {
        net.set_reach(server, Reach::Silent);
    }
    let evidence = look(&net, &context(), "acme.test").await;
    assert_eq!(evidence.found_by, FoundBy::Memory);
    assert!(!evidence.servers.iter().any(NameServerAnswer::serves));

    // A parent that knows of no delegation says nothing of the domain's servers.
    let childless = Zones::parse("test. SOA 1 60\ntest. NS ns.nic.test.").unwrap();
    net.set_reach(PARENT, Reach::Answers);
    net.set_dns(PARENT, DnsMode::Own(childless));
    assert_eq!(
        look(&net, &context(), "acme.test").await.found_by,
        FoundBy::Memory
    );

    net.set_dns(RESOLVER, DnsMode::Closed);
    let seen = run(&net, &context(), &name("acme.test"), Earlier::default(), LIMIT).await;
    assert_eq!(
        seen,
        Seen::of(Evidence::NameServers(Box::new(NameServerEvidence {
            zone: None,
            found_by: FoundBy::Nothing,
            servers: vec![],
            closer: None,
        })))
    );
}

#[tokio::test(start_paused = true)]
async fn numbers_are_bounded() {
    let net = world();
    let server = |server: u8| {
        let addresses: Vec<String> = (0..4)
            .map(|address| format!("ns{server}.many.test. A 203.0.{server}.{address}\n"))
            .collect();
        format!("many.test. NS ns{server}.many.test.\n{}", addresses.concat())
    };
    let servers: Vec<String> = (0..40).map(server).collect();
    let text = format!("many.test. SOA 1 60\n{}", servers.concat());
    net.add(&text).unwrap();
    let evidence = look(&net, &context(), "many.test").await;
    assert_eq!(evidence.servers.len(), MOST_ADDRESSES);
}

#[tokio::test(start_paused = true)]
async fn our_own_fault_is_no_evidence() {
    let net = world();
    net.set_local_fault(Some("too many open files"));
    let seen = run(&net, &context(), &name("acme.test"), Earlier::default(), LIMIT).await;
    assert_eq!(seen, Seen::unrunnable("too many open files"));
}

/// What the zone above says where it does not fit: a server that the zone does not name, none of one that it does, and
/// an address that a server has no more.
const OTHERWISE: &str = "
    test.           60 SOA 1 60
    test.           NS ns.nic.test.
    ns.nic.test.    A 192.0.2.40
    ns2.other.test. A 203.0.113.53
    acme.test.      NS ns1.acme.test.
    acme.test.      NS old.acme.test.
    acme.test.      NS gone.other.test.
    ns1.acme.test.  A 198.51.100.53
    ns1.acme.test.  A 198.51.100.99
    old.acme.test.  A 203.0.113.99
";
const OLD_GLUE: IpAddr = v4(198, 51, 100, 99);
const OLD: IpAddr = v4(203, 0, 113, 99);

fn delegated_otherwise() -> FakeNet {
    let net = world();
    net.set_dns(PARENT, DnsMode::Own(Zones::parse(OTHERWISE).unwrap()));
    net.set_dns(OLD_GLUE, DnsMode::Silent);
    net.set_dns(OLD, DnsMode::Refuses);
    net
}

/// How many questions a server was asked.
fn asked(net: &FakeNet, server: IpAddr) -> usize {
    net.questions().iter().filter(|(to, _)| to.ip() == server).count()
}

#[tokio::test(start_paused = true)]
async fn the_zone_above_and_each_server_are_heard() {
    let net = world();
    let closer = look(&net, &context(), "web.acme.test").await.closer.unwrap();
    let delegated = closer.delegation.as_ref().unwrap();
    assert_eq!(delegated.by, PARENT);
    assert_eq!(
        delegated.servers,
        [
            (name("ns1.acme.test"), vec![NS1]),
            (name("ns2.other.test"), vec![NS2, NS2_V6]),
        ]
    );
    let versions: Vec<u32> = closer.copies.iter().map(|copy| copy.version.serial).collect();
    assert_eq!(versions, [7, 7]);
    assert!(closer.is_even());
    // The zone above is asked once, each server for MX, SOA and NS.
    assert_eq!((asked(&net, PARENT), asked(&net, NS1)), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn whom_only_the_zone_above_names_is_asked_as_well() {
    let net = delegated_otherwise();
    let evidence = look(&net, &context(), "acme.test").await;
    insta::assert_debug_snapshot!(said(&evidence), @r#"
    [
        "ns1.acme.test at 198.51.100.53: found, with authority",
        "ns2.other.test at 203.0.113.53: found, with authority",
        "ns1.acme.test at 198.51.100.99: no answer",
        "old.acme.test at 203.0.113.99: REFUSED",
    ]
    "#);
    let by: Vec<NamedBy> = evidence.servers.iter().map(|server| server.named_by).collect();
    let (zone, parent) = (NamedBy::Zone, NamedBy::ParentOnly);
    assert_eq!(by, [zone, zone, parent, parent]);
    let closer = evidence.closer.unwrap();
    assert!(!closer.is_even());
    let unlike: Vec<&str> = closer.unlike_parent().map(|copy| copy.server.as_str()).collect();
    assert_eq!(unlike, ["ns1.acme.test", "ns2.other.test"]);
}

#[tokio::test(start_paused = true)]
async fn a_closer_look_is_taken_once_an_hour_and_carried_along() {
    for (net, pace) in [(world(), 60), (delegated_otherwise(), 15)] {
        let first = look(&net, &context(), "acme.test").await.closer.unwrap();
        let before = asked(&net, PARENT);
        tokio::time::sleep(Duration::from_secs(pace * 60 - 40)).await;
        let carried = look_after(&net, &context(), "acme.test", Some(&first)).await;
        assert_eq!(
            (carried.closer.as_ref(), asked(&net, PARENT)),
            (Some(&first), before)
        );
        let servers = if first.is_even() { 2 } else { 4 };
        assert_eq!(carried.servers.len(), servers);
        tokio::time::sleep(Duration::from_secs(40)).await;
        let again = look_after(&net, &context(), "acme.test", Some(&first))
            .await
            .closer;
        assert!(again.unwrap().at > first.at);
        assert_eq!(asked(&net, PARENT), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_zone_above_that_does_not_tell_leaves_what_it_told_before() {
    let net = delegated_otherwise();
    let first = look(&net, &context(), "acme.test").await.closer.unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    net.set_dns(PARENT, DnsMode::Silent);
    let before = net.now();
    let later = look_after(&net, &context(), "acme.test", Some(&first)).await;
    assert_eq!(later.closer.unwrap().delegation, first.delegation);
    assert!(net.now().duration_since(before).as_secs() <= 12);
    // One that knows of no such zone delegates nothing.
    let own =
        "test. SOA 1 60\ntest. NS ns.nic.test.\nns.nic.test. A 192.0.2.40\nns2.other.test. A 203.0.113.53";
    net.set_dns(PARENT, DnsMode::Own(Zones::parse(own).unwrap()));
    let later = look_after(&net, &context(), "acme.test", Some(&first)).await;
    assert_eq!(later.closer.unwrap().delegation, None);
}

#[tokio::test(start_paused = true)]
async fn an_old_version_is_seen_and_one_without_authority_is_none() {
    let net = world();
    let old = "acme.test. SOA 6 30\nacme.test. NS ns1.acme.test.\nacme.test. MX 10 mx.acme.test.";
    net.set_dns(NS2, DnsMode::Own(Zones::parse(old).unwrap()));
    let closer = look(&net, &context(), "acme.test").await.closer.unwrap();
    let ahead: Vec<Option<u32>> = closer
        .copies
        .iter()
        .map(|copy| Some(closer.ahead_of(copy)?.version.serial))
        .collect();
    assert_eq!(ahead, [None, Some(7)]);
    net.set_dns(NS2, DnsMode::Empty);
    let closer = look(&net, &context(), "acme.test").await.closer.unwrap();
    assert_eq!(closer.copies.len(), 1);
}
