//! Sessions with servers of every kind, over pipes, under driven time.
#![allow(clippy::disallowed_methods, reason = "the paused clock is the tests' own")]

mod hostile;
mod recipients;
mod secured;
mod support;

use std::time::Duration;

use rstest::rstest;
use rustls::version::{TLS12, TLS13};
use tokio::io::DuplexStream;
use tokio::time::sleep;

use crate::model::smtp::{Capabilities, ProtocolError, SmtpFailure, SmtpFailureKind};
use crate::model::tls::ChainVerdict;
use crate::model::{DialError, DomainName, EnhancedCode, Evidence, SmtpStage};
use crate::net::trust::Trust;
use crate::net::trust::tests::pki::{self, Authority, Identity};
use support::{Held, NEARLY_PATIENCE, NEARLY_TIMEOUT, PATIENCE, PIPE, Peer, Plan, TIMEOUT, tls};

type Server = Peer<DuplexStream>;

const OFFER: &str = "250-mx.acme.test\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n250 STARTTLS\r\n";
const PLAIN: &str = "250-mx.acme.test\r\n250 8BITMIME\r\n";
const READY: &str = "220 2.0.0 Ready to start TLS\r\n";

fn mx() -> DomainName {
    DomainName::parse("mx.acme.test").unwrap()
}

/// Greeting, EHLO and STARTTLS.
async fn up_to_tls(server: &mut Server) {
    server.say("220 mx.acme.test ESMTP\r\n").await;
    server.answer(OFFER).await;
    server.answer(READY).await;
}

/// A whole session of a healthy server.
async fn healthy(mut server: Server, config: rustls::ServerConfig) {
    up_to_tls(&mut server).await;
    let mut server = server.secure(config).await;
    server.answer(PLAIN).await;
    server.answer("221 2.0.0 Bye\r\n").await;
    server.listen().await;
}

fn identity() -> Identity {
    Identity::self_signed("mx.acme.test", pki::VALID, false)
}

fn stages(held: &Held) -> Vec<SmtpStage> {
    held.smtp().stages.iter().map(|timing| timing.stage).collect()
}

fn failure(held: &Held) -> &SmtpFailure {
    held.smtp().failure.as_ref().expect("a failed session")
}

