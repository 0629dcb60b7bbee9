use tokio::sync::mpsc::error::TryRecvError;

use super::*;
use crate::incident::sample::{at, incident};
use crate::model::Incident;
use crate::store::{SqliteStore, Store as _};
use crate::surface::sample;

/// Every ten minutes of a week that begins on Sunday, 22 November 2026, 02:00 UTC.
async fn play(sent: Option<Timestamp>, minutes: std::ops::Range<u64>) -> Vec<Post> {
    let mut store = SqliteStore::in_memory().unwrap();
    let over = Incident {
        state: IncidentState::Resolved,
        resolved: Some(at(5000)),
        ended_by: Some("recovered".into()),
        ..incident(1)
    };
    let batch = Batch {
        incidents: vec![Arc::new(over)],
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    let (keeper, _thread) = Keeper::start(Box::new(store)).unwrap();
    let mut snapshot = sample::calm();
    snapshot.open_incidents.clear();
    let configured = Digests {
        times: "Mon-Fri 08:00 UTC".parse().unwrap(),
        notify: vec!["mail".into()],
        url: None,
    };
    let mut posts = Vec::new();
    let started = at(minutes.start * 60);
    let mut sent = sent;
    for minute in minutes.step_by(10) {
        let desk = Desk {
            snapshots: watch::channel(Arc::new(snapshot.clone())).1,
            keeper: keeper.clone(),
            clock: Arc::new(move || at(minute * 60)),
            sent,
        };
        if let Some(post) = write(Some(configured.clone()), &desk, started).await {
            sent = Some(post.due);
            posts.push(post);
        }
    }
    posts
}

fn told(posts: &[Post]) -> Vec<(String, String)> {
    let told = |post: &Post| (post.due.to_string(), post.notice.subject.clone());
    posts.iter().map(told).collect()
}

#[tokio::test]
async fn one_is_written_at_each_of_its_times() {
    let posts = play(None, 0..3 * 24 * 60).await;
    let expected = [
        ("2026-11-23T08:00:00Z", "Mail since 20 Nov 08:00 UTC: 1 incident"),
        (
            "2026-11-24T08:00:00Z",
            "Mail since 23 Nov 08:00 UTC: nothing happened",
        ),
    ];
    assert_eq!(
        told(&posts),
        expected.map(|(due, subject)| (due.to_owned(), subject.to_owned()))
    );
    assert_eq!(posts[0].notice.event, Event::Digest);
}

#[tokio::test]
async fn what_fell_due_while_we_were_away_is_written_once_and_looks_back_all_the_time() {
    // The last one was sent ten days before; we start on Tuesday at eleven.
    let sent: Timestamp = "2026-11-12T08:00:00Z".parse().unwrap();
    let start = (24 + 24 + 9) * 60;
    let posts = play(Some(sent), start..start + 60).await;
    let expected = ("2026-11-24T08:00:00Z", "Mail since 12 Nov 08:00 UTC: 1 incident");
    assert_eq!(told(&posts), [(expected.0.to_owned(), expected.1.to_owned())]);
    // And without any before, nobody knows that one was missed.
    assert!(play(None, start..start + 60).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_posted_once() {
    let (_settings, settings) = watch::channel(Some(Digests {
        times: "Mon-Sun 08:00 UTC".parse().unwrap(),
        notify: vec!["mail".into()],
        url: None,
    }));
    let (keeper, _thread) = Keeper::start(Box::new(SqliteStore::in_memory().unwrap())).unwrap();
    let desk = Desk {
        snapshots: watch::channel(Arc::new(sample::calm())).1,
        keeper,
        clock: Arc::new(|| at(7 * 3600)),
        sent: Some(at(0)),
    };
    let (commands, mut posted) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(settings, desk, commands, stop.clone()));
    let Some(Command::Post(post)) = posted.recv().await else {
        panic!("nothing was posted");
    };
    assert_eq!(post.due.to_string(), "2026-11-22T08:00:00Z");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(matches!(posted.try_recv(), Err(TryRecvError::Empty)));
    stop.cancel();
    task.await.unwrap();
}

#[test]
fn what_was_sent_is_taken_out_of_what_a_store_remembers() {
    let ours = Fact {
        subject: SUBJECT.into(),
        name: NAME.into(),
        value: at(60).to_string().into(),
    };
    let other = Fact {
        subject: "a.test".into(),
        name: "mx".into(),
        value: 1.into(),
    };
    let mut memory = Loaded {
        facts: vec![ours, other.clone()],
        ..Loaded::default()
    };
    assert_eq!(last_sent(&mut memory), Some(at(60)));
    assert_eq!(memory.facts, [other]);
    assert_eq!(last_sent(&mut memory), None);
}
