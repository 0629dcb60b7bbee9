use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::incident::sample::{at, incident};
use crate::model::template::Encoding;
use crate::model::{Event, MessageId, Notice};
use crate::notify::{Pipeline, sample};

fn message() -> Message {
    Message {
        id: MessageId(1),
        notifier: "oncall".into(),
        notice: Arc::new(Notice {
            event: Event::Opened,
            dedup_key: "mailflow-482-1795414440".into(),
            at: at(1200),
            incident: Some(Arc::new(incident(482))),
            affected: 2,
            subject: "ACME".into(),
            text: "ACME: no mail in.".into(),
            body: String::new(),
            url: Some("https://mail.msp.example/incidents/482".into()),
        }),
    }
}

fn plain(secret: &'static str) -> Secret {
    Secret::new(move || Ok(SecretString::from(secret)))
}

fn webhook(url: &str) -> WebhookSettings {
    WebhookSettings {
        url: Template::parse(url, Encoding::Percent).unwrap(),
        headers: Vec::new(),
        secret: None,
        template: None,
        capture: None,
    }
}

async fn receiver(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/hook"))
        .and(header("content-type", "application/json"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

async fn deliver_to(server: &MockServer) -> Result<(), Failure> {
    let webhook = Webhook::new(webhook(&format!("{}/hook", server.uri()))).unwrap();
    webhook.deliver(&message(), None, at(1200)).await.map(drop)
}

async fn posted(server: &MockServer) -> Request {
    server.received_requests().await.unwrap().remove(0)
}

#[tokio::test]
async fn the_document_is_the_contracts() {
    let server = receiver(ResponseTemplate::new(204)).await;
    deliver_to(&server).await.unwrap();
    let mut document: Value = posted(&server).await.body_json().unwrap();
    // The catalogue's texts have tests of their own.
    let cause = document["incident"]["cause"].as_object_mut().unwrap();
    assert!(cause.remove("explanation").is_some() && cause.remove("action").is_some());
    insta::assert_json_snapshot!(document, @r#"
    {
      "dedup_key": "mailflow-482-1795414440",
      "event": "opened",
      "incident": {
        "affected": 2,
        "cause": {
          "code": "gateway.down",
          "confidence": "probable",
          "confidence_reason": null,
          "contact": "Telekom business line, 0800 1234567, circuit 4711",
          "detail": "Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect.",
          "evidence": [],
          "layer": "gateway",
          "owner": "client",
          "root": {
            "client": "acme",
            "kind": "gateway",
            "name": "hq-router"
          },
          "subject": "hq-router (198.51.100.1)",
          "title": "The router in front of the mail server does not answer"
        },
        "domains": [
          {
            "client": "acme",
            "domain": "acme.test",
            "state": "broken"
          },
          {
            "client": "acme",
            "domain": "acme-shop.test",
            "state": "broken"
          }
        ],
        "ended_by": null,
        "flapping": null,
        "id": "482",
        "opened": "2026-11-22T02:14:00Z",
        "resolved": null,
        "routes": [],
        "severity": "critical",
        "state": "open",
        "url": "https://mail.msp.example/incidents/482"
      },
      "sent": "2026-11-22T02:20:00Z",
      "text": "ACME: no mail in."
    }
    "#);
}

#[tokio::test]
async fn a_test_names_no_incident() {
    let server = receiver(ResponseTemplate::new(200)).await;
    let webhook = Webhook::new(webhook(&format!("{}/hook", server.uri()))).unwrap();
    webhook
        .deliver(&Pipeline::test_message("oncall", at(0)), None, at(0))
        .await
        .unwrap();
    let document: Value = posted(&server).await.body_json().unwrap();
    assert_eq!(
        (&document["event"], &document["incident"]),
        (&json!("test"), &Value::Null)
    );
}

#[tokio::test]
async fn headers_and_signature_are_sent() {
    let server = receiver(ResponseTemplate::new(200)).await;
    let settings = WebhookSettings {
        headers: vec![("Authorization".into(), plain("Bearer abc"))],
        secret: Some(plain("key")),
        ..webhook(&format!("{}/hook", server.uri()))
    };
    let webhook = Webhook::new(settings).unwrap();
    webhook.deliver(&message(), None, at(1200)).await.unwrap();
    let request = posted(&server).await;
    assert_eq!(request.headers["authorization"], "Bearer abc");
    let expected = format!("sha256={}", sign(b"key", &request.body));
    assert_eq!(request.headers["x-mailflow-signature"], expected.as_str());
}

#[test]
fn the_signature_is_hmac_sha256() {
    // RFC 4231, test case 2.
    assert_eq!(
        sign(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[rstest]
#[case(500, true)]
#[case(503, true)]
#[case(408, true)]
#[case(429, true)]
#[case(302, false)]
#[case(400, false)]
#[case(401, false)]
#[case(403, false)]
#[case(404, false)]
#[case(410, false)]
#[case(413, false)]
#[case(422, false)]
#[tokio::test]
async fn refusals_are_told_from_trouble(#[case] status: u16, #[case] passing: bool) {
    let answer = ResponseTemplate::new(status).insert_header("location", "http://elsewhere.test/");
    let server = receiver(answer).await;
    let failure = deliver_to(&server).await.unwrap_err();
    assert_eq!(matches!(failure, Failure::Passing { .. }), passing, "{failure:?}");
}

#[rstest]
#[case::seconds("120", Some(120))]
#[case::date("Sun, 22 Nov 2026 02:21:00 GMT", Some(60))]
#[case::past("Sun, 22 Nov 2026 01:00:00 GMT", None)]
#[case::nonsense("soon", None)]
#[tokio::test]
async fn retry_after_is_read(#[case] said: &str, #[case] seconds: Option<u64>) {
    let server = receiver(ResponseTemplate::new(429).insert_header("retry-after", said)).await;
    let Err(Failure::Passing { retry_after, .. }) = deliver_to(&server).await else {
        panic!("429 passes");
    };
    assert_eq!(retry_after, seconds.map(Duration::from_secs));
}

#[tokio::test]
async fn what_the_receiver_says_is_shown_bounded_and_inert() {
    let said = format!("\u{1b}[31mno such channel {}", "x".repeat(1_000_000));
    let server = receiver(ResponseTemplate::new(404).set_body_string(said)).await;
    let failure = deliver_to(&server).await.unwrap_err().to_string();
    assert!(
        failure.starts_with("the receiver answered 404 Not Found: \\x1b[31mno such channel xx"),
        "{failure}"
    );
    assert!(failure.len() < 250);
}

#[tokio::test]
async fn an_absent_receiver_is_passing_and_its_address_stays_ours() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=hush", socket.local_addr().unwrap());
    drop(socket);
    let webhook = Webhook::new(webhook(&url)).unwrap();
    let failure = webhook.deliver(&message(), None, at(0)).await.unwrap_err();
    assert!(matches!(failure, Failure::Passing { .. }));
    assert!(failure.to_string().contains("refused"), "{failure}");
    assert!(!failure.to_string().contains("hush"), "{failure}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_passing() {
    let settings = WebhookSettings {
        secret: Some(Secret::new(|| Err("/run/key: gone".into()))),
        ..webhook("http://127.0.0.1:9/")
    };
    let failure = Webhook::new(settings)
        .unwrap()
        .deliver(&message(), None, at(0))
        .await;
    assert_eq!(
        failure.unwrap_err(),
        Failure::passing("a secret cannot be had: /run/key: gone")
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    assert!(Webhook::new(webhook("not a url")).is_err());
    let settings = WebhookSettings {
        headers: vec![("bad header".into(), plain("x"))],
        ..webhook("http://127.0.0.1/")
    };
    assert!(
        Webhook::new(settings)
            .unwrap_err()
            .to_string()
            .contains("bad header")
    );
}

/// A ticket system that is configuration: its body and its addresses are templates, and its number is kept.
fn tickets(server: &MockServer) -> Webhook {
    let address = format!(
        "{}/tickets{{{{#captured}}}}/{{{{ captured }}}}/comments{{{{/captured}}}}",
        server.uri()
    );
    let body =
        r#"{"title": "{{ subject }}", "text": {{ text }}{{#resolved}}, "status": "closed"{{/resolved}}}"#;
    Webhook::new(WebhookSettings {
        url: Template::parse(&address, Encoding::Percent).unwrap(),
        template: Some(Template::parse(body, Encoding::Json).unwrap()),
        capture: Some("/ticket/id".into()),
        ..webhook("http://127.0.0.1/")
    })
    .unwrap()
}

#[tokio::test]
async fn a_ticket_is_opened_commented_and_closed() {
    let answer = ResponseTemplate::new(201).set_body_json(json!({"ticket": {"id": 4711}}));
    let server = sample::receiver(answer).await;
    let tickets = tickets(&server);
    let opened = sample::message(Event::Opened);
    let captured = tickets.deliver(&opened, None, at(0)).await.unwrap();
    assert_eq!(captured.as_deref(), Some("4711"));
    for event in [Event::Updated, Event::Acknowledged, Event::Resolved] {
        let later = sample::message(event);
        let again = tickets.deliver(&later, captured.as_deref(), at(0)).await.unwrap();
        assert_eq!(again, None, "the first number is the ticket's");
    }
    let requests = server.received_requests().await.unwrap();
    let said: Vec<String> = requests
        .iter()
        .map(|request| {
            format!(
                "{} {}",
                request.url.path(),
                String::from_utf8_lossy(&request.body)
            )
        })
        .map(|said| said.replace(&sample::message(Event::Opened).notice.text, "..."))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    /tickets {"title": "ACME: The router in front of the mail server does not answer (#482)", "text": "..."}
    /tickets/4711/comments {"title": "Changed: ACME: The router in front of the mail server does not answer (#482)", "text": "ACME: the cause is another than told before; no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"}
    /tickets/4711/comments {"title": "Acknowledged: ACME: The router in front of the mail server does not answer (#482)", "text": "ACME: anna has taken this on; still no mail in since 02:14 UTC (6 min). Router hq-router (198.51.100.1) does not answer; the server behind it is not the suspect. Whose: Telekom business line, 0800 1234567, circuit 4711. Do: Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server. Senders keep retrying. 2 domains. #482"}
    /tickets/4711/comments {"title": "Resolved: ACME: The router in front of the mail server does not answer (#482)", "text": "ACME: mail flows again since 04:13 UTC, after 1 h 59 min. It was: The router in front of the mail server does not answer (hq-router (198.51.100.1)). 2 domains. #482", "status": "closed"}
    "#);
}

#[rstest]
#[case::a_text(r#"{"ticket": {"id": " T-17 "}}"#, Some("T-17"))]
#[case::nothing_there(r#"{"ticket": {}}"#, None)]
#[case::no_json("created", None)]
#[case::an_object(r#"{"ticket": {"id": {}}}"#, None)]
#[case::a_way_up(r#"{"ticket": {"id": ".."}}"#, None)]
#[case::empty(r#"{"ticket": {"id": ""}}"#, None)]
#[tokio::test]
async fn what_can_be_kept_is_kept_and_nothing_else(#[case] answer: &str, #[case] kept: Option<&str>) {
    let server = sample::receiver(ResponseTemplate::new(200).set_body_string(answer)).await;
    let captured = tickets(&server)
        .deliver(&sample::message(Event::Opened), None, at(0))
        .await;
    assert_eq!(captured.unwrap().as_deref(), kept);
}

#[tokio::test]
async fn what_servers_said_stays_within_its_gap() {
    let server = sample::receiver(ResponseTemplate::new(200)).await;
    let message = sample::hostile();
    tickets(&server)
        .deliver(&message, Some("../../admin?x=1#"), at(0))
        .await
        .unwrap();
    let request = posted(&server).await;
    assert_eq!(request.url.path(), "/tickets/..%2F..%2Fadmin%3Fx%3D1%23/comments");
    let document: Value = request.body_json().unwrap();
    assert_eq!(document["text"], message.notice.text.as_str());
}

#[test]
fn every_field_has_a_value() {
    let message = sample::message(Event::Resolved);
    let empty: Vec<&str> = Field::ALL
        .iter()
        .filter(|field| fields::value(&message, Some("1"), **field).is_null())
        .map(|field| field.as_str())
        .collect();
    assert_eq!(empty, [""; 0]);
}

/// The address of a chat's hook lets whoever knows it post: nothing that is logged or shown holds it.
#[rstest]
#[case::answers(
    404,
    "no_service: /services/T0/B0/hush?key=secret is gone; POST http://HOST/services/T0/B0/hush?key=secret"
)]
#[case::silent(500, "")]
#[tokio::test]
async fn an_address_stays_a_secret(#[case] status: u16, #[case] said: &str) {
    let server = MockServer::start().await;
    let said = said.replace("http://HOST", &server.uri());
    let answer = ResponseTemplate::new(status).set_body_string(said);
    Mock::given(any()).respond_with(answer).mount(&server).await;
    for base in [server.uri(), "http://127.0.0.1:1".to_owned()] {
        let hook = Webhook::new(webhook(&format!("{base}/services/T0/B0/hush?key=secret"))).unwrap();
        let failure = hook.deliver(&message(), None, at(0)).await.unwrap_err();
        let shown = format!("{failure} {failure:?}");
        assert!(!shown.contains("hush") && !shown.contains("secret"), "{shown}");
    }
}