fn transcript(held: &Held) -> String {
    held.smtp().transcript.join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_healthy_session() {
    let root = Authority::root("Lab Root");
    let config = tls(root.issue(&["mx.acme.test"], pki::VALID), &[&TLS13]);
    let plan = Plan {
        trust: Trust::only([root.certificate]),
        server_name: Some(mx()),
        ..Plan::default()
    };
    let held = plan.hold(|server| healthy(server, config)).await;
    assert_eq!(held.smtp().failure, None);
    assert_eq!(
        stages(&held),
        [
            SmtpStage::Connect,
            SmtpStage::Greeting,
            SmtpStage::Ehlo,
            SmtpStage::StartTls,
            SmtpStage::Handshake,
            SmtpStage::EhloTls,
            SmtpStage::Quit
        ]
    );
    assert_eq!(
        held.heard,
        [
            "EHLO probe.msp.example",
            "STARTTLS",
            "SNI mx.acme.test",
            "EHLO probe.msp.example",
            "QUIT"
        ]
    );
    let evidence = held.smtp();
    assert_eq!(evidence.greeting.as_ref().map(|reply| reply.code), Some(220));
    let offers = Capabilities {
        lines: vec![
            "SIZE 10240000".to_owned(),
            "8BITMIME".to_owned(),
            "STARTTLS".to_owned(),
        ],
        starttls: true,
        size: Some(10_240_000),
        eight_bit_mime: true,
        masked: false,
    };
    assert_eq!(evidence.capabilities, Some(offers));
    let shown = evidence.tls.as_ref().unwrap();
    assert_eq!(
        (shown.version.as_str(), &shown.chain),
        ("TLS 1.3", &ChainVerdict::Trusted)
    );
    assert!(shown.certificate.as_ref().unwrap().covers(&mx()));
    insta::assert_snapshot!(transcript(&held), @r"
    S: 220 mx.acme.test ESMTP
    C: EHLO probe.msp.example
    S: 250-mx.acme.test
    S: 250-SIZE 10240000
    S: 250-8BITMIME
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
    *: TLS 1.3 TLS_AES_256_GCM_SHA384, certificate CN=mx.acme.test, no other certificate with it
    C: EHLO probe.msp.example
    S: 250-mx.acme.test
    S: 250 8BITMIME
    C: QUIT
    S: 221 2.0.0 Bye
    ");
}

#[rstest]
#[case::tls_1_3(&TLS13, 6)]
#[case::tls_1_2(&TLS12, 7)]
#[tokio::test(start_paused = true)]
async fn no_more_round_trips_than_the_protocol_needs(
    #[case] version: &'static rustls::SupportedProtocolVersion,
    #[case] turns: usize,
) {
    let config = tls(identity(), &[version]);
    let round_trip = Duration::from_millis(50);
    let plan = Plan {
        round_trip,
        ..Plan::default()
    };
    let held = plan.hold(|server| healthy(server, config)).await;
    assert_eq!(held.smtp().failure, None);
    assert_eq!(held.turns(), turns);
    // One for the connection, with the greeting on its heels, and nothing but the link takes time.
    let expected = round_trip * u32::try_from(turns).unwrap();
    let stages: Duration = held.smtp().stages.iter().map(|timing| timing.elapsed).sum();
    assert_eq!(stages, expected);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_starttls() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server.say("220-mx.acme.test\r\n220 no spam\r\n").await;
            server.answer(PLAIN).await;
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    assert_eq!((&held.smtp().failure, &held.smtp().tls), (&None, &None));
    assert_eq!(
        stages(&held),
        [
            SmtpStage::Connect,
            SmtpStage::Greeting,
            SmtpStage::Ehlo,
            SmtpStage::Quit
        ]
    );
    assert_eq!(held.heard, ["EHLO probe.msp.example", "QUIT"]);
    assert_eq!(held.turns(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_session() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server
                .say("554-mx.acme.test\r\n554 5.7.1 \x1b[31mYour address is listed\r\n")
                .await;
            server.answer("221 2.0.0 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    let SmtpFailureKind::Reply(reply) = &failure(&held).kind else {
        panic!("{:?}", failure(&held))
    };
    assert_eq!(
        (failure(&held).stage, reply.code, reply.enhanced),
        (SmtpStage::Greeting, 554, Some(EnhancedCode(5, 7, 1)))
    );
    assert_eq!(held.heard, ["QUIT"]);
    insta::assert_snapshot!(transcript(&held), @r"
    S: 554-mx.acme.test
    S: 554 5.7.1 \x1b[31mYour address is listed
    C: QUIT
    S: 221 2.0.0 Bye
    ");
}

#[rstest]
#[case::unavailable("421 4.3.2 Service shutting down\r\n", 421, Some(EnhancedCode(4, 3, 2)))]
#[case::too_many("421 4.7.0 Too many connections", 421, Some(EnhancedCode(4, 7, 0)))]
#[case::behind_the_greeting("220 mx\r\n421 4.3.2 busy\r\n", 421, Some(EnhancedCode(4, 3, 2)))]
#[case::no_service("554 No SMTP service here\r\n", 554, None)]
#[tokio::test(start_paused = true)]
async fn greetings_that_refuse_and_close(
    #[case] greeting: &'static str,
    #[case] code: u16,
    #[case] enhanced: Option<EnhancedCode>,
) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            server.say(greeting).await;
        })
        .await;
    let SmtpFailureKind::Reply(reply) = &failure(&held).kind else {
        panic!("{:?}", failure(&held))
    };
    assert_eq!((reply.code, reply.enhanced), (code, enhanced));
    assert_eq!(held.elapsed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_comes_late_is_waited_for() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server.say("220-mx.acme.test\r\n").await;
            sleep(NEARLY_PATIENCE).await;
            server.say("220 at last\r\n").await;
            server.answer(PLAIN).await;
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    assert_eq!(held.smtp().failure, None);
    assert_eq!(held.smtp().stages[1].elapsed, NEARLY_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_knows_only_helo() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server.say("220 mx\r\n").await;
            server.answer("502 5.5.2 Command not recognized\r\n").await;
            server.answer("250 mx, hello\r\n").await;
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    assert_eq!((&held.smtp().failure, &held.smtp().capabilities), (&None, &None));
    assert_eq!(
        held.heard,
        ["EHLO probe.msp.example", "HELO probe.msp.example", "QUIT"]
    );
}

#[rstest]
#[case::ehlo("550 5.7.1 Helo rejected\r\n", "250 unasked\r\n", &["EHLO probe.msp.example", "QUIT"], 550)]
#[case::helo_too("500 what?\r\n", "501 5.5.4 no\r\n", &["EHLO probe.msp.example", "HELO probe.msp.example", "QUIT"], 501)]
#[tokio::test(start_paused = true)]
async fn an_ehlo_that_is_refused(
    #[case] first: &'static str,
    #[case] second: &'static str,
    #[case] heard: &[&str],
    #[case] code: u16,
) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            server.say("220 mx\r\n").await;
            server.answer(first).await;
            server.answer(second).await;
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    let SmtpFailureKind::Reply(reply) = &failure(&held).kind else {
        panic!("{:?}", failure(&held))
    };
    assert_eq!((failure(&held).stage, reply.code), (SmtpStage::Ehlo, code));
    assert_eq!(held.heard, heard);
}

#[rstest]
#[case::refused(DialError::Refused)]
#[case::timeout(DialError::Timeout)]
#[case::prohibited(DialError::Unreachable { prohibited: true, no_route: false })]
#[tokio::test(start_paused = true)]
async fn connections_that_cannot_be_made(#[case] error: DialError) {
    let seen = Plan::default().fail(error.clone()).await;
    let Evidence::Smtp(evidence) = seen.evidence else {
        panic!("{seen:?}")
    };
    assert_eq!(evidence.stages.len(), 1);
    let failure = evidence.failure.unwrap();
    assert_eq!(
        (failure.stage, failure.kind),
        (SmtpStage::Connect, SmtpFailureKind::Dial(error))
    );
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_does_not_keep_its_own_limit_is_ended() {
    let plan = Plan {
        round_trip: TIMEOUT * 2,
        ..Plan::default()
    };
    let seen = plan.fail(DialError::Refused).await;
    let Evidence::Smtp(evidence) = seen.evidence else {
        panic!("{seen:?}")
    };
    let failure = evidence.failure.unwrap();
    assert_eq!(
        (failure.after, failure.kind),
        (TIMEOUT, SmtpFailureKind::Dial(DialError::Timeout))
    );
}

#[tokio::test(start_paused = true)]
async fn our_own_faults_say_nothing_of_the_peer() {
    let reason = "too many open files".to_owned();
    let seen = Plan::default()
        .fail(DialError::Local {
            reason: reason.clone(),
        })
        .await;
    assert_eq!(seen.evidence, Evidence::unrunnable(reason));
}
