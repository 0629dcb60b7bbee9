//! Blocklists: whether an address that a client's mail leaves from or arrives at is listed (RFC 5782,
//! `semantics` 19).

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::blocklist::{BlocklistEvidence, Listing, ListingEvidence};
use crate::model::{ClientId, Code, DomainName, Evidence, Observation, Root, RootKind, Subject};
use crate::picture::{Health, Picture, Settled};

use super::doubt::Doubt;
use super::finding::Finding;

/// What the believed lists say of a domain's own addresses.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reputation {
    /// Each address that is listed, with what that still waits for.
    pub(super) listed: Vec<(Finding, Doubt)>,
    /// How many addresses have been asked for.
    pub(super) addresses: usize,
    /// How many lists have told of them.
    pub(super) lists: usize,
    /// When the newest answer came.
    pub(super) checked: Option<Timestamp>,
}

/// What one self-test of a list means: one that is not to be believed blames nobody.
pub(super) fn classify_list(evidence: &BlocklistEvidence) -> Health {
    if evidence.v4.passes() || evidence.v6.passes() {
        Health::Good
    } else if evidence.v4.is_untold() {
        Health::Unrunnable
    } else {
        Health::Refused
    }
}

/// What one answer means by itself.
pub(super) fn classify_listing(evidence: &ListingEvidence) -> Health {
    match evidence.answer.listing() {
        Listing::Listed => Health::Failed(Code::ReputationListed),
        Listing::NotListed => Health::Good,
        Listing::RefusesUs => Health::Refused,
        Listing::Untold => Health::Unrunnable,
    }
}

/// Judges the addresses of a domain.
pub(super) fn reputation(picture: &Picture, domain: &Domain) -> Reputation {
    let mut told = Reputation::default();
    let lists = &picture.inventory.blocklists;
    if lists.is_empty() {
        return told;
    }
    for address in picture.own_mail_addresses(domain) {
        let answers = answers(picture, address);
        if answers.is_empty() {
            continue;
        }
        told.addresses += 1;
        told.lists = told.lists.max(answers.len());
        let newest = answers.iter().map(|(_, settled)| settled.observation.ended());
        told.checked = told.checked.max(newest.max());
        told.listed
            .extend(listed(picture, domain.client.as_ref(), address, &answers));
    }
    told
}

/// Judges addresses of a client by themselves: those that are listed, each with what that still waits for.
pub(super) fn of_addresses(
    picture: &Picture,
    client: Option<&ClientId>,
    addresses: impl Iterator<Item = IpAddr>,
) -> Vec<(Finding, Doubt)> {
    addresses
        .filter_map(|address| listed(picture, client, address, &answers(picture, address)))
        .collect()
}

/// What the believed lists say of an address.
fn answers(picture: &Picture, address: IpAddr) -> Vec<(&DomainName, &Settled)> {
    let lists = picture.inventory.blocklists.iter();
    lists
        .filter(|zone| picture.believes(zone, address))
        .filter_map(|zone| {
            let track = picture.track(&Subject::Listing(zone.clone(), address))?;
            Some((zone, track.settled.as_ref()?))
        })
        .collect()
}

fn listed(
    picture: &Picture,
    client: Option<&ClientId>,
    address: IpAddr,
    answers: &[(&DomainName, &Settled)],
) -> Option<(Finding, Doubt)> {
    let hits: Vec<(&DomainName, &Settled)> = answers
        .iter()
        .copied()
        .filter(|(_, settled)| settled.health == Health::Failed(Code::ReputationListed))
        .collect();
    if hits.is_empty() {
        return None;
    }
    let mut doubt = Doubt::default();
    for (zone, settled) in &hits {
        // A list that has begun to list everybody is found out first.
        let itself = Subject::Blocklist((*zone).clone());
        doubt.want(
            picture,
            &itself,
            settled.doubted(),
            &picture.inventory.blocklist_settings,
        );
    }
    let said: Vec<String> = hits
        .iter()
        .map(|(zone, settled)| words(zone, &settled.observation))
        .collect();
    let root = Root {
        kind: RootKind::Sender,
        client: client.cloned(),
        name: address.to_string().into(),
    };
    let detail = format!("{address} is listed at {}.", said.join("; and at "));
    let evidence = hits.iter().map(|(_, settled)| Arc::clone(&settled.observation));
    let found = Finding::new(Code::ReputationListed, root, address.to_string(), detail).on(evidence);
    Some((found, doubt))
}

/// `bl.test (127.0.0.4: "Spam seen")`
fn words(zone: &DomainName, observation: &Observation) -> String {
    match &observation.evidence {
        Evidence::Listing(said) => match &said.reason {
            Some(reason) => format!("{zone} ({}: \"{reason}\")", said.answer.outcome()),
            None => format!("{zone} ({})", said.answer.outcome()),
        },
        _ => zone.to_string(),
    }
}
