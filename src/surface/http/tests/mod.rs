use std::sync::Mutex;
use std::sync::atomic::Ordering;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::surface::sample;

mod ask;
mod door;
mod explain;
mod fuzzed;
mod hands;
mod links;
mod live;
mod pages;
mod prometheus;
mod sockets;

pub(crate) use hands::standing;

/// Incidents that only the store knows: #10 to #1.
struct Shelf;

impl History for Shelf {
    fn closed(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        let below = before.map_or(11, |id| id.0.min(11));
        Ok((1..below).rev().take(limit).map(sample::closed).collect())
    }

    fn over_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        let mut found = self.closed(None, limit)?;
        found.retain(|incident| incident.resolved >= Some(since));
        Ok(found)
    }

    fn incident(&self, id: IncidentId) -> Result<Option<Incident>, HistoryError> {
        match id.0 {
            1..=10 => Ok(Some(sample::closed(id.0))),
            13 => Err(HistoryError("/var/lib/mailflow.db is damaged".into())),
            _ => Ok(None),
        }
    }

    fn turns(&self, _: &Target) -> Result<Vec<(Timestamp, State)>, HistoryError> {
        Ok(vec![
            (sample::at("2026-11-01T00:00:00Z"), State::Flowing),
            (sample::at("2026-11-10T10:00:00Z"), State::Broken),
            (sample::at("2026-11-10T11:30:00Z"), State::Flowing),
        ])
    }
}

#[derive(Default)]
struct Desk {
    reloads: Mutex<Vec<Result<(), String>>>,
}

impl Reloader for Desk {
    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        let result = self.reloads.lock().unwrap().pop().unwrap_or(Ok(()));
        Box::pin(async { result })
    }
}

impl NotifierTester for Desk {
    fn test<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), TestError>> {
        Box::pin(async move {
            match name {
                "oncall" => Ok(()),
                "broken" => Err(TestError::Failed("503 from the other side".into())),
                _ => Err(TestError::Unknown),
            }
        })
    }
}

impl Approver for Desk {
    fn approve(&self, domain: DomainName) -> BoxFuture<'_, Result<BTreeSet<String>, ApproveError>> {
        Box::pin(async move {
            match domain.as_str() {
                "acme.test" => Ok(BTreeSet::from(["mx.acme.test".to_owned()])),
                "globex.test" => Err(ApproveError::Configured),
                "stark.test" => Err(ApproveError::Unanswered),
                "wayne.test" => Err(ApproveError::Stopping),
                _ => Err(ApproveError::Unwatched),
            }
        })
    }
}

/// Looks at `stranger.test`, for nine and a half seconds at most, and at nothing else.
struct Stranger;

impl Prober for Stranger {
    fn probe(
        &self,
        domain: DomainName,
        within: Duration,
    ) -> BoxFuture<'_, Result<Arc<Snapshot>, ProbeError>> {
        Box::pin(async move {
            match domain.as_str() {
                "stranger.test" if within == Duration::from_millis(9_500) => {
                    let mut snapshot = sample::fleet();
                    let (_, verdict) = snapshot.domains.pop_first().unwrap();
                    snapshot.domains = [(domain, verdict)].into();
                    Ok(Arc::new(snapshot))
                }
                "busy.test" => Err(ProbeError::Busy),
                _ => Err(ProbeError::Unwatched),
            }
        })
    }

    fn check(&self, target: Target, _: Duration) -> BoxFuture<'_, Result<Arc<Verdict>, ProbeError>> {
        Box::pin(async move {
            match &target {
                Target::Domain(name) if name.as_str() == "busy.test" => Err(ProbeError::Busy),
                _ => Ok(Arc::new(sample::verdict(target, None, State::Flowing))),
            }
        })
    }
}

/// Keeps the book in memory.
#[derive(Default)]
struct Book(Mutex<Vec<Deed>>);

impl Clerk for Book {
    fn record(&self, deed: Deed) {
        self.0.lock().unwrap().push(deed);
    }

