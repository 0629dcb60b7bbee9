//! The daemon's loop: starts what is due, takes in what was seen, and hands on what follows from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::incident::Lifecycle;
use crate::model::{
    Code, DomainName, Evidence, Flaps, Hand, Incident, Message, Observation, Outcome, Severity, Target,
};
use crate::monitor::{Changes, Monitor, Unapprovable};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::notify::{self, Notifiers, Order, Pipeline, Way};
use crate::picture::MxSet;
use crate::probe::{self, Context, Task};
use crate::snapshot::{NotifierCounts, ReloadOutcome, Snapshot, StoreHealth, Vitals};
use crate::store::{Batch, Fact, Turn};
use crate::surface::http::Doors;

use super::captured;
use super::digests::{Digests, Post};
use super::follow::Following;
use super::hands::Wish;
use super::heartbeat::Heartbeat;
use super::keeper::Keeper;
use super::prober::Asking;
use super::publishing::{News, Publishing};
use super::sources::{Heard, Sources};
use super::watches::{Plan, Watched};

/// How often what only the machine knows is looked at: its routes, whether we are watched.
const HOUSEKEEPING: SignedDuration = SignedDuration::from_secs(5);

/// How often history that is old enough is forgotten.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// How many ended incidents the snapshot holds.
const ENDED_SHOWN: usize = 100;

/// A probe that is still running after this much more than it may take has hung: our own fault.
const HUNG_AFTER: Duration = Duration::from_mins(10);

/// What the loop is asked from outside.
pub enum Command {
    /// Take over a configuration that has been read and checked.
    Reload(Box<Settled>, oneshot::Sender<()>),
    /// A configuration could not be taken over.
    ReloadFailed,
    /// Take the MX set that a domain has now for the right one.
    Approve(DomainName, oneshot::Sender<Result<MxSet, Unapprovable>>),
    /// Send a look back.
    Post(Box<Post>),
    /// Do what somebody wishes.
    Grant(Box<Wish>),
    /// The notifiers stand on this now.
    Ways(BTreeMap<Arc<str>, Way>),
    /// A mailbox or a log tells of something, or of itself.
    Heard(Box<Heard>),
}

/// A configuration, settled for every room.
pub struct Settled {
    /// What is watched.
    pub plan: Plan,
    /// What probes need to know of ourselves.
    pub context: Context,
    /// The roots that we trust.
    pub trust: Arc<Trust>,
    /// How loud each cause is.
    pub policy: crate::incident::Policy,
    /// Who is told.
    pub routing: notify::Routing,
    /// How things are called.
    pub wording: notify::Wording,
    /// The ways to tell.
    pub notifiers: Notifiers,
    /// How long history is kept.
    pub retention: Duration,
    /// What it takes to follow the notifiers' ways.
    pub following: Following,
    /// When a look back is written, if it is.
    pub digests: Option<Digests>,
    /// How the heart beats, if it does.
    pub heartbeat: Option<Heartbeat>,
    /// What it takes to look at domains that are not configured, if anybody may ask for that.
    pub asking: Asking,
    /// The mailboxes and logs that are read.
    pub sources: Sources,
    /// Whether each mail host has series of its own.
    pub per_host: bool,
    /// Who may come in.
    pub doors: Arc<Doors>,
    /// Where the HTTP server listens.
    pub listen: SocketAddr,
}

/// What the loop talks to.
pub struct Lines {
    /// From outside.
    pub commands: mpsc::Receiver<Command>,
    /// What became of messages.
    pub outcomes: mpsc::UnboundedReceiver<Outcome>,
    /// To whoever delivers them.
    pub orders: mpsc::Sender<Order>,
    /// Counts of deliveries.
    pub counts: watch::Receiver<BTreeMap<Arc<str>, NotifierCounts>>,
    /// To the surfaces.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// To what runs beside the loop.
    pub aside: Aside,
}

