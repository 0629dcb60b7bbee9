//! From evidence to verdicts, each kind of target after those that it stands on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::dependents::gateway_target;
use super::publish::Draft;
use super::{Mode, Monitor};
use crate::diagnosis::{self, Doubt, Finding, GatewayState, Judgement};
use crate::inventory::Gateway;
use crate::model::{Code, DomainName, Root, RootKind, State, Subject, Target};

impl Monitor {
    /// Judges targets, each kind standing on the ones before.
    pub(super) fn judge(&mut self, targets: BTreeSet<Target>, now: Timestamp) {
        self.judge_with(targets, None, now);
    }

    /// Likewise, with all domains whose mail goes to an address.
    pub(super) fn judge_with(
        &mut self,
        mut targets: BTreeSet<Target>,
        address: Option<SocketAddr>,
        now: Timestamp,
    ) {
        let vantage = self.vantage_target();
        if targets.remove(&vantage) {
            let was_held = self.held.contains(&vantage);
            if self.judge_own_side(now) {
                targets.extend(self.verdicts.keys().filter(|target| **target != vantage).cloned());
            }
            if was_held && !self.held.contains(&vantage) {
                targets.extend(self.held.iter().cloned());
            }
        }
        // A router and what stands behind it turn in one step, or the second would be an incident of its own.
        for gateway in self.take_gateways(&mut targets) {
            if self.judge_gateway(&gateway, now) {
                targets.extend(self.domains_behind(&gateway).into_iter().map(Target::Domain));
                targets.extend(
                    self.canaries_of(&gateway.client)
                        .iter()
                        .map(|canary| canary.target()),
                );
            }
        }
        for name in take_providers(&mut targets) {
            let target = Target::Provider(Arc::clone(&name));
            let was_held = self.held.contains(&target);
            let turned = self.judge_provider(&name, now);
            if was_held && !self.held.contains(&target) {
                targets.extend(self.held.iter().cloned());
                let put_off = self.put_off.remove(&name).unwrap_or_default();
                targets.append(&mut self.led_to(put_off.into_keys()));
            }
            if turned && let Some(provider) = self.picture.inventory.providers.named(&name).cloned() {
                let addresses = self.picture.users_of(&provider).keys();
                targets.append(&mut self.led_to(addresses.copied()));
            }
        }
        if let Some(address) = address {
            let names = self.not_put_off_at(address).into_iter();
            targets.append(&mut names.map(Target::Domain).collect());
        }
        // What mail to a domain comes to matters to all who send there.
        let mut routes = BTreeSet::new();
        for target in targets {
            match target {
                Target::Domain(name) => {
                    self.judge_domain(&name, now);
                    let to = self.picture.inventory.routes_to(&name);
                    routes.extend(to.map(|route| (route.client.clone(), name.clone())));
                }
                Target::Canary(client, name) => self.judge_canary(&client, &name, now),
                Target::Route(client, to) => {
                    routes.insert((client, to));
                }
                _ => {}
            }
        }
        for (client, to) in routes {
            self.judge_route(&client, &to, now);
        }
    }

    /// The domains whose mail goes to any of these addresses. These may be tens of thousands: they are sorted at once, and
    /// not looked for one by one.
    fn led_to(&self, addresses: impl Iterator<Item = SocketAddr>) -> BTreeSet<Target> {
        let names = addresses.flat_map(|address| self.picture.led_to(address));
        names.cloned().map(Target::Domain).collect()
    }

    /// The domains at an address that are to be judged now. While it is being found out whether the provider as a whole is
    /// down, those that flow are put off until that is known: nothing worse is said of them before, and they may be tens of
    /// thousands.
    fn not_put_off_at(&mut self, address: SocketAddr) -> Vec<DomainName> {
        let picture = &self.picture;
        let provider = picture.provider_of_address(address);
        let held = provider.filter(|one| self.held.contains(&Target::Provider(Arc::clone(&one.name))));
        let Some(provider) = held else {
            return picture.domains_at(address).into_iter().collect();
        };
        let addresses = self.put_off.entry(Arc::clone(&provider.name)).or_default();
        let at_once = addresses.entry(address).or_insert_with(|| {
            let flows = |name: &DomainName| {
                let verdict = self.verdicts.get(&Target::Domain(name.clone()));
                verdict.is_some_and(|verdict| verdict.state == State::Flowing)
            };
            let theirs = |name: &DomainName| {
                let of = picture.provider_of(name);
                of.is_some_and(|of| of.name == provider.name)
            };
            let names = picture
                .led_to(address)
                .filter(|name| !flows(name) || !theirs(name));
            names.cloned().collect()
        });
        at_once.clone()
    }

