//! A page of the web, as far as mailflow needs one: fetched once, over HTTPS, from addresses that DNS gave.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use crate::model::DialError;

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The host in the address, and the name that the certificate must be for.
    pub host: &'a str,
    /// The path, with its slash in front.
    pub path: &'a str,
    /// Where the host is; tried in this order. All have the same port, which goes into the address unless it is 443.
    pub addresses: &'a [SocketAddr],
    /// What is posted there, as `application/x-www-form-urlencoded`; `None`: the page is only asked for.
    pub form: Option<&'a SecretString>,
}

impl Page<'_> {
    /// The address as people write it.
    pub fn url(&self) -> String {
        match self.addresses.first().map(SocketAddr::port) {
            None | Some(443) => format!("https://{}{}", self.host, self.path),
            Some(port) => format!("https://{}:{port}{}", self.host, self.path),
        }
    }
}

/// How much of it we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// For all of it.
    pub time: Duration,
    /// Bytes of the body.
    pub bytes: usize,
}

/// What came back, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status code (RFC 9110 15). A redirect is not followed.
    pub status: u16,
    /// Content-Type, cleaned and bounded.
    pub content_type: Option<String>,
    /// The body, no longer than the limit.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No address took the connection.
    #[error("{0}")]
    Dial(DialError),
    /// The certificate is not good for the host, or TLS failed in another way.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The connection stood, and the answer did not come in time.
    #[error("no answer over HTTPS in time")]
    Timeout,
    /// What came is no HTTP.
    #[error("no proper answer over HTTPS: {0}")]
    Http(String),
    /// Our own side.
    #[error("could not be fetched: {0}")]
    Local(String),
}
