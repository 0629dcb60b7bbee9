//! Whom to ask for a recipient: the mail servers of its domain that take mail at the moment.

use std::net::SocketAddr;

use crate::model::{DomainName, Recipient, Subject};

use super::{Health, Picture};

/// The most servers that are tried for one recipient: the next one only where one does not talk to us.
const MOST_PEERS: usize = 2;

impl Picture {
    /// The servers to ask for a recipient, by preference, each with the name to send as SNI. Only those that were found
    /// good are asked: whatever is wrong with the others is known without asking.
    pub fn recipient_peers(&self, recipient: &Recipient) -> Vec<(SocketAddr, Option<DomainName>)> {
        let hosts = self.host_names(&recipient.domain).into_iter();
        let places = hosts.flat_map(|host| {
            let addresses = self.reachable_addresses(&host).into_iter();
            addresses.map(move |address| (address, Some(host.clone())))
        });
        places
            .filter(|(address, _)| self.takes_mail(*address))
            .take(MOST_PEERS)
            .collect()
    }

    fn takes_mail(&self, address: SocketAddr) -> bool {
        let track = self.track(&Subject::Smtp(address));
        let settled = track.and_then(|track| track.settled.as_ref());
        settled.is_some_and(|settled| match settled.health {
            Health::Good => true,
            Health::Failed(code) => code.layer() == "tls",
            _ => false,
        })
    }
}