    fn deeds(&self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>, HistoryError> {
        let deeds = self.0.lock().unwrap();
        let entries = (1..).zip(deeds.iter().cloned());
        let mut found: Vec<Entry> = entries.map(|(id, deed)| Entry { id, deed }).collect();
        found.retain(|entry| before.is_none_or(|before| entry.id < before));
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }

    fn renew_seal(&self) -> Result<(), HistoryError> {
        Ok(())
    }
}

struct World {
    router: Router,
    snapshots: watch::Sender<Arc<Snapshot>>,
    surface: Surface,
    stop: CancellationToken,
}

/// A surface that shows one snapshot, and whoever may change it.
pub(crate) fn surface(snapshot: Snapshot) -> (Surface, watch::Sender<Arc<Snapshot>>) {
    let (sender, snapshots) = watch::channel(Arc::new(snapshot));
    let desk = Arc::new(Desk::default());
    let surface = Surface {
        snapshots,
        now: Arc::new(|| sample::at(sample::NOW)),
        history: Arc::new(Shelf),
        reloader: Arc::clone(&desk) as _,
        notifiers: Arc::clone(&desk) as _,
        approver: Arc::clone(&desk) as _,
        operator: desk,
        prober: Arc::new(Stranger),
        ready: Arc::new(AtomicBool::new(true)),
        external_url: Some("https://mail.msp.example/".into()),
        notice: None,
        doors: watch::channel(Arc::default()).1,
        seal: Seal::new(&[7; 32]),
        clerk: Arc::new(Book::default()),
    };
    (surface, sender)
}

fn world(snapshot: Snapshot) -> World {
    let (surface, sender) = surface(snapshot);
    let stop = CancellationToken::new();
    World {
        router: router(surface.clone(), stop.clone()),
        snapshots: sender,
        surface,
        stop,
    }
}

impl World {
    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        let status = response.status();
        (status, text(response).await)
    }

    async fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn error(&self, path: &str) -> (StatusCode, String) {
        let (status, text) = self.get(path).await;
        let value: Value = serde_json::from_str(&text).unwrap();
        (status, value["error"].as_str().unwrap().to_owned())
    }

