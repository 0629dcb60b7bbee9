//! The doors: who comes in, by what, and what each may do.
//!
//! A person comes in by name and password (a signed cookie afterwards), a program by a token, and whoever got a signed link
//! by that, to the one thing that it names. Without users and tokens everybody who reaches us may do everything, which is
//! why the daemon then listens on loopback only.

mod admit;
mod login;
mod origin;
mod password;
mod session;
mod throttle;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

pub(super) use admit::{Done, admit, answers_to_us};
pub(super) use login::{enter, form, leave};
pub(super) use origin::Peer;
pub(super) use password::Porter;
pub use password::hash as hash_password;

/// Who may come in, as configured; replaced as a whole on reload.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// The people and programs; without it everybody who reaches us may do everything.
    pub guests: Option<Guests>,
    /// TLS, where we speak it ourselves.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether browsers reach us by HTTPS only: by our own TLS, or by that of a proxy before us.
    pub secure: bool,
    /// Whether we listen on this machine alone.
    pub local: bool,
}

/// People and programs that may come in.
#[derive(Debug, Clone, Default)]
pub struct Guests {
    /// By user name.
    pub users: BTreeMap<Arc<str>, User>,
    /// In the order of the configuration.
    pub tokens: Vec<Token>,
}

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// The bcrypt hash of the password.
    pub hash: Hidden,
    /// What this person may do.
    pub may: Access,
}

/// A program.
#[derive(Debug, Clone)]
pub struct Token {
    /// Whose it is, for the book.
    pub name: Arc<str>,
    /// The token itself.
    pub token: Hidden,
    /// What it allows.
    pub may: Access,
}

/// A secret, fetched when it is needed; `None` while it cannot be had, and then nobody comes in by it.
#[derive(Clone)]
pub struct Hidden(pub Arc<dyn Fn() -> Option<SecretString> + Send + Sync>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// What somebody may do; each includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// What tells nothing of anybody: whether we live, and the way in.
    Nothing,
    /// Scraping.
    Metrics,
    /// Looking at everything.
    Read,
    /// Changing things, and seeing who changed what.
    Write,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) by: By,
    pub(super) may: Access,
}

/// What somebody came in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// Nothing that we know.
    Nothing,
    /// A password, now or when the session began.
    Password(Arc<str>),
    /// A token of this name.
    Token(Arc<str>),
}

impl Who {
    fn nobody(may: Access) -> Self {
        Self { by: By::Nothing, may }
    }

    /// The user's name.
    pub(super) fn user(&self) -> Option<&str> {
        match &self.by {
            By::Password(name) => Some(name),
            By::Nothing | By::Token(_) => None,
        }
    }

    /// In whose name something is done: a person's own, whatever was typed; else what was typed, else the token's.
    pub(super) fn named<'a>(&'a self, typed: &'a str) -> &'a str {
        match &self.by {
            By::Password(name) => name,
            By::Token(name) if typed.is_empty() => name,
            By::Nothing | By::Token(_) => typed,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            By::Password(name) => f.write_str(name),
            By::Token(name) => write!(f, "token {name}"),
            By::Nothing => f.write_str("somebody"),
        }
    }
}
