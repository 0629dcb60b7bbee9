//! A mailbox that tells of new mail by itself.

use std::time::Duration;

use tokio::time::Instant;

use super::post::{Idle, Manner, Post};
use super::{ourselves, place, send};
use crate::model::CanaryOutcome;
use crate::net::Net as _;
use crate::probe::canary::folder::{Failed, Folder};
use crate::probe::fixtures::context;

fn office(idle: Idle) -> Post {
    Post::new(Manner {
        idle: Some(idle),
        ..Manner::default()
    })
}

async fn open(post: &Post) -> Folder {
    let mut folder = Folder::open(post, &context(), &post.trust, &place(993), "INBOX")
        .await
        .unwrap();
    assert!(folder.idles());
    assert_eq!(folder.news(None, post.now()).await.unwrap().uids, [0_u32; 0]);
    folder
}

#[tokio::test(start_paused = true)]
async fn new_mail_ends_the_wait_at_once() {
    let post = office(Idle::Works);
    let folder = open(&post).await;
    let began = Instant::now();
    let arrives = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        post.put("Subject: hello\r\n\r\nhello\r\n", false);
    };
    let (folder, ()) = futures_util::join!(folder.wait(Duration::from_mins(10)), arrives);
    let waited = began.elapsed();
    assert!(
        (20..25).contains(&waited.as_secs()),
        "{waited:?}: as soon as it is told, not at the end"
    );
    let mut folder = folder.unwrap();
    assert_eq!(folder.news(None, post.now()).await.unwrap().uids, [1]);
    let heard = post.heard();
    let idled: Vec<_> = heard
        .iter()
        .filter(|line| *line == "IDLE" || *line == "DONE")
        .collect();
    assert_eq!(idled, ["IDLE", "DONE"]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_comes_the_session_lives_on() {
    let post = office(Idle::Works);
    let mut folder = open(&post).await;
    for _ in 0..2 {
        let began = Instant::now();
        folder = folder.wait(Duration::from_mins(1)).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 60);
    }
    assert_eq!(folder.news(None, post.now()).await.unwrap().uids, [0_u32; 0]);
    assert_eq!(post.state.lock().unwrap().connections, [993]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_or_not_answered_is_over() {
    let post = office(Idle::Drops(Duration::from_secs(7)));
    let folder = open(&post).await;
    let began = Instant::now();
    let failed = folder.wait(Duration::from_mins(10)).await.map(drop).unwrap_err();
    assert!(matches!(failed, Failed::Passing(_)), "{failed:?}");
    assert_eq!(began.elapsed().as_secs(), 7);

    let post = office(Idle::Silent);
    let folder = open(&post).await;
    let began = Instant::now();
    let failed = folder.wait(Duration::from_mins(10)).await.map(drop).unwrap_err();
    assert_eq!(failed, Failed::Passing("it does not answer in time".into()));
    assert_eq!(began.elapsed().as_secs(), 30);
}

/// Where the server tells of new mail a canary is found as soon as it is there, with few looks.
#[tokio::test(start_paused = true)]
async fn a_canary_is_heard_of() {
    let looks = async |idle| {
        let post = Post::new(Manner {
            idle,
            takes: Some(Duration::from_secs(25)),
            ..Manner::default()
        });
        let began = Instant::now();
        let evidence = send(&post, &ourselves(&["round-trip"], 587), "round-trip").await;
        assert!(
            matches!(evidence.outcome, CanaryOutcome::Arrived { .. }),
            "{evidence:?}"
        );
        assert!(post.left().is_empty());
        let took = began.elapsed().as_secs();
        assert!((25..30).contains(&took), "{took} s");
        let heard = post.heard();
        heard
            .iter()
            .filter(|line| line.starts_with("UID SEARCH UNDELETED SUBJECT"))
            .count()
    };
    let (polled, heard_of) = (looks(None).await, looks(Some(Idle::Works)).await);
    assert!(
        heard_of * 3 < polled,
        "{heard_of} looks, and {polled} where nothing is told"
    );
}

/// One that says it tells of new mail, and does not, is looked into as often as others.
#[tokio::test(start_paused = true)]
async fn a_mailbox_that_does_not_keep_its_word_delays_nothing() {
    for idle in [Idle::Silent, Idle::Drops(Duration::from_secs(1))] {
        let post = Post::new(Manner {
            idle: Some(idle.clone()),
            takes: Some(Duration::from_secs(20)),
            ..Manner::default()
        });
        let began = Instant::now();
        let evidence = send(&post, &ourselves(&["round-trip"], 587), "round-trip").await;
        assert!(
            matches!(evidence.outcome, CanaryOutcome::Arrived { .. }),
            "{idle:?}: {evidence:?}"
        );
        let took = began.elapsed().as_secs();
        assert!(took < 25, "{idle:?}: {took} s");
    }
}
