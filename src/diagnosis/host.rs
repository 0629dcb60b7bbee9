//! One MX host: all its addresses together.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::dns::Lookup;
use crate::model::{Code, Confidence, DomainName, Evidence, Root, RootKind, State, Subject};
use crate::picture::{Health, Picture, Track};

use super::address::{AddressState, AddressView, address, describe};
use super::control::Control;
use super::dns::{DnsState, REMEMBERED_FAILURE, dns};
use super::doubt::Doubt;
use super::finding::Finding;
use super::note::summary;
use super::offers::lost_offers;
use super::policy::demand;
use super::tls::tls;
use super::vantage::OwnSide;

/// How a host is.
#[derive(Debug, Clone, PartialEq)]
pub enum HostState {
    /// At least one address takes mail.
    Usable,
    /// None does, and this is why.
    Failed(Finding),
    /// We cannot tell, for this reason of our own; `None`: no evidence yet, or old.
    Unknown(Option<Finding>),
}

/// A host with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// Its name.
    pub name: DomainName,
    /// How it is.
    pub state: HostState,
    /// Its addresses that this vantage can try.
    pub addresses: Vec<AddressView>,
    /// What is impaired while it takes mail.
    pub impaired: Vec<Finding>,
    /// What somebody should know.
    pub warnings: Vec<Finding>,
}

/// Judges a host for a domain.
pub fn host(
    picture: &Picture,
    own: &OwnSide,
    domain: &Domain,
    name: &DomainName,
    now: Timestamp,
    doubt: &mut Doubt,
) -> HostView {
    let mut view = HostView {
        name: name.clone(),
        state: HostState::Unknown(None),
        addresses: Vec::new(),
        impaired: Vec::new(),
        warnings: Vec::new(),
    };
    if let Some(state) = unresolved(picture, own, domain, name, now, doubt) {
        view.state = state;
        return view;
    }
    for socket in picture.reachable_addresses(name) {
        view.addresses.push(address(picture, socket, now, doubt));
    }
    warn_of_alias(picture, name, &mut view);
    view.state = together(picture, &view, now);
    if view.state == HostState::Usable {
        look_closer(picture, domain, &mut view, now);
    }
    view
}

fn root(name: &DomainName) -> Root {
    Root {
        kind: RootKind::MxHost,
        client: None,
        name: name.as_str().into(),
    }
}

