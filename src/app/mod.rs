//! The daemon's only wiring: every room built, joined and shut down, in one readable function.

mod engine;
mod keeper;
pub mod look;
mod operate;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, anyhow};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, StoreUrl};
use crate::incident::{Lifecycle, Restored};
use crate::inventory::{Inventory, Surroundings};
use crate::model::{State, Target};
use crate::monitor::{Mode, Monitor, Remembered};
use crate::net::trust::Trust;
use crate::net::{Net, RealNet, real};
use crate::notify::{Clock, Dispatcher, Pipeline};
use crate::picture::{Learnt, NewFact};
use crate::probe::Context;
use crate::snapshot::{ReloadOutcome, Snapshot};
use crate::store::{Loaded, SqliteStore, Store};
use crate::surface::http::{self, Reloader, Surface};

use engine::{Engine, Lines, Settled};
use keeper::Keeper;
use operate::{Archive, Reload, Settle, Tester};

pub use operate::send_test;
pub use settings::notifiers;

/// Runs the daemon until it is told to stop (SIGTERM, SIGINT, or `stop`).
///
/// # Errors
/// What keeps it from starting: a configuration with mistakes, a store or an address that cannot be had.
pub async fn run(config_path: Option<PathBuf>, stop: CancellationToken) -> anyhow::Result<()> {
    let loaded = read(config_path.as_deref()).map_err(|problems| anyhow!("{}", problems.render(false)))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let config = loaded.config;
    let net = Arc::new(RealNet::new());
    let now = net.now();
    let settled = settle(&config, &*net).map_err(|reason| anyhow!(reason))?;
    let StoreUrl::Sqlite(path) = &config.store.url;
    let (store, memory) = open_store(path, &config, now)?;
    let (keeper, store_thread) = Keeper::start(store).context("no thread for the store")?;
    let listener = listen(config.server.listen).await?;

    let clock: Clock = {
        let net = Arc::clone(&net);
        Arc::new(move || net.now())
    };
    let (orders, order_queue) = mpsc::channel(1024);
    let (outcome_sender, outcomes) = mpsc::unbounded_channel();
    let (count_sender, counts) = watch::channel(BTreeMap::new());
    let (command_sender, commands) = mpsc::channel(16);
    let notifiers = Arc::new(Mutex::new(settled.notifiers.clone()));
    let dispatcher = Dispatcher::new(
        settled.notifiers.clone(),
        Arc::clone(&clock),
        outcome_sender,
        count_sender,
    );

    let engine = engine(&net, &settled, &memory, keeper.clone(), now);
    let (snapshots, snapshot_reader) = watch::channel(Arc::new(first_snapshot(&engine, now)));
    let reload = Arc::new(Reload {
        settle: settler(config_path, Arc::clone(&net)),
        commands: command_sender,
        notifiers: Arc::clone(&notifiers),
    });
    let ready = Arc::new(AtomicBool::new(false));
    let surface = Surface {
        snapshots: snapshot_reader,
        now: Arc::clone(&clock),
        history: Arc::new(Archive(keeper.clone())),
        reloader: Arc::clone(&reload) as Arc<dyn Reloader>,
        notifiers: Arc::new(Tester { notifiers, clock }),
        ready: Arc::clone(&ready),
        external_url: config.server.external_url.as_ref().map(|url| url.as_str().into()),
    };

    let lines = Lines {
        commands,
        outcomes,
        orders: orders.clone(),
        counts,
        snapshots,
    };
    let delivering = CancellationToken::new();
    let delivery = tokio::spawn(dispatcher.run(order_queue, delivering.clone()));
    if !memory.outbox.is_empty() {
        tracing::info!(messages = memory.outbox.len(), "messages wait from before");
        let _ = orders.send(crate::notify::Order::Send(memory.outbox)).await;
    }
    let watching = tokio::spawn(engine.run(lines, stop.clone()));
    let serving = tokio::spawn(http::serve(listener, surface, stop.clone()));
    tokio::spawn(heed_signals(reload, stop.clone()));
    warn_of_names(
        Arc::clone(&net),
        settled.context.clone(),
        config.vantage.helo.is_some(),
    );
    ready.store(true, Ordering::Release);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        domains = settled.inventory.domains.len(),
        "watching; the page is at http://{}/",
        config.server.listen
    );

    stop.cancelled().await;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    watching.await.context("the watching loop failed")?;
    delivering.cancel();
    delivery.await.context("the deliveries failed")?;
    keeper.stop();
    tokio::task::spawn_blocking(move || store_thread.join())
        .await?
        .map_err(|_| anyhow!("the store failed"))?;
    serving.await??;
    tracing::info!("stopped");
    Ok(())
}

