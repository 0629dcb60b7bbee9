//! `[resolver]`: who answers our DNS questions.

use std::net::SocketAddr;
use std::path::PathBuf;

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
