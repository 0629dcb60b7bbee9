//! `[vantage]`: this place that probes run from.

use std::fmt;
use std::str::FromStr;

use crate::config::read::read_text;
use crate::config::reader::{Node, Read};
use crate::config::value::HostPort;
use crate::model::{Anchor, DomainName};

/// `[vantage]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vantage {
    /// What people call this place; "local" by default.
    pub name: String,
    /// The name that we greet with, whose A and PTR agree. Without it: the host's own FQDN, else the
    /// address literal (RFC 5321 4.1.4).
    pub helo: Option<DomainName>,
    /// Hosts that should always answer, as witnesses that our own uplink works.
    pub anchors: Vec<Anchor>,
}

impl Default for Vantage {
    fn default() -> Self {
        Self {
            name: "local".to_owned(),
            helo: None,
            anchors: Vec::new(),
        }
    }
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reason = |error: &dyn fmt::Display| format!("{error}; {ANCHOR_SHAPE}");
        match text.split_once(':') {
            Some(("ping", host)) => host
                .parse()
                .map(|host| Self::Ping { host })
                .map_err(|e| reason(&e)),
            Some(("smtp", rest)) => {
                let HostPort { host, port } = HostPort::parse(rest, Some(25)).map_err(|e| reason(&e))?;
                Ok(Self::Smtp { host, port })
            }
            _ => Err(ANCHOR_SHAPE.to_owned()),
        }
    }
}

const ANCHOR_SHAPE: &str = "an anchor is \"ping:HOST\" or \"smtp:HOST:PORT\"";

read_text! {
    Anchor: "an anchor",
}

impl Read for Vantage {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            Some(Self {
                name: t.or("name", default.name),
                helo: t.get("helo"),
                anchors: t.or("anchors", default.anchors),
            })
        })
    }
}
