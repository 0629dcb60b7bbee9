//! What the surfaces show of the monitor's state.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::diagnosis::{self, AddressState, Doubt};
use crate::model::reach::{GatewayEvidence, LifeCheck};
use crate::model::{
    ClientId, Code, DomainName, Evidence, Observation, Service, State, Subject, Target, Verdict,
};
use crate::picture::Health;
use crate::snapshot::{
    CanaryView, ClientView, Counters, GatewayView, Histogram, HostView, ListingView, ServiceView, StageView,
};

use super::{Mode, Monitor};

/// What was pinged of a gateway.
#[derive(Debug, Clone, Default)]
pub(super) struct Pings {
    sent: u64,
    lost: u64,
    round_trips: Histogram,
}

impl Pings {
    pub(super) fn add(&mut self, evidence: &GatewayEvidence) {
        for check in &evidence.checks {
            if let LifeCheck::Ping { report: Ok(report) } = check {
                self.sent += u64::from(report.sent);
                self.lost += u64::from(report.lost());
                for round_trip in &report.round_trips {
                    self.round_trips.record(*round_trip);
                }
            }
        }
    }
}

/// The monitor's share of a snapshot.
#[derive(Debug, Clone)]
pub struct View {
    /// All clients.
    pub clients: Vec<ClientView>,
    /// The verdict on our own side.
    pub vantage: Arc<Verdict>,
    /// All domains.
    pub domains: BTreeMap<DomainName, Arc<Verdict>>,
    /// All routes, by client and destination.
    pub routes: BTreeMap<(ClientId, DomainName), Arc<Verdict>>,
    /// All canaries.
    pub canaries: Vec<Arc<CanaryView>>,
    /// All gateways.
    pub gateways: Vec<Arc<GatewayView>>,
    /// Recognised providers in use.
    pub providers: Vec<Arc<Verdict>>,
    /// All addresses that take mail.
    pub hosts: Vec<Arc<HostView>>,
    /// Services by domain.
    pub services: Arc<BTreeMap<DomainName, Vec<Arc<ServiceView>>>>,
    /// What believed blocklists say.
    pub listings: Vec<ListingView>,
    /// Counts, without those of incidents and notifications.
    pub counters: Counters,
    /// Domains that are still looked at for the first time.
    pub pending: usize,
}

impl Monitor {
    /// What the surfaces show.
    pub fn view(&self) -> View {
        let vantage = self.vantage();
        // They come in order: a map is made of them all at once, without a search for each.
        let mut domains = Vec::with_capacity(self.verdicts.len());
        let mut routes = Vec::new();
        let mut canaries = Vec::new();
        let mut gateways = Vec::new();
        let mut providers = Vec::new();
        for (target, verdict) in &self.verdicts {
            match target {
                Target::Domain(name) => {
                    domains.push((name.clone(), Arc::clone(verdict)));
                }
                Target::Route(client, to) => {
                    routes.push(((client.clone(), to.clone()), Arc::clone(verdict)));
                }
                Target::Canary(..) => canaries.push(Arc::new(self.canary_view(target, verdict))),
                Target::Gateway(..) => gateways.push(Arc::new(self.gateway_view(target, verdict))),
                Target::Provider(_) => providers.push(Arc::clone(verdict)),
                Target::Vantage(_) | Target::Notifier(_) | Target::Source(_) => {}
            }
        }
        let pending = domains.iter().filter(|(_, verdict)| is_pending(verdict)).count();
        let clients = self.picture.inventory.clients.values().map(|client| ClientView {
            id: client.id.clone(),
            name: client.name.clone(),
            contact: client.contact.clone(),
        });
        View {
            clients: clients.collect(),
            vantage,
            domains: domains.into_iter().collect(),
            routes: routes.into_iter().collect(),
            canaries,
            gateways,
            providers,
            hosts: self.host_views.values().cloned().collect(),
            services: Arc::clone(&self.services),
            listings: self.listing_views(),
            counters: self.counters(),
            pending,
        }
    }

    fn counters(&self) -> Counters {
        Counters {
            probes: self.counts.probes.clone(),
            probe_errors: self.counts.errors.clone(),
            probe_lag: self.counts.lag.clone(),
            smtp_phases: self.counts.phases.clone(),
            certificate_expiry: Arc::clone(&self.expiries),
            mx_addresses: Arc::clone(&self.addresses),
            deliveries: self.counts.deliveries.clone(),
            bounces: self.counts.bounces.clone(),
            ..Counters::default()
        }
    }

    fn gateway_view(&self, target: &Target, verdict: &Verdict) -> GatewayView {
        let pings = self.counts.pings.get(target).cloned().unwrap_or_default();
        let address = match target {
            Target::Gateway(client, name) => self
                .picture
                .inventory
                .gateway(client, name)
                .map(|gateway| gateway.address.to_string()),
            _ => None,
        };
        GatewayView {
            verdict: verdict.clone(),
            address: address.unwrap_or_default(),
            pings: pings.sent,
            pings_lost: pings.lost,
            round_trips: pings.round_trips,
        }
    }

