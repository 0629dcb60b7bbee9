//! What can be seen of the daemon from outside: its API, looked at whenever its events tell of a change and every few
//! seconds, and the messages that it sends. One thread inside the monitor's namespace sees; everybody else asks it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use nix::sched::{CloneFlags, setns};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::monitor::{API, RECEIVER};

/// How often the API is looked at while it tells of no change: what a cause explains and its details change without an
/// event.
const LOOK: Duration = Duration::from_secs(3);
/// How long after a stream of events could not be had it is asked for again.
const AGAIN: Duration = Duration::from_millis(200);
/// Longer than any lab: a stream has no end of its own.
const ENDLESS: Duration = Duration::from_hours(24);

/// What the API says of one domain, gateway, route and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// `flowing` and so on.
    pub state: String,
    /// The cause's code.
    pub code: Option<String>,
    /// The cause's subject.
    pub subject: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
    /// What is said of it in detail.
    pub detail: Option<String>,
    /// What the cause explains.
    pub symptoms: BTreeSet<String>,
    /// Warnings beside it.
    pub also: BTreeSet<String>,
    /// The incident that it belongs to.
    pub incident: Option<String>,
}

/// A webhook that arrived.
#[derive(Clone, Debug)]
pub struct Hook {
    /// When.
    pub at: Instant,
    /// `opened` and so on.
    pub event: String,
    /// The key under which messages belong together.
    pub key: String,
    /// The incident.
    pub incident: String,
    /// The cause's code.
    pub code: String,
    /// The domains that it names.
    pub domains: BTreeSet<String>,
    /// What a person would read.
    pub text: String,
}

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A domain.
    Domain,
    /// A gateway.
    Gateway,
    /// A vantage.
    Vantage,
    /// A route.
    Route,
    /// A canary.
    Canary,
}

const KINDS: [(Kind, &str, &str); 5] = [
    (Kind::Domain, "domains", "domain"),
    (Kind::Gateway, "gateways", "gateway"),
    (Kind::Vantage, "vantages", "vantage"),
    (Kind::Route, "routes", "route"),
    (Kind::Canary, "canaries", "canary"),
];

/// Something that was seen for the first time at some moment.
#[derive(Clone, Debug)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// Of what kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// How it looked from then on.
    pub sight: Sight,
}

/// Everything seen so far.
#[derive(Default)]
pub struct Seen {
    /// The latest look.
    pub now: BTreeMap<(Kind, String), Sight>,
    /// The ids of open incidents.
    pub open: BTreeSet<String>,
    /// Every change, in order.
    pub changes: Vec<Change>,
    /// Every webhook, in order.
    pub hooks: Vec<Hook>,
    /// How many looks at the API succeeded.
    pub looks: u64,
    /// Whether the latest look succeeded.
    pub answering: bool,
    /// What was wrong with the answers of the API or with webhooks, once each.
    pub complaints: BTreeSet<String>,
}

#[derive(Default)]
struct Board {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, write: impl FnOnce(&mut Seen)) {
        write(&mut self.lock());
        self.changed.notify_all();
    }
}

/// The watching thread of one world.
pub struct Watch {
    board: Arc<Board>,
    listen: Option<mpsc::UnboundedSender<bool>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Watch {
    /// Starts to watch from inside a namespace, with the webhook receiver up.
    pub fn start(namespace: &str) -> Result<Self> {
        let board = Arc::new(Board::default());
        let (listen, orders) = mpsc::unbounded_channel();
        let seen = Arc::clone(&board);
        let thread = inside(namespace, move |runtime| runtime.block_on(watch(seen, orders)))?;
        let watch = Self {
            board,
            listen: Some(listen),
            thread: Some(thread),
        };
        watch.receive(true)?;
        Ok(watch)
    }

    /// Takes the webhook receiver up or down.
    pub fn receive(&self, up: bool) -> Result<()> {
        let listen = self.listen.as_ref().context("the watch is over")?;
        listen
            .send(up)
            .map_err(|_| anyhow!("the watching thread has ended"))
    }

    /// Looks at what has been seen.
    pub fn read<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.board.lock())
    }

    /// Forgets what was complained of so far.
    pub fn forgive(&self) {
        self.board.lock().complaints.clear();
    }

    /// Waits until something holds; false if it does not by the deadline.
    pub fn until(&self, deadline: Instant, mut holds: impl FnMut(&Seen) -> bool) -> bool {
        let mut seen = self.board.lock();
        loop {
            if holds(&seen) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seen = self
                .board
                .changed
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Without its sender the thread ends.
        self.listen = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs something on a thread of its own inside a namespace, with a runtime to wait in. Which namespace a thread
/// is in is the thread's own affair, so nobody else notices.
pub fn inside<T: Send + 'static>(
    namespace: &str,
    work: impl FnOnce(tokio::runtime::Runtime) -> T + Send + 'static,
) -> Result<JoinHandle<Result<T>>> {
    let file = File::open(format!("/run/netns/{namespace}"))?;
    Ok(std::thread::spawn(move || {
        setns(file, CloneFlags::CLONE_NEWNET)?;
        Ok(work(
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        ))
    }))
}

async fn watch(board: Arc<Board>, mut orders: mpsc::UnboundedReceiver<bool>) {
    let client = match reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy()
        // Neither end has to pack what stays on this machine.
        .no_gzip()
        .build()
    {
        Ok(client) => client,
        Err(error) => return complain(&board, format!("no HTTP client: {error}")),
    };
    let mut receiver: Option<tokio::task::JoinHandle<()>> = None;
    let mut events = Events::default();
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                None => return,
                Some(true) => if receiver.is_none() {
                    receiver = Some(tokio::spawn(receive(Arc::clone(&board))));
                },
                Some(false) => if let Some(task) = receiver.take() { task.abort() },
            },
            () = events.next(&client) => {
                look(&board, &client).await;
                ticks.reset();
            }
            _ = ticks.tick() => look(&board, &client).await,
        }
    }
}

