//! A domain's verdict: from addresses up to hosts and the domain (`semantics` 9), one root cause.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::dns::{Exchange, MxRecord};
use crate::model::{Accepted, Cause, Code, Hop, Proof, Root, RootKind, State, Subject, Warning};
use crate::picture::{MailHosts, Picture};

use super::accept::{self, accepted, set_aside};
use super::address::{AddressState, AddressView};
use super::dns::{DnsState, dns, domain_root};
use super::doubt::Doubt;
use super::finding::Finding;
use super::host::{HostState, HostView, host};
use super::line::impairment;
use super::path;
use super::policy::{Policies, policies};
use super::reputation::{Reputation, reputation};
use super::service::{ServiceView, services};
use super::vantage::OwnSide;

/// What the evidence says of a domain now.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// How it is.
    pub state: State,
    /// Why; `None` when flowing.
    pub cause: Option<Cause>,
    /// What the cause explains.
    pub symptoms: Vec<Code>,
    /// What else somebody should know.
    pub also: Vec<Warning>,
    /// When the first of what is accepted ends, if anything is.
    pub accepted_until: Option<Timestamp>,
    /// What it rests on.
    pub proven_by: Vec<Proof>,
    /// The newest evidence.
    pub checked: Option<Timestamp>,
    /// Who operates the mail hosts.
    pub provider: Option<Arc<str>>,
    /// The path, hop by hop.
    pub path: Vec<Hop>,
    /// Addresses: usable, failed, refused, unknown.
    pub addresses: [u32; 4],
    /// The earliest end of a certificate.
    pub certificate_expiry: Option<Timestamp>,
    /// Whether what the domain publishes has yet to be looked at for the first time.
    pub first_look: bool,
    /// Its services, each judged by itself.
    pub services: Vec<ServiceView>,
}

/// What a domain's judgement is made of.
pub(super) struct Parts<'a> {
    pub(super) picture: &'a Picture,
    pub(super) domain: &'a Domain,
    pub(super) own: &'a OwnSide,
    pub(super) dns: DnsState,
    pub(super) hosts: Vec<HostView>,
    pub(super) policies: Policies,
    pub(super) implicit: bool,
    pub(super) services: Vec<ServiceView>,
    pub(super) reputation: Reputation,
}

/// The outcome of the roll-up: a state with the finding that gives it.
pub(super) struct Rolled {
    pub(super) state: State,
    pub(super) cause: Option<Finding>,
    pub(super) others: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
    /// What somebody has accepted, so that it counts no longer.
    pub(super) accepted: Vec<Finding>,
}

