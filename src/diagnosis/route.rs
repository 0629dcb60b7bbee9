//! A route's verdict: the destination as for a domain, and what only a route has: the sender's side, and whether
//! somebody there would be given mail. It says whose side it is.
//!
//! What is seen of a destination is seen from our own vantage, not from the client's server. So what a receiver says of
//! whoever connects is said of us, and held against the client only where its mail leaves from our own address too, or
//! where a canary came back that went through the client's server.

use jiff::Timestamp;

use crate::inventory::Route;
use crate::model::{ClientId, Hop};
use crate::picture::Picture;

use super::canary;
use super::domain::{Judgement, gather, judged};
use super::doubt::Doubt;
use super::finding::Finding;
use super::vantage::OwnSide;

pub(super) mod recipient;
pub(super) mod sender;

/// What other clients' routes to the same destination show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Others {
    /// How many other clients send there.
    pub clients: usize,
    /// Of these, how many reach it as far as we can tell.
    pub flowing: usize,
}

/// What only a route has.
#[derive(Debug, Clone)]
pub(super) struct Beside<'a> {
    /// Who sends.
    pub(super) client: &'a ClientId,
    /// What is wrong on the sender's side, each with what that still waits for.
    pub(super) sender: Vec<(Finding, Doubt)>,
    /// What somebody should know of it.
    pub(super) warnings: Vec<Finding>,
    /// The sender's side as steps of the path.
    pub(super) hops: Vec<Hop>,
    /// Whether the sender's side has yet to be looked at for the first time.
    pub(super) first_look: bool,
    /// Who else sends there.
    pub(super) others: Others,
}

/// Judges a route. `outage` is the outage of the provider that the destination's hosts belong to, if there is one.
pub fn route(
    picture: &Picture,
    own: &OwnSide,
    outage: Option<&Finding>,
    route: &Route,
    others: Others,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Judgement {
    let recipient = route.recipient.as_ref().map(|one| (Some(&route.client), one));
    let mut parts = gather(picture, own, &route.destination, recipient, now, doubt);
    let canaries = picture.inventory.canaries.iter();
    let same = canaries.filter(|one| one.client == route.client && one.to == route.destination.name);
    for found in same.filter_map(|one| canary::returned(picture, one, now)) {
        parts.asked.outweigh(found);
    }
    parts.route = Some(sender::side(picture, &route.client, others, now));
    judged(&parts, outage, now, doubt)
}
