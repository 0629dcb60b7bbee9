//! `[resolver]`: who answers our DNS questions.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::config::reader::{Node, Read};
use crate::config::value::words;

/// `[resolver]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// Recursive resolvers, asked in this order; empty: the system's. Port 53 unless written otherwise.
    pub servers: Vec<SocketAddr>,
    /// Who checks signatures.
    pub dnssec: DnssecMode,
    /// For [`DnssecMode::Validate`]: a file with the root's keys; without it the IANA root.
    pub trust_anchor: Option<PathBuf>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            dnssec: DnssecMode::Resolver,
            trust_anchor: None,
        }
    }
}

words! {
    /// Who checks DNSSEC signatures.
    pub enum DnssecMode {
        /// We believe a validating resolver's AD bit and extended errors.
        Resolver = "resolver",
        /// We check them ourselves.
        Validate = "validate",
        /// Nobody.
        Off = "off",
    }
}

impl Read for Resolver {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            let servers = t
                .entry("servers")
                .and_then(|node| node.items(|item| item.parse("a resolver's address", parse_server)));
            Some(Self {
                servers: servers.unwrap_or(default.servers),
                dnssec: t.or("dnssec", default.dnssec),
                trust_anchor: t.get("trust_anchor"),
            })
        })
    }
}

/// An address, with port 53 unless there is one.
fn parse_server(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse::<IpAddr>()
        .map(|address| SocketAddr::new(address, 53))
        .or_else(|_| text.parse())
        .map_err(
            |_| "a resolver is an address, such as \"192.0.2.53\", \"192.0.2.53:5353\" or \"2001:db8::53\"",
        )
}