    /// Brings what is shown of a domain's services up to date. One that seems worse is shown so once everything that
    /// could explain it has been heard, as a verdict is.
    pub(super) fn refresh_services(
        &mut self,
        name: &DomainName,
        judged: &[diagnosis::ServiceView],
        now: Timestamp,
    ) {
        let Some(domain) = self.picture.domain(name) else {
            return;
        };
        let before = self.services.get(name).cloned().unwrap_or_default();
        let shown = |service: &Service| {
            let view = judged.iter().find(|view| view.service == *service)?;
            let mut new = service_view(view);
            let old = before.iter().find(|old| old.service == new.service);
            let waits = self.mode == Mode::Watch && view.doubt.until(now).is_some();
            if let Some(old) =
                old.filter(|old| waits && new.state != State::Flowing && old.state != new.state)
            {
                (new.state, new.code) = (old.state, old.code);
            } else if old.is_none() && waits {
                (new.state, new.code) = (State::Unknown, None);
            }
            Some(Arc::new(new))
        };
        let views: Vec<Arc<ServiceView>> = domain.services.iter().filter_map(shown).collect();
        if views != before {
            let services = Arc::make_mut(&mut self.services);
            if views.is_empty() {
                services.remove(name);
            } else {
                services.insert(name.clone(), views);
            }
        }
    }

    /// Brings what is shown of the end of a domain's certificates up to date.
    pub(super) fn set_expiry(&mut self, name: &DomainName, at: Option<Timestamp>) {
        if self.expiries.get(name).copied() == at {
            return;
        }
        let expiries = Arc::make_mut(&mut self.expiries);
        match at {
            Some(at) => expiries.insert(name.clone(), at),
            None => expiries.remove(name),
        };
    }

    fn listing_views(&self) -> Vec<ListingView> {
        let mut views = Vec::new();
        for subject in &self.listings {
            let Subject::Listing(zone, address) = subject else {
                continue;
            };
            let settled = self
                .picture
                .track(subject)
                .and_then(|track| track.settled.as_ref());
            let listed = match settled.map(|settled| settled.health) {
                Some(Health::Good) => false,
                Some(Health::Failed(_)) => true,
                _ => continue,
            };
            let clients = self.listable.get(address).into_iter().flatten();
            views.extend(clients.map(|client| ListingView {
                client: client.clone(),
                address: address.to_string(),
                blocklist: zone.clone(),
                listed,
            }));
        }
        views
    }

    /// Brings what is shown of an address up to date.
    pub(super) fn refresh_host_view(&mut self, subject: &Subject) {
        let Subject::Smtp(address) = subject else { return };
        let Some(view) = self.host_view(*address) else {
            return;
        };
        self.host_views.insert(*address, Arc::new(view));
    }

    fn host_view(&self, address: SocketAddr) -> Option<HostView> {
        let track = self.picture.track(&Subject::Smtp(address))?;
        let latest = &track.latest;
        let Evidence::Smtp(smtp) = &latest.evidence else {
            return None;
        };
        let judged = diagnosis::address(&self.picture, address, latest.ended(), &mut Doubt::default());
        let state = match &judged.state {
            AddressState::Usable => State::Flowing,
            AddressState::Impaired(_) => State::Degraded,
            AddressState::Failed(_) | AddressState::Behind(_) => State::Broken,
            AddressState::Refused | AddressState::Unknown => State::Unknown,
        };
        let failing = track
            .settled
            .as_ref()
            .is_some_and(|settled| settled.health != Health::Good);
        Some(HostView {
            address,
            names: self.picture.leads().names(address).cloned().collect(),
            provider: self
                .picture
                .provider_of_address(address)
                .map(|provider| Arc::clone(&provider.name)),
            state,
            code: judged.code().filter(|_| failing),
            checked: Some(latest.ended()),
            greeting: smtp.greeting.as_ref().map(ToString::to_string),
            stages: smtp
                .stages
                .iter()
                .map(|timing| (timing.stage, timing.elapsed.as_secs_f64()))
                .collect(),
            tls: smtp.tls.as_ref().map(|tls| tls.version.clone()),
            certificate_expiry: smtp
                .tls
                .as_ref()
                .and_then(|tls| Some(tls.certificate.as_ref()?.not_after)),
            source: latest.source,
            summary: diagnosis::summary(latest),
            transcript: Arc::clone(&smtp.transcript),
        })
    }
}

fn service_view(judged: &diagnosis::ServiceView) -> ServiceView {
    let latest = judged.observation.as_deref();
    let evidence = latest.and_then(|latest| match &latest.evidence {
        Evidence::Service(evidence) => Some(&**evidence),
        _ => None,
    });
    let tls = evidence.and_then(|evidence| evidence.tls.as_ref());
    let stages = evidence
        .map(|evidence| evidence.stages.as_slice())
        .unwrap_or_default();
    let code = judged.finding.as_ref().or(judged.warning.as_ref());
    ServiceView {
        service: judged.service.to_string(),
        state: judged.state,
        code: code
            .map(|finding| finding.code)
            .filter(|_| judged.state != State::Flowing),
        checked: latest.map(Observation::ended),
        peer: evidence.and_then(|evidence| evidence.peer),
        source: latest.and_then(|latest| latest.source),
        greeting: evidence.and_then(|evidence| evidence.greeting.clone()),
        stages: stages
            .iter()
            .map(|timing| StageView {
                stage: timing.stage.as_str(),
                elapsed: timing.elapsed.as_secs_f64(),
            })
            .collect(),
        tls: tls.map(|tls| tls.version.clone()),
        certificate_expiry: tls.and_then(|tls| Some(tls.certificate.as_ref()?.not_after)),
        summary: latest.map(diagnosis::summary).unwrap_or_default(),
        transcript: evidence
            .map(|evidence| evidence.transcript.clone())
            .unwrap_or_default(),
    }
}

/// Whether a domain has no verdict of its own yet.
fn is_pending(verdict: &Verdict) -> bool {
    verdict.state == State::Unknown
        && verdict
            .cause
            .as_ref()
            .is_none_or(|cause| cause.code == Code::VantageNoEvidence)
}
