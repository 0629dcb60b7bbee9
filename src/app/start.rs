//! What a start (and a reload) needs: the configuration settled for every room, the store with what it remembers.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;

use crate::config::{self, Config, DnssecMode, StoreUrl};
use crate::incident::{Lifecycle, Restored};
use crate::inventory::{Inventory, Surroundings};
use crate::model::{Seal, Target};
use crate::monitor::{Mode, Monitor, Remembered};
use crate::net::dnssec::{RootKeys, RootKeysError};
use crate::net::trust::Trust;
use crate::net::{Net, real};
use crate::notify::{self, Captured, Clock, Pipeline};
use crate::picture::{Learnt, NewFact};
use crate::probe::Context;
use crate::snapshot::{ReloadOutcome, Vitals};
use crate::store::{Batch, LastingStore, Loaded, Store, StoreError};

use super::ReadConfig;
use super::digests::Digests;
use super::engine::{Engine, Settled};
use super::follow::Following;
use super::heartbeat::Heartbeat;
use super::keeper::Keeper;
use super::operate::Settle;
use super::prober::Asking;
use super::publishing::Publishing;
use super::sources::{self, Sources};
use super::watches::{self, Plan};
use super::ways::Ways;
use super::{canaries, captured, doors, keys, settings, snmp, stored};

/// Reads the configuration and logs its warnings.
///
/// # Errors
/// Every mistake at once, rendered for people.
pub(super) fn configuration(path: Option<&Path>) -> Result<Config, String> {
    let loaded = read(path).map_err(|problems| problems.render(false))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.config)
}

/// Reads the configuration, the environment over it.
///
/// # Errors
/// Every mistake at once.
pub fn read(path: Option<&Path>) -> Result<config::Loaded, config::Problems> {
    config::load(path, std::env::vars())
}

/// Settles a configuration for every room.
pub(super) fn settle(config: Config, net: &impl Net) -> Result<Settled, String> {
    let (inventory, context, trust) = vantage(&config, net)?;
    let (inventory, trust) = (Arc::new(inventory), Arc::new(trust));
    let sources = Sources::configured(&config, &context, &trust)?;
    let following = Following {
        ways: Ways::new(&config, Arc::clone(&inventory)),
        context: context.clone(),
        trust: Arc::clone(&trust),
    };
    let heartbeat = Heartbeat::configured(&config);
    let config = Arc::new(config.without_domains());
    let asking = Asking::configured(&config, &inventory, &context, &trust);
    Ok(Settled {
        plan: Plan::new(Arc::clone(&config), inventory),
        context,
        trust,
        policy: settings::policy(&config),
        routing: settings::routing(&config),
        wording: settings::wording(&config),
        notifiers: settings::notifiers(&config)?,
        retention: config.store.retention,
        following,
        digests: Digests::configured(&config),
        heartbeat,
        asking,
        sources,
        per_host: config.metrics.per_host,
        doors: Arc::new(doors::doors(&config)?),
        listen: config.server.listen,
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
        root_keys: root_keys(&config.resolver).map_err(|error| error.to_string())?,
        helo: helo(config).into(),
        ipv6: inventory.ipv6,
        snmp: Arc::new(snmp::logins(config)),
        canaries: Arc::new(canaries::plans(config)),
    };
    Ok((inventory, context, trust))
}

/// The root's keys, where signatures are to be checked here.
fn root_keys(resolver: &config::Resolver) -> Result<Option<RootKeys>, RootKeysError> {
    match resolver.dnssec {
        DnssecMode::Validate => RootKeys::load(resolver.trust_anchor.as_deref()).map(Some),
        DnssecMode::Resolver | DnssecMode::Off => Ok(None),
    }
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

/// Opens the store, and reads what it remembers. One that cannot be written to keeps nobody from watching: see
/// [`LastingStore`].
///
/// # Errors
/// Another program's file, one of a later version, no place for a first one; one that cannot even be read.
pub(super) fn store(config: &Config, clock: &Clock) -> anyhow::Result<(Box<dyn Store>, Loaded)> {
    let StoreUrl::Sqlite(path) = &config.store.url;
    open(path, config, clock).with_context(|| format!("the store {}", path.display()))
}

fn open(path: &Path, config: &Config, clock: &Clock) -> Result<(Box<dyn Store>, Loaded), StoreError> {
    let (now, dated) = (clock(), Arc::clone(clock));
    let mut store = LastingStore::open(path, move || dated())?;
    let reopen = SignedDuration::try_from(config.alerting.reopen_within).unwrap_or_default();
    let ended_since = now.checked_sub(reopen).unwrap_or(now);
    let retention = SignedDuration::try_from(config.store.retention).unwrap_or(SignedDuration::MAX);
    if let Ok(before) = now.checked_sub(retention)
        && let Err(error) = store.prune(before)
        && store.state().failing.is_none()
    {
        tracing::error!("old history stays for now: {error}");
    }
    let memory = store.load(ended_since)?;
    for row in &memory.unreadable {
        tracing::error!("the store holds what cannot be read: {row}");
    }
    Ok((Box::new(store), memory))
}

/// What receivers gave to be kept; what nobody needs any more is forgotten.
pub(super) fn captured(memory: &mut Loaded, keeper: &Keeper) -> Captured {
    let (captured, stale) = captured::restore(memory);
    if !stale.is_empty() {
        drop(keeper.commit(Batch {
            facts: stale,
            ..Batch::default()
        }));
    }
    captured
}

pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} (server.listen): is another mailflow running there?")
    })
}

