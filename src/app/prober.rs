//! Looks at what is not configured, for whoever asks: domains (`/probe` with `server.probe_any`, a check on the page) and
//! where a client's mail to somebody goes.
//!
//! Whoever may ask shall not make us a nuisance: few looks at a time, and what was looked at lately is not looked at
//! again, however many want to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, watch};

use super::look::{self, Look};
use crate::config::Config;
use crate::inventory::Inventory;
use crate::model::{DomainName, ProbeKind, Target, Verdict};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::picture::Learnt;
use crate::probe::Context;
use crate::snapshot::Snapshot;
use crate::surface::http::{self, ProbeError};

/// How many looks there are at the same time: one provider may be behind all of them.
const LOOKS: usize = 2;
/// How many answers are kept.
const KEPT: usize = 256;

/// What it takes to look at what is not configured.
#[derive(Clone)]
pub struct Asking {
    /// Whether `/probe` answers for domains that are not configured.
    any: bool,
    config: Arc<Config>,
    /// What follows from it.
    inventory: Arc<Inventory>,
    context: Context,
    trust: Arc<Trust>,
    /// How long an answer is as good as a new one.
    interval: SignedDuration,
}

impl Asking {
    /// As configured.
    pub fn configured(
        config: &Arc<Config>,
        inventory: &Arc<Inventory>,
        context: &Context,
        trust: &Arc<Trust>,
    ) -> Self {
        let interval = config.probes.resolve(ProbeKind::Smtp, &[]).interval;
        Self {
            any: config.server.probe_any,
            config: Arc::clone(config),
            inventory: Arc::clone(inventory),
            context: context.clone(),
            trust: Arc::clone(trust),
            interval: SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX),
        }
    }

    /// What is looked at for one question; nothing that only others need.
    fn inventory(&self, target: &Target) -> Inventory {
        let mut inventory = (*self.inventory).clone();
        let client = match target {
            Target::Route(client, to) => {
                inventory.add_route(&self.config, client, to, None);
                Some(client)
            }
            Target::Domain(name) => {
                inventory.add_domain(&self.config, name.clone());
                None
            }
            _ => None,
        };
        look::only(&mut inventory, std::slice::from_ref(target));
        inventory
            .gateways
            .retain(|gateway| Some(&gateway.client) == client);
        inventory
    }
}

/// Looks at what is not configured, for whoever asks.
pub(super) struct Prober<N> {
    net: Arc<N>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    asking: watch::Receiver<Asking>,
    looks: Semaphore,
    kept: Mutex<HashMap<Target, (Timestamp, Arc<Snapshot>)>>,
}

impl<N: Net> Prober<N> {
    /// One that has not looked at anything yet.
    pub(super) fn new(
        net: &Arc<N>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        asking: watch::Receiver<Asking>,
    ) -> Self {
        Self {
            net: Arc::clone(net),
            snapshots,
            asking,
            looks: Semaphore::new(LOOKS),
            kept: Mutex::default(),
        }
    }

    async fn look_at(&self, target: Target, within: Duration) -> Result<Arc<Snapshot>, ProbeError> {
        let asking = self.asking.borrow().clone();
        if let Some(known) = self.known(&target, asking.interval) {
            return Ok(known);
        }
        let began = self.net.now();
        let waited = tokio::time::timeout(within, self.looks.acquire()).await;
        let Ok(Ok(_permit)) = waited else {
            return Err(ProbeError::Busy);
        };
        // Somebody else may have asked for the same meanwhile.
        if let Some(known) = self.known(&target, asking.interval) {
            return Ok(known);
        }
        let gone = Duration::try_from(self.net.now().duration_since(began)).unwrap_or_default();
        let seen = self.look(&asking, &target, within.saturating_sub(gone)).await;
        self.keep(target, Arc::clone(&seen), asking.interval);
        Ok(seen)
    }

    async fn look(&self, asking: &Asking, target: &Target, deadline: Duration) -> Arc<Snapshot> {
        let wanted = Look {
            net: &self.net,
            context: &asking.context,
            trust: &asking.trust,
            inventory: Arc::new(asking.inventory(target)),
            learnt: Learnt::default(),
            deadline,
        };
        let view = look::once(wanted, |_| ()).await.view();
        let mut seen = (**self.snapshots.borrow()).clone();
        seen.at = self.net.now();
        seen.domains = view.domains;
        seen.routes = view.routes;
        seen.services = view.services;
        seen.hosts = view.hosts;
        seen.counters = view.counters;
        // The rest has nothing to do with this domain, and answers are kept for a while.
        seen.gateways.clear();
        seen.providers.clear();
        seen.open_incidents.clear();
        seen.closed_incidents.clear();
        seen.clients.clear();
        Arc::new(seen)
    }

    fn known(&self, target: &Target, interval: SignedDuration) -> Option<Arc<Snapshot>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, seen) = kept.get(target)?;
        (self.net.now().duration_since(*at) < interval).then(|| Arc::clone(seen))
    }

    fn keep(&self, target: Target, seen: Arc<Snapshot>, interval: SignedDuration) {
        let now = self.net.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| now.duration_since(*at) < interval);
        if kept.len() >= KEPT {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at);
            let oldest = oldest.map(|(target, _)| target.clone());
            oldest.and_then(|target| kept.remove(&target));
        }
        kept.insert(target, (now, seen));
    }
}

impl<N: Net> http::Prober for Prober<N> {
    fn probe(
        &self,
        domain: DomainName,
        within: Duration,
    ) -> BoxFuture<'_, Result<Arc<Snapshot>, ProbeError>> {
        async move {
            if !self.asking.borrow().any {
                return Err(ProbeError::Unwatched);
            }
            self.look_at(Target::Domain(domain), within).await
        }
        .boxed()
    }

    fn check(&self, target: Target, within: Duration) -> BoxFuture<'_, Result<Arc<Verdict>, ProbeError>> {
        async move {
            let seen = self.look_at(target.clone(), within).await?;
            let verdict = match &target {
                Target::Domain(name) => seen.domains.get(name),
                Target::Route(client, to) => seen.routes.get(&(client.clone(), to.clone())),
                _ => None,
            };
            verdict.cloned().ok_or(ProbeError::Unwatched)
        }
        .boxed()
    }
}
