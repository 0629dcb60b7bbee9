//! `[[providers]]` and `[[blocklists]]`.

use std::fmt;
use std::str::FromStr;

use crate::config::read::read_text;
use crate::config::reader::{Kind, Node, Read};
use crate::model::{DomainName, NameError};

/// One of `[[blocklists]]` (RFC 5782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocklist {
    /// The zone to ask under.
    pub zone: DomainName,
}

/// One of `[[providers]]`: who operates a group of MX hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What people call it.
    pub name: String,
    /// The MX hosts that are its.
    pub mx: Vec<MxPattern>,
    /// Whom to ask when it fails.
    pub contact: Option<String>,
}

/// A name of an MX host, or `*.SUFFIX` for all names below one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MxPattern(String);

impl MxPattern {
    /// Whether `host` is meant.
    pub fn matches(&self, host: &DomainName) -> bool {
        host.matches(&self.0)
    }

    /// The pattern in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MxPattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix("*.") {
            Some(suffix) => DomainName::parse(suffix).map(|suffix| Self(format!("*.{suffix}"))),
            None => DomainName::parse(text).map(|name| Self(name.to_string())),
        }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

read_text! {
    MxPattern: "the name of an MX host",
}

impl Read for Blocklist {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let zone: DomainName = t.required("zone")?;
            t.entry("zone")?.define(Kind::Blocklist, "", zone.as_str());
            Some(Self { zone })
        })
    }
}

impl Read for Provider {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (name, mx, contact) = (
                t.required::<String>("name"),
                t.required_entry("mx"),
                t.get("contact"),
            );
            let mx =
                mx.and_then(|node| node.some_items("a provider has at least one MX host", MxPattern::read));
            let name = name?;
            t.entry("name")?.define(Kind::Provider, "", &name);
            Some(Self {
                name,
                mx: mx?,
                contact,
            })
        })
    }
}
