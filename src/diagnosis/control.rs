//! The control group: who else answered us lately. It tells a fault of theirs from one of ours, in a way that a
//! provider's support understands.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::{DomainName, Subject};
use crate::picture::Picture;

/// What was good before that proves little about now: as long as the pause between two looks at a provider.
const LATELY: SignedDuration = SignedDuration::from_mins(5);

/// The most addresses that are looked at, and the most domains at them: a few witnesses are enough.
const MOST_LOOKED_AT: usize = 1000;

/// The most domains that are counted.
const MOST_COUNTED: usize = 20;

/// Who else answered while something failed. Of tens of thousands of findings few become a cause: only for these it is
/// counted who that was.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// In these words.
    Said(String),
    /// All that do not lead to these addresses, as of then.
    AllBut(Arc<BTreeSet<SocketAddr>>, Timestamp),
}

impl Control {
    /// All that do not lead to these addresses.
    pub fn all_but(failed: impl IntoIterator<Item = SocketAddr>, now: Timestamp) -> Self {
        Self::AllBut(Arc::new(failed.into_iter().collect()), now)
    }

    /// In words; `None` where nobody else answered.
    pub fn words(&self, picture: &Picture) -> Option<String> {
        match self {
            Self::Said(words) => Some(words.clone()),
            Self::AllBut(failed, now) => others(picture, failed, *now),
        }
    }
}

/// How many domains, apart from those that lead to `failed`, had an address that answered us lately; `None` where none
/// had.
fn others(picture: &Picture, failed: &BTreeSet<SocketAddr>, now: Timestamp) -> Option<String> {
    let answered: BTreeSet<&DomainName> = picture
        .leads()
        .addresses()
        .take(MOST_LOOKED_AT)
        .filter(|address| !failed.contains(address) && answered_lately(picture, **address, now))
        .flat_map(|address| picture.led_to(*address))
        .take(MOST_LOOKED_AT)
        .filter(|name| !leads_to(picture, name, failed))
        .take(MOST_COUNTED)
        .collect();
    match answered.len() {
        0 => None,
        1 => Some("1 other domain answered us within these five minutes".to_owned()),
        some => {
            let more = if some == MOST_COUNTED { " and more" } else { "" };
            Some(format!(
                "{some} other domains{more} answered us within these five minutes"
            ))
        }
    }
}

fn leads_to(picture: &Picture, domain: &DomainName, addresses: &BTreeSet<SocketAddr>) -> bool {
    let hosts = picture.host_names(domain);
    let mut reached = hosts.iter().flat_map(|host| picture.reachable_addresses(host));
    reached.any(|address| addresses.contains(&address))
}

fn answered_lately(picture: &Picture, address: SocketAddr, now: Timestamp) -> bool {
    let track = picture.track(&Subject::Smtp(address));
    let good = track.and_then(|track| track.last_good());
    good.is_some_and(|good| now.duration_since(good.at) <= LATELY)
}
