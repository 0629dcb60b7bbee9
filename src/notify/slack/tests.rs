use rstest::rstest;
use wiremock::ResponseTemplate;

use super::*;
use crate::incident::sample::at;
use crate::model::Event;
use crate::notify::sample::{hostile, message, posted, receiver, secret};

async fn deliver(answer: ResponseTemplate) -> (Value, Result<(), Failure>) {
    let server = receiver(answer).await;
    let slack = Slack::new(secret(format!("{}/services/T0/B0/hush\n", server.uri()))).unwrap();
    let result = slack.deliver(&message(Event::Opened), at(1200)).await;
    (posted(&server).await.remove(0), result)
}

#[tokio::test]
async fn an_incident_is_posted() {
    let (post, result) = deliver(ResponseTemplate::new(200).set_body_string("ok")).await;
    result.unwrap();
    insta::assert_json_snapshot!(post, @r#"
    {
      "blocks": [
        {
          "text": {
            "emoji": false,
            "text": "🔴 ACME: The router in front of the mail server does not answer (#482)",
            "type": "plain_text"
          },
          "type": "header"
        },
        {
          "text": {
            "emoji": false,
            "text": "ACME: no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482",
            "type": "plain_text"
          },
          "type": "section"
        },
        {
          "elements": [
            {
              "text": "<https://mail.msp.example/incidents/482|Open in mailflow>",
              "type": "mrkdwn"
            }
          ],
          "type": "context"
        }
      ],
      "text": "🔴 ACME: The router in front of the mail server does not answer (#482)"
    }
    "#);
}

#[test]
fn so_are_its_later_messages() {
    let said: Vec<String> = [Event::Updated, Event::Acknowledged, Event::Resolved, Event::Test]
        .into_iter()
        .map(|event| post(&message(event).notice))
        .map(|post| format!("{}\n{}", post["text"], post["blocks"][1]["text"]["text"]))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    "🔴 Changed: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: the cause is another than told before; no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"
    "👀 Acknowledged: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: anna has taken this on; still no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"
    "✅ Resolved: ACME: The router in front of the mail server does not answer (#482)"
    "ACME: mail flows again since 04:13 UTC, after 1 h 59 min. It was: The router in front of the mail server does not answer (hq-router (198.51.100.1)). 2 domains. #482"
    "ℹ️ Test message from mailflow"
    "This is a test message from mailflow. Nothing is wrong, and there is nothing to do."
    "#);
}

#[test]
fn nothing_that_a_server_said_is_obeyed() {
    let post = post(&hostile().notice);
    let text = post["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(text.contains("&lt;!channel&gt; &amp; &lt;b&gt;"), "{text}");
    for text in [
        text,
        post["text"].as_str().unwrap(),
        post["blocks"][0]["text"]["text"].as_str().unwrap(),
    ] {
        assert!(!text.contains(['<', '>', '\u{1b}', '\u{202e}']), "{text}");
    }
    assert_eq!(post["blocks"][1]["text"]["type"], "plain_text");
}

#[test]
fn blocks_keep_their_limits_when_every_character_is_escaped() {
    let mut message = hostile();
    let notice = std::sync::Arc::make_mut(&mut message.notice);
    notice.subject = "&".repeat(160);
    notice.text = "<>".repeat(1000);
    let post = post(notice);
    let length = |block: usize| {
        let text = post["blocks"][block]["text"]["text"].as_str().unwrap();
        assert!(text.ends_with(";…"), "{text}");
        text.chars().count()
    };
    assert!((140..=150).contains(&length(0)));
    assert!((2990..=3000).contains(&length(1)));
    assert!(post["text"].as_str().unwrap().chars().count() <= 40_000);
}

#[rstest]
#[case::taken(200, "ok", None)]
#[case::not_slack(200, "<html>Log in", Some(true))]
#[case::malformed(400, "invalid_payload", Some(false))]
#[case::forbidden(403, "action_prohibited", Some(false))]
#[case::no_channel(404, "channel_not_found", Some(false))]
#[case::archived(410, "channel_is_archived", Some(false))]
#[case::too_fast(429, "", Some(true))]
#[case::trouble(500, "rollup_error", Some(true))]
#[tokio::test]
async fn answers_are_told_apart(#[case] status: u16, #[case] said: &str, #[case] passing: Option<bool>) {
    let (_, result) = deliver(ResponseTemplate::new(status).set_body_string(said)).await;
    let failed = result
        .err()
        .map(|failure| matches!(failure, Failure::Passing { .. }));
    assert_eq!(failed, passing);
}

#[tokio::test]
async fn the_hooks_address_is_never_shown() {
    let answer = ResponseTemplate::new(404).set_body_string("cannot POST /services/T0/B0/hush");
    let failure = deliver(answer).await.1.unwrap_err().to_string();
    assert_eq!(failure, "the receiver answered 404 Not Found: cannot POST …");
    let slack = Slack::new(secret("http://127.0.0.1:1/hush")).unwrap();
    let failure = slack.deliver(&message(Event::Opened), at(0)).await.unwrap_err();
    assert!(!failure.to_string().contains("hush"), "{failure}");
}

#[tokio::test]
async fn a_secret_that_is_no_url_is_passing() {
    let slack = Slack::new(secret("hush")).unwrap();
    let failure = slack.deliver(&message(Event::Opened), at(0)).await.unwrap_err();
    assert_eq!(
        failure,
        Failure::passing("the secret that should be the hook's URL is none")
    );
}
