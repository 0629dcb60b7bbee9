//! `[[clients.senders]]` and `[[clients.routes]]`: how a client's mail leaves, and to whom.

use std::net::IpAddr;

use super::ProbeOverrides;
use crate::config::MailAddress;
use crate::config::problem::Draft;
use crate::config::reader::{Node, Read, Table};
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

impl Route {
    /// A route of which nothing but the destination is known.
    pub fn new(to: DomainName) -> Self {
        Self {
            to,
            recipient: None,
            mail_from: None,
            probes: ProbeOverrides::default(),
        }
    }
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
            check_recipient(t, to.as_ref(), recipient.as_ref());
            Some(Self {
                to: to?,
                recipient,
                mail_from,
                probes,
            })
        })
    }
}

/// The recipient is somebody at the destination, and a sender without one is of no use.
fn check_recipient(t: &Table<'_>, to: Option<&DomainName>, recipient: Option<&MailAddress>) {
    if let (Some(to), Some(recipient), Some(node)) = (to, recipient, t.entry("recipient"))
        && recipient.domain() != to
    {
        let message = format!("the recipient of a route to {to} is somebody at {to}");
        node.report(Draft::error(node.spot(), message));
    }
    if let (None, Some(node)) = (t.entry("recipient"), t.entry("mail_from")) {
        let message = "`mail_from` is used with `recipient` only: without one nobody is asked for";
        node.report(Draft::warning(node.spot(), message));
    }
}
