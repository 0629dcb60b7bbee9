//! Services that people's mail programs use beside MX: submission, IMAP and the like, as seen without a login.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::smtp::{DialError, EnhancedCode, SmtpFailureKind};
use super::tls::{TlsEvidence, TlsFailure};
use super::{DomainName, Endpoint};

macro_rules! kinds {
    ($($(#[$meta:meta])* $variant:ident = $word:literal, $port:literal;)+) => {
        /// What a service speaks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum ServiceKind { $($(#[$meta])* $variant,)+ }

        impl ServiceKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word in configuration, labels and texts.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The registered TCP port.
            pub const fn usual_port(self) -> u16 {
                match self { $(Self::$variant => $port,)+ }
            }
        }
    };
}

kinds! {
    /// Submission with STARTTLS (RFC 6409).
    Submission = "submission", 587;
    /// Submission over TLS (RFC 8314 3.3).
    Submissions = "submissions", 465;
    /// The same under its old name.
    Smtps = "smtps", 465;
    /// Mail between servers, with STARTTLS, at a server that is no MX host (RFC 5321).
    Smtp = "smtp", 25;
    /// IMAP with STARTTLS (RFC 9051).
    Imap = "imap", 143;
    /// IMAP over TLS (RFC 8314 3.2).
    Imaps = "imaps", 993;
    /// POP3 with STLS (RFC 1939, RFC 2595).
    Pop3 = "pop3", 110;
    /// POP3 over TLS (RFC 8314 3.1).
    Pop3s = "pop3s", 995;
    /// Web mail: TLS alone, no request.
    Https = "https", 443;
}

impl ServiceKind {
    /// Whether TLS comes before the first word.
    pub const fn is_implicit(self) -> bool {
        matches!(
            self,
            Self::Submissions | Self::Smtps | Self::Imaps | Self::Pop3s | Self::Https
        )
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One service: the key that its evidence is shared under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Service {
    /// What is spoken there.
    pub kind: ServiceKind,
    /// Where.
    pub host: Endpoint,
    /// The TCP port.
    pub port: u16,
}

impl Service {
    /// The name that mail programs are set to; `None` where it is an address.
    pub fn name(&self) -> Option<&DomainName> {
        match &self.host {
            Endpoint::Name(name) => Some(name),
            Endpoint::Address(_) => None,
        }
    }

    /// As people name it: `imaps at mail.acme.test:993`.
    pub fn label(&self) -> String {
        format!("{} at {}", self.kind, self.place())
    }

    fn place(&self) -> String {
        match &self.host {
            Endpoint::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            host => format!("{host}:{}", self.port),
        }
    }
}

/// As in the configuration: `imaps:mail.acme.test:993`.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.place())
    }
}

/// The stages of a look at a service. Which come, and in which order, is a matter of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceStage {
    /// Finding its addresses.
    Lookup,
    /// TCP.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Waiting for its first word: `220`, `* OK`, `+OK`.
    Greeting,
    /// EHLO, CAPABILITY or CAPA: whether it offers TLS.
    Hello,
    /// STARTTLS or STLS, and the answer.
    StartTls,
    /// QUIT or LOGOUT, and the answer.
    Leave,
}

impl ServiceStage {
    /// The name in texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::StartTls => "starttls",
            Self::Leave => "leave",
        }
    }
}

impl fmt::Display for ServiceStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One stage's share of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTiming {
    /// The stage.
    pub stage: ServiceStage,
    /// How long it took.
    pub elapsed: Duration,
}

/// What a look at a service showed, as far as it came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceEvidence {
    /// The addresses that it has and that we can try, in the order in which they are tried.
    pub addresses: Vec<IpAddr>,
    /// Who we spoke to, or tried first.
    pub peer: Option<SocketAddr>,
    /// Each stage that was finished, and the one that failed, with its time.
    pub stages: Vec<ServiceTiming>,
    /// Its first words, cleaned.
    pub greeting: Option<String>,
    /// What TLS showed, where it came to a handshake.
    pub tls: Option<TlsEvidence>,
    /// Where and why the look ended early.
    pub failure: Option<ServiceFailure>,
    /// The dialogue word for word, bounded.
    pub transcript: Arc<Vec<String>>,
}

impl ServiceEvidence {
    /// Whether it spoke to us, in the clear or by TLS.
    pub fn has_spoken(&self) -> bool {
        self.greeting.is_some() || self.tls.is_some()
    }

    /// Whether anything at all came back from its address.
    pub fn has_replied(&self) -> bool {
        match &self.failure {
            None => true,
            Some(failure) => match &failure.kind {
                ServiceFailureKind::NoAddress { .. } | ServiceFailureKind::Untold { .. } => false,
                ServiceFailureKind::Dial(error) => *error == DialError::Refused,
                _ => true,
            },
        }
    }
}

/// Where and why a look at a service ended early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceFailure {
    /// The stage that failed.
    pub stage: ServiceStage,
    /// How long that stage had lasted.
    pub after: Duration,
    /// What happened.
    pub kind: ServiceFailureKind,
}

/// What ended a look at a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "with", rename_all = "kebab-case")]
pub enum ServiceFailureKind {
    /// Its name has no address at all.
    NoAddress {
        /// What the resolver said.
        said: String,
    },
    /// Nobody could tell us its address, or it has none that we could use: that says nothing of the service.
    Untold {
        /// What the resolver said.
        said: String,
    },
    /// The connection could not be made.
    Dial(DialError),
    /// Nothing, or too little, came in time.
    Timeout,
    /// The peer closed or reset an open connection.
    Closed {
        /// By a reset, rather than an orderly end.
        reset: bool,
    },
    /// It says no: `421 ...`, `* BYE ...`, `-ERR ...`.
    Refused {
        /// What it said, cleaned.
        line: String,
        /// The enhanced code, where there is one (RFC 2034).
        enhanced: Option<EnhancedCode>,
    },
    /// What came is not what such a service says.
    Protocol {
        /// Why not, in words.
        reason: String,
    },
    /// The TLS handshake failed.
    Tls(TlsFailure),
}

impl From<SmtpFailureKind> for ServiceFailureKind {
    fn from(kind: SmtpFailureKind) -> Self {
        match kind {
            SmtpFailureKind::Dial(error) => Self::Dial(error),
            SmtpFailureKind::Timeout => Self::Timeout,
            SmtpFailureKind::Closed { reset } => Self::Closed { reset },
            SmtpFailureKind::Reply(reply) => Self::Refused {
                line: reply.to_string(),
                enhanced: reply.enhanced,
            },
            SmtpFailureKind::Protocol(error) => Self::Protocol {
                reason: error.to_string(),
            },
            SmtpFailureKind::Tls(failure) => Self::Tls(failure),
        }
    }
}
