use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::dns::rcode;

const ZONES: &str = "
    test.            60 SOA 1 60
    test.            NS ns.nic.test.
    ns.nic.test.     A 192.0.2.40
    acme.test.       60 SOA 7 30            ; a zone below test.
    acme.test.       NS ns1.acme.test.
    ns1.acme.test.   A 192.0.2.53
    acme.test.       60 MX 10 mx.acme.test.
    mx.acme.test.    A 198.51.100.10
    alias.acme.test. CNAME mx.acme.test.
";
const LIMIT: Duration = Duration::from_secs(4);

fn world() -> FakeNet {
    let net = FakeNet::new();
    net.load(ZONES).unwrap();
    net.resolver([192, 0, 2, 52]);
    net
}

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

async fn ask(net: &FakeNet, server: [u8; 4], question: &Question) -> Result<Answer, AskError> {
    net.ask(SocketAddr::from((server, 53)), question, LIMIT).await
}

#[test]
fn zone_text_says_which_line_is_none() {
    assert_eq!(
        Zones::parse("a.test. A 192.0.2.1\n\nb.test. MX ten mx"),
        Err(ZoneError {
            line: 3,
            text: "b.test. MX ten mx".into()
        })
    );
}

#[tokio::test(start_paused = true)]
async fn servers_answer_with_authority_refer_or_refuse() {
    let net = world();
    let question = Question::direct(&name("acme.test"), RecordType::Mx);
    let own = ask(&net, [192, 0, 2, 53], &question).await.unwrap();
    assert!(own.authoritative && own.answers.len() == 1);
    let parent = ask(&net, [192, 0, 2, 40], &question).await.unwrap();
    assert!(!parent.authoritative && parent.answers.is_empty());
    assert_eq!((parent.authority.len(), parent.additional.len()), (1, 1));
    let elsewhere = Question::direct(&name("other.example"), RecordType::Mx);
    assert_eq!(
        ask(&net, [192, 0, 2, 53], &elsewhere).await.unwrap().rcode,
        rcode::REFUSED
    );
}