/// To what runs beside the loop, for a new configuration.
pub struct Aside {
    /// To whoever follows the notifiers' ways.
    pub following: watch::Sender<Following>,
    /// To the heart.
    pub heart: watch::Sender<Option<Heartbeat>>,
    /// To whoever writes digests.
    pub digests: watch::Sender<Option<Digests>>,
    /// To whoever looks at domains that are not configured.
    pub asking: watch::Sender<Asking>,
    /// To the HTTP server.
    pub doors: watch::Sender<Arc<Doors>>,
    /// To whoever reads mailboxes and logs.
    pub sources: watch::Sender<Sources>,
}

/// The daemon's loop.
pub struct Engine<N: Net> {
    pub(super) net: Arc<N>,
    pub(super) context: Context,
    /// What canaries' tokens are signed with.
    pub(super) token_key: Arc<[u8]>,
    pub(super) trust: Arc<Trust>,
    pub(super) monitor: Monitor,
    pub(super) life: Lifecycle,
    pub(super) watch: notify::Watch,
    pub(super) notifiers: BTreeSet<Arc<str>>,
    pub(super) sources: BTreeSet<Arc<str>>,
    pub(super) pipeline: Pipeline,
    pub(super) keeper: Keeper,
    pub(super) ended: VecDeque<Arc<Incident>>,
    pub(super) hands: Vec<Hand>,
    /// What is watched by hand, besides the plan.
    pub(super) watched: Watched,
    pub(super) plan: Plan,
    pub(super) next_hand: u64,
    pub(super) vitals: Vitals,
    pub(super) store: StoreHealth,
    /// Whether the store was last told to have failed.
    pub(super) store_failed: Option<bool>,
    pub(super) started: Timestamp,
    pub(super) reload: ReloadOutcome,
    pub(super) retention: Duration,
    pub(super) pruned: Timestamp,
    pub(super) per_host: bool,
    pub(super) publishing: Publishing,
}

impl<N: Net> Engine<N> {
    /// Works until told to stop.
    /// Gives back the line on which further outcomes of messages come in.
    pub async fn run(
        mut self,
        mut lines: Lines,
        stop: CancellationToken,
    ) -> mpsc::UnboundedReceiver<Outcome> {
        let (seen, mut observations) = mpsc::channel(1024);
        let mut housekeeping = self.net.now();
        loop {
            let now = self.net.now();
            self.start_due(&seen, now);
            self.monitor.tick(now);
            self.conclude(&lines, Vec::new(), now).await;
            if now >= housekeeping {
                self.keep_house(now);
                housekeeping = later(now, HOUSEKEEPING);
                self.publishing.add(News::Newer);
            }
            if self.publish_due().is_some_and(|due| now >= due) {
                let counts = lines.counts.borrow().clone();
                lines
                    .snapshots
                    .send_replace(Arc::new(self.snapshot(now, &counts)));
                self.publishing.done(now);
            }
            let mut wake = self
                .monitor
                .next_wake()
                .into_iter()
                .chain(self.life.next_due())
                .min();
            wake = wake
                .into_iter()
                .chain(self.publish_due())
                .chain([housekeeping])
                .min();
            tokio::select! {
                () = stop.cancelled() => return lines.outcomes,
                Some(observation) = observations.recv() => {
                    let now = self.net.now();
                    self.vitals.unanswered_since = None;
                    self.monitor.observe(observation, now);
                    // What has come in meanwhile is taken in before anybody draws conclusions.
                    for _ in 0..256 {
                        let Ok(more) = observations.try_recv() else { break };
                        self.monitor.observe(more, now);
                    }
                    self.publishing.add(News::Newer);
                }
                Some(outcome) = lines.outcomes.recv() => {
                    let now = self.net.now();
                    if let Some(id) = outcome.incident {
                        self.life.note(id, now, &outcome.to_string());
                    }
                    self.conclude(&lines, vec![outcome], now).await;
                    self.publishing.add(News::Turned);
                }
                Some(command) = lines.commands.recv() => {
                    self.obey(command, &lines).await;
                    self.publishing.add(News::Turned);
                }
                () = self.wait(wake) => {}
            }
        }
    }

