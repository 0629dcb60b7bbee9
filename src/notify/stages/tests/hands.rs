//! Who is kept quiet, until when, and who is told over another way.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::model::{HandId, Matchers, Measure, When};
use crate::notify::Reliance;

fn of_client(client: ClientId) -> Matchers {
    Matchers {
        client: Some(client),
        ..Matchers::default()
    }
}

fn hand(id: u64, measure: Measure) -> Hand {
    Hand::new(HandId(id), measure, "anna", "parts are on their way", at(0)).unwrap()
}

fn silence(of: Matchers, until: u64) -> Hand {
    hand(3, Measure::Silence { of, until: at(until) })
}

fn log(step: &Step) -> String {
    let row = step.rows.incidents.last().unwrap();
    let lines = row.log.iter().map(|entry| entry.text.as_str());
    lines.skip(4).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_silence_holds_back_the_beginning_and_never_the_end() {
    let (mut life, mut pipeline) = (life(), pipeline());
    life.judge(&down(&domain("bravo.test"), bravo()), at(1));
    step(&mut life, &mut pipeline, at(1));
    pipeline.set_hands(vec![silence(of_client(bravo()), 600)]);
    life.reconsider();
    life.judge(&verdict(&domain("bravo.test"), State::Flowing, None), at(2));
    assert_eq!(
        sent(&step(&mut life, &mut pipeline, at(2))),
        ["3 oncall resolved", "4 boss resolved"]
    );
    let elsewhere = cause(Code::HostRefused, root(RootKind::MxSet, "mx.bravo.test"));
    let broken = Verdict {
        client: Some(bravo()),
        ..verdict(&domain("bravo.test"), State::Broken, Some(elsewhere))
    };
    life.judge(&broken, at(3));
    let held = step(&mut life, &mut pipeline, at(3));
    assert!(held.messages.is_empty());
    insta::assert_snapshot!(log(&held), @"mute: held back until 2026-11-22T02:10:00Z by silence 3 by anna: parts are on their way");
    assert_eq!(life.next_due(), Some(at(600)));
    assert!(step(&mut life, &mut pipeline, at(599)).messages.is_empty());
    assert_eq!(
        sent(&step(&mut life, &mut pipeline, at(600))),
        ["5 oncall opened", "6 boss opened"]
    );
}

#[test]
fn a_silence_that_is_lifted_lets_go_at_once() {
    let (mut life, mut pipeline) = (life(), pipeline());
    pipeline.set_hands(vec![silence(of_client(bravo()), 600)]);
    life.judge(&down(&domain("bravo.test"), bravo()), at(1));
    assert!(step(&mut life, &mut pipeline, at(1)).messages.is_empty());
    pipeline.set_hands(Vec::new());
    life.reconsider();
    assert_eq!(sent(&step(&mut life, &mut pipeline, at(2))).len(), 2);
}

#[test]
fn one_clients_silence_is_not_anothers() {
    let (mut life, mut pipeline) = (life(), pipeline());
    pipeline.set_hands(vec![silence(of_client(acme()), 600)]);
    life.judge(&down(&domain("acme.test"), acme()), at(1));
    life.judge(&down(&domain("bravo.test"), bravo()), at(1));
    let begun = step(&mut life, &mut pipeline, at(1));
    assert_eq!(sent(&begun), ["1 oncall opened", "2 boss opened"]);
    insta::assert_snapshot!(log(&begun), @"
    route: oncall, boss, for everything that is not routed otherwise
    group: one message for 2 with one cause
    mute: 1 of 2 held back until 2026-11-22T02:10:00Z by silence 3 by anna: parts are on their way
    deliver: opened is queued for oncall, boss
    mute: 1 of 2 held back until 2026-11-22T02:10:00Z by silence 3 by anna: parts are on their way
    ");
    assert_eq!(life.next_due(), Some(at(600)));
    assert_eq!(
        sent(&step(&mut life, &mut pipeline, at(600))),
        ["3 acme-desk opened"]
    );
}

/// Sunday the 22nd, 02:00 UTC, is 03:00 in Berlin.
#[rstest]
#[case::inside("Sun 03:00-05:00 Europe/Berlin", None)]
#[case::later_that_day("Sun 08:00-18:00 Europe/Berlin", Some("2026-11-22T07:00:00Z"))]
#[case::on_monday("Mon-Fri 08:00-18:00 Europe/Berlin", Some("2026-11-23T07:00:00Z"))]
fn a_severity_waits_for_its_hours(#[case] hours: &str, #[case] until: Option<&str>) {
    let (mut life, mut pipeline) = (life(), pipeline());
    pipeline.routing.hours = [(Severity::Critical, hours.parse().unwrap())].into();
    life.judge(&down(&domain("bravo.test"), bravo()), at(1));
    let begun = step(&mut life, &mut pipeline, at(1));
    assert_eq!(begun.messages.is_empty(), until.is_some());
    if let Some(until) = until {
        let until: Timestamp = until.parse().unwrap();
        assert_eq!(life.next_due(), Some(until));
        assert_eq!(step(&mut life, &mut pipeline, until).messages.len(), 2);
    }
}

#[test]
fn a_later_step_is_told_and_hears_the_end() {
    let (mut life, mut pipeline) = (life(), pipeline());
    life.set_policy(Policy {
        group_wait: Duration::ZERO,
        critical_after: Duration::ZERO,
        escalate: [0, 15].map(Duration::from_mins).into(),
        ..Policy::default()
    });
    life.judge(&down(&domain("acme.test"), acme()), at(0));
    step(&mut life, &mut pipeline, at(0));
    let later = step(&mut life, &mut pipeline, at(900));
    assert_eq!(sent(&later), ["3 manager escalated"]);
    life.judge(&verdict(&domain("acme.test"), State::Flowing, None), at(901));
    let ended = step(&mut life, &mut pipeline, at(901));
    assert_eq!(
        sent(&ended),
        ["4 acme-desk resolved", "5 boss resolved", "6 manager resolved"]
    );
}

#[test]
fn maintenance_at_a_gateway_covers_what_stands_behind_it() {
    let (mut life, mut pipeline) = (life(), pipeline());
    let of = Matchers {
        gateway: Some("hq-router".into()),
        ..Matchers::default()
    };
    let when = When::Recurring {
        recurring: "Sun 03:00-05:00 Europe/Berlin".parse().unwrap(),
        until: None,
    };
    pipeline.set_hands(vec![hand(4, Measure::Maintenance { of, when })]);
    let blamed = cause(Code::GatewayDown, root(RootKind::Gateway, "hq-router"));
    for target in [router(), domain("acme.test")] {
        life.judge(&verdict(&target, State::Broken, Some(blamed.clone())), at(1));
    }
    assert!(step(&mut life, &mut pipeline, at(1)).messages.is_empty());
    assert_eq!(life.next_due(), Some(at(7200)));
    assert_eq!(
        sent(&step(&mut life, &mut pipeline, at(7200))),
        ["1 acme-desk opened", "2 boss opened"]
    );
}

fn way(stands_on: Option<Reliance>, fallback: Option<&str>) -> Way {
    Way {
        stands_on: stands_on
            .into_iter()
            .map(|one| (one, "its server lies there".into()))
            .collect(),
        fallback: fallback.map(Into::into),
    }
}

#[test]
fn who_stands_on_what_failed_has_another_told_as_well() {
    let (mut life, mut pipeline) = (life(), pipeline());
    let behind = Reliance::Gateway(acme(), "hq-router".into());
    pipeline.set_ways(
        [
            ("acme-desk".into(), way(Some(behind.clone()), Some("mail"))),
            ("mail".into(), way(Some(behind), Some("sms"))),
            ("boss".into(), way(Some(Reliance::Line), Some("sms"))),
        ]
        .into(),
    );
    let blamed = cause(Code::GatewayDown, root(RootKind::Gateway, "hq-router"));
    life.judge(&verdict(&router(), State::Broken, Some(blamed)), at(1));
    let begun = step(&mut life, &mut pipeline, at(1));
    assert_eq!(
        sent(&begun),
        [
            "1 acme-desk opened",
            "2 boss opened",
            "3 mail opened",
            "4 sms opened"
        ]
    );
    let text = &begun.messages[3].notice.text;
    let note = "(This comes here as mail stands on what failed: its server lies there.)";
    assert!(text.ends_with(note), "{text}");
    assert!(!begun.messages[0].notice.text.contains("stands on"));
    life.judge(&verdict(&router(), State::Flowing, None), at(2));
    assert_eq!(step(&mut life, &mut pipeline, at(2)).messages.len(), 4);
}
