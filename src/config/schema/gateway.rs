//! `[[clients.gateways]]`: the router or firewall between the internet and a client's own servers.

use std::fmt;
use std::str::FromStr;

use super::{ProbeOverrides, Snmp};
use crate::config::problem::Draft;
use crate::config::read::read_text;
use crate::config::reader::{Node, Read};
use crate::config::value::{IpNet, IpNetError, parse_port};
use crate::model::Endpoint;

/// One of `[[clients.gateways]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// What people call it; unique within the client.
    pub name: String,
    /// Where it is; a name for dynamic addresses.
    pub address: Endpoint,
    /// What lies behind it; empty: its own address.
    pub networks: Vec<IpNet>,
    /// How to see whether it lives; any passing check means up. By default a ping.
    pub checks: Vec<Check>,
    /// Its own counters.
    pub snmp: Option<Snmp>,
    /// Whose it is and how to reach them.
    pub contact: Option<String>,
    /// Probe settings for this gateway.
    pub probes: ProbeOverrides,
}

/// One of a gateway's `checks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// `ping`
    Ping,
    /// `tcp:PORT`: a connection is accepted.
    Tcp(u16),
}

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "ping" => Ok(Self::Ping),
            Some(("tcp", port)) => parse_port(port).map(Self::Tcp).map_err(|e| e.to_string()),
            _ => Err("a check is \"ping\" or \"tcp:PORT\"".to_owned()),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("ping"),
            Self::Tcp(port) => write!(f, "tcp:{port}"),
        }
    }
}

read_text! {
    Check: "a check",
}

impl Read for Gateway {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (name, address) = (t.required("name"), t.required("address"));
            let checks = t.entry("checks").and_then(|node| {
                node.some_items(
                    "without a check nobody sees whether the gateway lives",
                    Check::read,
                )
            });
            let snmp = t.get("snmp");
            let networks = t.or("networks", Vec::new());
            let contact = t.get("contact");
            let probes = ProbeOverrides::from_table(t);
            Some(Self {
                name: name?,
                address: address?,
                networks,
                checks: checks.unwrap_or_else(|| vec![Check::Ping]),
                snmp,
                contact,
                probes,
            })
        })
    }
}

impl Read for IpNet {
    fn read(node: Node<'_>) -> Option<Self> {
        let network: Self = match node.text("a network")?.parse() {
            Ok(network) => network,
            Err(IpNetError::HostBits { network }) => {
                let message = "this address has bits beyond its prefix";
                node.report(Draft::error(node.spot(), message).help(format!("did you mean \"{network}\"?")));
                return None;
            }
            Err(error) => return node.wrong(error.to_string()),
        };
        let address = network.address();
        if network.prefix() == 0 {
            return node.wrong("the whole internet does not lie behind one gateway");
        }
        if address.is_loopback() || address.is_multicast() || address.is_unspecified() {
            return node.wrong("no host on the internet has such an address");
        }
        Some(network)
    }
}