    /// When the next snapshot is due.
    fn publish_due(&self) -> Option<Timestamp> {
        self.publishing.due(self.monitor.targets())
    }

    async fn wait(&self, until: Option<Timestamp>) {
        match until {
            Some(until) => {
                let left = until.duration_since(self.net.now());
                // Just over, so that what is due at that time is due when we look.
                let left = Duration::try_from(left).unwrap_or_default() + Duration::from_micros(100);
                tokio::time::sleep(left).await;
            }
            None => std::future::pending().await,
        }
    }

    fn start_due(&mut self, seen: &mpsc::Sender<Observation>, now: Timestamp) {
        for (task, _) in self.monitor.due(now) {
            self.vitals.unanswered_since.get_or_insert(now);
            let (net, trust) = (Arc::clone(&self.net), Arc::clone(&self.trust));
            let (context, seen) = (self.context.clone(), seen.clone());
            tokio::spawn(async move {
                let observation = look(&*net, &context, &trust, &task).await;
                // Only a daemon that ends no longer listens.
                let _ = seen.send(observation).await;
            });
        }
    }

    /// Draws the conclusions of what has changed, writes them down, and only then lets messages go.
    pub(super) async fn conclude(&mut self, lines: &Lines, outcomes: Vec<Outcome>, now: Timestamp) {
        let changes = hand_on(&mut self.monitor, &mut self.life, now);
        if !(changes.verdicts.is_empty() && changes.refreshed.is_empty() && changes.removed.is_empty()) {
            self.publishing.add(News::Turned);
        }
        self.watch_notifiers(lines, now);
        let step = notify::step(&mut self.life, &mut self.pipeline, now);
        if !step.rows.incidents.is_empty() {
            self.publishing.add(News::Turned);
        }
        for incident in step
            .rows
            .incidents
            .iter()
            .filter(|incident| incident.resolved.is_some())
        {
            self.ended.retain(|ended| ended.id != incident.id);
            self.ended.push_front(Arc::clone(incident));
            self.ended.truncate(ENDED_SHOWN);
        }
        let turns = changes.verdicts.iter().map(|verdict| Turn {
            target: verdict.target.clone(),
            at: now,
            state: verdict.state,
            since: verdict.since,
            code: verdict.cause.as_ref().map(|cause| cause.code),
        });
        let unlearnt = changes.unlearnt.iter().map(|(subject, name)| Fact {
            subject: subject.clone(),
            name: (*name).to_owned(),
            value: serde_json::Value::Null,
        });
        let captured = outcomes.iter().filter_map(captured::fact);
        let facts = unlearnt
            .chain(changes.facts.iter().map(fact))
            .chain(captured)
            .collect();
        let batch = Batch {
            incidents: step.rows.incidents,
            messages: step.messages.clone(),
            outcomes,
            turns: turns.collect(),
            seen: step.rows.seen,
            forgotten: step.rows.forgotten,
            facts,
            hands: Vec::new(),
            deeds: Vec::new(),
        };
        if batch.is_empty() {
            return;
        }
        let written = self.keeper.commit(batch);
        if !step.messages.is_empty() {
            self.send(written, step.messages, lines).await;
        }
    }

    /// A notifier that has failed is an incident of our own.
    fn watch_notifiers(&mut self, lines: &Lines, now: Timestamp) {
        let blind = self
            .life
            .open()
            .any(|incident| incident.cause.code == Code::VantageOffline);
        let counts = lines.counts.borrow();
        let known = &self.notifiers;
        for verdict in self.watch.judge(&counts, |name| known.contains(name), blind, now) {
            self.life.judge(&verdict, now);
        }
    }

    /// Takes over which notifiers there are: one that is gone is forgotten, a new one is taken for well.
    fn configure_notifiers(&mut self, names: BTreeSet<Arc<str>>) {
        for gone in self.notifiers.difference(&names) {
            self.life.remove(&notify::target(gone));
        }
        for name in &names {
            self.life.trust(&notify::target(name));
        }
        self.notifiers = names;
    }

