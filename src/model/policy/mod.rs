//! What domains publish about their mail: the records as they are written, and what was found of them.

pub mod dkim;
pub mod dmarc;
pub mod expand;
#[cfg(test)]
mod fuzzed;
pub mod spf;
pub mod sts;
pub mod tags;
pub mod tlsa;

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DomainName;
use super::dns::Lookup;

pub use sts::{StsMode, StsPolicy};
pub use tlsa::TlsaRecord;

/// The parts of what a domain publishes, each looked at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyPart {
    /// Who may send in its name (RFC 7208).
    Spf,
    /// What to do with forged mail (RFC 9989).
    Dmarc,
    /// Keys for signatures (RFC 6376).
    Dkim,
    /// Which servers, and only with good TLS (RFC 8461); with TLS-RPT (RFC 8460).
    Sts,
}

impl PolicyPart {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; 4] = [Self::Spf, Self::Dmarc, Self::Dkim, Self::Sts];

    /// The name that people know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spf => "SPF",
            Self::Dmarc => "DMARC",
            Self::Dkim => "DKIM",
            Self::Sts => "MTA-STS",
        }
    }
}

impl fmt::Display for PolicyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// TXT records, cleaned and bounded, in the order of their text.
pub type Texts = Lookup<Vec<String>>;

/// SPF, followed to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfEvidence {
    /// The domain's TXT records that are SPF, or were meant to be.
    pub own: Texts,
    /// Every record that was read on the way, the domain's own first: name and text.
    pub read: Vec<(DomainName, String)>,
    /// Terms that cost a lookup, as far as they were counted (RFC 7208 4.6.4).
    pub lookups: u32,
    /// Lookups that found nothing: the terms that asked for them.
    pub void: Vec<String>,
    /// What it came to.
    pub outcome: SpfOutcome,
}

/// What following SPF came to, for a sender whom no term names: that is the one who meets every limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum SpfOutcome {
    /// There is no record.
    Absent,
    /// It is valid.
    Valid {
        /// What `all` says: `+`, `-`, `~` or `?`; `None` where it says nothing.
        all: Option<char>,
        /// Whether `ptr` is used, which the RFC advises against.
        ptr: bool,
    },
    /// Receivers will call it a permanent error (RFC 7208 2.6.7).
    Invalid {
        /// Whose record it is in.
        at: DomainName,
        /// The term at fault, as it is written.
        term: Option<String>,
        /// What is wrong, in words.
        problem: String,
    },
    /// Somebody on the way did not answer, so that we cannot tell.
    Untold {
        /// Who, and what came instead.
        reason: String,
    },
}

/// DMARC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcEvidence {
    /// The TXT records at `_dmarc` that are DMARC, or were meant to be.
    pub own: Texts,
    /// Where the domain has none: the record of the name above that holds for it, and that name.
    pub inherited: Option<(DomainName, String)>,
    /// Who did not answer on the way up.
    pub untold: Option<String>,
}

/// DKIM keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimEvidence {
    /// One entry a selector.
    pub keys: Vec<DkimAnswer>,
}

/// What stands at one selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimAnswer {
    /// The selector.
    pub selector: String,
    /// Whether the configuration names it; else it is a guess by the provider.
    pub configured: bool,
    /// The TXT records.
    pub answer: Texts,
}

/// MTA-STS, and TLS-RPT beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsEvidence {
    /// The TXT records at `_mta-sts` that are MTA-STS, or were meant to be.
    pub record: Texts,
    /// What fetching the policy came to, where a record announces one.
    pub fetch: Option<Box<StsFetch>>,
    /// The policy that senders go by who have read it: the one just read, or an older one that they may still
    /// remember.
    pub held: Option<Box<HeldPolicy>>,
    /// The TXT records at `_smtp._tls`.
    pub tls_rpt: Texts,
}

/// A policy that senders may remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPolicy {
    /// The id of the record that announced it (RFC 8461 3.1): senders fetch it anew when that changes.
    #[serde(default)]
    pub id: String,
    /// What it says.
    pub policy: StsPolicy,
    /// When it was last read (UTC).
    pub fetched: Timestamp,
}

impl HeldPolicy {
    /// Whether senders who read it last still remember it.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        let age = jiff::SignedDuration::try_from(self.policy.max_age).unwrap_or(jiff::SignedDuration::MAX);
        now.duration_since(self.fetched) <= age
    }
}

/// What fetching a policy came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsFetch {
    /// From where.
    pub url: String,
    /// The first address that the host has.
    pub address: Option<IpAddr>,
    /// What came of it.
    pub outcome: StsOutcome,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum StsOutcome {
    /// A policy, and its text.
    Read {
        /// Word for word, bounded and cleaned.
        text: String,
    },
    /// Whoever answers there gives no usable policy.
    Failed {
        /// What is wrong, in words.
        reason: String,
        /// What came, where it was text: word for word, bounded and cleaned.
        text: Option<String>,
    },
    /// Nobody answers there.
    Silent {
        /// How, in words.
        reason: String,
    },
    /// We could not find out: our own side, or DNS that gave no answer.
    Untold {
        /// Why, in words.
        reason: String,
    },
}

/// The TLSA records of a mail host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsaEvidence {
    /// What stands at `_25._tcp.HOST`.
    pub answer: Lookup<Vec<TlsaRecord>>,
    /// Whether DNSSEC vouches for the way to them too: the host's addresses, or where it is an alias into a zone that is
    /// not signed, the alias (RFC 7672 2.2). Without it the records do not count.
    pub addresses_authentic: bool,
    /// Whose records they are, where the host is an alias and they stand at what it leads to (RFC 7672 2.2.3).
    #[serde(default)]
    pub base: Option<DomainName>,
}