    async fn post(&self, path: &str) -> (StatusCode, String) {
        let response = self.send(Request::post(path).body(Body::empty()).unwrap()).await;
        let status = response.status();
        (status, text(response).await)
    }
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 10_000_000).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn names<'a>(list: &'a Value, plural: &str, key: &str) -> Vec<&'a str> {
    let items = list[plural].as_array().unwrap();
    items.iter().map(|item| item[key].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_domain_is_told_in_full() {
    let world = world(sample::fleet());
    let mut verdict = world.json("/api/v1/domains/ACME.test.").await;
    // Shortened here; the catalogue's texts have tests of their own.
    verdict["cause"]["explanation"] = "...".into();
    verdict["cause"]["action"] = "...".into();
    verdict["path"].as_array_mut().unwrap().truncate(3);
    let services = verdict.as_object_mut().unwrap().remove("services").unwrap();
    assert_eq!(services[0]["service"], "imaps:mail.acme.test:993");
    verdict["cause"]["evidence"].as_array_mut().unwrap().truncate(1);
    insta::assert_json_snapshot!(verdict, @r#"
    {
      "also": [],
      "cause": {
        "action": "...",
        "code": "gateway.down",
        "confidence": "probable",
        "confidence_reason": "seen from hq only",
        "contact": "Telekom business line, 0800 330 1000, circuit 4711",
        "detail": "Router hq-router (198.51.100.1) answers neither ping nor port 443; mx.acme.test behind it is silent too.",
        "evidence": [
          {
            "at": "2026-11-22T02:20:31Z",
            "control": "12 other domains answered in the same minute",
            "peer": "198.51.100.1",
            "probe": "gateway",
            "source_address": "192.0.2.10",
            "summary": "5 of 5 pings lost",
            "transcript": [],
            "vantage": "hq"
          }
        ],
        "explanation": "...",
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
      "checked": "2026-11-22T02:20:12Z",
      "client": "acme",
      "domain": "acme.test",
      "flapping": null,
      "incident": "482",
      "path": [
        {
          "elapsed": null,
          "hop": "vantage",
          "state": "flowing",
          "subject": "hq",
          "summary": "2 anchors answer"
        },
        {
          "elapsed": 0.012,
          "hop": "dns",
          "state": "flowing",
          "subject": "mx.acme.test",
          "summary": "MX and addresses found"
        },
        {
          "elapsed": null,
          "hop": "gateway",
          "state": "broken",
          "subject": "hq-router",
          "summary": "5 of 5 pings lost, port 443: no answer"
        }
      ],
      "proven_by": [],
      "provider": null,
      "since": "2026-11-22T02:14:31Z",
      "state": "broken",
      "symptoms": [
        "host.unreachable"
      ]
    }
    "#);
}

#[tokio::test]
async fn a_list_is_short_and_paged() {
    let world = world(sample::fleet());
    let all = world.json("/api/v1/domains").await;
    assert_eq!(all["domains"].as_array().unwrap().len(), 12);
    assert!(all.get("next").is_none());
    assert!(
        all["domains"][0]["cause"]["evidence"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(all["domains"][0].get("path").is_none());

    let mut seen = Vec::new();
    let mut path = "/api/v1/domains?limit=5".to_owned();
    loop {
        let page = world.json(&path).await;
        seen.extend(names(&page, "domains", "domain").into_iter().map(str::to_owned));
        let Some(next) = page.get("next") else { break };
        path = format!("/api/v1/domains?limit=5&after={}", next.as_str().unwrap());
    }
    assert_eq!(seen, names(&all, "domains", "domain"));
}

#[tokio::test]
async fn a_list_can_be_narrowed_and_turned_worst_first() {
    let world = world(sample::fleet());
    let worst = world.json("/api/v1/domains?order=worst&limit=3").await;
    assert_eq!(
        names(&worst, "domains", "domain"),
        ["acme-shop.test", "acme.test", "globex-labs.test"]
    );
    let more = world
        .json("/api/v1/domains?order=worst&limit=1&after=globex-labs.test")
        .await;
    assert_eq!(names(&more, "domains", "domain"), ["globex.test"]);
    let broken = world.json("/api/v1/domains?state=broken").await;
    assert_eq!(
        names(&broken, "domains", "domain"),
        ["acme-shop.test", "acme.test"]
    );
    let one = world.json("/api/v1/domains?client=wayne").await;
    assert_eq!(names(&one, "domains", "domain"), ["wayne.test"]);
}

#[tokio::test]
async fn the_other_lists() {
    let world = world(sample::fleet());
    let gateways = world.json("/api/v1/gateways").await;
    assert_eq!(
        names(&gateways, "gateways", "gateway"),
        ["hq-router", "office-fw"]
    );
    assert_eq!(gateways["gateways"][0]["pings_lost"], 35);
    assert_eq!(gateways["gateways"][0]["cause"]["code"], "gateway.down");
    let hosts = world.json("/api/v1/hosts").await;
    assert_eq!(
        names(&hosts, "hosts", "address"),
        ["198.51.100.10:25", "203.0.113.80:25"]
    );
    assert_eq!(hosts["hosts"][1]["stages"][0]["stage"], "connect");
    assert!(hosts["hosts"][1].get("transcript").is_none());
    for path in ["/api/v1/hosts/203.0.113.80", "/api/v1/hosts/203.0.113.80:25"] {
        assert_eq!(world.json(path).await["transcript"].as_array().unwrap().len(), 3);
    }
    let vantages = world.json("/api/v1/vantages").await;
    assert_eq!(names(&vantages, "vantages", "vantage"), ["hq"]);
    let providers = world.json("/api/v1/providers?state=degraded").await;
    assert_eq!(names(&providers, "providers", "provider"), ["BIGMAIL"]);
    let clients = world.json("/api/v1/clients").await;
    assert_eq!(clients["clients"][0]["name"], "ACME Ltd");
    assert_eq!(clients["clients"][0]["state"], "broken");
}

#[tokio::test]
async fn incidents_open_and_over() {
    let world = world(sample::fleet());
    let open = world.json("/api/v1/incidents?state=open").await;
    assert_eq!(names(&open, "incidents", "id"), ["482", "481", "477"]);
    assert!(open.get("next").is_none());
    let first = &open["incidents"][0];
    assert_eq!(first["url"], "https://mail.msp.example/incidents/482");
    assert_eq!(first["domains"][1]["domain"], "acme-shop.test");
    assert!(first.get("log").is_none());
    let over = world.json("/api/v1/incidents?state=closed&limit=4").await;
    assert_eq!(names(&over, "incidents", "id"), ["10", "9", "8", "7"]);

    let mut seen = Vec::new();
    let mut path = "/api/v1/incidents?limit=2".to_owned();
    loop {
        let page = world.json(&path).await;
        seen.extend(names(&page, "incidents", "id").into_iter().map(str::to_owned));
        let Some(next) = page.get("next") else { break };
        path = format!("/api/v1/incidents?limit=2&after={}", next.as_str().unwrap());
    }
    assert_eq!(seen.join(" "), "482 481 477 10 9 8 7 6 5 4 3 2 1");

    // An incident that has been open for longest has the lowest number; those that are over follow all the same.
    let mut snapshot = sample::fleet();
    Arc::make_mut(&mut snapshot.open_incidents[2]).id = IncidentId(0);
    world.snapshots.send_replace(Arc::new(snapshot));
    let page = world.json("/api/v1/incidents?limit=2&after=0").await;
    assert_eq!(names(&page, "incidents", "id"), ["10", "9"]);
}

#[tokio::test]
async fn a_look_back() {
    let world = world(sample::fleet());
    let since = "/api/v1/digest?since=2026-11-21T00:00:00Z";
    let digest = world.json(since).await;
    assert_eq!(digest["until"], world.json("/api/v1/summary").await["at"]);
    assert_eq!(
        (&digest["incidents_total"], &digest["incidents_open"]),
        (&13.into(), &3.into())
    );
    let first = &digest["incidents"][0];
    assert_eq!(
        (&first["state"], &first["resolved"]),
        (&"open".into(), &Value::Null)
    );
    assert_eq!(names(&digest, "incidents", "id").len(), 13);
    let lately = world.json("/api/v1/digest?since=2026-11-22T02:00:00Z").await;
    assert_eq!(lately["incidents_total"], 3);
    let acme = world.json(&format!("{since}&client=acme")).await;
    assert!(acme["incidents_total"].as_u64().unwrap() < 13, "{acme}");
    for (wrong, why) in [
        ("", "since is missing"),
        ("?since=yesterday", "\"yesterday\" is neither a day"),
        ("?since=2027-01-01", "later than until, or than now"),
        ("?since=2026-11-21&client=nobody", "there is no client \"nobody\""),
    ] {
        let (status, error) = world.error(&format!("/api/v1/digest{wrong}")).await;
        assert!(
            status.is_client_error() && error.contains(why),
            "{wrong}: {error}"
        );
    }
}

#[tokio::test]
async fn one_incident_from_wherever_it_is_kept() {
    let world = world(sample::fleet());
    let open = world.json("/api/v1/incidents/482").await;
    assert_eq!(open["log"][0]["text"], "opened");
    assert_eq!(open["cause"]["evidence"].as_array().unwrap().len(), 2);
    assert_eq!(world.json("/api/v1/incidents/470").await["state"], "resolved");
    assert_eq!(world.json("/api/v1/incidents/3").await["ended_by"], "recovered");
    let (status, _) = world.error("/api/v1/incidents/99").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, message) = world.error("/api/v1/incidents/13").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!message.contains("/var/lib"), "{message}");
}

#[tokio::test]
async fn mistakes_are_told_as_json() {
    let world = world(sample::fleet());
    for (path, status, words) in [
        (
            "/api/v1/domains/nobody.test",
            404,
            "no domain \"nobody.test\" is watched",
        ),
        ("/api/v1/domains/a%1Bb", 404, "no domain \"a\\x1bb\" is watched"),
        ("/api/v1/domains?limit=0", 400, "limit must be at least 1"),
        (
            "/api/v1/domains?order=worst&after=x",
            400,
            "after names nothing that is in this list",
        ),
        (
            "/api/v1/hosts/1.2.3.4",
            404,
            "no watched domain's mail goes to \"1.2.3.4\"",
        ),
        ("/api/v1/incidents/x", 404, "\"x\" is no incident's number"),
        (
            "/api/v1/nothing",
            404,
            "there is no such path; /api/openapi.json lists all",
        ),
    ] {
        let (got, message) = world.error(path).await;
        assert_eq!((got.as_u16(), message.as_str()), (status, words), "{path}");
    }
    for path in [
        "/api/v1/domains?limit=many",
        "/api/v1/domains?state=fine",
        "/api/v1/incidents?state=x",
    ] {
        assert_eq!(world.error(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    let (status, body) = world.post("/api/v1/domains").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(body.contains("\"error\""), "{body}");
}

#[tokio::test]
async fn health_tells_starting_from_running_from_stopping() {
    let world = world(sample::fleet());
    assert_eq!(world.get("/-/healthy").await.0, StatusCode::OK);
    world.surface.ready.store(false, Ordering::Release);
    assert_eq!(world.get("/-/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    world.surface.ready.store(true, Ordering::Release);
    assert_eq!(world.get("/-/ready").await.0, StatusCode::OK);
    world.stop.cancel();
    assert_eq!(world.get("/-/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_reload_says_what_is_wrong() {
    let mut world = world(sample::fleet());
    let desk = Desk::default();
    desk.reloads
        .lock()
        .unwrap()
        .push(Err("mailflow.toml:3:1: unknown key".into()));
    world.surface.reloader = Arc::new(desk);
    world.router = router(world.surface.clone(), world.stop.clone());
    let (status, body) = world.post("/-/reload").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("mailflow.toml:3:1: unknown key"), "{body}");
    assert_eq!(world.post("/-/reload").await, (StatusCode::OK, String::new()));
    assert_eq!(world.get("/-/reload").await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_test_alert_is_sent_or_not() {
    let world = world(sample::fleet());
    let sent = world.post("/api/v1/notifiers/oncall/test").await;
    assert_eq!(sent, (StatusCode::OK, r#"{"sent":true}"#.to_owned()));
    assert_eq!(
        world.post("/api/v1/notifiers/x/test").await.0,
        StatusCode::NOT_FOUND
    );
    let (status, body) = world.post("/api/v1/notifiers/broken/test").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body.contains("503 from the other side"), "{body}");
}

#[tokio::test]
async fn a_changed_mx_set_is_approved_or_not() {
    let world = world(sample::fleet());
    let approved = world.post("/api/v1/domains/ACME.test./approve").await;
    let said = r#"{"domain":"acme.test","mx":["mx.acme.test"]}"#.to_owned();
    assert_eq!(approved, (StatusCode::OK, said));
    for (domain, status, words) in [
        ("globex.test", 409, "expect_mx in the configuration says"),
        ("stark.test", 409, "nothing to approve"),
        ("wayne.test", 503, "the daemon is stopping"),
        ("nobody.test", 404, r#"no domain \"nobody.test\" is watched"#),
        ("a%1Bb", 404, r#"no domain \"a\\x1bb\" is watched"#),
    ] {
        let (got, body) = world.post(&format!("/api/v1/domains/{domain}/approve")).await;
        assert_eq!(got.as_u16(), status, "{domain}");
        assert!(body.contains(words), "{domain}: {body}");
    }
    let (status, _) = world.get("/api/v1/domains/acme.test/approve").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_summary_says_what_the_page_says() {
    let summary = world(sample::fleet()).json("/api/v1/summary").await;
    assert_eq!(
        summary["text"],
        "6 of 12 domains have a problem: 1 router and 2 mail servers."
    );
    assert_eq!(summary["state"], "broken");
    assert_eq!(summary["at"], sample::NOW);
    assert_eq!(
        summary["domains"],
        serde_json::json!({
            "total": 12, "pending": 0, "flowing": 6, "degraded": 4, "broken": 2, "unknown": 0
        })
    );
    let blind = world(sample::blind()).json("/api/v1/summary").await;
    assert!(blind["remedy"].as_str().unwrap().len() > 20, "{blind}");
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let world = world(sample::fleet());
    let attempt = |name: &'static str, value: &'static str| {
        Request::post("/-/reload")
            .header(header::HOST, "127.0.0.1:9525")
            .header(name, value)
            .body(Body::empty())
            .unwrap()
    };
    for (name, value, status) in [
        ("origin", "https://evil.example", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-site", StatusCode::FORBIDDEN),
        ("origin", "http://127.0.0.1:9525", StatusCode::OK),
        ("sec-fetch-site", "same-origin", StatusCode::OK),
    ] {
        let response = world.send(attempt(name, value)).await;
        assert_eq!(response.status(), status, "{name}: {value}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_guards() {
    let world = world(sample::fleet());
    for path in [
        "/",
        "/metrics",
        "/api/v1/domains",
        "/nothing",
        "/-/healthy",
        "/domains/acme.test",
    ] {
        let response = world.send(Request::get(path).body(Body::empty()).unwrap()).await;
        let headers = response.headers();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[header::REFERRER_POLICY], "same-origin");
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let world = world(sample::fleet());
    let request = Request::post("/-/reload")
        .header(header::CONTENT_LENGTH, "10000000")
        .body(Body::from(vec![b'x'; 10_000_000]))
        .unwrap();
    assert_eq!(world.send(request).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn metrics_in_the_form_that_is_asked_for() {
    let world = world(sample::fleet());
    let ask = |accept: &'static str| {
        Request::get("/metrics")
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .unwrap()
    };
    let classic = world.send(ask("*/*")).await;
    assert_eq!(
        classic.headers()[header::CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let open = world
        .send(ask("application/openmetrics-text;version=1.0.0"))
        .await;
    assert_eq!(
        open.headers()[header::CONTENT_TYPE],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(text(open).await.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_description_is_true() {
    let world = world(sample::fleet());
    let document = world.json("/api/openapi.json").await;
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let real = path
            .replace("{domain}", "acme.test")
            .replace("{address}", "203.0.113.80")
            .replace("{id}", "482")
            .replace("{name}", "oncall");
        for method in methods.as_object().unwrap().keys() {
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(&real)
                .body(Body::empty())
                .unwrap();
            let response = world.send(request).await;
            let status = response.status().as_u16().to_string();
            let described = &methods[method]["responses"][&status];
            assert!(
                described.is_object(),
                "{method} {path}: {status} is not described"
            );
        }
    }
    // Every reference leads somewhere.
    for part in super::openapi::DOCUMENT.split("\"#/").skip(1) {
        let target = format!("/{}", part.split('"').next().unwrap());
        assert!(document.pointer(&target).is_some(), "{target}");
    }
    // Everything that answers is in it.
    let own = include_str!("../mod.rs").split("fn router").nth(1).unwrap();
    let routes: Vec<&str> = own
        .split(".route(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(routes.len() > 15);
    for route in routes {
        let pages = [
            "/domains",
            "/incidents",
            "/check/watch",
            "/quiet",
            "/clients",
            "/take",
            "/login",
            "/logout",
        ];
        let page = route == "/" || pages.iter().any(|page| route.starts_with(page));
        let known = paths.contains_key(route) || paths.contains_key(&format!("/api/v1{route}"));
        assert!(page || known, "{route} is not described");
    }
}

#[tokio::test]
async fn hostile_text_stays_text_in_json() {
    let world = world(sample::hostile());
    let verdict = world.json("/api/v1/domains/acme.test").await;
    assert_eq!(verdict["cause"]["detail"], sample::HOSTILE);
    let (_, raw) = world.get("/api/v1/domains/acme.test").await;
    assert!(!raw.contains('\u{1b}') && !raw.contains('\n'));
}