/// Reads the configuration, the environment over it.
///
/// # Errors
/// Every mistake at once.
pub fn read(path: Option<&Path>) -> Result<config::Loaded, config::Problems> {
    config::load(path, std::env::vars())
}

/// Settles a configuration for every room.
fn settle(config: &Config, net: &impl Net) -> Result<Settled, String> {
    let (inventory, context, trust) = vantage(config, net)?;
    Ok(Settled {
        inventory: Arc::new(inventory),
        context,
        trust: Arc::new(trust),
        policy: settings::policy(config),
        routing: settings::routing(config),
        wording: settings::wording(config),
        notifiers: settings::notifiers(config)?,
        retention: config.store.retention,
    })
}

/// What is watched, from where, and whom we trust.
///
/// # Errors
/// A file of roots that cannot be read.
pub fn vantage(config: &Config, net: &impl Net) -> Result<(Inventory, Context, Trust), String> {
    let routes = net.default_routes();
    let surroundings = Surroundings {
        resolvers: real::system_resolvers(),
        ipv6: routes.v6,
    };
    let inventory = Inventory::new(config, &surroundings);
    let (trust, warnings) = Trust::load(&ca_files(config)).map_err(|error| error.to_string())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let context = Context {
        resolvers: Arc::clone(&inventory.resolvers),
        helo: helo(config).into(),
        ipv6: inventory.ipv6,
    };
    Ok((inventory, context, trust))
}

/// Every `ca_file` that is named at any level.
fn ca_files(config: &Config) -> Vec<PathBuf> {
    let probes = &config.probes;
    let mut files: Vec<PathBuf> = [&probes.all]
        .into_iter()
        .chain(probes.kinds.values())
        .chain(config.clients.iter().map(|client| &client.probes))
        .chain(config.domains().map(|(_, domain)| &domain.probes))
        .filter_map(|level| level.ca_file.clone())
        .collect();
    files.sort();
    files.dedup();
    files
}

/// The name that we greet with: as configured, this machine's own, or an address literal (RFC 5321 4.1.4).
fn helo(config: &Config) -> String {
    let name = config.vantage.helo.clone().or_else(real::local_fqdn);
    name.map_or_else(|| literal(real::local_address()), |name| name.to_string())
}

fn literal(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

fn open_store(path: &Path, config: &Config, now: Timestamp) -> anyhow::Result<(Box<dyn Store>, Loaded)> {
    let mut store = SqliteStore::open(path).with_context(|| format!("the store {}", path.display()))?;
    let reopen = SignedDuration::try_from(config.alerting.reopen_within).unwrap_or_default();
    let ended_since = now.checked_sub(reopen).unwrap_or(now);
    let retention = SignedDuration::try_from(config.store.retention).unwrap_or(SignedDuration::MAX);
    if let Ok(before) = now.checked_sub(retention) {
        store
            .prune(before)
            .with_context(|| format!("the store {}", path.display()))?;
    }
    let memory = store
        .load(ended_since)
        .with_context(|| format!("the store {}", path.display()))?;
    for row in &memory.unreadable {
        tracing::error!("the store holds what cannot be read: {row}");
    }
    Ok((Box::new(store), memory))
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} (server.listen): is another mailflow running there?")
    })
}

