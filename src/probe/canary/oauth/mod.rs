//! Tokens of OAuth 2.0 instead of passwords: asked for as the application that we are (client credentials, RFC 6749 4.4),
//! or by the signed word of a service account (RFC 7523 2.1), kept until shortly before they lapse, and never shown.
//!
//! That there is no token says nothing of anybody's mail: it is our own credentials that are wrong, or somebody else's door
//! that is closed.

mod answer;
mod grant;
pub(super) mod sasl;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::login::Secret;
use super::reach::Trouble;
use crate::model::{CanaryOutcome, Endpoint};
use crate::net::trust::Trust;
use crate::net::{FetchError, FetchLimits, Net, Page};
use crate::probe::Context;
use crate::probe::ask::{self, NoAddress};
use answer::Answer;

/// What asking for a token may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Addresses of the token endpoint beyond this many are not tried.
const MOST_ADDRESSES: usize = 4;
/// So long before its end a token counts as lapsed, at the most.
const EARLY: Duration = Duration::from_mins(5);
/// No token is kept for longer, whatever is said of it.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
/// How long a refusal counts for all who share it: those who wait for the same answer do not ask one after another.
const REFUSED_FOR: SignedDuration = SignedDuration::from_secs(5);

/// Who gives tokens out, and what they are asked for with.
pub struct Issuer {
    /// The token endpoint's host.
    pub host: Endpoint,
    /// Its TCP port; HTTPS is spoken there.
    pub port: u16,
    /// Its path, with the slash in front.
    pub path: Arc<str>,
    /// What the token is to be good for (RFC 6749 3.3).
    pub scope: Option<Arc<str>>,
    /// What we prove ourselves with.
    pub grant: Grant,
}

/// What we prove ourselves with.
pub enum Grant {
    /// An application's own secret.
    Application {
        /// Its id.
        id: Arc<str>,
        /// Of Microsoft's: the tenant in which it is registered.
        tenant: Option<Arc<str>>,
        /// Its secret.
        secret: Secret,
    },
    /// A service account of Google's, in the name of a user.
    ServiceAccount {
        /// In whose name.
        user: Arc<str>,
        /// Its key, the JSON file as Google gives it.
        key: Secret,
    },
}

/// Tokens of one issuer. Whoever logs in by the same grant shares them.
pub struct Tokens {
    issuer: Issuer,
    kept: Mutex<Option<Kept>>,
}

/// What came of asking.
struct Kept {
    at: Timestamp,
    until: Timestamp,
    what: Result<SecretString, String>,
}