    fn take_gateways(&self, targets: &mut BTreeSet<Target>) -> Vec<Arc<Gateway>> {
        let taken = targets.extract_if(.., |target| matches!(target, Target::Gateway(..)));
        let known = taken.filter_map(|target| match target {
            Target::Gateway(client, name) => self.picture.inventory.gateway(&client, &name).cloned(),
            _ => None,
        });
        known.collect()
    }

    /// Whether a provider is seen differently from before.
    fn judge_provider(&mut self, name: &Arc<str>, now: Timestamp) -> bool {
        let Some(provider) = self.picture.inventory.providers.named(name).cloned() else {
            return false;
        };
        let target = Target::Provider(Arc::clone(name));
        let mut doubt = Doubt::default();
        let masked = self.own.masks_smtp().is_some();
        let before = self.outages.contains_key(name);
        let outage = diagnosis::outage(&self.picture, &provider, before, now, &mut doubt).filter(|_| !masked);
        self.wonder(&target, &doubt, now);
        // Its domains wait while it may yet prove to be an outage; one that stands does so until all of it may be over.
        let certain = before && (outage.is_some() || masked);
        if !certain && self.hold(&target, &doubt, now) {
            return false;
        }
        self.release(&target);
        let state = match (&outage, masked) {
            (Some(_), _) => State::Broken,
            (None, true) => State::Unknown,
            (None, false) => State::Flowing,
        };
        let masking = self
            .own
            .masks_smtp()
            .map(|finding| finding.cause(&self.picture, None, None));
        let cause = outage
            .as_ref()
            .map(|finding| finding.cause(&self.picture, None, Some(name)))
            .or(masking);
        let changed = before != outage.is_some();
        match outage {
            Some(finding) => self.outages.insert(Arc::clone(name), finding),
            None => self.outages.remove(name),
        };
        self.publish(
            target,
            Draft {
                state,
                cause,
                ..Draft::default()
            },
            now,
        );
        changed
    }

    /// Whether a gateway is seen differently from before.
    fn judge_gateway(&mut self, gateway: &Gateway, now: Timestamp) -> bool {
        let target = gateway_target(gateway);
        let mut doubt = Doubt::default();
        let judged = diagnosis::gateway(&self.picture, gateway, now, &mut doubt);
        let picture = &self.picture;
        let track = picture.track(&gateway.subject());
        let checked = track.map(|track| track.latest.ended());
        let client = Some(&gateway.client);
        let mut draft = Draft {
            checked,
            ..Draft::default()
        };
        match judged {
            _ if self.own.offline.is_some() => {
                draft.state = State::Unknown;
                draft.cause = self
                    .own
                    .offline
                    .as_ref()
                    .map(|finding| finding.cause(picture, None, None));
            }
            GatewayState::Down(finding) => {
                draft.state = State::Broken;
                draft.cause = Some(finding.cause(picture, client, None));
            }
            GatewayState::Up => match diagnosis::impairment(picture, gateway) {
                Some(finding) => {
                    draft.state = State::Degraded;
                    draft.cause = Some(finding.cause(picture, client, None));
                }
                None => draft.state = State::Flowing,
            },
            GatewayState::Unproven | GatewayState::Unknown => {
                draft.state = State::Unknown;
                draft.cause = Some(no_gateway_evidence(gateway).cause(picture, client, None));
            }
        }
        draft.also = diagnosis::gateway_warnings(picture, gateway, now);
        self.settle(target, draft, &doubt, now)
    }

