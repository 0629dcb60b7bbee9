//! Explanations that are posted to a webhook.

use serde_json::Value;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// A receiver that answers so, as often as that.
async fn answer(server: &MockServer, status: u16, times: u64) {
    Mock::given(method("POST"))
        .and(path("/bounces"))
        .and(header("content-type", "application/json"))
        .respond_with(ResponseTemplate::new(status))
        .up_to_n_times(times)
        .mount(server)
        .await;
}

/// A mailbox whose explanations go there, as the configuration has it.
fn posting_to(server: &MockServer) -> Arc<Mailbox> {
    let text = format!(
        "[[clients]]\nname = \"ACME\"\ndomains = [\"acme.test\"]\n[[bounce_mailboxes]]\n\
         mailbox = {{ server = \"192.0.2.25:993\", username = \"bounces\", password = \"x\" }}\n\
         webhook = {{ url = \"{}/bounces\", headers = {{ x-token = \"hunter2\" }}, secret = \"key\" }}\n",
        server.uri()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.toml");
    std::fs::write(&path, text).unwrap();
    let config = config::load(Some(&path), std::iter::empty()).unwrap().config;
    configured(&config).unwrap().remove(0)
}

/// One explained bounce that waits to be posted.
fn queued(mailbox: &Mailbox, post: &Post) -> Answers {
    let text = message("forwarded-attached");
    let view = answers::View {
        snapshot: Arc::new(sample::calm()),
        client: Some(ClientId::parse("acme").unwrap()),
    };
    let mut answers = Answers::default();
    let (letter, explanation) = (
        message::letter(text.as_bytes()),
        message::explain(text.as_bytes()),
    );
    answers.queue(mailbox, &letter, &explanation, &view, post.now());
    answers
}

async fn send(answers: &mut Answers, mailbox: &Mailbox, post: &Post) {
    let (context, way) = (context(), &mailbox.way);
    answers.send(post, (&context, &post.trust), way).await;
}

/// Lets time pass while no connection is open: a paused clock would run ahead of it.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn what_is_posted() {
    let server = MockServer::start().await;
    answer(&server, 204, 1).await;
    let (mailbox, post) = (posting_to(&server), Post::new(Manner::default()));
    let mut answers = queued(&mailbox, &post);
    send(&mut answers, &mailbox, &post).await;
    assert!(answers.is_empty());
    let request = server.received_requests().await.unwrap().remove(0);
    assert_eq!(request.headers["x-token"], "hunter2");
    let signature = request.headers["x-mailflow-signature"].to_str().unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"key");
    let tag = aws_lc_rs::hmac::sign(&key, &request.body);
    assert_eq!(
        signature,
        format!("sha256={}", crate::model::text::hex(tag.as_ref()))
    );
    let mut document: Value = request.body_json().unwrap();
    // The catalogue's texts have tests of their own.
    let cause = document["explanation"]["recipients"][0]["cause"]
        .as_object_mut()
        .unwrap();
    assert!(cause.remove("explanation").is_some() && cause.remove("action").is_some());
    let text = document.as_object_mut().unwrap().remove("text").unwrap();
    assert!(
        text.as_str()
            .unwrap()
            .contains("There is no mailbox with this address")
    );
    let ours = document.as_object_mut().unwrap().remove("ours").unwrap();
    assert_eq!(ours[0]["agreement"], "unseen");
    insta::assert_json_snapshot!(document, @r#"
    {
      "client": "acme",
      "event": "explained",
      "explanation": {
        "forwarded": "attached",
        "hops": [
          "mail.acme.test",
          "mx.acme.test"
        ],
        "kind": "bounce",
        "message_id": "offer-4711@acme.test",
        "recipients": [
          {
            "action": "failed",
            "basis": "enhanced-code",
            "cause": {
              "code": "recipient.unknown",
              "layer": "recipient",
              "owner": "client",
              "title": "There is no mailbox with this address"
            },
            "expired": false,
            "hop": {
              "host": "mx.partner.test",
              "number": 3,
              "stage": "rcpt"
            },
            "original_recipient": null,
            "permanent": true,
            "reason": "user-unknown",
            "recipient": "who@partner.test",
            "remote_host": "mx.partner.test",
            "reply": "550 5.1.1 <who@partner.test>: Recipient address rejected: User unknown in virtual mailbox table",
            "reporting_host": "mx.acme.test",
            "status": "5.1.1"
          }
        ],
        "sender": "anna@acme.test",
        "sort": null,
        "subject": "Offer 4711"
      },
      "from": "anna@acme.test",
      "message_id": "<fwd@acme.test>",
      "source": "mailbox bounces at 192.0.2.25:993",
      "subject": "Fwd: Undelivered Mail Returned to Sender"
    }
    "#);
}

#[tokio::test]
async fn a_receiver_that_fails_gets_it_again_and_one_that_refuses_does_not() {
    let server = MockServer::start().await;
    answer(&server, 503, 2).await;
    answer(&server, 204, 1).await;
    let (failing, post) = (posting_to(&server), Post::new(Manner::default()));
    let mut answers = queued(&failing, &post);
    let received = async || server.received_requests().await.unwrap().len();
    for (wait, times) in [(0, 1), (29, 1), (2, 2), (58, 2), (3, 3)] {
        pass(wait).await;
        assert!(!answers.is_empty());
        send(&mut answers, &failing, &post).await;
        assert_eq!(received().await, times, "{wait} s later");
    }
    assert!(answers.is_empty());

    let refusing = MockServer::start().await;
    answer(&refusing, 401, 1).await;
    let mailbox = posting_to(&refusing);
    let mut answers = queued(&mailbox, &post);
    send(&mut answers, &mailbox, &post).await;
    assert!(answers.is_empty(), "trying again changes nothing");
}

#[tokio::test]
async fn what_nobody_takes_is_given_up() {
    let server = MockServer::start().await;
    answer(&server, 500, 100).await;
    let (mailbox, post) = (posting_to(&server), Post::new(Manner::default()));
    let mut answers = queued(&mailbox, &post);
    for _ in 0..10 {
        send(&mut answers, &mailbox, &post).await;
        pass(300).await;
    }
    assert!(answers.is_empty());
    assert_eq!(server.received_requests().await.unwrap().len(), 5);
}