impl Tokens {
    /// Nothing is asked for yet.
    pub fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            kept: Mutex::new(None),
        }
    }

    /// A token that holds, asked for if there is none.
    pub(super) async fn token<N: Net>(
        &self,
        net: &N,
        context: &Context,
        trust: &Trust,
    ) -> Result<SecretString, Trouble> {
        // Whoever comes meanwhile waits for the same answer.
        let mut kept = self.kept.lock().await;
        if let Some(known) = kept.as_ref().filter(|known| net.now() < known.until) {
            return known.what.clone().map_err(refused);
        }
        *kept = None;
        let answer = self.ask(net, context, trust).await?;
        let at = net.now();
        let (until, what) = match answer {
            Answer::Token { text, lasts } => (at + kept_for(lasts), Ok(text)),
            Answer::Refused(why) => (at + REFUSED_FOR, Err(self.issuer.in_words(&why))),
            Answer::None(why) => return Err(no_token(false, self.issuer.away(&why))),
        };
        *kept = Some(Kept {
            at,
            until,
            what: what.clone(),
        });
        what.map_err(refused)
    }

    /// Forgets a token from before `began`, which a server has refused since; whether there was one.
    pub(super) async fn forget_older(&self, began: Timestamp) -> bool {
        let mut kept = self.kept.lock().await;
        let is_older = kept
            .as_ref()
            .is_some_and(|known| known.what.is_ok() && known.at < began);
        if is_older {
            *kept = None;
        }
        is_older
    }

    /// What has to be in order besides the token, so that a server takes it for a user.
    pub(super) fn besides(&self, user: &str) -> String {
        match &self.issuer.grant {
            Grant::Application {
                id, tenant: Some(_), ..
            } => format!(
                "Entra ID gave us the token: see that the application {id} has IMAP.AccessAsApp and SMTP.SendAsApp with an \
                 administrator's consent, and in Exchange Online a service principal with full access to {user}, whose \
                 SMTP AUTH is not disabled."
            ),
            Grant::Application { id, .. } => format!(
                "{} gave us the token: see that the server takes its tokens, and the application {id} for {user}.",
                self.issuer.host
            ),
            Grant::ServiceAccount { .. } => {
                format!("Google gave us the token: see that IMAP is switched on for {user}.")
            }
        }
    }

    async fn ask<N: Net>(&self, net: &N, context: &Context, trust: &Trust) -> Result<Answer, Trouble> {
        let issuer = &self.issuer;
        let Some(form) = grant::form(issuer, net.now()).await? else {
            let why = "the service account's key cannot be used: what belongs there is the JSON file that Google gives \
                       when a key is made, with `client_email` and `private_key`";
            return Ok(Answer::Refused(why.to_owned()));
        };
        let addresses = self.locate(net, context).await?;
        let host = issuer.written_host();
        let page = Page {
            host: &host,
            path: &issuer.path,
            addresses: &addresses,
            form: Some(&form),
        };
        let limits = FetchLimits {
            time: PATIENCE,
            bytes: LONGEST_ANSWER,
        };
        match net.fetch(&page, trust, limits).await {
            Ok(fetched) => Ok(answer::read(&fetched)),
            Err(FetchError::Local(reason)) => Err(Trouble::Ours(issuer.away(&reason))),
            Err(error) => Ok(Answer::None(error.to_string())),
        }
    }

    async fn locate<N: Net>(&self, net: &N, context: &Context) -> Result<Vec<SocketAddr>, Trouble> {
        let issuer = &self.issuer;
        let found = ask::locate_all(net, context, &issuer.host, PATIENCE).await;
        let found = found.map_err(|why| match why {
            NoAddress::None(said) => no_token(false, issuer.away(&said)),
            NoAddress::Untold(said) | NoAddress::Local(said) => Trouble::Ours(issuer.away(&said)),
        })?;
        let found = found.into_iter().take(MOST_ADDRESSES);
        Ok(found
            .map(|address| SocketAddr::new(address, issuer.port))
            .collect())
    }
}

impl Issuer {
    /// The host as it stands in a URL.
    fn written_host(&self) -> String {
        match &self.host {
            Endpoint::Address(address) if address.is_ipv6() => format!("[{address}]"),
            host => host.to_string(),
        }
    }

    /// Where we ask, as people write it.
    fn url(&self) -> String {
        let host = self.written_host();
        match self.port {
            443 => format!("https://{host}{}", self.path),
            port => format!("https://{host}:{port}{}", self.path),
        }
    }

    /// That we are refused, with which of our credentials it is.
    fn in_words(&self, why: &str) -> String {
        let who = match &self.grant {
            Grant::Application {
                id,
                tenant: Some(tenant),
                ..
            } => format!("the application {id} in the tenant {tenant}"),
            Grant::Application { id, .. } => format!("the application {id}"),
            Grant::ServiceAccount { user, .. } => format!("the service account that reads {user}"),
        };
        format!("{} gives no token to {who}: {why}", self.host)
    }

    /// That nothing comes from there.
    fn away(&self, why: &str) -> String {
        format!("no token from {}: {why}", self.host)
    }
}

/// How long a token is kept of which it is said how long it lasts. Of which nothing is said, it is used once.
fn kept_for(lasts: Option<Duration>) -> SignedDuration {
    let lasts = lasts.unwrap_or_default().min(LONGEST_LIFE);
    let kept = lasts.saturating_sub(EARLY.min(lasts / 5));
    SignedDuration::try_from(kept).unwrap_or_default()
}

fn refused(reason: String) -> Trouble {
    no_token(true, reason)
}

fn no_token(refused: bool, reason: String) -> Trouble {
    Trouble::Theirs(CanaryOutcome::NoToken { refused, reason })
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("url", &self.issuer.url())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) fn test_key() -> String {
    grant::tests::key().0
}
