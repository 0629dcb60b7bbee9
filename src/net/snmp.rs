//! What is asked of an SNMP agent, and as whom.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

/// An object identifier, number by number.
pub type ObjectId = Vec<u64>;

/// A value that an agent gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnmpValue {
    /// Any of the kinds of numbers, counters and ticks; none that we ask for is negative.
    Number(u64),
    /// Bytes of somebody else's making.
    Text(Vec<u8>),
    /// The agent knows no such thing, or gave a kind of value that nobody asked for.
    Nothing,
}

/// Who asks, with what proves it. `Debug` never shows a secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// SNMP v2c (RFC 1901): the community string.
    Community(SecretString),
    /// SNMP v3 with the user-based security model (RFC 3414).
    User {
        /// The user's name.
        name: String,
        /// How messages are signed, and with which password.
        auth: (SnmpAuth, SecretString),
        /// How they are encrypted, and with which password.
        privacy: Option<(SnmpCipher, SecretString)>,
    },
}

/// How SNMP v3 signs messages (RFC 3414, RFC 7860).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum SnmpAuth {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// How SNMP v3 encrypts messages (RFC 3414, RFC 3826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum SnmpCipher {
    Des,
    Aes128,
    Aes192,
    Aes256,
}

type Source = dyn Fn() -> Result<Credentials, String> + Send + Sync;

/// Credentials that are fetched anew at each use.
#[derive(Clone)]
pub struct SnmpLogin(Arc<Source>);

impl SnmpLogin {
    /// Credentials that `source` gives. It may block: a file, a command. Its error must not hold the secret.
    pub fn new(source: impl Fn() -> Result<Credentials, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// Fetches them, on a thread that may block.
    ///
    /// # Errors
    /// Why they cannot be had, in words that do not hold them.
    pub async fn reveal(&self) -> Result<Credentials, String> {
        let source = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || source())
            .await
            .map_err(|_| "the secret cannot be had".to_owned())?
    }
}

impl fmt::Debug for SnmpLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnmpLogin(..)")
    }
}
