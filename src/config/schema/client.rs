//! `[[clients]]`: who is looked after.

use super::{Canary, Domain, Gateway, ProbeOverrides, Route, Sender};
use crate::config::reader::{Kind, Node, Read, Table};
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

impl Read for Client {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let identity = read_identity(t);
            t.reserved("migration");
            t.reserved("reports");
            let notify = t.references("notify", Kind::Notifier);
            let contact = t.get("contact");
            let gateways = t.or("gateways", Vec::new());
            let domains = t.or("domains", Vec::new());
            let senders = t.or("senders", Vec::new());
            let routes = t.or("routes", Vec::new());
            let canaries = t.or("canaries", Vec::new());
            let probes = ProbeOverrides::from_table(t);
            // Only now: the mistakes of all the rest are told also where nobody knows whose it is.
            let (id, name) = identity?;
            let client = Self {
                id,
                name,
                notify,
                contact,
                gateways,
                domains,
                senders,
                routes,
                canaries,
                probes,
            };
            client.check_names(t);
            Some(client)
        })
    }
}

/// Id and name: each stands in for the other.
fn read_identity(t: &Table<'_>) -> Option<(ClientId, String)> {
    let (id_node, name_node) = (t.entry("id"), t.entry("name"));
    let id = id_node.map(ClientId::read);
    let name = name_node.map(String::read);
    let (id, name) = match (id, name) {
        (None, None) => {
            return t.missing("a client needs a `name`, or at least an `id`");
        }
        (Some(id), None) => {
            let id = id?;
            let name = id.to_string();
            (id, name)
        }
        (Some(id), Some(name)) => (id?, name?),
        (None, Some(name)) => {
            let name = name?;
            match ClientId::from_name(&name) {
                Ok(id) => (id, name),
                Err(_) => return name_node?.wrong("no id can be made from this name; write an `id`"),
            }
        }
    };
    id_node.or(name_node)?.define(Kind::Client, "", id.as_str());
    Some((id, name))
}

impl Client {
    /// Names within a client come once each.
    fn check_names(&self, t: &Table<'_>) {
        let scope = self.id.as_str();
        let lists = [
            ("gateways", Kind::Gateway, "name"),
            ("routes", Kind::Route, "to"),
            ("canaries", Kind::Canary, "name"),
        ];
        for (list, kind, key) in lists {
            if let Some(node) = t.entry(list) {
                node.define_all(kind, scope, key);
            }
        }
    }
}
