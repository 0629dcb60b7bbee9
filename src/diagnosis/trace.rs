//! Where the way to an unreachable address ends: attached to what is said of it.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Code, DomainName, Evidence, Observation, Subject};
use crate::picture::{Health, Picture};

use super::finding::Finding;

/// Whether a cause is that something cannot be reached, so that it matters how far one gets.
pub fn is_traced(code: Code) -> bool {
    matches!(
        code,
        Code::HostUnreachable | Code::HostPort25Filtered | Code::GatewayDown
    )
}

/// The first address of a domain that is known to be unreachable, and since when.
pub fn unreachable(picture: &Picture, domain: &DomainName) -> Option<(SocketAddr, Timestamp)> {
    let hosts = picture.host_names(domain);
    let addresses = hosts.iter().flat_map(|host| picture.reachable_addresses(host));
    addresses
        .into_iter()
        .find_map(|address| Some((address, unreachable_since(picture, address)?)))
}

fn unreachable_since(picture: &Picture, address: SocketAddr) -> Option<Timestamp> {
    let settled = picture.track(&Subject::Smtp(address))?.settled.as_ref()?;
    match settled.health {
        Health::Failed(code) if is_traced(code) => Some(settled.since()),
        _ => None,
    }
}

/// The trace to an address that was made since it cannot be reached.
fn trace_to(picture: &Picture, address: SocketAddr) -> Option<&Arc<Observation>> {
    let since = unreachable_since(picture, address)?;
    let latest = &picture.track(&Subject::Trace(address))?.latest;
    (latest.at >= since && matches!(latest.evidence, Evidence::Trace(_))).then_some(latest)
}

impl Finding {
    /// Says how far the way goes to the first of these addresses that it was followed to.
    #[must_use]
    pub(super) fn followed(
        mut self,
        picture: &Picture,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Self {
        let mut traces = addresses
            .into_iter()
            .filter_map(|address| trace_to(picture, address));
        let Some(observation) = traces.next() else {
            return self;
        };
        if let Evidence::Trace(trace) = &observation.evidence {
            self.detail = format!("{} {}", self.detail, trace.sentence());
        }
        self.on([Arc::clone(observation)])
    }
}
