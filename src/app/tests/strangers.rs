//! Domains that are not configured, looked at for whoever asks.

use std::time::Duration;

use super::daemon::configured;
use super::prober::{Asking, Prober};
use super::*;
use crate::model::ClientId;
use crate::surface::http::{ProbeError, Prober as _};

const PROBE_ANY: &str = "[server]\nprobe_any = true\n";
const PATIENCE: Duration = Duration::from_secs(9);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A prober of this configuration beside a daemon, and the number of SMTP sessions with the server that it finds.
fn prober(bench: &Bench, daemon: &Daemon, config: &str) -> Prober<crate::net::fake::FakeNet> {
    bench
        .net
        .add("gamma.test. 5 MX 10 mx.gamma.test.\nmx.gamma.test. 5 A 203.0.113.77")
        .unwrap();
    bench
        .net
        .listen(([203, 0, 113, 77], 25), Peer::mail("mx.gamma.test"));
    let net = Arc::new(bench.net.clone());
    let config = configured(config);
    let (inventory, context, trust) = start::vantage(&config, &*net).unwrap();
    let asking = Asking::configured(
        &Arc::new(config),
        &Arc::new(inventory),
        &context,
        &Arc::new(trust),
    );
    let (_, asked) = watch::channel(asking);
    Prober::new(&net, daemon.snapshots.clone(), asked)
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_looked_at_once_an_interval() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(20.0).await;
    let prober = prober(&bench, &daemon, &format!("{PROBE_ANY}{CONFIG}"));
    let sessions = || bench.net.counts([203, 0, 113, 77]).dials;
    let seen = prober.probe(name("gamma.test"), PATIENCE).await.unwrap();
    assert_eq!(seen.domains.keys().collect::<Vec<_>>(), [&name("gamma.test")]);
    let verdict = &seen.domains[&name("gamma.test")];
    assert_eq!((verdict.state, &verdict.client), (State::Flowing, &None));
    let after_one = sessions();
    assert!(after_one > 0);
    prober.probe(name("gamma.test"), PATIENCE).await.unwrap();
    assert_eq!(sessions(), after_one, "it was looked at a moment ago");
    tokio::time::sleep(Duration::from_secs(6)).await;
    bench.net.listen(([203, 0, 113, 77], 25), Peer::Refuse);
    let seen = prober.probe(name("gamma.test"), PATIENCE).await.unwrap();
    assert_eq!(seen.domains[&name("gamma.test")].state, State::Broken);
    assert!(
        daemon.snapshots.borrow().domains.len() == 2,
        "strangers are not watched"
    );
}

#[tokio::test(start_paused = true)]
async fn without_probe_any_nobody_is_looked_at() {
    let bench = Bench::new();
    let daemon = bench.start(CONFIG);
    let prober = prober(&bench, &daemon, CONFIG);
    let answer = prober.probe(name("gamma.test"), PATIENCE).await;
    assert_eq!(answer.err(), Some(ProbeError::Unwatched));
    assert_eq!(bench.net.counts([203, 0, 113, 77]).dials, 0);
}

#[tokio::test(start_paused = true)]
async fn a_look_ends_in_time_and_says_unknown() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(20.0).await;
    let prober = prober(&bench, &daemon, &format!("{PROBE_ANY}{CONFIG}"));
    bench.net.set_reach([203, 0, 113, 77], Reach::Silent);
    let began = bench.net.now();
    let within = Duration::from_secs(2);
    let seen = prober.probe(name("gamma.test"), within).await.unwrap();
    assert_eq!(seen.domains[&name("gamma.test")].state, State::Unknown);
    assert!(bench.net.now().duration_since(began) <= jiff::SignedDuration::from_millis(2_100));
}

/// A route that nobody configured: what the sender publishes is looked at too, and the daemon watches nothing new.
#[tokio::test(start_paused = true)]
async fn a_client_asks_for_somebody() {
    let bench = Bench::new();
    let mut daemon = bench.start(CONFIG);
    daemon.run(20.0).await;
    let prober = prober(&bench, &daemon, CONFIG);
    let route = Target::Route(ClientId::parse("acme").unwrap(), name("gamma.test"));
    let patience = Duration::from_secs(25);
    let seen = prober.check(route.clone(), patience).await.unwrap();
    assert_eq!((&seen.target, seen.state), (&route, State::Flowing), "{seen:?}");
    tokio::time::sleep(Duration::from_secs(6)).await;
    bench.net.listen(([203, 0, 113, 77], 25), Peer::Refuse);
    let seen = prober.check(route, patience).await.unwrap();
    assert_eq!(seen.state, State::Broken);
    let watched = daemon.snapshots.borrow();
    assert_eq!((watched.routes.len(), watched.domains.len()), (0, 2));
    let stranger = Target::Route(ClientId::parse("nobody").unwrap(), name("gamma.test"));
    drop(watched);
    assert_eq!(
        prober.check(stranger, patience).await.err(),
        Some(ProbeError::Unwatched)
    );
}
