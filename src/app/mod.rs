//! The daemon's only wiring: every room built, joined and shut down, in one readable function.

mod bounces;
mod canaries;
mod captured;
mod digests;
mod doors;
mod engine;
mod follow;
mod hands;
mod heartbeat;
mod keeper;
mod keys;
mod logs;
pub mod look;
mod operate;
mod prober;
mod publishing;
mod settings;
mod snmp;
mod sources;
mod start;
mod stored;
pub mod survey;
#[cfg(test)]
mod tests;
mod watches;
mod ways;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::model::{Message, Outcome, Seal};
use crate::net::{Net, RealNet};
use crate::notify::{Captured, Clock, Dispatcher, Order};
use crate::probe::Context;
use crate::snapshot::{NotifierCounts, Snapshot};
use crate::surface::http::{self, Doors, Reloader, Surface};

use doors::Book;
use engine::{Aside, Command, Lines, Settled};
use keeper::Keeper;
use operate::{Approvals, Archive, Desk, Reload, Tester};
use prober::{Asking, Prober};
use sources::Marks;

pub use engine::hand_on;
pub use operate::send_test;
pub use settings::notifiers;
pub use start::{read, vantage};

/// What a daemon starts from.
pub struct Origin<N: Net> {
    /// The way to the outside.
    pub net: Arc<N>,
    /// Reads the configuration, at the start and at each reload.
    pub read: ReadConfig,
    /// What every page says on top, where something is out of the ordinary.
    pub notice: Option<Arc<str>>,
}

/// Reads a configuration, or says what is wrong with it, rendered for people. May block.
pub type ReadConfig = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// A configuration with mistakes, each with its place, rendered for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistakes(String);

/// Runs the daemon on this machine's network until it is told to stop, as [`watch`] does.
///
/// # Errors
/// As [`watch`].
pub async fn run(config_path: Option<PathBuf>, stop: CancellationToken) -> anyhow::Result<()> {
    let origin = Origin {
        net: Arc::new(RealNet::new().for_many()),
        read: Arc::new(move || start::configuration(config_path.as_deref())),
        notice: None,
    };
    watch(origin, stop).await
}

/// Runs the daemon until it is told to stop (SIGTERM, SIGINT, or `stop`).
///
/// # Errors
/// What keeps it from starting: a configuration with mistakes, a store or an address that cannot be had. What made
/// it end before it was told to.
pub async fn watch<N: Net>(origin: Origin<N>, stop: CancellationToken) -> anyhow::Result<()> {
    let Origin { net, read, notice } = origin;
    let config = read().map_err(Mistakes)?;
    let now = net.now();
    let settled = start::settle(config, &*net).map_err(|reason| anyhow!(reason))?;
    let config = settled.plan.config();
    let clock = clock(&net);
    let (store, mut memory) = start::store(&config, &clock)?;
    let (keeper, store_thread) = Keeper::start(store).context("no thread for the store")?;
    let captured = start::captured(&mut memory, &keeper);
    let kept = (
        digests::last_sent(&mut memory),
        Marks::restore(&mut memory, &keeper),
    );
    let seal = Seal::new(&keys::key(keys::SEAL, &mut memory, &keeper)?);
    let listener = start::listen(config.server.listen).await?;

    let (orders, order_queue) = mpsc::channel(1024);
    let (command_sender, commands) = mpsc::channel(16);
    let (dispatcher, outcomes, counts) = dispatcher(&settled, &clock);
    let engine = start::engine(&net, &settled, &mut memory, (keeper.clone(), seal.clone()), now)?;
    let (snapshots, snapshot_reader) = watch::channel(Arc::new(engine.first_snapshot(now)));
    let reload = Arc::new(Reload {
        settle: start::settler(read, Arc::clone(&net)),
        commands: command_sender.clone(),
        notifiers: Arc::new(Mutex::new(settled.notifiers.clone())),
        listen: config.server.listen,
    });
    let (asking, asked) = watch::channel(settled.asking.clone());
    let (doors, door_reader) = watch::channel(Arc::clone(&settled.doors));
    let mut surface = surface(
        (&config, notice),
        (door_reader, seal),
        snapshot_reader.clone(),
        &clock,
        &keeper,
        &reload,
        &orders,
    );
    surface.prober = Arc::new(Prober::new(&net, snapshot_reader.clone(), asked));

    let delivering = CancellationToken::new();
    let delivery = tokio::spawn(dispatcher.run(order_queue, delivering.clone()));
    go_on(&orders, engine.standing(now), captured, memory.outbox).await;
    let wires = heartbeat::Wires {
        snapshots: snapshot_reader,
        counts: counts.clone(),
        keeper: keeper.clone(),
        clock,
    };
    let (wires, handed_on) = ((wires, kept), (asking, doors));
    let lines = Lines {
        aside: run_aside(&net, &settled, command_sender, wires, handed_on, &stop),
        commands,
        outcomes,
        orders,
        counts,
        snapshots,
    };
    let watching = tokio::spawn(engine.run(lines, stop.clone()));
    let serving = tokio::spawn(http::serve(listener, surface, stop.clone()));
    tokio::spawn(heed_signals(reload, stop.clone()));
    warn_of_names(net, settled.context.clone(), config.vantage.helo.is_some());
    say_ready(&settled, config.server.listen);

    let running = Running {
        watching,
        serving,
        delivering,
        delivery,
        keeper,
        store_thread,
    };
    running.until(stop).await?;
    tracing::info!("stopped");
    Ok(())
}

