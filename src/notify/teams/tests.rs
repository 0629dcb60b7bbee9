use rstest::rstest;
use wiremock::ResponseTemplate;

use super::*;
use crate::incident::sample::at;
use crate::model::Event;
use crate::notify::sample::{hostile, message, posted, receiver, secret};

async fn deliver(answer: ResponseTemplate) -> (Value, Result<(), Failure>) {
    let server = receiver(answer).await;
    let url = format!("{}/workflows/hush?sig=hushed", server.uri());
    let teams = Teams::new(secret(url)).unwrap();
    let result = teams.deliver(&message(Event::Opened), at(1200)).await;
    (posted(&server).await.remove(0), result)
}

#[tokio::test]
async fn an_incident_is_a_card() {
    let (post, result) = deliver(ResponseTemplate::new(202)).await;
    result.unwrap();
    insta::assert_json_snapshot!(post, @r#"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "actions": [
              {
                "title": "Open in mailflow",
                "type": "Action.OpenUrl",
                "url": "https://mail.msp.example/incidents/482"
              }
            ],
            "body": [
              {
                "inlines": [
                  {
                    "color": "attention",
                    "size": "medium",
                    "text": "ACME: The router in front of the mail server does not answer (#482)",
                    "type": "TextRun",
                    "weight": "bolder"
                  }
                ],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {
                    "text": "ACME: no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              }
            ],
            "fallbackText": "ACME: The router in front of the mail server does not answer (#482)",
            "msteams": {
              "width": "Full"
            },
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "summary": "ACME: The router in front of the mail server does not answer (#482)",
      "type": "message"
    }
    "#);
}

#[test]
fn so_are_its_later_messages() {
    let said: Vec<String> = [Event::Updated, Event::Acknowledged, Event::Resolved, Event::Test]
        .into_iter()
        .map(|event| post(&message(event).notice))
        .map(|post| {
            let body = &post["attachments"][0]["content"]["body"];
            let (heading, text) = (&body[0]["inlines"][0], &body[1]["inlines"][0]["text"]);
            format!("{}: {}\n{text}", heading["color"], heading["text"])
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    "attention": "Changed: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: the cause is another than told before; no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"
    "accent": "Acknowledged: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: anna has taken this on; still no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"
    "good": "Resolved: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: mail flows again since 04:13 UTC, after 1 h 59 min. It was: The router in front of the mail server does not answer (hq-router (198.51.100.1)). 2 domains. #482"
    "default": "Test message from mailflow"
    "This is a test message from mailflow. Nothing is wrong, and there is nothing to do."
    "#);
}

#[test]
fn what_servers_said_is_no_markdown_and_fits() {
    let post = post(&hostile().notice);
    assert!(post.to_string().len() <= 28_000);
    for block in post["attachments"][0]["content"]["body"].as_array().unwrap() {
        assert_eq!(block["type"], "RichTextBlock");
    }
    let mut long = hostile();
    std::sync::Arc::make_mut(&mut long.notice).text = "\"\\".repeat(20_000);
    let post = self::post(&long.notice).to_string();
    assert!((14_000..=28_000).contains(&post.len()));
}

#[rstest]
#[case::taken_by_workflows(202, "", None)]
#[case::taken_by_connectors(200, "1", None)]
#[case::taken_with_an_answer(200, r#"{"id": "17"}"#, None)]
#[case::a_complaint_in_json(200, r#"{"error": {"code": 413, "message": "too large"}}"#, Some(false))]
#[case::a_complaint_without_a_number(200, r#"{"error": {"code": "WorkflowFailed"}}"#, Some(true))]
#[case::too_fast(
    200,
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId",
    Some(true)
)]
#[case::too_large(
    200,
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId",
    Some(false)
)]
#[case::something_else(200, "Summary or Text is required.", Some(true))]
#[case::no_such_flow(404, "", Some(false))]
#[case::really_too_fast(429, "", Some(true))]
#[case::trouble(502, "", Some(true))]
#[tokio::test]
async fn answers_are_told_apart(#[case] status: u16, #[case] said: &str, #[case] passing: Option<bool>) {
    let (_, result) = deliver(ResponseTemplate::new(status).set_body_string(said)).await;
    let failed = result
        .err()
        .map(|failure| matches!(failure, Failure::Passing { .. }));
    assert_eq!(failed, passing);
}
