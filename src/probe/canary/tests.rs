//! Canaries through a small post office that does right and wrong.
#![allow(clippy::disallowed_methods, reason = "the paused clock is the tests' own")]

mod idle;
pub(crate) mod post;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use secrecy::SecretString;

use super::{Canaries, Identity, Place, Plan, run};
use crate::model::smtp::SmtpFailureKind;
use crate::model::{CanaryEvidence, CanaryOutcome, CanaryStage, ClientId, Code, DialError, Evidence};
use crate::probe::Context;
use crate::probe::fixtures::context;
use post::{Manner, Post, SERVER};

fn place(port: u16) -> Place {
    Place {
        host: SERVER.parse().unwrap(),
        port,
        identity: Some(Identity::with_password(
            "canary",
            Arc::new(|| Ok(SecretString::from("hunter2"))),
        )),
    }
}

fn acme() -> ClientId {
    ClientId::parse("acme").unwrap()
}

/// Ourselves with these canaries, each handed in at this port.
fn ourselves(names: &[&str], port: u16) -> Context {
    between(names, place(port), place(993))
}

/// Likewise, from one place to another.
fn between(names: &[&str], submit: Place, mailbox: Place) -> Context {
    let plan = Plan {
        submit,
        from: "canary@acme.test".into(),
        to: "canary@acme.test".into(),
        mailbox,
        sender: None,
        deadline: Duration::from_mins(1),
    };
    let plans: BTreeMap<_, _> = names
        .iter()
        .map(|name| ((acme(), Arc::from(*name)), plan.clone()))
        .collect();
    let canaries = Canaries::new(plans);
    canaries.sign_with(&[7; 32]);
    Context {
        canaries: Arc::new(canaries),
        ..context()
    }
}

