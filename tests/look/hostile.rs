//! Servers that wish us ill: each costs a bounded time and a bounded number of bytes, and is named for what it is.

use std::time::Duration;

use mailflow::model::State::{Broken, Degraded, Unknown};
use mailflow::net::fake::{Peer, Step};
use rstest::rstest;

use super::faults::run;
use super::world::{MX, World};

/// The most that a peer may get rid of: one reply's limit, and what is under way when we hang up.
const MOST_BYTES: u64 = 256 * 1024;

/// The longest that a look at one hostile address takes: every stage of a session at its limit.
const LONGEST: Duration = Duration::from_secs(30);

#[rstest]
#[case::endless_greeting(Peer::endless_greeting(), "smtp.protocol-error")]
#[case::endless_line(Peer::huge_line(), "smtp.protocol-error")]
#[case::a_byte_a_second_of_no_smtp(Peer::byte_a_second(), "smtp.protocol-error")]
#[case::a_byte_a_second_of_a_greeting(
    drips(b"220 mx.acme.test ESMTP and a long story\r\n"),
    "smtp.slow-greeting"
)]
#[case::binary(Peer::binary(), "smtp.protocol-error")]
#[case::another_protocol(says(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "smtp.protocol-error")]
#[case::a_reply_of_no_code(says(b"\xff\xff\xff ok\r\n"), "smtp.protocol-error")]
#[case::hangs_up_at_once(Peer::closes_at_once(), "smtp.disconnects")]
#[case::hangs_up_within_the_greeting(Peer::script([Step::Say(b"220-mx".to_vec())]), "smtp.disconnects")]
#[case::resets(Peer::script([Step::Reset]), "smtp.disconnects")]
#[case::resets_after_the_greeting(
    Peer::script([Step::Say(b"220 mx\r\n".to_vec()), Step::Hear, Step::Reset]),
    "smtp.disconnects"
)]
#[case::silent_after_the_greeting(
    Peer::script([Step::Say(b"220 mx\r\n".to_vec()), Step::Stall]),
    "smtp.slow-greeting"
)]
#[case::endless_capabilities(
    Peer::script([
        Step::Say(b"220 mx\r\n".to_vec()),
        Step::Hear,
        Step::Repeat(b"250-X-EXTENSION\r\n".to_vec(), u64::MAX),
    ]),
    "smtp.protocol-error"
)]
#[case::endless_handshake(
    Peer::script([
        Step::Say(b"220 mx\r\n".to_vec()),
        Step::Hear,
        Step::Say(b"250-mx\r\n250 STARTTLS\r\n".to_vec()),
        Step::Hear,
        Step::Say(b"220 go\r\n".to_vec()),
        Step::Wait(Duration::from_millis(10)),
        Step::Repeat(b"\x16\x03\x03\x40\x00".iter().copied().chain([0; 0x4000]).collect(), u64::MAX),
    ]),
    "tls.handshake-failed"
)]
#[case::a_handshake_that_stalls(
    Peer::script([
        Step::Say(b"220 mx\r\n".to_vec()),
        Step::Hear,
        Step::Say(b"250-mx\r\n250 STARTTLS\r\n".to_vec()),
        Step::Hear,
        Step::Say(b"220 go\r\n".to_vec()),
        Step::Stall,
    ]),
    "tls.handshake-failed"
)]
fn each_costs_little_and_is_named(#[case] peer: Peer, #[case] code: &str) {
    run(async {
        let world = World::healthy();
        world.net.listen((MX, 25), peer);
        let looked = world.look().await;
        let (state, found, _) = looked.outcome();
        assert_eq!(found, code, "{:#?}", looked.verdict);
        assert!(matches!(state, Broken | Degraded), "{state}");
        assert!(looked.elapsed <= LONGEST, "{:?}", looked.elapsed);
        let sent = world.sent(MX);
        assert!(sent <= MOST_BYTES, "{sent} bytes were taken");
        let said = serde_json::to_string(&*looked.verdict).unwrap();
        assert!(said.len() < 64 * 1024, "{} bytes of verdict", said.len());
        let raw = said.chars().any(|one| one.is_control() || one == '\u{fffd}');
        assert!(
            !raw && !said.contains("\\u001b"),
            "what is shown is escaped: {said}"
        );
    });
}

/// Sixteen hostile addresses at once take no longer than one, and starve nobody.
#[test]
fn many_at_once_take_no_longer_than_one() {
    run(async {
        let world = World::healthy();
        for last in 20..36 {
            world
                .net
                .add(&format!("mx.acme.test. A 198.51.100.{last}"))
                .unwrap();
            let peer = if last % 2 == 0 {
                Peer::byte_a_second()
            } else {
                Peer::endless_greeting()
            };
            world.net.listen(([198, 51, 100, last], 25), peer);
        }
        let looked = world.look().await;
        assert_ne!(looked.verdict.state, Unknown);
        assert!(looked.elapsed <= LONGEST, "{:?}", looked.elapsed);
        // One good address among them takes the mail.
        assert_eq!(looked.outcome(), (mailflow::model::State::Flowing, "", 0));
    });
}

fn says(bytes: &[u8]) -> Peer {
    Peer::script([Step::Say(bytes.to_vec()), Step::Stall])
}

fn drips(bytes: &[u8]) -> Peer {
    Peer::script([Step::Drip(bytes.to_vec(), Duration::from_secs(1)), Step::Stall])
}