/// The daemon's own stream of changes; it outlives the daemon, and finds the next one.
#[derive(Default)]
struct Events {
    stream: Option<reqwest::Response>,
}

impl Events {
    /// Waits until something has changed, or the daemon has come or gone.
    async fn next(&mut self, client: &reqwest::Client) {
        loop {
            let Some(stream) = &mut self.stream else {
                let url = format!("http://{API}/api/v1/events");
                let asked = client.get(url).timeout(ENDLESS).send().await;
                self.stream = asked.ok().filter(|answer| answer.status().is_success());
                if self.stream.is_some() {
                    return;
                }
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            match stream.chunk().await {
                Ok(Some(bytes)) if is_only_alive(&bytes) => {}
                Ok(Some(_)) => return,
                _ => {
                    self.stream = None;
                    return;
                }
            }
        }
    }
}

fn is_only_alive(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes)
        .lines()
        .all(|line| line == "event: alive" || !line.starts_with("event: "))
}

async fn look(board: &Board, client: &reqwest::Client) {
    let mut sights = BTreeMap::new();
    for (kind, list, key) in KINDS {
        let Ok(answer) = get(client, list).await else {
            return board.note(|seen| seen.answering = false);
        };
        for verdict in answer[list].as_array().into_iter().flatten() {
            match name_of(verdict, key) {
                Some(name) => {
                    if !verdict["cause"].is_null()
                        && text(&verdict["cause"]["action"]).is_none_or(|text| text.is_empty())
                    {
                        complain(board, format!("{name}: nobody is told what to do: {verdict}"));
                    }
                    sights.insert((kind, name), sight_of(verdict));
                }
                None => complain(
                    board,
                    format!("/api/v1/{list}: an entry without a name: {verdict}"),
                ),
            }
        }
    }
    let Ok(incidents) = get(client, "incidents?state=open").await else {
        return board.note(|seen| seen.answering = false);
    };
    let ids = incidents["incidents"].as_array().into_iter().flatten();
    let open = ids.filter_map(|incident| text(&incident["id"])).collect();
    board.note(|seen| record(seen, sights, open));
}

fn record(seen: &mut Seen, sights: BTreeMap<(Kind, String), Sight>, open: BTreeSet<String>) {
    let at = Instant::now();
    for ((kind, name), sight) in &sights {
        if seen.now.get(&(*kind, name.clone())) != Some(sight) {
            seen.changes.push(Change {
                at,
                kind: *kind,
                name: name.clone(),
                sight: sight.clone(),
            });
        }
    }
    seen.now = sights;
    seen.open = open;
    seen.looks += 1;
    seen.answering = true;
}

async fn get(client: &reqwest::Client, path: &str) -> Result<Value> {
    let url = format!("http://{API}/api/v1/{path}");
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}

fn name_of(verdict: &Value, key: &str) -> Option<String> {
    let ends = &verdict["route"];
    let route = || Some(format!("{} to {}", text(&ends["from"])?, text(&ends["to"])?));
    text(&verdict[key])
        .or_else(|| text(&verdict["name"]))
        .or_else(route)
}

fn sight_of(verdict: &Value) -> Sight {
    let cause = &verdict["cause"];
    let codes = |list: &Value| list.as_array().into_iter().flatten().filter_map(text).collect();
    Sight {
        state: text(&verdict["state"]).unwrap_or_default(),
        code: text(&cause["code"]),
        subject: text(&cause["subject"]),
        owner: text(&cause["owner"]),
        detail: text(&cause["detail"]),
        symptoms: codes(&verdict["symptoms"]),
        also: verdict["also"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|also| text(&also["code"]))
            .collect(),
        incident: text(&verdict["incident"]),
    }
}

/// A string, or a number that stands for an id.
fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .map(str::to_owned)
        .or_else(|| value.as_u64().map(|number| number.to_string()))
}

async fn receive(board: Arc<Board>) {
    let listener = match tokio::net::TcpListener::bind(RECEIVER).await {
        Ok(listener) => listener,
        Err(error) => return complain(&board, format!("no receiver: {error}")),
    };
    let app = Router::new()
        .route("/hook", post(hook))
        .with_state(Arc::clone(&board));
    if let Err(error) = axum::serve(listener, app).await {
        complain(&board, format!("the receiver ended: {error}"));
    }
}

/// Takes a webhook. The connection is closed after it: one that stays open would outlive the receiver's end.
async fn hook(
    Shared(board): Shared<Arc<Board>>,
    Json(body): Json<Value>,
) -> (StatusCode, [(header::HeaderName, &'static str); 1]) {
    let incident = &body["incident"];
    let said = |value: &Value| text(value).unwrap_or_default();
    let domains = incident["domains"].as_array().into_iter().flatten();
    let hook = Hook {
        at: Instant::now(),
        event: said(&body["event"]),
        key: said(&body["dedup_key"]),
        incident: said(&incident["id"]),
        code: said(&incident["cause"]["code"]),
        domains: domains.filter_map(|entry| text(&entry["domain"])).collect(),
        text: said(&body["text"]),
    };
    for (name, value) in [
        ("event", &hook.event),
        ("dedup_key", &hook.key),
        ("id", &hook.incident),
    ] {
        if value.is_empty() {
            complain(&board, format!("a webhook without {name}: {body}"));
        }
    }
    board.note(|seen| seen.hooks.push(hook));
    (StatusCode::OK, [(header::CONNECTION, "close")])
}

fn complain(board: &Board, complaint: String) {
    board.note(|seen| {
        seen.complaints.insert(complaint);
    });
}
