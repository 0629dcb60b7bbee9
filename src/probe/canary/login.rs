//! How a canary logs in: where, as whom, and with what. A password today; a further kind of credential is one more
//! variant, and the compiler shows where it has to be spoken.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use crate::model::Endpoint;

/// What proves who we are.
#[derive(Debug)]
pub enum Credential {
    /// A password (RFC 4616, and IMAP's LOGIN).
    Password(SecretString),
}

type Source = dyn Fn() -> Result<Credential, String> + Send + Sync;

/// Who we are at a server.
#[derive(Clone)]
pub struct Identity {
    /// The user name.
    pub user: Arc<str>,
    source: Arc<Source>,
}

impl Identity {
    /// A user whose credential `source` gives. It may block: a file, a command. Its error must not hold the secret.
    pub fn new(user: &str, source: impl Fn() -> Result<Credential, String> + Send + Sync + 'static) -> Self {
        Self {
            user: user.into(),
            source: Arc::new(source),
        }
    }

    /// Fetches the credential anew, on a thread that may block.
    ///
    /// # Errors
    /// Why it cannot be had, in words that do not hold it.
    pub async fn credential(&self) -> Result<Credential, String> {
        let source = Arc::clone(&self.source);
        tokio::task::spawn_blocking(move || source())
            .await
            .map_err(|_| "the secret cannot be had".to_owned())?
    }
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
