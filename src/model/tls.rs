//! What TLS showed. Facts of a certificate are reported even when it is bad: the handshake is completed
//! anyway, because opportunistic TLS delivers anyway (RFC 7435).

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DomainName;

/// What a completed handshake showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TlsEvidence {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: String,
    /// The cipher suite's IANA name.
    pub cipher: String,
    /// The server's certificate, where it could be parsed.
    pub certificate: Option<Arc<Certificate>>,
    /// Whether a chain leads to a root that we trust, apart from any name.
    pub chain: ChainVerdict,
    /// What TLSA records could name of the certificates as they were sent, the server's own first; at most eight.
    #[serde(default)]
    pub hashes: Arc<[CertificateHashes]>,
}

/// What a chain of certificates shows, whoever shows it: thousands of servers may share one, so it is held once.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownChain {
    /// The first certificate, where it could be parsed.
    pub certificate: Option<Arc<Certificate>>,
    /// Whether the chain leads to a root that we trust.
    pub chain: ChainVerdict,
    /// What TLSA records could name of its certificates.
    pub hashes: Arc<[CertificateHashes]>,
}

/// What a TLSA record could name of one certificate (RFC 6698 2.1), in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateHashes {
    /// SHA-256 of the whole certificate in DER form.
    pub certificate_sha256: String,
    /// SHA-512 of the whole certificate.
    pub certificate_sha512: String,
    /// SHA-256 of its key (SubjectPublicKeyInfo) in DER form.
    pub key_sha256: String,
    /// SHA-512 of its key.
    pub key_sha512: String,
    /// Of an issuer: whether its signature, by those in between, vouched for the server's own certificate when that was
    /// shown, with all of them valid then. What a record of usage 2 asks for (RFC 7672 3.1.2). `None`: that cannot be
    /// told, as of signatures of a kind that we do not verify; so it is of the server's own certificate.
    #[serde(default)]
    pub vouches: Option<bool>,
}

/// Facts of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The subject, as people write it.
    pub subject: String,
    /// The issuer, as people write it.
    pub issuer: String,
    /// The DNS names that it is for (subjectAltName, or the common name where there is none); at most 200.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The key's kind and size, such as `ECDSA P-256` or `RSA 2048`.
    pub key: String,
    /// SHA-256 of the DER form, in hex.
    pub fingerprint: String,
    /// Subject and issuer are the same.
    pub self_signed: bool,
}

impl Certificate {
    /// Whether it is for `host`: an exact name, or a wildcard for the leftmost label (RFC 9525 6.3).
    pub fn covers(&self, host: &DomainName) -> bool {
        self.names.iter().any(|name| {
            let name = name.to_ascii_lowercase();
            match name.strip_prefix("*.") {
                Some(suffix) => host
                    .as_str()
                    .split_once('.')
                    .is_some_and(|(_, rest)| rest == suffix),
                None => name == host.as_str(),
            }
        })
    }
}

/// Whether a chain leads to a root that we trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum ChainVerdict {
    /// It does.
    Trusted,
    /// It is out of date, somewhere along the chain.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// The issuer is unknown to us.
    UnknownIssuer,
    /// It vouches for itself.
    SelfSigned,
    /// It was revoked.
    Revoked,
    /// Something else is wrong with it.
    Invalid {
        /// What.
        reason: String,
    },
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailure {
    /// The alert that the server sent, by its name in RFC 8446 B.2, where it sent one.
    pub alert: Option<String>,
    /// What went wrong, in words.
    pub reason: String,
}

impl TlsFailure {
    /// Whether the alert is the one of servers that know only old versions or ciphers of TLS (probable).
    pub fn looks_legacy(&self) -> bool {
        matches!(
            self.alert.as_deref(),
            Some("protocol_version" | "handshake_failure" | "insufficient_security")
        )
    }
}
