//! What people do, over HTTP.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::model::text::clean;

static NEXT: AtomicU64 = AtomicU64::new(3);

impl Operator for Desk {
    fn acknowledge(&self, id: IncidentId, by: String) -> BoxFuture<'_, Result<Arc<Incident>, OperateError>> {
        Box::pin(async move {
            let fleet = sample::fleet();
            let mut open = fleet.open_incidents.iter();
            let mut incident = (**open.find(|one| one.id == id).ok_or(OperateError::Over)?).clone();
            incident.acknowledged = Some(crate::model::Acknowledgement {
                at: sample::at(sample::NOW),
                by,
                told: false,
            });
            Ok(Arc::new(incident))
        })
    }

    fn note(&self, _: IncidentId, _: String) -> BoxFuture<'_, Result<(), OperateError>> {
        Box::pin(async { Ok(()) })
    }

    fn set(&self, measure: Measure, by: String, reason: String) -> BoxFuture<'_, Result<Hand, OperateError>> {
        Box::pin(async move {
            let id = HandId(NEXT.fetch_add(1, Ordering::Relaxed));
            Hand::new(id, measure, &by, &reason, sample::at(sample::NOW)).map_err(OperateError::Wrong)
        })
    }

    fn lift(&self, id: HandId, kind: HandKind) -> BoxFuture<'_, Result<Hand, OperateError>> {
        Box::pin(async move {
            let mut hands = standing().into_iter();
            hands
                .find(|hand| hand.id == id && hand.kind() == kind)
                .ok_or(OperateError::Missing)
        })
    }
}

pub(crate) fn standing() -> Vec<Hand> {
    let measure = |text: &str| serde_json::from_str::<Measure>(text).unwrap();
    let made = sample::at(sample::NOW);
    let hand = |id, text: &str| Hand::new(HandId(id), measure(text), "anna", "parts", made).unwrap();
    vec![
        hand(
            1,
            r#"{"kind":"silence","client":"acme","until":"2026-11-23T00:00:00Z"}"#,
        ),
        hand(
            2,
            r#"{"kind":"maintenance","client":"acme","recurring":"Sun 02:00-04:00 UTC"}"#,
        ),
    ]
}

async fn sent(world: &World, path: &str, body: &str) -> (u16, String) {
    let request = Request::post(path).body(Body::from(body.to_owned())).unwrap();
    let response = world.send(request).await;
    (response.status().as_u16(), text(response).await)
}

