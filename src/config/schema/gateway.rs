//! `[[clients.gateways]]`: the router or firewall between the internet and a client's own servers.

use std::fmt;
use std::str::FromStr;

use super::ProbeOverrides;
use crate::config::Secret;
use crate::config::value::{IpNet, parse_port};
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

/// A gateway's `snmp`.
#[derive(Debug, Clone, PartialEq)]
pub enum Snmp {
    /// `version = "2c"` (RFC 1901).
    V2c {
        /// The community string.
        community: Secret,
    },
}
