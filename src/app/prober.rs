//! Looks at domains that are not configured, for whoever asks (`/probe` with `server.probe_any`).
//!
//! Whoever may ask shall not make us a nuisance: few looks at a time, and a domain that was looked at lately is not
//! asked again, however many Prometheus servers want to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, watch};

use super::look::{self, Look};
use super::start;
use crate::config::Config;
use crate::inventory::Inventory;
use crate::model::{DomainName, ProbeKind};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::picture::Learnt;
use crate::probe::Context;
use crate::snapshot::Snapshot;
use crate::surface::http::{self, ProbeError};

/// How many domains are looked at at the same time: one provider may be behind all of them.
const LOOKS: usize = 2;
/// How many answers are kept.
const KEPT: usize = 256;

/// What it takes to look at a domain that is not configured.
#[derive(Clone)]
pub struct Asking {
    /// The configuration without anything that is watched.
    config: Arc<Config>,
    /// What follows from it.
    inventory: Inventory,
    context: Context,
    trust: Arc<Trust>,
    /// How long an answer is as good as a new one.
    interval: SignedDuration,
}

impl Asking {
    /// As configured; `None` where only configured domains may be asked for.
    ///
    /// # Errors
    /// A file of roots that cannot be read.
    pub fn configured(config: &Config, net: &impl Net) -> Result<Option<Self>, String> {
        if !config.server.probe_any {
            return Ok(None);
        }
        let mut bare = config.clone();
        bare.clients.clear();
        bare.notifiers.clear();
        let (inventory, context, trust) = start::vantage(&bare, net)?;
        let interval = config.probes.resolve(ProbeKind::Smtp, &[]).interval;
        Ok(Some(Self {
            config: Arc::new(bare),
            inventory,
            context,
            trust: Arc::new(trust),
            interval: SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX),
        }))
    }
}

/// Looks at domains for whoever asks.
pub(super) struct Prober<N> {
    net: Arc<N>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    asking: watch::Receiver<Option<Asking>>,
    looks: Semaphore,
    kept: Mutex<HashMap<DomainName, (Timestamp, Arc<Snapshot>)>>,
}

impl<N: Net> Prober<N> {
    /// One that has not looked at anything yet.
    pub(super) fn new(
        net: &Arc<N>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        asking: watch::Receiver<Option<Asking>>,
    ) -> Self {
        Self {
            net: Arc::clone(net),
            snapshots,
            asking,
            looks: Semaphore::new(LOOKS),
            kept: Mutex::default(),
        }
    }

    async fn look_at(&self, domain: DomainName, within: Duration) -> Result<Arc<Snapshot>, ProbeError> {
        let asking = self.asking.borrow().clone().ok_or(ProbeError::Unwatched)?;
        if let Some(known) = self.known(&domain, asking.interval) {
            return Ok(known);
        }
        let began = self.net.now();
        let waited = tokio::time::timeout(within, self.looks.acquire()).await;
        let Ok(Ok(_permit)) = waited else {
            return Err(ProbeError::Busy);
        };
        // Somebody else may have asked for the same meanwhile.
        if let Some(known) = self.known(&domain, asking.interval) {
            return Ok(known);
        }
        let gone = Duration::try_from(self.net.now().duration_since(began)).unwrap_or_default();
        let seen = self.look(&asking, &domain, within.saturating_sub(gone)).await;
        self.keep(domain, Arc::clone(&seen), asking.interval);
        Ok(seen)
    }

    async fn look(&self, asking: &Asking, domain: &DomainName, deadline: Duration) -> Arc<Snapshot> {
        let mut inventory = asking.inventory.clone();
        inventory.add_domain(&asking.config, domain.clone());
        let wanted = Look {
            net: &self.net,
            context: &asking.context,
            trust: &asking.trust,
            inventory: Arc::new(inventory),
            learnt: Learnt::default(),
            deadline,
        };
        let view = look::once(wanted, |_| ()).await.view();
        let mut seen = (**self.snapshots.borrow()).clone();
        seen.at = self.net.now();
        seen.domains = view.domains;
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

    fn known(&self, domain: &DomainName, interval: SignedDuration) -> Option<Arc<Snapshot>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, seen) = kept.get(domain)?;
        (self.net.now().duration_since(*at) < interval).then(|| Arc::clone(seen))
    }

    fn keep(&self, domain: DomainName, seen: Arc<Snapshot>, interval: SignedDuration) {
        let now = self.net.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| now.duration_since(*at) < interval);
        if kept.len() >= KEPT {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.and_then(|name| kept.remove(&name));
        }
        kept.insert(domain, (now, seen));
    }
}

impl<N: Net> http::Prober for Prober<N> {
    fn probe(
        &self,
        domain: DomainName,
        within: Duration,
    ) -> BoxFuture<'_, Result<Arc<Snapshot>, ProbeError>> {
        self.look_at(domain, within).boxed()
    }
}