/// What keeps a host from having addresses at all.
fn unresolved(
    picture: &Picture,
    own: &OwnSide,
    domain: &Domain,
    name: &DomainName,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Option<HostState> {
    let subject = Subject::Addresses(name.clone());
    let Some(track) = picture.track(&subject) else {
        doubt.want_first_look(picture, &subject, &domain.probes.dns);
        return Some(HostState::Unknown(None));
    };
    if let Some(since) = track.in_doubt_since() {
        doubt.want(picture, &subject, since, &domain.probes.dns);
    }
    let Some(settled) = track.fresh(now) else {
        return Some(HostState::Unknown(None));
    };
    let Health::Failed(code) = settled.health else {
        return None;
    };
    doubt.want_line(picture, settled.doubted());
    if code != Code::DnsMxDangling {
        if let Some(state) = zone_failure(picture, own, domain, name, now, doubt) {
            return Some(state);
        }
        wait_for_memory(picture, domain, name, doubt);
        doubt.want_resolvers(picture, settled.doubted());
        if let Some(masked) = own.masks_dns() {
            return Some(HostState::Unknown(Some(masked.clone())));
        }
    }
    let detail = format!(
        "The mail host of {} cannot be found: {}.",
        domain.name,
        summary(&settled.observation)
    );
    let found = Finding::new(code, root(name), name.as_str(), detail)
        .giving(State::Broken)
        .on([settled.observation.clone()]);
    let certain = matches!(&settled.observation.evidence, Evidence::Addresses(evidence)
        if matches!(evidence.v4, Lookup::NxDomain { authentic: true, .. }));
    Some(HostState::Failed(if certain {
        found
    } else {
        found.seen_from(picture)
    }))
}

/// What the DNS of another watched domain, in whose zone the host's name lies, says of why it has no address: then
/// it is that domain's name servers that failed, and one incident tells of both.
fn zone_failure(
    picture: &Picture,
    own: &OwnSide,
    domain: &Domain,
    name: &DomainName,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Option<HostState> {
    let zone = picture
        .watched_zone(name)
        .filter(|zone| zone.name != domain.name)?;
    match dns(picture, own, zone, now, doubt) {
        DnsState::Broken(finding) if finding.root.kind == RootKind::NameServerSet => {
            Some(HostState::Failed(finding))
        }
        DnsState::Unknown(Some(reason)) => Some(HostState::Unknown(Some(reason))),
        _ => None,
    }
}

/// Name servers that are back may be remembered for a while as failing, by a resolver that has asked them for the host
/// meanwhile.
fn wait_for_memory(picture: &Picture, domain: &Domain, name: &DomainName, doubt: &mut Doubt) {
    let zones = picture.watched_zone(name).map(|zone| &zone.name);
    for zone in zones.into_iter().chain([&domain.name]) {
        let track = picture.track(&Subject::Mx(zone.clone()));
        if let Some(back) = track.and_then(Track::recovered_at) {
            doubt.wait(back.checked_add(REMEMBERED_FAILURE).unwrap_or(back));
        }
    }
}

fn warn_of_alias(picture: &Picture, name: &DomainName, view: &mut HostView) {
    let track = picture.track(&Subject::Addresses(name.clone()));
    if let Some(observation) = track.map(|track| &track.latest)
        && let Evidence::Addresses(evidence) = &observation.evidence
        && let Some(target) = &evidence.alias_of
    {
        let detail = format!("{name} is an alias of {target}; MX hosts must not be (RFC 2181 10.3).");
        let found = Finding::new(Code::DnsMxIsCname, root(name), name.as_str(), detail);
        view.warnings.push(found.on([observation.clone()]));
    }
}

/// From addresses up (`semantics` 9): usable when any is; unknown when any refuses us or is unknown.
fn together(picture: &Picture, view: &HostView, now: Timestamp) -> HostState {
    if view.addresses.iter().any(AddressView::is_usable) {
        return HostState::Usable;
    }
    let refused = view
        .addresses
        .iter()
        .find(|one| one.state == AddressState::Refused);
    if let Some(refused) = refused {
        return HostState::Unknown(Some(refusal(picture, &view.name, refused)));
    }
    if view
        .addresses
        .iter()
        .any(|one| one.state == AddressState::Unknown)
    {
        return HostState::Unknown(None);
    }
    // IPv4 is what most senders use: its first address speaks for the host.
    match view.addresses.iter().find(|one| one.has_failed()) {
        Some(first) => {
            let finding = failure(picture, &view.name, first, view.addresses.len());
            HostState::Failed(if finding.control.is_some() {
                finding
            } else {
                let failed = view.addresses.iter().map(|one| one.address);
                finding.beside(Control::all_but(failed, now))
            })
        }
        None => HostState::Unknown(None),
    }
}

fn label(name: &DomainName, view: &AddressView) -> String {
    format!("{name} ({})", view.address.ip())
}

fn refusal(picture: &Picture, name: &DomainName, view: &AddressView) -> Finding {
    let label = label(name, view);
    let detail = describe(picture, &label, view);
    Finding::new(Code::VantageRefused, root(name), label, detail).on(view.observation.clone())
}

fn failure(picture: &Picture, name: &DomainName, view: &AddressView, all: usize) -> Finding {
    if let AddressState::Behind(finding) = &view.state {
        return Finding {
            evidence: finding
                .evidence
                .iter()
                .chain(&view.observation)
                .cloned()
                .collect(),
            alike: None,
            ..(**finding).clone()
        };
    }
    let code = view.code().unwrap_or(Code::HostUnreachable);
    let label = label(name, view);
    let none_of = if all > 1 {
        format!(" None of its {all} addresses takes mail.")
    } else {
        String::new()
    };
    let detail = format!("{}{none_of}", describe(picture, &label, view));
    let life = picture
        .track(&Subject::Host(view.address.ip()))
        .map(|track| track.latest.clone());
    let silent = matches!(code, Code::HostUnreachable | Code::HostPort25Filtered);
    let found = Finding::new(code, root(name), label, detail)
        .giving(State::Broken)
        .on(view.observation.clone())
        .on(life.filter(|_| silent));
    if silent {
        found.seen_from(picture).followed(picture, [view.address])
    } else {
        found
    }
}

/// What is impaired, and what somebody should know, of a host that takes mail.
fn look_closer(picture: &Picture, domain: &Domain, view: &mut HostView, now: Timestamp) {
    let mut seen: BTreeSet<Code> = BTreeSet::new();
    let demand = demand(picture, domain, &view.name, now);
    let usable = view.addresses.iter().filter(|one| one.is_usable()).count();
    for one in &view.addresses {
        let label = label(&view.name, one);
        match &one.state {
            AddressState::Impaired(code) => {
                let finding = Finding::new(
                    *code,
                    root(&view.name),
                    label.clone(),
                    describe(picture, &label, one),
                )
                .on(one.observation.clone());
                let finding = if demand.is_some() && code.layer() == "tls" {
                    finding.giving(State::Broken)
                } else {
                    finding.giving(State::Degraded)
                };
                let finding = if *code == Code::TlsLegacyProtocol {
                    Finding {
                        confidence: Confidence::Probable,
                        ..finding
                    }
                } else {
                    finding
                };
                // One slow address of several delays nobody.
                let all = view
                    .addresses
                    .iter()
                    .filter(|other| other.code() == Some(*code))
                    .count();
                if all == usable && seen.insert(*code) {
                    view.impaired.push(finding);
                } else if all != usable {
                    view.warnings.push(finding);
                }
            }
            AddressState::Failed(_) | AddressState::Behind(_) if one.address.is_ipv6() => {
                let detail = describe(picture, &label, one);
                let found = Finding::new(Code::HostIpv6Failed, root(&view.name), label, detail);
                view.warnings.push(found.on(one.observation.clone()));
            }
            AddressState::Failed(_) | AddressState::Behind(_) => {
                view.warnings.push(failure(picture, &view.name, one, 1));
            }
            AddressState::Refused => view.warnings.push(refusal(picture, &view.name, one)),
            AddressState::Usable | AddressState::Unknown => {}
        }
        if let Some(observation) = one.observation.as_ref().filter(|_| one.is_usable()) {
            view.warnings
                .extend(lost_offers(picture, &view.name, one.address, observation));
        }
        for finding in tls(picture, &view.name, one, demand, now) {
            if finding.state == State::Flowing {
                view.warnings.push(finding);
            } else if seen.insert(finding.code) {
                view.impaired.push(finding);
            }
        }
    }
}
