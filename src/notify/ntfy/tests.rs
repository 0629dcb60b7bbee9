use rstest::rstest;
use wiremock::ResponseTemplate;

use super::*;
use crate::incident::sample::at;
use crate::model::Severity;
use crate::notify::sample::{about, hostile, incident_at, message, posted, receiver, secret};

fn topic(url: &str, token: Option<&str>) -> Result<Ntfy, SetupError> {
    Ntfy::new(NtfySettings {
        url: url.into(),
        token: token.map(secret),
    })
}

#[tokio::test]
async fn an_incident_is_pushed_as_json_to_the_server_of_the_topic() {
    let server = receiver(ResponseTemplate::new(200)).await;
    let ntfy = topic(&format!("{}/push/msp-oncall", server.uri()), Some("tk_hush\n")).unwrap();
    ntfy.deliver(&message(Event::Opened), at(1200)).await.unwrap();
    let request = server.received_requests().await.unwrap().remove(0);
    assert_eq!(request.url.path(), "/push");
    assert_eq!(request.headers["authorization"], "Bearer tk_hush");
    insta::assert_json_snapshot!(posted(&server).await[0], @r#"
    {
      "actions": [
        {
          "action": "view",
          "label": "Open",
          "url": "https://mail.msp.example/incidents/482"
        }
      ],
      "click": "https://mail.msp.example/incidents/482",
      "message": "ACME: no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482",
      "priority": 5,
      "tags": [
        "rotating_light"
      ],
      "title": "ACME: The router in front of the mail server does not answer (#482)",
      "topic": "msp-oncall"
    }
    "#);
}

#[test]
fn so_are_its_later_messages() {
    let said: Vec<String> = [Event::Updated, Event::Acknowledged, Event::Resolved, Event::Test]
        .into_iter()
        .map(|event| push(&message(event).notice, "t"))
        .map(|push| {
            format!(
                "{} {} {}\n{}",
                push["priority"], push["tags"], push["title"], push["message"]
            )
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    4 ["rotating_light"] "Changed: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: the cause is another than told before; no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"
    2 ["eyes"] "Acknowledged: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: anna has taken this on; still no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"
    3 ["white_check_mark"] "Resolved: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: mail flows again since 04:13 UTC, after 1 h 59 min. It was: The router in front of the mail server does not answer (hq-router (198.51.100.1)). 2 domains. #482"
    3 ["information_source"] "Test message from mailflow"
    "This is a test message from mailflow. Nothing is wrong, and there is nothing to do."
    "#);
}

#[rstest]
#[case(Event::Opened, Severity::Critical, 5)]
#[case(Event::Reopened, Severity::Critical, 5)]
#[case(Event::Updated, Severity::Critical, 4)]
#[case(Event::Opened, Severity::Warning, 3)]
#[case(Event::Acknowledged, Severity::Critical, 2)]
#[case(Event::Resolved, Severity::Critical, 3)]
fn only_what_must_wake_somebody_is_loud(
    #[case] event: Event,
    #[case] severity: Severity,
    #[case] expected: u8,
) {
    let mut incident = incident_at(event);
    incident.severity = severity;
    assert_eq!(push(&about(incident, event).notice, "t")["priority"], expected);
}

#[test]
fn a_message_keeps_the_limit_in_bytes() {
    let mut message = hostile();
    let notice = std::sync::Arc::make_mut(&mut message.notice);
    notice.text = "é".repeat(2049);
    let push = push(notice, "t");
    let text = push["message"].as_str().unwrap();
    assert!((4090..=4096).contains(&text.len()) && text.ends_with("é…"));
    assert!(
        !self::push(&hostile().notice, "t")
            .to_string()
            .contains('\u{202e}')
    );
}

#[rstest]
#[case(200, None)]
#[case(401, Some(false))]
#[case(403, Some(false))]
#[case(413, Some(false))]
#[case(429, Some(true))]
#[case(507, Some(true))]
#[tokio::test]
async fn answers_are_told_apart(#[case] status: u16, #[case] passing: Option<bool>) {
    let server = receiver(ResponseTemplate::new(status)).await;
    let ntfy = topic(&format!("{}/t", server.uri()), None).unwrap();
    let result = ntfy.deliver(&message(Event::Opened), at(0)).await;
    let failed = result
        .err()
        .map(|failure| matches!(failure, Failure::Passing { .. }));
    assert_eq!(failed, passing);
    let request = server.received_requests().await.unwrap().remove(0);
    assert_eq!(
        (request.url.path(), request.headers.get("authorization")),
        ("/", None)
    );
}

#[test]
fn a_url_without_a_topic_is_refused() {
    assert!(topic("https://ntfy.test/", None).is_err());
    assert!(topic("ntfy.test", None).is_err());
}
