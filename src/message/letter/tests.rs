use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn with(headers: &str) -> Letter {
    let text =
        format!("From: Anna Meyer <Anna@ACME.test>\nMessage-ID: <fwd@acme.test>\n{headers}\n\nhello\n");
    letter(text.as_bytes())
}

#[test]
fn a_person_may_be_answered() {
    let found = with(
        "Subject: Fwd: =?utf-8?q?zur=C3=BCck?=\nReferences: <a@b> junk <c@d>\nReturn-Path: <anna@acme.test>\nAuto-Submitted: no",
    );
    assert_eq!(found.from.as_deref(), Some("Anna@acme.test"));
    assert_eq!(found.id.as_deref(), Some("<fwd@acme.test>"));
    assert_eq!(found.references, ["<a@b>", "<c@d>"]);
    assert_eq!(found.subject, "Fwd: zurück");
    assert!(!found.by_machine && !found.is_forged);
    assert_eq!(found.bounced, None);
}

#[rstest]
#[case("Auto-Submitted: auto-replied")]
#[case("Auto-Submitted: auto-generated; reason=\"x\"")]
#[case("Precedence: bulk")]
#[case("Return-Path: <>")]
#[case("List-Id: <list.acme.test>")]
#[case("X-Auto-Response-Suppress: DR, AutoReply")]
#[case("Content-Type: multipart/report; boundary=b")]
#[case("From: another@acme.test")]
fn a_machine_is_not_answered(#[case] header: &str) {
    assert!(with(header).by_machine);
}

#[rstest]
#[case("From: MAILER-DAEMON@mx.acme.test", true)]
#[case("From: no-reply@acme.test", true)]
#[case("From: a@acme.test, b@acme.test", true)]
#[case("Subject: nobody", true)]
#[case("From: \"boss@acme.test\" <mallory@evil.test>", false)]
fn whom_nobody_reads_is_a_machine(#[case] header: &str, #[case] machine: bool) {
    let found = letter(format!("{header}\n\nhello").as_bytes());
    assert_eq!(found.by_machine, machine, "{found:?}");
    if !machine {
        assert_eq!(found.from.as_deref(), Some("mallory@evil.test"));
    }
}

#[rstest]
#[case("mx.msp.test; dmarc=fail header.from=acme.test; spf=pass", true)]
#[case("mx.msp.test; spf=fail smtp.mailfrom=acme.test", true)]
#[case(
    "mx.msp.test; spf=fail smtp.mailfrom=acme.test; dkim=pass header.d=acme.test",
    false
)]
#[case("mx.msp.test; spf=pass; dmarc=pass", false)]
#[case("mx.msp.test; none", false)]
fn what_the_server_finds_forged_is(#[case] results: &str, #[case] forged: bool) {
    assert_eq!(
        with(&format!("Authentication-Results: {results}")).is_forged,
        forged
    );
}

#[test]
fn every_check_is_read_from_the_top() {
    let found = with(
        "Authentication-Results: MX.msp.test; dmarc=pass header.from=acme.test\n\
         Authentication-Results: spf=fail smtp.mailfrom=acme.test\n\
         Authentication-Results: elsewhere.test; dkim=pass header.d=evil.test",
    );
    let checks: Vec<_> = found
        .checks
        .iter()
        .map(|one| (one.server.as_str(), one.vouches))
        .collect();
    assert_eq!(
        checks,
        [("mx.msp.test", true), ("", false), ("elsewhere.test", false)]
    );
}

#[test]
fn a_bounce_that_is_attached_says_when_it_was_written() {
    let path = format!(
        "{}/tests/messages/forwarded-attached.eml",
        env!("CARGO_MANIFEST_DIR")
    );
    let found = letter(&std::fs::read(path).unwrap());
    assert_eq!(found.bounced, Some("2026-11-26T09:00:02Z".parse().unwrap()));
    assert!(!found.by_machine);
}

proptest! {
    #[test]
    fn any_message_can_be_read(text in "(From|Date|Message-ID|References|Return-Path): [ -~\n]{0,120}") {
        let found = letter(text.as_bytes());
        prop_assert!(found.from.is_none_or(|from| !from.contains([' ', '\n', '<', '>'])));
    }
}
