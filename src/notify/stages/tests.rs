mod hands;

use super::*;
use crate::incident::Policy;
use crate::incident::sample::{acme, at, cause, domain, root, router, vantage, verdict};
use crate::model::{Code, RootKind, State, Target, Verdict};
use crate::notify::Watch;
use crate::snapshot::{NotifierCounts, NotifierHealth};

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn bravo() -> ClientId {
    ClientId::parse("bravo").unwrap()
}

fn pipeline() -> Pipeline {
    let routing = Routing {
        by_client: [(acme(), names(&["acme-desk", "boss"]))].into(),
        otherwise: names(&["oncall", "boss"]),
        all: names(&["acme-desk", "boss", "oncall"]),
        later: vec![names(&["manager"])],
        ..Routing::default()
    };
    Pipeline::new(routing, Wording::default(), 1)
}

fn life() -> Lifecycle {
    let mut life = Lifecycle::new(Policy {
        group_wait: std::time::Duration::ZERO,
        critical_after: std::time::Duration::ZERO,
        ..Policy::default()
    });
    for target in [router(), vantage(), domain("acme.test"), domain("bravo.test")] {
        life.judge(&verdict(&target, State::Flowing, None), at(0));
    }
    life
}

fn down(target: &Target, client: ClientId) -> Verdict {
    let cause = cause(Code::ProviderOutage, root(RootKind::Provider, "BIGMAIL"));
    Verdict {
        client: Some(client),
        ..verdict(target, State::Broken, Some(cause))
    }
}

fn sent(step: &Step) -> Vec<String> {
    step.messages
        .iter()
        .map(|message| {
            format!(
                "{} {} {}",
                message.id,
                message.notifier,
                message.notice.event.as_str()
            )
        })
        .collect()
}

