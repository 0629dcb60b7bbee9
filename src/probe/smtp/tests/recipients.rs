//! Sessions in which somebody is asked for: what is said on the wire, and that nothing is ever sent.

use std::time::Duration;

use rstest::rstest;
use rustls::version::TLS13;
use tokio::time::sleep;

use super::support::{Held, Plan, tls};
use super::{PLAIN, Server, identity, up_to_tls};
use crate::model::smtp::SmtpFailureKind;
use crate::model::{Evidence, Recipient, SmtpStage};

fn recipient(from: &str) -> Recipient {
    Recipient {
        domain: "acme.test".parse().unwrap(),
        address: "postmaster@acme.test".into(),
        from: from.into(),
    }
}

fn plan(from: &str) -> Plan {
    Plan {
        recipient: Some(recipient(from)),
        ..Plan::default()
    }
}

/// A server without TLS that answers MAIL and RCPT so.
async fn plainly(
    mut server: Server,
    mail: &'static str,
    rcpt: Option<&'static str>,
    rest: &'static [&'static str],
) {
    server.say("220 mx.acme.test ESMTP\r\n").await;
    server.answer(PLAIN).await;
    server.answer(mail).await;
    if let Some(rcpt) = rcpt {
        server.answer(rcpt).await;
    }
    for line in rest {
        server.answer(line).await;
    }
    server.listen().await;
}

fn failed_at(held: &Held) -> Option<(SmtpStage, String)> {
    let failure = held.smtp().failure.as_ref()?;
    match &failure.kind {
        SmtpFailureKind::Reply(reply) => Some((failure.stage, reply.to_string())),
        other => Some((failure.stage, format!("{other:?}"))),
    }
}

#[rstest]
#[case::taken("250 2.1.5 Ok\r\n", None)]
#[case::forwarded("251 User not local; will forward\r\n", None)]
#[case::maybe("252 Cannot verify, but will try\r\n", None)]
#[case::unknown("550 5.1.1 User unknown\r\n", Some("550 5.1.1 User unknown"))]
#[case::later("451 4.7.1 Greylisted\r\n", Some("451 4.7.1 Greylisted"))]
#[tokio::test(start_paused = true)]
async fn a_recipient_is_asked_for_and_nothing_is_sent(
    #[case] rcpt: &'static str,
    #[case] refused: Option<&str>,
) {
    let rest: &[&str] = if refused.is_none() {
        &["250 Ok\r\n", "221 Bye\r\n"]
    } else {
        &["221 Bye\r\n"]
    };
    let held = plan("probe@msp.example")
        .hold(|server| plainly(server, "250 Ok\r\n", Some(rcpt), rest))
        .await;
    let wanted = refused.map(|reply| (SmtpStage::Rcpt, reply.to_owned()));
    assert_eq!(failed_at(&held), wanted);
    assert_eq!(held.smtp().accepted_recipient(), refused.is_none());
    assert!(held.smtp().has_asked());
    let mut heard = vec![
        "EHLO probe.msp.example",
        "MAIL FROM:<probe@msp.example>",
        "RCPT TO:<postmaster@acme.test>",
        "RSET",
        "QUIT",
    ];
    heard.retain(|line| refused.is_none() || *line != "RSET");
    assert_eq!(held.heard, heard);
}

#[tokio::test(start_paused = true)]
async fn without_a_sender_it_is_the_null_sender_and_under_tls_where_that_is_offered() {
    let config = tls(identity(), &[&TLS13]);
    let held = plan("")
        .hold(|mut server| async move {
            up_to_tls(&mut server).await;
            let mut server = server.secure(config).await;
            server.answer(PLAIN).await;
            for _ in 0..3 {
                server.answer("250 Ok\r\n").await;
            }
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    assert!(held.smtp().accepted_recipient());
    assert!(held.smtp().tls.is_some());
    assert_eq!(
        held.heard[3..],
        ["MAIL FROM:<>", "RCPT TO:<postmaster@acme.test>", "RSET", "QUIT"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_at_mail_asks_for_nobody() {
    let held = plan("probe@msp.example")
        .hold(|server| {
            plainly(
                server,
                "550 5.1.8 Sender address rejected\r\n",
                None,
                &["221 Bye\r\n"],
            )
        })
        .await;
    assert_eq!(failed_at(&held).unwrap().0, SmtpStage::Mail);
    assert_eq!(held.heard[1..], ["MAIL FROM:<probe@msp.example>", "QUIT"]);
}

/// RFC 5321 4.5.3.2 gives a server minutes for MAIL and RCPT.
#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_waited_for() {
    let held = plan("probe@msp.example")
        .hold(|mut server| async move {
            server.say("220 mx.acme.test ESMTP\r\n").await;
            server.answer(PLAIN).await;
            server.answer("250 Ok\r\n").await;
            server.hear().await;
            sleep(Duration::from_secs(50)).await;
            server.say("250 Ok\r\n").await;
            server.answer("250 Ok\r\n").await;
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    assert!(held.smtp().accepted_recipient(), "{:?}", held.smtp());
}

/// A session that breaks off before MAIL says nothing of anybody.
#[tokio::test(start_paused = true)]
async fn a_session_that_breaks_off_has_not_asked() {
    let held = plan("probe@msp.example")
        .hold(|mut server| async move {
            server.say("421 Not now\r\n").await;
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    assert!(!held.smtp().has_asked() && !held.smtp().accepted_recipient());
    assert!(matches!(&held.seen.evidence, Evidence::Recipient(_)));
    assert_eq!(held.heard, ["QUIT"]);
}
