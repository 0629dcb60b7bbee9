//! `[[clients.senders]]` and `[[clients.routes]]`: how a client's mail leaves, and to whom.

use std::net::IpAddr;

use super::ProbeOverrides;
use crate::config::MailAddress;
use crate::config::reader::{Node, Read};
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

impl Read for Sender {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let addresses = t.required_entry("addresses").and_then(|node| {
                node.some_items("a sender has at least one address", |item| {
                    item.parse("an address", |text| {
                        text.parse().map_err(|_| "this is no IP address")
                    })
                })
            });
            let helo = t.get("helo");
            Some(Self {
                addresses: addresses?,
                helo,
            })
        })
    }
}

impl Read for Route {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (to, recipient, mail_from) = (t.required("to"), t.get("recipient"), t.get("mail_from"));
            let probes = ProbeOverrides::from_table(t);
            Some(Self {
                to: to?,
                recipient,
                mail_from,
                probes,
            })
        })
    }
}
