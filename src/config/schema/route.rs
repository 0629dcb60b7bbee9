//! `[[clients.senders]]` and `[[clients.routes]]`: how a client's mail leaves, and to whom.

use std::net::IpAddr;

use super::ProbeOverrides;
use crate::config::MailAddress;
use crate::model::DomainName;

/// One of `[[clients.senders]]`: where a client's mail leaves from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The addresses that receivers see.
    pub addresses: Vec<IpAddr>,
    /// The name that it greets with.
    pub helo: Option<DomainName>,
}

/// One of `[[clients.routes]]`: mail that a client sends to somebody; its key is client and destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination's domain.
    pub to: DomainName,
    /// Somebody there who agreed to be asked for; only then are MAIL and RCPT tried.
    pub recipient: Option<MailAddress>,
    /// The envelope sender of that.
    pub mail_from: Option<MailAddress>,
    /// Probe settings for this route.
    pub probes: ProbeOverrides,
}
