//! `[server]`: the page, the API and `/metrics`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::config::value::words;
use crate::config::{HttpUrl, Secret};

/// `[server]`
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where to listen; loopback only unless protected or [`allow_insecure`](Self::allow_insecure).
    pub listen: SocketAddr,
    /// How people reach the page from outside, for links in messages.
    pub external_url: Option<HttpUrl>,
    /// Whether `/probe` takes domains that are not configured.
    pub probe_any: bool,
    /// Whether to listen beyond loopback without TLS and authentication.
    pub allow_insecure: bool,
    /// The server's own certificate.
    pub tls: Option<ServerTls>,
    /// Who may look and operate; without it everybody who reaches us.
    pub auth: Option<Auth>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9525)),
            external_url: None,
            probe_any: false,
            allow_insecure: false,
            tls: None,
            auth: None,
        }
    }
}

/// `server.tls`: PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate with its chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// `server.auth`: people and programs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Auth {
    /// The bcrypt hash of each person's password, by user name.
    pub users: BTreeMap<String, Secret>,
    /// Bearer tokens of programs.
    pub tokens: Vec<Token>,
}

/// One of `server.auth.tokens`.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Whose it is, for the log.
    pub name: String,
    /// The token itself.
    pub token: Secret,
    /// What it allows.
    pub scope: Scope,
}

words! {
    /// What a token allows.
    pub enum Scope {
        /// Looking.
        Read = "read",
        /// Looking and operating: acknowledging, silencing, approving, reloading.
        Write = "write",
    }
}