#[test]
fn each_client_has_its_own_notifiers_and_nobody_is_told_twice() {
    let (mut life, mut pipeline) = (life(), pipeline());
    life.judge(&down(&domain("acme.test"), acme()), at(1));
    life.judge(&down(&domain("bravo.test"), bravo()), at(1));
    let begun = step(&mut life, &mut pipeline, at(1));
    assert_eq!(
        sent(&begun),
        ["1 acme-desk opened", "2 boss opened", "3 oncall opened"]
    );
    let log: Vec<&str> = begun.rows.incidents[0]
        .log
        .iter()
        .map(|entry| entry.text.as_str())
        .collect();
    insta::assert_snapshot!(log.join("\n"), @"
    opened: provider.outage at BIGMAIL
    joined: acme.test, bravo.test
    severity critical
    is told at 2026-11-22T02:00:01Z unless it ends before
    route: acme names acme-desk, boss
    route: oncall, boss, for everything that is not routed otherwise
    group: one message for 2 with one cause
    mute: nothing holds it back
    dedupe: who is named twice is told once
    deliver: opened is queued for acme-desk, boss, oncall
    ");
}

#[test]
fn the_end_goes_to_whoever_heard_the_beginning() {
    let (mut life, mut pipeline) = (life(), pipeline());
    life.judge(&down(&domain("acme.test"), acme()), at(1));
    assert_eq!(
        sent(&step(&mut life, &mut pipeline, at(1))),
        ["1 acme-desk opened", "2 boss opened"]
    );
    pipeline.set(Routing::default(), Wording::default());
    life.judge(&verdict(&domain("acme.test"), State::Flowing, None), at(2));
    assert_eq!(
        sent(&step(&mut life, &mut pipeline, at(2))),
        ["3 acme-desk resolved", "4 boss resolved"]
    );
    assert!(step(&mut life, &mut pipeline, at(3)).rows.is_empty());
}

/// Whoever reads a message takes its incident on by a link of that message alone, as long as there is something to take on.
#[test]
fn each_message_has_its_own_link_to_take_it_on() {
    let (mut life, mut pipeline) = (life(), pipeline());
    let seal = Seal::new(&[7; 32]);
    pipeline.sign_with(seal.clone());
    let base = "https://mail.msp.example";
    let wording = Wording {
        url: Some(base.into()),
        ..Wording::default()
    };
    pipeline.set(pipeline.routing.clone(), wording);
    life.judge(&down(&domain("acme.test"), acme()), at(1));
    let begun = step(&mut life, &mut pipeline, at(1));
    for message in &begun.messages {
        let (notice, id) = (&message.notice, message.incident().unwrap().to_string());
        let url = notice.take_url.as_deref().unwrap();
        let start = format!("{base}/take/{id}/{}?link=", message.notifier);
        let mark = url.strip_prefix(&start).unwrap();
        let parts = links::take_parts(&id, &message.notifier);
        assert!(seal.verify(&parts, mark, at(2)).is_ok());
        assert!(
            seal.verify(&links::take_parts(&id, "another"), mark, at(2))
                .is_err()
        );
        assert!(
            notice.body.ends_with(&format!("Take it on: {url}\n")),
            "{}",
            notice.body
        );
        assert!(
            !notice.text.contains(mark),
            "what is read aloud or shown on a screen has none"
        );
    }
    let id = begun.messages[0].incident().unwrap();
    life.acknowledge(id, "anna", at(2)).unwrap();
    let taken = step(&mut life, &mut pipeline, at(2));
    life.judge(&verdict(&domain("acme.test"), State::Flowing, None), at(3));
    let ended = step(&mut life, &mut pipeline, at(3));
    let later = taken.messages.iter().chain(&ended.messages);
    assert!(later.clone().count() >= 2);
    for message in later {
        assert_eq!(message.notice.take_url, None);
    }
}

#[test]
fn who_joins_later_hears_the_beginning_later() {
    let (mut life, mut pipeline) = (life(), pipeline());
    life.judge(&down(&domain("acme.test"), acme()), at(1));
    step(&mut life, &mut pipeline, at(1));
    life.judge(&down(&domain("bravo.test"), bravo()), at(2));
    assert_eq!(sent(&step(&mut life, &mut pipeline, at(2))), ["3 oncall opened"]);
    for name in ["acme.test", "bravo.test"] {
        life.judge(&verdict(&domain(name), State::Flowing, None), at(3));
    }
    assert_eq!(step(&mut life, &mut pipeline, at(3)).messages.len(), 3);
}

#[test]
fn an_incident_without_a_client_goes_to_everybody_else() {
    let (mut life, mut pipeline) = (life(), pipeline());
    let ours = cause(Code::VantageOffline, root(RootKind::Vantage, "hq"));
    life.judge(&verdict(&vantage(), State::Unknown, Some(ours)), at(1));
    assert_eq!(
        sent(&step(&mut life, &mut pipeline, at(1))),
        ["1 oncall opened", "2 boss opened"]
    );
}

#[test]
fn without_notifiers_an_incident_lives_all_the_same() {
    let mut pipeline = Pipeline::new(Routing::default(), Wording::default(), 1);
    let mut life = life();
    life.judge(&down(&domain("acme.test"), acme()), at(1));
    let begun = step(&mut life, &mut pipeline, at(1));
    assert!(begun.messages.is_empty());
    assert!(begun.rows.incidents[0].announced.is_some());
    life.judge(&verdict(&domain("acme.test"), State::Flowing, None), at(2));
    assert!(!step(&mut life, &mut pipeline, at(2)).rows.incidents[0].is_open());
}

#[test]
fn a_message_carries_neither_the_log_nor_an_endless_list() {
    let (mut life, mut pipeline) = (life(), pipeline());
    for number in 0..1500 {
        let target = domain(&format!("d{number}.test"));
        life.judge(&verdict(&target, State::Flowing, None), at(0));
        life.judge(&down(&target, bravo()), at(1));
    }
    let begun = step(&mut life, &mut pipeline, at(1));
    let notice = &begun.messages[0].notice;
    let incident = notice.incident.as_ref().unwrap();
    assert_eq!((incident.affected.len(), notice.affected), (1000, 1500));
    assert!(incident.log.is_empty());
    assert_eq!(begun.rows.incidents[0].affected.len(), 1500);
}

/// What the notifiers' own health says, of one of them.
fn judge(life: &mut Lifecycle, watch: &mut Watch, name: &str, health: NotifierHealth, now: u64) {
    let counts = NotifierCounts {
        health,
        ..NotifierCounts::default()
    };
    for verdict in watch.judge(&[(name.into(), counts)].into(), |_| true, false, at(now)) {
        life.judge(&verdict, at(now));
    }
}

fn refused() -> NotifierHealth {
    NotifierHealth::Failing {
        since: at(0),
        reason: "the receiver answered 401 Unauthorized".into(),
        for_good: true,
    }
}

/// A life that tells a failed notifier at once.
fn hasty() -> Lifecycle {
    let mut life = Lifecycle::new(Policy {
        group_wait: std::time::Duration::ZERO,
        warning_after: std::time::Duration::ZERO,
        ..Policy::default()
    });
    for name in ["oncall", "boss"] {
        life.trust(&crate::notify::target(&name.into()));
    }
    life
}

#[test]
fn a_notifier_that_has_failed_is_told_by_the_others_and_so_is_its_end() {
    let (mut life, mut watch, mut pipeline) = (hasty(), Watch::default(), pipeline());
    judge(&mut life, &mut watch, "oncall", refused(), 1);
    let begun = step(&mut life, &mut pipeline, at(1));
    assert_eq!(sent(&begun), ["1 boss opened"]);
    insta::assert_snapshot!(begun.messages[0].notice.text, @r#"
    Our own side: alerts do not get through since 02:00 UTC (0 s). A message was refused for good: the receiver answered 401 Unauthorized. Whose: ours. Do: Look at the open incidents and tell the people concerned yourself. Then check the notifier's address and password in the configuration, and test it (mailflow notify test NAME). #1
    "#);
    let row = &begun.rows.incidents[0];
    assert_eq!(row.severity, crate::model::Severity::Warning);
    assert_eq!(row.cause.root.to_string(), "notifier oncall");
    assert!(step(&mut life, &mut pipeline, at(2)).messages.is_empty());
    judge(&mut life, &mut watch, "oncall", NotifierHealth::Well, 600);
    let ended = step(&mut life, &mut pipeline, at(600));
    assert_eq!(sent(&ended), ["2 boss resolved"]);
    insta::assert_snapshot!(ended.messages[0].notice.text, @"Our own side: in order again since 02:10 UTC, after 9 min. It was: We could not deliver an alert (oncall). #1");
}

#[test]
fn when_all_that_should_tell_it_have_failed_the_rest_does() {
    let (mut life, mut watch) = (hasty(), Watch::default());
    let routing = Routing {
        otherwise: names(&["oncall"]),
        all: names(&["oncall", "boss"]),
        ..Routing::default()
    };
    let mut pipeline = Pipeline::new(routing, Wording::default(), 1);
    judge(&mut life, &mut watch, "oncall", refused(), 1);
    assert_eq!(sent(&step(&mut life, &mut pipeline, at(1))), ["1 boss opened"]);
    let alone = Routing {
        otherwise: names(&["boss"]),
        all: names(&["boss"]),
        ..Routing::default()
    };
    pipeline.set(alone, Wording::default());
    judge(&mut life, &mut watch, "boss", refused(), 2);
    let step = step(&mut life, &mut pipeline, at(2));
    assert!(step.messages.is_empty());
    let log = &step.rows.incidents[0].log;
    assert!(
        log.iter()
            .any(|entry| entry.text == "route: nobody, as there is no notifier beside boss")
    );
}

#[test]
fn what_stands_after_a_restart_is_what_was_told() {
    let (mut life, mut pipeline) = (life(), pipeline());
    life.judge(&down(&domain("acme.test"), acme()), at(1));
    let begun = step(&mut life, &mut pipeline, at(1));
    let mut now_worse = (*begun.rows.incidents[0]).clone();
    now_worse.severity = crate::model::Severity::Warning;
    now_worse.cause.root = root(RootKind::Gateway, "hq-router");
    let mut untold = now_worse.clone();
    untold.told = None;
    let standing = pipeline.standing([Arc::new(now_worse), Arc::new(untold)].iter(), at(9));
    let told: Vec<&str> = standing.iter().map(|message| &*message.notifier).collect();
    assert_eq!(told, ["acme-desk", "boss"]);
    let notice = &standing[0].notice;
    let incident = notice.incident.as_ref().unwrap();
    assert_eq!((notice.event, standing[0].id), (Event::Opened, MessageId(0)));
    assert_eq!(incident.severity, crate::model::Severity::Critical);
    assert_eq!(incident.cause.root, root(RootKind::Provider, "BIGMAIL"));
}
