//! Passwords and keys, fetched anew at each use.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use super::Failure;

type Source = dyn Fn() -> Result<SecretString, String> + Send + Sync;

/// A password or key, fetched anew at each use. The error of its source must never hold it.
#[derive(Clone)]
pub struct Secret(Arc<Source>);

impl Secret {
    /// A secret that `source` gives. It may block: a file, a command.
    pub fn new(source: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// Fetches it, on a thread that may block.
    ///
    /// # Errors
    /// [`Failure::Passing`]: the file may be back, the command may work next time.
    pub(super) async fn reveal(&self) -> Result<SecretString, Failure> {
        let source = self.0.clone();
        tokio::task::spawn_blocking(move || source())
            .await
            .map_err(|error| error.to_string())
            .flatten()
            .map_err(|reason| Failure::passing(format!("a secret cannot be had: {reason}")))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