#[tokio::test]
async fn an_incident_is_taken_on() {
    let world = world(sample::fleet());
    let (status, body) = sent(&world, "/api/v1/incidents/482/ack", r#"{"by":" anna\u001b "}"#).await;
    let taken: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!(taken["acknowledged"]["by"], clean(b"anna\x1b", 80).as_str());
    assert_eq!(
        sent(&world, "/api/v1/incidents/482/ack", "").await.0,
        200,
        "by nobody"
    );
    assert_eq!(
        sent(&world, "/api/v1/incidents/5/ack", "").await.0,
        409,
        "it is over"
    );
    assert_eq!(sent(&world, "/api/v1/incidents/9999/ack", "").await.0, 404);
    assert_eq!(
        sent(&world, "/api/v1/incidents/482/ack", r#"{"who":"anna"}"#)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_note_is_written() {
    let world = world(sample::fleet());
    let said = sent(
        &world,
        "/api/v1/incidents/5/note",
        r#"{"by":"anna","text":"it was the fuse"}"#,
    )
    .await;
    let wanted = r#"{"incident":"5","text":"note by anna: it was the fuse"}"#;
    assert_eq!(said, (200, wanted.to_owned()));
    assert_eq!(
        sent(&world, "/api/v1/incidents/5/note", r#"{"text":" "}"#)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_silence_is_set_listed_and_lifted() {
    let mut snapshot = sample::fleet();
    snapshot.hands = standing();
    let world = world(snapshot);
    let body = r#"{"client":"acme","for":"4h","by":"anna","reason":"parts"}"#;
    let (status, body) = sent(&world, "/api/v1/silences", body).await;
    let mut made: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 201);
    made["id"] = "3".into();
    insta::assert_json_snapshot!(made, @r#"
    {
      "by": "anna",
      "client": "acme",
      "code": null,
      "domain": null,
      "gateway": null,
      "id": "3",
      "kind": "silence",
      "lifted": null,
      "made": "2026-11-22T02:20:31Z",
      "reason": "parts",
      "until": "2026-11-22T06:20:31Z"
    }
    "#);
    assert_eq!(
        names(&world.json("/api/v1/silences").await, "silences", "id"),
        ["1"]
    );
    let windows = world.json("/api/v1/maintenance").await;
    assert_eq!(windows["maintenance"][0]["active"], true);
    let lift = |path: &'static str| world.send(Request::delete(path).body(Body::empty()).unwrap());
    assert_eq!(lift("/api/v1/silences/1").await.status(), StatusCode::OK);
    assert_eq!(lift("/api/v1/silences/2").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(lift("/api/v1/maintenance/2").await.status(), StatusCode::OK);
}

/// A way of a client's mail is watched for a week where nobody says for how long; what the configuration names already is.
#[tokio::test]
async fn a_way_is_watched_for_a_week() {
    let world = world(sample::fleet());
    let body = r#"{"client":"ACME Ltd","domain":"who@stranger.test","by":"anna"}"#;
    let (status, body) = sent(&world, "/api/v1/watches", body).await;
    let mut made: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 201, "{body}");
    made["id"] = "3".into();
    insta::assert_json_snapshot!(made, @r#"
    {
      "by": "anna",
      "client": "acme",
      "domain": "stranger.test",
      "id": "3",
      "kind": "watch",
      "lifted": null,
      "made": "2026-11-22T02:20:31Z",
      "reason": "nobody said why",
      "until": "2026-11-29T02:20:31Z"
    }
    "#);
    for (body, wanted) in [
        (r#"{"client":"acme","domain":"partner.test"}"#, 409),
        (
            r#"{"client":"acme","domain":"stranger.test","for":"1h","until":"2027-01-01"}"#,
            400,
        ),
        (
            r#"{"client":"acme","domain":"stranger.test","until":"2026-01-01"}"#,
            400,
        ),
        (r#"{"domain":"stranger.test"}"#, 400),
        (r#"{"client":"acme","domain":"stranger.test","to":"x"}"#, 400),
    ] {
        let (status, answer) = sent(&world, "/api/v1/watches", body).await;
        assert_eq!(status, wanted, "{body}: {answer}");
    }
    assert_eq!(
        world.json("/api/v1/watches").await["watches"],
        Value::Array(Vec::new())
    );
    let gone = world.send(Request::delete("/api/v1/watches/9").body(Body::empty()).unwrap());
    assert_eq!(gone.await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_would_mean_nothing_is_refused_with_a_reason() {
    let world = world(sample::fleet());
    let mut said = Vec::new();
    for (path, body) in [
        ("silences", "nonsense"),
        ("silences", r#"{"client":"acme","reason":"parts"}"#),
        ("silences", r#"{"client":"acme","for":"4h"}"#),
        ("silences", r#"{"client":"acne","for":"4h","reason":"parts"}"#),
        (
            "silences",
            r#"{"domain":"acme.example","for":"4h","reason":"parts"}"#,
        ),
        ("silences", r#"{"gateway":"router","for":"4h","reason":"parts"}"#),
        (
            "silences",
            r#"{"code":"gateway.dwn","for":"4h","reason":"parts"}"#,
        ),
        ("silences", r#"{"for":"4h","reason":"parts"}"#),
        (
            "silences",
            r#"{"client":"acme","for":"four hours","reason":"parts"}"#,
        ),
        (
            "silences",
            r#"{"client":"acme","until":"2026-11-21","reason":"parts"}"#,
        ),
        (
            "silences",
            r#"{"client":"acme","until":"tomorrow","reason":"parts"}"#,
        ),
        (
            "silences",
            r#"{"client":"acme","untill":"2026-11-23","reason":"parts"}"#,
        ),
        (
            "maintenance",
            r#"{"client":"acme","recurring":"Sun 2-4","reason":"parts"}"#,
        ),
        (
            "maintenance",
            r#"{"client":"acme","from":"2026-11-23T02:00:00Z","reason":"parts"}"#,
        ),
        (
            "acceptances",
            r#"{"code":"dkim","domain":"acme.test","until":"2027-01-31","reason":"parts"}"#,
        ),
        (
            "acceptances",
            r#"{"code":"vantage.offline","domain":"acme.test","until":"2027-01-31","reason":"parts"}"#,
        ),
    ] {
        let (status, answer) = sent(&world, &format!("/api/v1/{path}"), body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        said.push(format!("{body}\n  {}", answer["error"].as_str().unwrap()));
    }
    insta::assert_snapshot!(said.join("\n"));
}
