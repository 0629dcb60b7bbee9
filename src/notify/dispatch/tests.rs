use std::sync::Mutex;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::*;
use crate::incident::sample::{at, incident};
use crate::model::template::{Encoding, Template};
use crate::model::{Event, MessageId, Notice};
use crate::notify::{Webhook, WebhookSettings};

fn message(id: u64, event: Event) -> Message {
    Message {
        id: MessageId(id),
        notifier: "oncall".into(),
        notice: Arc::new(Notice {
            event,
            dedup_key: "mailflow-1-0".into(),
            at: at(0),
            incident: Some(Arc::new(incident(1))),
            affected: 2,
            subject: String::new(),
            text: String::new(),
            body: String::new(),
            url: None,
            take_url: None,
        }),
    }
}

fn notifiers(url: &str) -> Notifiers {
    let webhook = Webhook::new(WebhookSettings {
        url: Template::parse(url, Encoding::Percent).unwrap(),
        headers: Vec::new(),
        secret: None,
        template: None,
        capture: None,
    });
    [("oncall".into(), Arc::new(Notifier::Webhook(webhook.unwrap())))].into()
}

/// A clock that jumps an hour at each look, so that no test waits for a next attempt.
fn hasty() -> Clock {
    let hours = Mutex::new(0_u64);
    Arc::new(move || {
        let mut hours = hours.lock().unwrap();
        *hours += 1;
        at(*hours * 3600)
    })
}

struct Bench {
    orders: mpsc::Sender<Order>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    counts: watch::Receiver<BTreeMap<Arc<str>, NotifierCounts>>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

fn start(notifiers: Notifiers) -> Bench {
    let (orders, taken) = mpsc::channel(8);
    let (report, outcomes) = mpsc::unbounded_channel();
    let (publish, counts) = watch::channel(BTreeMap::new());
    let stop = CancellationToken::new();
    let dispatcher = Dispatcher::new(notifiers, hasty(), report, publish);
    Bench {
        orders,
        outcomes,
        counts,
        running: tokio::spawn(dispatcher.run(taken, stop.clone())),
        stop,
    }
}

/// Answers 503 to the first few, then takes everything.
struct Down(Mutex<u32>);

impl Respond for Down {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut left = self.0.lock().unwrap();
        let status = if *left > 0 { 503 } else { 200 };
        *left = left.saturating_sub(1);
        ResponseTemplate::new(status)
    }
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_both_messages_in_order() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(Down(Mutex::new(5)))
        .mount(&server)
        .await;
    let mut bench = start(notifiers(&server.uri()));
    let both = vec![message(1, Event::Opened), message(2, Event::Resolved)];
    bench.orders.send(Order::Send(both)).await.unwrap();
    let first = bench.outcomes.recv().await.unwrap();
    assert_eq!((first.id.0, first.attempts, first.failed), (1, 6, None));
    assert_eq!(bench.outcomes.recv().await.unwrap().id.0, 2);

    let heard: Vec<String> = server.received_requests().await.unwrap()[5..]
        .iter()
        .map(|request| request.body_json::<serde_json::Value>().unwrap()["event"].to_string())
        .collect();
    assert_eq!(heard, ["\"opened\"", "\"resolved\""]);
    drop(bench.orders);
    bench.running.await.unwrap();
    let counts = bench.counts.borrow()["oncall"].clone();
    assert_eq!((counts.delivered, counts.failed, counts.pending), (2, 5, 0));
}

#[tokio::test]
async fn a_refusal_for_good_is_reported_and_the_next_is_tried() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(404))
        .mount(&server)
        .await;
    let mut bench = start(notifiers(&server.uri()));
    let both = vec![message(1, Event::Opened), message(2, Event::Resolved)];
    bench.orders.send(Order::Send(both)).await.unwrap();
    for id in [1, 2] {
        let outcome = bench.outcomes.recv().await.unwrap();
        assert_eq!((outcome.id.0, outcome.attempts), (id, 1));
        assert_eq!(
            outcome.failed.as_deref(),
            Some("the receiver answered 404 Not Found")
        );
    }
}

#[tokio::test]
async fn other_notifiers_can_be_used_from_now_on() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let mut bench = start(Notifiers::new());
    bench
        .orders
        .send(Order::Send(vec![message(1, Event::Opened)]))
        .await
        .unwrap();
    let outcome = bench.outcomes.recv().await.unwrap();
    assert_eq!(outcome.failed.as_deref(), Some("no such notifier is configured"));
    bench
        .orders
        .send(Order::Configure(notifiers(&server.uri())))
        .await
        .unwrap();
    bench
        .orders
        .send(Order::Send(vec![message(2, Event::Opened)]))
        .await
        .unwrap();
    assert_eq!(bench.outcomes.recv().await.unwrap().failed, None);
}

