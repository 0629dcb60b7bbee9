//! What an SMTP session showed (RFC 5321).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tls::{TlsEvidence, TlsFailure};
use super::{DomainName, StageTiming};

/// The stages of a session, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpStage {
    /// TCP.
    Connect,
    /// Waiting for the 220.
    Greeting,
    /// EHLO in the clear.
    Ehlo,
    /// STARTTLS and its 220 (RFC 3207).
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// EHLO again, under TLS.
    EhloTls,
    /// MAIL FROM: only where a recipient consented.
    Mail,
    /// RCPT TO: only where a recipient consented.
    Rcpt,
    /// QUIT and its 221.
    Quit,
}

impl SmtpStage {
    /// The name in labels and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Handshake => "handshake",
            Self::EhloTls => "ehlo-tls",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Quit => "quit",
        }
    }

    /// Whether senders wait five minutes here before they give up, whatever slows the server down: for its greeting (RFC 5321
    /// 4.5.3.2.1), and for what it says to EHLO, for which the RFC names no time and mail servers take the same.
    pub fn is_opening(self) -> bool {
        matches!(self, Self::Greeting | Self::Ehlo | Self::EhloTls)
    }
}

impl fmt::Display for SmtpStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One whole reply, bounded and cleaned: control characters are shown escaped, never passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The reply code, 200 to 599.
    pub code: u16,
    /// The enhanced code at the start of the text, where there is one (RFC 2034).
    pub enhanced: Option<EnhancedCode>,
    /// The text of each line, without code and separator.
    pub lines: Vec<String>,
}

impl Reply {
    /// 2xx.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The whole text on one line.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

/// What EHLO offered (RFC 5321 4.1.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The keywords with their parameters, in upper case and as they came; at most a hundred.
    pub lines: Vec<String>,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// SIZE (RFC 1870): offered, and with which limit in bytes (0: none stated).
    pub size: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// A line of X where STARTTLS should stand: a firewall rewrites the dialogue.
    pub masked: bool,
}

/// What an SMTP session showed, as far as it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SmtpEvidence {
    /// Who we spoke to.
    pub peer: SocketAddr,
    /// The MX name that we sent as SNI, where one leads here.
    pub server_name: Option<DomainName>,
    /// How long we were ready to wait at [opening stages](SmtpStage::is_opening): tells the slow lane from the usual one.
    pub patience: Duration,
    /// Whether this was a session of the slow lane (`semantics` 14).
    pub slow_lane: bool,
    /// Each stage that was finished, and the one that failed, with its time.
    pub stages: Vec<StageTiming>,
    /// The greeting.
    pub greeting: Option<Reply>,
    /// What EHLO offered in the clear.
    pub capabilities: Option<Capabilities>,
    /// What TLS showed, where STARTTLS came to a handshake.
    pub tls: Option<TlsEvidence>,
    /// Where and why the session ended early.
    pub failure: Option<SmtpFailure>,
    /// The dialogue word for word, bounded: `S: 220 ...`, `C: EHLO ...`.
    pub transcript: Arc<Vec<String>>,
}

impl SmtpEvidence {
    /// Whether the session came to MAIL, and so says something of a recipient.
    pub fn has_asked(&self) -> bool {
        self.stages.iter().any(|timing| timing.stage == SmtpStage::Mail)
    }

    /// Whether a recipient was accepted.
    pub fn accepted_recipient(&self) -> bool {
        self.failure.is_none() && self.stages.iter().any(|timing| timing.stage == SmtpStage::Rcpt)
    }

    /// The stage that failed, if one did.
    pub fn failed_stage(&self) -> Option<SmtpStage> {
        self.failure.as_ref().map(|failure| failure.stage)
    }
}

/// Where and why a session ended early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SmtpFailure {
    /// The stage that failed.
    pub stage: SmtpStage,
    /// How long that stage had lasted.
    pub after: Duration,
    /// What happened.
    pub kind: SmtpFailureKind,
}

/// What ended a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "with", rename_all = "kebab-case")]
pub enum SmtpFailureKind {
    /// The connection could not be made.
    Dial(DialError),
    /// Nothing, or too little, came in time.
    Timeout,
    /// The peer closed or reset an open connection.
    Closed {
        /// By a reset, rather than an orderly end.
        reset: bool,
    },
    /// A reply that refuses the stage.
    Reply(Reply),
    /// What came is no SMTP.
    Protocol(ProtocolError),
    /// The TLS handshake failed.
    Tls(TlsFailure),
}

/// Why a TCP connection could not be made. Local faults are apart: they blame nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DialError {
    /// A reset: the host is there and nothing listens.
    Refused,
    /// No answer in time.
    Timeout,
    /// The network said that it cannot be reached (ICMP), or we have no route.
    Unreachable {
        /// An ICMP "administratively prohibited": a firewall that says so.
        prohibited: bool,
        /// Our own kernel has no way there: no route, no address of that family, or a filter of this very machine
        /// that rejects it. Nobody else is to blame.
        no_route: bool,
    },
    /// Our own side: descriptors, memory, rights.
    Local {
        /// The operating system's words.
        reason: String,
    },
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Timeout => f.write_str("no answer"),
            Self::Unreachable { prohibited: true, .. } => {
                f.write_str("a firewall says that it is prohibited")
            }
            Self::Unreachable { no_route: true, .. } => f.write_str("we have no route there"),
            Self::Unreachable { .. } => f.write_str("the network says that it is unreachable"),
            Self::Local { reason } => write!(f, "could not be tried: {reason}"),
        }
    }
}

/// How what came back breaks RFC 5321.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProtocolError {
    /// A line that is no reply line.
    NotAReply {
        /// The start of it, cleaned.
        line: String,
    },
    /// The lines of one reply carry different codes.
    MixedCodes,
    /// More bytes or lines than any reply has.
    TooLong,
    /// Bytes of the next protocol step before their turn (after STARTTLS: CVE-2011-0411's kind).
    Unsolicited,
    /// A positive reply of the wrong kind (say 250 where 220 is due).
    UnexpectedCode {
        /// The reply.
        reply: Reply,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAReply { line } => write!(f, "not an SMTP reply: \"{line}\""),
            Self::MixedCodes => f.write_str("one reply with different codes"),
            Self::TooLong => f.write_str("a reply without end"),
            Self::Unsolicited => f.write_str("data before its turn"),
            Self::UnexpectedCode { reply } => write!(f, "unexpected reply \"{reply}\""),
        }
    }
}