/// The loop with everything that it remembers.
fn engine<N: Net>(
    net: &Arc<N>,
    settled: &Settled,
    memory: &Loaded,
    keeper: Keeper,
    now: Timestamp,
) -> Engine<N> {
    let facts = memory.facts.iter().filter_map(|fact| {
        serde_json::from_value::<NewFact>(fact.value.clone())
            .inspect_err(|error| tracing::warn!("a learnt fact about {} is lost: {error}", fact.subject))
            .ok()
    });
    let remembered: HashMap<Target, Remembered> = memory
        .verdicts
        .iter()
        .map(|turn| {
            let kept = Remembered {
                state: turn.state,
                code: turn.code,
                since: turn.since,
            };
            (turn.target.clone(), kept)
        })
        .collect();
    let restored = Restored {
        open: memory.open.clone(),
        ended: memory.ended.clone(),
        seen: memory.seen.clone(),
        next_id: memory.next_incident,
    };
    let mut life = Lifecycle::restore(settled.policy.clone(), restored);
    life.retain(|target| is_configured(target, &settled.inventory));
    Engine {
        net: Arc::clone(net),
        context: settled.context.clone(),
        trust: Arc::clone(&settled.trust),
        monitor: Monitor::new(
            Mode::Watch,
            Arc::clone(&settled.inventory),
            Learnt::restore(facts),
            remembered,
            net.default_routes(),
            now,
        ),
        life,
        pipeline: Pipeline::new(
            settled.routing.clone(),
            settled.wording.clone(),
            memory.next_message,
        ),
        keeper,
        ended: memory.ended.iter().cloned().map(Arc::new).collect(),
        started: now,
        reload: ReloadOutcome {
            successful: true,
            last_success: now,
        },
        retention: settled.retention,
    }
}

/// Whether a target of before is still in the configuration: what left it while we were away is "removed".
fn is_configured(target: &Target, inventory: &Inventory) -> bool {
    match target {
        Target::Vantage(name) => *name == inventory.vantage,
        Target::Provider(name) => inventory.providers.named(name).is_some(),
        Target::Gateway(client, name) => inventory.gateway(client, name).is_some(),
        Target::Domain(name) => inventory.domains.contains_key(name),
    }
}

fn first_snapshot(engine: &Engine<impl Net>, now: Timestamp) -> Snapshot {
    let vantage = Arc::clone(&engine.monitor.picture().inventory.vantage);
    let verdict = engine.monitor.verdict(&Target::Vantage(Arc::clone(&vantage)));
    Snapshot {
        at: now,
        started: now,
        clients: Vec::new(),
        vantage: verdict.cloned().unwrap_or_else(|| Arc::new(blank(&vantage, now))),
        domains: BTreeMap::new(),
        gateways: Vec::new(),
        providers: Vec::new(),
        hosts: Vec::new(),
        open_incidents: Vec::new(),
        closed_incidents: Vec::new(),
        counters: crate::snapshot::Counters::default(),
        reload: engine.reload,
        pending_domains: engine.monitor.picture().inventory.domains.len(),
    }
}

fn blank(vantage: &Arc<str>, now: Timestamp) -> crate::model::Verdict {
    crate::model::Verdict {
        target: Target::Vantage(Arc::clone(vantage)),
        client: None,
        state: State::Unknown,
        since: now,
        checked: None,
        proven_by: Vec::new(),
        cause: None,
        symptoms: Vec::new(),
        also: Vec::new(),
        provider: None,
        incident: None,
        path: Vec::new(),
    }
}

fn settler(path: Option<PathBuf>, net: Arc<RealNet>) -> Settle {
    Arc::new(move || {
        let loaded = read(path.as_deref()).map_err(|problems| problems.render(false))?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        settle(&loaded.config, &*net)
    })
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

/// Warns when the name that we greet with and our address do not agree: some servers refuse us for that.
fn warn_of_names(net: Arc<RealNet>, context: Context, configured: bool) {
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
