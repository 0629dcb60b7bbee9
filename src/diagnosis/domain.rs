//! A domain's verdict: from addresses up to hosts and the domain (`semantics` 9), one root cause.

use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::{Cause, ClientId, Code, Hop, Proof, Recipient, State, Warning};
use crate::picture::{MailHosts, Picture};

use super::accept::{accepted, set_aside};
use super::dns::{DnsState, dns};
use super::doubt::Doubt;
use super::finding::Finding;
use super::host::{HostView, host};
use super::policy::{Policies, policies};
use super::reputation::{Reputation, reputation};
use super::route::Beside;
use super::route::recipient::{Asked, asked};
use super::service::{ServiceView, services};
use super::vantage::OwnSide;
use super::zone::zone_warnings;

mod beside;
mod judgement;
mod roll_up;
mod siblings;

use siblings::wait_for_siblings;

/// What the evidence says of a domain now.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// How it is.
    pub state: State,
    /// Why; `None` when flowing.
    pub cause: Option<Arc<Cause>>,
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
    pub(super) zone: Vec<Finding>,
    /// Somebody there who agreed to be asked for.
    pub(super) asked: Asked,
    pub(super) now: Timestamp,
    /// What only a route has, where one is judged.
    pub(super) route: Option<Beside<'a>>,
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
    let recipient = domain
        .recipient
        .as_deref()
        .map(|one| (domain.client.as_ref(), one));
    let parts = gather(picture, own, domain, recipient, now, doubt);
    judged(&parts, outage, now, doubt)
}

/// What the judgement on a domain, or on a route to it, is made of. `recipient` is who is asked for there, and for whom.
pub(super) fn gather<'a>(
    picture: &'a Picture,
    own: &'a OwnSide,
    domain: &'a Domain,
    recipient: Option<(Option<&ClientId>, &Recipient)>,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Parts<'a> {
    let dns = dns(picture, own, domain, now, doubt);
    let implicit = picture.mail_hosts(&domain.name) == MailHosts::Implicit;
    let mut hosts = Vec::new();
    if domain.receives && matches!(dns, DnsState::Known(_)) {
        for name in picture.host_names(&domain.name) {
            hosts.push(host(picture, own, domain, &name, now, doubt));
        }
    }
    wait_for_siblings(picture, &hosts, doubt);
    let policies = policies(picture, domain, &hosts, now, doubt);
    let asked = recipient.map(|(client, to)| asked(picture, client, domain, to, now, doubt));
    Parts {
        picture,
        domain,
        own,
        dns,
        hosts,
        policies,
        implicit,
        services: services(picture, own, domain, now),
        reputation: reputation(picture, domain),
        zone: zone_warnings(picture, domain, now),
        asked: asked.unwrap_or_default(),
        now,
        route: None,
    }
}

/// The judgement on what was gathered.
pub(super) fn judged(
    parts: &Parts<'_>,
    outage: Option<&Finding>,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Judgement {
    let (picture, domain) = (parts.picture, parts.domain);
    let known = accepted(picture, domain, now);
    let mut verdict = parts.roll_up(outage, &picture.mail_hosts(&domain.name));
    set_aside(&mut verdict, &known);
    parts.add_recipient(&mut verdict);
    parts.add_beside(&mut verdict, now, doubt);
    set_aside(&mut verdict, &known);
    parts.judgement(verdict, &known)
}
