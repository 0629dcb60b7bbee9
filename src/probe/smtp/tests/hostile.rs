//! Servers that are slow, broken, or wish us ill.

use proptest::prelude::*;

use super::super::dialogue::{Bounded, SESSION_MOST, Wire, fault};
use super::super::reply::REPLY_MOST;
use super::*;

#[tokio::test(start_paused = true)]
async fn no_greeting_at_all() {
    let held = Plan::default().hold(Peer::listen).await;
    let expected = SmtpFailure {
        stage: SmtpStage::Greeting,
        after: PATIENCE,
        kind: SmtpFailureKind::Timeout,
    };
    assert_eq!(failure(&held), &expected);
    assert_eq!(held.elapsed, PATIENCE);
    assert!(held.heard.is_empty(), "we never speak first: {:?}", held.heard);
}

#[rstest]
#[case::greeting(0, SmtpStage::Greeting, PATIENCE)]
#[case::ehlo(1, SmtpStage::Ehlo, PATIENCE)]
#[case::starttls(2, SmtpStage::StartTls, TIMEOUT)]
#[tokio::test(start_paused = true)]
async fn a_byte_a_second_extends_nothing(
    #[case] answers: usize,
    #[case] stage: SmtpStage,
    #[case] limit: Duration,
) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            for (step, answer) in ["220 mx\r\n", OFFER, READY].into_iter().enumerate() {
                if step == answers {
                    break;
                }
                server.say(answer).await;
                server.hear().await;
            }
            for byte in b"220-".iter().chain(&[b'a'; 600]) {
                server.say([*byte]).await;
                sleep(Duration::from_secs(1)).await;
            }
        })
        .await;
    assert_eq!(
        (failure(&held).stage, &failure(&held).kind),
        (stage, &SmtpFailureKind::Timeout)
    );
    assert_eq!(failure(&held).after, limit);
    assert!(
        transcript(&held).contains("S: 220-aaa"),
        "what came is kept: {}",
        transcript(&held)
    );
}

#[rstest]
#[case::lines(b"220-again and again\r\n", ProtocolError::TooLong)]
#[case::one_line_of_64_mib(b"220 ", ProtocolError::TooLong)]
#[case::noise(b"\x00", ProtocolError::NotAReply { line: format!("{}…", "\\x00".repeat(200)) })]
#[tokio::test(start_paused = true)]
async fn endless_greetings(#[case] start: &'static [u8], #[case] error: ProtocolError) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            let flood = if start.len() == 4 {
                vec![b'a'; 64 * 1024]
            } else {
                start.repeat(4096)
            };
            server.say(start).await;
            let enough = 64 * 1024 * 1024 / flood.len();
            for _ in 0..enough {
                server.say(&flood).await;
            }
        })
        .await;
    assert_eq!(failure(&held).kind, SmtpFailureKind::Protocol(error));
    assert_eq!(failure(&held).stage, SmtpStage::Greeting);
    assert!(
        held.bytes_read() <= REPLY_MOST + 4096,
        "{} bytes",
        held.bytes_read()
    );
    assert!(held.elapsed <= Duration::from_secs(1), "{:?}", held.elapsed);
    let kept: usize = held.smtp().transcript.iter().map(String::len).sum();
    assert!(kept < 4096, "{kept} bytes of transcript");
}

#[rstest]
#[case::escapes(b"\x1b]0;owned\x07\x1b[2J\r\n".as_slice(), "\\x1b]0;owned\\x07\\x1b[2J")]
#[case::ssh(b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH-2.0-OpenSSH_9.2p1")]
#[case::binary_without_an_end(b"\x16\x03\x01\x00\xa5", "\\x16\\x03\\x01\\x00\\xa5")]
#[tokio::test(start_paused = true)]
async fn what_speaks_no_smtp(#[case] bytes: &'static [u8], #[case] line: &str) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            server.say(bytes).await;
            server.listen().await;
        })
        .await;
    let error = ProtocolError::NotAReply {
        line: line.to_owned(),
    };
    assert_eq!(failure(&held).kind, SmtpFailureKind::Protocol(error));
    assert!(held.smtp().transcript.contains(&format!("S: {line}")));
}

