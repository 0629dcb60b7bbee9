use rstest::rstest;

use super::*;
use crate::incident::sample::incident;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn of(client: &str) -> Matchers {
    Matchers {
        client: Some(ClientId::parse(client).unwrap()),
        ..Matchers::default()
    }
}

/// The clocks of Berlin go from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October.
#[rstest]
#[case::winter("2026-01-04T01:30:00Z", Some("2026-01-04T03:00:00Z"))]
#[case::summer("2026-07-05T01:30:00Z", Some("2026-07-05T02:00:00Z"))]
#[case::summer_outside("2026-07-05T02:00:00Z", None)]
#[case::spring_forward_begins_at_the_gap("2026-03-29T01:00:00Z", Some("2026-03-29T02:00:00Z"))]
#[case::spring_forward_before("2026-03-29T00:59:59Z", None)]
#[case::fall_back_both_hours("2026-10-25T00:00:00Z", Some("2026-10-25T03:00:00Z"))]
#[case::another_day("2026-01-05T01:30:00Z", None)]
fn a_recurring_window_follows_the_clock_there(#[case] now: &str, #[case] until: Option<&str>) {
    let when = When::Recurring {
        recurring: "Sun 02:00-04:00 Europe/Berlin".parse().unwrap(),
        until: None,
    };
    assert_eq!(when.open_until(at(now)), until.map(at));
}

#[test]
fn a_window_that_recurs_can_end_for_good() {
    let when = When::Recurring {
        recurring: "Mon-Sun 00:00-00:00 UTC".parse().unwrap(),
        until: Some(at("2026-01-05T12:00:00Z")),
    };
    assert_eq!(
        when.open_until(at("2026-01-05T11:00:00Z")),
        Some(at("2026-01-05T12:00:00Z"))
    );
    assert_eq!(when.open_until(at("2026-01-05T12:00:00Z")), None);
}

#[rstest]
#[case::client(of("acme"), true)]
#[case::another_client(of("globex"), false)]
#[case::gateway(Matchers { gateway: Some("hq-router".into()), ..Matchers::default() }, true)]
#[case::code(Matchers { code: Some("gateway.down".into()), ..Matchers::default() }, true)]
#[case::layer(Matchers { code: Some("gateway.*".into()), ..Matchers::default() }, true)]
#[case::another_layer(Matchers { code: Some("gate*".into()), ..Matchers::default() }, false)]
#[case::domain(Matchers { domain: Some(DomainName::parse("acme.test").unwrap()), ..Matchers::default() }, true)]
#[case::all_must_fit(Matchers { code: Some("tls.*".into()), ..of("acme") }, false)]
fn what_is_covered(#[case] matchers: Matchers, #[case] covered: bool) {
    let incident = incident(1);
    assert_eq!(matchers.cover(&incident, &incident.affected[0]), covered);
}

#[rstest]
#[case::fine(of("acme"), "why", "2026-01-02T00:00:00Z", None)]
#[case::about_nothing(
    Matchers::default(),
    "why",
    "2026-01-02T00:00:00Z",
    Some(HandError::AboutNothing)
)]
#[case::no_reason(of("acme"), " \n", "2026-01-02T00:00:00Z", Some(HandError::NoReason))]
#[case::over(of("acme"), "why", "2026-01-01T00:00:00Z", Some(HandError::OverAlready))]
#[case::no_such_code(
    Matchers { code: Some("gatway.*".into()), ..Matchers::default() },
    "why",
    "2026-01-02T00:00:00Z",
    Some(HandError::NoSuchCode("gatway.*".into()))
)]
fn what_means_nothing_is_refused(
    #[case] of: Matchers,
    #[case] reason: &str,
    #[case] until: &str,
    #[case] error: Option<HandError>,
) {
    let measure = Measure::Silence { of, until: at(until) };
    let made = Hand::new(HandId(1), measure, "anna", reason, at("2026-01-01T00:00:00Z"));
    assert_eq!(made.err(), error);
}

#[test]
fn each_kind_is_written_and_read_alike() {
    let made = at("2026-01-01T00:00:00Z");
    let until = at("2026-02-01T00:00:00Z");
    let measures = [
        Measure::Silence {
            of: of("acme"),
            until,
        },
        Measure::Maintenance {
            of: of("acme"),
            when: When::Once { from: made, until },
        },
        Measure::Maintenance {
            of: of("acme"),
            when: When::Recurring {
                recurring: "Sun 02:00-04:00 Europe/Berlin".parse().unwrap(),
                until: Some(until),
            },
        },
        Measure::Acceptance {
            code: Code::PolicyDkimMissing,
            domain: DomainName::parse("acme.test").unwrap(),
            until,
        },
    ];
    for measure in measures {
        let hand = Hand::new(HandId(7), measure, "anna", "why", made).unwrap();
        let text = serde_json::to_string(&hand).unwrap();
        assert_eq!(serde_json::from_str::<Hand>(&text).unwrap(), hand, "{text}");
    }
}

#[test]
fn what_is_lifted_is_over() {
    let made = at("2026-01-01T00:00:00Z");
    let until = at("2026-02-01T00:00:00Z");
    let mut hand = Hand::new(
        HandId(1),
        Measure::Silence {
            of: of("acme"),
            until,
        },
        "",
        "why",
        made,
    )
    .unwrap();
    assert!(hand.quiet_until(made).is_some());
    hand.lifted = Some(at("2026-01-10T00:00:00Z"));
    assert!(hand.quiet_until(at("2026-01-10T00:00:00Z")).is_none());
    assert!(hand.is_over(at("2026-01-10T00:00:00Z")));
}
