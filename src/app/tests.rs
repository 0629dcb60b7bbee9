//! The daemon's loop over a small internet in memory, with a real store: what is kept over a crash, what is said
//! to whom, and what a reload changes.

mod daemon;
mod disk;
mod look;
mod strangers;
mod survey;

use rstest::rstest;

use jiff::Timestamp;

use super::start::{engine, settle};
use super::*;
use crate::config::{self, Config, StoreUrl};
use crate::model::{Code, DomainName, Event};
use crate::model::{State, Target};
use crate::net::fake::{Peer, Reach};
use crate::snapshot::Snapshot;
use crate::store::{Loaded, SqliteStore, Store};
use crate::surface::metrics::{self, ProcessFacts};
use daemon::{Bench, CONFIG, Daemon, Dying, MX_ACME, MX_BETA, ROUTER, configured};

fn domain(text: &str) -> Target {
    Target::Domain(DomainName::parse(text).unwrap())
}

fn state(daemon: &Daemon, name: &str) -> (State, &'static str) {
    let snapshot = daemon.snapshots.borrow();
    let verdict = &snapshot.domains[&DomainName::parse(name).unwrap()];
    (
        verdict.state,
        verdict.cause.as_ref().map_or("", |cause| cause.code.as_str()),
    )
}

fn events(bench: &Bench) -> Vec<Event> {
    bench
        .received()
        .iter()
        .map(|message| message.notice.event)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_so_is_its_end() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    assert_eq!(state(&daemon, "acme.test"), (State::Flowing, ""));
    bench.net.set_reach(ROUTER, Reach::Silent);
    bench.net.set_reach(MX_ACME, Reach::Silent);
    daemon.run(60.0).await;
    assert_eq!(state(&daemon, "acme.test"), (State::Broken, "gateway.down"));
    assert_eq!(state(&daemon, "beta.test"), (State::Flowing, ""));
    assert_eq!(events(&bench), [Event::Opened]);
    bench.net.set_reach(ROUTER, Reach::Answers);
    bench.net.set_reach(MX_ACME, Reach::Answers);
    daemon.run(30.0).await;
    assert_eq!(events(&bench), [Event::Opened, Event::Resolved]);
    let keys: Vec<String> = bench
        .received()
        .iter()
        .map(|one| one.notice.dedup_key.clone())
        .collect();
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_at_first_sight_wakes_nobody() {
    let bench = Bench::new();
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    let mut daemon = bench.start(CONFIG);
    daemon.run(40.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Broken, "host.refused"));
    daemon.kill();
    let mut daemon = bench.start(CONFIG);
    daemon.run(40.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Broken, "host.refused"));
    bench.net.listen((MX_BETA, 25), Peer::mail("mx.beta.test"));
    daemon.run(40.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Flowing, ""));
    assert_eq!(events(&bench), [], "neither its beginning nor its end");
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.run(40.0).await;
    assert_eq!(events(&bench), [Event::Opened], "but a turn after flowing does");
}

/// The process dies right after its n-th write of an outage (the incident; the message; what became of it), or
/// before the first; a new one takes over at once, the fault heals, and all messages together tell of one incident.
#[rstest]
#[case::before_anything(0, Dying::Mute)]
#[case::incident_written(1, Dying::Mute)]
#[case::message_written(2, Dying::Mute)]
#[case::message_sent(2, Dying::WithLastWords)]
#[case::outcome_written(3, Dying::Mute)]
#[tokio::test(start_paused = true)]
async fn a_kill_at_any_write_loses_and_doubles_nothing(#[case] writes: i64, #[case] dying: Dying) {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.lives_for(writes, dying);
    daemon.run(20.0).await;
    daemon.kill();
    let mut daemon = bench.start(CONFIG);
    daemon.run(40.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Broken, "host.refused"));
    bench.net.listen((MX_BETA, 25), Peer::mail("mx.beta.test"));
    daemon.run(40.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Flowing, ""));
    one_story(&bench);
    daemon.kill();
}