/// Judges a domain. `outage` is the outage of the provider that its hosts belong to, if there is one.
pub fn domain(
    picture: &Picture,
    own: &OwnSide,
    outage: Option<&Finding>,
    domain: &Domain,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Judgement {
    let dns = dns(picture, own, domain, now, doubt);
    let mail_hosts = picture.mail_hosts(&domain.name);
    let implicit = mail_hosts == MailHosts::Implicit;
    let mut hosts = Vec::new();
    if domain.receives && matches!(dns, DnsState::Known(_)) {
        for name in picture.host_names(&domain.name) {
            hosts.push(host(picture, own, domain, &name, now, doubt));
        }
    }
    wait_for_siblings(picture, &hosts, doubt);
    let policies = policies(picture, domain, &hosts, now, doubt);
    let parts = Parts {
        picture,
        domain,
        own,
        dns,
        hosts,
        policies,
        implicit,
        services: services(picture, own, domain, now),
        reputation: reputation(picture, domain),
    };
    let known = accepted(picture, domain, now);
    let mut verdict = parts.roll_up(outage, &mail_hosts);
    set_aside(&mut verdict, &known);
    parts.add_beside(&mut verdict, now, doubt);
    set_aside(&mut verdict, &known);
    parts.judgement(verdict, &known)
}

impl Parts<'_> {
    fn roll_up(&self, outage: Option<&Finding>, mail_hosts: &MailHosts<'_>) -> Rolled {
        if let Some(offline) = &self.own.offline {
            return unknown(Some(offline.clone()));
        }
        let mut impaired = match &self.dns {
            DnsState::Broken(finding) => return broken(finding.clone(), Vec::new()),
            DnsState::Unknown(reason) => return unknown(reason.clone()),
            DnsState::Known(findings) => findings.clone(),
        };
        if !self.domain.receives {
            return self.settle(impaired, self.policies.warnings.clone());
        }
        let failed: Vec<Finding> = self.hosts.iter().filter_map(failure).cloned().collect();
        let usable = self
            .hosts
            .iter()
            .filter(|host| host.state == HostState::Usable)
            .count();
        let unknown_host = self.hosts.iter().find_map(|host| match &host.state {
            HostState::Unknown(reason) => Some(reason.clone()),
            _ => None,
        });
        let resolved = self.hosts.iter().any(|host| !host.addresses.is_empty());
        if let Some(blocked) = self
            .own
            .port25_blocked
            .as_ref()
            .filter(|_| resolved || usable > 0)
        {
            return unknown(Some(blocked.clone()));
        }
        if usable == 0 {
            return match unknown_host {
                Some(reason) => unknown(reason),
                None => self.all_failed(outage, &failed),
            };
        }
        impaired.extend(failed);
        impaired.extend(self.lines());
        impaired.extend(self.hosts.iter().flat_map(|host| host.impaired.iter().cloned()));
        let warnings = self.warnings(mail_hosts);
        self.settle(impaired, warnings)
    }

    /// With something usable: the most serious of what is impaired gives the state.
    fn settle(&self, impaired: Vec<Finding>, warnings: Vec<Finding>) -> Rolled {
        let mut impaired: Vec<Finding> = impaired
            .into_iter()
            .map(|finding| match finding.code.layer() {
                // Broken by itself; for the domain it is one of several ways (or demanded TLS: then it stays).
                "tls" => finding,
                _ => finding.giving(State::Degraded),
            })
            .collect();
        // With a sound way besides, demanded TLS at one host breaks nothing.
        let sound = self.hosts.iter().any(|host| {
            host.state == HostState::Usable && host.impaired.iter().all(|found| found.state != State::Broken)
        });
        if sound {
            for finding in &mut impaired {
                finding.state = State::Degraded;
            }
        }
        impaired.extend(self.policies.findings.iter().cloned());
        impaired.sort_by_key(|finding| {
            (
                std::cmp::Reverse(finding.state.urgency()),
                layer_rank(finding.code),
            )
        });
        let mut impaired = impaired.into_iter();
        match impaired.next() {
            Some(first) => Rolled {
                state: first.state,
                cause: Some(first),
                others: impaired.collect(),
                warnings,
                accepted: Vec::new(),
            },
            None => Rolled {
                state: State::Flowing,
                cause: None,
                others: Vec::new(),
                warnings,
                accepted: Vec::new(),
            },
        }
    }

    /// What stands beside the way that mail comes in: services and reputation impair a domain that takes mail, and
    /// never explain why one does not. What still waits for its own explanation gives way to what does not, and holds
    /// the judgement back only where nothing else would be the cause.
    fn add_beside(&self, verdict: &mut Rolled, now: Timestamp, doubt: &mut Doubt) {
        let services = self
            .services
            .iter()
            .filter_map(|view| Some((view.finding.as_ref()?, &view.doubt)));
        let listed = self
            .reputation
            .listed
            .iter()
            .map(|(finding, doubt)| (finding, doubt));
        let (waiting, clear): (Vec<_>, Vec<_>) = services
            .chain(listed)
            .partition(|(_, doubt)| doubt.until(now).is_some());
        let soon = self.services.iter().filter_map(|view| view.warning.clone());
        match verdict.state {
            State::Unknown => {}
            State::Broken => {
                let explained = |finding: &Finding| {
                    verdict
                        .cause
                        .as_ref()
                        .is_some_and(|cause| cause.root == finding.root)
                        || self.shares_an_address(finding)
                };
                let (under, apart): (Vec<_>, Vec<_>) = clear.into_iter().partition(|(one, _)| explained(one));
                verdict
                    .others
                    .extend(under.into_iter().map(|(one, _)| one.clone()));
                verdict
                    .warnings
                    .extend(apart.into_iter().map(|(one, _)| one.clone()));
            }
            State::Flowing | State::Degraded => {
                verdict.warnings.extend(soon);
                let mut beside = clear;
                if verdict.cause.is_none() && beside.is_empty() {
                    beside = waiting;
                    for (_, waits) in &beside {
                        doubt.join(waits);
                    }
                }
                let mut beside = beside.into_iter().map(|(finding, _)| finding.clone());
                if verdict.cause.is_none()
                    && let Some(first) = beside.next()
                {
                    verdict.state = first.state;
                    verdict.cause = Some(first);
                }
                let known = |one: &Finding| {
                    let cause = verdict.cause.iter();
                    cause
                        .chain(&verdict.others)
                        .any(|other| other.root == one.root && other.code == one.code)
                };
                let new: Vec<Finding> = beside.filter(|one| !known(one)).collect();
                verdict.others.extend(new);
            }
        }
    }

    /// Whether a service that fails lies at an address that takes the domain's mail: then whatever the machine has
    /// explains both.
    fn shares_an_address(&self, finding: &Finding) -> bool {
        let failing = |view: &&ServiceView| {
            view.finding
                .as_ref()
                .is_some_and(|one| one.root == finding.root && one.code == Code::ServiceUnreachable)
        };
        let mail = || self.hosts.iter().flat_map(|host| &host.addresses);
        self.services.iter().filter(failing).any(|view| {
            let places = self.picture.service_addresses(&view.service);
            mail().any(|one| places.contains(&one.address.ip()))
        })
    }

    fn all_failed(&self, outage: Option<&Finding>, failed: &[Finding]) -> Rolled {
        let symptoms: BTreeSet<Code> = self
            .hosts
            .iter()
            .flat_map(|host| host.addresses.iter().filter_map(AddressView::code))
            .collect();
        let Some(first) = failed.first() else {
            let detail = format!("{} has no host that takes mail.", self.domain.name);
            let root = domain_root(self.domain);
            let none = Finding::new(Code::DnsNoMailHost, root, self.domain.name.as_str(), detail);
            return broken(none, Vec::new());
        };
        if let Some(outage) = outage.filter(|_| failed.iter().all(|one| one.root.kind == RootKind::MxHost)) {
            return broken(outage.clone(), symptoms.into_iter().collect());
        }
        if self.implicit {
            return broken(self.no_mail_host(first), vec![first.code]);
        }
        let hidden = |cause: &Finding| {
            symptoms
                .iter()
                .copied()
                .filter(|code| *code != cause.code)
                .collect()
        };
        if failed.len() == 1 || failed.iter().all(|one| one.root == first.root) {
            let code = first.code;
            // What an address behind a dead router shows by itself is what the router explains.
            let mut under: Vec<Code> = hidden(first);
            if code == Code::GatewayDown {
                under.push(Code::HostUnreachable);
            }
            return broken(first.clone(), under);
        }
        let names: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let mut all = first.clone();
        if failed.iter().all(|one| one.root.kind == RootKind::MxHost) {
            all.root = Root {
                kind: RootKind::MxSet,
                client: None,
                name: sorted.join(" ").into(),
            };
            all.subject = names.join(", ");
            all.detail = failed
                .iter()
                .take(4)
                .map(|one| one.detail.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            all.evidence = failed
                .iter()
                .flat_map(|one| one.evidence.iter().cloned())
                .take(8)
                .collect();
        }
        let under = hidden(&all);
        broken(all, under)
    }

    /// What is wrong with the lines to the gateways that its addresses lie behind, each told once.
    fn lines(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for view in self.hosts.iter().flat_map(|host| &host.addresses) {
            for gateway in self.picture.gateways_of(view.address.ip()) {
                let finding = impairment(self.picture, gateway);
                found.extend(finding.filter(|new| found.iter().all(|known| known.root != new.root)));
            }
        }
        found
    }

    /// No MX, and the domain's own address is no mail host: usually that of a web site.
    fn no_mail_host(&self, seen: &Finding) -> Finding {
        let detail = format!(
            "{} publishes no MX record, and its own address takes no mail. {}",
            self.domain.name, seen.detail
        );
        let root = domain_root(self.domain);
        Finding::new(Code::DnsNoMailHost, root, self.domain.name.as_str(), detail)
            .on(seen.evidence.iter().cloned())
    }

    fn warnings(&self, mail_hosts: &MailHosts<'_>) -> Vec<Finding> {
        let mut warnings: Vec<Finding> = self
            .hosts
            .iter()
            .flat_map(|host| host.warnings.iter().cloned())
            .collect();
        for host in &self.hosts {
            if let HostState::Unknown(Some(reason)) = &host.state {
                warnings.push(reason.clone());
            }
        }
        if self.implicit {
            let detail = format!(
                "{} has no MX record; its own address takes the mail.",
                self.domain.name
            );
            warnings.push(self.about_domain(Code::DnsMxMissing, detail));
        }
        if let MailHosts::Records(records) = mail_hosts {
            warnings.extend(self.odd_records(records));
        }
        warnings.extend(self.policies.warnings.iter().cloned());
        warnings
    }

    fn odd_records(&self, records: &[MxRecord]) -> Option<Finding> {
        let odd: Vec<String> = records
            .iter()
            .filter(|record| !matches!(record.exchange, Exchange::Host(_)))
            .take(5)
            .map(|record| format!("{} {}", record.preference, record.exchange))
            .collect();
        (!odd.is_empty()).then(|| {
            let detail = format!("These MX records lead nowhere: {}.", odd.join(", "));
            self.about_domain(Code::DnsMxInvalid, detail)
        })
    }

    fn about_domain(&self, code: Code, detail: String) -> Finding {
        Finding::new(code, domain_root(self.domain), self.domain.name.as_str(), detail)
    }

    fn judgement(&self, verdict: Rolled, known: &[&Accepted]) -> Judgement {
        let picture = self.picture;
        let provider = picture
            .provider_of(&self.domain.name)
            .map(|provider| Arc::clone(&provider.name));
        let client = self.domain.client.as_ref();
        let cause = match (verdict.state, verdict.cause) {
            (State::Flowing, _) => None,
            (State::Unknown, None) => Some(self.no_evidence()),
            (_, cause) => cause,
        };
        let spoken = self.hosts.iter().any(|host| host.state == HostState::Usable);
        let code = cause.as_ref().map(|cause| cause.code);
        let symptoms = match (&cause, verdict.state) {
            (Some(_), State::Broken) => verdict.others.iter().map(|one| one.code).collect(),
            _ => Vec::new(),
        };
        let beside = verdict.others.iter().filter(|_| verdict.state == State::Degraded);
        Judgement {
            state: verdict.state,
            cause: cause
                .as_ref()
                .map(|cause| cause.cause(picture, client, provider.as_deref())),
            symptoms: dedup(symptoms, code),
            also: beside
                .chain(&verdict.warnings)
                .map(Finding::warning)
                .chain(verdict.accepted.iter().map(|one| accept::warning(one, known)))
                .collect(),
            accepted_until: known.iter().map(|one| one.until).min(),
            proven_by: if spoken { vec![Proof::Dialogue] } else { Vec::new() },
            checked: self.checked(),
            provider,
            path: path::draw(self),
            addresses: self.count(),
            certificate_expiry: path::earliest_expiry(self),
            first_look: self.policies.first_look,
            services: self.services.clone(),
        }
    }

    fn no_evidence(&self) -> Finding {
        let root = Root {
            kind: RootKind::Vantage,
            client: None,
            name: Arc::clone(&self.picture.inventory.vantage),
        };
        let detail = match self.checked() {
            None => format!("{} has not been looked at yet.", self.domain.name),
            Some(_) => format!(
                "Not all evidence of {} is there yet, or it is too old.",
                self.domain.name
            ),
        };
        Finding::new(Code::VantageNoEvidence, root, self.domain.name.as_str(), detail)
    }

    fn checked(&self) -> Option<Timestamp> {
        let dns = self
            .picture
            .track(&Subject::Mx(self.domain.name.clone()))
            .map(|track| track.latest.ended());
        let addresses = self.hosts.iter().flat_map(|host| &host.addresses);
        addresses
            .filter_map(|one| Some(one.observation.as_ref()?.ended()))
            .chain(dns)
            .max()
    }

    fn count(&self) -> [u32; 4] {
        let mut counts = [0; 4];
        for one in self.hosts.iter().flat_map(|host| &host.addresses) {
            let slot = match one.state {
                AddressState::Usable | AddressState::Impaired(_) => 0,
                AddressState::Failed(_) | AddressState::Behind(_) => 1,
                AddressState::Refused => 2,
                AddressState::Unknown => 3,
            };
            counts[slot] += 1;
        }
        counts
    }
}

/// Addresses of one domain fail and recover together more often than not. A failure is judged only with news of
/// the others since; and when one has just recovered, what the others showed before that may be over as well.
fn wait_for_siblings(picture: &Picture, hosts: &[HostView], doubt: &mut Doubt) {
    let addresses = || hosts.iter().flat_map(|host| &host.addresses);
    let settled_since = |view: &AddressView| {
        let track = picture.track(&Subject::Smtp(view.address))?;
        Some(track.settled.as_ref()?.since)
    };
    // A probe that found it good may have begun while it was still away, and had patience: its end counts.
    let good_since = |view: &AddressView| {
        let track = picture.track(&Subject::Smtp(view.address))?;
        Some(track.settled.as_ref()?.confirmed)
    };
    let newest = addresses()
        .filter(|view| view.state == AddressState::Usable)
        .filter_map(good_since)
        .max();
    let failed = addresses()
        .filter(|view| view.has_failed())
        .filter_map(settled_since)
        .max();
    for (view, failed) in addresses()
        .filter(|view| view.is_usable())
        .zip(std::iter::repeat(failed))
    {
        if let Some(failed) = failed {
            doubt.want(
                picture,
                &Subject::Smtp(view.address),
                failed,
                &picture.smtp_settings(view.address),
            );
        }
    }
    let Some(newest) = newest else { return };
    for view in
        addresses().filter(|view| view.has_failed() || matches!(view.state, AddressState::Impaired(_)))
    {
        doubt.want(
            picture,
            &Subject::Smtp(view.address),
            newest,
            &picture.smtp_settings(view.address),
        );
    }
}

fn failure(host: &HostView) -> Option<&Finding> {
    match &host.state {
        HostState::Failed(finding) => Some(finding),
        _ => None,
    }
}

fn unknown(reason: Option<Finding>) -> Rolled {
    Rolled {
        state: State::Unknown,
        cause: reason,
        others: Vec::new(),
        warnings: Vec::new(),
        accepted: Vec::new(),
    }
}

/// `symptoms` ride along as bare findings: only their codes are shown.
fn broken(cause: Finding, symptoms: Vec<Code>) -> Rolled {
    let others = symptoms
        .into_iter()
        .map(|code| Finding::new(code, cause.root.clone(), "", ""))
        .collect();
    Rolled {
        state: State::Broken,
        cause: Some(cause),
        others,
        warnings: Vec::new(),
        accepted: Vec::new(),
    }
}

fn dedup(codes: Vec<Code>, cause: Option<Code>) -> Vec<Code> {
    let set: BTreeSet<Code> = codes.into_iter().filter(|code| Some(*code) != cause).collect();
    set.into_iter().collect()
}

/// Of several equally serious findings the deeper one is the cause: gateway, then DNS, host, SMTP, TLS.
fn layer_rank(code: Code) -> u8 {
    match code.layer() {
        "vantage" => 0,
        "provider" => 1,
        "gateway" => 2,
        "dns" => 3,
        "host" => 4,
        "smtp" => 5,
        "tls" => 6,
        _ => 7,
    }
}
