use rstest::rstest;
use wiremock::ResponseTemplate;

use super::*;
use crate::incident::sample::{acme, at, domain};
use crate::model::{Affected, State};
use crate::notify::sample::{about, hostile, incident_at, message, posted, receiver, secret};

const KEY: &str = "0123456789abcdef0123456789abcdef";

async fn deliver(message: &Message, answer: ResponseTemplate) -> (Value, Result<(), Failure>) {
    let server = receiver(answer).await;
    let pagerduty = Pagerduty::new(PagerdutySettings {
        routing_key: secret(format!("{KEY}\n")),
        url: Some(format!("{}/v2/enqueue", server.uri())),
    });
    let result = pagerduty.unwrap().deliver(message, at(1200)).await;
    (posted(&server).await.remove(0), result)
}

#[tokio::test]
async fn an_incident_triggers() {
    let (event, result) = deliver(&message(Event::Opened), ResponseTemplate::new(202)).await;
    result.unwrap();
    insta::assert_json_snapshot!(event, @r#"
    {
      "client": "mailflow",
      "client_url": "https://mail.msp.example/incidents/482",
      "dedup_key": "mailflow-482-1795414440",
      "event_action": "trigger",
      "links": [
        {
          "href": "https://mail.msp.example/incidents/482",
          "text": "Open in mailflow"
        }
      ],
      "payload": {
        "class": "gateway.down",
        "component": "hq-router",
        "custom_details": {
          "affected": 2,
          "do": "Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server.",
          "domains": [
            "acme.test",
            "acme-shop.test"
          ],
          "event": "opened",
          "seen": "Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect.",
          "text": "ACME: no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482",
          "whose": "Telekom business line, 0800 1234567, circuit 4711"
        },
        "group": "gateway",
        "severity": "critical",
        "source": "hq-router (198.51.100.1)",
        "summary": "ACME: The router in front of the mail server does not answer (#482)",
        "timestamp": "2026-11-22T02:20:00Z"
      },
      "routing_key": "0123456789abcdef0123456789abcdef"
    }
    "#);
}

#[rstest]
#[case(Event::Updated, "trigger")]
#[case(Event::Escalated, "trigger")]
#[case(Event::Repeated, "trigger")]
#[case(Event::Reopened, "trigger")]
#[case(Event::Acknowledged, "acknowledge")]
#[case(Event::Resolved, "resolve")]
fn one_key_leads_through_its_whole_life(#[case] told: Event, #[case] action: &str) {
    let event = event(&message(told), KEY);
    assert_eq!(event["event_action"], action);
    assert_eq!(event["dedup_key"], "mailflow-482-1795414440");
    assert_eq!(event.get("payload").is_some(), action == "trigger");
}

#[test]
fn a_resolve_is_the_key_alone() {
    insta::assert_json_snapshot!(event(&message(Event::Resolved), KEY), @r#"
    {
      "dedup_key": "mailflow-482-1795414440",
      "event_action": "resolve",
      "routing_key": "0123456789abcdef0123456789abcdef"
    }
    "#);
    insta::assert_json_snapshot!(event(&message(Event::Acknowledged), KEY), @r#"
    {
      "dedup_key": "mailflow-482-1795414440",
      "event_action": "acknowledge",
      "routing_key": "0123456789abcdef0123456789abcdef"
    }
    "#);
}

#[test]
fn a_test_triggers_under_a_key_of_its_own() {
    let event = event(&message(Event::Test), KEY);
    assert_eq!(event["dedup_key"], "mailflow-test-1795312800000");
    assert_eq!(event["payload"]["severity"], "info");
    assert_eq!(event["payload"]["source"], "mailflow");
}

#[rstest]
#[case(Severity::Critical, "critical")]
#[case(Severity::Warning, "warning")]
#[case(Severity::Info, "info")]
fn severities_have_their_words(#[case] ours: Severity, #[case] theirs: &str) {
    let mut incident = incident_at(Event::Opened);
    incident.severity = ours;
    let event = event(&about(incident, Event::Opened), KEY);
    assert_eq!(event["payload"]["severity"], theirs);
}

#[test]
fn the_limits_are_kept_and_as_many_domains_as_fit_are_listed() {
    let mut incident = incident_at(Event::Opened);
    let label = "x".repeat(60);
    incident.affected = (0..4000)
        .map(|n| Affected {
            target: domain(&format!("{label}.{label}.{label}.n{n}.test")),
            client: Some(acme()),
            state: State::Broken,
            first_sight: false,
            flapping: None,
            since: at(0),
        })
        .collect();
    let event = event(&about(incident, Event::Opened), KEY);
    let listed = event["payload"]["custom_details"]["domains"]
        .as_array()
        .unwrap()
        .len();
    assert!(event.to_string().len() <= 512_000);
    assert!((1000..4000).contains(&listed), "{listed}");
    assert_eq!(event["payload"]["custom_details"]["affected"], 4000);
    let hostile = self::event(&hostile(), KEY);
    let summary = hostile["payload"]["summary"].as_str().unwrap();
    assert!(summary.chars().count() <= 1024);
    assert!(hostile.to_string().len() <= 512_000);
}

#[rstest]
#[case(202, None)]
#[case(400, Some(false))]
#[case(403, Some(false))]
#[case(429, Some(true))]
#[case(500, Some(true))]
#[tokio::test]
async fn answers_are_told_apart(#[case] status: u16, #[case] passing: Option<bool>) {
    let (_, result) = deliver(&message(Event::Opened), ResponseTemplate::new(status)).await;
    let failed = result
        .err()
        .map(|failure| matches!(failure, Failure::Passing { .. }));
    assert_eq!(failed, passing);
}

#[tokio::test]
async fn a_refusal_that_repeats_the_key_does_not_show_it() {
    let answer = ResponseTemplate::new(400).set_body_string(format!("no such key: {KEY}"));
    let (_, result) = deliver(&message(Event::Opened), answer).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        "the receiver answered 400 Bad Request: no such key: …"
    );
}
