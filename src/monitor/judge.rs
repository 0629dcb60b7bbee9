//! From evidence to verdicts: only what stands on something that changed is judged again, and a verdict turns
//! for the worse only when nothing that could explain it is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::diagnosis::{self, Doubt, Finding, GatewayState, Judgement, OwnSide, Suspicion};
use crate::inventory::Gateway;
use crate::model::{
    Cause, ClientId, Code, DomainName, Evidence, Observation, Root, RootKind, State, Subject, Target,
    Verdict, Warning,
};
use crate::picture::{SMTP_PORT, Track};

use super::{Mode, Monitor};

/// More dependents than this are not judged anew for an observation that says what the last one said: each
/// domain's own MX question brings it up to date within its interval.
const MANY: usize = 50;

impl Monitor {
    /// Whether a subject's newest observation changes nothing that anybody's verdict stands on.
    pub(super) fn says_the_same(&self, before: &Track, subject: &Subject) -> bool {
        let Some(after) = self.picture.track(subject) else {
            return false;
        };
        let health = |track: &Track| track.settled.as_ref().map(|settled| settled.health);
        health(before) == health(after)
            && !before.is_in_doubt()
            && !after.is_in_doubt()
            && certificate(&before.latest) == certificate(&after.latest)
    }

    pub(super) fn judge_dependents(&mut self, subject: &Subject, quiet: bool, now: Timestamp) {
        let mut targets = self.dependents(subject, quiet);
        if !quiet {
            // What was held back waits for just such news.
            targets.extend(self.held.iter().cloned());
        }
        self.judge(targets, now);
    }

    pub(super) fn judge_everything(&mut self, now: Timestamp) {
        let inventory = Arc::clone(&self.picture.inventory);
        let mut targets = BTreeSet::from([self.vantage_target()]);
        targets.extend(inventory.gateways.iter().map(|one| gateway_target(one)));
        targets.extend(inventory.domains.keys().cloned().map(Target::Domain));
        let providers = inventory
            .domains
            .keys()
            .filter_map(|name| self.picture.provider_of(name));
        targets.extend(providers.map(|one| Target::Provider(Arc::clone(&one.name))));
        self.judge(targets, now);
    }

    pub(super) fn dependents(&self, subject: &Subject, quiet: bool) -> BTreeSet<Target> {
        let picture = &self.picture;
        let domains = |names: BTreeSet<DomainName>| {
            let many = quiet && names.len() > MANY;
            names.into_iter().filter(move |_| !many).map(Target::Domain)
        };
        let mut targets = BTreeSet::new();
        match subject {
            Subject::Mx(name) | Subject::NameServers(name) | Subject::Policy(name, _) => {
                targets.insert(Target::Domain(name.clone()));
            }
            Subject::Addresses(host) | Subject::Tlsa(host) => {
                targets.extend(domains(picture.leads().domains(host).cloned().collect()));
            }
            Subject::Smtp(address) | Subject::Trace(address) => {
                targets.extend(domains(picture.domains_at(*address)));
                targets.extend(picture.gateways_of(address.ip()).map(|one| gateway_target(one)));
                let provider = picture.provider_of_address(*address);
                targets.extend(provider.map(|one| Target::Provider(Arc::clone(&one.name))));
            }
            Subject::Host(address) => {
                let socket = std::net::SocketAddr::new(*address, SMTP_PORT);
                targets.extend(domains(picture.domains_at(socket)));
                targets.extend(picture.gateways_of(*address).map(|one| gateway_target(one)));
            }
            Subject::Gateway(client, name) => {
                targets.insert(Target::Gateway(client.clone(), Arc::clone(name)));
                if let Some(gateway) = picture.inventory.gateway(client, name) {
                    let behind = picture.addresses_behind(gateway);
                    let names =
                        behind
                            .into_iter()
                            .flat_map(|address| picture.domains_at(address))
                            .chain(picture.services_behind(gateway).iter().flat_map(|service| {
                                picture.domains_with(service).cloned().collect::<Vec<_>>()
                            }))
                            .collect();
                    targets.extend(domains(names));
                }
            }
            Subject::Service(service) => {
                targets.extend(domains(picture.domains_with(service).cloned().collect()));
                for address in picture.service_addresses(service) {
                    targets.extend(picture.gateways_of(address).map(|one| gateway_target(one)));
                }
            }
            Subject::Blocklist(_) => {
                targets.extend(domains(picture.inventory.domains.keys().cloned().collect()));
                targets.insert(self.vantage_target());
            }
            Subject::Listing(_, address) => {
                let own = picture.inventory.domains.values();
                let own = own.filter(|domain| picture.own_mail_addresses(domain).contains(address));
                targets.extend(domains(own.map(|domain| domain.name.clone()).collect()));
            }
            Subject::Anchor(_) | Subject::Resolver(_) => {}
        }
        // Any answer from outside may refute that we are blind.
        if matches!(subject, Subject::Anchor(_) | Subject::Resolver(_))
            || self.own.worst().is_some()
            || self.suspected != Suspicion::default()
            || !self.own.proven
        {
            targets.insert(self.vantage_target());
        }
        targets
    }