/// The process dies in the middle of healing, and the end is told all the same.
#[rstest]
#[case::before_anything(0, Dying::Mute)]
#[case::end_written(1, Dying::Mute)]
#[case::end_sent(1, Dying::WithLastWords)]
#[case::outcome_written(2, Dying::Mute)]
#[tokio::test(start_paused = true)]
async fn a_kill_while_it_heals_loses_and_doubles_nothing(#[case] writes: i64, #[case] dying: Dying) {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.run(30.0).await;
    assert_eq!(events(&bench), [Event::Opened]);
    bench.net.listen((MX_BETA, 25), Peer::mail("mx.beta.test"));
    daemon.lives_for(writes, dying);
    daemon.run(20.0).await;
    daemon.kill();
    let mut daemon = bench.start(CONFIG);
    daemon.run(40.0).await;
    one_story(&bench);
}

/// It healed while nobody watched: the end is told after the restart.
#[tokio::test(start_paused = true)]
async fn what_heals_while_we_are_away_is_resolved_afterwards() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.run(30.0).await;
    daemon.kill();
    bench.net.listen((MX_BETA, 25), Peer::mail("mx.beta.test"));
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    one_story(&bench);
}

/// What protects a listener on loopback may not be enough for another one.
#[tokio::test]
async fn a_reload_does_not_move_the_listener() {
    let net = Arc::new(Bench::new().net.clone());
    let moved = format!("[server]\nlisten = '127.0.0.1:1'\n{CONFIG}");
    let (sender, mut commands) = mpsc::channel(1);
    let reload = Reload {
        settle: Arc::new(move || settle(configured(&moved), &*net)),
        commands: sender,
        notifiers: Arc::default(),
        listen: "127.0.0.1:9525".parse().unwrap(),
    };
    let error = reload.reload().await.unwrap_err();
    assert_eq!(
        error,
        "server.listen has changed from 127.0.0.1:9525 to 127.0.0.1:1: that takes a restart"
    );
    assert!(matches!(commands.recv().await, Some(Command::ReloadFailed)));
}

/// One incident, told as opened and as resolved under one key. A message that came twice is the very same one.
fn one_story(bench: &Bench) {
    let mut received = bench.received();
    // As it is kept and sent: what only the judgement needs is not part of it.
    received.dedup_by_key(|one| (one.id, serde_json::to_string(&one.notice).unwrap()));
    let story: Vec<Event> = received.iter().map(|one| one.notice.event).collect();
    assert_eq!(story, [Event::Opened, Event::Resolved], "{received:#?}");
    assert_eq!(received[0].notice.dedup_key, received[1].notice.dedup_key);
    let incidents = bench.incidents();
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert!(!incidents[0].is_open());
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_leaves_the_configuration_takes_everything_with_it() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.run(30.0).await;
    assert!(metrics_text(&daemon).contains("domain=\"beta.test\""));
    let (kept, _) = CONFIG.split_once("[[clients]]\nname = \"BETA\"").unwrap();
    daemon.reload(kept).await;
    let dials = bench.net.counts(MX_BETA).dials;
    daemon.run(30.0).await;
    assert_eq!(events(&bench), [Event::Opened, Event::Resolved]);
    let ended = &bench.incidents()[0];
    assert_eq!(ended.ended_by.as_deref(), Some("removed"));
    let text = metrics_text(&daemon);
    assert!(!text.contains("beta"), "{text}");
    assert!(text.contains("domain=\"acme.test\""));
    assert_eq!(
        bench.net.counts(MX_BETA).dials,
        dials,
        "nobody knocks there any more"
    );
    assert_eq!(
        state(&daemon, "acme.test"),
        (State::Flowing, ""),
        "what stays keeps its state"
    );
    daemon.kill();
    let daemon = bench.start(kept);
    assert!(daemon.snapshots.borrow().open_incidents.is_empty());
    assert_eq!(bench.turns(&domain("beta.test")), 0, "and is forgotten");
}

