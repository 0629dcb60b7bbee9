//! For what a world is furnished: the names in it are the same, but who has mailboxes and what the daemon watches are not.

use serde::Deserialize;

/// How a world is furnished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Servers that greet, and a daemon that watches domains.
    #[default]
    Domains,
    /// Servers that carry mail and hold mailboxes, and a daemon that watches routes and sends canaries.
    Post,
}

/// What a daemon watches, by the names of its API.
pub struct Watched {
    /// Domains.
    pub domains: &'static [&'static str],
    /// Gateways.
    pub gateways: &'static [&'static str],
    /// Routes.
    pub routes: &'static [&'static str],
    /// Canaries.
    pub canaries: &'static [&'static str],
}

const DOMAINS: Watched = Watched {
    domains: &crate::monitor::DOMAINS,
    gateways: &crate::monitor::GATEWAYS,
    routes: &[],
    canaries: &[],
};

const POST: Watched = Watched {
    domains: &["acme.test", "beta.test"],
    gateways: &[],
    routes: &["acme to partner.test", "beta to acme.test"],
    canaries: &["acme-round-trip", "acme-to-partner", "beta-to-partner"],
};

impl Setting {
    /// What the daemon of such a world watches.
    pub fn watched(self) -> &'static Watched {
        match self {
            Self::Domains => &DOMAINS,
            Self::Post => &POST,
        }
    }
}