type Outcomes = mpsc::UnboundedReceiver<Outcome>;
type Counts = watch::Receiver<BTreeMap<Arc<str>, NotifierCounts>>;

/// The time, as the net port tells it.
fn clock<N: Net>(net: &Arc<N>) -> Clock {
    let net = Arc::clone(net);
    Arc::new(move || net.now())
}

/// What delivers messages, where it says what became of them, and where it says how many wait.
fn dispatcher(settled: &Settled, clock: &Clock) -> (Dispatcher, Outcomes, Counts) {
    let (tell, outcomes) = mpsc::unbounded_channel();
    let (count, counts) = watch::channel(BTreeMap::new());
    let dispatcher = Dispatcher::new(settled.notifiers.clone(), Arc::clone(clock), tell, count);
    (dispatcher, outcomes, counts)
}

/// Hands on what the process before this one left to be told.
async fn go_on(
    orders: &mpsc::Sender<Order>,
    standing: Vec<Message>,
    captured: Captured,
    outbox: Vec<Message>,
) {
    let _ = orders.send(Order::Resume { standing, captured }).await;
    if !outbox.is_empty() {
        tracing::info!(messages = outbox.len(), "messages wait from before");
        let _ = orders.send(Order::Send(outbox)).await;
    }
}

/// What the HTTP server reads and may ask for.
fn surface(
    (config, notice): (&Config, Option<Arc<str>>),
    (doors, seal): (watch::Receiver<Arc<Doors>>, Seal),
    snapshots: watch::Receiver<Arc<Snapshot>>,
    clock: &Clock,
    keeper: &Keeper,
    reload: &Arc<Reload>,
    orders: &mpsc::Sender<Order>,
) -> Surface {
    Surface {
        snapshots,
        now: Arc::clone(clock),
        history: Arc::new(Archive(keeper.clone())),
        reloader: Arc::clone(reload) as Arc<dyn Reloader>,
        notifiers: Arc::new(Tester {
            notifiers: Arc::clone(&reload.notifiers),
            orders: orders.clone(),
            clock: Arc::clone(clock),
        }),
        approver: Arc::new(Approvals(reload.commands.clone())),
        operator: Arc::new(Desk {
            commands: reload.commands.clone(),
            keeper: keeper.clone(),
            clock: Arc::clone(clock),
        }),
        prober: Arc::new(http::ConfiguredOnly),
        ready: Arc::new(AtomicBool::new(true)),
        external_url: config.server.external_url.as_ref().map(|url| url.as_str().into()),
        notice,
        doors,
        clerk: Arc::new(Book {
            keeper: keeper.clone(),
            seal: seal.clone(),
        }),
        seal,
    }
}

