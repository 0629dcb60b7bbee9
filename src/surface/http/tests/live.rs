//! Event streams, and a server on a real socket.

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::model::{IncidentState, State};

#[tokio::test]
async fn events_tell_what_changed_and_end_with_the_server() {
    let world = world(sample::calm());
    let response = world
        .send(Request::get("/api/v1/events").body(Body::empty()).unwrap())
        .await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut chunks = response.into_body().into_data_stream();
    let mut next = async || {
        let bytes = chunks.next().await?.unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    };
    assert!(next().await.unwrap().starts_with("event: alive"));
    // Two snapshots at once: a slow reader is told the difference, not each step.
    world.snapshots.send_replace(Arc::new(sample::warming()));
    let mut snapshot = sample::calm();
    let name = snapshot.domains.keys().next().unwrap().clone();
    Arc::make_mut(snapshot.domains.get_mut(&name).unwrap()).state = State::Broken;
    snapshot.open_incidents = sample::fleet().open_incidents;
    snapshot.open_incidents.truncate(1);
    world.snapshots.send_replace(Arc::new(snapshot));
    let incident = next().await.unwrap();
    assert!(
        incident.starts_with("event: incident\ndata: {\"event\":\"opened\""),
        "{incident}"
    );
    let verdict = next().await.unwrap();
    assert!(verdict.starts_with("event: verdict\ndata: "), "{verdict}");
    assert!(verdict.contains("\"was\":\"flowing\""), "{verdict}");
    let mut over = sample::closed(482);
    over.state = IncidentState::Resolved;
    let mut calm = sample::calm();
    calm.closed_incidents = vec![Arc::new(over)];
    world.snapshots.send_replace(Arc::new(calm));
    let resolved = next().await.unwrap();
    assert!(resolved.contains("\"event\":\"resolved\"") && resolved.contains("\"ended_by\":\"recovered\""));
    next().await.unwrap();
    world.stop.cancel();
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn streams_are_bounded() {
    let world = world(sample::calm());
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let response = world
            .send(Request::get("/api/v1/events").body(Body::empty()).unwrap())
            .await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    assert_eq!(
        world.get("/api/v1/events").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    open.pop();
    let response = world
        .send(Request::get("/api/v1/events").body(Body::empty()).unwrap())
        .await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_real_server_answers_and_stops_with_a_stream_open() {
    let world = world(sample::fleet());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, world.surface.clone(), world.stop.clone()));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    world.stop.cancel();
    server.await.unwrap();
}

/// Serves the samples in turn, to look at the live page and to let a real Prometheus scrape it:
/// `MAILFLOW_LISTEN=127.0.0.1:9525 cargo test --lib a_sample_to_look_at -- --ignored`
#[tokio::test]
#[ignore = "serves until it is stopped, for people to look at"]
async fn a_sample_to_look_at() {
    let world = world(sample::fleet());
    let listener = TcpListener::bind(std::env::var("MAILFLOW_LISTEN").unwrap())
        .await
        .unwrap();
    let server = tokio::spawn(serve(listener, world.surface.clone(), world.stop.clone()));
    for mood in [sample::fleet, sample::blind, sample::warming, sample::calm]
        .iter()
        .cycle()
    {
        world.snapshots.send_replace(Arc::new(mood()));
        tokio::time::sleep(Duration::from_secs(3)).await;
        if server.is_finished() {
            break;
        }
    }
}