    /// Judges targets, each kind standing on the ones before.
    pub(super) fn judge(&mut self, mut targets: BTreeSet<Target>, now: Timestamp) {
        let vantage = self.vantage_target();
        if targets.remove(&vantage) && self.judge_own_side(now) {
            targets.extend(self.verdicts.keys().filter(|target| **target != vantage).cloned());
        }
        let providers: Vec<Target> = targets
            .iter()
            .filter(|target| matches!(target, Target::Provider(_)))
            .cloned()
            .collect();
        for target in providers {
            targets.remove(&target);
            if let Target::Provider(name) = &target
                && self.judge_provider(name, now)
                && let Some(provider) = self.picture.inventory.providers.named(name).cloned()
            {
                let addresses = self.picture.provider_addresses(&provider);
                let names = addresses
                    .into_iter()
                    .flat_map(|address| self.picture.domains_at(address));
                targets.extend(names.map(Target::Domain));
            }
        }
        for target in targets {
            match &target {
                Target::Gateway(client, name) => {
                    if let Some(gateway) = self.picture.inventory.gateway(client, name).cloned() {
                        self.judge_gateway(&gateway, now);
                    }
                }
                Target::Domain(name) => self.judge_domain(name, now),
                Target::Vantage(_) | Target::Provider(_) => {}
            }
        }
    }

    /// Whether our own side is seen differently from before.
    fn judge_own_side(&mut self, now: Timestamp) -> bool {
        let target = self.vantage_target();
        let mut doubt = Doubt::default();
        let own = diagnosis::own_side(&self.picture, now, &mut doubt);
        let code = |own: &OwnSide| own.worst().map(|finding| finding.code);
        // What was seen while we may have been cut off says nothing, whether we came to call it so or not.
        let before = self.suspected;
        let suspected = own.suspected.dated_no_later_than(before);
        self.suspected = suspected;
        if let (Some(since), None) = (before.port25, suspected.port25) {
            self.port25_recovered(since, now);
        }
        if let (Some(since), None) = (before.line, suspected.line) {
            self.line_recovered(since, now);
            return self.judge_own_side(now);
        }
        let worse = code(&own).is_some() && code(&own) != code(&self.own);
        if worse && self.hold(&target, &doubt, now) {
            return false;
        }
        self.held.remove(&target);
        let changed = code(&own) != code(&self.own) || own.proven != self.own.proven;
        self.own = own;
        let verdict = self.vantage_verdict(&target);
        self.publish(target, verdict, now);
        changed
    }

    /// The verdict on our own side, which there is from the start.
    pub(super) fn vantage(&self) -> Arc<Verdict> {
        let target = self.vantage_target();
        let judged = self.verdicts.get(&target).cloned();
        judged.unwrap_or_else(|| Arc::new(Draft::default().verdict(target, None, Timestamp::UNIX_EPOCH)))
    }

    fn vantage_verdict(&self, target: &Target) -> Draft {
        let picture = &self.picture;
        let worst = self.own.worst();
        let state = match worst {
            None if self.own.proven => State::Flowing,
            _ => State::Unknown,
        };
        let no_evidence = || {
            let root = Root {
                kind: RootKind::Vantage,
                client: None,
                name: name_of(target),
            };
            Finding::new(
                Code::VantageNoEvidence,
                root,
                format!("our vantage {}", name_of(target)),
                "Nothing outside has answered us yet.",
            )
        };
        let cause = match (state, worst) {
            (State::Flowing, _) => None,
            (_, Some(finding)) => Some(finding.cause(picture, None, None)),
            (_, None) => Some(no_evidence().cause(picture, None, None)),
        };
        let mut also = Vec::new();
        if !picture.inventory.ipv6 {
            also.push(Warning {
                code: Code::VantageNoIpv6,
                subject: format!("our vantage {}", name_of(target)),
                summary: "This machine has no way to the IPv6 internet: only IPv4 is looked at.".into(),
            });
        }
        also.extend(self.unbelieved_lists());
        let checked = picture.last_outside_success();
        Draft {
            state,
            cause,
            also,
            checked,
            ..Draft::default()
        }
    }