/// The loop with everything that it remembers.
///
/// # Errors
/// When the operating system gives no randomness for a key of ours.
pub(super) fn engine<N: Net>(
    net: &Arc<N>,
    settled: &Settled,
    memory: &mut Loaded,
    (keeper, seal): (Keeper, Seal),
    now: Timestamp,
) -> anyhow::Result<Engine<N>> {
    let token_key = keys::key(keys::CANARIES, memory, &keeper)?;
    settled.context.canaries.sign_with(&token_key);
    let reports = sources::reports(memory);
    let facts = memory.facts.iter().filter_map(|fact| {
        serde_json::from_value::<NewFact>(fact.value.clone())
            .inspect_err(|error| tracing::warn!("a learnt fact about {} is lost: {error}", fact.subject))
            .ok()
    });
    let restored = Restored {
        open: memory.open.clone(),
        ended: memory.ended.clone(),
        seen: memory.seen.clone(),
        next_id: memory.next_incident,
    };
    let mut life = Lifecycle::restore(settled.policy.clone(), restored);
    let watched = watches::watched(&memory.hands, now);
    let inventory = settled.plan.with(&watched);
    life.retain(|target| is_watched(target, settled, &inventory));
    for name in settled.notifiers.keys() {
        life.trust(&notify::target(name));
    }
    for name in settled.sources.names() {
        life.trust(&Target::Source(name));
    }
    life.trust(&stored::target());
    let mut engine = Engine {
        net: Arc::clone(net),
        context: settled.context.clone(),
        token_key,
        trust: Arc::clone(&settled.trust),
        monitor: Monitor::new(
            Mode::Watch,
            &inventory,
            Learnt::restore(facts),
            remembered(memory),
            net.default_routes(),
            now,
        )
        .with_places(net.places()),
        life,
        watch: notify::Watch::default(),
        notifiers: settled.notifiers.keys().cloned().collect(),
        sources: settled.sources.names(),
        pipeline: Pipeline::new(
            settled.routing.clone(),
            settled.wording.clone(),
            memory.next_message,
        ),
        store: stored::health(&keeper.state(), None, now),
        store_failed: None,
        keeper,
        hands: memory.hands.clone(),
        watched,
        plan: settled.plan.clone(),
        next_hand: memory.next_hand.max(1),
        vitals: Vitals::default(),
        ended: memory.ended.iter().cloned().map(Arc::new).collect(),
        started: now,
        reload: ReloadOutcome {
            successful: true,
            last_success: now,
        },
        retention: settled.retention,
        pruned: now,
        per_host: settled.per_host,
        publishing: Publishing::new(),
    };
    engine.pipeline.sign_with(seal);
    engine.use_hands(now);
    for report in &reports {
        engine.monitor.hear(report, now);
    }
    Ok(engine)
}

/// How each target was.
fn remembered(memory: &Loaded) -> HashMap<Target, Remembered> {
    let turns = memory.verdicts.iter();
    let kept = turns.map(|turn| {
        let kept = Remembered {
            state: turn.state,
            code: turn.code,
            since: turn.since,
        };
        (turn.target.clone(), kept)
    });
    kept.collect()
}

/// Whether a target of before is still to be watched: what left the configuration while we were away is "removed".
fn is_watched(target: &Target, settled: &Settled, inventory: &Inventory) -> bool {
    match target {
        Target::Vantage(name) => *name == inventory.vantage,
        Target::Provider(name) => inventory.providers.named(name).is_some(),
        Target::Gateway(client, name) => inventory.gateway(client, name).is_some(),
        Target::Domain(name) => inventory.domains.get(name).is_some_and(|one| !one.is_destination),
        Target::Canary(client, name) => inventory.canary(client, name).is_some(),
        Target::Route(client, to) => inventory.route(client, to).is_some(),
        Target::Notifier(name) => settled.notifiers.contains_key(name),
        Target::Source(name) => *target == stored::target() || settled.sources.names().contains(name),
    }
}

pub(super) fn settler<N: Net>(read: ReadConfig, net: Arc<N>) -> Settle {
    Arc::new(move || settle(read()?, &*net))
}
