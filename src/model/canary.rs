//! What became of one canary: a small message that we handed in and then looked for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Code;
use super::smtp::SmtpFailureKind;

/// What became of one canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryEvidence {
    /// The short mark by which people find it in logs; in its Message-ID too.
    pub id: Arc<str>,
    /// Who it was handed to, or was to be.
    pub peer: Option<SocketAddr>,
    /// Where the mailbox was looked into.
    pub mailbox: Option<SocketAddr>,
    /// What became of it.
    pub outcome: CanaryOutcome,
    /// Earlier ones, given up as lost, that have turned up since.
    pub late: Vec<LateCanary>,
    /// Its handing in, word for word and without the password.
    pub transcript: Vec<String>,
}

impl CanaryEvidence {
    /// Whether the server that it was handed to has said anything.
    pub fn has_spoken(&self) -> bool {
        match &self.outcome {
            CanaryOutcome::NotSubmitted { kind, .. } => matches!(kind, SmtpFailureKind::Reply(_)),
            CanaryOutcome::NoServer { .. }
            | CanaryOutcome::NotTrusted { .. }
            | CanaryOutcome::NoToken { .. } => false,
            CanaryOutcome::LoginRefused { .. }
            | CanaryOutcome::MailboxUnreachable { .. }
            | CanaryOutcome::Lost { .. }
            | CanaryOutcome::Returned { .. }
            | CanaryOutcome::Arrived { .. } => true,
        }
    }
}

/// The steps of a canary, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are those of the protocols")]
pub enum CanaryStage {
    Lookup,
    Connect,
    Greeting,
    Ehlo,
    Tls,
    Login,
    Mail,
    Rcpt,
    Data,
}

impl CanaryStage {
    /// The name in texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for CanaryStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What became of a canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "became", rename_all = "kebab-case")]
pub enum CanaryOutcome {
    /// The client's own server did not take it.
    NotSubmitted {
        /// How far it came.
        stage: CanaryStage,
        /// After how long.
        after: Duration,
        /// What happened.
        kind: SmtpFailureKind,
    },
    /// The server's name could not be looked up: `definite` where DNS says that there is none.
    NoServer {
        /// Whether DNS says so, rather than being silent.
        definite: bool,
        /// What it says.
        said: String,
    },
    /// We do not hand our password to a server that cannot prove who it is.
    NotTrusted {
        /// What is wrong with its certificate, or that it offers no encryption.
        reason: String,
    },
    /// Our own name, password or token is wrong.
    LoginRefused {
        /// Whether at the mailbox; else where it is handed in.
        at_mailbox: bool,
        /// What the server said.
        said: String,
        /// Where it is a token that is refused: what else has to be in order.
        #[serde(default)]
        token: Option<String>,
    },
    /// We log in by a token, and get none.
    NoToken {
        /// Whether whoever gives them out has refused us; else nothing came from there.
        refused: bool,
        /// What was said, and what is to be done.
        reason: String,
    },
    /// It was handed in, and the mailbox cannot be looked into.
    MailboxUnreachable {
        /// What stood in the way.
        reason: String,
    },
    /// It was handed in, and was not there in time.
    Lost {
        /// What the server said when it took it.
        accepted: String,
        /// How long we looked for it.
        waited: Duration,
    },
    /// It was handed in, and came back to its sender.
    Returned {
        /// How long it took to come back.
        after: Duration,
        /// Why, where the message that brought it back says so.
        code: Option<Code>,
        /// The server that would not have it.
        by: Option<String>,
        /// What that server said, or whoever sent it back.
        said: String,
    },
    /// It arrived.
    Arrived {
        /// How long it took, from handing in to lying in the mailbox.
        after: Duration,
        /// The junk folder that it lay in; `None`: the inbox.
        junk: Option<String>,
        /// Each server on its way, and how long it took to come there.
        hops: Vec<(String, Duration)>,
        /// Servers whose clocks are wrong.
        skewed: Vec<String>,
        /// What the receiving server found when it checked it.
        results: Vec<MethodResult>,
    },
}

/// A canary that turned up after it was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LateCanary {
    /// Its mark.
    pub id: Arc<str>,
    /// When it was handed in (UTC).
    pub sent: Timestamp,
    /// How long it took.
    pub after: Duration,
    /// The server that it took longest to come to, and how long.
    pub slowest: Option<(String, Duration)>,
    /// The junk folder that it lay in.
    pub junk: Option<String>,
}

/// What one check of a message's origin found (RFC 8601).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodResult {
    /// `spf`, `dkim`, `dmarc` and others, in lower case.
    pub method: String,
    /// `pass`, `fail`, `none` and others, in lower case.
    pub result: String,
}