    /// Blocklists that failed their self-test: what they say of anybody is not believed, and that is ours to mend.
    fn unbelieved_lists(&self) -> Vec<Warning> {
        let zones = self.picture.inventory.blocklists.iter();
        let warnings = zones.filter_map(|zone| {
            let track = self.picture.track(&Subject::Blocklist(zone.clone()))?;
            let Evidence::Blocklist(evidence) = &track.settled.as_ref()?.observation.evidence else {
                return None;
            };
            Some(Warning {
                code: Code::VantageRefused,
                subject: format!("the blocklist {zone}"),
                summary: format!("What it says is not believed: {}.", evidence.complaint()?),
            })
        });
        warnings.collect()
    }

    /// Whether a provider is seen differently from before.
    fn judge_provider(&mut self, name: &Arc<str>, now: Timestamp) -> bool {
        let Some(provider) = self.picture.inventory.providers.named(name).cloned() else {
            return false;
        };
        let target = Target::Provider(Arc::clone(name));
        let mut doubt = Doubt::default();
        let masked = self.own.masks_smtp().is_some();
        let outage = diagnosis::outage(&self.picture, &provider, now, &mut doubt).filter(|_| !masked);
        let before = self.outages.contains_key(name);
        // Also while one client fails and others may be about to: its domains wait for that.
        if !before && self.hold(&target, &doubt, now) {
            return false;
        }
        self.held.remove(&target);
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

    fn judge_gateway(&mut self, gateway: &Gateway, now: Timestamp) {
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
        self.settle(target, draft, &doubt, now);
    }

    fn judge_domain(&mut self, name: &DomainName, now: Timestamp) {
        let Some(domain) = self.picture.domain(name).cloned() else {
            return;
        };
        let mut doubt = Doubt::default();
        let provider = self
            .picture
            .provider_of(name)
            .map(|provider| Arc::clone(&provider.name));
        let outage = provider.as_ref().and_then(|provider| self.outages.get(provider));
        let judged = diagnosis::domain(&self.picture, &self.own, outage, &domain, now, &mut doubt);
        self.addresses.insert(name.clone(), judged.addresses);
        self.refresh_services(name, &judged.services, now);
        match judged.certificate_expiry {
            Some(at) => self.expiries.insert(name.clone(), at),
            None => self.expiries.remove(name),
        };
        if provider
            .as_ref()
            .is_some_and(|provider| self.held.contains(&Target::Provider(Arc::clone(provider))))
        {
            // Whether the provider as a whole is down is just being found out.
            let track = self.picture.track(&Subject::Mx(name.clone()));
            if let Some(until) = track.and_then(|_| {
                self.recheck_at
                    .get(&Target::Provider(provider.unwrap_or_default()))
            }) {
                doubt.wait(*until);
            }
        }
        let target = Target::Domain(name.clone());
        if self.is_first_sight(&target, &judged) {
            self.held.insert(target);
            return;
        }
        self.settle(target.clone(), Draft::from(judged), &doubt, now);
        self.follow_way(name, now);
        let stale = self
            .picture
            .track(&Subject::Mx(name.clone()))
            .map(|track| track.fresh_until);
        if let Some(stale) = stale.filter(|stale| *stale > now && *stale < Timestamp::MAX)
            && !self.held.contains(&target)
        {
            let after = stale
                .checked_add(jiff::SignedDuration::from_millis(1))
                .unwrap_or(stale);
            self.recheck(&target, after);
        }
    }

    /// Whether a domain of which nothing was known until now has yet to have its policies looked at: what is wrong
    /// with them belongs to the first verdict, and must not come as a turn after it (`semantics` 23).
    fn is_first_sight(&self, target: &Target, judged: &Judgement) -> bool {
        let known = self.verdicts.get(target);
        judged.first_look
            && self.mode == Mode::Watch
            && matches!(judged.state, State::Flowing | State::Degraded)
            && known.is_some_and(|known| known.state == State::Unknown)
    }

    /// Publishes a draft, unless it turns for the worse while something is still in doubt.
    fn settle(&mut self, target: Target, draft: Draft, doubt: &Doubt, now: Timestamp) {
        let code = draft.cause.as_ref().map(|cause| cause.code);
        let turns = self.verdicts.get(&target).is_none_or(|before| {
            before.state != draft.state
                || before.cause.as_ref().map(identity) != draft.cause.as_ref().map(identity)
        });
        let known = self
            .verdicts
            .get(&target)
            .is_some_and(|before| before.state != State::Unknown);
        // A first look at something new is no reason to forget what was known a moment ago.
        let worse = match draft.state {
            State::Broken | State::Degraded => true,
            State::Unknown => {
                known && matches!(code, Some(Code::VantageNoEvidence | Code::VantageResolverFailed))
            }
            State::Flowing => false,
        };
        if turns && worse && self.hold(&target, doubt, now) {
            return;
        }
        self.held.remove(&target);
        self.publish(target, draft, now);
    }

    /// Holds a judgement back while something is in doubt, and looks again when it no longer may be.
    fn hold(&mut self, target: &Target, doubt: &Doubt, now: Timestamp) -> bool {
        if self.mode == Mode::OneLook {
            return false;
        }
        let mut doubt = doubt.clone();
        let vantage = self.vantage_target();
        // While our own side is being judged, nobody else is blamed.
        if *target != vantage
            && self.held.contains(&vantage)
            && let Some(until) = self.recheck_at.get(&vantage)
        {
            doubt.wait(*until);
        }
        let Some(until) = doubt.until(now) else {
            return false;
        };
        self.held.insert(target.clone());
        self.recheck(target, until);
        true
    }

    fn recheck(&mut self, target: &Target, at: Timestamp) {
        if let Some(before) = self.recheck_at.insert(target.clone(), at) {
            self.rechecks.remove(&(before, target.clone()));
        }
        self.rechecks.insert((at, target.clone()));
    }

    fn publish(&mut self, target: Target, draft: Draft, now: Timestamp) {
        let before = self.verdicts.get(&target);
        let code = draft.cause.as_ref().map(|cause| cause.code);
        let same_state = before
            .filter(|before| before.state == draft.state)
            .map(|before| before.since);
        let remembered = self
            .remembered
            .get(&target)
            .filter(|_| same_state.is_none())
            .filter(|kept| kept.state == draft.state && kept.code == code)
            .map(|kept| kept.since);
        if draft.state != State::Unknown {
            self.remembered.remove(&target);
        }
        let client = match &target {
            Target::Gateway(client, _) => Some(client.clone()),
            Target::Domain(name) => self.picture.domain(name).and_then(|domain| domain.client.clone()),
            Target::Vantage(_) | Target::Provider(_) => None,
        };
        let since = same_state.or(remembered).unwrap_or(now);
        let verdict = draft.verdict(target.clone(), client, since);
        let turned = before.is_none_or(|before| {
            before.state != verdict.state
                || before.cause.as_ref().map(identity) != verdict.cause.as_ref().map(identity)
        });
        let verdict = Arc::new(verdict);
        if turned {
            self.changes.verdicts.push(Arc::clone(&verdict));
        }
        self.verdicts.insert(target, verdict);
    }
}

/// What makes two causes the same one.
fn identity(cause: &Cause) -> (Code, &Root) {
    (cause.code, &cause.root)
}

/// A verdict before its time is put to it.
#[derive(Debug, Clone)]
struct Draft {
    state: State,
    cause: Option<Cause>,
    symptoms: Vec<Code>,
    also: Vec<Warning>,
    proven_by: Vec<crate::model::Proof>,
    checked: Option<Timestamp>,
    provider: Option<Arc<str>>,
    path: Vec<crate::model::Hop>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            state: State::Unknown,
            cause: None,
            symptoms: Vec::new(),
            also: Vec::new(),
            proven_by: Vec::new(),
            checked: None,
            provider: None,
            path: Vec::new(),
        }
    }
}

