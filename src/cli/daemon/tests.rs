use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// What becomes of asking a server that answers everything with `answer`.
async fn asked(answer: ResponseTemplate) -> (Result<Value, Error>, String) {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let daemon = Daemon::at(&server.uri().parse().unwrap()).unwrap();
    let base = daemon.url().to_string();
    (daemon.get(&["summary"], &[]).await, base)
}

/// The error, with `URL` for where the server happened to be.
async fn error(answer: ResponseTemplate) -> String {
    let (result, base) = asked(answer).await;
    result.unwrap_err().to_string().replace(&base, "URL")
}

#[tokio::test]
async fn whatever_else_answers_is_told_from_a_daemon() {
    let html = ResponseTemplate::new(200).set_body_raw("<h1>It works!</h1>", "text/html");
    insta::assert_snapshot!(error(html).await, @r#"
    what answers at URL is not mailflow's API: it answers 200 OK, and not with JSON
    Is --url or MAILFLOW_URL right?
    "#);
    let other = ResponseTemplate::new(404).set_body_raw(r#"{"message":"no"}"#, "application/json");
    insta::assert_snapshot!(error(other).await, @r#"
    what answers at URL is not mailflow's API: it answers 404 Not Found
    Is --url or MAILFLOW_URL right?
    "#);
    let moved = ResponseTemplate::new(301).insert_header("location", "https://mail.msp.example/");
    insta::assert_snapshot!(error(moved).await, @r#"
    what answers at URL is not mailflow's API: it redirects to https://mail.msp.example/
    Is --url or MAILFLOW_URL right?
    "#);
}

#[tokio::test]
async fn a_daemon_says_why_it_refuses() {
    let denied = ResponseTemplate::new(401);
    insta::assert_snapshot!(error(denied).await, @r#"
    URL wants to know who asks (401 Unauthorized)
    Set MAILFLOW_TOKEN to one of the tokens in its server.auth.
    "#);
    let refused =
        ResponseTemplate::new(409).set_body_raw(r#"{"error":"not \u001b[31mnow"}"#, "application/json");
    insta::assert_snapshot!(error(refused).await, @r#"not \x1b[31mnow"#);
}

#[tokio::test]
async fn nobody_there() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url: Url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let daemon = Daemon::at(&url).unwrap();
    let error = daemon.get(&["summary"], &[]).await.unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(url.as_str(), "URL"), @r#"
    no daemon answers at URL: Connection refused (os error 111)
    Start one with `mailflow run`, or say where it is with --url or MAILFLOW_URL.
    "#);
}

#[tokio::test]
async fn the_token_goes_along_and_any_name_stays_one_segment() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/behind/api/v1/notifiers/..%2F..%2F-%2Freload%3F/test"))
        .and(header("authorization", "Bearer s3cret"))
        .respond_with(ResponseTemplate::new(200).set_body_raw("{}", "application/json"))
        .expect(1)
        .mount(&server)
        .await;
    let base = format!("{}/behind/", server.uri()).parse().unwrap();
    let daemon = Daemon::with_token(&base, Some("s3cret\n")).unwrap();
    daemon
        .post(&["notifiers", "../../-/reload?", "test"])
        .await
        .unwrap();
    assert!(matches!(
        Daemon::with_token(&base, Some("a\nb")),
        Err(Error::BadToken)
    ));
}

#[test]
fn this_machine_needs_no_proxy() {
    let here = |url: &str| is_here(&url.parse().unwrap());
    assert!(here("http://127.0.0.1:9525") && here("http://[::1]:9525") && here("http://localhost"));
    assert!(!here("http://192.0.2.1") && !here("https://mail.msp.example"));
}
