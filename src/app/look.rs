//! One look at some domains: the daemon's own probes and diagnosis, once (`mailflow check`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::inventory::Inventory;
use crate::model::{ClientId, DomainName, Observation, Subject, Target};
use crate::monitor::{Mode, Monitor};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::picture::Learnt;
use crate::probe::Context;

use super::engine::look;

/// What a look is doing, for whoever watches it.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A probe has begun.
    Began(&'a Subject),
    /// A probe has ended.
    Ended(&'a Observation),
}

/// What a look needs.
pub struct Look<'a, N: Net> {
    /// The way to the outside.
    pub net: &'a Arc<N>,
    /// What probes need to know of ourselves.
    pub context: &'a Context,
    /// The roots that we trust.
    pub trust: &'a Arc<Trust>,
    /// What to look at.
    pub inventory: Arc<Inventory>,
    /// What is known from before.
    pub learnt: Learnt,
    /// What is unanswered after this long is unknown.
    pub deadline: Duration,
}

/// Of a configuration with a thousand domains keeps only those asked for, with the routers that they may be behind; for a
/// route also what its client publishes.
pub fn only(inventory: &mut Inventory, targets: &[Target]) {
    let wanted = |name: &DomainName, client: Option<&ClientId>| {
        targets.iter().any(|target| match target {
            Target::Domain(of) => of == name,
            Target::Route(from, to) => to == name || client == Some(from),
            _ => false,
        })
    };
    inventory
        .domains
        .retain(|name, domain| wanted(name, domain.client.as_ref()));
    inventory.only_routes(|route| targets.contains(&route.target()));
    let mut clients: HashSet<ClientId> = HashSet::new();
    clients.extend(
        inventory
            .domains
            .values()
            .filter_map(|domain| domain.client.clone()),
    );
    clients.extend(targets.iter().filter_map(|target| match target {
        Target::Route(client, _) => Some(client.clone()),
        _ => None,
    }));
    inventory
        .gateways
        .retain(|gateway| clients.contains(&gateway.client));
}

/// Looks once, and gives the monitor with its verdicts.
pub async fn once<N: Net>(wanted: Look<'_, N>, mut progress: impl FnMut(&Progress<'_>)) -> Monitor {
    let Look {
        net,
        context,
        trust,
        inventory,
        learnt,
        deadline,
    } = wanted;
    let start = net.now();
    let end = start
        .checked_add(SignedDuration::try_from(deadline).unwrap_or(SignedDuration::MAX))
        .unwrap_or(start);
    let routes = net.default_routes();
    let mut monitor = Monitor::new(Mode::OneLook, &inventory, learnt, HashMap::new(), routes, start);
    let mut probes: JoinSet<Observation> = JoinSet::new();
    loop {
        for (task, _) in monitor.due(net.now()) {
            progress(&Progress::Began(&task.subject));
            let (net, trust, context) = (Arc::clone(net), Arc::clone(trust), context.clone());
            probes.spawn(async move { look(&*net, &context, &trust, &task).await });
        }
        if monitor.is_quiet() {
            break;
        }
        let now = net.now();
        let wake = monitor.next_wake().map_or(end, |wake| wake.min(end)).max(now);
        let left =
            Duration::try_from(wake.duration_since(now)).unwrap_or_default() + Duration::from_micros(100);
        tokio::select! {
            Some(Ok(observation)) = probes.join_next() => {
                progress(&Progress::Ended(&observation));
                monitor.observe(observation, net.now());
            }
            () = tokio::time::sleep(left) => {}
        }
        if net.now() >= end {
            break;
        }
    }
    monitor.conclude(net.now());
    monitor
}