#[rstest]
#[case::at_once(0, SmtpStage::Greeting)]
#[case::after_the_greeting(1, SmtpStage::Ehlo)]
#[case::after_ehlo(2, SmtpStage::StartTls)]
#[case::after_starttls(3, SmtpStage::Handshake)]
#[case::after_the_handshake(4, SmtpStage::EhloTls)]
#[tokio::test(start_paused = true)]
async fn servers_that_close_early(
    #[case] answers: usize,
    #[case] stage: SmtpStage,
    #[values(false, true)] reset: bool,
) {
    let config = tls(identity(), &[&TLS13]);
    let plan = Plan {
        resets: reset,
        ..Plan::default()
    };
    let held = plan
        .hold(async move |mut server: Server| {
            let plain = if answers == 4 { 2 } else { answers };
            for answer in ["220 mx\r\n", OFFER, READY].into_iter().take(plain) {
                server.say(answer).await;
                server.hear().await;
            }
            if answers == 4 {
                server.say(READY).await;
                drop(server.secure(config).await);
            }
        })
        .await;
    let expected = SmtpFailureKind::Closed { reset };
    assert_eq!((failure(&held).stage, &failure(&held).kind), (stage, &expected));
    assert_eq!(held.elapsed, Duration::ZERO);
    assert_eq!(
        held.smtp().tls.is_some(),
        answers == 4,
        "what was seen before stays"
    );
    let how = if reset {
        "*: the server reset"
    } else {
        "*: the server closed"
    };
    assert!(transcript(&held).contains(how), "{}", transcript(&held));
}

#[rstest]
#[case::to_the_greeting("250 mx\r\n", "", 250, SmtpStage::Greeting)]
#[case::to_the_greeting_with_more_to_ask("354 go on\r\n", "", 354, SmtpStage::Greeting)]
#[case::to_ehlo("220 mx\r\n", "220 mx again\r\n", 220, SmtpStage::Ehlo)]
#[tokio::test(start_paused = true)]
async fn a_reply_of_the_wrong_kind(
    #[case] greeting: &'static str,
    #[case] next: &'static str,
    #[case] code: u16,
    #[case] stage: SmtpStage,
) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            server.say(greeting).await;
            if !next.is_empty() {
                server.answer(next).await;
            }
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    let SmtpFailureKind::Protocol(ProtocolError::UnexpectedCode { reply }) = &failure(&held).kind else {
        panic!("{:?}", failure(&held))
    };
    assert_eq!((failure(&held).stage, reply.code), (stage, code));
    assert_eq!(held.heard.last().map(String::as_str), Some("QUIT"));
}

#[tokio::test(start_paused = true)]
async fn two_greetings_at_once_are_out_of_turn() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server.say("220 mx\r\n220 mx\r\n").await;
            server.listen().await;
        })
        .await;
    let expected = SmtpFailureKind::Protocol(ProtocolError::Unsolicited);
    assert_eq!(
        (failure(&held).stage, &failure(&held).kind),
        (SmtpStage::Ehlo, &expected)
    );
    assert_eq!(
        held.heard,
        ["QUIT"],
        "no EHLO whose reply could not be told from the other"
    );
}

#[rstest]
#[case::never("", TIMEOUT)]
#[case::wrongly("250 ok\r\n", Duration::ZERO)]
#[tokio::test(start_paused = true)]
async fn a_quit_that_fails_is_no_failure_of_the_session(
    #[case] answer: &'static str,
    #[case] elapsed: Duration,
) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            server.say("220 mx\r\n").await;
            server.answer(PLAIN).await;
            server.answer(answer).await;
            server.listen().await;
        })
        .await;
    assert_eq!(held.smtp().failure, None);
    assert_eq!(held.elapsed, elapsed);
    assert!(transcript(&held).contains("C: QUIT"));
}

#[tokio::test(start_paused = true)]
async fn the_slowest_server_that_there_can_be_has_an_end() {
    let config = tls(identity(), &[&TLS13]);
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            sleep(NEARLY_PATIENCE).await;
            server.say("220 mx\r\n").await;
            for answer in [OFFER, READY] {
                server.hear().await;
                sleep(NEARLY_TIMEOUT).await;
                server.say(answer).await;
            }
            sleep(NEARLY_TIMEOUT).await;
            let mut server = server.secure(config).await;
            server.hear().await;
            sleep(NEARLY_TIMEOUT).await;
            server.say(PLAIN).await;
            server.listen().await;
        })
        .await;
    assert_eq!(held.smtp().failure, None);
    assert!(held.elapsed <= PATIENCE + 5 * TIMEOUT, "{:?}", held.elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_holds_us_no_longer_than_a_stage() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server.say("220 mx\r\n").await;
            sleep(PATIENCE * 10).await;
        })
        .await;
    assert_eq!(
        (failure(&held).stage, failure(&held).after),
        (SmtpStage::Ehlo, PATIENCE)
    );
}

