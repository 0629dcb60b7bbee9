//! A DNS question and its answer, as far as mailflow needs them, apart from any library's types.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::model::DomainName;
use crate::model::dns::ExtendedError;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name; `None` is the root.
    pub name: Option<DomainName>,
    /// The type.
    pub kind: RecordType,
    /// RD: whether the server shall find the answer elsewhere (a resolver), or say what it has itself.
    pub recursive: bool,
    /// CD (RFC 4035 3.2.2): whether the server shall answer without checking signatures.
    pub unchecked: bool,
}

/// The types that mailflow asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the registry's")]
pub enum RecordType {
    A,
    Aaaa,
    Mx,
    Ns,
    Cname,
    Soa,
    Txt,
    Ptr,
    Tlsa,
    Ds,
    Dnskey,
}

/// What came back, whatever its code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// RCODE, with the extended bits (RFC 6891).
    pub rcode: u16,
    /// AA: the server claims authority.
    pub authoritative: bool,
    /// AD: the server vouches for it by DNSSEC.
    pub authentic: bool,
    /// Extended errors (RFC 8914); at most eight, their texts cleaned and bounded.
    pub extended: Vec<ExtendedError>,
    /// The answer section, without signatures; at most 500 records.
    pub answers: Vec<Record>,
    /// The authority section, likewise.
    pub authority: Vec<Record>,
    /// The additional section, likewise, without the OPT record.
    pub additional: Vec<Record>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose it is; `None` is the root.
    pub name: Option<DomainName>,
    /// How long it may be remembered.
    pub ttl: Duration,
    /// What it says.
    pub data: RecordData,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the registry's")]
pub enum RecordData {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    /// Preference and exchange in presentation form (`.` is the root: a null MX).
    Mx(u16, String),
    Ns(DomainName),
    Cname(DomainName),
    /// What a zone says of itself (RFC 1035 3.3.13).
    Soa {
        /// MNAME: the server that the zone comes from, where its name can be kept.
        origin: Option<DomainName>,
        serial: u32,
        /// How often the other servers look for a newer version, and how soon again where that fails.
        refresh: Duration,
        retry: Duration,
        /// The lesser of MINIMUM and the record's own TTL (RFC 2308 4).
        negative_ttl: Duration,
    },
    /// The strings of one TXT record, joined.
    Txt(Vec<u8>),
    Ptr(DomainName),
    /// Usage, selector, matching type, data (RFC 6698).
    Tlsa(u8, u8, u8, Vec<u8>),
    /// Anything else, by its type number.
    Other(u16),
}

/// RCODEs (RFC 1035 4.1.1) that mailflow tells apart.
pub mod rcode {
    /// NOERROR.
    pub const NO_ERROR: u16 = 0;
    /// SERVFAIL: the server could not find out.
    pub const SERV_FAIL: u16 = 2;
    /// NXDOMAIN: the name does not exist.
    pub const NX_DOMAIN: u16 = 3;
    /// REFUSED: the server does not want to say.
    pub const REFUSED: u16 = 5;
}

impl Question {
    /// A question for a resolver, signatures checked.
    pub fn recursive(name: &DomainName, kind: RecordType) -> Self {
        Self {
            name: Some(name.clone()),
            kind,
            recursive: true,
            unchecked: false,
        }
    }

    /// A question for an authoritative server: what it has itself.
    pub fn direct(name: &DomainName, kind: RecordType) -> Self {
        Self {
            recursive: false,
            ..Self::recursive(name, kind)
        }
    }
}

impl RecordData {
    /// The type, where it is one that mailflow asks for.
    pub fn kind(&self) -> Option<RecordType> {
        Some(match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Mx(..) => RecordType::Mx,
            Self::Ns(_) => RecordType::Ns,
            Self::Cname(_) => RecordType::Cname,
            Self::Soa { .. } => RecordType::Soa,
            Self::Txt(_) => RecordType::Txt,
            Self::Ptr(_) => RecordType::Ptr,
            Self::Tlsa(..) => RecordType::Tlsa,
            Self::Other(_) => return None,
        })
    }
}

/// Why no answer to the question came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nothing came in time.
    #[error("no answer")]
    Timeout,
    /// The network, or a closed port, said that nobody will answer.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// What came was no answer to the question.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// Our own side: descriptors, memory, rights.
    #[error("could not be asked: {0}")]
    Local(String),
}
