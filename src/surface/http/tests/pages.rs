//! The pages over HTTP: their buttons, the report, and how much of a large fleet comes at once.

use crate::model::Acknowledgement;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, LOCATION, ORIGIN};

use super::*;

async fn press(world: &World, path: &str, form: &str, origin: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("host", "mail.msp.example");
    if let Some(origin) = origin {
        request = request.header(ORIGIN, origin);
    }
    let response = world
        .send(request.body(Body::from(form.to_owned())).unwrap())
        .await;
    let to = response
        .headers()
        .get(LOCATION)
        .map(|to| to.to_str().unwrap().to_owned());
    (response.status(), to.unwrap_or_default())
}

/// Who is led back sees what was done.
#[tokio::test(start_paused = true)]
async fn a_button_waits_until_the_page_shows_it() {
    let world = world(sample::fleet());
    let pressed = press(
        &world,
        "/incidents/482/ack",
        "by=anna",
        Some("https://mail.msp.example"),
    );
    tokio::pin!(pressed);
    let soon = Duration::from_secs(1);
    assert!(
        tokio::time::timeout(soon, &mut pressed).await.is_err(),
        "too early"
    );
    let mut snapshot = sample::fleet();
    Arc::make_mut(&mut snapshot.open_incidents[0]).acknowledged = Some(Acknowledgement {
        at: sample::at(sample::NOW),
        by: "anna".into(),
        told: true,
    });
    world.snapshots.send_replace(Arc::new(snapshot));
    let at_once = Duration::from_millis(1);
    let (status, _) = tokio::time::timeout(at_once, pressed).await.unwrap();
    assert_eq!(status, StatusCode::SEE_OTHER);
}

#[tokio::test(start_paused = true)]
async fn buttons_do_and_lead_back() {
    let world = world(sample::fleet());
    let own = Some("https://mail.msp.example");
    for path in ["/incidents/482/ack", "/incidents/482/silence"] {
        let done = press(&world, path, "by=anna", own).await;
        assert_eq!(
            done,
            (StatusCode::SEE_OTHER, "/incidents/482".to_owned()),
            "{path}"
        );
        let foreign = press(&world, path, "by=anna", Some("https://evil.example")).await;
        assert_eq!(foreign.0, StatusCode::FORBIDDEN, "{path}");
        // A link in a mail does nothing (`semantics` 27).
        assert_eq!(world.get(path).await.0, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(
        press(&world, "/incidents/7/ack", "", own).await.1,
        "/incidents/7",
        "it is over"
    );
    assert_eq!(
        press(&world, "/incidents/99/ack", "", own).await.0,
        StatusCode::NOT_FOUND
    );
    let (_, page) = world.get("/").await;
    assert!(page.contains("action=\"/incidents/482/ack\"") && page.contains("I take it on"));
}

#[tokio::test]
async fn the_report_leaves_nothing_out() {
    let world = world(sample::fleet());
    let (status, page) = world.get("/api/v1/incidents/482/report").await;
    assert_eq!(status, StatusCode::OK);
    let snapshot = sample::fleet();
    let incident = snapshot
        .open_incidents
        .iter()
        .find(|one| one.id.0 == 482)
        .unwrap();
    for note in incident.cause.evidence.iter() {
        let at = note.at.to_zoned(jiff::tz::TimeZone::UTC);
        assert!(page.contains(&at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
        assert!(page.contains(&note.peer));
        assert!(
            note.source_address
                .is_none_or(|address| page.contains(&address.to_string()))
        );
        assert!(note.control.as_ref().is_none_or(|control| page.contains(control)));
    }
    let json = world.json("/api/v1/incidents/482/report?format=json").await;
    assert_eq!(json["incident"]["id"], "482");
    assert!(json["incident"]["cause"]["evidence"].is_array());
    assert_eq!(
        world.error("/api/v1/incidents/99/report").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        world.error("/api/v1/incidents/482/report?format=pdf").await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_domain_shows_its_last_ninety_days() {
    let (_, page) = world(sample::fleet()).get("/domains/acme.test").await;
    assert_eq!(page.matches("<rect class=\"all\"").count(), 90);
    assert!(page.contains("10 Nov: broken for 1 h 30 min"));
    assert!(page.contains("1 day with trouble"));
}

fn five_thousand_domains() -> Snapshot {
    let mut snapshot = sample::fleet();
    let patterns: Vec<_> = snapshot.domains.values().cloned().collect();
    for number in 0..5000 {
        let name = DomainName::parse(&format!("domain-{number:04}.test")).unwrap();
        let mut verdict = (*patterns[number % patterns.len()]).clone();
        verdict.target = Target::Domain(name.clone());
        snapshot.domains.insert(name, Arc::new(verdict));
    }
    snapshot
}

#[tokio::test]
async fn five_thousand_domains_fit_a_phone() {
    let world = world(five_thousand_domains());
    let request = Request::get("/")
        .header(ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .unwrap();
    let response = world.send(request).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = to_bytes(response.into_body(), 10_000_000).await.unwrap();
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
}

/// Serves a large fleet for a browser to look at, until standard input ends: `tests/browser/run.py` starts it.
#[tokio::test]
#[ignore = "serves until standard input ends"]
async fn five_thousand_domains_to_look_at() {
    let (surface, _sender) = surface(five_thousand_domains());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, surface, stop.clone()));
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    ended.await.unwrap().unwrap();
    stop.cancel();
    serving.await.unwrap();
}