    /// What was last told of the incidents that go on.
    pub(super) fn standing(&self, now: Timestamp) -> Vec<Message> {
        self.pipeline.standing(self.life.open(), now)
    }

    pub(super) async fn send(&self, written: oneshot::Receiver<bool>, messages: Vec<Message>, lines: &Lines) {
        if !written.await.unwrap_or(false) {
            // Somebody must still be woken: a lost row may cost a second message, a lost message costs a night.
            tracing::error!(messages = messages.len(), "sent without having been written down");
        }
        if lines.orders.send(Order::Send(messages)).await.is_err() {
            tracing::error!("nobody delivers messages any more; they wait in the store");
        }
    }

    async fn obey(&mut self, command: Command, lines: &Lines) {
        let now = self.net.now();
        match command {
            Command::Reload(settled, done) => {
                let settled = *settled;
                settled.context.canaries.sign_with(&self.token_key);
                self.context = settled.context;
                self.trust = settled.trust;
                self.retention = settled.retention;
                self.per_host = settled.per_host;
                self.life.set_policy(settled.policy);
                self.pipeline.set(settled.routing, settled.wording);
                lines.aside.following.send_replace(settled.following);
                lines.aside.heart.send_replace(settled.heartbeat);
                lines.aside.digests.send_replace(settled.digests);
                lines.aside.asking.send_replace(settled.asking);
                lines.aside.doors.send_replace(settled.doors);
                self.configure_sources(&settled.sources);
                lines.aside.sources.send_replace(settled.sources);
                self.plan = settled.plan;
                self.watch_planned(now);
                self.configure_notifiers(settled.notifiers.keys().cloned().collect());
                let _ = lines.orders.send(Order::Configure(settled.notifiers)).await;
                self.reload = ReloadOutcome {
                    successful: true,
                    last_success: now,
                };
                tracing::info!(
                    domains = self.monitor.picture().inventory.watched().count(),
                    "configuration reloaded"
                );
                let _ = done.send(());
            }
            Command::ReloadFailed => self.reload.successful = false,
            Command::Approve(domain, done) => {
                let _ = done.send(self.monitor.approve(&domain, now));
            }
            Command::Ways(ways) => self.pipeline.set_ways(ways),
            Command::Heard(heard) => self.hear(*heard, now),
            Command::Post(post) => self.post(*post, lines).await,
            Command::Grant(wish) => self.grant(*wish, lines, now).await,
        }
    }