#[tokio::test]
async fn a_flood_ends_at_the_limit_of_a_session() {
    use tokio::io::AsyncReadExt;
    let (endless, _kept) = tokio::io::duplex(PIPE);
    let mut flood = Bounded::new(tokio::io::join(tokio::io::repeat(b'a'), endless));
    let (mut buffer, mut taken) = ([0; 1000], 0);
    let error = loop {
        match flood.read(&mut buffer).await {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
    };
    assert_eq!(taken, SESSION_MOST);
    let expected = SmtpFailureKind::Protocol(ProtocolError::TooLong);
    assert_eq!(fault(&error), expected);
}

#[tokio::test]
async fn a_reason_that_waits_to_be_read_says_more_than_our_broken_pipe() {
    let (broken, gone) = tokio::io::duplex(PIPE);
    drop(gone);
    let last_words = b"421 4.3.2 going down\r\n".as_slice();
    let mut wire = Wire::new(tokio::io::join(last_words, broken), Vec::new());
    let Err(SmtpFailureKind::Reply(reply)) = wire.hello("probe.msp.example").await else {
        panic!("the refusal is lost")
    };
    assert_eq!(reply.code, 421);
}

/// One thing that a server without manners does.
#[derive(Debug, Clone)]
enum Whim {
    Say(Vec<u8>),
    Hear,
    Wait(u64),
}

fn whims() -> impl Strategy<Value = Vec<Whim>> {
    let whim = prop_oneof![
        3 => "[2-5][0-5][0-9][ -][A-Za-z0-9. ]{0,20}\r\n".prop_map(|line| Whim::Say(line.into_bytes())),
        2 => prop_oneof![Just("220 mx\r\n"), Just(OFFER), Just(PLAIN), Just(READY), Just("221 bye\r\n")]
            .prop_map(|line| Whim::Say(line.as_bytes().to_vec())),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Whim::Say),
        1 => (any::<u8>(), 1_usize..100_000).prop_map(|(byte, count)| Whim::Say(vec![byte; count])),
        3 => Just(Whim::Hear),
        1 => (0_u64..80).prop_map(Whim::Wait),
    ];
    proptest::collection::vec(whim, 0..20)
}

async fn follow(mut server: Server, whims: Vec<Whim>, stays: bool) {
    for whim in whims {
        match whim {
            Whim::Say(bytes) => server.say(bytes).await,
            Whim::Hear => drop(server.hear().await),
            Whim::Wait(seconds) => sleep(Duration::from_secs(seconds)).await,
        }
    }
    if stays {
        server.listen().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn whatever_a_server_does_a_session_ends_and_is_bounded(whims in whims(), stays: bool) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let held = runtime.block_on(Plan::default().hold(|server| follow(server, whims, stays)));
        let evidence = held.smtp();
        for timing in &evidence.stages {
            let limit = if timing.stage.is_opening() { PATIENCE } else { TIMEOUT };
            prop_assert!(timing.elapsed <= limit, "{timing:?}");
        }
        prop_assert!(evidence.stages.len() <= 7);
        prop_assert!(held.bytes_read() <= SESSION_MOST);
        prop_assert!(evidence.transcript.len() <= 300, "{} lines", evidence.transcript.len());
        let printable = |line: &String| !line.chars().any(char::is_control);
        prop_assert!(evidence.transcript.iter().all(printable));
        let finished = evidence.stages.last().is_some_and(|timing| timing.stage == SmtpStage::Quit);
        prop_assert!(evidence.failure.is_some() || finished, "either it failed or it came to its end");
    }
}

/// What a session comes to that a server holds by the bytes of a file: its turns, with a zero byte between.
fn fuzzed_session(bytes: &[u8]) {
    let turns: Vec<Vec<u8>> = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let held = runtime.block_on(Plan::default().hold(async move |mut server: Server| {
        for turn in turns {
            server.say(turn).await;
            server.hear().await;
        }
    }));
    let evidence = held.smtp();
    assert!(held.elapsed <= PATIENCE + 6 * TIMEOUT, "{:?}", held.elapsed);
    assert!(held.bytes_read() <= SESSION_MOST);
    assert!(evidence.transcript.len() <= 300);
    for line in evidence.transcript.iter() {
        assert!(!line.chars().any(char::is_control) && line.len() < 4096, "{line}");
    }
}

#[test]
fn fuzzed_sessions_end_and_are_bounded() {
    let words = [
        "250-STARTTLS\r\n",
        "250 ",
        "220 2.0.0 Ready\r\n",
        "421 4.7.0 ",
        "5.7.1",
        "\r\n",
        "\u{0}220 mx\r\n\u{0}",
    ];
    crate::fuzzing::feed("smtp", &words, fuzzed_session);
}