#[tokio::test]
async fn what_is_on_its_way_may_still_arrive_when_we_stop() {
    let (arrived, mut waiting) = mpsc::unbounded_channel();
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(move |_: &Request| {
            arrived.send(()).unwrap();
            ResponseTemplate::new(200).set_delay(Duration::from_millis(50))
        })
        .mount(&server)
        .await;
    let mut bench = start(notifiers(&server.uri()));
    bench
        .orders
        .send(Order::Send(vec![message(1, Event::Opened)]))
        .await
        .unwrap();
    waiting.recv().await.unwrap();
    bench.stop.cancel();
    bench.running.await.unwrap();
    assert_eq!(bench.outcomes.recv().await.unwrap().failed, None);
    assert!(bench.outcomes.recv().await.is_none());
}

#[tokio::test]
async fn what_cannot_arrive_is_cut_off_and_stays_in_the_outbox() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = start(notifiers(&format!("http://{}/", silent.local_addr().unwrap())));
    bench
        .orders
        .send(Order::Send(vec![message(1, Event::Opened)]))
        .await
        .unwrap();
    let _held = silent.accept().await.unwrap();
    bench.stop.cancel();
    bench.running.await.unwrap();
    assert!(bench.outcomes.recv().await.is_none());
}

#[test]
fn chances_lie_between_nothing_and_one() {
    assert!((0..100).all(|_| (0.0..=1.0).contains(&chance())));
}

#[tokio::test]
async fn what_an_answer_gave_is_reported_and_used_from_then_on() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(201).set_body_json(serde_json::json!({"id": 17})))
        .mount(&server)
        .await;
    let address = format!("{}/{{{{ captured }}}}", server.uri());
    let webhook = Webhook::new(WebhookSettings {
        url: Template::parse(&address, Encoding::Percent).unwrap(),
        headers: Vec::new(),
        secret: None,
        template: None,
        capture: Some("/id".into()),
    });
    let mut bench = start([("oncall".into(), Arc::new(Notifier::Webhook(webhook.unwrap())))].into());
    // What another process kept about another incident.
    let mut other = message(3, Event::Resolved);
    Arc::make_mut(&mut other.notice).incident = Some(Arc::new(incident(2)));
    let captured = [((IncidentId(2), "oncall".into()), "16".into())].into();
    let resume = Order::Resume {
        standing: Vec::new(),
        captured,
    };
    bench.orders.send(resume).await.unwrap();
    for message in [message(1, Event::Opened), message(2, Event::Resolved), other] {
        bench.orders.send(Order::Send(vec![message])).await.unwrap();
    }
    let mut kept = Vec::new();
    for _ in 0..3 {
        let outcome = bench.outcomes.recv().await.unwrap();
        kept.push((outcome.id.0, outcome.captured));
    }
    kept.sort();
    assert_eq!(kept, [(1, Some("17".into())), (2, None), (3, None)]);
    let requests = server.received_requests().await.unwrap();
    let mut paths: Vec<&str> = requests.iter().map(|request| request.url.path()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/", "/16", "/17"]);
}

#[tokio::test]
async fn an_alert_that_fires_is_sent_again_after_a_restart_and_not_after_its_end() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let alertmanager = crate::notify::Alertmanager::new(&[server.uri()]).unwrap();
    let notifiers = [("oncall".into(), Arc::new(Notifier::Alertmanager(alertmanager)))].into();
    let mut bench = start(notifiers);
    let resume = Order::Resume {
        standing: vec![message(0, Event::Opened)],
        captured: Captured::new(),
    };
    bench.orders.send(resume).await.unwrap();
    while server.received_requests().await.unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    let mut end = message(1, Event::Resolved);
    let incident = Arc::make_mut(&mut end.notice).incident.as_mut().unwrap();
    Arc::make_mut(incident).resolved = Some(at(1000));
    bench.orders.send(Order::Send(vec![end])).await.unwrap();
    assert_eq!(bench.outcomes.recv().await.unwrap().id.0, 1);
    drop(bench.orders);
    bench.running.await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let last: serde_json::Value = requests.last().unwrap().body_json().unwrap();
    assert_eq!(last[0]["endsAt"], "2026-11-22T02:16:40Z");
    assert!(
        bench.outcomes.recv().await.is_none(),
        "being sent again is not written down"
    );
}
