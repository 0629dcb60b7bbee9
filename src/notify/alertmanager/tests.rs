use rstest::rstest;
use wiremock::ResponseTemplate;

use super::*;
use crate::incident::sample::{at, root};
use crate::model::RootKind;
use crate::notify::sample::{about, hostile, incident_at, message, posted, receiver};

fn alerts_of(message: &Message, now: Timestamp) -> Value {
    alerts(&message.notice, now)
}

#[test]
fn an_incident_fires() {
    insta::assert_json_snapshot!(alerts_of(&message(Event::Opened), at(1200)), @r#"
    [
      {
        "annotations": {
          "action": "Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server.",
          "affected": "2",
          "code": "gateway.down",
          "description": "ACME: no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482",
          "event": "opened",
          "owner": "client",
          "subject": "hq-router (198.51.100.1)",
          "summary": "ACME: The router in front of the mail server does not answer (#482)"
        },
        "endsAt": "2026-11-22T02:25:00Z",
        "generatorURL": "https://mail.msp.example/incidents/482",
        "labels": {
          "alertname": "MailflowIncident",
          "client": "acme",
          "dedup_key": "mailflow-482-1795414440",
          "incident": "482",
          "kind": "gateway",
          "root": "hq-router",
          "severity": "critical"
        },
        "startsAt": "2026-11-22T02:14:00Z"
      }
    ]
    "#);
}

#[test]
fn its_end_has_the_same_labels() {
    let opened = alerts_of(&message(Event::Opened), at(1200));
    let resolved = alerts_of(&message(Event::Resolved), at(9000));
    assert_eq!(opened[0]["labels"], resolved[0]["labels"]);
    assert_eq!(resolved[0]["endsAt"], "2026-11-22T04:13:20Z");
    assert_eq!(resolved[0]["startsAt"], opened[0]["startsAt"]);
    assert_eq!(resolved.as_array().map(Vec::len), Some(1));
}

#[rstest]
#[case(Event::Updated)]
#[case(Event::Acknowledged)]
#[case(Event::Escalated)]
#[case(Event::Repeated)]
fn whatever_is_told_in_between_keeps_it_firing(#[case] event: Event) {
    let opened = alerts_of(&message(Event::Opened), at(1200));
    let alerts = alerts_of(&message(event), at(1300));
    assert_eq!(alerts[0]["labels"], opened[0]["labels"]);
    assert_eq!(alerts[0]["endsAt"], "2026-11-22T02:26:40Z");
    assert_eq!(alerts[0]["annotations"]["event"], event.as_str());
    assert_eq!(alerts.as_array().map(Vec::len), Some(1));
}

#[test]
fn another_cause_changes_no_label() {
    let mut incident = incident_at(Event::Updated);
    incident.cause.code = crate::model::Code::GatewayLossy;
    let opened = alerts_of(&message(Event::Opened), at(1200));
    let updated = alerts_of(&about(incident, Event::Updated), at(1200));
    assert_eq!(updated[0]["labels"], opened[0]["labels"]);
    assert_eq!(updated[0]["annotations"]["code"], "gateway.lossy");
}

#[test]
fn an_update_that_changes_a_label_ends_the_alert_that_it_replaces() {
    let mut incident = incident_at(Event::Updated);
    incident.severity = Severity::Warning;
    incident.cause.root = root(RootKind::Provider, "BIGMAIL");
    let message = about(incident.clone(), Event::Updated);
    let opened = alerts_of(&self::message(Event::Opened), at(1200));
    let updated = alerts_of(&message, at(1200));
    assert_eq!(updated[0]["labels"]["severity"], "warning");
    assert_eq!(updated[0]["labels"]["root"], "BIGMAIL");
    assert_eq!(updated[1]["labels"], opened[0]["labels"]);
    assert_eq!(updated[1]["endsAt"], "2026-11-22T02:20:00Z");
    // Sent again and again, it ends it for a while only.
    assert_eq!(alerts_of(&message, at(2100)).as_array().map(Vec::len), Some(2));
    assert_eq!(alerts_of(&message, at(2101)).as_array().map(Vec::len), Some(1));
    // What never was told does not fire.
    incident.resolved = Some(at(3000));
    let resolved = alerts_of(&about(incident, Event::Resolved), at(3000));
    assert_eq!(resolved[0]["labels"], opened[0]["labels"]);
}

#[test]
fn a_test_is_an_alert_of_its_own_that_lapses() {
    insta::assert_json_snapshot!(alerts_of(&message(Event::Test), at(0)), @r#"
    [
      {
        "annotations": {
          "description": "This is a test message from mailflow. Nothing is wrong, and there is nothing to do.",
          "summary": "Test message from mailflow"
        },
        "endsAt": "2026-11-22T02:05:00Z",
        "labels": {
          "alertname": "MailflowTest",
          "dedup_key": "mailflow-test-1795312800000",
          "severity": "info"
        },
        "startsAt": "2026-11-22T02:00:00Z"
      }
    ]
    "#);
}

#[test]
fn labels_hold_nothing_that_servers_said() {
    let alerts = alerts_of(&hostile(), at(1200)).to_string();
    assert!(!alerts.contains('\u{1b}') && !alerts.contains('\u{202e}'));
    assert!(
        !alerts_of(&hostile(), at(0))[0]["labels"]
            .to_string()
            .contains("channel")
    );
}

async fn deliver(urls: &[String]) -> Result<(), Failure> {
    let alertmanager = Alertmanager::new(urls).unwrap();
    alertmanager.deliver(&message(Event::Opened), at(1200)).await
}

#[tokio::test]
async fn every_instance_is_told_and_one_that_takes_it_is_enough() {
    let (well, ill) = (
        receiver(ResponseTemplate::new(200)).await,
        receiver(ResponseTemplate::new(503)).await,
    );
    let urls = [ill.uri(), format!("{}/prefix/", well.uri())];
    deliver(&urls).await.unwrap();
    assert_eq!(posted(&ill).await.len(), 1);
    let requests = well.received_requests().await.unwrap();
    assert_eq!(requests[0].url.path(), "/prefix/api/v2/alerts");
    assert_eq!(requests[0].method.as_str(), "POST");
}

#[rstest]
#[case::one_may_still(400, 503, true)]
#[case::neither_will(400, 404, false)]
#[tokio::test]
async fn when_none_takes_it_the_one_that_may_still_decides(
    #[case] first: u16,
    #[case] second: u16,
    #[case] passing: bool,
) {
    let (first, second) = (
        receiver(ResponseTemplate::new(first)).await,
        receiver(ResponseTemplate::new(second)).await,
    );
    let failure = deliver(&[first.uri(), second.uri()]).await.unwrap_err();
    assert_eq!(matches!(failure, Failure::Passing { .. }), passing, "{failure}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    assert!(Alertmanager::new(&[]).is_err());
    assert!(Alertmanager::new(&["not a url".into()]).is_err());
    assert!(Alertmanager::new(&["mailto:a@b.test".into()]).is_err());
}