impl Draft {
    fn verdict(self, target: Target, client: Option<ClientId>, since: Timestamp) -> Verdict {
        Verdict {
            target,
            client,
            state: self.state,
            since,
            checked: self.checked,
            proven_by: self.proven_by,
            cause: self.cause,
            symptoms: self.symptoms,
            also: self.also,
            provider: self.provider,
            incident: None,
            path: self.path,
        }
    }
}

impl From<Judgement> for Draft {
    fn from(judged: Judgement) -> Self {
        Self {
            state: judged.state,
            cause: judged.cause,
            symptoms: judged.symptoms,
            also: judged.also,
            proven_by: judged.proven_by,
            checked: judged.checked,
            provider: judged.provider,
            path: judged.path,
        }
    }
}

pub(super) fn gateway_target(gateway: &Gateway) -> Target {
    Target::Gateway(gateway.client.clone(), Arc::clone(&gateway.name))
}

fn name_of(target: &Target) -> Arc<str> {
    match target {
        Target::Vantage(name) | Target::Provider(name) | Target::Gateway(_, name) => Arc::clone(name),
        Target::Domain(name) => name.as_str().into(),
    }
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

/// The certificate that a session showed, by its fingerprint.
pub(super) fn certificate(observation: &Observation) -> Option<&str> {
    match &observation.evidence {
        Evidence::Smtp(smtp) => Some(&smtp.tls.as_ref()?.certificate.as_ref()?.fingerprint),
        Evidence::Service(service) => Some(&service.tls.as_ref()?.certificate.as_ref()?.fingerprint),
        _ => None,
    }
}
