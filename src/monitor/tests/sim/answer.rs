//! What each probe is told by the simulated world.

use std::time::Duration;

use super::world::World;
use crate::model::{Evidence, Subject};
use crate::probe::Task;

/// How long a probe waits for an answer that does not come.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

impl World {
    pub(super) fn answer(&self, task: &Task) -> (Evidence, Duration) {
        match &task.subject {
            Subject::Mx(domain) => self.mx(domain),
            Subject::Addresses(host) => self.addresses(host),
            Subject::NameServers(domain) => self.name_servers(domain),
            Subject::Resolver(_) => self.resolver(),
            Subject::Smtp(peer) => self.smtp(*peer, &task.detail),
            Subject::Host(address) => self.host(*address),
            Subject::Trace(address) => self.trace(*address),
            Subject::Gateway(..) => self.gateway(&task.detail),
            Subject::Anchor(anchor) => self.anchor(anchor),
            Subject::Policy(domain, part) => self.policy(domain, *part, &task.detail),
            Subject::Tlsa(host) => self.tlsa(host),
            Subject::Service(service) => self.service(service),
            Subject::Blocklist(_) => self.blocklist(),
            Subject::Sender(_, address) => self.sender(*address, &task.detail),
            Subject::Canary(..) => self.canary(),
            Subject::Recipient(_) => self.recipient(&task.detail),
            Subject::Listing(_, address) => self.listing(*address),
        }
    }
}
