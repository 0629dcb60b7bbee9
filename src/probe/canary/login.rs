//! How a canary logs in: where, as whom, and with what: a password, or a token that is fetched elsewhere. A further kind
//! of credential is one more variant, and the compiler shows where it has to be spoken.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use super::oauth::Tokens;
use super::reach::Trouble;
use crate::model::Endpoint;
use crate::net::Net;
use crate::net::trust::Trust;
use crate::probe::Context;

/// What proves who we are.
#[derive(Debug)]
pub enum Credential {
    /// A password (RFC 4616, and IMAP's LOGIN).
    Password(SecretString),
    /// A token of OAuth 2.0 (RFC 6750), shown by OAUTHBEARER or XOAUTH2.
    Token(SecretString),
}

/// Where a secret comes from. It may block: a file, a command. Its error must not hold the secret.
pub type Secret = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

#[derive(Clone)]
enum Source {
    Password(Secret),
    Tokens(Arc<Tokens>),
}

/// Who we are at a server.
#[derive(Clone)]
pub struct Identity {
    /// The user name.
    pub user: Arc<str>,
    source: Source,
}

impl Identity {
    /// A user with a password.
    pub fn with_password(user: &str, password: Secret) -> Self {
        Self {
            user: user.into(),
            source: Source::Password(password),
        }
    }

    /// A user for whom tokens are given out.
    pub fn with_tokens(user: &str, tokens: &Arc<Tokens>) -> Self {
        Self {
            user: user.into(),
            source: Source::Tokens(Arc::clone(tokens)),
        }
    }

    /// Fetches the credential anew, or takes a token that still holds.
    pub(super) async fn credential<N: Net>(
        &self,
        net: &N,
        context: &Context,
        trust: &Trust,
    ) -> Result<Credential, Trouble> {
        match &self.source {
            Source::Password(password) => reveal(password)
                .await
                .map(Credential::Password)
                .map_err(Trouble::Ours),
            Source::Tokens(tokens) => tokens.token(net, context, trust).await.map(Credential::Token),
        }
    }

    /// Our login was refused, in a try that began at `began`: whether it was by an older token, so that another try with a
    /// new one is worth it.
    pub(super) async fn renews(&self, began: Timestamp) -> bool {
        match &self.source {
            Source::Password(_) => false,
            Source::Tokens(tokens) => tokens.forget_older(began).await,
        }
    }

    /// What else has to be in order besides the token, so that a server takes it; `None`: it is no token.
    pub(super) fn besides(&self) -> Option<String> {
        match &self.source {
            Source::Password(_) => None,
            Source::Tokens(tokens) => Some(tokens.besides(&self.user)),
        }
    }
}

/// Fetches a secret, on a thread that may block.
pub(super) async fn reveal(secret: &Secret) -> Result<SecretString, String> {
    let secret = Arc::clone(secret);
    tokio::task::spawn_blocking(move || secret())
        .await
        .map_err(|_| "the secret cannot be had".to_owned())?
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A server, and who we are there.
#[derive(Debug, Clone)]
pub struct Place {
    /// The server.
    pub host: Endpoint,
    /// Its TCP port.
    pub port: u16,
    /// Who we are; `None`: it takes mail without a login.
    pub identity: Option<Identity>,
}