/// Starts what runs beside the loop: whoever follows the notifiers' ways, whoever writes digests, and the heart.
fn run_aside<N: Net>(
    net: &Arc<N>,
    settled: &Settled,
    commands: mpsc::Sender<Command>,
    (wires, (sent, marks)): (heartbeat::Wires, (Option<Timestamp>, Marks)),
    (asking, doors): (watch::Sender<Asking>, watch::Sender<Arc<Doors>>),
    stop: &CancellationToken,
) -> Aside {
    let (following, follower) = watch::channel(settled.following.clone());
    let (heart, beating) = watch::channel(settled.heartbeat.clone());
    let (digests, writing) = watch::channel(settled.digests.clone());
    let desk = digests::Desk {
        snapshots: wires.snapshots.clone(),
        keeper: wires.keeper.clone(),
        clock: Arc::clone(&wires.clock),
        sent,
    };
    let (sources, reading) = watch::channel(settled.sources.clone());
    let reader = sources::Wires {
        commands: commands.clone(),
        marks: Arc::new(marks),
        snapshots: wires.snapshots.clone(),
    };
    tokio::spawn(sources::run(Arc::clone(net), reading, reader, stop.clone()));
    tokio::spawn(digests::run(writing, desk, commands.clone(), stop.clone()));
    tokio::spawn(follow::run(Arc::clone(net), follower, commands, stop.clone()));
    tokio::spawn(heartbeat::run(beating, wires, stop.clone()));
    Aside {
        following,
        heart,
        digests,
        asking,
        doors,
        sources,
    }
}

/// The parts that run, to be ended in order.
struct Running {
    watching: JoinHandle<mpsc::UnboundedReceiver<Outcome>>,
    serving: JoinHandle<()>,
    delivering: CancellationToken,
    delivery: JoinHandle<()>,
    keeper: Keeper,
    store_thread: std::thread::JoinHandle<()>,
}

impl Running {
    /// Waits until told to stop, then ends whoever gives work before whoever does it: nothing decided is lost.
    /// None ends by itself: if one does, it has failed, and the service manager shall start us anew.
    async fn until(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut early = None;
        tokio::select! {
            () = stop.cancelled() => {}
            ended = &mut self.watching => early = Some(ended),
            ended = &mut self.serving => {
                ended.context("the HTTP server failed")?;
            }
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        stop.cancel();
        let watched = match early {
            Some(ended) => ended,
            None => self.watching.await,
        };
        let outcomes = watched.context("the watching loop failed")?;
        self.delivering.cancel();
        self.delivery.await.context("the deliveries failed")?;
        self.keeper.close(outcomes);
        let store = tokio::task::spawn_blocking(move || self.store_thread.join());
        store.await?.map_err(|_| anyhow!("the store failed"))?;
        if !self.serving.is_finished() {
            self.serving.await?;
        }
        Ok(())
    }
}

/// SIGHUP reloads; SIGTERM and SIGINT stop.
async fn heed_signals(reload: Arc<Reload>, stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::hangup()),
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut hangup), Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("signals cannot be heeded: stop by `kill -9`, reload by POST /-/reload");
        return;
    };
    loop {
        tokio::select! {
            Some(()) = hangup.recv() => {
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Reloading]);
                // It has logged what went wrong, and the old configuration goes on.
                let _ = reload.reload().await;
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
            }
            Some(()) = terminate.recv() => stop.cancel(),
            Some(()) = interrupt.recv() => stop.cancel(),
            () = stop.cancelled() => return,
        }
    }
}

/// Tells the service manager and the log that we watch.
fn say_ready(settled: &Settled, listen: SocketAddr) {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let (version, domains) = (env!("CARGO_PKG_VERSION"), settled.plan.domains());
    let scheme = if settled.doors.tls.is_some() {
        "https"
    } else {
        "http"
    };
    tracing::info!(version, domains, "watching; the page is at {scheme}://{listen}/");
}

/// Warns when the name that we greet with and our address do not agree: some servers refuse us for that.
fn warn_of_names<N: Net>(net: Arc<N>, context: Context, configured: bool) {
    tokio::spawn(async move {
        if let Some(warning) = crate::probe::helo::disagreement(&*net, &context).await {
            let remedy = if configured {
                ""
            } else {
                "; set vantage.helo to a name whose A and PTR agree"
            };
            tracing::warn!("{warning}{remedy}");
        }
    });
}
