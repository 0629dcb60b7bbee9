use std::time::Duration;

use insta::assert_snapshot;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::incident::sample::{acme, at, cause, domain, incident, root, vantage};
use crate::model::{Flaps, IncidentState};
use crate::notify::sample::incident_at;

fn wording() -> Wording {
    Wording {
        clients: [(acme(), "ACME".to_owned())].into(),
        url: Some("https://mail.msp.example/".into()),
        ..Wording::default()
    }
}

fn shown(text: &Text) -> String {
    format!("{}\n---\n{}\n---\n{}", text.subject, text.short, text.long)
}

fn resolved(by: &str) -> Incident {
    Incident {
        state: IncidentState::Resolved,
        resolved: Some(at(8_000)),
        ended_by: Some(by.into()),
        ..incident(482)
    }
}

#[test]
fn an_incident_opens() {
    let text = message(&incident(482), Event::Opened, at(1200), &wording());
    assert_snapshot!(shown(&text), @"
    ACME: The router in front of the mail server does not answer (#482)
    ---
    ACME: no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482
    ---
    ACME: no mail in since 02:14 UTC (6 min).

    What:  The router in front of the mail server does not answer (hq-router (198.51.100.1))
    Seen:  Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect.
    Means: The router or firewall that leads to the mail server answers none of its checks, and nothing behind it can be reached either. The mail server is not the suspect: most likely the power, the router or the line at that site has failed. Senders keep trying for days, so no mail is lost yet.
    Whose: Telekom business line, 0800 1234567, circuit 4711
    Do:    Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server.

    2 domains:
      ACME: acme.test and acme-shop.test

    Incident #482 https://mail.msp.example/incidents/482
    ");
}

#[test]
fn an_incident_ends() {
    let text = message(&resolved("recovered"), Event::Resolved, at(8_000), &wording());
    assert_snapshot!(shown(&text), @"
    Resolved: ACME: The router in front of the mail server does not answer (#482)
    ---
    ACME: mail flows again since 04:13 UTC, after 1 h 59 min. It was: The router in front of the mail server does not answer (hq-router (198.51.100.1)). 2 domains. #482
    ---
    ACME: mail flows again since 04:13 UTC, after 1 h 59 min.

    What:  The router in front of the mail server does not answer (hq-router (198.51.100.1))

    2 domains:
      ACME: acme.test and acme-shop.test

    Incident #482 https://mail.msp.example/incidents/482
    ");
    let merged = message(
        &resolved("merged into #12"),
        Event::Resolved,
        at(8_000),
        &wording(),
    );
    assert_snapshot!(merged.short, @"ACME: not over, but merged into #12: both have the same cause. It was: The router in front of the mail server does not answer (hq-router (198.51.100.1)). 2 domains. #482");
    let mut impaired = resolved("recovered");
    impaired.reopened = Some(at(7_400));
    for one in &mut impaired.affected {
        one.state = State::Degraded;
    }
    let impaired = message(&impaired, Event::Resolved, at(8_000), &wording());
    assert_snapshot!(impaired.short.split_once('.').unwrap().0, @"ACME: in order again since 04:13 UTC, after 10 min");
    let removed = message(&resolved("removed"), Event::Resolved, at(8_000), &wording());
    assert_snapshot!(removed.short, @"ACME: no longer watched since 04:13 UTC, so this ends unmended. It was: The router in front of the mail server does not answer (hq-router (198.51.100.1)). 2 domains. #482");
}

#[test]
fn other_events_say_what_they_are() {
    let events = [
        Event::Updated,
        Event::Reopened,
        Event::Acknowledged,
        Event::Escalated,
        Event::Repeated,
    ];
    let beginnings = events.map(|event| {
        let text = message(&incident_at(event), event, at(1200), &wording());
        let sentence = text.short.split_once('.').unwrap().0;
        format!("{}\n  {sentence}", text.subject)
    });
    assert_snapshot!(beginnings.join("\n"), @"
    Changed: ACME: The router in front of the mail server does not answer (#482)
      ACME: the cause is another than told before; no mail in since 02:14 UTC (6 min)
    Again: ACME: The router in front of the mail server does not answer (#482)
      ACME: again, no mail in since 02:14 UTC (6 min)
    Acknowledged: ACME: The router in front of the mail server does not answer (#482)
      ACME: anna has taken this on; still no mail in since 02:14 UTC (6 min)
    Escalated: ACME: The router in front of the mail server does not answer (#482)
      ACME: nobody has taken this on; still no mail in since 02:14 UTC (6 min)
    Still: ACME: The router in front of the mail server does not answer (#482)
      ACME: nobody has taken this on; still no mail in since 02:14 UTC (6 min)
    ");
}

#[test]
fn a_change_says_what_is_no_longer_as_it_was_told() {
    let changed = incident_at(Event::Updated);
    let text = message(&changed, Event::Updated, at(1200), &wording());
    let line = text.long.lines().find(|line| line.starts_with("Not:")).unwrap();
    assert_snapshot!(line, @"Not:   The machine is there, but no mail service is running on it, as was told before");
    let told = |severity, was| {
        let mut row = incident_at(Event::Acknowledged);
        row.severity = severity;
        if let Some(told) = &mut row.told {
            told.severity = was;
        }
        let text = message(&row, Event::Updated, at(1200), &wording());
        text.short.split_once(';').unwrap().0.to_owned()
    };
    assert_snapshot!(told(Severity::Critical, Severity::Warning), @"ACME: this is worse than told before");
    assert_snapshot!(told(Severity::Warning, Severity::Critical), @"ACME: this is not as bad as told before");
}

#[test]
fn our_own_faults_blame_nobody() {
    let mut ours = incident(7);
    ours.cause = cause(Code::VantagePort25Blocked, root(RootKind::Vantage, "hq"));
    ours.cause.owner = Owner::Us;
    ours.cause.detail = "No anchor answers on port 25, while pings come back".into();
    ours.affected = vec![Affected {
        target: vantage(),
        client: None,
        state: State::Unknown,
        first_sight: false,
        since: at(0),
        flapping: None,
    }];
    let text = message(&ours, Event::Opened, at(45), &wording());
    assert_snapshot!(format!("{}\n{}", text.subject, text.short), @"
    Our own side: Our own line blocks port 25, so we cannot test mail servers (#7)
    Our own side: we cannot tell how mail is doing since 02:00 UTC (45 s). No anchor answers on port 25, while pings come back. Whose: ours. Do: Run mailflow where outgoing port 25 is open, or ask the line's provider or the cloud's support to open TCP port 25 outwards for this machine. Look at your own firewall first. Do not call clients. #7
    ");
}

#[test]
fn many_domains_are_listed_by_client_and_bounded() {
    let mut many = incident(9);
    many.affected = (0..400)
        .map(|number| Affected {
            target: domain(&format!("d{number:03}.test")),
            client: Some(ClientId::parse(&format!("client-{:02}", number % 25)).unwrap()),
            state: State::Degraded,
            first_sight: false,
            since: at(0),
            flapping: None,
        })
        .collect();
    let text = message(&many, Event::Opened, at(60), &wording());
    let list: Vec<&str> = text
        .long
        .lines()
        .skip_while(|line| !line.ends_with("domains:"))
        .collect();
    assert_eq!(list.len(), 1 + 20 + 1 + 1 + 1);
    assert_snapshot!(list[1], @"  client-00: d000.test, d025.test, d050.test, d075.test, d100.test, d125.test, d150.test, d175.test, d200.test, d225.test and 6 more");
    assert_snapshot!(list[21], @"  and 5 more clients");
    assert_snapshot!(text.subject, @"client-00, client-01, client-02 and 22 more clients: The router in front of the mail server does not answer (#9)");
}

#[test]
fn another_day_and_another_zone_are_named() {
    let berlin = Wording {
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        ..wording()
    };
    let text = message(&incident(1), Event::Opened, at(200_000), &berlin);
    assert_snapshot!(text.short.split_once('.').unwrap().0, @"ACME: no mail in since 22 Nov 03:14 CET (2 days 7 h)");
}

#[test]
fn spans_are_short() {
    let shown = [0, 59, 60, 3600, 3660, 86_400, 200_000].map(|s| span(SignedDuration::from_secs(s)));
    assert_snapshot!(shown.join(", "), @"0 s, 59 s, 1 min, 1 h, 1 h 1 min, 1 day 0 h, 2 days 7 h");
    assert_eq!(span(SignedDuration::from_secs(-5)), "0 s");
}

#[test]
fn hostile_words_are_inert() {
    let mut hostile = incident(1);
    hostile.cause.subject = "mx\r\nBcc: everybody@victim.test\r\n\r\n<script>\u{1b}[2J\u{202e}".into();
    hostile.cause.detail = "a\r\nb".repeat(5000);
    hostile.cause.contact = Some("call\nme".into());
    let evil = Wording {
        clients: [(acme(), "ACME\r\nBcc: x@victim.test".to_owned())].into(),
        ..wording()
    };
    let text = message(&hostile, Event::Opened, at(900), &evil);
    for line in [&text.subject, &text.short] {
        assert!(!line.chars().any(char::is_control), "{line}");
    }
    assert!(!text.long.chars().any(|c| c.is_control() && c != '\n'));
    assert!(text.long.lines().all(|line| !line.starts_with("Bcc")));
    assert!(text.short.ends_with("2 domains. #1"), "the end is still there");
    assert!(text.subject.chars().count() <= SUBJECT + 1 && text.long.len() < 10_000);
}

proptest! {
    #[test]
    fn whatever_is_said_stays_on_its_line(said in any::<String>(), seconds in 0..10_000_000_u64) {
        let mut odd = incident(3);
        odd.cause.detail = said.clone();
        odd.cause.subject = said;
        for event in [Event::Opened, Event::Resolved] {
            let now = at(0).checked_add(Duration::from_secs(seconds)).unwrap();
            let text = message(&odd, event, now, &wording());
            prop_assert!(!text.subject.contains('\n') && !text.short.contains('\n'));
            prop_assert!(text.long.lines().count() <= 20);
        }
    }
}

#[test]
fn what_comes_and_goes_is_said_to() {
    let flapping = |mut row: Incident| {
        row.affected[0].flapping = Some(Flaps {
            turns: 7,
            since: at(600),
        });
        row
    };
    let text = message(&flapping(incident(482)), Event::Opened, at(1200), &wording());
    let beginning = "ACME: mail comes in only now and then since 02:14 UTC (6 min). It is flapping: 7 turns since 02:10 UTC; \
                     this ends when it has been well for a while. ";
    assert!(text.short.starts_with(beginning), "{}", text.short);
    assert!(
        text.long
            .contains("\nFlaps: It is flapping: 7 turns since 02:10 UTC"),
        "{}",
        text.long
    );
    let ended = message(
        &flapping(resolved("recovered")),
        Event::Resolved,
        at(8000),
        &wording(),
    );
    assert!(
        ended.short.contains("It was flapping: 7 turns since 02:10 UTC."),
        "{}",
        ended.short
    );
}
