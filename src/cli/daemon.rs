//! A running daemon, asked through its API.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value;

use crate::model::text::clean;

/// How long to wait for a connection, and for a whole answer: longer than the daemon itself takes at the most.
const CONNECT: Duration = Duration::from_secs(5);
const EXCHANGE: Duration = Duration::from_secs(40);

/// The largest answer, in bytes; ten thousand domains take less.
const MOST: usize = 64 * 1024 * 1024;

/// The variable that holds the token, which has no place among arguments: everybody can read those.
const TOKEN: &str = "MAILFLOW_TOKEN";

/// Why the daemon could not be asked, or what it refused, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token cannot be sent.
    #[error("{TOKEN} holds what no token has: line breaks or control characters")]
    BadToken,
    /// The address holds what everybody would see.
    #[error("a name or a password has no place in --url or MAILFLOW_URL\nA token goes into {TOKEN}.")]
    Exposed,
    /// Our own client could not be made.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// Nothing answers.
    #[error(
        "no daemon answers at {0}: {1}\n\
         Start one with `mailflow run`, or say where it is with --url or MAILFLOW_URL."
    )]
    Unreachable(Url, String),
    /// Something answers too late.
    #[error("{0} did not answer within {wait} seconds\nIs it busy? Its log may say.", wait = EXCHANGE.as_secs())]
    Late(Url),
    /// We may not ask.
    #[error("{0} wants to know who asks ({1})\nSet {TOKEN} to one of the tokens in its server.auth.")]
    Denied(Url, StatusCode),
    /// What was asked for cannot be done; the daemon says why.
    #[error("{0}")]
    Refused(String),
    /// Whatever answers is no daemon of ours.
    #[error("what answers at {0} is not mailflow's API: {1}\nIs --url or MAILFLOW_URL right?")]
    Stranger(Url, String),
}

/// What is sent along.
enum Content<'a> {
    Nothing,
    Json(&'a Value),
    Mail(Vec<u8>),
}

/// A way to a running daemon.
pub struct Daemon {
    client: Client,
    base: Url,
}

impl Daemon {
    /// The daemon at `base`, with the token that the environment holds.
    ///
    /// # Errors
    /// [`Error::BadToken`], [`Error::Exposed`], [`Error::Client`].
    pub fn at(base: &Url) -> Result<Self, Error> {
        Self::with_token(base, std::env::var(TOKEN).ok().as_deref())
    }

    fn with_token(base: &Url, token: Option<&str>) -> Result<Self, Error> {
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::Exposed);
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = token.map(str::trim).filter(|token| !token.is_empty()) {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Error::BadToken)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // Somebody else's redirect is no place for our token.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(EXCHANGE);
        if is_here(base) {
            // No proxy leads back to this machine.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| Error::Client(in_words(error)))?;
        Ok(Self {
            client,
            base: base.clone(),
        })
    }

    /// Where it is.
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// Asks for what lies below `/api/v1`; `path` and `query` may hold anything.
    ///
    /// # Errors
    /// [`Error`], in words for whoever typed the command.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Error> {
        self.ask(Method::GET, path, query, Content::Nothing).await
    }

    /// Has something done.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post(&self, path: &[&str]) -> Result<Value, Error> {
        self.ask(Method::POST, path, &[], Content::Nothing).await
    }

    /// Has something done, as `body` says.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn send(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.ask(Method::POST, path, &[], Content::Json(body)).await
    }

    /// Hands over a mail as it is.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn send_mail(&self, path: &[&str], mail: Vec<u8>) -> Result<Value, Error> {
        self.ask(Method::POST, path, &[], Content::Mail(mail)).await
    }

    /// Takes something back.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn delete(&self, path: &[&str]) -> Result<Value, Error> {
        self.ask(Method::DELETE, path, &[], Content::Nothing).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        content: Content<'_>,
    ) -> Result<Value, Error> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, url);
        let request = match content {
            Content::Nothing => request,
            Content::Json(body) => request.json(body),
            Content::Mail(mail) => request.header(CONTENT_TYPE, "message/rfc822").body(mail),
        };
        let response = request.send().await;
        let response = response.map_err(|error| self.failed(error))?;
        self.read(response).await
    }

    async fn read(&self, response: Response) -> Result<Value, Error> {
        let status = response.status();
        if matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        ) {
            return Err(Error::Denied(self.base.clone(), status));
        }
        if let Some(target) = response
            .headers()
            .get(LOCATION)
            .filter(|_| status.is_redirection())
        {
            let target = clean(target.as_bytes(), 200);
            return Err(self.stranger(format!("it redirects to {target}")));
        }
        let body = self.body(response).await?;
        let answer = serde_json::from_slice::<Value>(&body)
            .map_err(|_| self.stranger(format!("it answers {status}, and not with JSON")))?;
        if status.is_success() {
            return Ok(answer);
        }
        match answer.get("error").and_then(Value::as_str) {
            Some(reason) => Err(Error::Refused(clean(reason.as_bytes(), 1000))),
            None => Err(self.stranger(format!("it answers {status}"))),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(error))? {
            if body.len() + chunk.len() > MOST {
                return Err(self.stranger("its answer has no end".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failed(&self, error: reqwest::Error) -> Error {
        if error.is_timeout() && !error.is_connect() {
            Error::Late(self.base.clone())
        } else {
            Error::Unreachable(self.base.clone(), in_words(error))
        }
    }

    /// Whatever answers is not what we look for.
    pub fn stranger(&self, why: String) -> Error {
        Error::Stranger(self.base.clone(), why)
    }
}

/// Whether a URL names this machine itself.
fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// The innermost reason: the layers around it only say that a request failed.
fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut inner: &dyn std::error::Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    clean(inner.to_string().as_bytes(), 200)
}

#[cfg(test)]
mod tests;
