//! A daemon that can be killed: the real loop and store, with the messages taken by hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use super::super::*;
use super::*;
use crate::model::{ClientId, Code, Hand, Incident, IncidentId, Matchers, Measure, Message, Outcome, Seal};
use crate::net::fake::{FakeNet, Peer};
use crate::notify::Order;
use crate::store::{Batch, Delivery, IncidentFilter, StoreError, StoreState, Turn};
use engine::{Aside, Command};
use hands::Wish;

pub const ROUTER: [u8; 4] = [198, 51, 100, 1];
pub const MX_ACME: [u8; 4] = [198, 51, 100, 10];
pub const MX_BETA: [u8; 4] = [203, 0, 113, 10];
pub const RESOLVER: [u8; 4] = [192, 0, 2, 52];
pub const ANCHOR: [u8; 4] = [192, 0, 2, 200];

pub const CONFIG: &str = r#"
[vantage]
name = "hq"
helo = "probe.msp.test"
anchors = ["ping:192.0.2.200", "smtp:192.0.2.200:25"]
[resolver]
servers = ["192.0.2.52"]
[probes]
interval = "5s"
timeout = "4s"
greeting_timeout = "8s"
confirm = 2
confirm_interval = "1s"
[budgets]
per_address = { concurrent = 1, interval = "1s" }
refused_backoff = "5s"
[[notifiers]]
name = "oncall"
type = "webhook"
url = "http://127.0.0.1:9/hook"
[alerting]
group_wait = "1s"
page_after = "0s"
reopen_within = "0s"
[[clients]]
name = "ACME"
domains = ["acme.test"]
[[clients.gateways]]
name = "hq-router"
address = "198.51.100.1"
networks = ["198.51.100.0/26"]
checks = ["ping"]
[[clients]]
name = "BETA"
domains = ["beta.test"]
"#;

const ZONES: &str = "
    test.          60 SOA 1 60
    test.          NS ns.nic.test.
    ns.nic.test.   A 192.0.2.40
    acme.test.     60 SOA 1 5
    acme.test.     NS ns.nic.test.
    acme.test.     5 MX 10 mx.acme.test.
    mx.acme.test.  5 A 198.51.100.10
    beta.test.     60 SOA 1 5
    beta.test.     NS ns.nic.test.
    beta.test.     5 MX 10 mx.beta.test.
    mx.beta.test.  5 A 203.0.113.10
";

/// How far the clock goes at once.
const STEP: Duration = Duration::from_millis(50);

/// How often everybody gets to work at one time.
const ROUNDS: usize = 24;

/// The world, the store, and whoever gets the messages: what outlives a daemon.
pub struct Bench {
    pub net: FakeNet,
    dir: TempDir,
    received: Arc<Mutex<Vec<Message>>>,
}

/// A store that stops working after so many writes, as it does when its process dies.
struct Mortal {
    store: Box<dyn Store>,
    writes_left: Arc<AtomicI64>,
}

impl Store for Mortal {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.writes_left.load(Ordering::SeqCst) <= 0 {
            return Err(StoreError::Other("the process is dead".into()));
        }
        self.writes_left.fetch_sub(1, Ordering::SeqCst);
        self.store.commit(batch)
    }

    fn load(&mut self, ended_since: Timestamp) -> Result<Loaded, StoreError> {
        self.store.load(ended_since)
    }

    fn incidents(
        &mut self,
        filter: &IncidentFilter,
        after: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, StoreError> {
        self.store.incidents(filter, after, limit)
    }

    fn incident(&mut self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.store.incident(id)
    }

    fn history(&mut self, target: &Target, since: Timestamp, limit: usize) -> Result<Vec<Turn>, StoreError> {
        self.store.history(target, since, limit)
    }

    fn deliveries(&mut self, id: IncidentId) -> Result<Vec<Delivery>, StoreError> {
        self.store.deliveries(id)
    }

    fn deeds(&mut self, before: Option<u64>, limit: usize) -> Result<Vec<crate::model::Entry>, StoreError> {
        self.store.deeds(before, limit)
    }

    fn prune(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.store.prune(before)
    }

    fn beat(&mut self, at: Timestamp) -> Result<(), StoreError> {
        self.store.beat(at)
    }

    fn state(&self) -> StoreState {
        self.store.state()
    }
}

/// What becomes of a message that was written down by the last write before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dying {
    /// It is not sent any more.
    Mute,
    /// It is sent, and nobody hears what became of it.
    WithLastWords,
}