#[tokio::test(start_paused = true)]
async fn what_people_do_outlives_a_crash() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    let silence = daemon.silence("beta", bench.net.now()).await;
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.kill();
    let mut daemon = bench.start(CONFIG);
    daemon.run(40.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Broken, "host.refused"));
    assert_eq!(events(&bench), [], "it is silenced");
    daemon.lift(&silence).await;
    daemon.run(1.0).await;
    assert_eq!(events(&bench), [Event::Opened]);
    let id = daemon.snapshots.borrow().open_incidents[0].id;
    assert_eq!(daemon.acknowledge(id).await, Some("anna".into()));
    daemon.run(1.0).await;
    daemon.kill();
    let mut daemon = bench.start(CONFIG);
    daemon.run(5.0).await;
    let taken = daemon.snapshots.borrow().open_incidents[0].acknowledged.clone();
    assert_eq!(taken.map(|taken| taken.by), Some("anna".into()));
    bench.net.listen((MX_BETA, 25), Peer::mail("mx.beta.test"));
    daemon.run(40.0).await;
    let story = [Event::Opened, Event::Acknowledged, Event::Resolved];
    assert_eq!(events(&bench), story);
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_counts_no_longer_until_that_ends() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    bench.net.listen((MX_BETA, 25), Peer::Refuse);
    daemon.run(30.0).await;
    assert_eq!(events(&bench), [Event::Opened]);
    let accepted = daemon.accept("beta.test", bench.net.now()).await;
    daemon.run(30.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Flowing, ""));
    assert_eq!(events(&bench), [Event::Opened, Event::Resolved]);
    assert_eq!(bench.incidents()[0].ended_by.as_deref(), Some("accepted"));
    daemon.lift(&accepted).await;
    daemon.run(30.0).await;
    assert_eq!(state(&daemon, "beta.test"), (State::Broken, "host.refused"));
    assert_eq!(events(&bench).len(), 3);
}

fn metrics_text(daemon: &Daemon) -> String {
    let snapshot = Arc::clone(&daemon.snapshots.borrow());
    metrics::render(
        &snapshot,
        metrics::Wanted::All(ProcessFacts::default(), None),
        metrics::Format::Classic,
    )
    .unwrap()
}

/// The ways of a client's mail that are watched.
fn ways(daemon: &Daemon) -> Vec<(String, State)> {
    let snapshot = daemon.snapshots.borrow();
    let all = snapshot.routes.iter();
    all.map(|((client, to), verdict)| (format!("{client} to {to}"), verdict.state))
        .collect()
}

/// Somebody has it watched for a week whether mail to a domain gets there that nobody configured: over a crash, a restart
/// and a reload; then, or when they no longer want it, its incident ends with it.
#[tokio::test(start_paused = true)]
async fn a_way_is_watched_by_hand_until_that_ends() {
    let bench = Bench::new();
    let zones = "gamma.test. 5 MX 10 mx.gamma.test.\nmx.gamma.test. 5 A 203.0.113.77";
    bench.net.add(zones).unwrap();
    let mx = ([203, 0, 113, 77], 25);
    bench.net.listen(mx, Peer::mail("mx.gamma.test"));
    let mut daemon = bench.start(CONFIG);
    daemon.run(20.0).await;
    assert_eq!(ways(&daemon), []);
    let until = bench.net.now() + jiff::SignedDuration::from_hours(1);
    let watch = daemon.watch("acme", "gamma.test", until).await;
    daemon.run(30.0).await;
    let flows = [("acme to gamma.test".to_owned(), State::Flowing)];
    assert_eq!(ways(&daemon), flows);
    assert_eq!(state(&daemon, "acme.test").0, State::Flowing);
    daemon.kill();
    let mut daemon = bench.start(CONFIG);
    daemon.run(30.0).await;
    assert_eq!(ways(&daemon), flows);
    bench.net.listen(mx, Peer::Refuse);
    daemon.run(30.0).await;
    assert_eq!(events(&bench), [Event::Opened]);
    daemon.reload(CONFIG).await;
    daemon.run(30.0).await;
    assert_eq!(ways(&daemon)[0].1, State::Broken);
    assert_eq!(events(&bench), [Event::Opened]);
    daemon.lift(&watch).await;
    daemon.run(5.0).await;
    assert_eq!(ways(&daemon), []);
    assert_eq!(events(&bench), [Event::Opened, Event::Resolved]);
    assert_eq!(bench.incidents()[0].ended_by.as_deref(), Some("removed"));
}

#[tokio::test(start_paused = true)]
async fn what_is_watched_by_hand_ends_by_itself() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    let until = bench.net.now() + jiff::SignedDuration::from_secs(60);
    daemon.watch("acme", "nowhere.test", until).await;
    daemon.run(55.0).await;
    assert_eq!(ways(&daemon).len(), 1);
    daemon.run(30.0).await;
    assert_eq!(ways(&daemon), []);
}
