//! `[[clients]]`: who is looked after.

use super::{Canary, Domain, Gateway, ProbeOverrides, Route, Sender};
use crate::model::ClientId;

/// One of `[[clients]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// Stable, in labels and links; by default made from the name.
    pub id: ClientId,
    /// What people call it; by default the id.
    pub name: String,
    /// The notifiers to tell instead of the first step of `alerting.escalate`; empty: that step.
    pub notify: Vec<String>,
    /// Whom to call there.
    pub contact: Option<String>,
    /// Routers and firewalls in front of its own servers.
    pub gateways: Vec<Gateway>,
    /// Its mail domains.
    pub domains: Vec<Domain>,
    /// Where its mail leaves from.
    pub senders: Vec<Sender>,
    /// Destinations that matter to it.
    pub routes: Vec<Route>,
    /// Small real messages that prove its mail.
    pub canaries: Vec<Canary>,
    /// Probe settings for all that is its.
    pub probes: ProbeOverrides,
}
