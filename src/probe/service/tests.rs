//! Services that a test scripts, good ones and hostile ones, over the fake net.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use rustls::ServerConfig;

use super::*;
use crate::model::tls::ChainVerdict;
use crate::net::FakeNet;
use crate::net::fake::{DnsMode, MailServer, Peer, Reach, Step};
use crate::net::trust::tests::pki::{self, Authority, Identity};
use crate::probe::fixtures::{LIMIT, MX, RESOLVER, context, world};

fn tls(identity: Identity) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    Arc::new(config)
}

fn good() -> (Authority, Arc<ServerConfig>) {
    let root = Authority::root("Lab Root");
    let server = tls(root.issue(&["mx.acme.test"], pki::VALID));
    (root, server)
}

async fn look_at(net: &FakeNet, trust: &Trust, service: &str) -> ServiceEvidence {
    let service: Service = service.parse().unwrap();
    match run(net, &context(), trust, &service, LIMIT).await.evidence {
        Evidence::Service(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

fn stages(evidence: &ServiceEvidence) -> Vec<&'static str> {
    evidence
        .stages
        .iter()
        .map(|timing| timing.stage.as_str())
        .collect()
}

fn says(line: &str) -> Step {
    Step::Say(format!("{line}\r\n").into_bytes())
}

#[tokio::test(start_paused = true)]
async fn submission_is_seen_through_to_its_certificate() {
    let (net, (root, server)) = (world(), good());
    let mail = MailServer::new("mx.acme.test").with_tls(server);
    net.listen((MX, 587), Peer::Mail(Box::new(mail)));
    let trust = Trust::only([root.certificate.clone()]);
    let evidence = look_at(&net, &trust, "submission:mx.acme.test").await;
    assert_eq!(evidence.failure, None);
    assert_eq!(
        stages(&evidence),
        [
            "lookup",
            "connect",
            "greeting",
            "hello",
            "starttls",
            "handshake",
            "hello",
            "leave"
        ]
    );
    let shown = evidence.tls.unwrap();
    assert_eq!(shown.chain, ChainVerdict::Trusted);
    assert_eq!(shown.certificate.unwrap().names, ["mx.acme.test"]);
    assert!(
        evidence.transcript.contains(&"C: QUIT".to_owned()),
        "{:?}",
        evidence.transcript
    );
}

#[rstest]
#[case("imaps:mx.acme.test", 993, "* OK ready\r\n", "C: a3 LOGOUT")]
#[case("pop3s:mx.acme.test", 995, "+OK ready\r\n", "C: QUIT")]
#[case("submissions:mx.acme.test", 465, "220 mx ESMTP\r\n", "C: QUIT")]
#[case("smtps:mx.acme.test", 465, "220 mx ESMTP\r\n", "C: QUIT")]
#[tokio::test(start_paused = true)]
async fn tls_comes_first_where_it_is_implicit(
    #[case] service: &str,
    #[case] port: u16,
    #[case] greeting: &str,
    #[case] farewell: &str,
) {
    // A bad certificate is recorded like a good one.
    let (net, (_, server)) = (world(), good());
    net.listen((MX, port), Peer::Secured(server, greeting.into()));
    let evidence = look_at(&net, &Trust::only([]), service).await;
    assert_eq!(evidence.failure, None);
    assert_eq!(
        stages(&evidence),
        ["lookup", "connect", "handshake", "greeting", "leave"]
    );
    assert_eq!(evidence.greeting.as_deref(), Some(greeting.trim_end()));
    assert_eq!(evidence.tls.unwrap().chain, ChainVerdict::UnknownIssuer);
    assert!(
        evidence.transcript.iter().any(|line| line == farewell),
        "{:?}",
        evidence.transcript
    );
}

#[tokio::test(start_paused = true)]
async fn web_mail_is_a_handshake_and_no_request() {
    let (net, (_, server)) = (world(), good());
    net.listen((MX, 443), Peer::Secured(server, Vec::new()));
    let evidence = look_at(&net, &Trust::only([]), "https:mx.acme.test").await;
    assert_eq!((evidence.failure, evidence.greeting), (None, None));
    assert!(evidence.tls.is_some());
}

#[rstest]
#[case::imap("imap", vec![says("* OK [CAPABILITY IMAP4rev1] hi"), Step::Hear, says("* CAPABILITY IMAP4rev1"), says("a1 OK done"), Step::Hear, says("* BYE bye"), says("a3 OK done")])]
#[case::pop3("pop3", vec![says("+OK hi"), Step::Hear, says("+OK list"), says("USER"), says("."), Step::Hear, says("+OK bye")])]
#[case::pop3_without_capa("pop3", vec![says("+OK hi"), Step::Hear, says("-ERR what?"), Step::Hear, says("+OK bye")])]
#[tokio::test(start_paused = true)]
async fn what_offers_no_tls_is_left_politely(#[case] kind: &str, #[case] steps: Vec<Step>) {
    let net = world();
    let port = kind.parse_port();
    net.listen((MX, port), Peer::script(steps));
    let evidence = look_at(&net, &Trust::only([]), &format!("{kind}:mx.acme.test")).await;
    assert_eq!(
        (&evidence.failure, &evidence.tls),
        (&None, &None),
        "{:?}",
        evidence.transcript
    );
    assert_eq!(
        stages(&evidence),
        ["lookup", "connect", "greeting", "hello", "leave"]
    );
}

trait Port {
    fn parse_port(&self) -> u16;
}

impl Port for str {
    fn parse_port(&self) -> u16 {
        format!("{self}:mx.acme.test").parse::<Service>().unwrap().port
    }
}

#[rstest]
#[case::bye("imap", Peer::script([says("* BYE too busy")]), Stage::Greeting, "Refused")]
#[case::no("pop3", Peer::script([says("-ERR no")]), Stage::Greeting, "Refused")]
#[case::unavailable("submission", Peer::greets("421 4.3.2 closing"), Stage::Greeting, "Refused")]
#[case::another_protocol("imap", Peer::greets("220 mx ESMTP"), Stage::Greeting, "Protocol")]
#[case::binary("pop3", Peer::binary(), Stage::Greeting, "Protocol")]
#[case::one_long_line("imap", Peer::huge_line(), Stage::Greeting, "Protocol")]
#[case::no_end("submission", Peer::endless_greeting(), Stage::Greeting, "Protocol")]
#[case::drips("imap", Peer::byte_a_second(), Stage::Greeting, "Timeout")]
#[case::silent("imaps", Peer::Silent, Stage::Handshake, "Timeout")]
#[case::silent_in_the_clear("pop3", Peer::Silent, Stage::Greeting, "Timeout")]
#[case::hangs_up("imap", Peer::closes_at_once(), Stage::Greeting, "Closed")]
#[case::no_tls("imaps", Peer::greets("* OK in the clear"), Stage::Handshake, "Tls")]
#[case::refused("imaps", Peer::Refuse, Stage::Connect, "Dial(Refused)")]
#[case::dropped("imaps", Peer::Drop, Stage::Connect, "Dial(Timeout)")]
#[case::endless_capabilities("imap", Peer::script([says("* OK"), Step::Hear, Step::Repeat(b"* X\r\n".to_vec(), 100_000)]), Stage::Hello, "Protocol")]
#[case::ahead_of_its_turn("imap", Peer::script([says("* OK"), Step::Hear, Step::Say(b"* CAPABILITY STARTTLS\r\na1 OK\r\n".to_vec()), Step::Hear, Step::Say(b"a2 OK\r\n* OK injected\r\n".to_vec()), Step::Stall]), Stage::StartTls, "Protocol")]
#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_is_told_by_its_stage(
    #[case] kind: &str,
    #[case] peer: Peer,
    #[case] stage: Stage,
    #[case] what: &str,
) {
    let net = world();
    net.listen((MX, kind.parse_port()), peer);
    let began = net.now();
    let evidence = look_at(&net, &Trust::only([]), &format!("{kind}:mx.acme.test")).await;
    let failure = evidence.failure.unwrap();
    assert_eq!(failure.stage, stage, "{failure:?}");
    assert!(format!("{:?}", failure.kind).starts_with(what), "{failure:?}");
    let lasted = net.now().duration_since(began).unsigned_abs();
    assert!(lasted <= 2 * LIMIT + Duration::from_secs(3), "{lasted:?}");
    assert!(evidence.transcript.len() <= 110, "{}", evidence.transcript.len());
    let plain = |line: &String| line.len() < 4096 && line.chars().all(|c| !c.is_control());
    assert!(evidence.transcript.iter().all(plain));
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_as_a_mail_program_would() {
    let net = world();
    net.add("mail.acme.test. A 198.51.100.98\nmail.acme.test. A 198.51.100.10")
        .unwrap();
    net.set_reach([198, 51, 100, 98], Reach::Silent);
    net.listen((MX, 110), Peer::greets("+OK hi"));
    let evidence = look_at(&net, &Trust::only([]), "pop3:mail.acme.test").await;
    assert_eq!(evidence.addresses.len(), 2);
    assert_eq!(evidence.peer, Some(SocketAddr::new(MX, 110)));
    assert_eq!(evidence.greeting.as_deref(), Some("+OK hi"));
}

#[tokio::test(start_paused = true)]
async fn a_name_without_address_is_told_from_one_that_nobody_tells() {
    let net = world();
    let kind = |evidence: ServiceEvidence| evidence.failure.unwrap().kind;
    let trust = Trust::only([]);
    let gone = kind(look_at(&net, &trust, "imaps:none.acme.test").await);
    assert!(matches!(gone, Kind::NoAddress { .. }), "{gone:?}");
    net.add("six.acme.test. AAAA 2001:db8::6").unwrap();
    let six = kind(look_at(&net, &trust, "imaps:six.acme.test").await);
    assert!(matches!(six, Kind::Untold { .. }), "{six:?}");
    net.set_dns(RESOLVER, DnsMode::Silent);
    let dead = kind(look_at(&net, &trust, "imaps:mx.acme.test").await);
    assert!(matches!(dead, Kind::Untold { .. }), "{dead:?}");
    net.resolver(RESOLVER);
    net.set_local_fault(Some("too many open files"));
    let seen = run(
        &net,
        &context(),
        &trust,
        &"imaps:192.0.2.1".parse().unwrap(),
        LIMIT,
    )
    .await;
    assert!(matches!(seen.evidence, Evidence::Unrunnable(_)), "{seen:?}");
}