async fn send(post: &Post, context: &Context, name: &str) -> CanaryEvidence {
    let seen = run(post, context, &post.trust, &acme(), &name.into()).await;
    match seen.evidence {
        Evidence::Canary(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

async fn outcome(manner: Manner, port: u16) -> CanaryOutcome {
    let post = Post::new(manner);
    send(&post, &ourselves(&["round-trip"], port), "round-trip")
        .await
        .outcome
}

#[rstest]
#[case::submission(587, "AUTH PLAIN LOGIN")]
#[case::submissions(465, "AUTH PLAIN")]
#[case::old_fashioned(587, "AUTH LOGIN")]
#[tokio::test(start_paused = true)]
async fn a_canary_arrives_and_leaves_nothing_behind(#[case] port: u16, #[case] auth: &'static str) {
    let post = Post::new(Manner {
        auth,
        stamps: "Received: from a by mx.acme.test; Mon, 1 Jun 2026 00:00:01 +0000\r\n\
                 Authentication-Results: mx.acme.test; spf=pass smtp.mailfrom=acme.test\r\n"
            .into(),
        ..Manner::default()
    });
    let evidence = send(&post, &ourselves(&["round-trip"], port), "round-trip").await;
    let CanaryOutcome::Arrived {
        after,
        junk,
        hops,
        results,
        ..
    } = &evidence.outcome
    else {
        panic!("{evidence:?}")
    };
    assert_eq!((after.as_secs(), junk), (3, &None));
    assert_eq!(hops[0], ("mx.acme.test".to_owned(), Duration::from_secs(1)));
    assert_eq!(results[0].result, "pass");
    assert!(post.left().is_empty(), "{:?}", post.left());
    let transcript = evidence.transcript.join("\n");
    for secret in ["hunter2", "aHVudGVyMg", "AGNhbmFyeQBodW50ZXIy"] {
        assert!(!transcript.contains(secret), "{transcript}");
    }
    assert_eq!(post.heard().last().map(String::as_str), Some("LOGOUT"));
}

#[tokio::test(start_paused = true)]
async fn a_canary_in_the_junk_folder_is_found_there() {
    let manner = Manner {
        folder: "Bulk",
        ..Manner::default()
    };
    let found = outcome(manner, 587).await;
    assert!(
        matches!(&found, CanaryOutcome::Arrived { junk: Some(folder), .. } if folder == "Bulk"),
        "{found:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_never_comes_is_lost_and_what_comes_late_is_matched() {
    let post = Post::new(Manner {
        takes: Some(Duration::from_secs(90)),
        ..Manner::default()
    });
    let ourselves = ourselves(&["round-trip"], 587);
    let lost = send(&post, &ourselves, "round-trip").await;
    assert!(matches!(&lost.outcome, CanaryOutcome::Lost { accepted, .. } if accepted.contains("4711")));
    tokio::time::sleep(Duration::from_mins(1)).await;
    post.manner.lock().unwrap().takes = Some(Duration::from_secs(2));
    let next = send(&post, &ourselves, "round-trip").await;
    assert!(matches!(next.outcome, CanaryOutcome::Arrived { .. }));
    assert_eq!(next.late.len(), 1);
    assert_eq!((&next.late[0].id, next.late[0].after.as_secs()), (&lost.id, 90));
    assert!(post.left().is_empty());
}

/// Neither what looks like a canary nor what somebody else has marked is ever touched.
#[rstest]
#[case::with_uidplus(true)]
#[case::without(false)]
#[tokio::test(start_paused = true)]
async fn nothing_but_our_own_is_touched(#[case] uidplus: bool) {
    let post = Post::new(Manner {
        uidplus,
        ..Manner::default()
    });
    post.put(
        "Subject: mailflow canary 1-x\r\nX-Mailflow-Canary: v1;acme/round-trip;1;x;00\r\n\r\nforged\r\n",
        false,
    );
    post.put("Subject: an invoice\r\n\r\nhello\r\n", true);
    let evidence = send(&post, &ourselves(&["round-trip"], 587), "round-trip").await;
    assert!(matches!(evidence.outcome, CanaryOutcome::Arrived { .. }));
    let left = post.left();
    let others: Vec<_> = left
        .iter()
        .filter(|mail| mail.uid <= 2)
        .map(|mail| (mail.uid, mail.deleted))
        .collect();
    assert_eq!(others, [(1, false), (2, true)]);
    // Without UIDPLUS ours waits, marked, until nobody else's would go with it.
    assert!(left.iter().filter(|mail| mail.uid > 2).all(|mail| mail.deleted));
}

#[rstest]
#[case::refused_sender(("MAIL", "550 5.7.1 Not yours"), CanaryStage::Mail)]
#[case::refused_recipient(("RCPT", "550 5.1.1 Unknown"), CanaryStage::Rcpt)]
#[case::full(("DATA", "452 4.3.1 Full"), CanaryStage::Data)]
#[case::busy(("AUTH", "454 4.7.0 Temporary authentication failure"), CanaryStage::Login)]
#[tokio::test(start_paused = true)]
async fn what_is_not_taken_says_where(#[case] says: (&'static str, &'static str), #[case] at: CanaryStage) {
    let manner = Manner {
        says: vec![says],
        ..Manner::default()
    };
    let found = outcome(manner, 587).await;
    assert!(
        matches!(&found, CanaryOutcome::NotSubmitted { stage, kind: SmtpFailureKind::Reply(_), .. } if *stage == at),
        "{found:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn our_own_password_is_ours() {
    let says = |verb, line| Manner {
        says: vec![(verb, line)],
        ..Manner::default()
    };
    let at_submission = outcome(says("AUTH", "535 5.7.8 Authentication failed"), 587).await;
    assert!(matches!(
        at_submission,
        CanaryOutcome::LoginRefused {
            at_mailbox: false,
            ..
        }
    ));
    let post = Post::new(says("LOGIN", "NO [AUTHENTICATIONFAILED] no"));
    let at_mailbox = send(&post, &ourselves(&["round-trip"], 587), "round-trip").await;
    assert!(matches!(
        &at_mailbox.outcome,
        CanaryOutcome::LoginRefused { at_mailbox: true, said, token: None } if said == "[AUTHENTICATIONFAILED] no"
    ));
    let logins = post
        .heard()
        .iter()
        .filter(|line| line.starts_with("LOGIN"))
        .count();
    assert_eq!(logins, 1, "a wrong password is tried once");
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_away() {
    let down = |port| Manner {
        down: vec![port],
        ..Manner::default()
    };
    let found = outcome(down(587), 587).await;
    assert!(matches!(
        found,
        CanaryOutcome::NotSubmitted {
            stage: CanaryStage::Connect,
            kind: SmtpFailureKind::Dial(DialError::Timeout),
            ..
        }
    ));
    assert!(matches!(
        outcome(down(993), 587).await,
        CanaryOutcome::MailboxUnreachable { .. }
    ));
}

/// A password goes to nobody who cannot prove who he is.
#[tokio::test(start_paused = true)]
async fn no_password_without_trust() {
    let manner = Manner {
        starttls: false,
        ..Manner::default()
    };
    let post = Post::new(manner);
    let evidence = send(&post, &ourselves(&["round-trip"], 587), "round-trip").await;
    assert!(
        matches!(evidence.outcome, CanaryOutcome::NotTrusted { .. }),
        "{evidence:?}"
    );
    assert!(post.heard().iter().all(|line| !line.starts_with("AUTH")));
    let mut stranger = Post::new(Manner::default());
    stranger.trust = Post::new(Manner::default()).trust;
    let evidence = send(&stranger, &ourselves(&["round-trip"], 587), "round-trip").await;
    assert!(
        matches!(evidence.outcome, CanaryOutcome::NotTrusted { .. }),
        "{evidence:?}"
    );
    assert!(stranger.heard().iter().all(|line| !line.starts_with("AUTH")));
}

const REFUSED: &str = "550 198.51.100.10 is listed at bl.test";

fn is_blocked(outcome: &CanaryOutcome) -> bool {
    matches!(
        outcome,
        CanaryOutcome::Returned { code: Some(Code::ReputationSenderBlocked), by: Some(by), said, .. }
            if by == "mx.partner.test" && said == REFUSED
    )
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_says_why_and_is_taken_away() {
    let post = Post::new(Manner {
        refused: Some(REFUSED),
        ..Manner::default()
    });
    let foreign = "From: MAILER-DAEMON@mx.acme.test\r\nContent-Type: multipart/report\r\n\r\nX-Mailflow-Canary: v1;x\r\n";
    post.put(foreign, false);
    let evidence = send(&post, &ourselves(&["round-trip"], 587), "round-trip").await;
    assert!(is_blocked(&evidence.outcome), "{evidence:?}");
    let left = post.left();
    assert_eq!(left.len(), 1, "of other people's bounces none is touched");
    assert!(!left[0].deleted && left[0].text == foreign, "{left:?}");
}

/// A message to somebody else comes back to its sender, in whose mailbox we look as well.
#[tokio::test(start_paused = true)]
async fn what_went_elsewhere_comes_back_to_its_sender() {
    let post = Post::new(Manner {
        refused: Some(REFUSED),
        down: vec![143],
        ..Manner::default()
    });
    let plan = Plan {
        submit: place(587),
        from: "canary@acme.test".into(),
        to: "canary@partner.test".into(),
        mailbox: place(143),
        sender: Some(place(993)),
        deadline: Duration::from_mins(1),
    };
    let plans = [((acme(), Arc::from("to-partner")), plan)];
    let canaries = Canaries::new(plans.into_iter().collect());
    canaries.sign_with(&[7; 32]);
    let ourselves = Context {
        canaries: Arc::new(canaries),
        ..context()
    };
    let evidence = send(&post, &ourselves, "to-partner").await;
    assert!(is_blocked(&evidence.outcome), "{evidence:?}");
    assert!(post.left().is_empty(), "{:?}", post.left());
}

/// Many canaries of one mailbox share one session.
#[tokio::test(start_paused = true)]
async fn one_session_a_mailbox_and_few_that_hand_in() {
    let names: Vec<String> = (0..20).map(|index| format!("c{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let post = Post::new(Manner::default());
    let ourselves = ourselves(&names, 587);
    let all = names.iter().map(|name| send(&post, &ourselves, name));
    let all = futures_util::future::join_all(all).await;
    for evidence in all {
        assert!(
            matches!(evidence.outcome, CanaryOutcome::Arrived { .. }),
            "{evidence:?}"
        );
        assert_eq!(evidence.late, []);
    }
    let state = post.state.lock().unwrap();
    assert_eq!(state.most_open_mailboxes, 1);
    assert!(
        state.most_open_submissions <= super::AT_ONE_SERVER,
        "{}",
        state.most_open_submissions
    );
    let looks = state
        .heard
        .iter()
        .filter(|line| line.starts_with("SELECT INBOX") || line.starts_with("SELECT \"INBOX\""))
        .count();
    assert!(looks < 12, "{looks} looks for 20 canaries");
    drop(state);
    assert!(post.left().is_empty());
}

/// Two names may lead to one mailbox: whoever looks first takes the messages of both.
#[tokio::test(start_paused = true)]
async fn one_mailbox_by_two_names() {
    let post = Post::new(Manner::default());
    let plan = |user: &str| Plan {
        submit: place(587),
        from: "canary@acme.test".into(),
        to: "canary@acme.test".into(),
        mailbox: Place {
            identity: Some(Identity::with_password(
                user,
                Arc::new(|| Ok(SecretString::from("hunter2"))),
            )),
            ..place(993)
        },
        sender: None,
        deadline: Duration::from_secs(20),
    };
    let plans = [("one", plan("canary")), ("two", plan("canary@acme.test"))];
    let plans = plans.map(|(name, plan)| ((acme(), Arc::from(name)), plan));
    let canaries = Canaries::new(plans.into());
    canaries.sign_with(&[7; 32]);
    let ourselves = Context {
        canaries: Arc::new(canaries),
        ..context()
    };
    let both = futures_util::future::join(send(&post, &ourselves, "one"), send(&post, &ourselves, "two"));
    let (one, two) = both.await;
    for evidence in [one, two] {
        assert!(
            matches!(evidence.outcome, CanaryOutcome::Arrived { .. }),
            "{evidence:?}"
        );
    }
}
