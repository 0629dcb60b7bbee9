use super::*;
use crate::net::fake::{DnsMode, FakeNet, MailServer, Peer, Reach, Step, Uplink};
use crate::probe::fixtures::*;

fn ping_anchor() -> Anchor {
    Anchor::Ping {
        host: Endpoint::Address(MX),
    }
}

fn smtp_anchor() -> Anchor {
    Anchor::Smtp {
        host: Endpoint::Address(MX),
        port: 25,
    }
}

async fn ask(net: &FakeNet, witness: &Anchor) -> AnchorEvidence {
    match anchor(net, &context(), witness, LIMIT).await.evidence {
        Evidence::Anchor(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

async fn reason(net: &FakeNet, witness: &Anchor) -> String {
    match ask(net, witness).await.outcome {
        AnchorOutcome::Silent { reason } => reason,
        AnchorOutcome::Answered { .. } => panic!("it answered"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_anchor_answers_or_is_silent() {
    let net = world();
    assert_eq!(reason(&net, &ping_anchor()).await, "5 of 5 pings lost");
    net.set_latency(MX, Duration::from_millis(10));
    net.set_pings(MX, 1);
    assert_eq!(
        ask(&net, &ping_anchor()).await.outcome,
        AnchorOutcome::Answered {
            after: Duration::from_millis(20),
            greeting: None
        }
    );
    net.set_reach(MX, Reach::Unreachable);
    assert_eq!(
        reason(&net, &ping_anchor()).await,
        "the network says that it is unreachable"
    );
    net.set_uplink(Uplink::NoRoute);
    assert_eq!(reason(&net, &ping_anchor()).await, "we have no route there");
}

#[tokio::test(start_paused = true)]
async fn an_smtp_anchor_answers_with_any_reply_and_is_left_politely() {
    let net = world();
    for line in ["220 mx.acme.test ESMTP", "421 4.7.0 Not now", "554 No"] {
        net.listen(
            (MX, 25),
            Peer::Mail(Box::new(MailServer::new("mx.acme.test").greeting(line))),
        );
        let AnchorOutcome::Answered {
            greeting: Some(greeting),
            ..
        } = ask(&net, &smtp_anchor()).await.outcome
        else {
            panic!()
        };
        assert_eq!(greeting.to_string(), line);
    }
    let greeting = "220-mx.acme.test\r\n220-patience\r\n220 ESMTP\r\n";
    let polite = [
        Step::Say(greeting.into()),
        Step::Hear,
        Step::Say("221 Bye\r\n".into()),
    ];
    net.listen((MX, 25), Peer::script(polite));
    let before = net.counts(MX).sent;
    let seen = anchor(&net, &context(), &smtp_anchor(), LIMIT).await;
    assert!(seen.source.is_some());
    // All of it was sent: the answer to QUIT was waited for.
    assert_eq!(
        net.counts(MX).sent - before,
        (greeting.len() + "221 Bye\r\n".len()) as u64
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_is_no_smtp_is_silence_within_bounds() {
    let net = world();
    let cases = [
        (Peer::Refuse, "connection refused"),
        (Peer::Drop, "no answer"),
        (Peer::Silent, "connected, and no greeting came"),
        (Peer::closes_at_once(), "connected, and then: it hung up"),
        (
            Peer::endless_greeting(),
            "connected, and then: a reply without end",
        ),
        (Peer::huge_line(), "connected, and then: a reply without end"),
        (Peer::byte_a_second(), "connected, and no greeting came"),
        (
            Peer::binary(),
            r#"connected, and then: not an SMTP reply: "\x00\x1b[2J\xff\xfe\x07""#,
        ),
        (
            Peer::greets("HTTP/1.1 400 Bad"),
            r#"connected, and then: not an SMTP reply: "HTTP/1.1 400 Bad""#,
        ),
        (
            Peer::script([Step::Reset]),
            "connected, and then: connection reset",
        ),
    ];
    for (peer, expected) in cases {
        net.listen((MX, 25), peer);
        let (before, sent) = (net.now(), net.counts(MX).sent);
        assert_eq!(reason(&net, &smtp_anchor()).await, expected);
        assert!(net.now().duration_since(before).as_secs() <= 12, "{expected}");
        assert!(net.counts(MX).sent - sent <= 128 * 1024, "{expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn courtesy_has_an_end() {
    let net = world();
    net.listen(
        (MX, 25),
        Peer::script([Step::Say(b"220 hello\r\n".to_vec()), Step::Stall]),
    );
    let before = net.now();
    assert!(ask(&net, &smtp_anchor()).await.answered());
    assert_eq!(net.now().duration_since(before).as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_anchor_whose_name_cannot_be_told_is_silent() {
    let net = world();
    let named = Anchor::Ping {
        host: Endpoint::Name(name("mx.acme.test")),
    };
    net.host(MX);
    assert_eq!(ask(&net, &named).await.address, Some(MX));
    net.set_uplink(Uplink::Cut);
    let seen = ask(&net, &named).await;
    assert_eq!(
        seen,
        AnchorEvidence {
            address: None,
            outcome: AnchorOutcome::Silent {
                reason: "mx.acme.test: no answer".into()
            },
            pings: None,
        }
    );
}

#[tokio::test(start_paused = true)]
async fn our_own_fault_is_no_evidence() {
    let net = world();
    net.set_local_fault(Some("too many open files"));
    for witness in [ping_anchor(), smtp_anchor()] {
        let seen = anchor(&net, &context(), &witness, LIMIT).await;
        assert_eq!(seen, Seen::unrunnable("too many open files"));
    }
    let seen = resolver(&net, SocketAddr::new(RESOLVER, 53), LIMIT).await;
    assert_eq!(seen, Seen::unrunnable("too many open files"));
}

#[tokio::test(start_paused = true)]
async fn a_resolver_is_asked_for_the_root() {
    let net = world();
    let server = SocketAddr::new(RESOLVER, 53);
    let ask = async || match resolver(&net, server, LIMIT).await.evidence {
        Evidence::Resolver(evidence) => evidence.answer,
        other => panic!("{other:?}"),
    };
    assert_eq!(ask().await.records(), Some(&1));
    net.set_dns(RESOLVER, DnsMode::Silent);
    assert_eq!(ask().await, Lookup::Timeout);
    net.set_dns(RESOLVER, DnsMode::Refuses);
    assert_eq!(ask().await, Lookup::Refused { rcode: 5 });
    net.set_dns(RESOLVER, DnsMode::Closed);
    assert!(matches!(ask().await, Lookup::Unreachable { .. }));
    net.set_dns(RESOLVER, DnsMode::ServFail(vec![]));
    assert!(matches!(ask().await, Lookup::ServFail { .. }));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_reply_or_are_not(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(Some(reply)) = parse_reply(&bytes) {
            proptest::prop_assert!((200..600).contains(&reply.code));
            proptest::prop_assert!(reply.text().chars().all(|c| !c.is_control()));
        }
    }

    #[test]
    fn a_reply_is_the_same_however_it_is_cut(lines in proptest::collection::vec("[ -~]{0,40}", 1..5), cut in 0_usize..400) {
        let (last, first) = lines.split_last().unwrap();
        let mut whole: String = first.iter().flat_map(|line| ["250-", line, "\r\n"]).collect();
        whole.extend(["250 ", last, "\r\n"]);
        let reply = parse_reply(whole.as_bytes()).unwrap().unwrap();
        proptest::prop_assert_eq!(&reply.lines, &lines);
        if cut < whole.len() {
            proptest::prop_assert_eq!(parse_reply(&whole.as_bytes()[..cut]), Ok(None));
        }
    }
}
