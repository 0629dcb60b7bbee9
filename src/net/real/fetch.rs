//! One page over HTTPS: no redirects, no proxy, no cache, certificates by our own trust, and only from the addresses
//! that the resolver gave, so that this machine's own name resolution has no say.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, header::CONTENT_TYPE};
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use super::tcp::local_reason;
use crate::model::DialError;
use crate::model::text::clean;
use crate::net::fetch::{FetchError, FetchLimits, Fetched, Page};
use crate::net::trust::Trust;

/// Characters of a reason or a header.
const WORDS: usize = 200;

/// Fetches `page` within the limits.
pub(super) async fn fetch(
    page: &Page<'_>,
    trust: &Trust,
    limits: FetchLimits,
) -> Result<Fetched, FetchError> {
    let client = client(page, trust, limits.time)?;
    let exchange = async {
        let request = match page.form {
            None => client.get(page.url()),
            Some(form) => client
                .post(page.url())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.expose_secret().to_owned()),
        };
        let sent = request.send().await;
        read(sent.map_err(|error| verdict(&error))?, limits.bytes).await
    };
    timeout(limits.time, exchange)
        .await
        .unwrap_or(Err(FetchError::Timeout))
}

fn client(page: &Page<'_>, trust: &Trust, time: Duration) -> Result<Client, FetchError> {
    let tls = trust
        .https()
        .map_err(|error| FetchError::Local(error.to_string()))?;
    Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .http1_only()
        .no_proxy()
        .no_gzip()
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .resolve_to_addrs(page.host, page.addresses)
        // Whoever takes the connection has the rest of the time to answer.
        .connect_timeout(time / 2)
        .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| FetchError::Local(words(&error)))
}

async fn read(mut response: Response, most: usize) -> Result<Fetched, FetchError> {
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .map(|value| clean(value.as_bytes(), WORDS));
    let mut fetched = Fetched {
        status: response.status().as_u16(),
        content_type,
        body: Vec::new(),
        cut: false,
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| verdict(&error))? {
        let room = most - fetched.body.len();
        fetched.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            fetched.cut = true;
            break;
        }
    }
    Ok(fetched)
}

/// What an error means: the first in its chain that says more than "it did not work".
fn verdict(error: &reqwest::Error) -> FetchError {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = next {
        if let Some(tls) = one.downcast_ref::<rustls::Error>() {
            return FetchError::Tls(tls_reason(tls));
        }
        if let Some(io) = one.downcast_ref::<io::Error>() {
            if let Some(tls) = within(io) {
                return FetchError::Tls(tls_reason(tls));
            }
            if error.is_connect()
                && let Some(dial) = dial(io)
            {
                return dial;
            }
        }
        next = one.source();
    }
    if error.is_timeout() && error.is_connect() {
        return FetchError::Dial(DialError::Timeout);
    }
    if error.is_timeout() {
        return FetchError::Timeout;
    }
    FetchError::Http(words(error))
}

/// The error of TLS that errors of input and output are wrapped around.
fn within(io: &io::Error) -> Option<&rustls::Error> {
    let inner = io.get_ref()?;
    inner
        .downcast_ref::<rustls::Error>()
        .or_else(|| within(inner.downcast_ref::<io::Error>()?))
}

/// What an error of the socket means.
fn dial(error: &io::Error) -> Option<FetchError> {
    Some(FetchError::Dial(match error.kind() {
        ErrorKind::ConnectionRefused => DialError::Refused,
        ErrorKind::TimedOut => DialError::Timeout,
        // Whether it is our kernel or a router that knows no way cannot be told here: it blames nobody.
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => DialError::Unreachable {
            prohibited: false,
            no_route: error.kind() == ErrorKind::NetworkUnreachable,
        },
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            return Some(FetchError::Tls(
                "the connection was closed during the handshake".into(),
            ));
        }
        _ if error.raw_os_error().is_some() => {
            return Some(FetchError::Local(local_reason(error)));
        }
        _ => return None,
    }))
}

fn tls_reason(error: &rustls::Error) -> String {
    let said = match error {
        rustls::Error::General(reason) => reason.clone(),
        rustls::Error::AlertReceived(alert) => format!("the server's alert {alert:?}"),
        rustls::Error::InvalidMessage(_) => "what the server sent is no TLS".to_owned(),
        other => other.to_string(),
    };
    clean(said.as_bytes(), WORDS)
}

/// The innermost reason, without the address that reqwest puts around it.
fn words(error: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    clean(deepest.to_string().as_bytes(), WORDS)
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
