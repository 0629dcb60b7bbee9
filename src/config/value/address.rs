//! Where things are: hosts, ports, URLs and mail addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::model::{DomainName, Endpoint, NameError};

impl FromStr for Endpoint {
    type Err = NameError;

    /// Reads an address, an IPv6 one also in brackets, or else a name.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        match bare.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => DomainName::parse(text).map(Self::Name),
        }
    }
}

/// Why a text names no host and port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostPortError {
    /// The host is neither an address nor a name.
    #[error(transparent)]
    Host(#[from] NameError),
    /// The port is no number from 1 to 65535.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// There is no port, and none is usual.
    #[error("a port is missing: write HOST:PORT, an IPv6 address in brackets")]
    NoPort,
}

/// A host and a TCP port: `mx.acme.test:587`, `192.0.2.1:25`, `[2001:db8::1]:25`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The host.
    pub host: Endpoint,
    /// The port, never 0.
    pub port: u16,
}

impl HostPort {
    /// Reads `HOST:PORT`, or `HOST` alone when `default_port` is given. IPv6 addresses with a port stand in
    /// brackets.
    ///
    /// # Errors
    /// [`HostPortError`] says which part is wrong.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, HostPortError> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            let port = default_port.ok_or(HostPortError::NoPort)?;
            return Ok(Self {
                host: Endpoint::Address(address.into()),
                port,
            });
        }
        let bracketed_alone = text.ends_with(']');
        match text.rsplit_once(':').filter(|_| !bracketed_alone) {
            Some((host, port)) => Ok(Self {
                host: host.parse()?,
                port: parse_port(port)?,
            }),
            None => Ok(Self {
                host: text.parse()?,
                port: default_port.ok_or(HostPortError::NoPort)?,
            }),
        }
    }

    /// The socket address, when the host is an IP address.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self.host {
            Endpoint::Address(address) => Some(SocketAddr::new(address, self.port)),
            Endpoint::Name(_) => None,
        }
    }
}

/// Reads a TCP port, 1 to 65535.
pub(crate) fn parse_port(text: &str) -> Result<u16, HostPortError> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(HostPortError::Port),
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Endpoint::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Why a text is no usable URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It does not parse (the WHATWG URL standard).
    #[error("this is no URL: {0}")]
    Malformed(String),
    /// A scheme that we do not speak, or no host.
    #[error("a URL here begins with http:// or https:// and a host")]
    NotHttp,
    /// `user:password@` in a URL ends up in logs and proxies.
    #[error("a URL must not hold a user name or password; send them in `headers` or as a `token`")]
    Credentials,
}

/// An `http` or `https` URL without credentials.
///
/// Paths of hooks are often secrets themselves, so `Debug` shows scheme and host only; use
/// [`as_str`](Self::as_str) for the whole.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpUrl(reqwest::Url);

impl HttpUrl {
    /// The whole URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL, for the HTTP client.
    pub fn as_url(&self) -> &reqwest::Url {
        &self.0
    }

    /// The host that it leads to; `None` when the name is none that we could look up.
    pub fn host(&self) -> Option<Endpoint> {
        self.0.host_str()?.parse().ok()
    }
}

impl FromStr for HttpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let url = reqwest::Url::parse(text).map_err(|e| UrlError::Malformed(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(UrlError::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}/...", self.0.scheme())
    }
}

/// Why a text is no mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailAddressError {
    /// There is no `@`, or nothing before it.
    #[error("a mail address is NAME@DOMAIN")]
    Shape,
    /// The part before `@` is longer than 64 octets (RFC 5321 4.5.3.1.1) or has a character that would
    /// have to be quoted.
    #[error("the part before @ has at most 64 characters, and no spaces, brackets or quotes")]
    Local,
    /// The domain is no name.
    #[error("the domain of this address is wrong: {0}")]
    Domain(#[from] NameError),
}

/// A mail address without display name; the local part as an unquoted dot-string (RFC 5321 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailAddress {
    local: String,
    domain: DomainName,
}

impl MailAddress {
    /// The part before `@`.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

impl FromStr for MailAddress {
    type Err = MailAddressError;

    fn from_str(text: &str) -> Result<Self, MailAddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or(MailAddressError::Shape)?;
        if local.is_empty() {
            return Err(MailAddressError::Shape);
        }
        let odd = |c: char| c.is_whitespace() || c.is_control() || "()<>[]:;@\\,\"".contains(c);
        if local.len() > 64 || local.contains(odd) {
            return Err(MailAddressError::Local);
        }
        Ok(Self {
            local: local.to_owned(),
            domain: DomainName::parse(domain)?,
        })
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}