    fn judge_domain(&mut self, name: &DomainName, now: Timestamp) {
        let Some(domain) = self
            .picture
            .domain(name)
            .filter(|one| !one.is_destination)
            .cloned()
        else {
            return;
        };
        if let Some(recipient) = &domain.recipient {
            self.follow_recipient(recipient, now);
        }
        let mut doubt = Doubt::default();
        let provider = self
            .picture
            .provider_of(name)
            .map(|provider| Arc::clone(&provider.name));
        let outage = provider.as_ref().and_then(|provider| self.outages.get(provider));
        let judged = diagnosis::domain(&self.picture, &self.own, outage, &domain, now, &mut doubt);
        if self.addresses.get(name) != Some(&judged.addresses) {
            Arc::make_mut(&mut self.addresses).insert(name.clone(), judged.addresses);
        }
        self.refresh_services(name, &judged.services, now);
        match judged.certificate_expiry {
            at @ Some(_) => self.set_expiry(name, at),
            None if matches!(judged.state, State::Flowing | State::Degraded) => self.set_expiry(name, None),
            // What was measured is still so while nobody can look.
            None => {}
        }
        self.wait_for_provider(name, provider, &judged, &mut doubt);
        let target = Target::Domain(name.clone());
        if self.is_first_sight(&target, &judged) {
            self.held.insert(target);
            return;
        }
        let accepted_until = judged.accepted_until;
        self.settle(target.clone(), Draft::from(judged), &doubt, now);
        self.follow_way(&target, name, now);
        self.recheck_when_stale(
            &target,
            [Subject::Mx(name.clone())].into_iter(),
            accepted_until,
            now,
        );
    }

    /// Whether the provider as a whole is down is just being found out. What a domain's own DNS shows is no matter of its.
    pub(super) fn wait_for_provider(
        &self,
        name: &DomainName,
        provider: Option<Arc<str>>,
        judged: &Judgement,
        doubt: &mut Doubt,
    ) {
        let Some(target) = provider.map(Target::Provider) else {
            return;
        };
        if judged
            .cause
            .as_ref()
            .is_some_and(|cause| cause.code.layer() == "dns")
        {
            return;
        }
        let looked_at = self.picture.track(&Subject::Mx(name.clone())).is_some();
        if let Some(until) = self.recheck_at.get(&target)
            && looked_at
            && self.held.contains(&target)
        {
            doubt.wait((*until).into());
        }
    }

    /// Judges a target anew when the first of `subjects` is too old, or something is accepted no longer.
    pub(super) fn recheck_when_stale(
        &mut self,
        target: &Target,
        subjects: impl Iterator<Item = Subject>,
        accepted_until: Option<Timestamp>,
        now: Timestamp,
    ) {
        let stale = subjects.filter_map(|subject| Some(self.picture.track(&subject)?.fresh_until()));
        let soonest = stale.chain(accepted_until);
        let soonest = soonest.filter(|at| *at > now && *at < Timestamp::MAX).min();
        if let Some(stale) = soonest
            && !self.held.contains(target)
        {
            let after = stale
                .checked_add(jiff::SignedDuration::from_millis(1))
                .unwrap_or(stale);
            self.recheck(target, after);
        }
    }

    /// Whether a domain of which nothing was known until now has yet to have its policies looked at: what is wrong
    /// with them belongs to the first verdict, and must not come as a turn after it (`semantics` 23).
    pub(super) fn is_first_sight(&self, target: &Target, judged: &Judgement) -> bool {
        let known = || self.verdicts.get(target);
        judged.first_look
            && self.mode == Mode::Watch
            && matches!(judged.state, State::Flowing | State::Degraded)
            && known().is_some_and(|known| known.state == State::Unknown)
    }
}

fn take_providers(targets: &mut BTreeSet<Target>) -> Vec<Arc<str>> {
    let taken = targets.extract_if(.., |target| matches!(target, Target::Provider(_)));
    let names = taken.filter_map(|target| match target {
        Target::Provider(name) => Some(name),
        _ => None,
    });
    names.collect()
}

fn no_gateway_evidence(gateway: &Gateway) -> Finding {
    let root = Root {
        kind: RootKind::Gateway,
        client: Some(gateway.client.clone()),
        name: Arc::clone(&gateway.name),
    };
    let detail = format!("Nothing shows yet whether {} works.", gateway.label());
    Finding::new(Code::VantageNoEvidence, root, gateway.label(), detail)
}
