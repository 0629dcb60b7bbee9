//! `[server]`: the page, the API and `/metrics`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::config::problem::Draft;
use crate::config::reader::{Kind, Node, Read, Table};
use crate::config::secret::SecretSource;
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
    /// The people, by user name.
    pub users: BTreeMap<String, User>,
    /// Bearer tokens of programs.
    pub tokens: Vec<Token>,
}

/// One of `server.auth.users`.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The bcrypt hash of the password.
    pub hash: Secret,
    /// What this person may do; everything unless said otherwise.
    pub scope: Scope,
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
    /// What a token, or a person, may do; each includes the one before.
    pub enum Scope {
        /// Scraping: `/metrics`, `/probe` and `/sd`.
        Metrics = "metrics",
        /// Looking.
        Read = "read",
        /// Looking and operating: acknowledging, silencing, approving, reloading.
        Write = "write",
    }
}

impl Read for Server {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            let server = Self {
                listen: t
                    .entry("listen")
                    .and_then(|node| node.parse("an address and a port", parse_listen))
                    .unwrap_or(default.listen),
                external_url: t.get("external_url"),
                probe_any: t.or("probe_any", default.probe_any),
                allow_insecure: t.or("allow_insecure", default.allow_insecure),
                tls: t.get("tls"),
                auth: t.get("auth"),
            };
            server.check_exposure(t);
            Some(server)
        })
    }
}

impl Server {
    /// Beyond loopback everybody may read, and operate, what is not protected.
    fn check_exposure(&self, t: &Table<'_>) {
        if self.listen.ip().to_canonical().is_loopback() || self.allow_insecure {
            return;
        }
        if self.tls.is_some() && self.auth.is_some() {
            return;
        }
        let node = t.entry("listen").unwrap_or(t.node());
        let message = "listening beyond loopback takes `tls` and `auth`";
        node.report(Draft::error(node.spot(), message).help(
            "listen on 127.0.0.1 behind a proxy, or say `allow_insecure = true` where only the right people reach it",
        ));
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "an address and a port belong here, such as \"127.0.0.1:9525\" or \"[::1]:9525\"")
}

impl Read for ServerTls {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (certificate, key) = (t.required("certificate"), t.required("key"));
            Some(Self {
                certificate: certificate?,
                key: key?,
            })
        })
    }
}

impl Read for Auth {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            if let Some(kind) = t.entry("type") {
                return match kind.as_text() {
                    Some("oauth2") => kind.wrong("`oauth2` is reserved for a later version"),
                    _ => kind.wrong("`auth` has `users` and `tokens`, and no type"),
                };
            }
            let users = t.entry("users").and_then(|node| {
                let users = node.entries()?.into_iter();
                Some(
                    users
                        .filter_map(|(name, node)| Some((name.to_owned(), User::read(node)?)))
                        .collect(),
                )
            });
            let auth = Self {
                users: users.unwrap_or_default(),
                tokens: t.or("tokens", Vec::new()),
            };
            if t.entry("users").is_none() && t.entry("tokens").is_none() {
                return node.wrong("nobody could come in: `auth` needs `users` or `tokens`");
            }
            Some(auth)
        })
    }
}

impl Read for User {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let hash = t.required_entry("bcrypt").and_then(read_hash);
            Some(Self {
                scope: t.or("scope", Scope::Write),
                hash: hash?,
            })
        })
    }
}

/// The hash itself may stand in the configuration, that is what hashes are for.
fn read_hash(node: Node<'_>) -> Option<Secret> {
    let Some(hash) = node.as_text() else {
        return Secret::read(node);
    };
    node.hide();
    if !hash.starts_with("$2") || hash.len() != 60 {
        return node.wrong("this is no bcrypt hash; `mailflow config hash-password` makes one");
    }
    Some(Secret::new(SecretSource::Plain(hash.to_owned().into())))
}

impl Read for Token {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (name, token, scope) = (
                t.required::<String>("name"),
                t.required("token"),
                t.required("scope"),
            );
            let name = name?;
            t.entry("name")?.define(Kind::Token, "", &name);
            Some(Self {
                name,
                token: token?,
                scope: scope?,
            })
        })
    }
}