#[tokio::test(start_paused = true)]
async fn a_resolver_tells_absence_apart_and_stands_on_the_servers() {
    let net = world();
    let resolver = [192, 0, 2, 52];
    let gone = Question::recursive(&name("gone.acme.test"), RecordType::A);
    let answer = ask(&net, resolver, &gone).await.unwrap();
    assert_eq!((answer.rcode, answer.authority.len()), (rcode::NX_DOMAIN, 1));
    let nodata = Question::recursive(&name("mx.acme.test"), RecordType::Aaaa);
    assert_eq!(ask(&net, resolver, &nodata).await.unwrap().rcode, rcode::NO_ERROR);
    let alias = Question::recursive(&name("alias.acme.test"), RecordType::A);
    assert_eq!(ask(&net, resolver, &alias).await.unwrap().answers.len(), 2);

    net.set_reach([192, 0, 2, 53], Reach::Silent);
    let failed = ask(&net, resolver, &alias).await.unwrap();
    assert_eq!((failed.rcode, failed.extended[0].code), (rcode::SERV_FAIL, 22));
    net.set_reach([192, 0, 2, 53], Reach::Answers);
    assert_eq!(ask(&net, resolver, &alias).await.unwrap().answers.len(), 2);

    net.set_bogus(&name("acme.test"), true);
    assert_eq!(ask(&net, resolver, &alias).await.unwrap().extended[0].code, 6);
    let unchecked = Question {
        unchecked: true,
        ..alias
    };
    assert_eq!(ask(&net, resolver, &unchecked).await.unwrap().answers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_mail_server_talks_and_time_counts_the_round_trips() {
    let net = world();
    let peer: SocketAddr = ([198, 51, 100, 10], 25).into();
    net.listen(peer, Peer::mail("mx.acme.test"));
    net.set_latency(peer.ip(), Duration::from_millis(50));
    let before = net.now();
    let mut stream = net.dial(peer, LIMIT).await.unwrap().stream;
    assert_eq!(net.counts(peer.ip()).open, 1);
    // The server speaks first, once the last packet of the handshake has come there.
    let mut buffer = [0; 512];
    let length = stream.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], b"220 mx.acme.test ESMTP\r\n");
    stream.write_all(b"QUIT\r\n").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "221 2.0.0 Bye\r\n");
    assert_eq!(net.now().duration_since(before).as_millis(), 300);
    drop(stream);
    assert_eq!(
        net.counts(peer.ip()),
        Counts {
            dials: 1,
            most_open: 1,
            sent: 39,
            ..Counts::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn connections_fail_in_every_way() {
    let net = FakeNet::new();
    let peer: SocketAddr = ([198, 51, 100, 10], 25).into();
    let dial = async || net.dial(peer, LIMIT).await.map(|_| ());
    let unreachable = |prohibited, no_route| Err(DialError::Unreachable { prohibited, no_route });
    assert_eq!(dial().await, Err(DialError::Timeout));
    net.host(peer.ip());
    assert_eq!(dial().await, Err(DialError::Refused));
    net.listen(peer, Peer::mail("mx"));
    assert_eq!(dial().await, Ok(()));
    net.set_reach(peer.ip(), Reach::Prohibited);
    assert_eq!(dial().await, unreachable(true, false));
    net.set_reach(peer.ip(), Reach::Answers);
    net.set_blocked(25, true);
    assert_eq!(dial().await, Err(DialError::Timeout));
    net.set_blocked(25, false);
    net.set_uplink(Uplink::NoRoute);
    assert_eq!(dial().await, unreachable(false, true));
    net.set_uplink(Uplink::Up);
    net.set_latency(peer.ip(), LIMIT);
    assert_eq!(dial().await, Err(DialError::Timeout));
    net.set_local_fault(Some("too many open files"));
    assert!(matches!(dial().await, Err(DialError::Local { .. })));
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_lost_or_forbidden() {
    let net = FakeNet::new();
    let host = std::net::IpAddr::from([198, 51, 100, 1]);
    let before = net.now();
    assert_eq!(net.ping(host, PingPlan::USUAL).await.unwrap().lost(), 5);
    assert_eq!(net.now().duration_since(before).as_millis(), 1800);
    net.set_latency(host, Duration::from_millis(10));
    assert_eq!(
        net.ping(host, PingPlan::USUAL).await.unwrap().round_trips,
        [Duration::from_millis(20); 5]
    );
    net.set_pings(host, 2);
    assert_eq!(net.ping(host, PingPlan::USUAL).await.unwrap().lost(), 3);
    net.set_reach(host, Reach::Unreachable);
    assert!(net.ping(host, PingPlan::USUAL).await.unwrap().unreachable);
    net.set_ping_permitted(false);
    assert_eq!(
        net.ping(host, PingPlan::USUAL).await,
        Err(PingError::NotPermitted)
    );
}

#[tokio::test(start_paused = true)]
async fn a_script_can_reset() {
    let net = FakeNet::new();
    let peer: SocketAddr = ([198, 51, 100, 10], 25).into();
    net.listen(peer, Peer::script([Step::Say(b"220 ".to_vec()), Step::Reset]));
    let mut stream = net.dial(peer, LIMIT).await.unwrap().stream;
    let mut heard = Vec::new();
    let error = stream.read_to_end(&mut heard).await.unwrap_err();
    assert_eq!(
        (heard.as_slice(), error.kind()),
        (&b"220 "[..], std::io::ErrorKind::ConnectionReset)
    );
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_not_sent() {
    let net = FakeNet::new();
    let peer: SocketAddr = ([198, 51, 100, 10], 25).into();
    net.listen(peer, Peer::huge_line());
    let stream = net.dial(peer, LIMIT).await.unwrap().stream;
    tokio::time::sleep(LIMIT).await;
    assert!(net.counts(peer.ip()).sent <= 64 * 1024);
    drop(stream);
}
