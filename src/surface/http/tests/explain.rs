//! A message in, its explanation out.

use super::*;

const BOUNCE: &str = include_str!("../../../../tests/messages/postfix-unknown.eml");

async fn explained(world: &World, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/api/v1/explain").body(body.into()).unwrap();
    let response = world.send(request).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

#[tokio::test]
async fn a_bounce_is_explained_in_the_contracts_shape() {
    let (status, told) = explained(&world(sample::fleet()), BOUNCE).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(told["kind"], "bounce");
    assert_eq!(told["sender"], "anna@acme.test");
    let one = &told["recipients"][0];
    assert_eq!(one["recipient"], "who@partner.test");
    assert_eq!(one["action"], "failed");
    assert_eq!(one["status"], "5.1.1");
    assert_eq!(one["permanent"], true);
    assert_eq!(one["reporting_host"], "mx.acme.test");
    assert_eq!(one["remote_host"], "mx.partner.test");
    let cause = &one["cause"];
    assert_eq!(cause["code"], "recipient.unknown");
    assert_eq!(cause["layer"], "recipient");
    assert_eq!(cause["owner"], "client");
    for words in ["title", "explanation", "action"] {
        assert!(cause[words].as_str().unwrap().len() > 10, "{words}");
    }
}

/// ACME's mail to the partner is watched, and so said to pass; nobody's name makes it another client's.
#[tokio::test]
async fn what_we_see_ourselves_stands_beside_it() {
    let (_, told) = explained(&world(sample::fleet()), BOUNCE).await;
    let ours = &told["ours"][0];
    assert_eq!(ours["destination"], "partner.test");
    assert_eq!(ours["agreement"], "unseen");
    assert_eq!(ours["watched"]["client"], "acme");
    assert_eq!(ours["watched"]["state"], "flowing");
    let elsewhere = BOUNCE.replace("partner.test", "nobody-watches.test");
    let (_, told) = explained(&world(sample::fleet()), elsewhere).await;
    let ours = &told["ours"][0];
    assert_eq!(
        (&ours["agreement"], &ours["watched"]),
        (&"not-watched".into(), &Value::Null)
    );
}

#[tokio::test]
async fn a_message_may_be_large_but_neither_endless_nor_empty() {
    let world = world(sample::fleet());
    let large = format!("{BOUNCE}{}", "x".repeat(1 << 20));
    assert_eq!(explained(&world, large).await.0, StatusCode::OK);
    let (status, told) = explained(&world, " \n").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(told["error"].as_str().unwrap().contains("as the body"));
    let endless = vec![b'x'; super::super::explain::LARGEST + 1];
    let request = Request::post("/api/v1/explain")
        .body(Body::from(endless))
        .unwrap();
    let refused = world.send(request).await.status();
    assert_eq!(refused, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _) = world.error("/api/v1/explain").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}
