//! The control group: who else answered us lately. It tells a fault of theirs from one of ours, in a way that a
//! provider's support understands.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};

use crate::model::{DomainName, Subject};
use crate::picture::Picture;

/// What was good before that proves little about now: as long as the pause between two looks at a provider.
const LATELY: SignedDuration = SignedDuration::from_mins(5);

/// The most addresses that are looked at: a thousand witnesses are enough.
const MOST: usize = 1000;

/// How many domains, apart from those that lead to `failed`, had an address that answered us lately; `None` where none
/// had.
pub fn others(picture: &Picture, failed: &BTreeSet<SocketAddr>, now: Timestamp) -> Option<String> {
    let touched: HashSet<&DomainName> = failed
        .iter()
        .flat_map(|address| domains(picture, *address))
        .collect();
    let answered: HashSet<&DomainName> = picture
        .leads()
        .addresses()
        .take(MOST)
        .filter(|address| !failed.contains(address) && answered_lately(picture, **address, now))
        .flat_map(|address| domains(picture, *address))
        .filter(|name| !touched.contains(*name))
        .collect();
    match answered.len() {
        0 => None,
        1 => Some("1 other domain answered us within these five minutes".to_owned()),
        more => Some(format!(
            "{more} other domains answered us within these five minutes"
        )),
    }
}

fn domains(picture: &Picture, address: SocketAddr) -> impl Iterator<Item = &DomainName> {
    let names = picture.leads().names(address);
    names.flat_map(|host| picture.leads().domains(host))
}

fn answered_lately(picture: &Picture, address: SocketAddr, now: Timestamp) -> bool {
    let track = picture.track(&Subject::Smtp(address));
    let good = track.and_then(|track| track.last_good.as_ref());
    good.is_some_and(|good| now.duration_since(good.at) <= LATELY)
}
