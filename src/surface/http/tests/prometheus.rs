//! What Prometheus asks of us besides `/metrics`.

use serde_json::json;

use super::*;
use crate::snapshot::NotifierCounts;

async fn probe(world: &World, query: &str, accept: &str) -> Response {
    let request = Request::get(format!("/probe?{query}"))
        .header("x-prometheus-scrape-timeout-seconds", "10")
        .header(header::ACCEPT, accept);
    world.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_watched_domain_is_probed_from_what_is_known() {
    let world = world(sample::fleet());
    let response = probe(&world, "target=ACME.test.", "text/plain").await;
    assert_eq!(response.status(), StatusCode::OK);
    let text = text(response).await;
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    insta::assert_snapshot!(samples.join("\n"), @r#"
    mailflow_domain_state{client="acme",domain="acme.test",state="flowing"} 0
    mailflow_domain_state{client="acme",domain="acme.test",state="degraded"} 0
    mailflow_domain_state{client="acme",domain="acme.test",state="broken"} 1
    mailflow_domain_state{client="acme",domain="acme.test",state="unknown"} 0
    mailflow_domain_cause{client="acme",domain="acme.test",code="gateway.down"} 1
    mailflow_domain_info{client="acme",domain="acme.test",provider="self-hosted"} 1
    mailflow_domain_last_check_timestamp_seconds{client="acme",domain="acme.test"} 1795314012
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="usable"} 0
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="failed"} 1
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="refused"} 0
    mailflow_domain_mx_addresses{client="acme",domain="acme.test",result="unknown"} 0
    mailflow_service_state{client="acme",domain="acme.test",service="imaps:mail.acme.test:993",state="flowing"} 1
    mailflow_service_state{client="acme",domain="acme.test",service="imaps:mail.acme.test:993",state="degraded"} 0
    mailflow_service_state{client="acme",domain="acme.test",service="imaps:mail.acme.test:993",state="broken"} 0
    mailflow_service_state{client="acme",domain="acme.test",service="imaps:mail.acme.test:993",state="unknown"} 0
    probe_success 0
    probe_duration_seconds 0
    "#);
    let response = probe(
        &world,
        "target=hooli.test&module=mail",
        "application/openmetrics-text",
    )
    .await;
    let text = super::text(response).await;
    assert!(
        text.contains("probe_success 1\n") && text.ends_with("# EOF\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_stranger_is_looked_at_only_where_that_is_allowed() {
    let world = world(sample::fleet());
    let response = probe(&world, "target=stranger.test", "").await;
    assert_eq!(response.status(), StatusCode::OK);
    let text = text(response).await;
    assert!(
        text.contains("domain=\"stranger.test\",state=\"broken\"} 1"),
        "{text}"
    );
    let (status, error) = world.error("/probe?target=other.test").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(error.contains("server.probe_any"), "{error}");
    let (status, _) = world.error("/probe?target=busy.test").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_target_that_is_no_domain_is_told_so() {
    let world = world(sample::fleet());
    for query in [
        "",
        "target=",
        "target=a%20b",
        "target=%22%7D%201%0Amailflow_domain_state%201",
        "target=..",
        "target=http://acme.test/",
    ] {
        let (status, error) = world.error(&format!("/probe?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(!error.contains(['\n', '\u{1b}']), "{error:?}");
    }
}

#[tokio::test]
async fn every_domain_is_discovered_with_what_relabelling_needs() {
    let world = world(sample::fleet());
    let groups = world.json("/sd").await;
    assert_eq!(groups.as_array().unwrap().len(), 12);
    assert_eq!(
        groups[1],
        json!({
            "targets": ["acme.test"],
            "labels": {
                "__meta_mailflow_client": "acme",
                "__meta_mailflow_client_name": "ACME Ltd",
                "__meta_mailflow_domain": "acme.test",
                "__meta_mailflow_provider": "self-hosted",
            },
        })
    );
    let hosted = groups.as_array().unwrap().iter();
    let mut hosted = hosted.filter(|group| group["labels"]["__meta_mailflow_provider"] == "BIGMAIL");
    assert_eq!(hosted.next().unwrap()["targets"], json!(["globex-labs.test"]));
}

/// Prometheus takes only a list of groups whose targets and labels are strings; hostile ones are strings, too.
#[tokio::test]
async fn hostile_names_are_plain_strings_to_service_discovery() {
    let world = world(sample::hostile());
    let groups = world.json("/sd").await;
    for group in groups.as_array().unwrap() {
        assert!(
            group["targets"][0]
                .as_str()
                .is_some_and(|name| DomainName::parse(name).is_ok())
        );
        let labels = group["labels"].as_object().unwrap();
        assert!(labels.keys().all(|name| name.starts_with("__meta_mailflow_")));
        assert_eq!(labels["__meta_mailflow_client_name"], sample::HOSTILE);
        assert_eq!(labels["__meta_mailflow_provider"], sample::HOSTILE);
    }
}

/// More than is written ahead of whoever takes it.
fn large() -> Snapshot {
    let mut snapshot = sample::calm();
    let counts = (0..10_000).map(|number| {
        let name = format!("a-rather-long-name-of-a-notifier-{number}");
        (name.into(), NotifierCounts::default())
    });
    snapshot.counters.notifications = counts.collect();
    snapshot
}

async fn scraped(world: &World) -> Response {
    world
        .send(Request::get("/metrics").body(Body::empty()).unwrap())
        .await
}

/// As Prometheus asks for them.
#[tokio::test]
async fn metrics_are_compressed_to_their_end() {
    let world = world(sample::fleet());
    let request = Request::get("/metrics").header(header::ACCEPT_ENCODING, "gzip");
    let response = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    let packed = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    let plain = text(scraped(&world).await).await;
    assert!(!packed.is_empty() && packed.len() < plain.len() / 2);
}

#[tokio::test]
async fn metrics_are_written_as_they_are_taken_and_so_many_at_a_time() {
    let world = world(large());
    let mut open = Vec::new();
    for _ in 0..scrape::AT_ONCE {
        open.push(scraped(&world).await);
    }
    let one_more = scraped(&world);
    tokio::pin!(one_more);
    assert!(futures_util::poll!(&mut one_more).is_pending());
    drop(open.pop());
    let whole = to_bytes(one_more.await.into_body(), 1 << 24).await.unwrap();
    let lines = whole.split(|byte| *byte == b'\n');
    let of_notifiers = lines.filter(|line| line.starts_with(b"mailflow_notifications_pending{"));
    assert_eq!(of_notifiers.count(), 10_000);
}