    fn keep_house(&mut self, now: Timestamp) {
        self.monitor.set_routes(self.net.default_routes(), now);
        self.expire_hands(now);
        self.keeper.try_again();
        self.look_at_store(now);
        if now >= later(self.pruned, PRUNE_EVERY) {
            self.pruned = now;
            let kept = SignedDuration::try_from(self.retention).unwrap_or(SignedDuration::MAX);
            if let Ok(before) = now.checked_sub(kept) {
                self.keeper.prune(before);
            }
        }
        // The service manager restarts us when this loop stands still.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }

    /// What the surfaces show before anything has been seen.
    pub(super) fn first_snapshot(&self, now: Timestamp) -> Snapshot {
        self.snapshot(now, &BTreeMap::new())
    }

    fn flaps(&self, target: &Target) -> Option<Box<Flaps>> {
        self.life.flaps(target).map(Box::new)
    }

    fn snapshot(&self, now: Timestamp, notifications: &BTreeMap<Arc<str>, NotifierCounts>) -> Snapshot {
        let view = self.monitor.view();
        let mut domains = view.domains;
        let mut routes = view.routes;
        let mut gateways = view.gateways;
        let mut canaries = view.canaries;
        for canary in &mut canaries {
            let verdict = &mut Arc::make_mut(canary).verdict;
            verdict.incident = self.life.incident_of(&verdict.target);
            verdict.flapping = self.flaps(&verdict.target);
        }
        for (target, incident) in self.life.members() {
            let verdict = match target {
                Target::Domain(name) => domains.get_mut(name),
                Target::Route(client, to) => routes.get_mut(&(client.clone(), to.clone())),
                _ => None,
            };
            if let Some(verdict) = verdict {
                let verdict = Arc::make_mut(verdict);
                (verdict.incident, verdict.flapping) = (Some(incident), self.flaps(target));
            }
        }
        for gateway in &mut gateways {
            let verdict = &mut Arc::make_mut(gateway).verdict;
            verdict.incident = self.life.incident_of(&verdict.target);
            verdict.flapping = self.flaps(&verdict.target);
        }
        let mut vantage = view.vantage;
        if let Some(id) = self.life.incident_of(&vantage.target) {
            let verdict = Arc::make_mut(&mut vantage);
            verdict.incident = Some(id);
            verdict.flapping = self.flaps(&verdict.target);
        }
        let mut open: Vec<Arc<Incident>> = self.life.open().cloned().collect();
        open.sort_by_key(|incident| {
            (
                std::cmp::Reverse(incident.severity),
                std::cmp::Reverse(incident.opened),
            )
        });
        let mut counters = view.counters;
        counters.notifications.clone_from(notifications);
        counters.incidents_open = Severity::ALL
            .map(|severity| {
                let count = open
                    .iter()
                    .filter(|incident| incident.severity == severity)
                    .count();
                (severity, u64::try_from(count).unwrap_or(u64::MAX))
            })
            .into();
        Snapshot {
            at: now,
            started: self.started,
            clients: view.clients,
            vantage,
            domains,
            routes,
            canaries,
            gateways,
            providers: view.providers,
            hosts: view.hosts,
            services: view.services,
            listings: view.listings,
            open_incidents: open,
            closed_incidents: self.ended.iter().cloned().collect(),
            hands: self.hands.clone(),
            counters,
            per_host: self.per_host,
            store: self.store.clone(),
            reload: self.reload,
            vitals: Vitals {
                due: self.monitor.next_wake(),
                spoken: self.monitor.picture().last_smtp_success(),
                ..self.vitals
            },
            pending_domains: view.pending,
        }
    }
}

/// Hands what has changed on from the monitor to the incidents, and says what that was.
pub fn hand_on(monitor: &mut Monitor, life: &mut Lifecycle, now: Timestamp) -> Changes {
    let changes = monitor.take_changes();
    for verdict in changes.verdicts.iter().chain(&changes.refreshed) {
        let pace = monitor.pace(&verdict.target);
        life.judge_paced(verdict, pace, now);
    }
    for target in life.held() {
        let observations = monitor.well_in_a_row(&target);
        life.found_well(&target, observations);
    }
    for target in &changes.removed {
        life.remove(target);
    }
    changes
}

/// Runs a probe; a panic or a hang in it is a fault of our own, and says nothing of anybody else.
pub async fn look<N: Net>(net: &N, context: &Context, trust: &Trust, task: &Task) -> Observation {
    let at = net.now();
    let probing = AssertUnwindSafe(probe::run(net, context, trust, task)).catch_unwind();
    let reason = match tokio::time::timeout(task.timeout.saturating_mul(10) + HUNG_AFTER, probing).await {
        Ok(Ok(observation)) => return observation,
        Ok(Err(_)) => "the probe failed by a fault of its own",
        Err(_) => "the probe hung",
    };
    tracing::error!(subject = %task.subject, "{reason}");
    let elapsed = Duration::try_from(net.now().duration_since(at)).unwrap_or_default();
    Observation {
        subject: task.subject.clone(),
        at,
        elapsed,
        source: None,
        evidence: Evidence::unrunnable(reason),
    }
}

pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

/// A learnt fact as the store keeps it: under its kind and its subject.
fn fact(learnt: &crate::picture::NewFact) -> Fact {
    let (subject, name) = learnt.key();
    Fact {
        subject,
        name: name.to_owned(),
        value: serde_json::to_value(learnt).unwrap_or_default(),
    }
}
