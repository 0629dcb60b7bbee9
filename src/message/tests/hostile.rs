//! Whatever comes: no panic, bounded work.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// Shapes that made readers of mail slow or deep.
fn shapes() -> Vec<Vec<u8>> {
    let nested = (0..3_000).fold(String::new(), |mut out, depth| {
        let _ = write!(
            out,
            "Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n"
        );
        out
    });
    let attached = "Content-Type: message/rfc822\n\n".repeat(3_000);
    let head = "From: MAILER-DAEMON@a.test\nReturn-Path: <>\nSubject: failure notice\n\nThis is the qmail-send program\n";
    let many = |line: &str| format!("{head}{}", line.repeat(100_000 / line.len()));
    let fields = "Final-Recipient: rfc822;a@b.test\nAction: failed\n\n".repeat(10_000);
    vec![
        nested.into_bytes(),
        attached.into_bytes(),
        many("<a@b.test>:\n550 5.1.1 no\n\n").into_bytes(),
        many("@").into_bytes(),
        many("a@").into_bytes(),
        many("\"@").into_bytes(),
        many("<<<").into_bytes(),
        many("host ").into_bytes(),
        many("mailto:").into_bytes(),
        many("<mailto:").into_bytes(),
        many("5.").into_bytes(),
        many("550 ").into_bytes(),
        many("mailbox ").into_bytes(),
        many("From: a\n").into_bytes(),
        many("é@é.test ").into_bytes(),
        many("a@b.test, ").into_bytes(),
        many("=?utf-8?q?a?= ").into_bytes(),
        format!("Subject: {}\n\n", "=?utf-8?q?a?= ".repeat(8_000)).into_bytes(),
        format!("From: MAILER-DAEMON\nContent-Type: message/delivery-status\n\n{fields}").into_bytes(),
        format!("Content-Type: text/html\n\n{}", "<!--".repeat(100_000)).into_bytes(),
        format!("Content-Type: text/html\n\n{}", "&".repeat(100_000)).into_bytes(),
        format!(
            "Content-Type: multipart/mixed; boundary=\"{}\"\n\n--",
            "b".repeat(200_000)
        )
        .into_bytes(),
    ]
}

#[test]
fn nothing_takes_long() {
    for (index, shape) in shapes().into_iter().enumerate() {
        // Work is counted, not timed: twice as much of the same may not take much more than twice as long, which only an
        // endless test would show; the suite's own limit catches what is quadratic.
        let explained = explain(&shape);
        assert!(explained.recipients.len() <= 500, "shape {index}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_bytes_are_explained(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = explain(&bytes);
    }

    #[test]
    fn any_text_under_a_bounces_headers_is_explained(body in "(\\PC|\n){0,800}") {
        let message = format!("From: MAILER-DAEMON@a.test\nReturn-Path: <>\nSubject: failure notice\n\n{body}");
        let _ = explain(message.as_bytes());
    }

    #[test]
    fn a_damaged_sample_is_explained(index in 0_usize..200, at in any::<prop::sample::Index>(), bytes in proptest::collection::vec(any::<u8>(), 0..20), cut in 0_usize..40) {
        let samples = samples();
        let (_, message, _) = &samples[index % samples.len()];
        let mut message = message.clone();
        let start = at.index(message.len());
        let end = (start + cut).min(message.len());
        message.splice(start..end, bytes);
        let _ = explain(&message);
    }
}

#[test]
fn fuzzed_messages_are_explained() {
    let words = [
        "550 5.1.1 ",
        "\n--b\n",
        "boundary=",
        "Content-Type: message/rfc822\n\n",
        "=?utf-8?b?",
        "Final-Recipient: rfc822;",
        "<a@b.test>",
    ];
    let collected = samples().into_iter().map(|(_, message, _)| message).collect();
    crate::fuzzing::feed_from("message", collected, &words, |bytes| {
        assert!(explain(bytes).recipients.len() <= 500);
    });
}
