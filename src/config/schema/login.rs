//! Where to log in, and with what: a password, or tokens of OAuth 2.0 that are asked for as an application.

use crate::config::reader::{Node, Read, Table};
use crate::config::{HostPort, HttpUrl, Secret};

/// Where to log in.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The server and its port.
    pub server: HostPort,
    /// The user name.
    pub username: String,
    /// What proves who we are.
    pub credential: Credential,
}

/// Where a message is handed in; without a login at a relay that wants none.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The server and its port.
    pub server: HostPort,
    /// The user name, and what proves who we are.
    pub login: Option<(String, Credential)>,
}

/// What proves who we are.
#[derive(Debug, Clone, PartialEq)]
pub enum Credential {
    /// A password.
    Password(Secret),
    /// Tokens.
    OAuth2(OAuth2),
}

/// Who gives tokens out, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct OAuth2 {
    /// Where they are asked for, over HTTPS.
    pub token_url: HttpUrl,
    /// What they are to be good for (RFC 6749 3.3).
    pub scope: Option<String>,
    /// What we prove ourselves with.
    pub grant: Grant,
}

/// What we prove ourselves with where tokens are given out.
#[derive(Debug, Clone, PartialEq)]
pub enum Grant {
    /// An application's own secret (RFC 6749 4.4).
    Application {
        /// Its id.
        id: String,
        /// Of Microsoft's: the tenant in which it is registered.
        tenant: Option<String>,
        /// Its secret.
        secret: Secret,
    },
    /// A service account of Google's, which the Workspace allows to act for its users: the key, a JSON file.
    ServiceAccount(Secret),
}

/// Where Google gives tokens out, and what for.
const GOOGLE: (&str, &str) = ("https://oauth2.googleapis.com/token", "https://mail.google.com/");
/// What Microsoft's tokens are for.
const MICROSOFT: &str = "https://outlook.office365.com/.default";

impl Read for Login {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let server = server(t);
            let username = t.required("username");
            let credential = credential(t);
            if !proves_itself(t) {
                return t.missing("`password` is missing here, or `auth` for OAuth 2.0");
            }
            Some(Self {
                server: server?,
                username: username?,
                credential: credential?,
            })
        })
    }
}

impl Read for Submission {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (server, user) = (server(t), t.get::<String>("username"));
            let (credential, is_named) = (credential(t), t.entry("username").is_some());
            if is_named != proves_itself(t) {
                return t.missing("a login is a `username` and a `password`, or `auth` for OAuth 2.0");
            }
            let login = if is_named {
                Some((user?, credential?))
            } else {
                None
            };
            Some(Self {
                server: server?,
                login,
            })
        })
    }
}

fn server(t: &Table<'_>) -> Option<HostPort> {
    t.required_entry("server")
        .and_then(|node| node.parse("a server and a port", |text| HostPort::parse(text, None)))
}

/// Whether anything stands there that proves who we are, right or wrong.
fn proves_itself(t: &Table<'_>) -> bool {
    t.entry("password").is_some() || t.entry("auth").is_some()
}

fn credential(t: &Table<'_>) -> Option<Credential> {
    match (t.entry("password"), t.entry("auth")) {
        (None, None) => None,
        (Some(password), None) => Secret::read(password).map(Credential::Password),
        (None, Some(auth)) => OAuth2::read(auth).map(Credential::OAuth2),
        (Some(password), Some(auth)) => {
            password.hide();
            auth.wrong("a login has a `password` or `auth`, not both")
        }
    }
}

impl Read for OAuth2 {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let kind = t
                .required_entry("type")
                .and_then(|node| match node.text("a kind of login")? {
                    "oauth2" => Some(()),
                    _ => node.wrong(
                        "\"oauth2\" is the only kind here; a password stands as `password` beside `username`",
                    ),
                });
            let (url, scope) = (
                t.entry("token_url").and_then(token_url),
                t.entry("scope").and_then(scope),
            );
            let issuer = if t.entry("service_account").is_some() {
                service_account(t, url)
            } else {
                application(t, url)
            };
            let (token_url, usual, grant) = issuer?;
            kind.map(|()| Self {
                token_url,
                scope: scope.or(usual.map(str::to_owned)),
                grant,
            })
        })
    }
}

/// Who gives out, what for usually, and what for proof.
type Issuer = (HttpUrl, Option<&'static str>, Grant);

fn service_account(t: &Table<'_>, url: Option<HttpUrl>) -> Option<Issuer> {
    let key = t.get("service_account");
    for other in ["tenant", "client_id", "client_secret"] {
        if let Some(node) = t.entry(other) {
            node.hide();
            return node.wrong(format!(
                "the key of a service account says all of it: `{other}` does not stand beside `service_account`"
            ));
        }
    }
    let url = match (url, t.entry("token_url")) {
        (None, Some(_)) => return None,
        (url, _) => url.or_else(|| GOOGLE.0.parse().ok()),
    };
    Some((url?, Some(GOOGLE.1), Grant::ServiceAccount(key?)))
}

fn application(t: &Table<'_>, url: Option<HttpUrl>) -> Option<Issuer> {
    let tenant = t.entry("tenant");
    let (url, tenant) = match (tenant, t.entry("token_url")) {
        (Some(_), Some(node)) => (
            node.wrong("the `tenant` says already where tokens are given out: leave one of them out"),
            None,
        ),
        (Some(node), None) => {
            let tenant = read_tenant(node);
            let url = tenant.as_ref().and_then(|tenant| {
                let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
                url.parse().ok()
            });
            (url, tenant)
        }
        (None, Some(_)) => (url, None),
        (None, None) => (
            t.missing(
                "who gives tokens out is missing here: `tenant` (Microsoft 365), `service_account` (Google) or `token_url`",
            ),
            None,
        ),
    };
    let (id, secret) = (
        t.required_entry("client_id").and_then(client_id),
        t.required("client_secret"),
    );
    let usual = tenant.is_some().then_some(MICROSOFT);
    let grant = Grant::Application {
        id: id?,
        tenant,
        secret: secret?,
    };
    Some((url?, usual, grant))
}

/// The tenant's id, or a domain of it.
fn read_tenant(node: Node<'_>) -> Option<String> {
    let text = String::read(node)?;
    if ["common", "organizations", "consumers"].contains(&text.as_str()) {
        return node.wrong(format!(
            "an application gets its tokens from its own tenant, not from \"{text}\": write the tenant's id or domain"
        ));
    }
    let plain = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '.';
    if !text.chars().all(plain) {
        return node
            .wrong("a tenant is its id (1b2c...) or a domain of it, such as \"acme.onmicrosoft.com\"");
    }
    Some(text)
}

/// RFC 6749 A.1.
fn client_id(node: Node<'_>) -> Option<String> {
    let text = String::read(node)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return node.wrong("an application's id has no spaces, and only ASCII characters");
    }
    Some(text)
}

/// RFC 6749 3.3: words with spaces between them.
fn scope(node: Node<'_>) -> Option<String> {
    let text = String::read(node)?;
    let plain = |byte: u8| byte == b' ' || (byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    if !text.bytes().all(plain) {
        return node.wrong("a scope is words with spaces between them, without quotes");
    }
    Some(text)
}

/// Secrets are posted there.
fn token_url(node: Node<'_>) -> Option<HttpUrl> {
    let url = HttpUrl::read(node)?;
    if url.as_url().scheme() != "https" {
        return node.wrong("our secret is posted there: this takes https://");
    }
    if url.host().is_none() {
        return node.wrong("the host of this URL is no name that can be looked up");
    }
    Some(url)
}