/// A running daemon.
pub struct Daemon {
    net: FakeNet,
    engine: tokio::task::JoinHandle<mpsc::UnboundedReceiver<Outcome>>,
    keeper: Keeper,
    store: JoinHandle<()>,
    writes_left: Arc<AtomicI64>,
    commands: mpsc::Sender<Command>,
    orders: mpsc::Receiver<Order>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    received: Arc<Mutex<Vec<Message>>>,
    dying: Dying,
}

impl Bench {
    /// A world in which all is well, and an empty store.
    pub fn new() -> Self {
        let net = FakeNet::new();
        net.load(ZONES).unwrap();
        net.resolver(RESOLVER);
        net.listen((ANCHOR, 25), Peer::mail("anchor.test"));
        net.host(ROUTER);
        net.listen((MX_ACME, 25), Peer::mail("mx.acme.test"));
        net.listen((MX_BETA, 25), Peer::mail("mx.beta.test"));
        let dir = tempfile::tempdir().unwrap();
        Self {
            net,
            dir,
            received: Arc::default(),
        }
    }

    /// Starts a daemon from what the store holds.
    pub fn start(&self, text: &str) -> Daemon {
        let config = self.config(text);
        let (store, memory) = start::store(&config, &self.clock()).unwrap();
        self.start_from(&config, store, memory)
    }

    /// The same, something being done to its store.
    pub fn start_with(&self, text: &str, prepare: impl FnOnce(&SqliteStore)) -> Daemon {
        let mut store = self.store();
        let memory = store.load(self.net.now()).unwrap();
        prepare(&store);
        self.start_from(&self.config(text), Box::new(store), memory)
    }

    /// A configuration that uses this store.
    pub fn config(&self, text: &str) -> Config {
        let mut config = configured(text);
        config.store.url = StoreUrl::Sqlite(self.path());
        config
    }

    pub fn clock(&self) -> Clock {
        let net = self.net.clone();
        Arc::new(move || net.now())
    }

    fn start_from(&self, config: &Config, store: Box<dyn Store>, mut memory: Loaded) -> Daemon {
        let net = Arc::new(self.net.clone());
        let now = net.now();
        let writes_left = Arc::new(AtomicI64::new(i64::MAX));
        let mortal = Mortal {
            store,
            writes_left: Arc::clone(&writes_left),
        };
        let (keeper, store) = Keeper::start(Box::new(mortal)).unwrap();
        let settled = settle(config.clone(), &*net).unwrap();
        let seal = Seal::new(&[7; 32]);
        let engine = engine(&net, &settled, &mut memory, (keeper.clone(), seal), now).unwrap();
        let (snapshot_sender, snapshots) = watch::channel(Arc::new(engine.first_snapshot(now)));
        let (order_sender, orders) = mpsc::channel(1024);
        let (outcome_sender, outcomes) = mpsc::unbounded_channel();
        let (command_sender, commands) = mpsc::channel(16);
        let (_, counts) = watch::channel(BTreeMap::new());
        if !memory.outbox.is_empty() {
            order_sender.try_send(Order::Send(memory.outbox)).unwrap();
        }
        let aside = Aside {
            following: watch::channel(settled.following.clone()).0,
            heart: watch::channel(settled.heartbeat.clone()).0,
            digests: watch::channel(settled.digests.clone()).0,
            asking: watch::channel(settled.asking.clone()).0,
            doors: watch::channel(Arc::clone(&settled.doors)).0,
            sources: watch::channel(settled.sources.clone()).0,
        };
        let lines = Lines {
            aside,
            commands,
            outcomes,
            orders: order_sender,
            counts,
            snapshots: snapshot_sender,
        };
        Daemon {
            net: self.net.clone(),
            engine: tokio::spawn(engine.run(lines, CancellationToken::new())),
            keeper,
            store,
            writes_left,
            commands: command_sender,
            orders,
            outcomes: outcome_sender,
            snapshots,
            received: Arc::clone(&self.received),
            dying: Dying::Mute,
        }
    }

    /// Every message that arrived, over all lives of the daemon.
    pub fn received(&self) -> Vec<Message> {
        self.received.lock().unwrap().clone()
    }

    /// Every incident in the store.
    pub fn incidents(&self) -> Vec<Incident> {
        self.store()
            .incidents(&IncidentFilter::default(), None, 100)
            .unwrap()
    }

    /// How many turns of a target the store remembers.
    pub fn turns(&self, target: &Target) -> usize {
        let loaded = self.store().load(Timestamp::MAX).unwrap();
        loaded
            .verdicts
            .iter()
            .filter(|turn| turn.target == *target)
            .count()
    }

    pub fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.path()).unwrap()
    }

    /// Where the database lies.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mailflow.db")
    }
}

pub fn configured(text: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mailflow.toml");
    std::fs::write(&path, text).unwrap();
    config::load(Some(&path), std::iter::empty())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
        .config
}

impl Daemon {
    /// Lets time pass; messages are taken and reported as delivered.
    pub async fn run(&mut self, seconds: f64) {
        let steps = Duration::from_secs_f64(seconds).as_millis() / STEP.as_millis();
        for _ in 0..steps {
            self.settle().await;
            // By hand: the clock would otherwise run on while the store's thread works.
            tokio::time::advance(STEP).await;
        }
        self.settle().await;
    }

    async fn settle(&mut self) {
        for _ in 0..2 {
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
            }
            // Everything that the store was given before this is written.
            self.keeper.ask(|_| ());
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            let Order::Send(messages) = order else { continue };
            if self.is_dead() && self.dying == Dying::Mute {
                continue;
            }
            for message in messages {
                let outcome = Outcome {
                    id: message.id,
                    notifier: Arc::clone(&message.notifier),
                    incident: message.incident(),
                    event: message.notice.event,
                    at: self.net.now(),
                    attempts: 1,
                    failed: None,
                    captured: None,
                };
                self.received.lock().unwrap().push(message);
                let _ = self.outcomes.send(outcome);
            }
        }
    }

    /// After so many more writes to the store it is as good as dead: nothing more is written.
    pub fn lives_for(&mut self, writes: i64, dying: Dying) {
        self.dying = dying;
        self.writes_left.store(writes, Ordering::SeqCst);
    }

    fn is_dead(&self) -> bool {
        self.writes_left.load(Ordering::SeqCst) <= 0
    }

    /// As by SIGKILL: nothing is finished, nothing is said.
    pub fn kill(mut self) {
        self.lives_for(0, Dying::Mute);
        self.engine.abort();
        self.keeper.close(mpsc::unbounded_channel().1);
        self.store.join().unwrap();
    }

    async fn ask<T>(&mut self, wish: impl FnOnce(tokio::sync::oneshot::Sender<T>) -> Wish) -> T {
        let (done, answer) = tokio::sync::oneshot::channel();
        self.commands
            .send(Command::Grant(Box::new(wish(done))))
            .await
            .unwrap();
        self.settle().await;
        answer.await.unwrap()
    }

    async fn set(&mut self, measure: Measure) -> Hand {
        let wish = |done| Wish::Set(measure, "anna".into(), "known".into(), done);
        self.ask(wish).await.unwrap()
    }

    /// Silences a client for an hour.
    pub async fn silence(&mut self, client: &str, now: Timestamp) -> Hand {
        let of = Matchers {
            client: Some(ClientId::parse(client).unwrap()),
            ..Matchers::default()
        };
        let until = now + jiff::SignedDuration::from_hours(1);
        self.set(Measure::Silence { of, until }).await
    }

    /// Accepts for an hour that a domain's server refuses connections.
    pub async fn accept(&mut self, domain: &str, now: Timestamp) -> Hand {
        self.set(Measure::Acceptance {
            code: Code::HostRefused,
            domain: DomainName::parse(domain).unwrap(),
            until: now + jiff::SignedDuration::from_hours(1),
        })
        .await
    }

    /// Has it watched until then whether a client's mail to a domain gets there.
    pub async fn watch(&mut self, client: &str, to: &str, until: Timestamp) -> Hand {
        self.set(Measure::Watch {
            client: ClientId::parse(client).unwrap(),
            domain: DomainName::parse(to).unwrap(),
            until,
        })
        .await
    }

    /// Lifts what was set.
    pub async fn lift(&mut self, hand: &Hand) {
        let (id, kind) = (hand.id, hand.kind());
        assert!(self.ask(|done| Wish::Lift(id, kind, done)).await.is_some());
    }

    /// Takes an incident on; who has it now.
    pub async fn acknowledge(&mut self, id: IncidentId) -> Option<String> {
        let taken = self.ask(|done| Wish::Acknowledge(id, "anna".into(), done)).await;
        Some(taken.ok()?.acknowledged.clone()?.by)
    }

    /// Takes over another configuration.
    pub async fn reload(&mut self, text: &str) {
        let settled = settle(configured(text), &self.net).unwrap();
        let (done, taken) = tokio::sync::oneshot::channel();
        self.commands
            .send(Command::Reload(Box::new(settled), done))
            .await
            .unwrap();
        self.settle().await;
        taken.await.unwrap();
    }
}
